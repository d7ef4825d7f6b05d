"""The part of an SMPP connection that both roles share: framing, dispatch, liveness, unbind and drain.

It performs what `telephony.smpp.session` decides. Messages of the peer bypass it for speed: no machine, no timer, no
log, one call to the desk for all messages of one read.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, Protocol

from twisted.internet import protocol
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, ITCPTransport
from twisted.python.failure import Failure

from telephony.clock import Clock
from telephony.net.client_tls import tls_reason
from telephony.net.lifecycle import Abort, Close, Down, Gone, StartTimer, Up
from telephony.net.reactor import Transport
from telephony.net.timer import SessionTimer
from telephony.smpp.effects import (
    AnswerBind,
    AnswerUnbind,
    BindRefused,
    Drain,
    Effects,
    Limit,
    SendBind,
    SendNack,
    SendUnbind,
)
from telephony.smpp.liveness import Liveness
from telephony.smpp.request_book import Standing
from telephony.smpp.session import Session, new_session
from telephony.smpp.window import Window
from telephony.smpp.wire.codec import PduStream, encode_deliver_sm_resp, encode_header
from telephony.smpp.wire.constants import (
    ALERT_NOTIFICATION,
    BIND_RECEIVER,
    BIND_TRANSCEIVER,
    BIND_TRANSMITTER,
    DATA_SM,
    DELIVER_SM,
    ENQUIRE_LINK,
    ESME_RINVBNDSTS,
    ESME_RINVCMDID,
    ESME_RINVCMDLEN,
    ESME_ROK,
    GENERIC_NACK,
    OUTBIND,
    RESPONSE,
    SUBMIT_SM,
    UNBIND,
)
from telephony.smpp.wire.pdus import Pdu, SubmitResp, command_name
from telephony.sparingly import Sparingly

MESSAGES: Final = frozenset({DELIVER_SM, SUBMIT_SM, DATA_SM})
"""Whichever of them a peer uses, and in whichever role: a call for help is not refused for its command."""
BINDS: Final = frozenset({BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER})
BIND_RESPS: Final = frozenset(command | RESPONSE for command in BINDS)

NOTE_AGAIN_S: Final = 10.0
SIGN_OF_LIFE_OCTETS: Final = 16_384
"""So much of a PDU that is not whole yet is a sign of life: a long one on a slow line. Drops are none."""


class Limits(NamedTuple):
    """Times in seconds, and the number of requests that we may have open."""

    window: int
    bind_timeout_s: float
    response_timeout_s: float
    enquire_link_s: float
    enquire_response_s: float
    unbind_timeout_s: float


class Desk(Protocol):
    """Where the peer's messages go."""

    def take(self, link: Link, requests: list[Pdu]) -> None:
        """Take the messages of one read, and answer all of them through `Link.answer`, now or later."""
        ...


class Owner(Protocol):
    """The object that made the link and is told of its events."""

    def link_up(self, link: Link) -> None:
        """Learn that it is bound."""
        ...

    def link_down(self, link: Link, reason: str) -> None:
        """Learn that it is no longer bound; the connection may last a little longer."""
        ...

    def link_refused(self, link: Link, status: int) -> None:
        """Learn that the bind was refused."""
        ...

    def link_gone(self, link: Link, reason: str) -> None:
        """Learn that the connection has ended. Nothing follows."""
        ...

    def link_noted(self, link: Link, what: str) -> None:
        """Learn of something unusual that the peer sent."""
        ...


class Link(protocol.Protocol):
    """A connection, as both roles share it. Subclasses bind, or accept binds."""

    sends = "submit_sm"
    """The request by which this role sends a text."""

    def __init__(self, *, name: str, clock: Clock, limits: Limits, owner: Owner, desk: Desk) -> None:
        self.name = name
        self.limits = limits
        self.bound_as = 0
        """Command id of the bind, once there is one."""
        self.peer_takes_tlvs = False
        """SMPP 3.4 clause 3.3.2: no optional parameter goes to a peer that has not said 3.4 or later."""
        self.is_bound = False
        self.bound_s = 0.0
        """When it was bound, where it is."""
        self.peer_host = ""
        """Address of the other end, for the log and for the list of addresses."""
        self.in_flight = 0
        """Requests of the peer that are not answered yet."""
        self.standing = Standing()
        """The state of the connection; may be kept when the link is gone."""
        self.desk = desk
        self.clock = clock
        self.session: Session = new_session()
        self.window = Window(
            size=limits.window,
            response_timeout_s=limits.response_timeout_s,
            clock=clock,
            write=self.write,
        )
        self._owner = owner
        self._takes_messages = False
        self._sparingly = Sparingly(clock.seconds, NOTE_AGAIN_S)
        self._unfinished = 0
        """Octets since the last PDU, or since they were last taken for a sign of life."""
        self._stream = PduStream()
        self._is_unreadable = False
        self._is_draining = False
        self._unbind_sequence = -1
        self._timer = SessionTimer(
            clock,
            {Limit.BIND: limits.bind_timeout_s, Limit.UNBIND: limits.unbind_timeout_s},
            self._timed_out,
        )
        self._liveness = Liveness(
            clock=clock,
            enquire_link_s=limits.enquire_link_s,
            enquire_response_s=limits.enquire_response_s,
            enquire=self._enquire,
            found_dead=self._found_dead,
        )
        self._wire: Transport
        """The transport, from `connectionMade` on."""

    # What the roles do differently.

    def begin(self) -> Effects:
        """Start the session in this role."""
        raise NotImplementedError

    def send_bind(self) -> None:
        """Write our bind request."""
        raise NotImplementedError

    def answer_bind(self, status: int) -> None:
        """Write the answer to the peer's bind."""
        raise NotImplementedError

    def bind_answered(self, response: Pdu) -> None:
        """Take a bind_resp, or the generic_nack that stands for one."""

    def opening_request(self, request: Pdu) -> None:
        """Take a bind or outbind."""
        raise NotImplementedError

    def submit(self, pdu: bytes) -> Deferred[SubmitResp]:
        """Send a text of ours to a phone, as `Submitter.submit` does; `Refused` on a bind for the other direction."""
        raise NotImplementedError

    # What the owner may ask.

    def write(self, data: bytes) -> None:
        """Send octets that form whole PDUs; after the end they go nowhere."""
        if not self.standing.is_over:
            self._wire.write(data)

    def answer(self, responses: bytes, count: int) -> None:
        """Answer so many of the peer's requests with one write."""
        self.in_flight -= count
        self.write(responses)
        self._leave_when_drained()

    def leave(self) -> None:
        """Unbind, finish what is in flight, close; `Owner.link_gone` follows within the unbind time-out."""
        self.perform(self.session.unbind())

    def drop(self, reason: str) -> None:
        """Close at once."""
        self.perform(self.session.drop(reason))

    def note(self, what: str) -> None:
        """Pass a remark on, at a bounded rate: a peer must not fill our log."""
        if self._sparingly.take_turn():
            self._owner.link_noted(self, what)

    # What the transport says.

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """Begin."""
        transport: Any = self.transport
        self._wire = transport
        self.peer_host = str(getattr(transport.getPeer(), "host", ""))
        if ITCPTransport.providedBy(transport):
            # Answers are small and many: Nagle's algorithm would hold each back for a round trip.
            transport.setTcpNoDelay(True)
        if IConsumer.providedBy(transport):
            transport.registerProducer(self, True)
        self.perform(self.begin())

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Take the octets of one read; all messages in them go to the desk together."""
        pdus = self._stream.feed(data)
        if not pdus:
            self._unfinished += len(data)
            if self._unfinished >= SIGN_OF_LIFE_OCTETS:
                self._unfinished = 0
                self._liveness.heard()
        else:
            self._unfinished = 0
            self._liveness.heard()
            self.standing.heard_at = self.clock.seconds()
            requests: list[Pdu] = []
            for pdu in pdus:
                if pdu.skipped:
                    self.note(f"the last {pdu.skipped} octets of a {pdu.name} were not read")
                if self._takes_messages and pdu.command_id in MESSAGES:
                    self.in_flight += 1
                    requests.append(pdu)
                else:
                    self._take(pdu)
            if requests:
                self.desk.take(self, requests)
        if self._stream.broken is not None and not self._is_unreadable:
            self._is_unreadable = True
            self.note(self._stream.broken)
            self.perform(self.session.framing_lost())
        self._leave_when_drained()

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:  # noqa: N802 - Twisted's name
        """End."""
        self.perform(self.session.lost(tls_reason(reason) or reason.getErrorMessage()))

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Note that the peer reads more slowly than we write; answers cannot be held back, so we only watch."""
        self._liveness.peer_reads(False)

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Note that the peer has caught up."""
        self._liveness.peer_reads(True)

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Note nothing: `connectionLost` follows."""

    def _leave_when_drained(self) -> None:
        if self._is_draining and self.in_flight <= 0:
            self.perform(self.session.drained())

    # Everything but messages.

    def _take(self, pdu: Pdu) -> None:
        if self.standing.is_over:
            return
        command_id, sequence = pdu.command_id, pdu.sequence
        if command_id & RESPONSE:
            self._take_response(pdu)
        elif command_id == ENQUIRE_LINK:
            self.write(encode_header(ENQUIRE_LINK | RESPONSE, ESME_ROK, sequence))
        elif command_id == UNBIND:
            self.perform(self.session.peer_unbound(sequence))
        elif command_id in BINDS or command_id == OUTBIND:
            self.opening_request(pdu)
        elif command_id in MESSAGES:
            self.write(encode_deliver_sm_resp(command_id, ESME_RINVBNDSTS, sequence))
        elif command_id == ALERT_NOTIFICATION:
            self.note("alert_notification")
        else:
            self.note(f"{command_name(command_id)} is not implemented")
            self.write(encode_header(GENERIC_NACK, ESME_RINVCMDID, sequence))

    def _take_response(self, pdu: Pdu) -> None:
        command_id = pdu.command_id
        if command_id == UNBIND | RESPONSE or (
            command_id == GENERIC_NACK and pdu.sequence == self._unbind_sequence
        ):
            self.perform(self.session.unbind_confirmed())
        elif command_id in BIND_RESPS or (command_id == GENERIC_NACK and not self.is_bound):
            self.bind_answered(pdu)
        elif command_id != ENQUIRE_LINK | RESPONSE:
            self.window.answered(pdu)

    # What the session decides.

    def perform(self, effects: Effects) -> None:  # noqa: C901, PLR0912 - one arm per effect, each a line or two
        """Do what an input of the session returned."""
        for effect in effects:
            match effect:
                case SendBind():
                    self._takes_messages = True
                    self.send_bind()
                case AnswerBind(status):
                    self.answer_bind(status)
                case SendUnbind():
                    self._unbind_sequence = self.window.next_sequence()
                    self.write(encode_header(UNBIND, ESME_ROK, self._unbind_sequence))
                case AnswerUnbind(sequence):
                    self.write(encode_header(UNBIND | RESPONSE, ESME_ROK, sequence))
                case SendNack():
                    self.write(encode_header(GENERIC_NACK, ESME_RINVCMDLEN, 0))
                case StartTimer(limit):
                    self._timer.start(limit)
                case Up():
                    self._go_up()
                case Down(reason):
                    self.is_bound = False
                    self._liveness.stop()
                    self._owner.link_down(self, reason)
                case BindRefused(status):
                    self._owner.link_refused(self, status)
                case Drain():
                    # Said at the end of the read that asked for it: a press behind the unbind is answered too.
                    self._is_draining = True
                case Close():
                    self._close()
                case Abort():
                    self._takes_messages, self.standing.is_over = False, True
                    self._wire.abortConnection()
                case Gone(reason):
                    self._go(reason)

    def _timed_out(self) -> None:
        self.perform(self.session.timed_out())

    def _go_up(self) -> None:
        self._timer.stop()
        self.is_bound = self._takes_messages = True
        self.bound_s = self.clock.seconds()
        self._liveness.start()
        self._owner.link_up(self)

    def _close(self) -> None:
        self._takes_messages, self.standing.is_over = False, True
        transport: Any = self.transport
        if IConsumer.providedBy(transport):
            # A transport closes only when its producer has no more to say.
            transport.unregisterProducer()
        self._wire.loseConnection()

    def _go(self, reason: str) -> None:
        self._takes_messages, self.standing.is_over = False, True
        self._timer.stop()
        self._liveness.stop()
        self.window.abandon(reason)
        self._owner.link_gone(self, reason)

    def _enquire(self) -> None:
        self.write(encode_header(ENQUIRE_LINK, ESME_ROK, self.window.next_sequence()))

    def _found_dead(self) -> None:
        self.perform(self.session.found_dead())
