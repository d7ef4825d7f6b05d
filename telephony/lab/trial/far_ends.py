"""Sets up loopback surroundings for trial calls: a phone for each trunk, a centre for each endpoint, the files.

Each trunk calls from an address of its own in 127.0.1.0/24, which is how Asterisk tells them apart. Asterisk's SIP
socket is bound to loopback, so no call can leave the machine whatever a dialplan dials.
"""

from __future__ import annotations

import re
import secrets
import socket
from collections.abc import Mapping, Sequence
from typing import Final

from telephony.asterisk.dialplan.configuration_files import Setting
from telephony.asterisk.dialplan.places import ROUTES
from telephony.asterisk.sos.sealed_caller import KEY_FILE
from telephony.lab.ports import free_port

USERNAME: Final = "operator"
MOST_TRUNKS: Final = 200
_WRITTEN_OUT = re.compile(r"PJSIP/([A-Za-z0-9][\w-]*)/sips?:([^@&,]+)@[^&,]+")
"""A dial string with the address written out."""

_GLOBAL = """\
[global]
type = global
user_agent = onetouch-check
[udp]
type = transport
protocol = udp
bind = 127.0.0.1:{port}
"""
_TRUNK = """\
[{name}]
type = endpoint
transport = udp
context = {context}
disallow = all
allow = ulaw
direct_media = no
rtp_symmetric = yes
trust_id_inbound = yes
inband_progress = no
dtmf_mode = rfc4733
aors = {name}
[{name}]
type = aor
max_contacts = 1
[{name}]
type = identify
endpoint = {name}
match = {address}
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
dtmf_mode = info
aors = {name}
[{name}]
type = aor
contact = sip:127.0.0.1:{port}
"""
_MANAGER = """\
[general]
enabled = yes
bindaddr = 127.0.0.1
port = {port}
webenabled = no
timestampevents = yes
displayconnects = no
[{username}]
secret = {secret}
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.1/255.255.255.255
read = all
write = system,call,originate,reporting,command
"""


class FarEnds:
    """The sockets of every far end, open from the beginning, so that no other process can take their ports."""

    def __init__(self, endpoints: Sequence[str], trunks: Sequence[str]) -> None:
        self.asterisk_port = free_port()
        self.ami_port = free_port()
        self.secret = secrets.token_hex(16)
        self.centres = {name: _udp("127.0.0.1") for name in endpoints}
        self.centre_audio = {name: _udp("127.0.0.1") for name in endpoints}
        self.addresses = {name: f"127.0.1.{number}" for number, name in enumerate(trunks[:MOST_TRUNKS], 1)}
        self.phones = {name: _udp(address) for name, address in self.addresses.items()}
        self.phone_audio = {name: _udp(address) for name, address in self.addresses.items()}

    def close(self) -> None:
        """Close every socket."""
        for group in (self.centres, self.centre_audio, self.phones, self.phone_audio):
            for each in group.values():
                each.close()

    def files(self, globals_: Mapping[str, Setting], local: str) -> dict[str, str]:
        """Return the configuration files that differ from the dialplans' own.

        ``local`` is what the site's globals.local.conf says; it stays, but a route that names an address by itself
        becomes the same route to loopback.
        """
        # Port 9 has no listener: the menu of a daemon that runs here is not for trial calls.
        rounds = {"SOS_ROUNDS": "1", "AGI_URL": "agi://127.0.0.1:9"}
        for number in ROUTES:
            rounds[f"SOS_ROUTE_{number}_ANYWAY"] = ""
            route = globals_.get(f"SOS_ROUTE_{number}")
            if route is not None and "sip:" in route.value:
                rounds[route.name] = _WRITTEN_OUT.sub(r"PJSIP/\2@\1", route.value)
        pjsip = [_GLOBAL.format(port=self.asterisk_port)]
        pjsip += [
            _TRUNK.format(name=name, context=f"from-{name}", address=address)
            for name, address in self.addresses.items()
        ]
        pjsip += [
            _FAR_END.format(name=name, port=each.getsockname()[1])
            for name, each in self.centres.items()
            if name not in self.addresses
        ]
        return {
            "pjsip.conf": "".join(pjsip),
            "manager.conf": _MANAGER.format(port=self.ami_port, username=USERNAME, secret=self.secret),
            "rtp.conf": "[general]\nrtpstart = 20000\nrtpend = 30000\nstrictrtp = yes\n",
            "hep.conf": "[general]\nenabled = yes\ncapture_address = 127.0.0.1:9\n",
            "logger.conf": "[general]\ndateformat = %F %T.%3q\n[logfiles]\nfull => notice,warning,error\n",
            KEY_FILE: f"[journal]\nkey = {self.secret[:16]}\n",
            "globals.local.conf": f"{local}\n"
            + "".join(f"{key} = {value}\n" for key, value in rounds.items()),
        }


def _udp(address: str) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind((address, 0))
    opened.setblocking(False)
    return opened
