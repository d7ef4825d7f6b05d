"""What the operator wrote, as frozen values: one loader, before any socket, that lists every fault and stops.

``load`` is the way in. ``remarks`` is for what is allowed but probably not meant.
"""

from __future__ import annotations

from telephony.settings.faults import Fault, SettingsFaults
from telephony.settings.loading import load
from telephony.settings.model import Carrier, Settings
from telephony.settings.remarks import remarks

__all__ = ["Carrier", "Fault", "Settings", "SettingsFaults", "load", "remarks"]
