"""The place of the control socket: a file in the state directory, whose path may be longer than a socket address holds."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SOCKET_FILE: Final = "control.socket"
LONGEST_ADDRESS: Final = 107
"""Octets of ``sun_path`` without its NUL (unix(7))."""


@contextmanager
def short_address(path: Path) -> Iterator[str]:
    """Return an address of the socket that fits, good for as long as the context is open.

    A longer path is reached by a descriptor of its directory. Raises `OSError` where there is no such directory.
    """
    if len(os.fsencode(path)) <= LONGEST_ADDRESS:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def is_answered(address: str) -> bool:
    """Whether a process listens at a socket; False for one that a dead process left, and where there is none.

    Raises `OSError` where that cannot be found out: then it may be somebody's.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(address)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except BlockingIOError:
            return True  # it listens, and its backlog is full
        return True
