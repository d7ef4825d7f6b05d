"""Writes the anchors of the audit chain: an entry is named outside the store before anything of it is shown.

Each command names its own entries, so that it does not matter whether a daemon runs. The lines are those of the daemon's
log, event ``audited``, and `onetouch audit verify --log` reads them as such. About whom and why is in none of them.
"""

from __future__ import annotations

import json
import os
import socket
import syslog
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from telephony.cli.echo import echo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from telephony.domain.audit import Looked
    from telephony.settings import Settings
    from telephony.store.audit import Entry

LOG_AUTHPRIV = 10 << 3
"""Facility 10 of RFC 5424; Python's syslog module knows it only from 3.13 on."""
PATIENCE_S = 2.0
"""How long a system log that takes nothing is waited for."""

Written = tuple["Entry", "Looked"]


def anchor(settings: Settings, written: Sequence[Written], *, must_show: bool = False) -> None:
    """Name entries that are committed, outside the store. One place that takes them is enough.

    Where none does, the command ends, or goes on with a warning as ``audit.unanchored`` says; with ``must_show`` it
    always goes on.
    """
    if not written:
        return
    lines = [_line(entry, looked) for entry, looked in written]
    problems = []
    is_anchored = False
    for name, place, write in _places(settings):
        try:
            write(place, lines)
            is_anchored = True
        except OSError as error:
            problems.append(f"{name} {place}: {error.strerror or error}")
    if problems and is_anchored:
        echo(f"not anchored everywhere: {'; '.join(problems)}", err=True)
    elif not is_anchored and (must_show or settings.audit.unanchored == "show"):
        echo(
            f"NO ANCHOR OF THE AUDIT CHAIN ({'; '.join(problems)}): the entry stands in the store alone",
            err=True,
        )
    elif not is_anchored:
        raise click.ClickException(
            "nothing is shown, for no place outside the store takes the entry of the audit chain: "
            f"{'; '.join(problems)}; see [audit] of the settings"
        )


def _places(settings: Settings) -> Iterator[tuple[str, Path, Callable[[Path, Sequence[str]], None]]]:
    log = Path(settings.audit.syslog)
    # A machine without a system log has no such socket; one whose log was stopped has, or had better.
    if settings.audit.syslog and log.exists():
        yield "the system log", log, _to_syslog
    yield "the anchor file", settings.anchor_file, _to_file


def _line(entry: Entry, looked: Looked) -> str:
    seat = looked.seat
    told = {
        "event": "audited",
        "audit_entry": entry.number,
        "digest": entry.short,
        "what": looked.what,
        "who": looked.who,
        "uid": None if seat is None else seat.uid,
        "login_uid": None if seat is None else seat.login_uid,
        "terminal": "" if seat is None else seat.terminal,
        "address": "" if seat is None else seat.address,
        "timestamp": looked.at.isoformat(timespec="milliseconds"),
    }
    return json.dumps(told, ensure_ascii=True)


def _to_syslog(place: Path, lines: Sequence[str]) -> None:
    """Send over a socket of our own: syslog(3) does not say that it was not taken."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.settimeout(PATIENCE_S)
        log.connect(str(place))
        for line in lines:
            stamp = time.strftime("%b %e %H:%M:%S")
            log.send(f"<{LOG_AUTHPRIV | syslog.LOG_NOTICE}>{stamp} onetouch[{os.getpid()}]: {line}".encode())


def _to_file(place: Path, lines: Sequence[str]) -> None:
    """Append and have it on disk. A file that is made belongs to the owner of the folder: root's command keeps no other out."""
    octets = "".join(f"{line}\n" for line in lines).encode()
    descriptor = os.open(place, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            octets = b"\n" + octets  # the disk was full in the middle of a line
        if os.geteuid() == 0 and not size:
            folder = place.parent.stat()
            os.fchown(descriptor, folder.st_uid, folder.st_gid)
        if os.write(descriptor, octets) != len(octets):
            raise OSError(0, "the disk is full")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
