"""Reads who runs a command, and from where, out of the kernel and the system's record of logins, never out of a variable."""

from __future__ import annotations

import os
import pwd
import socket
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from telephony.domain.audit import Seat

NO_LOGIN: Final = 0xFFFF_FFFF
"""What the kernel has for a process that came of no login (`AUDIT_UID_UNSET`)."""
LONGEST: Final = 100
CLAIMS: Final = ("USER", "LOGNAME", "SUDO_USER", "SSH_CONNECTION")
"""Environment variables that are kept as what they are: claims."""
UTMP: Final = Path("/run/utmp")
_RECORD: Final = struct.Struct("<h2xi32s4s32s256shhiii4I20x")
"""A record of utmp(5) on a 64-bit Linux: type, pid, line, id, user, host, exit (2), session, time (2), address, unused."""
_USER_PROCESS: Final = 7
_TTY_FIELD: Final = 4
"""Of /proc/self/stat, after the name in brackets: state, ppid, pgrp, session, tty_nr."""
_PTS_MAJORS: Final = range(136, 144)
_TTY_MAJOR: Final = 4
_VIRTUAL_CONSOLES: Final = 64


def seat(
    proc: Path = Path("/proc/self"), utmp: Path = UTMP, environment: Mapping[str, str] = os.environ
) -> Seat:
    """Return who runs this process and from where."""
    terminal = _terminal(proc)
    return Seat(
        uid=os.getresuid()[0],
        login_uid=_number(proc / "loginuid"),
        terminal=terminal,
        host=socket.gethostname()[:LONGEST],
        address=_address(utmp, terminal),
        session=_number(proc / "sessionid"),
        claims=tuple(_claims(environment)),
    )


def account(at: Seat) -> str:
    """Return the account of a person: that which logged in, and as whom the command runs where that is another."""
    name = account_of(at.person_uid)
    return name if at.uid == at.person_uid else f"{name} (as {account_of(at.uid)})"


def account_of(uid: int) -> str:
    """Return the name of a uid, or the uid where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def uid_of(account: str) -> int | None:
    """Return the uid of an account, given by its name or as a number; None for a name that no account has."""
    if account.isascii() and account.isdigit():
        return int(account[:10])
    try:
        return pwd.getpwnam(account).pw_uid
    except KeyError:
        return None


def _number(file: Path) -> int | None:
    """Return what the kernel has there; None for a process of no login, and for a kernel without audit."""
    try:
        number = int(file.read_text())
    except (OSError, ValueError):
        return None
    return None if number == NO_LOGIN else number


def _terminal(proc: Path) -> str:
    """Return the controlling terminal: redirecting input and output does not hide it."""
    try:
        device = int((proc / "stat").read_text().rpartition(")")[2].split()[_TTY_FIELD])
    except (OSError, ValueError, IndexError):
        return ""
    major, minor = os.major(device), os.minor(device)
    if major in _PTS_MAJORS:
        return f"pts/{(major - _PTS_MAJORS[0]) * 256 + minor}"
    if major == _TTY_MAJOR:
        return f"tty{minor}" if minor < _VIRTUAL_CONSOLES else f"ttyS{minor - _VIRTUAL_CONSOLES}"
    return "" if device == 0 else f"{major}:{minor}"


def _address(utmp: Path, terminal: str) -> str:
    """Return from where the login of a terminal came, as `who` tells it; empty where that is not known."""
    if not terminal:
        return ""
    try:
        octets = utmp.read_bytes()
    except OSError:
        return ""
    for kind, _, line, _, _, host, *_ in _RECORD.iter_unpack(
        octets[: len(octets) // _RECORD.size * _RECORD.size]
    ):
        if kind == _USER_PROCESS and _text(line) == terminal:
            return _text(host)
    return ""


def _text(octets: bytes) -> str:
    return _printable(octets.partition(b"\0")[0].decode("ascii", "replace"))


def _claims(environment: Mapping[str, str]) -> Iterator[str]:
    for name in CLAIMS:
        if name in environment:
            yield f"{name}={_printable(environment[name])}"


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text[:LONGEST])
