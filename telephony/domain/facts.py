"""What 112 should know of an incident beside its presses and positions, one type for each kind of fact.

A fact is a value: states are enums, numbers are numbers, times are times. How a fact stands in its row is known to
`telephony.store.fact_rows` alone, how it is told to the wording of each reader.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Final, Literal

from telephony.domain.values import Msisdn


class FactKind(StrEnum):
    """The kinds of facts, as their rows name them."""

    CALL = "call"
    KNOCK = "knock"
    SILENCE = "silence"
    GUARDIAN = "guardian"
    PERSON = "person"
    SCORE = "score"
    FALSE_ALARM = "false-alarm"
    ACKNOWLEDGED = "acknowledged"
    DISPATCHED = "dispatched"
    TOLD_BY_VOICE = "told-by-voice"
    REACH = "reach"
    DEVICE = "device"
    ARRIVED = "arrived"
    NOTE = "note"
    CENTRE_STATUS = "centre-status"


CENTRE: Final = "112"
"""The subject of what the 112 side does or says."""
CALLER: Final = "caller"
"""The subject of who presses and of the score."""
PHONE: Final = "phone"
"""The subject of silence, of reach and of what the device says of itself: the caller's phone."""


@dataclass(frozen=True, slots=True)
class Newer:
    """A word in place of a state that this release does not know: a newer one wrote it. Empty: none stands there."""

    word: str = ""

    def __str__(self) -> str:
        return self.word


# -- calls ------------------------------------------------------------------------------------------------------------


class CallState(StrEnum):
    """What stands of one SOS call."""

    ARRIVED = "arrived"
    DIALLING = "dialling"
    CONNECTED = "connected"
    ENDED = "ended"
    GIVEN_UP = "given-up"
    """The caller hung up before 112 answered: the press stands all the same."""
    SECOND_LEG = "second-leg"
    """Another leg of a press whose first leg stands: it waits unanswered, and goes on to 112 when the first ends."""
    REFUSED = "refused"
    """It never was a call: our exchange did not take the INVITE."""

    @property
    def is_live(self) -> bool:
        """Whether somebody is in the call."""
        return self in _LIVE


_LIVE: Final = frozenset({CallState.ARRIVED, CallState.DIALLING, CallState.CONNECTED})


class EndedBy(StrEnum):
    """Who ended a call."""

    CALLER = "caller"
    CENTRE = "112"
    NETWORK = "network"


class LegState(StrEnum):
    """What became of one attempt to reach 112: DIALSTATUS of Dial() in words, and what nobody has said."""

    DIALLING = "dialling"
    CONNECTED = "connected"
    NO_ANSWER = "no answer"
    BUSY = "busy"
    CONGESTION = "congestion"
    UNREACHABLE = "unreachable"
    CANCELLED = "cancelled"
    LOST = "lost"
    FAILED = "failed"
    """It ended without a status."""
    NOT_ANSWERED = "not answered"
    """It was not answered, and nobody said how it ended."""


@dataclass(frozen=True, slots=True)
class Leg:
    """Attempts to reach 112 by one route that came to the same.

    ``route`` is its name, ``112-1``, or ``112`` alone where nobody heard which it is; ``seconds`` are those of the newest
    attempt, ``None`` while it lasts.
    """

    route: str
    state: LegState | Newer
    seconds: int | None = None
    times: int = 1

    def __str__(self) -> str:
        """Return the leg in English, as its row and CAP's ``call-legs`` have it: ``112-1 no answer 6 s (3 times)``."""
        lasted = "" if self.seconds is None else f" {self.seconds} s"
        times = f" ({self.times} times)" if self.times > 1 else ""
        return f"{self.route} {self.state}{lasted}{times}".strip()


@dataclass(frozen=True, slots=True)
class SaidByInvite:
    """What the INVITE of a call said of where the phone is, beside a position (RFC 6442, 3GPP TS 24.229)."""

    cell: str = field(default="", repr=False)
    """``MCC-MNC-area-cell``, or as it came."""
    access: str = ""
    """The access network: ``3GPP-E-UTRAN-FDD``."""
    geolocation: str = field(default="", repr=False)
    """References to a position, with blanks between them."""
    call_info: str = field(default="", repr=False)

    def __bool__(self) -> bool:
        return bool(self.cell or self.access or self.geolocation or self.call_info)

    def updated(self, later: SaidByInvite) -> SaidByInvite:
        """Return the same with everything that is said later."""
        return SaidByInvite(
            later.cell or self.cell,
            later.access or self.access,
            later.geolocation or self.geolocation,
            later.call_info or self.call_info,
        )


NOTHING_SAID: Final = SaidByInvite()


@dataclass(frozen=True, slots=True)
class CallFact:
    """One SOS call: its state, its legs. Texts are empty where nothing is known; times are whole milliseconds."""

    reference: str
    at: datetime
    state: CallState | Newer
    trunk: str = ""
    dialled: str = field(default="", repr=False)
    incident: str = ""
    """The name that the INVITE to 112 carries."""
    second_leg_of: str = ""
    """The incident of the press of which this is a second leg."""
    silence: str = ""
    """How the phone is kept silent: ``no-rtp``, ``zeros``."""
    recording: str = ""
    sip_call_id: str = ""
    legs: tuple[Leg, ...] = ()
    route: str = ""
    """The route by which 112 answered last."""
    started: datetime | None = None
    connected: datetime | None = None
    ended: datetime | None = None
    duration_s: int | None = None
    ended_by: EndedBy | Newer | None = None
    refused: str = ""
    """Why our exchange did not take it."""
    said: SaidByInvite = NOTHING_SAID

    @property
    def kind(self) -> Literal[FactKind.CALL]:
        """The kind of this fact."""
        return FactKind.CALL

    @property
    def subject(self) -> str:
        """The call's reference."""
        return self.reference


@dataclass(frozen=True, slots=True)
class KnockFact:
    """Keys tapped in a silent call. ``subject`` is the call's reference and the number of the knock.

    ``meaning`` is the name of the rule that the digits match, ``words`` what it means, by language.
    """

    subject: str
    at: datetime
    digits: str = field(repr=False)
    taps: int
    meaning: str = field(default="", repr=False)
    words: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def kind(self) -> Literal[FactKind.KNOCK]:
        """The kind of this fact."""
        return FactKind.KNOCK


# -- silence and reach ------------------------------------------------------------------------------------------------


class SilenceState(StrEnum):
    """Whether something may reach the caller's phone."""

    LIFTED = "lifted"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class SilenceFact:
    """Silence was lifted or is held again; ``by`` is who of the 112 side asked for it."""

    at: datetime
    state: SilenceState | Newer
    by: str = ""

    @property
    def kind(self) -> Literal[FactKind.SILENCE]:
        """The kind of this fact."""
        return FactKind.SILENCE

    @property
    def subject(self) -> str:
        """The caller's phone."""
        return PHONE


class Reach(StrEnum):
    """Whether the phone answers. That a location service itself is down says nothing of the phone."""

    ANSWERING = "answering"
    NOT_ANSWERING = "not-answering"


class NotReached(StrEnum):
    """Why a location service that is well knows nothing of a phone now."""

    ABSENT = "absent"
    """The network does not reach it: switched off, out of coverage."""
    NOT_LOCATED = "not-located"
    """The network tried, and no method gave a position."""
    UNKNOWN = "unknown"
    """No carrier knows the number, or not any more."""


@dataclass(frozen=True, slots=True)
class ReachFact:
    """Whether the location service reaches the phone; ``last_answered`` is ``None`` where it has not since the press."""

    at: datetime
    state: Reach | Newer
    why: NotReached | Newer | None = None
    last_answered: datetime | None = None

    @property
    def kind(self) -> Literal[FactKind.REACH]:
        """The kind of this fact."""
        return FactKind.REACH

    @property
    def subject(self) -> str:
        """The caller's phone."""
        return PHONE


@dataclass(frozen=True, slots=True)
class DeviceFact:
    """What the device said of itself with a press that came over HTTP.

    ``pressed_at`` is when the key was pressed by its own clock, in the zone of the centre, whole seconds.
    """

    at: datetime
    battery_percent: int | None = None
    pressed_at: datetime | None = None

    @property
    def kind(self) -> Literal[FactKind.DEVICE]:
        """The kind of this fact."""
        return FactKind.DEVICE

    @property
    def subject(self) -> str:
        """The caller's phone."""
        return PHONE


# -- guardians --------------------------------------------------------------------------------------------------------


class GuardianState(StrEnum):
    """What became of telling a guardian."""

    TEXTED = "texted"
    """A message centre has taken the text."""
    TEXT_DELIVERED = "text-delivered"
    """The phone has it. That confirms nothing: nobody may have read it."""
    TEXT_FAILED = "text-failed"
    CALLING = "calling"
    NO_ANSWER = "no-answer"
    ANSWERED = "answered-unconfirmed"
    """Somebody or something answered, and pressed no digit."""
    FAILED = "failed"
    CONFIRMED = "confirmed"
    WORDS = "words"
    """A guardian has written something; the words stand beside it."""
    RELEASED = "released"
    """The guardian was told that it is over."""


class GuardianWay(StrEnum):
    """By what way a guardian was told, or answered."""

    SMS = "sms"
    CALL = "call"


@dataclass(frozen=True, slots=True)
class GuardianFact:
    """What came of telling the guardian at a place in the order, counted from 1, in a round.

    Each text of a guardian stands beside the state and the earlier texts, so it has a ``text_number``. ``phone`` is masked.
    """

    place: int
    at: datetime
    state: GuardianState | Newer
    round: int | None = None
    by: GuardianWay | Newer | None = None
    relation: str = field(default="", repr=False)
    phone: str = ""
    words: str = field(default="", repr=False)
    text_number: int | None = None

    @property
    def kind(self) -> Literal[FactKind.GUARDIAN]:
        """The kind of this fact."""
        return FactKind.GUARDIAN

    @property
    def subject(self) -> str:
        """Which guardian: ``1``, or ``1.2`` for the second text of the first."""
        return str(self.place) if self.text_number is None else f"{self.place}.{self.text_number}"


# -- who presses ------------------------------------------------------------------------------------------------------


class Registered(StrEnum):
    """Whether the number is registered."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    """The registry could not be read, so that silence about her says nothing."""
    WITHDRAWN = "withdrawn"
    """She was, and her consent is over: what was said of her was taken out afterwards. Never told to 112."""


class ConsentState(StrEnum):
    """The consent of a person. Ended: she came of age, has not agreed by herself, and is not deleted yet."""

    VALID = "valid"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class GuardianNumber:
    """A guardian of the person, with the whole number: 112 may have to call."""

    relation: str = field(repr=False)
    phone: Msisdn

    def __str__(self) -> str:
        """Return both on one line, as 112 reads them: ``mother +821098760001``."""
        return f"{self.relation} {self.phone.international}".strip()


@dataclass(frozen=True, slots=True)
class PersonFact:
    """Who presses, from the registry. Texts are empty where nothing is known; guardians stand in their order."""

    at: datetime
    registered: Registered | Newer
    name: str = field(default="", repr=False)
    born: date | None = field(default=None, repr=False)
    device: str = ""
    carrier: str = ""
    language: str = ""
    medical: str = field(default="", repr=False)
    address: str = field(default="", repr=False)
    family: str = field(default="", repr=False)
    school: str = field(default="", repr=False)
    guardians: tuple[GuardianNumber, ...] = field(default=(), repr=False)
    guardians_said: tuple[str, ...] = field(default=(), repr=False)
    """By whose word each of them is a guardian, in the same order."""
    photo: str = field(default="", repr=False)
    consent: ConsentState | Newer | None = None
    also: tuple[str, ...] = ()
    """Open incidents of the person's other devices."""

    @property
    def kind(self) -> Literal[FactKind.PERSON]:
        """The kind of this fact."""
        return FactKind.PERSON

    @property
    def subject(self) -> str:
        """The caller."""
        return CALLER


# -- how likely it is meant -------------------------------------------------------------------------------------------


class ReasonCode(StrEnum):
    """Why a press is likely, or not likely, to be an accident."""

    SAID_FALSE = "said-false"
    STUCK_KEY = "stuck-key"
    FALSE_ALARMS = "false-alarms"
    RECENT_FALSE_ALARM = "recent-false-alarm"
    PLACE_OF_FALSE_ALARM = "place-of-false-alarm"
    DRILLED = "drilled"
    PLACE_OF_DRILL = "place-of-drill"
    CALL_GIVEN_UP = "call-given-up"
    CALL_CUT_SHORT = "call-cut-short"
    SCHOOL_HOURS = "school-hours"
    UNREGISTERED = "unregistered"
    KNOCKED = "knocked"
    TYPED = "typed"
    NEARBY = "nearby"
    PRESSED_AT_ONCE = "pressed-at-once"
    ANOTHER_WAY = "another-way"
    PRESSED_LATER = "pressed-later"
    MOVING = "moving"
    NIGHT = "night"


@dataclass(frozen=True, slots=True)
class Because:
    """A reason of a score, with its number where it has one: how many false alarms, how many metres."""

    code: ReasonCode | Newer
    number: int | None = None

    def __str__(self) -> str:
        """Return the reason as its row and CAP's ``accident-reasons`` have it: ``code`` or ``code=number``."""
        return str(self.code) if self.number is None else f"{self.code}={self.number}"


@dataclass(frozen=True, slots=True)
class ScoreFact:
    """How likely it is an accident, in percent, and why: a label beside the presses, never a condition.

    ``likelihood`` is ``None`` where the score was deleted with the person.
    """

    at: datetime
    likelihood: int | None
    reasons: tuple[Because, ...] = ()

    @property
    def kind(self) -> Literal[FactKind.SCORE]:
        """The kind of this fact."""
        return FactKind.SCORE

    @property
    def subject(self) -> str:
        """The caller."""
        return CALLER


Sayer = int | Literal["112"]
"""Who may say that it was a false alarm: the guardian at a place in the order, or the 112 side."""


@dataclass(frozen=True, slots=True)
class FalseAlarmFact:
    """Somebody who may say so has said that it was none; ``by`` is by what way, or which desk. Whole seconds."""

    sayer: Sayer
    at: datetime
    by: str = ""
    why: str = ""
    said_at: datetime | None = None

    @property
    def kind(self) -> Literal[FactKind.FALSE_ALARM]:
        """The kind of this fact."""
        return FactKind.FALSE_ALARM

    @property
    def subject(self) -> str:
        """Who says so: ``guardian 1``, ``112``."""
        return subject_of(self.sayer)


def subject_of(sayer: Sayer) -> str:
    """Return the subject of what somebody says to be a false alarm."""
    return f"guardian {sayer}" if isinstance(sayer, int) else sayer


# -- what 112 does ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AcknowledgedFact:
    """Somebody at 112 has taken the incident; ``acknowledged_at`` is in the zone of the centre, whole seconds."""

    at: datetime
    by: str = ""
    acknowledged_at: datetime | None = None

    @property
    def kind(self) -> Literal[FactKind.ACKNOWLEDGED]:
        """The kind of this fact."""
        return FactKind.ACKNOWLEDGED

    @property
    def subject(self) -> str:
        """The 112 side."""
        return CENTRE


@dataclass(frozen=True, slots=True)
class DispatchedFact:
    """A unit is on its way; ``dispatched_at`` is in the zone of the centre, whole seconds, and so is ``eta``, when it will be there.

    ``number`` is the place of the unit among those that were sent, counted from 1: a second one does not replace the first.
    """

    number: int
    at: datetime
    unit: str = ""
    by: str = ""
    dispatched_at: datetime | None = None
    eta: datetime | None = None

    @property
    def kind(self) -> Literal[FactKind.DISPATCHED]:
        """The kind of this fact."""
        return FactKind.DISPATCHED

    @property
    def subject(self) -> str:
        """Which of the units: ``unit 1``. Its name is sealed with the rest, for somebody has typed it."""
        return f"unit {self.number}"


@dataclass(frozen=True, slots=True)
class ArrivedFact:
    """A unit is there; ``arrived_at`` is in the zone of the centre, whole seconds. ``number`` is that of its `DispatchedFact`."""

    number: int
    at: datetime
    unit: str = ""
    by: str = ""
    arrived_at: datetime | None = None

    @property
    def kind(self) -> Literal[FactKind.ARRIVED]:
        """The kind of this fact."""
        return FactKind.ARRIVED

    @property
    def subject(self) -> str:
        """Which of the units: ``unit 1``."""
        return f"unit {self.number}"


@dataclass(frozen=True, slots=True)
class NoteFact:
    """Somebody at 112 has noted something for all who read of the incident; each note, counted from 1, stands beside the others.

    ``noted_at`` is in the zone of the centre, whole seconds.
    """

    number: int
    at: datetime
    words: str = field(default="", repr=False)
    by: str = ""
    noted_at: datetime | None = None

    @property
    def kind(self) -> Literal[FactKind.NOTE]:
        """The kind of this fact."""
        return FactKind.NOTE

    @property
    def subject(self) -> str:
        """Which of the notes: ``note 1``."""
        return f"note {self.number}"


class CentreStatus(StrEnum):
    """What a centre's own system may tell us of an incident."""

    ACCEPTED = "accepted"
    DISPATCHED = "dispatched"
    ARRIVED = "arrived"
    NOTE = "note"
    LIFT_SILENCE = "lift-silence"
    HOLD_SILENCE = "hold-silence"
    HANG_UP = "hang-up"
    CALL_BACK = "call-back"
    CLOSED = "closed"


class Became(StrEnum):
    """What became of a centre's status."""

    APPLIED = "applied"
    STOOD_ALREADY = "stood-already"
    OVERTAKEN = "overtaken"
    """A later one, by the centre's clock, came before it."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class CentreStatusFact:
    """A status that a centre's system has sent, and what became of it: a repeat is answered by it. It is not told to 112.

    ``key`` stands for the centre and its id of the status, ``content`` for all that was said in it; both are digests.
    ``said_at`` is by the centre's clock. ``refused`` is why the order was refused.
    """

    key: str
    at: datetime
    status: CentreStatus | Newer
    became: Became | Newer
    said_at: datetime | None = None
    by: str = ""
    unit: str = ""
    content: str = ""
    refused: str = ""

    @property
    def kind(self) -> Literal[FactKind.CENTRE_STATUS]:
        """The kind of this fact."""
        return FactKind.CENTRE_STATUS

    @property
    def subject(self) -> str:
        """Which status."""
        return self.key


@dataclass(frozen=True, slots=True)
class ToldByVoiceFact:
    """Somebody has read the incident out to 112 on the telephone; ``told_at`` is in the zone of the centre, whole seconds."""

    at: datetime
    by: str = ""
    why: str = ""
    told_at: datetime | None = None

    @property
    def kind(self) -> Literal[FactKind.TOLD_BY_VOICE]:
        """The kind of this fact."""
        return FactKind.TOLD_BY_VOICE

    @property
    def subject(self) -> str:
        """The 112 side."""
        return CENTRE


@dataclass(frozen=True, slots=True)
class UnknownFact:
    """A fact of a kind, or about somebody, that a newer release wrote: it is kept whole, and nothing is said of it to 112."""

    kind: str
    subject: str
    at: datetime
    data: Mapping[str, str] = field(repr=False)


Fact = (
    CallFact
    | KnockFact
    | SilenceFact
    | GuardianFact
    | PersonFact
    | ScoreFact
    | FalseAlarmFact
    | AcknowledgedFact
    | DispatchedFact
    | ToldByVoiceFact
    | ReachFact
    | DeviceFact
    | ArrivedFact
    | NoteFact
    | CentreStatusFact
    | UnknownFact
)
"""Something that became known at a time (aware, UTC).

All facts are kept. In a report the newest of the same kind and subject stands for the earlier ones. What is said of people
and places is left out of ``repr``: tracebacks end up in logs.
"""


def newest(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Return the facts as a report tells them: the last of each kind and subject, where the first of them stood."""
    standing: dict[tuple[str, str], Fact] = {}
    for fact in facts:
        standing[fact.kind, fact.subject] = fact
    return tuple(standing.values())


def whole_milliseconds(moment: datetime) -> datetime:
    """Return a time as a fact of a call has it."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def folded(legs: Iterable[Leg]) -> tuple[Leg, ...]:
    """Return legs, those of one route that came to the same as one leg that counts them, with the seconds of the newest."""
    alike: dict[tuple[str, LegState | Newer], Leg] = {}
    for leg in legs:
        before = alike.get((leg.route, leg.state))
        alike[leg.route, leg.state] = leg if before is None else replace(leg, times=before.times + leg.times)
    return tuple(alike.values())
