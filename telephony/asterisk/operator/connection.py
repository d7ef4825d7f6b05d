"""Runs py-Asterisk's actions over our own connection, for commands at a terminal.

py-Asterisk 0.6 gives the vocabulary (`Ping`, `Command`, `CoreShowChannels` …). Its way of reading and writing is
replaced, because as it is

- it lets CR and LF in a value through: a second action;
- its socket time-out bounds each octet, not the answer, and leaves half a packet behind;
- a packet cut off by a closing connection counts as whole;
- repeated keys overwrite each other, so `Command` loses the ``Output`` lines of Asterisk 14 and later;
- an event with a ``Response`` (OriginateResponse) never reaches a handler;
- it sends the secret in the clear, and writes it to the debug log; it knows neither TLS nor IPv6.

One thread, one command, no reactor.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from telephony.asterisk.ami.packets import Packet
from telephony.asterisk.operator.blocking_ami import BlockingAmi
from telephony.domain.errors import Malformed, Refused

_LOGGER_CLASS = logging.getLoggerClass()
from Asterisk import BaseException as PyAsteriskError  # noqa: E402 - between two lines that undo what it does
from Asterisk.Manager import CoreManager  # noqa: E402
from Asterisk.Util import AttributeDict, EventCollection  # noqa: E402

# Importing it changes the class of every logger that is made afterwards.
logging.setLoggerClass(_LOGGER_CLASS)

MANY_FIELDS = 120


class OperatorAmi(CoreManager):  # type: ignore[misc] # it has no types
    """py-Asterisk's ``CoreManager`` on a connection that is logged in.

    Besides what py-Asterisk raises (`PyAsteriskError`), `Unavailable` when an answer does not come within
    ``timeout_s`` in all; the connection is then unusable.
    """

    def __init__(self, ami: BlockingAmi, timeout_s: float) -> None:
        # Not super().__init__(): it connects by itself and logs in with the bare secret.
        self._ami = ami
        self._timeout_s = timeout_s
        self._deadline = 0.0
        self.timeout = timeout_s
        self.events = EventCollection()
        self.response_buffer: list[Any] = []
        self.log = _Silent()

    def ask(self, action: str, fields: Mapping[str, str] | None = None) -> Mapping[str, str]:
        """Do an action that py-Asterisk has no method for; give its answer."""
        answer: Mapping[str, str] = self._translate_response(
            self.read_response(self._write_action(action, fields))
        )
        return answer

    def value(self, variable: str) -> str:
        """Return a global variable of Asterisk, or what a function of the dialplan says; empty where there is none."""
        return self.ask("Getvar", {"Variable": variable}).get("Value", "")

    def listing(self, action: str, fields: Mapping[str, str] | None = None) -> list[Packet]:
        """Do an action that answers with a list of events; return them."""
        return self._ami.listing(action, list((fields or {}).items()))

    def _write_action(self, action: str, data: Mapping[str, Any] | None = None) -> str:
        fields: list[tuple[str, str]] = []
        for key, value in (data or {}).items():
            if value is not None:
                each = value if isinstance(value, list) else [value]
                fields += [(key, str(one)) for one in each]
        if len(fields) > MANY_FIELDS:
            raise Malformed(f"an action of {len(fields)} fields")
        self._deadline = time.monotonic() + self._timeout_s
        return self._ami.send(action, fields)

    def _read_packet(self, discard_events: bool = False) -> Any:  # noqa: FBT001, FBT002 - py-Asterisk's own signature
        while True:
            packet = self._ami.packet(self._deadline)
            if packet.event and discard_events:
                continue
            # The first of a repeated key counts; `Command` looks for its lines under Lines.
            found = AttributeDict()
            for key, value in reversed(packet.headers):
                found[key] = value
            if packet.is_response:
                found["Lines"] = packet.all("Output")
                found.setdefault("Message", "")
            return found

    def _dispatch_packet(self, packet: Any) -> None:
        # Look for Event first: an outcome is an event with a Response in it.
        if "Event" in packet:
            self._translate_event(packet)
            self.on_Event(packet)
        else:
            self.response_buffer.append(packet)


class _Silent:
    """A log that discards everything: py-Asterisk writes secrets and numbers to its own."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


ANSWERED_BADLY = (PyAsteriskError, Malformed, Refused, KeyError)
"""Exceptions of an action that Asterisk did answer, but not with what was asked for."""
