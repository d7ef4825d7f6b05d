"""The example of TLS and SRTP on two real Asterisks: ours, and one that is both the carrier's switch and 112."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from telephony.asterisk.instance import Instance
from telephony.asterisk.operator.blocking_ami import BlockingAmi
from telephony.domain.errors import Refused
from telephony.lab.phones.exchange import NAME, SECRET, Surroundings
from telephony.lab.ports import free_ports
from tests.scenarios.certificates import make_certificates
from tests.scenarios.daemon_process import ROOT
from tests.scenarios.house import PATIENCE_S

DIALPLANS = ROOT / "dialplans"
EXAMPLE = DIALPLANS / "examples" / "pjsip.tls.conf"

FAR_PJSIP = """\
[tls]
type = transport
protocol = tls
bind = 127.0.0.1:{port}
method = tlsv1_2
cert_file = {certificate}
priv_key_file = {key}
ca_list_file = {authority}
verify_client = {asks}
require_client_cert = {asks}
[house]
type = endpoint
transport = tls
context = centre
disallow = all
allow = ulaw
media_encryption = {encryption}
aors = house
[house]
type = aor
contact = sip:127.0.0.1:{house}\\;transport=tls
[house]
type = identify
endpoint = house
match = 127.0.0.1
"""
FAR_PLAN = """\
[globals]
CENTRE =
PHONE =
ENDED =
[centre]
exten => _X.,1,Answer()
 same => n,Set(GLOBAL(CENTRE)=${CHANNEL(pjsip,secure)} ${CHANNEL(rtp,secure)} ${PJSIP_HEADER(read,Geolocation)})
 same => n,Wait(20)
[phone]
exten => s,1,Dial(PJSIP/112@house,20,U(heard^s^1))
 same => n,Set(GLOBAL(ENDED)=${DIALSTATUS} ${HANGUPCAUSE})
[heard]
exten => s,1,Set(GLOBAL(PHONE)=${CHANNEL(pjsip,secure)} ${CHANNEL(rtp,secure)})
 same => n,Return()
"""


class Asterisk:
    """One instance in a folder of its own; waits are bounded."""

    def __init__(self, name, files):
        self.root = Path(tempfile.mkdtemp(prefix="ot-", dir="/tmp"))
        self.instance = Instance(self.root, name, DIALPLANS, files)
        self.ami = 0
        self._process = None

    def boot(self):
        self._process = subprocess.Popen(
            self.instance.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.until(lambda: "fully booted" in self.cli("core waitfullybooted"))

    def cli(self, line):
        done = subprocess.run(
            self.instance.cli(line), capture_output=True, text=True, check=False, timeout=60
        )
        return done.stdout

    def known(self, name):
        """Return a global variable of the dialplan."""
        for line in self.cli("dialplan show globals").splitlines():
            key, _, value = line.strip().partition("=")
            if key == name:
                return value
        return ""

    def until(self, claim):
        end = time.monotonic() + PATIENCE_S
        while not claim():
            assert self._process.poll() is None, "Asterisk has ended"
            assert time.monotonic() < end, self.log
            time.sleep(0.05)

    @property
    def log(self):
        log = self.instance.log
        return log.read_text("utf-8", "replace") if log.exists() else ""

    def close(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.root)


def ours(folder, sip, far):
    """The example as it is, but for addresses and the folder of the keys."""
    around = Surroundings(
        sip=sip, ami=sip + 1, rtp=(sip + 2, sip + 9), centres=(9, 9, 9), guardians=9, agi=9,
        location_url="https://onetouch.example/v1/location", sounds=DIALPLANS / "sounds",
    )  # fmt: skip
    pjsip = EXAMPLE.read_text()
    for old, new in {
        "0.0.0.0:5061": f"127.0.0.1:{sip}",
        "/etc/asterisk/keys/onetouch.pem": f"{folder}/server.pem",
        "/etc/asterisk/keys/onetouch.key": f"{folder}/server.key",
        "/etc/asterisk/keys/authorities.pem": f"{folder}/authority.pem",
        "match = 192.0.2.10": "match = 127.0.0.1",
        "192.0.2.10:5061": f"127.0.0.1:{far}",
        "198.51.100.1:5061": f"127.0.0.1:{far}",
        "198.51.100.2:5061": f"127.0.0.1:{far}",
        "198.51.100.3:5061": f"127.0.0.1:{far}",
    }.items():
        assert old in pjsip
        pjsip = pjsip.replace(old, new)
    globals_ = around.files()["globals.local.conf"] + "SOS_ROUNDS = 1\n"
    globals_ += "".join(f"SOS_ROUTE_{number}_ANYWAY =\n" for number in (1, 2, 3))
    house = Asterisk(NAME, {**around.files(), "pjsip.conf": pjsip, "globals.local.conf": globals_})
    house.ami = sip + 1
    return house


def far_side(certificates, house, *, encryption, asks):
    port, rtp = house + 20, house + 22
    pjsip = FAR_PJSIP.format(
        asks=asks, port=port, house=house, encryption=encryption, certificate=certificates.certificate,
        key=certificates.key, authority=certificates.authority,
    )  # fmt: skip
    logger = "[general]\ndateformat = %F %T.%3q\n[logfiles]\nfull => notice,warning,error\n"
    return Asterisk(
        "far",
        {
            "pjsip.conf": pjsip,
            "extensions.conf": FAR_PLAN,
            "modules.conf": (DIALPLANS / "modules.conf").read_text() + "load = res_clioriginate.so\n",
            "rtp.conf": f"[general]\nrtpstart = {rtp}\nrtpend = {rtp + 7}\n",
            "logger.conf": logger,
            "manager.conf": "[general]\nenabled = no\n",
        },
    )


@pytest.fixture
def placed(tmp_path):
    """Start both; a held key dials 112 from the far side."""
    opened = []

    def place(encryption="sdes", *, is_known=True):
        first = free_ports(40)
        made = make_certificates(tmp_path / "tls")
        other = made if is_known else make_certificates(tmp_path / "other", "another authority")
        far = far_side(other, first, encryption=encryption, asks="yes" if is_known else "no")
        opened.append(far)
        house = ours(tmp_path / "tls", first, first + 20)
        opened.append(house)
        for each in opened:
            each.boot()
        far.cli("channel originate Local/s@phone application Wait 30")
        return house, far

    yield place
    for each in opened:
        each.close()


def test_a_held_key_reaches_112_over_tls_and_srtp_on_both_legs(placed):
    house, far = placed()

    far.until(lambda: far.known("CENTRE") and far.known("PHONE"))

    assert far.known("PHONE") == "1 1"
    sip, rtp, location = far.known("CENTRE").split()
    assert (sip, rtp) == ("1", "1")
    assert location.startswith("<https://onetouch.example/v1/location/")
    assert "tls" in house.cli("pjsip show transports")
    assert [line for line in (house.log + far.log).splitlines() if "ERROR" in line] == []


def test_a_call_without_srtp_is_refused(placed):
    house, far = placed("no")

    far.until(lambda: far.known("ENDED"))

    assert far.known("ENDED") == "CHANUNAVAIL 58"  # bearer capability: SIP's 488
    assert "0 calls processed" in house.cli("core show channels")


def test_whose_certificate_is_of_another_authority_neither_calls_nor_is_called(placed):
    house, far = placed(is_known=False)

    far.until(lambda: far.known("ENDED"))
    with BlockingAmi("127.0.0.1", house.ami, "operator", SECRET) as ami, pytest.raises(Refused):
        ami.action(
            "Originate",
            [("Channel", "PJSIP/112@centre-1"), ("Application", "Wait"), ("Data", "5"), ("Timeout", "10000")],
        )

    assert far.known("ENDED") == "CONGESTION 34"
    assert (far.known("PHONE"), far.known("CENTRE")) == ("", "")
    assert "SSL" in house.log + far.log
