"""A USSD dialogue as values: what a gateway brought, what the rules make of it, what goes back to the phone.

The protocol that carries it fills in `UssdMessage` and sends `UssdReply`; the rules between them know no protocol.
Operations are those of SMPP (ussd_service_op, SMPP 3.4 clause 5.3.2.44), which the gateways speak.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol

from telephony.domain.recognition import Recognition
from telephony.domain.trigger import Trigger

DIALLED_IN_INCIDENT: Final = "service code dialled during an incident"
"""Label of a press: the menu was asked for by a phone whose silence holds, so it is not sure that the person is safe."""


@dataclass(frozen=True, slots=True)
class UssdMessage:
    """One message of a USSD gateway; what is absent is ``None``.

    ``session_info`` is its_session_info and ``message_reference`` user_message_reference, as they came: gateways give
    them other lengths than the two octets of the specification. ``text`` is ``None`` where there is none, or where it
    ``is_unreadable``. Numbers and texts are left out of ``repr``.
    """

    source: str = field(repr=False)
    destination: str
    text: str | None = field(default=None, repr=False)
    operation: int | None = None
    session_info: bytes | None = None
    message_reference: bytes | None = None
    service_type: str = ""
    is_conversation_abort: bool = False
    is_unreadable: bool = False
    tlvs: tuple[tuple[int, bytes], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class UssdReply:
    """One text for the phone; its operation and session say whether it asks or ends. What is ``None`` is not sent.

    ``uses_cbs_codings`` says how the alphabet is named: as a cell broadcast data coding scheme (3GPP TS 23.038
    clause 5), as in SMPP, or (``None``) as in the message that is answered. ``vendor_tlvs`` are tags and values of the
    gateway's own parameters: it may know its dialogue by one of them.
    """

    text: str
    operation: int | None = None
    session_info: bytes | None = None
    message_reference: bytes | None = None
    service_type: str = ""
    uses_cbs_codings: bool | None = None
    vendor_tlvs: tuple[tuple[int, bytes], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class UssdPress:
    """A message that is a press.

    ``code`` is the dialled code as the settings spell it, or as it came when it is in no table. ``text`` is what was
    dialled or typed beyond the code. ``session`` is the gateway's name of the dialogue, empty where it gives none.
    """

    code: str
    text: str | None = field(repr=False)
    session: str
    labels: tuple[str, ...]
    reply: UssdReply | None
    """``None`` where nothing may be sent: it could arrive on the phone as a message."""


@dataclass(frozen=True, slots=True)
class UssdMenu:
    """A message of a menu: the service code was dialled, or a page was answered. To be acknowledged at once.

    ``words`` is what was typed, ``None`` where the code was dialled. ``is_lost``: whether a page was answered that
    is not remembered: after a restart, after a time-out, at another daemon. ``press`` is what the message is where the
    phone turns out to have an open incident.
    """

    message: UssdMessage = field(repr=False)
    words: str | None = field(repr=False)
    session: str
    press: UssdPress
    is_lost: bool = False


@dataclass(frozen=True, slots=True)
class UssdTurn:
    """The outcome of a menu's message: a text for the phone, or none; ``is_press``: it is a press after all."""

    reply: UssdReply | None = None
    is_press: bool = False


@dataclass(frozen=True, slots=True)
class UssdOver:
    """A message that ends a dialogue, or says nothing: to be acknowledged, and no press."""

    why: str


class UssdRules(Protocol):
    """The rules of one carrier's gateways, shared by all its links."""

    session_s: float
    """How long the gateway keeps a dialogue open, from its first message."""

    def read(
        self, message: UssdMessage, recognition: Recognition, now: float
    ) -> UssdPress | UssdMenu | UssdOver | None:
        """Say what a message is; ``None``: no USSD. Total."""
        ...

    async def turn(self, menu: UssdMenu, trigger: Trigger) -> UssdTurn:
        """Take one message of a menu further; does not raise, and is done before the gateway gives up.

        ``trigger`` is the press that it may come to; it also tells whose phone it is and when the message came.
        """
        ...

    def page_shown(self, menu: UssdMenu, sent_at: float | None) -> None:
        """Learn when the page was sent that answered this message, ``None`` where the gateway did not take it."""
        ...

    def reply_to(
        self, press: UssdPress, reference: str, begun_at: float, now: float, *, is_known: bool
    ) -> UssdReply | None:
        """Return the text that is to be sent now, at most once per dialogue and within its life.

        ``reference`` is that of the press, ``is_known``: whether the store had it already. Times are Unix times.
        """
        ...

    def not_taken(self, reference: str) -> None:
        """Learn that the gateway did not take the text: a repeat within the dialogue may get it."""
        ...
