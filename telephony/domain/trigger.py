"""One press of an SOS key, however it came."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from telephony.domain.facts import Fact
from telephony.domain.position import Position
from telephony.domain.values import Msisdn


class PartKind(StrEnum):
    """Where the place in a long message was told. References of different kinds are of different messages."""

    CONCATENATED_8 = "8-bit"
    """A user data header with a reference of 8 bits (3GPP TS 23.040 clause 9.2.3.24.1)."""
    CONCATENATED_16 = "16-bit"
    """The same with 16 bits (clause 9.2.3.24.8)."""
    SAR = "sar"
    """The SAR parameters of SMPP (SMPP 3.4 clause 5.3.2.22)."""


@dataclass(frozen=True, slots=True)
class Part:
    """Which piece of a long SMS a press is (3GPP TS 23.040 clause 9.2.3.24.1).

    ``octets`` is what it says, undecoded, in ``alphabet``: a character may be cut between two parts, so that they are put
    together before they are decoded. ``None`` where its text is all there is. Neither tells two places apart.
    """

    reference: int
    total: int
    number: int
    kind: PartKind = PartKind.CONCATENATED_8
    octets: bytes | None = field(default=None, repr=False, compare=False)
    alphabet: str | None = field(default=None, repr=False, compare=False)


UNLISTED_DESTINATION = "unlisted destination"
"""It was sent to a number that is in none of the tables: misrouted perhaps, and a call for help all the same."""
UNREADABLE_TEXT = "unreadable text"
"""Its octets could not be read as text; they are kept as they came."""
PARTLY_UNREADABLE_TEXT = "partly unreadable text"
"""Some of its octets could not be read: U+FFFD stands for them. The octets are kept as they came."""
DOUBTFUL_TEXT = "doubtful text"
"""It makes no sense in the alphabet that was declared, and none in another: it stands as it was declared."""
TEXT_IN_ANOTHER_ALPHABET = "text in another alphabet"
"""It makes sense in another alphabet than the one that was declared, and was read so."""
UNKNOWN_USSD_STRING = "unknown USSD string"
"""More or other than the code itself was dialled or typed; its text tells what."""
PARTLY_UNREADABLE_PRESS = "partly unreadable press"
"""A machine sent something with it that could not be read; its octets are kept as they came."""
REFUSED_CALL = "call refused by our exchange"
"""It was a call that never got a channel: 112 has no voice of it."""

TOLD_LATE = "told late"
"""It came while we were away and is told only now; its time is when it came."""


KEYED_SOURCES = frozenset({"app", "terminal", "system"})
"""Sources whose senders make a key for each press, and never use it for another: also not after its incident is closed."""


class Repetition(StrEnum):
    """What the way in knows of an earlier press with the same ``reference``."""

    NONE = "none"
    """The reference is this press's own: whatever has it again is this very press."""
    UNKNOWN = "unknown"
    """The reference is made of what the message says, and none such is remembered: only the store may know one."""
    REDELIVERY = "redelivery"
    """The earlier one was not acknowledged, so its sender delivers it again."""
    DOUBTFUL = "doubtful"
    """The acknowledgement of the earlier one may have been lost: a redelivery, or the key pressed again."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """One press, as every way in hands it to `Intake`.

    ``connector`` is the configured link it came by; ``carrier`` the carrier behind that link, whose location
    service is asked. ``reference`` is the sender's id of this press: a redelivery repeats it; ``repetition`` says what
    is known of that. ``encoding`` names the alphabet that ``text`` was read with; ``None`` where it could not be read and only ``raw`` is kept. ``labels`` are remarks for 112.
    ``incident_id`` is the name under which the way in has already told 112 of this press (a call's INVITE carries
    it); ``None`` lets Intake name it. ``facts`` are told with the first report.
    What the caller said and where she is is left out of ``repr``: tracebacks end up in logs.
    """

    source: str
    connector: str
    carrier: str
    msisdn: Msisdn
    reference: str
    received_at: datetime
    destination: str
    text: str | None = field(default=None, repr=False)
    encoding: str | None = None
    raw: bytes | None = field(default=None, repr=False)
    part: Part | None = None
    position: Position | None = field(default=None, repr=False)
    test: bool = False
    labels: tuple[str, ...] = ()
    incident_id: str | None = None
    facts: tuple[Fact, ...] = ()
    repetition: Repetition = Repetition.NONE
