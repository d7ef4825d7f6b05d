"""Reserves free ports of this machine for servers that are about to be started, each for one process only.

A port that the kernel picks (bind to 0, close, hand it on) may be taken by the next outgoing connection before its
server listens on it. These lie outside the kernel's range, and a process claims a row of them for as long as it lives,
or until it gives them back, so that two processes never get the same.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Sequence

_AREAS = ((20_100, 32_000), (61_000, 65_500))
"""Above the audio ports of an Asterisk (10000 to 20000), and outside of Linux's ephemeral ports (32768 to 60999)."""
_ROW = 20

_chance = random.SystemRandom()
_claims: dict[int, socket.socket] = {}
"""By the first port of a row: names in the abstract space of Unix sockets: they vanish with the process, however it dies."""
_left: list[int] = []


def free_port() -> int:
    """Return a port, TCP and UDP, that is bound on no address; it is given once.

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
    """Return the first of so many such ports in a row.

    Raises `RuntimeError` when there are none.
    """
    rows = -(-count // _ROW)
    wide_enough = [area for area in _AREAS if area[1] - area[0] > rows * _ROW]
    for _ in range(1_000 if wide_enough else 0):
        lowest, highest = _chance.choice(wide_enough)
        first = _chance.randrange(lowest, highest - rows * _ROW, _ROW)
        claimed = _claim(range(first, first + rows * _ROW, _ROW))
        if claimed and all(is_free(port) for port in range(first, first + count)):
            _claims.update(claimed)
            return first
        for claim in claimed.values():
            claim.close()
    raise RuntimeError(f"no {count} free ports in a row: {_AREAS}")


def give_back(first: int, count: int) -> None:
    """Give back ports that `free_ports` gave."""
    for row in range(first, first + count, _ROW):
        _claims.pop(row).close()


def _claim(rows: range) -> dict[int, socket.socket]:
    claimed: dict[int, socket.socket] = {}
    for first in rows:
        claim = claimed[first] = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0onetouch-lab-ports-{first}")
        except OSError:
            for each in claimed.values():
                each.close()
            return {}
    return claimed


def is_free(port: int, kinds: Sequence[int] = (socket.SOCK_STREAM, socket.SOCK_DGRAM)) -> bool:
    """Whether a port is free, on every address, in each of these kinds."""
    for kind in kinds:
        with socket.socket(socket.AF_INET, kind) as probe:
            # Like servers, which take a port on which old connections linger.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(kind == socket.SOCK_STREAM))
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                return False
    return True
