"""A USSD dialogue as values: what a gateway brought, what the rules make of it, what goes back to the phone.

The protocol that carries it fills in `UssdMessage` and sends `UssdReply`; the rules between them know no protocol.
Operations are those of SMPP (ussd_service_op, SMPP 3.4 clause 5.3.2.44), which the gateways speak.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from telephony.domain.recognition import Recognition


@dataclass(frozen=True, slots=True)
class UssdMessage:
    """One message of a USSD gateway. ``session_info`` is its_session_info, both octets; what is absent is ``None``.

    ``text`` is ``None`` where there is none or it cannot be read. Numbers and texts are left out of ``repr``.
    """

    source: str = field(repr=False)
    destination: str
    text: str | None = field(default=None, repr=False)
    operation: int | None = None
    session_info: int | None = None
    message_reference: int | None = None
    service_type: str = ""
    is_conversation_abort: bool = False
    tlvs: tuple[tuple[int, bytes], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class UssdReply:
    """One text for the phone, which ends the dialogue. What is ``None`` is not sent.

    ``uses_cbs_codings`` says how the alphabet is named: as a cell broadcast data coding scheme (3GPP TS 23.038
    clause 5), as in SMPP, or (``None``) as in the message that is answered.
    """

    text: str
    operation: int | None = None
    session_info: int | None = None
    message_reference: int | None = None
    service_type: str = ""
    uses_cbs_codings: bool | None = None


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
class UssdOver:
    """A message that ends a dialogue, or says nothing: to be acknowledged, and no press."""

    why: str


class UssdRules(Protocol):
    """The rules of one carrier's gateways, shared by all its links."""

    session_s: float
    """How long the gateway keeps a dialogue open, from its first message."""

    def read(self, message: UssdMessage, recognition: Recognition, now: float) -> UssdPress | UssdOver | None:
        """Say what a message is; ``None``: no USSD. Total."""
        ...

    def reply_to(
        self, press: UssdPress, reference: str, begun_at: float, now: float, *, is_known: bool
    ) -> UssdReply | None:
        """Give the text that is to be sent now, at most once per dialogue and within its life.

        ``reference`` is that of the press, ``is_known`` claims that the store had it already. Times are Unix times.
        """
        ...

    def not_taken(self, reference: str) -> None:
        """Learn that the gateway did not take the text: a repeat within the dialogue may get it."""
        ...
