"""Judges a status: what in it needs a person, how badly, and what a monitor is to hear. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Final

from telephony.control.messages import CertificateTerm, FarEnd, FarEndKind, Status
from telephony.net.standing import FarEndState

OWED_TOO_LONG: Final = timedelta(seconds=10)
"""Like the alarm ``report-overdue``: our own goal for the first report is 1 s."""
CERTIFICATE_ENDS_SOON: Final = timedelta(days=30)
STARTING: Final = timedelta(seconds=30)
"""How long after the start a link that has never been up is only on its way: a connection and a bind take 15 s at most."""

UNTOLD_ALARMS: Final = frozenset({"report-rejected", "intake-defect", "store-unavailable", "disk-full"})
"""Alarms after which a press may not be known to 112, or none can be made durable."""
WELL: Final = frozenset({FarEndState.UP, FarEndState.NOT_ASKED})


class Level(IntEnum):
    """How bad it is, in the exit codes of monitors."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


class Cause(StrEnum):
    """What a finding is about."""

    NOT_TOLD = "not-told"
    """A report has been owed to 112 for too long. About nothing in particular."""
    CENTRE_UNREACHED = "centre-unreached"
    """No channel of a 112 centre delivers. About the centre."""
    CARRIER_CUT_OFF = "carrier-cut-off"
    """No link of a carrier is up. About the carrier."""
    STORE_SILENT = "store-silent"
    JOURNAL_WAITS = "journal-waits"
    """Presses have waited in the journal for the store for too long; 112 was told of them from there."""
    FAR_END = "far-end"
    """One far end is not up, and others still are. About its name."""
    ALARM = "alarm"
    """An alarm stands. About ``alarm about``."""
    CERTIFICATE = "certificate"
    """One ends soon, has ended, or cannot be read. About its setting."""
    DISK_FULL = "disk-full"
    DISK_LOW = "disk-low"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that needs a person."""

    level: Level
    cause: Cause
    about: str = ""


def findings(status: Status) -> list[Finding]:
    """Return all that is not well, the worst first."""
    found = [
        *_told(status),
        *_journal(status),
        *_centres(status.far_ends),
        *_carriers(status),
        *_single(status),
        *_alarms(status),
        *(each for term in status.certificates for each in _certificate(term, status.at)),
        *_volumes(status),
    ]
    return sorted(found, key=lambda each: -each.level)


def level_of(found: Iterable[Finding]) -> Level:
    """Return the worst level of what was found."""
    return max((each.level for each in found), default=Level.OK)


def is_new(far_end: FarEnd, status: Status) -> bool:
    """Whether a far end is still on its way up after the start."""
    is_trying = far_end.state is FarEndState.CONNECTING or (
        far_end.kind is FarEndKind.PEER and far_end.heard_at is None
    )
    return is_trying and status.at - status.release.started_at < STARTING


def _told(status: Status) -> Iterator[Finding]:
    store = status.store
    if not store.is_answering:
        yield Finding(Level.CRITICAL, Cause.STORE_SILENT, store.reason)
    elif store.oldest_owed_at is not None and status.at - store.oldest_owed_at > OWED_TOO_LONG:
        yield Finding(Level.CRITICAL, Cause.NOT_TOLD)


def _journal(status: Status) -> Iterator[Finding]:
    oldest_at = None if status.journal is None else status.journal.oldest_at
    if oldest_at is not None and status.at - oldest_at > OWED_TOO_LONG:
        yield Finding(Level.WARNING, Cause.JOURNAL_WAITS)


def _centres(far_ends: Sequence[FarEnd]) -> Iterator[Finding]:
    for centre in dict.fromkeys(each.of for each in far_ends if each.kind is FarEndKind.CENTRE):
        states = {each.state for each in far_ends if (each.kind, each.of) == (FarEndKind.CENTRE, centre)}
        if FarEndState.FAILING in states and FarEndState.UP not in states:
            yield Finding(Level.CRITICAL, Cause.CENTRE_UNREACHED, centre)


def _carriers(status: Status) -> Iterator[Finding]:
    links = [each for each in status.far_ends if each.kind in (FarEndKind.SMPP, FarEndKind.PEER)]
    for carrier in dict.fromkeys(each.of for each in links):
        own = [each for each in links if each.of == carrier]
        if not any(each.state is FarEndState.UP or is_new(each, status) for each in own):
            yield Finding(Level.CRITICAL, Cause.CARRIER_CUT_OFF, carrier)


def _single(status: Status) -> Iterator[Finding]:
    for each in status.far_ends:
        if each.state not in WELL and not is_new(each, status):
            yield Finding(Level.WARNING, Cause.FAR_END, each.name)


def _alarms(status: Status) -> Iterator[Finding]:
    for each in status.alarms:
        level = Level.CRITICAL if each.alarm in UNTOLD_ALARMS else Level.WARNING
        yield Finding(level, Cause.ALARM, f"{each.alarm} {each.about}")


def _certificate(term: CertificateTerm, now: datetime) -> Iterator[Finding]:
    if term.expires_at is None:
        yield Finding(Level.WARNING, Cause.CERTIFICATE, term.setting)
    elif term.expires_at - now < CERTIFICATE_ENDS_SOON:
        is_over = term.expires_at <= now
        yield Finding(Level.CRITICAL if is_over else Level.WARNING, Cause.CERTIFICATE, term.setting)


def _volumes(status: Status) -> Iterator[Finding]:
    for each in status.volumes:
        if each.is_full:
            yield Finding(Level.CRITICAL, Cause.DISK_FULL, each.directory)
        elif each.is_low:
            yield Finding(Level.WARNING, Cause.DISK_LOW, each.directory)
