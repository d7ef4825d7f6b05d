"""Runs one command on the console of an Asterisk on this host (``asterisk -rx``) and returns its answer.

Asterisk decides by the account of the operating system which commands are allowed (cli_permissions.conf).
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from telephony.asterisk.instance import find_asterisk
from telephony.domain.errors import Refused, Unavailable

DEFAULT_CONF: Final = Path("/etc/asterisk/asterisk.conf")
ANSWERS_WITHIN_S: Final = 20.0
_NOT_PERMITTED: Final = "You don't have permissions to run"


def ask_console(line: str, conf: Path = DEFAULT_CONF) -> list[str]:
    """Return the lines of an answer.

    Raises `Unavailable` where no Asterisk answers there or none is installed, and `Refused` for a command that this
    account may not run.
    """
    command = [find_asterisk(), "-C", str(conf), "-rx", line]
    try:
        done = subprocess.run(  # noqa: S603 - found by find_asterisk, no shell
            command,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=ANSWERS_WITHIN_S,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable("no answer in time") from None
    except OSError as error:
        raise Unavailable(f"cannot run {command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        raise Unavailable(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no answer")
    if _NOT_PERMITTED in done.stdout:
        raise Refused(f"this account may not run {line!r}: cli_permissions.conf")
    return done.stdout.splitlines()
