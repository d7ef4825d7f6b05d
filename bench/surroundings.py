"""Simulates the surroundings of a measured daemon, as lightly as possible: an SMSC, a 112 centre and a location server.

One process, one thread, plain sockets, so that its own cost does not show in the results. It speaks just enough of each
wire for the daemon to do everything it does in service, and notes when each press left, was acknowledged and was
reported. The location server thinks for 1.4 s, as a good live one does.
"""

from __future__ import annotations

import json
import selectors
import socket
import struct
import sys
import time
from collections import deque
from contextlib import suppress
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

HEADER = struct.Struct("!IIII")
DELIVER_SM, DELIVER_SM_RESP = 0x05, 0x80000005
BIND_TRANSCEIVER, ENQUIRE_LINK, UNBIND = 0x09, 0x15, 0x06
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def deliver_sm(sequence: int, caller: str) -> bytes:
    """Make a typical press: a Korean number, a short code, a short text in cp949."""
    text = "살려주세요".encode("cp949")
    body = (
        b"\0\1\1"
        + caller.encode()
        + b"\0\0\1"
        + b"112\0"
        + b"\0\0\0\0\0\0\0\x0e\0"
        + bytes([len(text)])
        + text
    )
    return HEADER.pack(16 + len(body), DELIVER_SM, 0, sequence) + body


class Surroundings:
    """Accepts the daemon's connections and plays the other ends until told to stop."""

    def __init__(self, *, mlp_after_s: float = 1.4, psap_after_s: float = 0.0) -> None:
        self.selector = selectors.DefaultSelector()
        self.smsc = self._listen(self._smsc_connected)
        self.psap = self._listen(self._http_connected, self._report)
        self.mlp = self._listen(self._http_connected, self._locate)
        self.link: socket.socket | None = None
        self.buffer = b""
        self.out: deque[bytes] = deque()
        self.sent_at: dict[int, float] = {}
        self.ack_latency: list[float] = []
        self.not_ok = 0
        self.caller_sent: dict[str, float] = {}
        self.report_latency: list[float] = []
        self.reports = 0
        self.unlocated: dict[bytes, float] = {}
        """Callers of whom 112 has no place yet, and when they pressed."""
        self.located_latency: list[float] = []
        self.on_ack: Any = None
        self.mlp_after_s = mlp_after_s
        self.psap_after_s = psap_after_s
        self.late: list[tuple[float, int, socket.socket, bytes]] = []
        self._answers = 0

    @staticmethod
    def port(listener: socket.socket) -> int:
        """Return the port of one of the three listeners."""
        return int(listener.getsockname()[1])

    def _listen(self, accepted: Any, *more: Any) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        listener.setblocking(False)
        self.selector.register(listener, selectors.EVENT_READ, lambda: accepted(listener.accept()[0], *more))
        return listener

    # -- SMSC ---------------------------------------------------------------------------------------------------

    def _smsc_connected(self, link: socket.socket) -> None:
        link.setblocking(False)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.selector.register(link, selectors.EVENT_READ, lambda: self._smsc_read(link))

    def _smsc_read(self, link: socket.socket) -> None:
        try:
            data = link.recv(1 << 18)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            self.selector.unregister(link)
            link.close()
            self.link = None
            return
        self.buffer += data
        self._pdus(link)

    def _pdus(self, link: socket.socket) -> None:
        offset, now = 0, time.perf_counter()
        acked = 0
        while len(self.buffer) - offset >= 16:
            length, command, status, sequence = HEADER.unpack_from(self.buffer, offset)
            if len(self.buffer) - offset < length:
                break
            if command == DELIVER_SM_RESP:
                acked += 1
                self._answered(status, sequence, now)
            elif command == BIND_TRANSCEIVER:
                body = b"bench\0" + struct.pack("!HHB", 0x0210, 1, 0x34)
                link.sendall(HEADER.pack(16 + len(body), command | 0x80000000, 0, sequence) + body)
                self.link = link
            elif command in (ENQUIRE_LINK, UNBIND):
                link.sendall(HEADER.pack(16, command | 0x80000000, 0, sequence))
            offset += length
        self.buffer = self.buffer[offset:]
        if acked and self.on_ack is not None:
            self.on_ack(acked)

    def _answered(self, status: int, sequence: int, now: float) -> None:
        sent = self.sent_at.pop(sequence)
        if status:
            self.not_ok += 1
        else:
            self.ack_latency.append(now - sent)

    def send(self, presses: list[tuple[int, str]], *, is_first: bool = True) -> None:
        """Send presses (sequence number, caller) in one write; of first ones 112 is to have an alert."""
        assert self.link is not None
        now = time.perf_counter()
        for sequence, caller in presses:
            self.sent_at[sequence] = now
            if is_first:
                self.caller_sent[caller] = now
                self.unlocated[caller.encode()] = now
        data = b"".join([deliver_sm(sequence, caller) for sequence, caller in presses])
        self.link.setblocking(True)
        self.link.sendall(data)
        self.link.setblocking(False)

    # -- HTTP ---------------------------------------------------------------------------------------------------

    def _http_connected(self, connection: socket.socket, answer: Any) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        buffer = bytearray()

        def read() -> None:
            try:
                data = connection.recv(1 << 16)
            except BlockingIOError:
                return
            except ConnectionError:
                data = b""
            if not data:
                self.selector.unregister(connection)
                connection.close()
                return
            buffer.extend(data)
            while True:
                end = buffer.find(b"\r\n\r\n")
                if end < 0:
                    return
                head = bytes(buffer[:end]).lower()
                at = head.find(b"content-length:")
                length = int(head[at + 15 :].split(b"\r\n", 1)[0])
                if len(buffer) < end + 4 + length:
                    return
                body = bytes(buffer[end + 4 : end + 4 + length])
                del buffer[: end + 4 + length]
                octets, after_s = answer(body)
                if after_s:
                    self._answers += 1
                    heappush(self.late, (time.perf_counter() + after_s, self._answers, connection, octets))
                else:
                    connection.sendall(octets)

        self.selector.register(connection, selectors.EVENT_READ, read)

    def _report(self, body: bytes) -> tuple[bytes, float]:
        self.reports += 1
        if b"<circle>" in body:
            at = body.find(b"tel:+")
            pressed = self.unlocated.pop(body[at + 5 : body.find(b"<", at)], None)
            if pressed is not None:
                self.located_latency.append(time.perf_counter() - pressed)
        if b"<msgType>Alert<" in body:
            at = body.find(b"tel:+")
            caller = body[at + 5 : body.find(b"<", at)].decode()
            sent = self.caller_sent.pop(caller, None)
            if sent is not None:
                self.report_latency.append(time.perf_counter() - sent)
        return ANSWER, self.psap_after_s

    def _locate(self, body: bytes) -> tuple[bytes, float]:
        at = body.find(b"<msid ")
        msid = body[body.find(b">", at) + 1 : body.find(b"</msid>", at)].decode()
        when = time.strftime("%Y%m%d%H%M%S", time.gmtime())
        answer = (
            '<svc_result ver="3.2.0"><eme_lia ver="3.2.0"><eme_pos pos_method="CELL">'
            f'<msid type="MSISDN">{msid}</msid><pd><time utc_off="+0000">{when}</time><shape><CircularArea>'
            "<coord><X>37 33 59.400N</X><Y>126 58 40.080E</Y></coord><radius>350</radius></CircularArea></shape>"
            "<lev_conf>67</lev_conf></pd></eme_pos></eme_lia></svc_result>"
        ).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer), self.mlp_after_s

    # -- running --------------------------------------------------------------------------------------------------

    def turn(self, timeout: float) -> None:
        """Serve whatever is ready."""
        now = time.perf_counter()
        while self.late and self.late[0][0] <= now:
            _, _, connection, octets = heappop(self.late)
            if connection.fileno() >= 0:
                with suppress(ConnectionError):  # the daemon has given this question up
                    connection.sendall(octets)
        if self.late:
            timeout = min(timeout, self.late[0][0] - now)
        for key, _ in self.selector.select(timeout):
            key.data()

    def until(self, done: Any, within_s: float) -> None:
        """Serve until ``done()``; raises `TimeoutError` naming what was reached."""
        end = time.perf_counter() + within_s
        while not done():
            if time.perf_counter() > end:
                raise TimeoutError(f"acks {len(self.ack_latency)}, reports {self.reports}")
            self.turn(0.05)


def quantile(values: list[float], part: float) -> float:
    """Return the quantile in milliseconds."""
    ordered = sorted(values)
    return (
        round(ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000, 3) if ordered else float("nan")
    )


def print_table(title: str, rows: list[dict[str, Any]]) -> None:
    """Print rows of equal keys as a table for people."""
    columns = list(rows[0])
    widths = [max(len(str(c)), *(len(str(row[c])) for row in rows)) for c in columns]
    print(title)
    print("  ".join(str(c).ljust(w) for c, w in zip(columns, widths, strict=True)))
    for row in rows:
        print("  ".join(str(row[c]).ljust(w) for c, w in zip(columns, widths, strict=True)))


def save(results: Any, path: str | None) -> None:
    """Write the results as JSON to a file, or to standard output for ``-``."""
    if path is None:
        return
    text = json.dumps(results, indent=2)
    if path == "-":
        sys.stdout.write(text + "\n")
    else:
        Path(path).write_text(text + "\n", encoding="utf-8")
