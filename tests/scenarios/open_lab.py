"""`onetouch lab` as a person has it: a process on a terminal of 80x24, or between two pipes."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Self

from tests.scenarios.daemon_process import ROOT
from tests.scenarios.house import PATIENCE_S

COLUMNS, ROWS = 80, 24
_SEQUENCE = re.compile(r"\x1b\[([0-9;]*)([A-Za-z])")


def lab(*arguments: str, keys: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end between two pipes."""
    return subprocess.run(
        [sys.executable, "-m", "telephony", "lab", *arguments],
        input=keys, capture_output=True, text=True, check=False, timeout=PATIENCE_S,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment}, cwd=ROOT,
    )  # fmt: skip


class Screen:
    """What a terminal shows: the lines on it, and the column of the cursor. It knows the sequences that the lab writes."""

    def __init__(self) -> None:
        self.lines: list[list[str]] = [[]]
        self.column = 0
        self.wrapped: list[str] = []
        """Lines that were wider than the screen."""
        self._begun = ""

    @property
    def text(self) -> str:
        return "\n".join("".join(line).rstrip() for line in self.lines)

    @property
    def typed(self) -> str:
        """The line with the cursor."""
        return "".join(self.lines[-1]).rstrip()

    def feed(self, text: str) -> None:
        rest = self._begun + text
        while rest:
            if rest[0] == "\x1b":
                found = _SEQUENCE.match(rest)
                if found is None:
                    break
                self._steer(found[1], found[2])
                rest = rest[found.end() :]
                continue
            self._write(rest[0])
            rest = rest[1:]
        self._begun = rest

    def _steer(self, number: str, act: str) -> None:
        if act == "K":
            del self.lines[-1][self.column :]
        elif act == "C":
            self.column += int(number)
        else:
            raise AssertionError(f"the lab wrote an unknown sequence {number}{act}")

    def _write(self, letter: str) -> None:
        if letter == "\r":
            self.column = 0
        elif letter == "\n":
            self.lines.append([])
        else:
            cells = [letter, ""] if unicodedata.east_asian_width(letter) in "WF" else [letter]
            line = self.lines[-1]
            line += [" "] * (self.column - len(line))
            line[self.column : self.column + len(cells)] = cells
            self.column += len(cells)
            if self.column > COLUMNS:
                self.wrapped.append("".join(line))


class OpenLab:
    """An open lab on a terminal."""

    def __init__(self, *arguments: str) -> None:
        self.screen = Screen()
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        ours, theirs = pty.openpty()
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.modes = termios.tcgetattr(theirs)
        self._terminal, self._kept = ours, theirs
        self._process = subprocess.Popen(
            # Who starts the tests in the background ignores Ctrl-C, and so would all its children.
            ["env", "--default-signal=INT", sys.executable, "-m", "telephony", "lab", "--free-ports", *arguments],
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - no thread runs here
            env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}, cwd=ROOT,
        )  # fmt: skip

    def __enter__(self) -> Self:
        self.until(lambda: self.screen.typed == "lab>")
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self.end()
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._terminal)
        os.close(self._kept)

    @property
    def folder(self) -> Path:
        """Where its settings, log and store are."""
        return Path(re.search(r"tail -f (\S+)/log", self.screen.text)[1])

    @property
    def modes_now(self) -> list:
        return termios.tcgetattr(self._kept)

    def type(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def until(self, claim: Callable[[], object]) -> None:
        """Read the screen until it shows what is claimed."""
        end = time.monotonic() + PATIENCE_S
        while not claim():
            assert time.monotonic() < end, self.screen.text
            assert self._process.poll() is None or self._read(), self.screen.text
            self._read()

    def shows(self, *words: str) -> None:
        """Read until all of it has been shown."""
        self.until(lambda: all(each in self.screen.text for each in words))

    def kill9(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def end(self) -> int:
        """Read to its end; give the exit code."""
        end = time.monotonic() + PATIENCE_S
        while self._process.poll() is None:
            assert time.monotonic() < end, self.screen.text
            self._read()
        while self._read():
            pass
        return self._process.returncode

    def daemons(self) -> list[int]:
        """The processes that the lab has said to be its daemon, in order."""
        return [int(pid) for pid in re.findall(r"runs as process (\d+)", self.screen.text)]

    def programs(self) -> list[str]:
        """The command lines of all processes that work in its folder."""
        lines = (_command_line(each) for each in Path("/proc").glob("[0-9]*"))
        return [line for line in lines if str(self.folder) in line]

    def _read(self) -> bool:
        ready, _, _ = select.select([self._terminal], [], [], 0.05)
        if ready:
            self.screen.feed(self._decode(os.read(self._terminal, 65536)))
        return bool(ready)


def _command_line(process: Path) -> str:
    """Return what a process was started with; nothing for one that has ended meanwhile."""
    try:
        return process.joinpath("cmdline").read_text(errors="replace").replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_running(pid: int) -> bool:
    """Whether there is such a process, which is not a dead one that nobody has buried."""
    try:
        return b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()
    except FileNotFoundError:
        return False
