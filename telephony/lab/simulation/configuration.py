"""Writes the settings file of the simulated daemon, and reads it with the real loader."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from telephony.lab.simulation.people import CARRIERS, SOS_NUMBER
from telephony.settings import Settings, load

SMSC_PORT: Final = 2775
HTTP_PORT: Final = 8080

SMSC: Final = {"skt": ("10.1.0.1", SMSC_PORT), "kt": ("10.2.0.1", SMSC_PORT)}
MLP: Final = {"skt": ("10.1.0.2", HTTP_PORT), "kt": ("10.2.0.2", HTTP_PORT)}
PSAP: Final = {"seoul-a": ("10.112.0.1", HTTP_PORT), "seoul-b": ("10.112.0.2", HTTP_PORT)}
DAEMON_HOST: Final = "10.0.0.1"


@dataclass(frozen=True)
class Rhythm:
    """How often periodic work is done that needs no press; longer for runs of many hours."""

    poll_s: float = 1.0
    enquire_link_s: float = 10.0
    locating_interval_s: float = 60.0
    locating_max_h: float = 0.5
    quiet_close_h: float = 0.5


_HEAD: Final = """
[service]
name = "simulated"
state_dir = "{folder}"
[recognition]
sos_numbers = ["{sos}"]
[incident]
quiet_close_h = {rhythm.quiet_close_h}
[locating]
interval_s = {rhythm.locating_interval_s}
max_h = {rhythm.locating_max_h}
[relay]
poll_s = {rhythm.poll_s}
[disk]
reserve_mib = 0
[[psap]]
name = "seoul"
addresses = "112.seoul.example"
"""
_CHANNEL: Final = """
[[psap.channel]]
name = "{name}"
url = "http://{host}:{port}/cap"
after_s = {after_s}
"""
_CARRIER: Final = """
[[carrier]]
name = "{name}"
[carrier.lbs]
url = "http://{mlp[0]}:{mlp[1]}/LocationQueryService/"
client_id = "simulated"
fast = {{ resp_timer_s = 4, hor_acc_m = 500, budget_s = 6.0 }}
accurate = {{ resp_timer_s = 10, hor_acc_m = 50, budget_s = 12.0 }}
"""
_LINK: Final = """
[[carrier.smpp]]
name = "{name}-{number}"
host = "{smsc[0]}"
port = {smsc[1]}
system_id = "onetouch"
enquire_link_s = {rhythm.enquire_link_s}
"""


def settings_in(folder: Path, rhythm: Rhythm) -> Settings:
    """Write the file into the folder and load it."""
    text = _HEAD.format(folder=folder, sos=SOS_NUMBER, rhythm=rhythm)
    for after_s, (name, (host, port)) in zip((0.0, 5.0), PSAP.items(), strict=True):
        text += _CHANNEL.format(name=name, host=host, port=port, after_s=after_s)
    for name in CARRIERS:
        text += _CARRIER.format(name=name, mlp=MLP[name])
        text += "".join(
            _LINK.format(name=name, number=number, smsc=SMSC[name], rhythm=rhythm) for number in (1, 2)
        )
    file = folder / "onetouch.toml"
    file.write_text(text)
    return load(file)
