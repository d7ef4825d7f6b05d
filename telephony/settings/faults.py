"""A fault of the settings, or a remark: its place, the problem, and what to write instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from telephony.domain.errors import OnetouchError


class Weight(StrEnum):
    """How much a finding weighs."""

    FAULT = "fault"
    """It is wrong, and is to be corrected."""
    REMARK = "remark"
    """It is allowed, and hardly meant."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One line for the operator.

    ``file`` as it was named; ``key`` as a path into that file, counted from 0 (``carrier[1].smpp[0].port``), or
    ``column 8``, or empty for the file as a whole. ``line`` counts from 1, None where there is none. ``table`` is the table
    with a name that the key is in ("link kt-2"), and ``within`` the key from there on. ``problem`` and ``instead`` never hold
    a secret.
    """

    file: str
    key: str
    problem: str
    instead: str
    line: int | None = None
    table: str = ""
    within: str = ""
    weight: Weight = Weight.FAULT

    @property
    def where(self) -> str:
        """The file, and the line where it is known."""
        return self.file if self.line is None else f"{self.file}:{self.line}"

    @property
    def what(self) -> str:
        """The table and the key, as people say it: ``(link kt-2) password``."""
        return f"({self.table}) {self.within}".rstrip() if self.table else self.key

    def __str__(self) -> str:
        remark = "remark" if self.weight is Weight.REMARK else ""
        head = ": ".join(filter(None, (self.where, remark, self.what)))
        return f"{head}: {self.problem}; {self.instead}" if head else f"{self.problem}; {self.instead}"


class SettingsFaults(OnetouchError):  # noqa: N818 - the faults of the settings, all of them
    """The settings cannot be used. ``faults`` lists everything that is wrong, the main file first."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))
