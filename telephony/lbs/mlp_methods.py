"""Maps the values of ``pos_method``, how a phone was found, to those of `Position.method`."""

from __future__ import annotations

import re
from types import MappingProxyType

UNKNOWN = "unknown"

_WORDS = MappingProxyType(
    {
        "cell": (
            *(
                "CELL",
                "CELLID",
                "CELLSECTOR",
                "CID",
                "CGI",
                "ECGI",
                "NCGI",
                "SAI",
                "CITA",
                "CGITA",
                "CIDTA",
                "CELLTA",
            ),
            *(
                "ECID",
                "ECELLID",
                "ENHANCEDCELLID",
                "NRECID",
                "OTDOA",
                "EOTD",
                "UTDOA",
                "TDOA",
                "DLTDOA",
                "ULTDOA",
            ),
            *("AFLT", "EFLT", "AOA", "RTT", "MULTIRTT", "NRMULTIRTT", "CELLIDRTT", "DLAOD", "ULAOA"),
            *("NRDLTDOA", "NRULTDOA", "NRDLAOD", "NRULAOA"),
            *("SECTOR", "CELLIDTA", "CELLGLOBALID", "NETWORKCELL", "PCELL", "RFPM", "BASESTATION", "기지국"),
        ),
        "gnss": (
            *(
                "GPS",
                "AGPS",
                "GNSS",
                "AGNSS",
                "ASSISTEDGPS",
                "ASSISTEDGNSS",
                "SATELLITE",
                "DGPS",
                "RTK",
                "RTKGNSS",
            ),
            *("MSBGPS", "MSAGPS", "MSBASEDGPS", "MSASSISTEDGPS", "UEBASEDGNSS", "UEASSISTEDGNSS"),
            *("UEBASEDAGNSS", "UEASSISTEDAGNSS", "UEBASEDGPS", "UEASSISTEDGPS", "MODERNIZEDGPS", "위성"),
            *("GLONASS", "GALILEO", "BEIDOU", "BDS", "COMPASS", "QZSS", "NAVIC", "IRNSS", "SBAS"),
        ),
        "wifi": ("WLAN", "WIFI", "WPS", "WIFIAP", "WLANAP", "WIFIRTT", "와이파이"),
        "bluetooth": ("BT", "BLE", "BTLE", "BLUETOOTH", "BLUETOOTHLE"),
    }
)
_METHODS = MappingProxyType({word: method for method, words in _WORDS.items() for word in words})
_PUNCTUATION = re.compile(r"[\W_]")
_LONGEST = 40


def method_of(pos_method: str) -> str:
    """Return our word for a ``pos_method``, whatever its case and punctuation; several at once are unknown."""
    return _METHODS.get(_PUNCTUATION.sub("", pos_method[:_LONGEST].upper()), UNKNOWN)
