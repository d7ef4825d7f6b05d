"""Starts the programs of a lab apart from its terminal, and so that none of them outlives it, however it ends."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

_BECOME: Final = """\
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM)
os.setsid()
os.execv(sys.argv[1], sys.argv[1:])
"""
"""A session of its own, because Ctrl-C is for the lab; PR_SET_PDEATHSIG, which stays with the process that it becomes."""


def apart(command: Sequence[str]) -> list[str]:
    """Return the command that becomes this one, whose program is named by its whole path."""
    return [sys.executable, "-ISc", _BECOME, *command]
