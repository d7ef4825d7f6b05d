"""Simulates a feature phone: it dials, and records all that its owner or a bystander could hear or see."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred

from telephony.domain.errors import Malformed
from telephony.lab.phones.rtp import Ears, Rtp
from telephony.lab.phones.sip import (
    ALLOW,
    Address,
    Headers,
    Media,
    Request,
    Response,
    address_of,
    media_of,
    name_addr,
    session_description,
    sip_uri,
)
from telephony.lab.phones.sip_agent import (
    LONGEST_S,
    REFUSALS,
    ClientTransaction,
    EndedBy,
    Leg,
    Place,
    ServerTransaction,
    SipAgent,
    same_transaction,
)

PHONE_HZ, CENTRE_HZ = 440, 1000
RINGBACK_HZ = (440, 480)
"""Asterisk's in-band ringback where no other tone zone is set."""
PITCHES = (*RINGBACK_HZ, CENTRE_HZ)
RINGING = 180


@dataclass(frozen=True, slots=True)
class Caller:
    """The identity that a call claims. ``is_asserted`` adds a P-Asserted-Identity with the same.

    ``raw_from`` and ``raw_asserted`` are sent as header values exactly as given, whatever is in them, instead of what
    number and display name would make; a From needs a ``tag`` of its own there.
    """

    number: str
    display: str = ""
    is_asserted: bool = True
    raw_from: str | None = None
    raw_asserted: str | None = None


@dataclass(frozen=True, slots=True)
class Provisional:
    """A response before the final one. 180 makes a phone play a ringing tone of its own, for all around to hear."""

    at: float
    status: int
    reason: str
    has_media: bool


class PhoneCall(Leg):
    """A call that the phone places. ``provisionals`` are what came before its final response, in order."""

    def __init__(
        self,
        agent: SipAgent,
        rtp: Rtp,
        dialled: str,
        caller: Caller,
        server: Place,
        *,
        headers: Iterable[tuple[str, str]] = (),
        offer: bytes = b"",
    ) -> None:
        target = sip_uri(dialled, *server)
        local = _from(caller, agent)
        super().__init__(
            agent, rtp, call_id=agent.token(), local=local, remote=f"<{target}>", target=target, peer=server
        )
        self.provisionals: list[Provisional] = []
        self._gives_up = False
        self._ack: Request | None = None
        self._cseq = 1
        first = self.request("INVITE", self._cseq)
        extra = [*_asserted(caller, server), ("Allow", ALLOW), *headers, ("Content-Type", "application/sdp")]
        host = agent.address[0]
        offer = offer.replace(b"{port}", b"%d" % rtp.port) or session_description(
            host, rtp.port, self._session
        )
        self.invite = Request("INVITE", target, Headers([*first.headers.pairs, *extra]), offer)
        self._asked = ClientTransaction(agent, self.invite, server, self._take_response, self._no_answer)

    @property
    def has_rung(self) -> bool:
        """Whether the phone played its own ringing tone: a 180 came."""
        return any(each.status == RINGING for each in self.provisionals)

    @property
    def is_silent(self) -> bool:
        """Whether the phone made no sound in this call: no ringing tone, and nothing but exact zeros arrived."""
        return not self.has_rung and self.ears.is_silent

    def give_up(self, after_s: float = 0.0) -> Deferred[EndedBy]:
        """Hang up so many seconds from now, answered or not: BYE or CANCEL. Fires when the call has ended."""
        self._agent.later(after_s, self.hang_up)
        return self.ended()

    def hang_up(self) -> Deferred[EndedBy]:
        """End it: with a CANCEL before it is answered. Fires when the call has ended."""
        if self.answered_at is not None or self.is_over:
            return super().hang_up()
        if not self._gives_up:
            self._gives_up = True
            self._rtp.close()
            if self.provisionals:
                self._cancel()
        return self.ended()

    def _take_response(self, response: Response) -> None:
        if not response.is_final:
            self._take_provisional(response)
        elif response.status < REFUSALS:
            self._take_acceptance(response)
        else:
            self.end(EndedBy.US if self._gives_up else EndedBy.THEM, response.status)

    def _take_provisional(self, response: Response) -> None:
        media = _media(response)
        now = self._agent.reactor.seconds()
        self.provisionals.append(Provisional(now, response.status, response.reason, media is not None))
        if media is not None:
            self.hear_of(media)
        if self._gives_up and len(self.provisionals) == 1:
            self._cancel()

    def _take_acceptance(self, response: Response) -> None:
        """Acknowledge a 2xx, each time that it comes (RFC 3261 section 13.2.2.4)."""
        if self._ack is None:
            self._remote = response.headers.get("to")
            self._target = _contact(response) or self._target
            self._ack = self.request("ACK", self.invite.cseq)
        self._agent.send(self._ack, self._peer)
        if self.is_confirmed:
            return
        self.is_confirmed = True
        if self.is_over:
            self._say_bye()
            return
        media = _media(response)
        if media is not None:
            self.hear_of(media)
        self.be_answered()
        if self._gives_up:
            super().hang_up()

    def _cancel(self) -> None:
        """Take the INVITE back; it may not be done before a first provisional response (RFC 3261 section 9.1)."""
        cancel = same_transaction(self.invite, "CANCEL", self.invite.headers.get("to"))
        ClientTransaction(self._agent, cancel, self._peer, lambda _: None, lambda: None)
        self._agent.later(LONGEST_S, self._no_answer_to_cancel)

    def _no_answer_to_cancel(self) -> None:
        """End a call whose INVITE got no final response in time after its CANCEL (RFC 3261 section 9.1)."""
        if not self.is_over:
            self._asked.forget_later()
            self._no_answer()

    def _no_answer(self) -> None:
        if self.answered_at is None:
            self.end(EndedBy.NETWORK, 408)


class LabHandset:
    """A phone that calls ``server``. Its verbs are about the newest call; every call has them too.

    ``calls`` are all calls it placed. ``incoming`` are INVITEs to it: a phone in danger must get none, each
    would have made it ring, so they are answered 486.
    """

    def __init__(
        self,
        reactor: Any,
        rng: random.Random,
        caller: Caller,
        server: Place,
        *,
        tone_hz: int | None = PHONE_HZ,
        pitches: tuple[int, ...] = PITCHES,
    ) -> None:
        self._reactor, self._rng = reactor, rng
        self._caller, self._server = caller, server
        self._tone_hz, self._pitches = tone_hz, pitches
        self.agent = SipAgent(reactor, rng, "phone", self._refuse)
        self.calls: list[PhoneCall] = []
        self.incoming: list[Request] = []

    def listen(self, interface: str = "127.0.0.1", port: int = 0) -> None:
        """Switch it on; a trunk may know its phones by the address that they call from. Port 0 takes a free one."""
        self.agent.listen(interface, port)

    def close(self) -> Deferred[None]:
        """Switch it off; no one is told."""
        return self.agent.close()

    @property
    def port(self) -> int:
        """The UDP port of its SIP."""
        return self.agent.address[1]

    @property
    def newest(self) -> PhoneCall:
        """The newest call. `IndexError` before the first."""
        return self.calls[-1]

    @property
    def ears(self) -> Ears:
        """What arrived in the newest call."""
        return self.newest.ears

    def call(
        self,
        number: str,
        *,
        caller: Caller | None = None,
        headers: Iterable[tuple[str, str]] = (),
        offer: bytes = b"",
    ) -> PhoneCall:
        """Dial. ``caller`` is who it says it is, this once; ``headers`` come on top.

        ``offer`` is an SDP in the place of the phone's own, its port written as ``{port}``.
        """
        interface = self.agent.address[0]
        rtp = Rtp(self._reactor, self._rng, tone_hz=self._tone_hz, pitches=self._pitches, interface=interface)
        who = caller or self._caller
        call = PhoneCall(self.agent, rtp, number, who, self._server, headers=headers, offer=offer)
        self.calls.append(call)
        return call

    def give_up(self, after_s: float = 0.0) -> Deferred[EndedBy]:
        """Hang up so many seconds from now, answered or not. Fires when the call has ended."""
        return self.newest.give_up(after_s)

    def tap(self, digits: str) -> Deferred[None]:
        """Press keys in the call. Fires when the last is sent."""
        return self.newest.press(digits)

    def hang_up(self) -> Deferred[EndedBy]:
        """End the call. Fires when it has ended."""
        return self.newest.hang_up()

    def _refuse(self, request: Request, served: ServerTransaction) -> None:
        self.incoming.append(request)
        served.answer(486)


def _from(caller: Caller, agent: SipAgent) -> str:
    if caller.raw_from is not None:
        return caller.raw_from
    return f"{name_addr(caller.display, sip_uri(caller.number, *agent.address))};tag={agent.token()}"


def _asserted(caller: Caller, server: Place) -> list[tuple[str, str]]:
    """Say who asserts what (RFC 3325 section 9.1)."""
    if caller.raw_asserted is not None:
        return [("P-Asserted-Identity", caller.raw_asserted)]
    if not caller.is_asserted:
        return []
    return [("P-Asserted-Identity", name_addr(caller.display, sip_uri(caller.number, server[0])))]


def _media(response: Response) -> Media | None:
    """Return the audio that a response speaks of; what cannot be read is as good as none to a phone."""
    try:
        return media_of(response)
    except Malformed:
        return None


def _contact(response: Response) -> str:
    try:
        contact: Address = address_of(response.headers.get("contact"))
    except Malformed:
        return ""
    return contact.uri
