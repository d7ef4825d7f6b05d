"""A line on disk before anybody sees what is known of a person: who, what, of whom, why, when.

Until the store keeps a chain of them, the lines stand in ``audit.log`` in the state directory, one JSON object each.
"""

from __future__ import annotations

import getpass
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

AUDIT_FILE = "audit.log"
LONGEST_WHY = 200


def stated_reason(why: str) -> str:
    """Give the reason as it is kept; a reason that is none is refused."""
    why = " ".join(why.split())
    if not why or len(why) > LONGEST_WHY:
        raise click.BadParameter(f"write 1 to {LONGEST_WHY} characters", param_hint="--why")
    return why


def write_audit_line(state_dir: Path, did: str, why: str, **facts: Any) -> None:
    """Append a line and have it on disk; without it nothing may be shown, so a failure ends the command."""
    from telephony.logs.masking import mask  # noqa: PLC0415 - not needed for --help

    # A reason that holds a number is kept without it.
    facts = dict(mask(None, "info", {"did": did, "why": why, **facts}))
    line = {
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "who": getpass.getuser(),
        "by_sudo_of": os.environ.get("SUDO_USER"),
        **facts,
    }
    path = state_dir / AUDIT_FILE
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, json.dumps(line, ensure_ascii=False).encode() + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise click.ClickException(
            f"nothing is shown: {path} cannot be written ({error.strerror})"
        ) from error
