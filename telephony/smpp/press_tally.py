"""Counts the messages of a link by kind, and the answers they got."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Tally:
    """Counted for metrics and for the console."""

    presses: int = 0
    accepted: int = 0
    retried: int = 0
    late: int = 0
    receipts: int = 0
    dialogues_over: int = 0
    """USSD messages that were no press: a dialogue ended by the phone or the network."""
    menu_messages: int = 0
    """USSD messages of the menu: no press."""
    service_texts: int = 0
    """Texts to a service number: no press."""
    faulty: int = 0
    last_press_at: float | None = None
