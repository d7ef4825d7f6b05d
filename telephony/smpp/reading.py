"""Reads the messages of one way in; one that a defect of ours keeps us from reading is still a press.

Reading itself is pure (`telephony.smpp.wire.sorting`). A message that cannot be sorted is read as a press; failing that
too, it goes on unread, with its raw octets.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog

from telephony.domain.recognition import Recognition
from telephony.domain.trigger import Trigger
from telephony.smpp.wire.codec import decode_message
from telephony.smpp.wire.inbound import trigger_of, unread_trigger_of
from telephony.smpp.wire.pdus import Message, Pdu
from telephony.smpp.wire.sorting import Sorted, Sorter
from telephony.smpp.wire.text import text_of

log = structlog.get_logger()


class Reader:
    """Reads messages by ``sorter``; ``remark`` hears of those that break the specification."""

    def __init__(self, sorter: Sorter, remark: Callable[[Message], None]) -> None:
        self._sorter = sorter
        self._way = sorter.way
        self._remark = remark

    def read(self, pdu: Pdu, recognition: Recognition, received_at: datetime, now: float) -> Sorted:
        """Return what a message is. Never raises."""
        try:
            message = decode_message(pdu.command_id, pdu.body)
            if message.faults:
                self._remark(message)
            return self._sorter.sort(message, pdu.body, recognition, received_at, now)
        except Exception:
            # A fault of ours in reading must not lose a message that may be a press.
            log.exception("message could not be sorted", link=self._way.name)
            return self._press(pdu, recognition, received_at)

    def _press(self, pdu: Pdu, recognition: Recognition, received_at: datetime) -> Trigger:
        try:
            message = decode_message(pdu.command_id, pdu.body)
            text = text_of(message, self._way.dialect.default_alphabet)
            return trigger_of(
                message,
                text,
                pdu.body,
                way=self._way,
                recognition=recognition,
                received_at=received_at,
                is_listed=recognition.is_listed(message.destination),
            )
        except Exception:
            log.exception("press could not be read", link=self._way.name)
            return self.unread(pdu, received_at)

    def unread(self, pdu: Pdu, received_at: datetime) -> Trigger:
        """Return a message as a press of which at most the addresses are read. Never raises."""
        try:
            message = decode_message(pdu.command_id, pdu.body)
            source, destination = message.source, message.destination
        except Exception:
            log.exception("message could not be decoded", link=self._way.name)
            source = destination = ""
        return unread_trigger_of(source, destination, pdu.body, self._way, received_at)
