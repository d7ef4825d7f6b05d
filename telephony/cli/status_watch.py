"""``onetouch status --watch``: the status drawn again every second, until somebody presses q."""

from __future__ import annotations

import select
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Final

import click
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from telephony.cli.asking import ask_daemon
from telephony.cli.status_screen import STYLES, Screen
from telephony.cli.status_words import WORDS
from telephony.control.client import NotAsked
from telephony.control.messages import AskStatus, Status
from telephony.control.verdict import Level
from telephony.safe_text import one_line

if TYPE_CHECKING:
    from telephony.settings import Settings

EVERY_S: Final = 1.0
_ENDING_KEYS: Final = frozenset({"q", "Q", "\x03", "\x04", ""})
"""q, Ctrl-C and Ctrl-D where the terminal does not make signals of them, and the end of the input."""


def watch_status(settings: Settings) -> int:
    """Draw until a key ends it; return the exit code."""
    console = Console(highlight=False)
    if not (console.is_terminal and sys.stdin.isatty()):
        raise click.UsageError("--watch draws on a terminal; a program asks with --json, once for each look")
    try:
        with _single_keys(), Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                live.update(_drawn(settings, console), refresh=True)
                if _is_ended(EVERY_S):
                    return 0
    except KeyboardInterrupt:
        return 0


def _drawn(settings: Settings, console: Console) -> Group:
    words, zone = WORDS[settings.service.language], settings.service.zone
    try:
        status = ask_daemon(settings, AskStatus(), Status)
    except NotAsked as error:
        at = f"{datetime.now(zone):%Y-%m-%d %H:%M:%S %Z}"
        title = Text.assemble((f" {words.levels[Level.UNKNOWN]} ", STYLES[Level.UNKNOWN]), f" {at}")
        lines = [title, Text(one_line(str(error)), "bold red", overflow="fold")]
    else:
        lines = Screen(status, words, zone).lines(console.height - 1)
        for line in lines:
            line.truncate(console.width, overflow="ellipsis")
    return Group(*lines, Text(words.keys, "dim"))


@contextmanager
def _single_keys() -> Iterator[None]:
    """Have each key read as it is pressed, and not shown."""
    stdin = sys.stdin.fileno()
    before = termios.tcgetattr(stdin)
    try:
        tty.setcbreak(stdin)
        yield
    finally:
        termios.tcsetattr(stdin, termios.TCSADRAIN, before)


def _is_ended(within_s: float) -> bool:
    """Wait for the next look, and return whether a key ends it before."""
    readable, _, _ = select.select([sys.stdin], [], [], within_s)
    return bool(readable) and sys.stdin.read(1) in _ENDING_KEYS
