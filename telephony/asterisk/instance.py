"""Prepares a private Asterisk: own folder, no privileges, our dialplans unchanged, other files as the caller wants.

The lab, the tests and ``onetouch dialplan check`` run one; it does not touch /etc/asterisk.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from telephony.domain.errors import Malformed, Unavailable

LONGEST_SOCKET = 107
"""Octets of a Unix socket's path, so the folder's path must be short (unix(7))."""

_DEPTHS = ("*.conf", "*/*.conf", "*/*/*.conf")
MOST_FILES = 1_000
LARGEST_FILE = 4 * 1024 * 1024

_PROGRAMS = ("/usr/sbin/asterisk", "/usr/local/sbin/asterisk")
_MODULE_FOLDERS = (
    "/usr/lib/asterisk/modules",
    "/usr/lib/x86_64-linux-gnu/asterisk/modules",
    "/usr/lib/aarch64-linux-gnu/asterisk/modules",
    "/usr/lib64/asterisk/modules",
    "/usr/local/lib/asterisk/modules",
)
_DATA_FOLDERS = ("/usr/share/asterisk", "/var/lib/asterisk", "/usr/local/share/asterisk")
_DOCUMENTATION = "documentation/core-en_US.xml"
"""Without it Asterisk does not start its modules."""

_EMPTY = (
    "acl", "ccss", "cdr", "cel", "features", "http", "logger", "manager", "musiconhold", "pjproject", "pjsip", "rtp",
    "stasis", "udptl",
)  # fmt: skip
"""Files that Asterisk complains about when they are missing; those of the dialplans or the caller take precedence."""

_CONSOLE = "[general]\ndefault_perm = permit\n"
"""A private Asterisk belongs to the account that started it, whatever a site lets its engineers do."""

_ASTERISK_CONF = """\
[directories]
astetcdir => {root}/etc
astmoddir => {modules}
astvarlibdir => {root}/lib
astdbdir => {root}/lib
astkeydir => {root}/lib
astdatadir => {data}
astagidir => {root}/lib/agi-bin
astspooldir => {root}/spool
astrundir => {root}/run
astlogdir => {root}/log
[options]
systemname = {name}
nocolor = yes
verbose = 1
live_dangerously = no
documentation_language = en_US
"""

_PRIVATELY: Final = ("/bin/sh", "-c", 'umask 077 && exec "$0" "$@"')
"""Asterisk has no setting of its own for it."""

HOW_TO_INSTALL = (
    "Asterisk is not installed here. On Debian 11 and Ubuntu: apt-get install asterisk. Debian 12 has no package of "
    'it: see "Asterisk on Debian 12" in docs/voice.md.'
)


def find_asterisk() -> str:
    """Return the program's path. Raises `Unavailable` saying how to install it."""
    found = shutil.which("asterisk") or next((path for path in _PROGRAMS if os.access(path, os.X_OK)), None)
    if found is None:
        raise Unavailable(HOW_TO_INSTALL)
    return found


class Instance:
    """The folder of a private Asterisk, ready to be started with `command`.

    The configuration files of ``dialplans`` (``*.conf``, also in its folders) are copied as they are; ``files`` (name
    to content) are written over them. Raises `Unavailable` where no Asterisk is installed, `Malformed` for a folder
    that holds no dialplan and `ValueError` for a root whose path is too long.
    """

    def __init__(self, root: Path, name: str, dialplans: Path, files: Mapping[str, str]) -> None:
        self.root = root
        self._program = find_asterisk()
        if len(os.fsencode(root / "run" / "asterisk.ctl")) > LONGEST_SOCKET:
            raise ValueError(f"{root} is too long a path for a private Asterisk: choose one below /tmp")
        for folder in ("etc", "lib/agi-bin", "spool/monitor", "spool/outgoing", "spool/tmp", "run", "log"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        self.recordings.chmod(0o700)
        _copy(dialplans, self.etc)
        conf = _ASTERISK_CONF.format(root=root, modules=_modules(), data=_data(), name=name)
        for each, content in {"asterisk.conf": conf, "cli_permissions.conf": _CONSOLE, **files}.items():
            (self.etc / each).write_text(content, encoding="utf-8")
        for each in _EMPTY:
            (self.etc / f"{each}.conf").touch()

    @property
    def etc(self) -> Path:
        """The folder of its configuration."""
        return self.root / "etc"

    @property
    def recordings(self) -> Path:
        """The folder of its recordings."""
        return self.root / "spool" / "monitor"

    @property
    def log(self) -> Path:
        """Its log, where logger.conf names ``full``."""
        return self.root / "log" / "full"

    @property
    def command(self) -> list[str]:
        """The command line that runs it in the foreground. What it writes, recordings above all, is its account's alone."""
        return [*_PRIVATELY, self._program, "-f", "-C", str(self.etc / "asterisk.conf")]

    def cli(self, line: str) -> list[str]:
        """Return the command line that asks the running instance."""
        return [self._program, "-C", str(self.etc / "asterisk.conf"), "-rx", line]


def _copy(dialplans: Path, etc: Path) -> None:
    """Copy configuration files, and no others: a wrong folder name must not copy a whole disk."""
    if not (dialplans / "extensions.conf").is_file():
        raise Malformed(f"there is no extensions.conf in {dialplans}: name the folder that holds it")
    files = [path for depth in _DEPTHS for path in dialplans.glob(depth) if path.is_file()]
    if len(files) > MOST_FILES:
        raise Malformed(
            f"{dialplans} holds {len(files)} configuration files: name a folder of dialplans alone"
        )
    for path in files:
        if path.stat().st_size > LARGEST_FILE:
            raise Malformed(f"{path} is larger than any configuration file")
        target = etc / path.relative_to(dialplans)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _modules() -> str:
    return _first(_MODULE_FOLDERS, "app_dial.so", "the folder of Asterisk's modules")


def _data() -> str:
    return _first(_DATA_FOLDERS, _DOCUMENTATION, "the folder of Asterisk's data")


def _first(folders: tuple[str, ...], wanted: str, what: str) -> str:
    for folder in folders:
        if (Path(folder) / wanted).exists():
            return folder
    raise Unavailable(f"{what} was not found; looked for {wanted} in {', '.join(folders)}")
