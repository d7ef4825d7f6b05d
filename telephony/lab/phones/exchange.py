"""Configures a real Asterisk between the lab's phones and its 112 centres: our dialplans on loopback."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from telephony.asterisk.sos.sealed_caller import KEY_FILE
from telephony.shipped import Shipped, folder_of

NAME = "voice-1"
JOURNAL_KEY = "lab0only0lab0onl"
SECRET = "lab-only"  # noqa: S105 - of a manager interface that listens on loopback for the length of a lab
CARRIER_ADDRESSES: Mapping[str, str] = {"skt-voice": "127.0.0.1", "kt-voice": "127.0.0.2"}
"""Trunks are told apart by the address that calls come from."""


@dataclass(frozen=True)
class Surroundings:
    """Ports on loopback: Asterisk's own, and those of the far ends that it calls (0: none)."""

    sip: int
    ami: int
    rtp: tuple[int, int]
    centres: tuple[int, int, int]
    guardians: int
    agi: int
    location_url: str
    sounds: Path
    globals: Mapping[str, str] = field(default_factory=dict)
    """Knobs of globals.conf that are to differ."""
    qualify_s: int = 0
    contacts: Mapping[str, int] = field(default_factory=dict)
    """By trunk: the port at which its phones can be called back; without one they cannot."""
    aloud: Collection[str] = ()
    """Trunks on which keys are heard as tones too, where the phone offers nothing better."""
    mirror: int = 0
    """The UDP port that SIP is mirrored to; 0: none."""

    def files(self) -> dict[str, str]:
        """Return the configuration files that differ from the dialplans' samples."""
        return {
            "pjsip.conf": self._pjsip(),
            "manager.conf": _MANAGER.format(port=self.ami, secret=SECRET),
            "rtp.conf": f"[general]\nrtpstart = {self.rtp[0]}\nrtpend = {self.rtp[1]}\nstrictrtp = yes\n",
            "hep.conf": _HEP.format(port=self.mirror or 9),
            "logger.conf": "[general]\ndateformat = %F %T.%3q\n[logfiles]\nfull => notice,warning,error\n",
            "globals.local.conf": self._globals(),
            KEY_FILE: f"[journal]\nkey = {JOURNAL_KEY}\n",
        }

    def _globals(self) -> str:
        knobs = {
            "SOS_LOCATION_URL": self.location_url,
            "AGI_URL": f"agi://127.0.0.1:{self.agi}",
            "VOICE_SOUNDS": str(self.sounds),
            **{
                f"SOS_ROUTE_{number}_ANYWAY": f"PJSIP/centre-{number}/sip:112@127.0.0.1:{port}"
                for number, port in enumerate(self.centres, 1)
            },
            **self.globals,
        }
        return "".join(f"{key} = {value}\n" for key, value in knobs.items())

    def _pjsip(self) -> str:
        far_ends = {
            **{f"centre-{number}": (port, "info") for number, port in enumerate(self.centres, 1)},
            "centre-voice": (self.centres[0], "rfc4733"),
            "guardian": (self.guardians, "rfc4733"),
        }
        return _TRANSPORT.format(port=self.sip) + "".join(
            [self._carrier(name, address) for name, address in CARRIER_ADDRESSES.items()]
            + [
                _FAR_END.format(name=name, port=port or 9, dtmf=dtmf, qualify=self.qualify_s)
                for name, (port, dtmf) in far_ends.items()
            ]
        )

    def _carrier(self, name: str, address: str) -> str:
        port = self.contacts.get(name)
        contact = "" if port is None else f"contact = sip:{address}:{port}\n"
        template = carrier_template((folder_of(Shipped.DIALPLANS) / "pjsip.conf").read_text("utf-8"))
        if name in self.aloud:
            template = template.replace("dtmf_mode = rfc4733", "dtmf_mode = auto")
        return _CARRIER.format(name=name, address=address, contact=contact, template=template)


def carrier_template(pjsip: str) -> str:
    """Return the sample's options for every carrier's endpoint, so that the lab's calls test them."""
    _, _, rest = pjsip.partition("[carrier](!)\n")
    lines = (line.partition(";")[0].strip() for line in rest.partition("\n[")[0].splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("type"))


_TRANSPORT = """\
[global]
type = global
user_agent = onetouch-lab
ignore_uri_user_options = yes
[udp]
type = transport
protocol = udp
bind = 127.0.0.1:{port}
[udp-2]
type = transport
protocol = udp
bind = 127.0.0.2:{port}
"""
_CARRIER = """\
[{name}]
type = endpoint
context = from-{name}
aors = {name}
{template}[{name}]
type = aor
max_contacts = 1
{contact}[{name}]
type = identify
endpoint = {name}
match = {address}
[{name}-by-name]
type = identify
endpoint = {name}
match_header = X-Trunk: {name}
"""
_FAR_END = """\
[{name}]
type = endpoint
transport = udp
context = from-112
disallow = all
allow = ulaw
direct_media = no
rtp_symmetric = yes
trust_id_outbound = yes
send_pai = yes
dtmf_mode = {dtmf}
aors = {name}
[{name}]
type = aor
contact = sip:127.0.0.1:{port}
qualify_frequency = {qualify}
qualify_timeout = 1
"""
_HEP = """\
[general]
enabled = yes
capture_address = 127.0.0.1:{port}
capture_password = lab-only
capture_id = 1
uuid_type = call-id
"""
_MANAGER = """\
[general]
enabled = yes
bindaddr = 127.0.0.1
port = {port}
webenabled = no
timestampevents = yes
displayconnects = no
authlimit = 20
authtimeout = 5
channelvars = SOS_ID
[onetouch]
secret = {secret}
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.1/255.255.255.255
read = system,call,user,dtmf
write = call,originate,reporting
writetimeout = 1000
[operator]
secret = {secret}
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.1/255.255.255.255
read = all
write = system,call,originate,reporting,command
"""
