"""Reload the dialplan of a running Asterisk, and look afterwards whether it is there.

"Dialplan reloaded." says nothing: Asterisk says it for a broken file too.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from telephony.asterisk.blocking_ami import BlockingAmi
from telephony.asterisk.configuration_files import Finding
from telephony.asterisk.dialplan_files import Dialplan
from telephony.asterisk.dialplan_loaded import read_shown, vanished
from telephony.asterisk.settings import AsteriskServer
from telephony.domain.errors import Malformed, Refused, Unavailable

_FOLDER = "Configuration directory:"


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What came of it at one server. ``wrong`` is empty where its dialplan is what was checked."""

    server: str
    wrong: str = ""
    findings: tuple[Finding, ...] = ()
    contexts: int = 0
    remark: str = ""

    @property
    def is_fine(self) -> bool:
        """Claim that it has what was checked."""
        return not self.wrong and not self.findings


def reload_dialplan(
    server: AsteriskServer, username: str, secret: str, folder: Path, dialplan: Dialplan
) -> Reloaded:
    """Reload one server, if it reads the files that were checked. Never raises for what the server does.

    Over our own codec and not by py-Asterisk: the lines of ``dialplan show`` come as one key that repeats
    (``Output``), of which py-Asterisk's packets keep the last.
    """
    try:
        with BlockingAmi(
            server.host, server.port, username, secret, timeout_s=server.response_timeout_s, tls=server.tls
        ) as ami:
            return _reload(ami, server, folder, dialplan)
    except Refused as error:
        return Reloaded(server.name, f"{username}: {error}; it needs write = command in manager.conf")
    except (Unavailable, Malformed) as error:
        return Reloaded(server.name, f"{server.host}:{server.port}: {error}")


def _reload(ami: BlockingAmi, server: AsteriskServer, folder: Path, dialplan: Dialplan) -> Reloaded:
    remark = ""
    etc = _configuration_folder(ami)
    if etc is None or not _is_here(server.host) or not etc.is_dir():
        remark = "its files cannot be seen from here: what it loaded was compared by names and numbers of steps alone"
    elif differing := differences(folder, etc, dialplan):
        names = ", ".join(differing[:5]) + (" …" if len(differing) > len(differing[:5]) else "")
        return Reloaded(
            server.name,
            f"not reloaded: it reads {etc}, which differs from {folder} in {names}; copy the files first, or check "
            f"those that it reads: --dialplans {etc}",
        )
    ami.command("dialplan reload")
    loaded = read_shown(ami.command("dialplan show"))
    return Reloaded(server.name, "", tuple(vanished(dialplan, loaded)), len(loaded.contexts), remark)


def differences(folder: Path, etc: Path, dialplan: Dialplan) -> list[str]:
    """Give the dialplan's files that are not the same in two folders, those that only one of them has too.

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


def _configuration_folder(ami: BlockingAmi) -> Path | None:
    for line in ami.command("core show settings"):
        if line.strip().startswith(_FOLDER):
            return Path(line.strip().removeprefix(_FOLDER).strip())
    return None


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
