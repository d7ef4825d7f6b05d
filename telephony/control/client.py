"""Asks the running daemon by its control socket, for commands: blocking, with one bound on everything."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Final

from telephony.control.messages import LONGEST_ANSWER, Answer, AskRetry, AskStatus, decode_answer, encode
from telephony.control.place import SOCKET_FILE, short_address
from telephony.domain.errors import Malformed

PATIENCE_S: Final = 3.0
"""The daemon answers within 2 s also where its store hangs (`telephony.assembly.control`)."""
_CHUNK: Final = 65_536


class NotAsked(Exception):  # noqa: N818 - says what did not happen
    """The daemon could not be asked: the sentence says why, and what to do."""


class NotRunning(NotAsked):
    """No daemon runs on this state directory."""


class Silent(NotAsked):
    """A daemon is there, and does not answer."""


class Forbidden(NotAsked):
    """This account may not ask."""


class Unreadable(NotAsked):
    """It answers what this release does not read."""


def ask(state_dir: Path, request: AskStatus | AskRetry, patience_s: float = PATIENCE_S) -> Answer:
    """Return the daemon's answer, a refusal among them; raises a `NotAsked` within the patience."""
    path = state_dir / SOCKET_FILE
    end = time.monotonic() + patience_s
    try:
        with short_address(path) as address, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
            stream.settimeout(patience_s)
            stream.connect(address)
            stream.sendall(encode(request))
            line = _line(stream, end)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError) as error:
        raise NotRunning(
            f"no daemon runs on {state_dir}: start it, e.g. `systemctl start onetouch`"
        ) from error
    except PermissionError as error:
        raise Forbidden(
            f"{path} is not for this account: ask as root or as the daemon's own, e.g. `sudo -u onetouch …`"
        ) from error
    except (TimeoutError, BlockingIOError) as error:
        raise Silent(
            f"the daemon on {state_dir} has not answered for {patience_s:g} s: see its log, and `top` for its process"
        ) from error
    except OSError as error:
        raise Silent(f"the daemon on {state_dir} broke off: {error.strerror or error}") from error
    if not line:
        raise Forbidden(
            f"the daemon on {state_dir} closed without an answer: ask as root or as its own account, or again if it is stopping"
        )
    try:
        return decode_answer(line)
    except Malformed as error:
        raise Unreadable(
            f"the daemon's answer is another release's ({error}): restart the daemon after an upgrade"
        ) from error


def _line(stream: socket.socket, end: float) -> bytes:
    """Return the octets up to the LF or the end; raises `OSError`, also where they are too many or too late."""
    read = bytearray()
    while b"\n" not in read:
        left_s = end - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        stream.settimeout(left_s)
        more = stream.recv(_CHUNK)
        if not more:
            break
        read += more
        if len(read) > LONGEST_ANSWER:
            raise OSError(f"it sends more than {LONGEST_ANSWER} octets")
    return bytes(read.partition(b"\n")[0])
