"""Reloads the dialplan of a running Asterisk, and verifies afterwards that it is loaded.

"Dialplan reloaded." proves nothing: Asterisk says it for a broken file too.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from telephony.asterisk.dialplan.configuration_files import Finding
from telephony.asterisk.dialplan.files import Dialplan
from telephony.asterisk.dialplan.loaded import read_shown, vanished
from telephony.asterisk.operator.console import ask_console
from telephony.asterisk.settings import AsteriskServer
from telephony.domain.errors import Refused, Unavailable

_FOLDER = "Configuration directory:"
_NAME = "System name:"


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The outcome at one server. ``wrong`` is empty where its dialplan is the one that was checked."""

    server: str
    wrong: str = ""
    findings: tuple[Finding, ...] = ()
    contexts: int = 0
    remark: str = ""

    @property
    def is_fine(self) -> bool:
        """Whether the server runs the dialplan that was checked."""
        return not self.wrong and not self.findings


def reload_dialplan(server: AsteriskServer, conf: Path, folder: Path, dialplan: Dialplan) -> Reloaded:
    """Reload one server, if it reads the files that were checked. Never raises for what the server does.

    By the console of its own host, whose ``asterisk.conf`` is ``conf``: no account of the manager interface may reload.
    """
    if not _is_here(server.host):
        return Reloaded(
            server.name,
            f'not reloaded: it is on {server.host}; run this there, or `asterisk -rx "dialplan reload"`',
        )
    try:
        return _reload(server, conf, folder, dialplan)
    except (Refused, Unavailable) as error:
        return Reloaded(server.name, f"not reloaded: {error}")


def _reload(server: AsteriskServer, conf: Path, folder: Path, dialplan: Dialplan) -> Reloaded:
    settings = ask_console("core show settings", conf)
    name = _named(settings, _NAME)
    if name != server.name:
        return Reloaded(
            server.name,
            f"not reloaded: the Asterisk of {conf} is {name or 'without a systemname'}; name its own: --asterisk-conf",
        )
    remark = ""
    etc = Path(_named(settings, _FOLDER))
    if not etc.is_absolute() or not os.access(etc, os.R_OK | os.X_OK):
        remark = "its files cannot be seen from here: what it loaded was compared by names and numbers of steps alone"
    elif differing := differences(folder, etc, dialplan):
        names = ", ".join(differing[:5]) + (" …" if len(differing) > len(differing[:5]) else "")
        return Reloaded(
            server.name,
            f"not reloaded: it reads {etc}, which differs from {folder} in {names}; copy the files first, or check "
            f"those that it reads: --dialplans {etc}",
        )
    ask_console("dialplan reload", conf)
    loaded = read_shown(ask_console("dialplan show", conf))
    return Reloaded(server.name, "", tuple(vanished(dialplan, loaded)), len(loaded.contexts), remark)


def differences(folder: Path, etc: Path, dialplan: Dialplan) -> list[str]:
    """Return the dialplan's files that are not the same in two folders, those that only one of them has too.

    Absolute includes are the same by nature. A site's own files (``#tryinclude``) may be in ``etc`` alone.
    """
    names = {name for name in dialplan.counted_before if not Path(name).is_absolute()}
    for pattern in dialplan.patterns:
        if not Path(pattern).is_absolute():
            names |= {str(path.relative_to(etc)) for path in etc.glob(pattern) if path.is_file()}
    return sorted(name for name in names if _octets(folder / name) != _octets(etc / name))


def _octets(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _named(settings: Sequence[str], what: str) -> str:
    """Return a value of ``core show settings``; empty where it is not there."""
    found = (line.strip() for line in settings)
    return next((line.removeprefix(what).strip() for line in found if line.startswith(what)), "")


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
