"""Tells a redelivery from another press with the same content, by the answers that we gave to earlier requests.

A deliver_sm has neither an id nor a time nor a mark of redelivery (SMPP 3.4 clause 4.6.1), and an SOS key always says
the same. But a message centre delivers again for a reason: we told it to keep the message, or our answer did not reach
it. So we remember what we answered, and by which connection. Pure: times are passed in.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from telephony.domain.people.service_text import ServiceText
from telephony.domain.trigger import Repetition, Trigger

MOST: Final = 50_000
"""Presses of a carrier that are remembered, and as many texts to a service number; the least recently seen make room."""
MOST_OPEN: Final = 8
"""Requests with one message that are remembered at a time."""
KEPT_S: Final = 6 * 3600.0
"""Message centres try for hours; what they were told to keep that long ago is the store's to recognise."""
ROUND_TRIP_S: Final = 0.25
"""Long enough for our answer to reach the peer, and for what it sends after that to reach us."""


@dataclass(slots=True)
class Standing:
    """The state of a connection. Outlives it, and is small: it is remembered with each message."""

    is_over: bool = False
    """Nothing that we write goes anywhere any more."""
    heard_at: float = 0.0
    """When the peer last sent a PDU."""


@dataclass(slots=True, eq=False)
class PressRequest:
    """One request that brought a press or a text, and what it was answered.

    ``reference`` is that of the press or text: every redelivery has the same. ``pressed_at`` is when its first request came.
    """

    reference: str
    repetition: Repetition
    standing: Standing
    sequence: int
    pressed_at: float
    acknowledged_at: float | None = field(default=None, init=False)
    is_refused: bool = field(default=False, init=False)

    def acknowledged(self, now: float) -> None:
        """Note that ESME_ROK is about to be written."""
        if not self.standing.is_over:
            self.acknowledged_at = now

    def refused(self) -> None:
        """Note that the peer was told to deliver it again."""
        self.is_refused = True

    @property
    def is_owed(self) -> bool:
        """Whether the peer has it still: it was told to keep it, or the connection ended before our answer."""
        return self.is_refused or (self.acknowledged_at is None and self.standing.is_over)

    def is_in_doubt(self, standing: Standing, sequence: int, now: float, *, is_withheld: bool) -> bool:
        """Whether the request that comes now may be a redelivery of this one.

        It is for certain none where this one was acknowledged by a connection that stands, or stood long enough for
        the answer to arrive. A number that is withheld may be anyone's: two requests that wait side by side on one
        connection are two messages, since no message centre gives an answer up as soon as that.
        """
        is_same_connection = self.standing is standing
        if is_same_connection and self.sequence == sequence:
            return True
        if self.acknowledged_at is None:
            return not (is_same_connection and is_withheld)
        if is_same_connection:
            return False
        proof_at = self.acknowledged_at + ROUND_TRIP_S
        return (self.standing.heard_at if self.standing.is_over else now) < proof_at


@dataclass(frozen=True, slots=True)
class _Request:
    """What a request that comes now is told by: see `RequestBook.take`."""

    reference: str
    standing: Standing
    sequence: int
    now: float
    dialogue_s: float = 0.0
    is_withheld: bool = field(kw_only=True)


_Known = OrderedDict[str, list[PressRequest]]
"""By content of the message: requests whose redelivery is still due, and the newest one."""


class RequestBook:
    """Remembers the presses of one carrier, over all its links and peers: a redelivery may come by any of them.

    Texts to a service number are remembered apart: no flood of them makes a press forgotten. ``window_s`` bounds what is
    doubtful, counted from the first request of a press.
    """

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._presses: _Known = OrderedDict()
        self._texts: _Known = OrderedDict()

    def take(
        self, trigger: Trigger, standing: Standing, sequence: int, now: float, *, dialogue_s: float = 0.0
    ) -> PressRequest:
        """Enter a request; gives under which reference its press goes on, and what is known of it.

        ``trigger.reference`` is made of what the message says: the same for the same message. ``dialogue_s`` is the
        life of the USSD dialogue that the message names: within one, the same code cannot be dialled twice.
        """
        is_withheld = trigger.msisdn.is_withheld
        request = _Request(trigger.reference, standing, sequence, now, dialogue_s, is_withheld=is_withheld)
        return self._enter(self._presses, request)

    def take_text(self, text: ServiceText, standing: Standing, sequence: int, now: float) -> PressRequest:
        """Enter a request that brought a text to a service number: `take`."""
        is_withheld = text.sender.is_withheld
        request = _Request(text.reference, standing, sequence, now, is_withheld=is_withheld)
        return self._enter(self._texts, request)

    def _enter(self, book: _Known, new: _Request) -> PressRequest:
        known = book.get(new.reference)
        if known is None or new.now - known[-1].pressed_at > KEPT_S:
            request = PressRequest(new.reference, Repetition.UNKNOWN, new.standing, new.sequence, new.now)
            book[new.reference] = [request]
            _make_room(book, new.now)
            return request
        request = self._again(known, new)
        known.append(request)
        if len(known) > MOST_OPEN:
            del known[0]
        book.move_to_end(new.reference)
        return request

    def _again(self, known: list[PressRequest], new: _Request) -> PressRequest:
        standing, sequence, now = new.standing, new.sequence, new.now
        for one in known:
            if one.is_owed:
                known.remove(one)
                # A press that was doubtful at its first request remains doubtful.
                is_doubtful = one.repetition is Repetition.DOUBTFUL
                repetition = Repetition.DOUBTFUL if is_doubtful else Repetition.REDELIVERY
                return PressRequest(one.reference, repetition, standing, sequence, one.pressed_at)
        for one in known:
            age_s = now - one.pressed_at
            if 0.0 <= age_s < new.dialogue_s or (
                age_s <= self._window_s
                and one.is_in_doubt(standing, sequence, now, is_withheld=new.is_withheld)
            ):
                if one.standing.is_over:
                    known.remove(one)
                return PressRequest(one.reference, Repetition.DOUBTFUL, standing, sequence, one.pressed_at)
        known[:] = [one for one in known if one.acknowledged_at is None]
        reference = f"{new.reference}@{int(now * 1e6)}.{sequence}"
        return PressRequest(reference, Repetition.NONE, standing, sequence, now)


def _make_room(book: _Known, now: float) -> None:
    oldest = next(iter(book.values()))
    if len(book) > MOST or now - oldest[-1].pressed_at > KEPT_S:
        book.popitem(last=False)
