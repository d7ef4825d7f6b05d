"""Simulates a 112 operator, or a guardian's phone: it rings, answers, talks, listens, and fails on demand."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred

from telephony.domain.errors import Malformed
from telephony.lab.phones.handset import CENTRE_HZ, PITCHES
from telephony.lab.phones.rtp import Ears, Rtp
from telephony.lab.phones.sip import PCMU, Address, Headers, Media, Request, address_of, media_of
from telephony.lab.phones.sip_agent import EndedBy, Leg, Place, ServerTransaction, SipAgent

BUSY, UNWILLING, NO_COMMON_AUDIO = 486, 480, 488


@dataclass(frozen=True)
class Invite:
    """A call as it asked to come in: everything its INVITE said. ``media`` is ``None`` without a readable offer."""

    at: float
    source: Place
    request: Request
    media: Media | None

    @property
    def headers(self) -> Headers:
        """Its headers in their order."""
        return self.request.headers

    @property
    def body(self) -> bytes:
        """Its body, octet by octet."""
        return self.request.body

    @property
    def caller(self) -> Address:
        """Its From, read."""
        return address_of(self.headers.get("from"))


class OperatorCall(Leg):
    """A call that came in."""

    def __init__(
        self,
        agent: SipAgent,
        rtp: Rtp,
        invite: Invite,
        served: ServerTransaction,
        changed: Callable[[], None],
    ) -> None:
        request = invite.request
        super().__init__(
            agent,
            rtp,
            call_id=request.headers.get("call-id"),
            local=f"{request.headers.get('to')};tag={served.tag}",
            remote=request.headers.get("from"),
            target=_contact(request) or request.uri,
            peer=invite.source,
        )
        self.invite = invite
        self.media = invite.media
        self._served, self._changed = served, changed
        served.on_cancel = lambda: self.end(EndedBy.THEM, 487)

    def ring(self, for_s: float | None, *, with_early_media: bool = False) -> None:
        """Ring, and answer after so many seconds; ``None`` rings for ever. Early media is heard before the answer."""
        if with_early_media:
            self._served.answer_with_media(183, self.sdp())
            self._talk()
        else:
            self._served.answer(180, headers=[("Contact", f"<{self._agent.contact}>")])
        if for_s is not None:
            self._agent.later(for_s, self.answer)

    def answer(self) -> None:
        """Pick up, unless it is too late."""
        if self.is_over or self._served.is_over:
            return
        self.accept(self._served)
        self._talk()
        self.be_answered()
        self._changed()

    def refuse(self, status: int = BUSY) -> None:
        """Refuse it, unless it is too late."""
        if not self.is_over and not self._served.is_over:
            self._served.answer(status)
            self.end(EndedBy.US, status)

    def hang_up(self) -> Deferred[EndedBy]:
        """End it; before it is answered that is a refusal. Fires when the call has ended."""
        if self.answered_at is None:
            self.refuse(UNWILLING)
        return super().hang_up()

    def end(self, by: EndedBy, status: int | None = None) -> None:
        """Note that it is over."""
        super().end(by, status)
        self._changed()

    def _talk(self) -> None:
        if self.media is not None:
            self.hear_of(self.media)


class LabOperator:
    """Answers calls after ``ring_s`` seconds, up to ``lines`` at once, and talks at ``tone_hz``.

    ``invites`` is every call that asked, refused or not; ``calls`` those that it rang for. With ``ring_s`` 0 it picks
    up without a 180. ``has_early_media`` makes it talk while it rings.
    """

    def __init__(
        self,
        reactor: Any,
        rng: random.Random,
        *,
        name: str = "112",
        ring_s: float = 0.8,
        lines: int = 1,
        tone_hz: int | None = CENTRE_HZ,
        pitches: tuple[int, ...] = PITCHES,
        has_early_media: bool = False,
    ) -> None:
        self._reactor, self._rng = reactor, rng
        self._ring_s: float | None = ring_s
        self._lines, self._tone_hz, self._pitches = lines, tone_hz, pitches
        self._has_early_media = has_early_media
        self._refusal: int | None = None
        self._waiting: list[tuple[Callable[[LabOperator], bool], Deferred[None]]] = []
        self.agent = SipAgent(reactor, rng, name, self._take)
        self.invites: list[Invite] = []
        self.calls: list[OperatorCall] = []

    def listen(self, interface: str = "127.0.0.1", port: int = 0) -> None:
        """Be reachable; port 0 takes a free one."""
        self.agent.listen(interface, port)

    def close(self) -> Deferred[None]:
        """Be gone: the port is closed, and no one is told."""
        return self.agent.close()

    @property
    def port(self) -> int:
        """The UDP port of its SIP."""
        return self.agent.address[1]

    @property
    def newest(self) -> OperatorCall:
        """The newest call that it rang for. `IndexError` before the first."""
        return self.calls[-1]

    @property
    def ears(self) -> Ears:
        """What arrived in the newest call."""
        return self.newest.ears

    @property
    def busy_lines(self) -> int:
        """How many calls ring or are up."""
        return sum(not call.is_over for call in self.calls)

    def answer_after(self, ring_s: float) -> None:
        """Ring so long and answer, from the next call on."""
        self._ring_s, self._refusal = ring_s, None

    def never_answer(self) -> None:
        """Ring until the caller has enough, from the next call on; `OperatorCall.answer` still picks one up."""
        self._ring_s, self._refusal = None, None

    def refuse(self, status: int = BUSY) -> None:
        """Refuse every call, from the next one on."""
        self._refusal = status

    def die(self) -> None:
        """Neither receive nor send anything, as after a power cut: no SIP, no RTP, no BYE."""
        self.agent.forget_everything()
        self.agent.is_dead = True

    def come_back(self) -> None:
        """Be alive again, on the same port; calls of before are not known any more."""
        self.agent.is_dead = False

    def press(self, digits: str) -> Deferred[None]:
        """Press keys in the newest call. Fires when the last is sent."""
        return self.newest.press(digits)

    def hang_up(self) -> Deferred[EndedBy]:
        """End the newest call. Fires when it has ended."""
        return self.newest.hang_up()

    def wait_for(self, claim: Callable[[LabOperator], bool]) -> Deferred[None]:
        """Fire when a condition on the invites and the states of calls holds. It may be cancelled."""
        waiting: Deferred[None] = Deferred()
        self._waiting.append((claim, waiting))
        self._changed()
        return waiting

    def _take(self, request: Request, served: ServerTransaction) -> None:
        """Take a new call."""
        media, is_acceptable = _offer(request)
        invite = Invite(self._reactor.seconds(), served.source, request, media)
        self.invites.append(invite)
        if not is_acceptable:
            served.answer(NO_COMMON_AUDIO)
        elif self._refusal is not None:
            served.answer(self._refusal)
        elif self.busy_lines >= self._lines:
            served.answer(BUSY)
        else:
            self._ring(invite, served)
        self._changed()

    def _ring(self, invite: Invite, served: ServerTransaction) -> None:
        interface = self.agent.address[0]
        rtp = Rtp(self._reactor, self._rng, tone_hz=self._tone_hz, pitches=self._pitches, interface=interface)
        call = OperatorCall(self.agent, rtp, invite, served, self._changed)
        self.calls.append(call)
        if self._ring_s == 0:
            call.answer()
        else:
            call.ring(self._ring_s, with_early_media=self._has_early_media)

    def _changed(self) -> None:
        for claim, waiting in tuple(self._waiting):
            if not waiting.called and claim(self):
                waiting.callback(None)
        self._waiting = [each for each in self._waiting if not each[1].called]


def _offer(request: Request) -> tuple[Media | None, bool]:
    """Return the audio offered, and whether it will do: none will, it is then ours to offer (RFC 3261 section 13.2.1)."""
    try:
        media = media_of(request)
    except Malformed:
        return None, False
    return media, media is None or PCMU in media.payloads


def _contact(request: Request) -> str:
    try:
        return address_of(request.headers.get("contact")).uri
    except Malformed:
        return ""
