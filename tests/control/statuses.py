"""Statuses of a usual house, to be changed by tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from telephony.control.messages import (
    CertificateTerm,
    FarEnd,
    FarEndKind,
    Release,
    StandingAlarm,
    Status,
    StoreLook,
    Volume,
)
from telephony.net.standing import FarEndState

NOW = datetime(2026, 11, 30, 3, 0, 0, tzinfo=UTC)
STARTED = NOW - timedelta(days=3)
GIB = 1 << 30


def far_end(kind=FarEndKind.SMPP, name="skt-1", of="skt", state=FarEndState.UP, **more) -> FarEnd:
    since = more.pop("since", STARTED)
    heard_at = more.pop("heard_at", NOW - timedelta(seconds=4))
    return FarEnd(kind=kind, name=name, of=of, state=state, since=since, heard_at=heard_at, **more)


USUAL = (
    far_end(FarEndKind.CENTRE, "seoul-a", "seoul"),
    far_end(FarEndKind.CENTRE, "seoul-b", "seoul", FarEndState.NOT_ASKED, heard_at=None),
    far_end(name="skt-1"),
    far_end(name="skt-2"),
    far_end(FarEndKind.SMPP, "kt-1", "kt"),
    far_end(FarEndKind.PEER, "kt-gateway", "kt", binds=2),
    far_end(FarEndKind.ASTERISK, "voice-1", "", is_caught_up=True),
    far_end(FarEndKind.ASTERISK, "voice-2", "", is_caught_up=True),
    far_end(FarEndKind.LBS, "lbs-skt", "skt"),
    far_end(FarEndKind.LBS, "lbs-kt", "kt"),
)


def status(far_ends=USUAL, **changes) -> Status:
    """Return the status of a house in which all is well but for the changes."""
    usual = {
        "at": NOW,
        "service": "onetouch",
        "release": Release(
            onetouch="0.1.0", python="3.11.2", schema_version="0011", pid=4711, started_at=STARTED
        ),
        "far_ends": tuple(far_ends),
        "alarms": (),
        "store": StoreLook(is_answering=True, schema_version="0011"),
        "volumes": (
            Volume(
                directory="/var/lib/onetouch",
                size_bytes=40 * GIB,
                free_bytes=30 * GIB,
                is_low=False,
                is_full=False,
            ),
        ),
        "certificates": (),
    }
    return Status(**(usual | changes))


def with_state(name: str, state: FarEndState, **more) -> list[FarEnd]:
    """Return the usual far ends, one of them in this state."""
    return [each.model_copy(update={"state": state, **more}) if each.name == name else each for each in USUAL]


def alarm(name: str, about: str, **facts) -> StandingAlarm:
    return StandingAlarm(
        alarm=name, about=about, since=NOW - timedelta(minutes=5), last_at=NOW, count=3, facts=facts
    )


def certificate(days: float, setting: str = "link skt-1, ca_file") -> CertificateTerm:
    return CertificateTerm(setting=setting, file="/etc/ca.pem", expires_at=NOW + timedelta(days=days))
