"""Requests and answers of the control socket: one line of JSON each. Pure, and total for any octets.

The answer to `Request.STATUS` is also what ``onetouch status --json`` prints: programs of operators read it, so a key is added
and never given another meaning. A reader passes over keys that it does not know: the other side may be a newer release.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from telephony.domain.errors import Malformed
from telephony.net.standing import FarEndState, Retried

LONGEST_REQUEST: Final = 1_024
"""Octets, with the LF."""
LONGEST_ANSWER: Final = 1 << 20
"""Octets, with the LF. A house of 500 far ends has 150 KiB."""
LONGEST_NAME: Final = 64
MOST_ALARMS: Final = 100
"""Alarms that an answer names, the oldest first; the others are counted."""


class Message(BaseModel):
    """A value as the socket carries it."""

    # Built when the first question comes: a daemon that nobody asks has no memory to spare for it.
    model_config = ConfigDict(
        frozen=True, extra="ignore", allow_inf_nan=False, hide_input_in_errors=True, defer_build=True
    )


class AskStatus(Message):
    """Ask how everything stands."""

    want: Literal["status"] = "status"


class AskRetry(Message):
    """Have the secret of a far end read again, and the far end tried at once."""

    want: Literal["retry"] = "retry"
    name: Annotated[str, Field(max_length=LONGEST_NAME)]
    """Of a link, an Asterisk server, a location service (its carrier's) or a channel to 112."""


Request = Annotated[AskStatus | AskRetry, Field(discriminator="want")]


class FarEndKind(StrEnum):
    """The kinds of far end."""

    CENTRE = "112"
    """A channel to a 112 centre."""
    SMPP = "smpp"
    """A link that we bind to a carrier."""
    PEER = "smpp-peer"
    """A carrier's gateway, which binds to us."""
    ASTERISK = "asterisk"
    """The manager interface of an Asterisk server."""
    LBS = "lbs"
    """A carrier's location service."""


class HeartbeatLook(Message):
    """The heartbeats by a channel to 112."""

    every_s: float
    taken_at: AwareDatetime | None = None
    """When the centre took the last one; ``None`` where it has taken none since the start."""
    misses: int
    """Those in a row, up to the last one, that it did not take."""


class FarEnd(Message):
    """One far end and where it stands."""

    kind: FarEndKind
    name: str
    of: str = ""
    """The carrier or the centre that it belongs to."""
    state: FarEndState
    since: AwareDatetime
    """Since when it is up, or since when it is not."""
    heard_at: AwareDatetime | None = None
    """When its last PDU, packet or answer came."""
    retry_at: AwareDatetime | None = None
    """When it is tried again, where a pause runs."""
    reason: str = ""
    binds: int | None = None
    """Of a gateway: how many it has."""
    is_caught_up: bool | None = None
    """Of an Asterisk: whether its calls have been compared since it came back."""
    heartbeat: HeartbeatLook | None = None
    """Of a channel to 112 by which heartbeats go."""


class StandingAlarm(Message):
    """An alarm that stands (docs/runbook.md says what each means)."""

    alarm: str
    about: str
    since: AwareDatetime
    last_at: AwareDatetime
    count: int
    facts: dict[str, str | bool | int | float | None]


class StoreLook(Message):
    """What the store says; where it does not answer, why, and nothing else."""

    is_answering: bool
    reason: str = ""
    owed: int = 0
    """Reports that no channel of 112 has acknowledged."""
    oldest_owed_at: AwareDatetime | None = None
    open_incidents: int = 0
    is_more: bool = False
    """Whether a count stopped at its bound: then there are more."""
    schema_version: str | None = None


class InJournal(Message):
    """The presses that the journal has and the store not yet."""

    presses: int
    oldest_at: AwareDatetime | None = None


class Volume(Message):
    """Room on a volume that the daemon writes to."""

    directory: str
    size_bytes: int
    free_bytes: int
    is_low: bool
    is_full: bool


class CertificateTerm(Message):
    """A certificate of the settings: until when it is good, or why that is not known."""

    setting: str
    file: str
    expires_at: AwareDatetime | None = None
    problem: str = ""


class Release(Message):
    """What runs."""

    onetouch: str
    python: str
    schema_version: str
    """Of the store, that this release writes."""
    pid: int
    started_at: AwareDatetime


class Status(Message):
    """How everything stands."""

    at: AwareDatetime
    service: str
    release: Release
    far_ends: tuple[FarEnd, ...]
    alarms: tuple[StandingAlarm, ...]
    more_alarms: int = 0
    store: StoreLook
    journal: InJournal | None = None
    """``None`` where presses go into the store first."""
    volumes: tuple[Volume, ...]
    certificates: tuple[CertificateTerm, ...]


class SecretReading(StrEnum):
    """What reading a secret again came to."""

    NONE = "none"
    """The settings name no secret for it."""
    CHANGED = "changed"
    SAME = "same"


class RetryAnswer(Message):
    """What became of `AskRetry`."""

    name: str
    retried: Retried
    secret: SecretReading


class Refusal(Message):
    """Why a request was not done, in words for the person who asked."""

    refused: str


Answer = Status | RetryAnswer | Refusal


@cache
def _requests() -> TypeAdapter[AskStatus | AskRetry]:
    return TypeAdapter(Request)


@cache
def _answers() -> TypeAdapter[Answer]:
    return TypeAdapter(Answer)


def encode(message: AskStatus | AskRetry | Answer) -> bytes:
    """Return a message as its line."""
    return message.model_dump_json().encode() + b"\n"


def decode_request(line: bytes) -> AskStatus | AskRetry:
    """Read a request, with or without its LF. Raises `Malformed`."""
    if len(line) > LONGEST_REQUEST:
        raise Malformed(f"a request has {LONGEST_REQUEST} octets at most")
    try:
        return _requests().validate_json(line)
    except ValidationError as error:
        raise Malformed(_told(error)) from error


def decode_answer(line: bytes) -> Answer:
    """Read an answer, with or without its LF. Raises `Malformed`."""
    if len(line) > LONGEST_ANSWER:
        raise Malformed(f"an answer has {LONGEST_ANSWER} octets at most")
    try:
        return _answers().validate_json(line)
    except ValidationError as error:
        raise Malformed(_told(error)) from error


def _told(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the line'}: {first['msg']}"
