"""The key that incidents are named under: a file of 32 octets, read once and held in memory."""

from __future__ import annotations

import secrets
from pathlib import Path

import structlog

log = structlog.get_logger()

KEY_OCTETS = 32
FILE = "service.key"


class ServiceKey:
    """The key, and what is wrong with its file. A press needs a key, whatever became of the file.

    With a key of this process alone everything goes on; but a press that was told directly gets another name when it
    comes again after a restart, or by another daemon.
    """

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / FILE
        self.trouble: str | None = None
        """Why names do not outlive this process, in a sentence."""
        self.octets = self._read()

    def look(self) -> None:
        """See that the file still holds the key, and put it back where it is gone: the next start would make another."""
        try:
            if self._found() == self.octets:
                self.trouble = None
            elif self.trouble is None:
                self.trouble = (
                    f"{self.path} is not the key in use any more: bring that back, or restart to use this one"
                )
        except FileNotFoundError:
            self._put_back()
        except OSError as error:
            self.trouble = f"{self.path}: {error.strerror}"

    def _put_back(self) -> None:
        try:
            self._write(self.octets)
        except OSError as error:
            self.trouble = f"{self.path} is gone and cannot be put back: {error.strerror}"
        else:
            log.warning("service key put back from memory", path=str(self.path))

    def _read(self) -> bytes:
        try:
            if not self.path.exists():
                self._write(secrets.token_bytes(KEY_OCTETS))
            octets = self._found()
        except OSError as error:
            return self._of_this_process(f"{self.path}: {error.strerror}")
        if len(octets) != KEY_OCTETS:
            return self._of_this_process(
                f"{self.path} is not {KEY_OCTETS} octets long: bring it back from its backup, and restart"
            )
        return octets

    def _found(self) -> bytes:
        with self.path.open("rb") as file:
            return file.read(KEY_OCTETS + 1)

    def _write(self, octets: bytes) -> None:
        """Write it whole or not at all: a process may be killed at any instant."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self.path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_bytes(octets)
        fresh.replace(self.path)

    def _of_this_process(self, trouble: str) -> bytes:
        # Only the name of an incident across a restart depends on it; a press does not.
        self.trouble = trouble
        log.critical("service key not kept", error=trouble)
        return secrets.token_bytes(KEY_OCTETS)
