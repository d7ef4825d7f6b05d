"""Places calls: Asterisk dials a number, speaks prompts and waits for one digit (dialplans/onetouch/40-spoken.conf).

Three things tell what becomes of a call: OriginateResponse (answered or not, and why not), our own UserEvent "Spoken"
(the digit) and Hangup. They are matched by a random ticket, by the channel's unique id, which is made of it, and by the
id of the action. Whatever Asterisk does or leaves undone, a call has an outcome in bounded time.
"""

from __future__ import annotations

import random
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import structlog
from twisted.internet.defer import Deferred, DeferredList

from telephony.asterisk.ami.packets import Packet
from telephony.background import run_in_background
from telephony.clock import Call, Clock, pause
from telephony.domain.errors import Malformed, OnetouchError, Refused, Unavailable
from telephony.domain.guardians.spoken_call import CallOutcome, End

log = structlog.get_logger()

GRACE_S: Final = 5.0
"""Extra time for Asterisk beyond the time that it was given to ring, and again to speak."""
CAUSE_S: Final = 1.0
"""How long after the OriginateResponse the Hangup may come."""
OVER: Final = "over"
"""The extension in which a call ends that is over before its time."""
NEWS_S: Final = 1.0
"""Between two looks for what has changed since a call began."""
PROMPTS_TOGETHER: Final = 20
"""In one variable: with their folder they must fit the 4,096 characters that a function of the dialplan may give."""
LONGEST_RING_S: Final = 600.0
LONGEST_TALK_S: Final = 3_600.0

_NUMBER: Final = re.compile(r"\+?[0-9]{1,24}")
_ENDPOINT: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_DIAL: Final = re.compile(rf"PJSIP/{_NUMBER.pattern}@{_ENDPOINT.pattern}")
_PROMPT: Final = re.compile(r"[a-z0-9-]{1,40}(?:/[a-z0-9-]{1,40}){0,3}")
_CONTEXT: Final = re.compile(r"[a-z0-9-]{1,64}")
_VARIABLE: Final = re.compile(r"[A-Z][A-Z0-9_]{0,39}")
_VALUE: Final = re.compile(r"[A-Za-z0-9/&-]{0,900}")
_CALLER_ID: Final = re.compile(rf"(?:{_NUMBER.pattern})?")

_NO_REASON: Final = "0"
_REASONS: Final[Mapping[str, tuple[End, str]]] = {
    _NO_REASON: (End.FAILED, "no such endpoint, or it is not reachable"),
    "1": (End.NO_ANSWER, "no answer"),
    "3": (End.NO_ANSWER, "no answer"),
    "5": (End.NO_ANSWER, "busy"),
    "8": (End.FAILED, "congestion"),
}
"""Reason of an OriginateResponse: the last control frame (AST_CONTROL_*) of the attempt.

It is 0 for every call that was refused without ringing (measured: 404, 486, 503, 603 …); the cause in the channel's
Hangup then says why, and comes shortly before or after. Where there was no channel, it never comes.
"""
_NO_CAUSE: Final = "0"
_CAUSES: Final[Mapping[str, str]] = {
    "17": "busy", "18": "no answer", "19": "no answer", "20": "switched off or out of reach", "21": "rejected",
}  # fmt: skip
"""Causes (ITU-T Q.850) of a good number that was not answered."""


News = Callable[[], Awaitable[Mapping[str, str] | None]]
"""Returns the variables of `spoken_variables` that have changed, None where the call is over; raises `Unavailable` where that
cannot be known."""


class Client(Protocol):
    """The part of `AmiClient` that is used here."""

    name: str

    @property
    def is_ready(self) -> bool:
        """Whether Asterisk can be asked now."""
        ...

    def action(self, name: str, fields: Sequence[tuple[str, str]] = ()) -> Deferred[Packet]:
        """Send an action; fires with the response."""
        ...


def dial_string(number: str, endpoint: str) -> str:
    """Return what Asterisk dials: a number (digits, perhaps a leading plus) by an endpoint of pjsip.conf.

    Raises `Malformed` for anything else: ``&`` would ring a second phone, ``/`` another place.
    """
    if not _NUMBER.fullmatch(number):
        raise Malformed("a number that is dialled holds digits and perhaps a leading plus")
    if not _ENDPOINT.fullmatch(endpoint):
        raise Malformed("an endpoint is named with letters, digits and hyphens")
    return f"PJSIP/{number}@{endpoint}"


def spoken_variables(
    prompts: Sequence[str], *, confirm_digit: str, repeat_digit: str = "", over: str = ""
) -> dict[str, str]:
    """Return the variables by which the dialplan knows what to speak; ``over`` is the prompt of a call that ends before its time.

    Raises `Malformed` for what is no prompt's name.
    """
    if not prompts or not all(_PROMPT.fullmatch(name) for name in (*prompts, *filter(None, [over]))):
        raise Malformed(
            "a prompt is named with lower-case letters, digits, hyphens and slashes, and there is at least one"
        )
    parts = [
        "&".join(prompts[start : start + PROMPTS_TOGETHER])
        for start in range(0, len(prompts), PROMPTS_TOGETHER)
    ]
    return {
        **{f"SPOKEN_{number}": part for number, part in enumerate(parts, 1)},
        "SPOKEN_CONFIRM": confirm_digit,
        "SPOKEN_REPEAT": repeat_digit,
        **({"SPOKEN_OVER": over} if over else {}),
    }


@dataclass(slots=True)
class _Placed:
    """A call whose outcome is waited for."""

    client: Client
    channel_id: str
    talk_s: float
    ended: Deferred[CallOutcome] = field(default_factory=Deferred)
    action_id: str = ""
    is_answered: bool = False
    is_over: bool = False
    """An outcome is known; until then Asterisk may still be at it."""
    cause: CallOutcome | None = None
    """The cause in the channel's Hangup, when it was not answered."""
    let_go: CallOutcome | None = None
    """The outcome of one that we gave up while it rang, because it was over."""
    refusal: CallOutcome | None = None
    """The outcome by OriginateResponse, kept while the cause may tell more."""
    limit: Call | None = None


class OutgoingCalls:
    """Places calls on the first of our Asterisk servers that takes them.

    `heard` is to be fed with every event of every server, `lost` with the name of each whose connection ends. ``rng``
    makes the tickets: anyone who could guess one could confirm a call, so it is a `random.SystemRandom`. ``owner`` is
    the name of this service: its channels are told by it from those of other daemons on the same Asterisk.
    """

    def __init__(
        self,
        clients: Callable[[], Sequence[Client]],
        *,
        owner: str,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._clients = clients
        self._prefix = f"spoken-{owner}-"
        self._clock = clock
        self._rng = rng
        self._placed: dict[str, _Placed] = {}
        """By ticket."""

    @property
    def is_ready(self) -> bool:
        """Whether an Asterisk can be asked now."""
        return any(client.is_ready for client in self._clients())

    async def call(
        self,
        dial: str,
        context: str,
        variables: Mapping[str, str],
        *,
        ring_s: float,
        talk_s: float,
        caller_id: str = "",
        news: News | None = None,
    ) -> CallOutcome:
        """Dial, and once answered run a context of the dialplan for at most ``talk_s``.

        ``dial`` comes from `dial_string`, ``variables`` from `spoken_variables`; ``caller_id`` is the number that the
        phone shows, empty for the endpoint's own. ``news`` is asked every `NEWS_S` while the call stands for variables that
        have changed, of which the dialplan says what it comes to next; where the call is over, it is hung up while it rings, and
        once answered goes to the extension `OVER` of its context. Returns within ``ring_s`` + ``talk_s`` + twice `GRACE_S` and the time
        that AMI may take. Raises `Malformed`, before anything is sent, for what could mean more than it says.
        Cancelled, it hangs up.
        """
        fields = _fields(dial, context, variables, ring_s=ring_s, talk_s=talk_s, caller_id=caller_id)
        refusal = "no Asterisk server is ready"
        for client in self._clients():
            if not client.is_ready:
                continue
            ticket = f"{self._rng.getrandbits(128):032x}"
            placed = _Placed(client, self._prefix + ticket, talk_s)
            self._placed[ticket] = placed
            self._limit(placed, ring_s + GRACE_S)
            following = None if news is None else self._follow(placed, context, news)
            try:
                outcome = await self._place(placed, ticket, fields)
            finally:
                del self._placed[ticket]
                if following is not None:
                    following.cancel()
                if placed.limit is not None and placed.limit.active():
                    placed.limit.cancel()
                if not placed.is_over:
                    self._hang_up(placed)
            if isinstance(outcome, CallOutcome):
                return outcome
            refusal = outcome
        return CallOutcome(End.NOT_PLACED, detail=refusal)

    async def _place(
        self, placed: _Placed, ticket: str, fields: Sequence[tuple[str, str]]
    ) -> CallOutcome | str:
        """Return the outcome, or in words why this server did not take the call."""
        own = (("ChannelId", placed.channel_id), ("Variable", f"SPOKEN_TICKET={ticket}"))
        try:
            response = await placed.client.action("Originate", (*fields, *own))
        except (Refused, Unavailable) as error:
            # Without an answer it may have been done: then this call is hung up, and the next server places it.
            log.warning("call not placed", link=placed.client.name, error=str(error))
            return f"{placed.client.name}: {error}"
        placed.action_id = response.action_id
        outcome: CallOutcome = await placed.ended
        return outcome

    def _follow(self, placed: _Placed, context: str, news: News) -> Deferred[None]:
        async def follow() -> None:
            untold: dict[str, str] = {}
            while True:
                await pause(self._clock, NEWS_S)
                try:
                    changed = await news()
                    if changed is None:
                        await _let_go(placed, context)
                        return
                    untold |= changed
                    for name, value in list(untold.items()):
                        await _set(placed, name, value)
                        del untold[name]
                except OnetouchError as error:
                    # It is tried again, and until then said in the words of before.
                    log.debug("news not told to a call", link=placed.client.name, error=str(error))

        return run_in_background(follow(), "following a call")

    def heard(self, packet: Packet) -> None:
        """Learn what a server tells."""
        if not self._placed:
            return
        match packet.event:
            case "OriginateResponse":
                self._responded(packet)
            case "UserEvent" if packet.get("UserEvent") == "Spoken":
                placed = self._placed.get(packet.get("Ticket"))
                if placed is not None:
                    self._end(placed, _spoken(packet))
            case "Hangup":
                placed = self._placed.get(packet.get("Uniqueid").removeprefix(self._prefix))
                if placed is not None:
                    self._hung_up(placed, packet)

    def lost(self, server: str) -> None:
        """Learn that nothing more will be heard of what this server is doing now."""
        for placed in list(self._placed.values()):
            if placed.client.name == server:
                end = End.ANSWERED if placed.is_answered else End.UNKNOWN
                self._end(placed, CallOutcome(end, detail=f"unknown: the connection to {server} was lost"))

    def standing(self, client: Client, channels: Iterable[Packet]) -> None:
        """Learn which channels stand on a server after a gap.

        A call left by an earlier process of this service is hung up: no one reads the digit of the person it speaks to,
        and it occupies a line that its repetition needs.
        """
        for row in channels:
            uniqueid = row.get("Uniqueid")
            if uniqueid.startswith(self._prefix) and uniqueid.removeprefix(self._prefix) not in self._placed:
                log.warning("call of an earlier process hung up", link=client.name)
                run_in_background(_hang_up(client, uniqueid), "hanging up an orphaned call")

    def hang_up_all(self) -> Deferred[Any]:
        """End every call, because we stop; fires when Asterisk was asked to."""
        return DeferredList(
            [
                Deferred.fromCoroutine(_hang_up(placed.client, placed.channel_id))
                for placed in self._placed.values()
            ]
        )

    def _responded(self, packet: Packet) -> None:
        for placed in self._placed.values():
            if placed.action_id and placed.action_id == packet.action_id:
                break
        else:
            return
        if packet.is_success:
            placed.is_answered = True
            self._limit(placed, placed.talk_s + GRACE_S)
            return
        reason = packet.get("Reason")
        end, words = _REASONS.get(reason, (End.FAILED, f"reason {reason[:8]}"))
        placed.refusal = CallOutcome(end, detail=words)
        if reason != _NO_REASON:
            self._end(placed, placed.refusal)
        elif placed.cause is not None:
            self._end(placed, placed.cause)
        else:
            self._limit(placed, CAUSE_S)

    def _hung_up(self, placed: _Placed, packet: Packet) -> None:
        if packet.get("ChannelStateDesc") == "Up":
            self._end(placed, CallOutcome(End.ANSWERED, detail="answered, hung up"))
            return
        placed.cause = _by_cause(packet)
        if placed.refusal is not None:
            self._end(placed, placed.cause or placed.refusal)

    def _limit(self, placed: _Placed, seconds: float) -> None:
        if placed.limit is not None and placed.limit.active():
            placed.limit.cancel()
        placed.limit = self._clock.callLater(seconds, self._overdue, placed)

    def _overdue(self, placed: _Placed) -> None:
        if placed.refusal is not None:
            self._end(placed, placed.refusal)
            return
        self._hang_up(placed)
        if placed.is_answered:
            self._end(
                placed, CallOutcome(End.ANSWERED, detail="answered, and hung up by us: it took too long")
            )
        else:
            self._end(
                placed, CallOutcome(End.UNKNOWN, detail="unknown: Asterisk did not say what came of it")
            )

    def _end(self, placed: _Placed, outcome: CallOutcome) -> None:
        if not placed.is_over:
            placed.is_over = True
            placed.ended.callback(outcome if outcome.answered else placed.let_go or outcome)

    def _hang_up(self, placed: _Placed) -> None:
        run_in_background(_hang_up(placed.client, placed.channel_id), "hanging up an outgoing call")


async def _let_go(placed: _Placed, context: str) -> None:
    """End a call that is over: with its last words, or before it is answered."""
    channel = ("Channel", placed.channel_id)
    if placed.is_answered:
        await placed.client.action(
            "Redirect", (channel, ("Context", context), ("Exten", OVER), ("Priority", "1"))
        )
        return
    placed.let_go = CallOutcome(End.NO_ANSWER, detail="hung up by us while it rang: it was over")
    try:
        await placed.client.action("Hangup", (channel, ("Cause", "16")))
    except OnetouchError:
        placed.let_go = None
        raise


async def _set(placed: _Placed, name: str, value: str) -> None:
    fields = (("Channel", placed.channel_id), ("Variable", name), ("Value", value))
    await placed.client.action("Setvar", fields)


async def _hang_up(client: Client, channel_id: str) -> None:
    try:
        await client.action("Hangup", (("Channel", channel_id), ("Cause", "16")))
    except OnetouchError as error:
        # Mostly: it has ended by itself. If not, SPOKEN_SECONDS ends it.
        log.debug("outgoing call not hung up", link=client.name, error=str(error))


def _fields(
    dial: str, context: str, variables: Mapping[str, str], *, ring_s: float, talk_s: float, caller_id: str
) -> list[tuple[str, str]]:
    if not _DIAL.fullmatch(dial) or not _CONTEXT.fullmatch(context) or not _CALLER_ID.fullmatch(caller_id):
        raise Malformed("a call needs a dial string of dial_string(), a context and a caller's number")
    for name, value in variables.items():
        if not _VARIABLE.fullmatch(name) or not _VALUE.fullmatch(value):
            raise Malformed(
                "a variable of a call has a name in capitals, and a value of digits, letters, /, & and -"
            )
    if not 0 < ring_s <= LONGEST_RING_S or not 0 < talk_s <= LONGEST_TALK_S:
        raise Malformed("a call rings and speaks for a time within its bounds")
    fields = [
        ("Channel", dial),
        ("Context", context),
        ("Exten", "s"),
        ("Priority", "1"),
        ("Timeout", str(round(ring_s * 1000))),
        ("Async", "true"),
        *(("Variable", f"{name}={value}") for name, value in variables.items()),
        ("Variable", f"SPOKEN_SECONDS={round(talk_s)}"),
    ]
    return [*fields, ("CallerID", caller_id)] if caller_id else fields


def _by_cause(packet: Packet) -> CallOutcome | None:
    """Read why a call was not answered; ``None`` where the channel's end does not say."""
    cause = packet.get("Cause")
    if cause in ("", _NO_CAUSE):
        return None
    if cause in _CAUSES:
        return CallOutcome(End.NO_ANSWER, detail=_CAUSES[cause])
    return CallOutcome(End.FAILED, detail=packet.get("Cause-txt")[:60].lower() or f"cause {cause[:8]}")


def _spoken(packet: Packet) -> CallOutcome:
    digit = packet.get("Digit")[:1]
    pressed = f"pressed {digit}" if digit else "no digit"
    times, heard = (value if value.isdigit() else "?" for value in (packet.get("Times"), packet.get("Heard")))
    return CallOutcome(
        End.ANSWERED, digit, f"answered, {pressed}, message begun {times} times, {heard[:6]} s on the line"
    )
