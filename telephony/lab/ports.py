"""Ports of this machine for servers that are about to be started, given out once and to nobody else.

A port that the kernel picks (bind to 0, close, tell somebody) may be taken by the next connection that goes out before
its server listens on it. These lie below those that the kernel gives away, and whoever asks claims a row of them for
as long as its process lives, so that two processes never get the same.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Sequence

_LOWEST, _HIGHEST = 20_100, 32_000
"""Above the audio ports of an Asterisk (10000 to 20000), below what Linux gives to whoever asks for any (from 32768)."""
_ROW = 20

_chance = random.SystemRandom()
_claims: list[socket.socket] = []
"""Names in the abstract space of Unix sockets: they vanish with the process, however it dies."""
_left: list[int] = []


def free_port() -> int:
    """Give a port, TCP and UDP, on which nobody listens on any address; it is given once.

    Raises `RuntimeError` when there is none.
    """
    while True:
        if not _left:
            first = free_ports(_ROW)
            _left.extend(range(first, first + _ROW))
        port = _left.pop()
        if is_free(port):
            return port


def free_ports(count: int) -> int:
    """Give the first of so many such ports in a row.

    Raises `RuntimeError` when there are none.
    """
    rows = -(-count // _ROW)
    for _ in range(1_000):
        first = _chance.randrange(_LOWEST, _HIGHEST - rows * _ROW, _ROW)
        claimed = _claim(range(first, first + rows * _ROW, _ROW))
        if claimed and all(is_free(port) for port in range(first, first + count)):
            _claims.extend(claimed)
            return first
        for claim in claimed:
            claim.close()
    raise RuntimeError(f"no {count} free ports in a row between {_LOWEST} and {_HIGHEST}")


def _claim(rows: range) -> list[socket.socket]:
    claimed: list[socket.socket] = []
    for first in rows:
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        claimed.append(claim)
        try:
            claim.bind(f"\0onetouch-lab-ports-{first}")
        except OSError:
            for each in claimed:
                each.close()
            return []
    return claimed


def is_free(port: int, kinds: Sequence[int] = (socket.SOCK_STREAM, socket.SOCK_DGRAM)) -> bool:
    """Tell whether nobody has bound a port, on any address, in any of these kinds."""
    for kind in kinds:
        with socket.socket(socket.AF_INET, kind) as probe:
            # Like servers, which take a port on which old connections linger.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(kind == socket.SOCK_STREAM))
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                return False
    return True
