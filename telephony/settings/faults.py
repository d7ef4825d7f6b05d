"""A fault of the settings: where it is, what is wrong, and what to write instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from telephony.domain.errors import OnetouchError


@dataclass(frozen=True, slots=True)
class Fault:
    """One line for the operator.

    ``file`` as it was named; ``key`` as a path into that file, counted from 0 (``carrier[1].smpp[0].port``), or
    ``line 3, column 8``, or empty for the file as a whole. ``problem`` and ``instead`` never hold a secret.
    """

    file: str
    key: str
    problem: str
    instead: str

    def __str__(self) -> str:
        where = f"{self.file}: {self.key}" if self.key else self.file
        return f"{where}: {self.problem}; {self.instead}"


class SettingsFaults(OnetouchError):  # noqa: N818 - the faults of the settings, all of them
    """The settings cannot be used. ``faults`` lists everything that is wrong, the main file first."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))
