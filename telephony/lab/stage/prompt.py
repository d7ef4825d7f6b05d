"""The lab's prompt on a terminal: a line that is being typed stays whole while events are told above it.

The terminal gives every key at once and shows none by itself (cbreak); signals such as Ctrl-C stay as they are. Where
there is no terminal, lines are taken as they come, and each is repeated before it is obeyed.
"""

from __future__ import annotations

import codecs
import shutil
import signal
import termios
import tty
from collections.abc import Callable
from typing import Any, Final

from rich.cells import cell_len
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer  # type: ignore[import-untyped] # zope ships no types

from telephony.lab.stage.lines import WIDTH, fitted
from telephony.safe_text import one_line

PROMPT: Final = "lab> "
MOST_REMEMBERED: Final = 500
_CLEAR_LINE: Final = "\r\x1b[K"
_CLEAR_SCREEN: Final = "\x1b[H\x1b[2J"
_ESCAPE: Final = "\x1b"
_KEYS: Final = {
    "\x01": "home", "\x05": "end", "\x02": "left", "\x06": "right", "\x10": "up", "\x0e": "down",
    "\x7f": "backspace", "\x08": "backspace", "\x04": "delete", "\x0b": "cut the rest", "\x15": "cut all",
    "\x17": "cut a word", "\x0c": "clear", "\r": "enter", "\n": "enter",
    "[A": "up", "[B": "down", "[C": "right", "[D": "left", "[H": "home", "[F": "end", "[3~": "delete", "[1~": "home",
    "[4~": "end", "OA": "up", "OB": "down", "OC": "right", "OD": "left", "OH": "home", "OF": "end",
}  # fmt: skip


class Line:
    """The line that is being typed, and those before it. Pure: keys in, text and cursor out."""

    def __init__(self) -> None:
        self.text = ""
        self.at = 0
        """Where the cursor stands, in characters."""
        self._before: list[str] = []
        self._place = 0
        self._escape: str | None = None
        self._is_after_return = False

    def type(self, key: str) -> str | None:
        """Take one character; return the line when it is finished, and ``None`` until then."""
        if self._escape is not None:
            key = self._escape + key
            is_whole = len(key) > 1 and (key[-1].isalpha() or key[-1] == "~") and key != "O"
            self._escape = None if is_whole or len(key) > len("[3~") + 1 else key
            return self._do(_KEYS.get(key, "")) if is_whole else None
        if key == _ESCAPE:
            self._escape = ""
            return None
        is_second_half, self._is_after_return = key == "\n" and self._is_after_return, key == "\r"
        if is_second_half:
            return None  # CR LF is one end of a line: an empty one would be a press
        if key in _KEYS:
            return self._do(_KEYS[key])
        if key.isprintable():
            self.text = self.text[: self.at] + key + self.text[self.at :]
            self.at += 1
        return None

    def shown(self, width: int) -> tuple[str, int]:
        """Return the part of the line that fits so many columns and holds the cursor, and the cursor's column in it."""
        start = 0
        while cell_len(self.text[start : self.at]) >= width:
            start += 1
        part = self.text[start:]
        while cell_len(part) > width:
            part = part[:-1]
        return part, cell_len(self.text[start : self.at])

    def _do(self, act: str) -> str | None:  # noqa: C901 - one case a key
        text, at = self.text, self.at
        match act:
            case "enter":
                self.text, self.at = "", 0
                if text and text != (self._before or [""])[-1]:
                    self._before = [*self._before, text][-MOST_REMEMBERED:]
                self._place = len(self._before)
                return text
            case "left":
                self.at = max(at - 1, 0)
            case "right":
                self.at = min(at + 1, len(text))
            case "home":
                self.at = 0
            case "end":
                self.at = len(text)
            case "backspace" if at:
                self.text, self.at = text[: at - 1] + text[at:], at - 1
            case "delete":
                self.text = text[:at] + text[at + 1 :]
            case "cut the rest":
                self.text = text[:at]
            case "cut all":
                self.text, self.at = text[at:], 0
            case "cut a word":
                kept = text[:at].rstrip()
                kept = kept[: kept.rfind(" ") + 1]
                self.text, self.at = kept + text[at:], len(kept)
            case "up" | "down":
                self._place = min(max(self._place + (-1 if act == "up" else 1), 0), len(self._before))
                self.text = "".join(self._before[self._place : self._place + 1])
                self.at = len(self.text)
        return None


@implementer(IHalfCloseableProtocol)
class Prompt(Protocol):
    """Standard input and output. ``obey`` gets each line, ``end`` is called once when there will be no more."""

    def __init__(self, obey: Callable[[str], None], end: Callable[[], None], *, terminal: int | None) -> None:
        self._obey, self._end = obey, end
        self._terminal = terminal
        """The descriptor of the terminal; ``None`` without one."""
        self._line = Line()
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._modes: list[Any] | None = None
        self._is_open = False
        self._gone: Deferred[None] = Deferred()

    @property
    def width(self) -> int:
        """The columns that a line may take."""
        return shutil.get_terminal_size((WIDTH, 24)).columns if self._terminal is not None else WIDTH

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """Take every key from now on."""
        self._is_open = True
        if self._terminal is not None:
            self._modes = termios.tcgetattr(self._terminal)
            self._take_keys()
            signal.signal(signal.SIGCONT, lambda *_: self._take_keys())
            self._draw()

    def say(self, line: str) -> None:
        """Write a line above the one that is being typed."""
        if not self._is_open:
            return
        if self._terminal is None:
            self._write(f"{line}\n")
            return
        self._write(f"{_CLEAR_LINE}{fitted(line, self.width)}\n")
        self._draw()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Take what was typed."""
        for key in self._decode(data):
            if key == "\x04" and not self._line.text and self._terminal is not None:
                self._end()
                return
            if key == "\x0c" and self._terminal is not None:
                self._write(_CLEAR_SCREEN)
            line = self._line.type(key)
            if line is not None:
                self._finish(line)
        if self._terminal is not None:
            self._draw()

    def readConnectionLost(self) -> None:  # noqa: N802 - Twisted's name
        """Obey what was begun, as the last line; then there is no more."""
        if self._line.text:
            self._finish(self._line.text)
        self._end()

    def writeConnectionLost(self) -> None:  # noqa: N802 - Twisted's name
        """No one reads us any more."""
        self._be_gone()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802, ARG002 - Twisted's signature
        """No one types any more, or reads."""
        self._be_gone()

    async def leave(self) -> None:
        """Have everything written, and give the terminal back as it was."""
        if self._is_open:
            self._is_open = False
            if self._terminal is not None:
                self._write(_CLEAR_LINE)
            transport: Any = self.transport
            transport.loseConnection()
            await self._gone
        if self._terminal is not None and self._modes is not None:
            termios.tcsetattr(self._terminal, termios.TCSADRAIN, self._modes)

    def repeat(self, line: str) -> None:
        """Show a line that is obeyed now, where no terminal has shown it."""
        if self._terminal is None:
            self.say(f"{PROMPT}{one_line(line)}")

    def _be_gone(self) -> None:
        self._is_open = False
        if not self._gone.called:
            self._gone.callback(None)
            self._end()

    def _finish(self, line: str) -> None:
        if self._terminal is not None:
            self._write(f"{_CLEAR_LINE}{PROMPT}{fitted(line, self._room)}\n")
        self._obey(line)

    @property
    def _room(self) -> int:
        return max(self.width - len(PROMPT) - 1, 1)

    def _draw(self) -> None:
        if not self._is_open:
            return
        shown, column = self._line.shown(self._room)
        self._write(f"{_CLEAR_LINE}{PROMPT}{shown}\r\x1b[{len(PROMPT) + column}C")

    def _take_keys(self) -> None:
        if self._terminal is not None:
            tty.setcbreak(self._terminal)
            self._draw()

    def _write(self, text: str) -> None:
        transport: Any = self.transport
        transport.write(text.encode())
