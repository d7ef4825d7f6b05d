"""How large the journal may become, and how long it is waited for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SEGMENT_OCTETS: Final = 4 << 20
"""Of one file: some 8,000 presses, written with zeros before it is used, so that a sync has data alone to write."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """``largest_octets`` of all files together; ``budget_s`` is how long a press waits for them."""

    largest_octets: int = 64 << 20
    budget_s: float = 0.5
    segment_octets: int = SEGMENT_OCTETS
