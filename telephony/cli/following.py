"""Reads the lines of a file or a pipe, also those that are written meanwhile; memory stays bounded."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

LONGEST_LINE = 64 * 1024
"""A longer line is given in pieces: it is no log line of ours."""

LOOK_EVERY_S = 0.2


def lines_of(stream: BinaryIO) -> Iterator[bytes]:
    """Return the lines until the end of the stream."""
    with stream:
        while line := stream.readline(LONGEST_LINE):
            yield line


def followed_lines(path: Path, sleep: Callable[[float], None] = time.sleep) -> Iterator[bytes]:
    """Return the lines for ever; a line that is being written waits for its end.

    When the file was rotated away or cut short, goes on at the beginning of what stands at the path then. Raises
    `OSError` where the file cannot be opened at first.
    """
    stream: BinaryIO = path.open("rb")
    begun = b""
    try:
        while True:
            line = begun + stream.readline(LONGEST_LINE - len(begun))
            if line.endswith(b"\n") or len(line) == LONGEST_LINE:
                begun = b""
                yield line
                continue
            begun = line
            fresh = _reopened(path, stream)
            if fresh is None:
                sleep(LOOK_EVERY_S)
                continue
            stream.close()
            stream = fresh
            if begun:
                yield begun
            begun = b""
    finally:
        stream.close()


def _reopened(path: Path, stream: BinaryIO) -> BinaryIO | None:
    """Open what stands at the path now, if that is not what we read or is shorter than what was read of it."""
    try:
        there, ours = path.stat(), os.fstat(stream.fileno())
        is_same = (there.st_ino, there.st_dev) == (ours.st_ino, ours.st_dev)
        if is_same and there.st_size >= stream.tell():
            return None
        return path.open("rb")
    except OSError:
        return None  # between two files of a rotation: look again later
