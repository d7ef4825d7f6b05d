"""Builds the messages of simulated phones, malformed ones too, and stores them until they are acknowledged."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from twisted.internet.defer import Deferred

from telephony.smpp.wire.codec import encode_header, encode_tlv
from telephony.smpp.wire.constants import (
    DATA_SM,
    DELIVER_SM,
    ESM_UDHI,
    TAG_MESSAGE_PAYLOAD,
    TAG_SAR_MSG_REF_NUM,
    TAG_SAR_SEGMENT_SEQNUM,
    TAG_SAR_TOTAL_SEGMENTS,
    TON_INTERNATIONAL,
)
from telephony.smpp.wire.pdus import Tlv
from telephony.smpp.wire.text_parts import segments

Split = Literal["udh", "sar", "payload"]

LONGEST_SHORT_MESSAGE: Final = 255


@dataclass(frozen=True, slots=True)
class Content:
    """The content of one PDU."""

    octets: bytes
    data_coding: int
    esm_class: int
    tlvs: tuple[Tlv, ...] = ()


@dataclass(eq=False, slots=True)
class Mo:
    """One stored message."""

    pdu: bytes
    """Whole, but for its sequence number."""
    ticket: int
    answered: Deferred[int] = field(default_factory=Deferred)
    """Fires with the status of the first answer."""
    attempts: int = 0


def split_text(text: str, reference: int, split: Split) -> list[Content]:
    """Put a text into as many messages as it takes, joined by a header, by SAR parameters, or not cut at all."""
    cut = segments(text, reference)
    if len(cut.parts) == 1:
        return [Content(cut.parts[0], cut.data_coding, cut.esm_class)]
    if split == "udh":
        return [Content(part, cut.data_coding, cut.esm_class) for part in cut.parts]
    bare = [part[1 + part[0] :] for part in cut.parts]
    esm_class = cut.esm_class & ~ESM_UDHI
    if split == "payload":
        return [Content(b"", cut.data_coding, esm_class, (Tlv(TAG_MESSAGE_PAYLOAD, b"".join(bare)),))]
    return [
        Content(
            part,
            cut.data_coding,
            esm_class,
            (
                Tlv(TAG_SAR_MSG_REF_NUM, (reference & 0xFFFF).to_bytes(2)),
                Tlv(TAG_SAR_TOTAL_SEGMENTS, bytes([len(bare)])),
                Tlv(TAG_SAR_SEGMENT_SEQNUM, bytes([number])),
            ),
        )
        for number, part in enumerate(bare, start=1)
    ]


def encode_mo(
    source: str,
    destination: str,
    content: Content,
    *,
    source_ton: int = TON_INTERNATIONAL,
    service_type: str = "",
    as_data_sm: bool = False,
    tlvs: Sequence[Tlv] = (),
) -> bytes:
    """Make a deliver_sm or data_sm (SMPP 3.4 clauses 4.6.1 and 4.7.1), its sequence number 0.

    Nothing is checked: over-long addresses and broken parameters are what a simulator is for. An address is written
    as Latin-1.
    """
    octets, more = content.octets, (*content.tlvs, *tlvs)
    if as_data_sm or len(octets) > LONGEST_SHORT_MESSAGE:
        more = (*((Tlv(TAG_MESSAGE_PAYLOAD, octets),) if octets else ()), *more)
        octets = b""
    addresses = b"%s\0%c\1%s\0%c\1%s\0" % (
        service_type.encode("latin-1"),
        source_ton,
        source.encode("latin-1"),
        0,
        destination.encode("latin-1"),
    )
    if as_data_sm:
        rest = bytes([content.esm_class, 0, content.data_coding])
    else:
        # esm_class, protocol_id, priority_flag, two empty times, registered_delivery, replace_if_present_flag,
        # data_coding, sm_default_msg_id, sm_length
        rest = bytes([content.esm_class, 0, 0, 0, 0, 0, 0, content.data_coding, 0, len(octets)]) + octets
    body = addresses + rest + b"".join(map(encode_tlv, more))
    return encode_header(DATA_SM if as_data_sm else DELIVER_SM, 0, 0, body)


@dataclass
class Counts:
    """Counts of what has happened so far."""

    binds: int = 0
    sent: int = 0
    """deliver_sm and data_sm written, each attempt counted."""
    acked: int = 0
    refused: int = 0
    unanswered: int = 0
    submitted: int = 0


class MoStore:
    """Keeps every message until it is acknowledged, as a real message centre does. Pure: times are passed in."""

    def __init__(self, *, redelivery_s: float) -> None:
        self.ready: deque[Mo] = deque()
        """May be sent now, in the order of their tickets."""
        self._redelivery_s = redelivery_s
        self._waiting: deque[tuple[float, Mo]] = deque()
        """Was refused or not answered; due times ascend, for every message waits equally long."""

    def __len__(self) -> int:
        return len(self.ready) + len(self._waiting)

    def give_back(self, mo: Mo) -> None:
        """Take back a message whose link was lost: it goes again as soon as there is a link, in its old place."""
        place = 0
        while place < len(self.ready) and self.ready[place].ticket < mo.ticket:
            place += 1
        self.ready.insert(place, mo)

    def postpone(self, mo: Mo, now: float) -> None:
        """Take back a message that was refused, or not answered in time."""
        self._waiting.append((now + self._redelivery_s, mo))

    def due(self, now: float, *, everything: bool = False) -> float | None:
        """Make ready what is due, or everything; give the seconds until the next is due."""
        while self._waiting and (everything or self._waiting[0][0] <= now):
            self.give_back(self._waiting.popleft()[1])
        return self._waiting[0][0] - now if self._waiting else None

    def shuffle(self, count: int, rng: random.Random) -> None:
        """Put the first so many in an order that is not theirs."""
        in_order = [self.ready.popleft() for _ in range(count)]
        held = list(in_order)
        while count > 1 and held == in_order:
            rng.shuffle(held)
        self.ready.extendleft(reversed(held))
