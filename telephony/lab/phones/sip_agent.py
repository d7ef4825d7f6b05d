"""SIP user agent of the lab over UDP: transactions (RFC 3261 section 17) and calls in their dialogs (12 to 15).

It talks to the address that a datagram came from, on loopback; route sets, forking and authentication are left out.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import DatagramProtocol

from telephony.domain.errors import Malformed, OnetouchError, Refused, Unavailable
from telephony.lab.phones.rtp import Ears, Rtp
from telephony.lab.phones.sip import (
    ALLOW,
    PCMU,
    REASONS,
    Headers,
    Media,
    Request,
    Response,
    address_of,
    answer,
    branch_of,
    cseq_of,
    facing,
    media_of,
    parse,
    session_description,
)

T1, T2 = 0.5, 4.0
LONGEST_S = 64 * T1
"""Timers B, F, H and J: how long a message is repeated, and how long a transaction is remembered."""
MAX_DATAGRAM = 65_535

DIALOG_ENDERS = (408, 481)
OK, REFUSALS = 200, 300
"""Final responses: acceptances from the first number on, all others from the second on."""

_SIGNAL = re.compile(rb"^Signal[ \t]*=[ \t]*([0-9*#A-D])", re.MULTILINE | re.IGNORECASE)
"""A digit in an INFO of application/dtmf-relay, as Asterisk's dtmf_mode=info sends it."""

Place = tuple[str, int]
T = TypeVar("T")


class EndedBy(StrEnum):
    """Who ended a call."""

    US = "us"
    THEM = "them"
    NETWORK = "network"
    """A message got no answer for `LONGEST_S`."""


class Once(Generic[T]):
    """An event that happens at most once, and its waiters; a waiter may be cancelled."""

    def __init__(self) -> None:
        self._outcome: T | OnetouchError | None = None
        self._waiting: list[Deferred[T]] = []

    def wait(self) -> Deferred[T]:
        """Fire when it happens, or at once if it has; fail if it cannot happen any more."""
        waiting: Deferred[T] = Deferred()
        if self._outcome is None:
            self._waiting.append(waiting)
        else:
            _tell(waiting, self._outcome)
        return waiting

    def come_to(self, outcome: T | OnetouchError) -> None:
        """Tell all who wait; only the first outcome counts."""
        if self._outcome is not None:
            return
        self._outcome = outcome
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            _tell(each, outcome)


def _tell(waiting: Deferred[T], outcome: T | OnetouchError) -> None:
    if isinstance(outcome, OnetouchError):
        waiting.errback(outcome)
    else:
        waiting.callback(outcome)


class _Repeating:
    """Sends at once, then after T1, 2 T1, 4 T1 … until stopped; after `LONGEST_S` it gives up."""

    def __init__(
        self, agent: SipAgent, send: Callable[[], None], longest_pause: float, give_up: Callable[[], None]
    ) -> None:
        self._agent, self._send, self._longest_pause = agent, send, longest_pause
        self._pause = T1
        send()
        self._next = agent.later(T1, self._once_more)
        self._end = agent.later(LONGEST_S, self._give_up, give_up)

    def stop(self) -> None:
        """Do not send again, and do not give up either."""
        self._agent.cancel(self._next)
        self._agent.cancel(self._end)

    def _once_more(self) -> None:
        self._pause = min(2 * self._pause, self._longest_pause)
        self._next = self._agent.later(self._pause, self._once_more)
        self._send()

    def _give_up(self, give_up: Callable[[], None]) -> None:
        self.stop()
        give_up()


class ClientTransaction:
    """A request of ours until its final response (RFC 3261 section 17.1); it acknowledges refusals of an INVITE.

    ``on_response`` gets every provisional response, the final one, and each repeat of a 2xx to an INVITE, which the
    caller must acknowledge again.
    """

    def __init__(
        self,
        agent: SipAgent,
        request: Request,
        to: Place,
        on_response: Callable[[Response], None],
        on_timeout: Callable[[], None],
    ) -> None:
        self._agent, self.request, self._to = agent, request, to
        self._on_response = on_response
        self._is_invite = request.method == "INVITE"
        self._is_over = False
        self.key = (branch_of(request.headers), request.method)
        agent.asked[self.key] = self
        longest_pause = LONGEST_S if self._is_invite else T2
        self._on_timeout = on_timeout
        self._repeating = _Repeating(agent, lambda: agent.send(request, to), longest_pause, self._time_out)

    def take(self, response: Response) -> None:
        """Take a response to it."""
        if not response.is_final:
            if self._is_invite:
                self._repeating.stop()
            if not self._is_over:
                self._on_response(response)
            return
        self._repeating.stop()
        is_repeat, self._is_over = self._is_over, True
        if not is_repeat:
            self.forget_later()
        if self._is_invite and response.status >= REFUSALS:
            self._agent.send(same_transaction(self.request, "ACK", response.headers.get("to")), self._to)
        if not is_repeat or (self._is_invite and response.status < REFUSALS):
            self._on_response(response)

    def forget_later(self) -> None:
        """Forget it when no response can come any more."""
        self._agent.later(LONGEST_S, self._agent.asked.pop, self.key, None)

    def _time_out(self) -> None:
        self.forget_later()
        self._on_timeout()


class ServerTransaction:
    """A request of theirs until it is answered (RFC 3261 section 17.2); a final answer to an INVITE until its ACK."""

    def __init__(self, agent: SipAgent, request: Request, source: Place) -> None:
        self._agent, self.request, self.source = agent, request, source
        self.tag = agent.token()
        self.last: Response | None = None
        self._repeating: _Repeating | None = None
        self.on_cancel: Callable[[], None] = lambda: None
        self.on_no_ack: Callable[[], None] = lambda: None

    @property
    def is_over(self) -> bool:
        """Whether a final response was sent."""
        return self.last is not None and self.last.is_final

    def answer(self, status: int, *, headers: Iterable[tuple[str, str]] = (), body: bytes = b"") -> None:
        """Send a response; after a final one nothing is sent any more."""
        if self.is_over:
            return
        response = answer(self.request, status, tag=self.tag, source=self.source, headers=headers, body=body)
        self.last = response
        if response.is_final and self.request.method == "INVITE":
            self._repeating = _Repeating(self._agent, self.send_again, T2, self._no_ack)
        else:
            self.send_again()
        if response.is_final:
            self._agent.later(LONGEST_S, self._agent.forget, self)

    def answer_with_media(self, status: int, sdp: bytes) -> None:
        """Send a response that makes or keeps a dialog, with our SDP."""
        contact = ("Contact", f"<{self._agent.contact}>")
        self.answer(
            status, headers=[contact, ("Allow", ALLOW), ("Content-Type", "application/sdp")], body=sdp
        )

    def send_again(self) -> None:
        """Repeat the last response: they repeated the request."""
        if self.last is not None:
            self._agent.send(self.last, self.source)

    def acknowledged(self) -> None:
        """Stop repeating: the ACK is here, or the response is no longer needed."""
        if self._repeating is not None:
            self._repeating.stop()

    def _no_ack(self) -> None:
        self.on_no_ack()


class SipAgent(DatagramProtocol):
    """One UDP port that speaks SIP. ``on_invite`` is told of each new call, once.

    ``rubbish`` counts datagrams that are no SIP, ``repeats`` retransmissions of requests, ``unasked`` responses to
    nothing of ours. While ``is_dead`` it hears nothing.
    """

    noisy = False
    transport: Any

    def __init__(
        self,
        reactor: Any,
        rng: random.Random,
        user: str,
        on_invite: Callable[[Request, ServerTransaction], None],
    ) -> None:
        self.reactor, self.rng = reactor, rng
        self._user, self._on_invite = user, on_invite
        self._port: Any = None
        self._timers: set[Any] = set()
        self.asked: dict[tuple[str, str], ClientTransaction] = {}
        self._served: dict[tuple[str, str], ServerTransaction] = {}
        self.legs: dict[tuple[str, str], Leg] = {}
        self.address: Place = ("127.0.0.1", 0)
        self.rubbish = self.repeats = self.unasked = 0
        self.is_dead = False

    def listen(self, interface: str = "127.0.0.1", port: int = 0) -> None:
        """Open the port; 0 takes a free one. Raises Twisted's `CannotListenError`."""
        self._port = self.reactor.listenUDP(port, self, interface=interface, maxPacketSize=MAX_DATAGRAM)
        self.address = (interface, int(self._port.getHost().port))

    def close(self) -> Deferred[None]:
        """Close the port and forget everything at once, without a BYE; calls count as ended by us."""
        self.forget_everything()
        port, self._port = self._port, None
        stopped = None if port is None else port.stopListening()
        return stopped if isinstance(stopped, Deferred) else succeed(None)

    def forget_everything(self) -> None:
        """End all calls and transactions without a message."""
        for leg in tuple(self.legs.values()):
            leg.end(EndedBy.US)
        for call in tuple(self._timers):
            call.cancel()
        self._timers.clear()
        self.asked.clear()
        self._served.clear()

    @property
    def contact(self) -> str:
        """The URI under which this agent is reached."""
        return f"sip:{self._user}@{self.address[0]}:{self.address[1]}"

    def token(self) -> str:
        """Return a new tag, branch or Call-ID."""
        return f"{self.rng.getrandbits(64):016x}"

    def via(self) -> tuple[str, str]:
        """Return a Via with a new branch."""
        host, port = self.address
        return ("Via", f"SIP/2.0/UDP {host}:{port};rport;branch=z9hG4bK{self.token()}")

    def later(self, delay: float, what: Callable[..., Any], *arguments: Any) -> Any:
        """Call back later, unless the agent is closed before."""

        def now() -> None:
            self._timers.discard(call)
            what(*arguments)

        call = self.reactor.callLater(delay, now)
        self._timers.add(call)
        return call

    def cancel(self, call: Any) -> None:
        """Do not make a call that `later` promised; one that was made is left alone."""
        if call in self._timers:
            self._timers.discard(call)
            call.cancel()

    def send(self, message: Request | Response, to: Place) -> None:
        """Send a datagram."""
        if self._port is not None:
            self.transport.write(message.octets(), to)

    def datagramReceived(self, datagram: bytes, addr: Place) -> None:  # noqa: N802 - Twisted's name
        """Take a datagram; what is no SIP is counted."""
        if self.is_dead:
            return
        try:
            message = parse(datagram)
        except Malformed:
            self.rubbish += 1
            return
        if isinstance(message, Request):
            self._take_request(message, (addr[0], addr[1]))
            return
        asked = self.asked.get((branch_of(message.headers), cseq_of(message.headers)[1]))
        if asked is None:
            self.unasked += 1
        else:
            asked.take(message)

    def forget(self, served: ServerTransaction) -> None:
        """Forget a transaction whose request cannot come again."""
        self._served.pop((branch_of(served.request.headers), served.request.method), None)

    def _take_request(self, request: Request, source: Place) -> None:
        branch = branch_of(request.headers)
        if request.method == "ACK":
            self._take_ack(request, self._served.get((branch, "INVITE")))
            return
        served = self._served.get((branch, request.method))
        if served is not None:
            self.repeats += 1
            served.send_again()
            return
        served = self._served[branch, request.method] = ServerTransaction(self, request, source)
        leg = self._leg_of(request)
        if request.method == "CANCEL":
            self._cancel(served, self._served.get((branch, "INVITE")))
        elif leg is not None:
            leg.take(served)
        elif address_of(request.headers.get("to")).tag or request.method == "BYE":
            served.answer(481)
        elif request.method == "INVITE":
            self._on_invite(request, served)
        else:
            answer_outside_of_calls(served)

    def _take_ack(self, request: Request, invite: ServerTransaction | None) -> None:
        """Match an ACK: of a refusal by its branch, of a 2xx by its dialog (RFC 3261 sections 17.2.3 and 13.3.1.4)."""
        if invite is not None:
            invite.acknowledged()
        leg = self._leg_of(request)
        if leg is not None:
            leg.take_ack(request)

    def _cancel(self, served: ServerTransaction, invite: ServerTransaction | None) -> None:
        """Answer a CANCEL, and 487 to the INVITE of the same branch (RFC 3261 section 9.2)."""
        if invite is None:
            served.answer(481)
            return
        served.tag = invite.tag
        served.answer(200)
        if not invite.is_over:
            invite.answer(487)
            invite.on_cancel()

    def _leg_of(self, request: Request) -> Leg | None:
        tag = address_of(request.headers.get("to")).tag
        return self.legs.get((request.headers.get("call-id"), tag))


class Leg:
    """One call as one of its two ends sees it: its dialog, its audio, and how it went. Times are the reactor's.

    ``status`` is the final response to the INVITE. ``infos`` are INFO requests, ``info_digits`` the digits in them.
    """

    def __init__(
        self, agent: SipAgent, rtp: Rtp, *, call_id: str, local: str, remote: str, target: str, peer: Place
    ) -> None:
        self._agent, self._rtp = agent, rtp
        self.call_id = call_id
        self._local, self._remote, self._target, self._peer = local, remote, target, peer
        self._cseq = 0
        self._session = agent.rng.getrandbits(31)
        self._unacknowledged: dict[int, ServerTransaction] = {}
        self._key = (call_id, address_of(local).tag)
        agent.legs[self._key] = self
        self._answered: Once[float] = Once()
        self._ended: Once[EndedBy] = Once()
        self._hangs_up = False
        self.is_confirmed = False
        self.media: Media | None = None
        self.began_at: float = agent.reactor.seconds()
        self.answered_at: float | None = None
        self.ended_at: float | None = None
        self.ended_by: EndedBy | None = None
        self.status: int | None = None
        self.infos: list[Request] = []
        self.info_digits = ""

    @property
    def ears(self) -> Ears:
        """What arrived here."""
        return self._rtp.ears

    @property
    def rtp_sent(self) -> int:
        """RTP packets that left here."""
        return self._rtp.packets_sent

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or was never answered and will not be."""
        return self.ended_by is not None

    @property
    def is_up(self) -> bool:
        """Whether it was answered and goes on."""
        return self.answered_at is not None and not self.is_over

    def answered(self) -> Deferred[float]:
        """Fire with the time when it is answered; fail with `Refused` or `Unavailable` when it will not be."""
        return self._answered.wait()

    def ended(self) -> Deferred[EndedBy]:
        """Fire when it has ended, however."""
        return self._ended.wait()

    def hears(self, claim: Callable[[Ears], bool]) -> Deferred[None]:
        """Fire when the condition on what arrived here holds; never, if it does not before the end."""
        return self._rtp.until(claim)

    def press(self, digits: str) -> Deferred[None]:
        """Press keys in the call (RFC 4733). Fires when the last is sent; fails as `Rtp.press` says."""
        return self._rtp.press(digits)

    def ask(
        self, method: str, *, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> Deferred[Response]:
        """Send a request within this call. Fires with its final response; fails with `Unavailable` without one.

        As every user agent does, it ends the call where no response comes in `LONGEST_S`, and for 408 and 481 (RFC 3261
        section 12.2.1.2).
        """
        self._cseq += 1
        bare = self.request(method, self._cseq)
        request = Request(method, bare.uri, Headers([*bare.headers.pairs, *headers]), body)
        answered: Once[Response] = Once()

        def take(response: Response) -> None:
            if response.is_final:
                answered.come_to(response)
                if response.status in DIALOG_ENDERS:
                    self.hang_up()

        def give_up() -> None:
            answered.come_to(Unavailable(f"no answer to {method}"))
            self.hang_up()

        ClientTransaction(self._agent, request, self._peer, take, give_up)
        return answered.wait()

    def press_aloud(self, digits: str) -> Deferred[None]:
        """Press keys that are sent as tones within the audio. Fires when the last is sent."""
        return self._rtp.press_aloud(digits)

    def inform(self, digit: str, kind: str = "dtmf-relay") -> Deferred[Response]:
        """Press a key that is sent as an INFO of ``application/<kind>``: dtmf-relay or dtmf. Fires with its response."""
        body = digit if kind == "dtmf" else f"Signal={digit}\r\nDuration=160\r\n"
        return self.ask("INFO", headers=[("Content-Type", f"application/{kind}")], body=body.encode())

    def hang_up(self) -> Deferred[EndedBy]:
        """End it with a BYE. Fires when that is answered, or after `LONGEST_S`; audio stops at once."""
        if not self._hangs_up and not self.is_over:
            self._hangs_up = True
            self._rtp.close()
            if self.is_confirmed:
                self._say_bye()
        return self.ended()

    def be_answered(self) -> None:
        """Note that it is answered."""
        self.answered_at = self._agent.reactor.seconds()
        self.status = OK
        self._answered.come_to(self.answered_at)

    def end(self, by: EndedBy, status: int | None = None) -> None:
        """Note that it is over, without telling the other end; ``status`` is the final response to the INVITE."""
        if self.is_over:
            return
        self.ended_at, self.ended_by = self._agent.reactor.seconds(), by
        self.status = self.status if status is None else status
        self._rtp.close()
        self._agent.legs.pop(self._key, None)
        for invite in self._unacknowledged.values():
            invite.acknowledged()
        self._answered.come_to(self._why_not_answered())
        self._ended.come_to(by)

    def take(self, served: ServerTransaction) -> None:
        """Take a request of the other end within this call."""
        match served.request.method:
            case "BYE":
                served.answer(200)
                self.end(EndedBy.US if self._hangs_up else EndedBy.THEM)
            case "INVITE" | "UPDATE":
                self._take_offer(served)
            case "INFO":
                self.infos.append(served.request)
                if signal := _SIGNAL.search(served.request.body):
                    self.info_digits += signal[1].decode().upper()
                served.answer(200)
            case _:
                answer_outside_of_calls(served)

    def take_ack(self, request: Request) -> None:
        """Take the ACK of a 2xx; with it the answer to an offer that we made there (RFC 3261 section 13.2.1)."""
        invite = self._unacknowledged.pop(request.cseq, None)
        if invite is None:
            return
        invite.acknowledged()
        media = _readable_media(request)
        if isinstance(media, Media):
            self.hear_of(media)
        if not self.is_confirmed:
            self.is_confirmed = True
            if self._hangs_up:
                self._say_bye()

    def accept(self, invite: ServerTransaction) -> None:
        """Answer an INVITE of this call with 200 and our SDP, until the ACK comes."""
        self._unacknowledged[invite.request.cseq] = invite
        invite.on_no_ack = self._no_ack
        invite.answer_with_media(OK, self.sdp())

    def hear_of(self, media: Media) -> None:
        """Learn where the other end listens, and talk to it."""
        self.media = media
        if media.digits is not None:
            self.ears.event_type = media.digits
        self._rtp.talk_to(media)

    def sdp(self) -> bytes:
        """Return our side of the audio: an offer, or the answer to what is known of theirs."""
        host, port = self._agent.address[0], self._rtp.port
        if self.media is None:
            return session_description(host, port, self._session)
        direction = facing(self.media.direction)
        return session_description(host, port, self._session, digits=self.media.digits, direction=direction)

    def request(self, method: str, cseq: int) -> Request:
        """Build a request of ours within this call (RFC 3261 section 12.2.1.1)."""
        headers = [
            self._agent.via(),
            ("Max-Forwards", "70"),
            ("From", self._local),
            ("To", self._remote),
            ("Call-ID", self.call_id),
            ("CSeq", f"{cseq} {method}"),
            ("Contact", f"<{self._agent.contact}>"),
        ]
        return Request(method, self._target, Headers(headers))

    def _take_offer(self, served: ServerTransaction) -> None:
        """Answer a re-INVITE, or an UPDATE, which may come without an offer (RFC 3311)."""
        media = _readable_media(served.request)
        if isinstance(media, Malformed) or (media is not None and PCMU not in media.payloads):
            served.answer(488)
            return
        if media is not None:
            self.hear_of(media)
        if served.request.method == "INVITE":
            self.accept(served)
        elif media is None:
            served.answer(200, headers=[("Contact", f"<{self._agent.contact}>")])
        else:
            served.answer_with_media(OK, self.sdp())

    def _say_bye(self) -> None:
        self._cseq += 1

        def over(response: Response) -> None:
            if response.is_final:
                self.end(EndedBy.US)

        bye = self.request("BYE", self._cseq)
        ClientTransaction(self._agent, bye, self._peer, over, lambda: self.end(EndedBy.US))

    def _no_ack(self) -> None:
        """End a call whose 200 was never acknowledged (RFC 3261 section 13.3.1.4)."""
        self._say_bye()
        self.end(EndedBy.NETWORK)

    def _why_not_answered(self) -> OnetouchError:
        if self.ended_by is EndedBy.NETWORK or self.status is None:
            return Unavailable("the call ended without an answer")
        return Refused(f"{self.status} {REASONS.get(self.status, '')}")


def answer_outside_of_calls(served: ServerTransaction) -> None:
    """Answer OPTIONS, Asterisk's qualify; say of everything else that we do not know it (RFC 3261 sections 8.2.1, 11)."""
    if served.request.method == "OPTIONS":
        served.answer(200, headers=[("Allow", ALLOW), ("Accept", "application/sdp")])
    else:
        served.answer(405, headers=[("Allow", ALLOW)])


def same_transaction(invite: Request, method: str, to: str) -> Request:
    """Build the CANCEL of an INVITE, or the ACK of its refusal: same branch, same number (RFC 3261 9.1, 17.1.1.3)."""
    copied = [(name, invite.headers.get(name)) for name in ("Via", "From", "Call-ID")]
    headers = [*copied, ("To", to), ("CSeq", f"{invite.cseq} {method}"), ("Max-Forwards", "70")]
    return Request(method, invite.uri, Headers(headers))


def _readable_media(request: Request) -> Media | Malformed | None:
    try:
        return media_of(request)
    except Malformed as fault:
        return fault
