"""A recording of a call, as the register has it: which call, when, how long, where, and how it stands."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from telephony.domain.values import Msisdn

_NAME: Final = re.compile(r"(?P<call>sos-[0-9]{8}-[a-z0-9-]{1,80})\.wav")
AGAIN: Final = "~"
"""Before the number of a further recording of the same name."""
_CALL_BACK: Final = re.compile(r"(?P<call>.+)-back-[0-9]{1,12}")
WAV_HEADER: Final = 44
"""Octets of a WAV file before its first sample, as Asterisk writes them."""
OCTETS_A_SECOND: Final = 16_000
"""Asterisk's ``wav``: 8,000 samples of two octets."""


class Record(StrEnum):
    """What the dialplan records: SOS_RECORD of globals.conf."""

    ON = "on"
    """From the first second, before 112 answers."""
    FROM_ANSWER = "from-answer"
    """While a centre is on the line."""
    OFF = "off"

    @classmethod
    def of(cls, value: str) -> Record:
        """Return what a dialplan of ours does with this value: it records everything for any value that is none of these."""
        try:
            return cls(value.strip())
        except ValueError:
            return cls.ON


class RecordingState(StrEnum):
    """How a recording of the register stands."""

    SEALED = "sealed"
    """Its file is sealed under the key ring, and the plain one is gone."""
    OVER = "over"
    """Its time is over: the daemon that sees the file destroys it, and then this row goes."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One sealed recording. ``name`` is the file's name as 112 reads it in a report, ``octets`` those of the WAV file.

    ``call`` is the call's reference, empty for a call-back. ``host`` and ``path`` say which machine sees the sealed file, and where.
    """

    name: str
    server: str
    call: str
    begun_at: datetime
    ended_at: datetime
    octets: int
    host: str
    path: str
    key_id: int
    """Of the key that its header is sealed under."""
    incident_id: str = ""
    msisdn: Msisdn = field(default=Msisdn("", is_e164=False), repr=False)
    """Of the caller; empty where the store does not know the incident."""
    state: RecordingState = RecordingState.SEALED
    key: int = 0
    """Of its row; 0 before it has one."""

    @property
    def length_s(self) -> float:
        """How long it is."""
        return (self.ended_at - self.begun_at) / timedelta(seconds=1)


def is_recording(file_name: str) -> bool:
    """Whether a file of this name is a recording that our dialplan made."""
    return _NAME.fullmatch(file_name) is not None


def recorded_as(file_name: str) -> str:
    """Return the name that Asterisk gave to a recording, of which there may be a further one of the same name."""
    return f"{file_name.removesuffix('.wav').partition(AGAIN)[0]}.wav"


def call_of(file_name: str) -> str:
    """Return the name of the call that a recording is of; for a call-back that of the call before it."""
    name = recorded_as(file_name).removesuffix(".wav")
    back = _CALL_BACK.fullmatch(name)
    return name if back is None else back["call"]


def is_call_back(file_name: str) -> bool:
    """Whether a recording is of a call-back."""
    return _CALL_BACK.fullmatch(file_name.removesuffix(".wav")) is not None


def length_of(octets: int) -> timedelta:
    """Return how long a WAV file of so many octets is."""
    return timedelta(seconds=max(0, octets - WAV_HEADER) / OCTETS_A_SECOND)
