"""Finds faults of the USSD settings: a text that betrays the press, or is too long for a phone; a code with two meanings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from telephony.domain.errors import Malformed
from telephony.domain.silence import betraying_words
from telephony.settings.keys import Path
from telephony.smpp.wire.ussd import page


def ussd_findings(raw: dict[str, Any]) -> Iterator[tuple[Path, str, str]]:
    """Return (where, what is wrong, what to write instead)."""
    yield from _texts(raw)
    yield from _codes_that_are_drills(raw)


def _texts(raw: dict[str, Any]) -> Iterator[tuple[Path, str, str]]:
    table = raw.get("ussd")
    for key, text in (table if isinstance(table, dict) else {}).items():
        if key not in ("closing_ko", "closing_en") or not isinstance(text, str):
            continue
        words = betraying_words(text)
        if words:
            problem = f'"{words[0]}" tells anyone who sees the phone what was dialled'
            yield ("ussd", key), problem, 'write a text that could follow any code, e.g. "Request completed."'
        try:
            page(text)
        except Malformed as error:
            yield ("ussd", key), str(error), "write a shorter text"


def _codes_that_are_drills(raw: dict[str, Any]) -> Iterator[tuple[Path, str, str]]:
    """Find codes that are drills too, with or without their signs: gateways drop them."""
    general = _table(raw, "recognition")
    tables: list[tuple[Path, dict[str, Any]]] = [(("recognition",), general)]
    carriers = raw.get("carrier")
    for index, carrier in enumerate(carriers if isinstance(carriers, list) else []):
        own = _table(carrier, "recognition")
        if own:
            tables.append((("carrier", index, "recognition"), {**general, **own}))
    for at, table in tables:
        drills = {_bare(number) for number in _texts_of(table.get("test_numbers"))}
        for index, code in enumerate(_texts_of(table.get("ussd_codes"))):
            if _bare(code) in drills:
                problem = f'"{code}" is a test number too, with or without its signs, and could be either'
                yield (*at, "ussd_codes", index), problem, "take it out of one of the two lists"


def _table(raw: Any, key: str) -> dict[str, Any]:
    table = raw.get(key) if isinstance(raw, dict) else None
    return table if isinstance(table, dict) else {}


def _texts_of(items: Any) -> list[str]:
    return [item for item in items if isinstance(item, str)] if isinstance(items, list) else []


def _bare(code: str) -> str:
    return code.strip("*#")
