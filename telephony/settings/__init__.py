"""The settings as frozen values: one loader, which runs before any socket is opened, lists every fault and stops.

``load`` is the way in. ``remarks`` is for settings that are allowed but probably not meant.
"""

from __future__ import annotations

from telephony.settings.checks import Needs
from telephony.settings.faults import Fault, SettingsFaults, Weight
from telephony.settings.loading import Loaded, load, load_with_places
from telephony.settings.model import Carrier, Settings
from telephony.settings.remarks import remarks

__all__ = [
    "Carrier",
    "Fault",
    "Loaded",
    "Needs",
    "Settings",
    "SettingsFaults",
    "Weight",
    "load",
    "load_with_places",
    "remarks",
]
