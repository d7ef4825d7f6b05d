"""One AMI connection for a command at a terminal: blocking, and over before its deadline.

For people only; the daemon has `telephony.asterisk.ami.client`. Every wait ends: each action has ``timeout_s`` in all,
however slowly octets drip.
"""

from __future__ import annotations

import hashlib
import itertools
import socket
import ssl
import time
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from telephony.asterisk.ami.packets import AmiStream, Packet, encode_action
from telephony.domain.errors import Malformed, Refused, Unavailable
from telephony.fields import Tls
from telephony.net.client_tls import verified_socket

MOST_EVENTS = 20_000
"""Events kept until they are taken; older ones are dropped."""


class BlockingAmi:
    """Connects and logs in when it is made. Methods raise `Unavailable`, `Refused` (Asterisk's words) or `Malformed`."""

    def __init__(
        self,
        host: str,
        port: int,
        username: str,
        secret: str,
        *,
        timeout_s: float = 5.0,
        tls: Tls | None = None,
    ) -> None:
        self._timeout_s = timeout_s
        self._stream = AmiStream()
        self._packets: deque[Packet] = deque()
        self._events: deque[Packet] = deque(maxlen=MOST_EVENTS)
        self._ids = itertools.count(1)
        try:
            self._socket = _connect(host, port, timeout_s, tls)
        except OSError as error:
            raise Unavailable(f"cannot connect: {_words(error)}") from error
        try:
            self._login(username, secret)
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def fileno(self) -> int:
        """Return the socket's descriptor, for select()."""
        return self._socket.fileno()

    @property
    def banner(self) -> str:
        """Asterisk's first line, with the version of its AMI."""
        return self._stream.banner or ""

    def action(self, name: str, fields: Sequence[tuple[str, str]] = ()) -> Packet:
        """Send an action; give its answer. Events that come meanwhile are kept."""
        return self.answer(self.send(name, fields))

    def listing(self, name: str, fields: Sequence[tuple[str, str]] = ()) -> list[Packet]:
        """Send an action that answers with a list of events; give them, without the one that ends the list."""
        action_id = self.send(name, fields)
        self.answer(action_id)
        deadline = time.monotonic() + self._timeout_s
        found: list[Packet] = []
        while True:
            packet = self.packet(deadline)
            if packet.action_id != action_id:
                self._events.append(packet)
            elif packet.get("EventList").lower().startswith("c") or packet.event.endswith("Complete"):
                return found
            else:
                found.append(packet)

    def command(self, line: str) -> list[str]:
        """Run a line of the command line interface; give what it prints. Needs write = command."""
        return self.action("Command", [("Command", line)]).all("Output")

    def take_events(self) -> list[Packet]:
        """Return the events that came by now, without waiting."""
        try:
            while self._receive(0.0):
                pass
        except TimeoutError:
            pass  # nothing more at the moment
        self._events.extend(self._packets)
        self._packets.clear()
        events = list(self._events)
        self._events.clear()
        return events

    def send(self, name: str, fields: Sequence[tuple[str, str]] = ()) -> str:
        """Send an action; give its ActionID. Raises `Malformed` for a value with CR, LF or NUL: another action."""
        action_id = f"terminal-{next(self._ids)}"
        # One write for the whole action: line by line, Nagle and delayed ACK cost 40 ms each.
        octets = encode_action(name, action_id, fields)
        try:
            self._socket.settimeout(self._timeout_s)
            self._socket.sendall(octets)
        except OSError as error:
            raise Unavailable(f"the connection broke: {_words(error)}") from error
        return action_id

    def answer(self, action_id: str) -> Packet:
        """Wait for the answer to an action."""
        deadline = time.monotonic() + self._timeout_s
        while True:
            packet = self.packet(deadline)
            if packet.action_id == action_id and packet.is_response:
                if packet.get("Response").lower() == "error":
                    raise Refused(packet.get("Message") or "refused")
                return packet
            self._events.append(packet)

    def packet(self, deadline: float) -> Packet:
        """Return the next packet, before a moment of ``time.monotonic()``."""
        while not self._packets:
            remaining = deadline - time.monotonic()
            try:
                if remaining <= 0 or not self._receive(remaining):
                    raise Unavailable("no answer in time")
            except TimeoutError as error:
                raise Unavailable("no answer in time") from error
        return self._packets.popleft()

    def _receive(self, wait_s: float) -> bool:
        """Take what is there or comes within the time. Raises `TimeoutError` where nothing does."""
        self._socket.settimeout(wait_s)
        try:
            octets = self._socket.recv(65_536)
        except (TimeoutError, BlockingIOError, ssl.SSLWantReadError) as error:
            raise TimeoutError from error
        except OSError as error:
            raise Unavailable(f"the connection broke: {_words(error)}") from error
        if not octets:
            raise Unavailable("Asterisk closed the connection")
        self._packets.extend(self._stream.feed(octets))
        if self._stream.broken is not None:
            raise self._stream.broken
        return True

    def _login(self, username: str, secret: str) -> None:
        challenge = self.action("Challenge", [("AuthType", "MD5")]).get("Challenge")
        if not self.banner.startswith("Asterisk Call Manager"):
            raise Malformed(f"this does not speak AMI: {self.banner[:60]!r}")
        key = hashlib.md5((challenge + secret).encode(), usedforsecurity=False).hexdigest()
        self.action("Login", [("AuthType", "MD5"), ("Username", username), ("Key", key)])


def _connect(host: str, port: int, timeout_s: float, tls: Tls | None) -> socket.socket:
    plain = socket.create_connection((host, port), timeout_s)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if tls is None:
        return plain
    try:
        return verified_socket(plain, tls, host)
    except BaseException:
        plain.close()
        raise


def _words(error: OSError) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else (error.strerror or str(error))
