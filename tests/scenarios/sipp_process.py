"""sipp as a process: a phone or a 112 centre that follows one of the scenarios in ``sipp/``, and every message it saw."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from telephony.lab.phones.sip import Media, Request, Response, media_of, parse

SCENARIOS = Path(__file__).with_name("sipp")
LONGEST_S = 90
"""sipp waits for ever where an answer does not come."""

_SEEN = re.compile(
    rb"-{20,} (?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6})\r?\n"
    rb"UDP message (?P<way>sent|received) [\[(](?P<octets>\d+)(?:\]| bytes\))[^\n]*\n\n"
)


@dataclass(frozen=True)
class Seen:
    """A message that sipp sent or received, and when (Unix time)."""

    at: float
    is_sent: bool
    message: Request | Response


class Sipp:
    """One sipp. ``keys`` fill the scenario; ``options`` are sipp's own, such as ``-m``, ``-d``, ``-r``."""

    def __init__(
        self,
        folder: Path,
        scenario: str,
        *,
        local: tuple[str, int],
        remote: tuple[str, int] | None = None,
        keys: dict[str, str | int] | None = None,
        options: Sequence[str | int],
    ) -> None:
        program = shutil.which("sipp")
        assert program is not None, "sipp is not installed: run `bin/asterisk sipp` as root"
        folder.mkdir()
        self._messages, self._errors = folder / "messages", folder / "errors"
        command = [program, "-sf", SCENARIOS / f"{scenario}.xml", "-i", local[0], "-p", local[1], "-nostdin"]
        command += [] if remote is None else [f"{remote[0]}:{remote[1]}"]
        for key, value in (keys or {}).items():
            command += ["-key", key, value]
        command += ["-trace_msg", "-message_file", self._messages, "-trace_err", "-error_file", self._errors]
        command += ["-timeout", LONGEST_S, "-timeout_error", *options]
        self._process = subprocess.Popen(
            [str(word) for word in command],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    @property
    def is_over(self) -> bool:
        return self._process.poll() is not None

    @property
    def has_followed(self) -> bool:
        """Whether every call went as the scenario has it."""
        return self._process.poll() == 0

    @property
    def errors(self) -> str:
        """What sipp complains about."""
        return self._errors.read_text("utf-8", "replace") if self._errors.exists() else ""

    def close(self) -> None:
        """End it, wherever it is."""
        self._process.kill()
        self._process.wait()

    def seen(self) -> list[Seen]:
        """Return every message so far, in order."""
        text = self._messages.read_bytes() if self._messages.exists() else b""
        found = []
        for match in _SEEN.finditer(text):
            octets = text[match.end() : match.end() + int(match["octets"])]
            if len(octets) < int(match["octets"]):
                break  # the last one is being written
            at = datetime.fromisoformat(match["at"].decode()).timestamp()
            found.append(Seen(at, match["way"] == b"sent", parse(octets)))
        return found

    def requests(self, method: str) -> list[Seen]:
        """Return the requests of this method so far."""
        return [
            seen
            for seen in self.seen()
            if isinstance(seen.message, Request) and seen.message.method == method
        ]

    def statuses(self) -> list[int]:
        """Return the status of every response that it received."""
        return [
            seen.message.status
            for seen in self.seen()
            if isinstance(seen.message, Response) and not seen.is_sent
        ]

    def peer(self) -> Media | None:
        """Return where the other end listens to audio; ``None`` until it has said so."""
        heard = [media_of(seen.message) for seen in self.seen() if not seen.is_sent]
        return next((media for media in reversed(heard) if media is not None), None)
