"""Shows incidents in words and as plain values for JSON: pure functions of what the store gave.

Numbers are masked, and what a caller wrote or tapped is told by its length alone, unless all of it is revealed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, tzinfo
from typing import Any

from telephony.cli.story_facts import fact_in_words, order_in_words, shown
from telephony.cli.times import clock_time
from telephony.domain.facts import Newer
from telephony.domain.position import Position
from telephony.safe_text import one_line
from telephony.store.fact_rows import to_data
from telephony.store.incidents import Happened, IncidentRow, Story, StoryLine


def as_plain_row(row: IncidentRow, *, is_revealed: bool = False) -> dict[str, Any]:
    """Return a row as JSON can say it; the milliseconds count from the first press, ``null`` while not yet."""
    return {
        "incident": row.id,
        "state": row.state,
        "msisdn": caller_of(row, is_revealed=is_revealed),
        "carrier": row.carrier,
        "source": row.source,
        "test": row.test,
        "opened_at": row.opened_at.isoformat(timespec="milliseconds"),
        "press_count": row.press_count,
        "last_press_at": row.last_press_at.isoformat(timespec="milliseconds"),
        "told_ms": _since(row.opened_at, row.told_at),
        "located_ms": _since(row.opened_at, row.located_at),
        "closed_at": None if row.closed_at is None else row.closed_at.isoformat(timespec="milliseconds"),
        "close_reason": row.close_reason,
    }


def caller_of(row: IncidentRow, *, is_revealed: bool = False) -> str:
    """Return the caller's number, masked unless it is revealed."""
    if row.msisdn is None:
        return "(unreadable)"
    return row.msisdn.international if is_revealed and not row.msisdn.is_withheld else row.msisdn.masked


def as_plain_story(told: Story, *, with_coordinates: bool, is_revealed: bool = False) -> dict[str, Any]:
    """Return a story as JSON can say it; revealed, with everything that was written, tapped and known of the person."""
    opened_at = told.incident.opened_at
    lines = []
    for line in told.lines:
        facts: dict[str, Any] = {
            "at": line.at.isoformat(timespec="milliseconds"),
            "since_ms": _since(opened_at, line.at),
            "what": str(line.kind),
            **_facts_to_tell(line, is_revealed=is_revealed),
        }
        if (with_coordinates or is_revealed) and line.position is not None:
            facts["latitude"], facts["longitude"] = line.position.latitude, line.position.longitude
        lines.append(facts)
    return {**as_plain_row(told.incident, is_revealed=is_revealed), "owed": told.owed, "story": lines}


def as_story(
    told: Story, zone: tzinfo, *, with_coordinates: bool, is_revealed: bool = False
) -> Iterator[str]:
    """Return a story as lines to read."""
    row = told.incident
    test = ", a test" if row.test else ""
    caller = caller_of(row, is_revealed=is_revealed)
    yield one_line(f"{row.id}: {row.state}{test}; {caller} by {row.source} through {row.carrier}")
    yield f"first press {clock_time(row.opened_at, zone)}, {row.press_count} in all"
    for line in told.lines:
        words = _told(line, with_coordinates=with_coordinates or is_revealed)
        yield one_line(f"{_moment(row.opened_at, line.at):>12}  {words}")
        if is_revealed:
            yield from (one_line(f"{'':>14}{each}") for each in _revealed(line))
    if told.owed:
        yield f"112 has not acknowledged {told.owed} report{'s' if told.owed > 1 else ''} yet"


def _facts_to_tell(line: StoryLine, *, is_revealed: bool = False) -> dict[str, Any]:
    facts = {key: value for key, value in line.facts.items() if value is not None}
    if not is_revealed and (text := facts.pop("text", None)) is not None:
        facts["text_length"] = len(text)
    if line.known is not None:
        facts["told"] = to_data(line.known) if is_revealed else shown(line.known)
    return facts


def _revealed(line: StoryLine) -> Iterator[str]:
    """Return what a line of the story leaves out, for a reader who has said why."""
    if text := line.facts.get("text"):
        yield f"text: {' '.join(text.split())}"
    if line.known is not None:
        hidden = {name: text for name, text in to_data(line.known).items() if name not in shown(line.known)}
        yield from (f"{name}: {' '.join(text.split())}" for name, text in hidden.items())


def _told(line: StoryLine, *, with_coordinates: bool) -> str:
    facts = line.facts
    match line.kind:
        case Happened.PRESS:
            return _press(facts)
        case Happened.POSITION:
            return _position(line, facts, line.position if with_coordinates else None)
        case Happened.FACT if line.known is not None:
            return fact_in_words(line.known)
        case Happened.CLOSED:
            return f"closed: {facts.get('reason')}"
        case (
            Happened.PLANNED
            | Happened.DELIVERED
            | Happened.REJECTED
            | Happened.SUPERSEDED
            | Happened.NEXT_ATTEMPT
        ):
            return _report(line.kind, facts)
        case Happened.FACT | Newer():
            return f"{line.kind} " + " ".join(f"{key}={value}" for key, value in _facts_to_tell(line).items())


def _press(facts: Mapping[str, Any]) -> str:
    words = f"press {facts.get('number')} by {facts.get('source')} on {facts.get('connector')}"
    words += f" to {facts.get('destination')}: {facts.get('joined')}"
    if part := facts.get("part"):
        words += f", part {part}"
    text = facts.get("text")
    words += ", no readable text" if text is None else f", text of {len(text)} characters"
    if (seen := facts.get("seen") or 1) > 1:
        words += f", delivered {seen} times"
    return words


def _position(line: StoryLine, facts: Mapping[str, Any], shown: Position | None) -> str:
    radius, confidence = facts.get("uncertainty_m"), facts.get("confidence")
    words = f"position {facts.get('number')} by {facts.get('source')} ({facts.get('method')})"
    words += ", no radius stated" if radius is None else f", within {radius:.0f} m"
    if radius is not None and confidence is not None:
        words += f" at {confidence:.0f} %"
    if line.position is not None:
        age_s = line.position.age_s(line.at)
        words += ", of unknown age" if age_s is None else f", {age_s:.0f} s old"
    if shown is not None:
        words += f", at {shown.latitude:z.6f},{shown.longitude:z.6f}"
    return words + ("" if facts.get("became_best") else ", not better than what was known")


def _report(kind: Happened, facts: Mapping[str, Any]) -> str:
    sequence = facts.get("sequence") or 0
    if sequence < 0:
        return order_in_words(kind, facts)
    if sequence == 0:
        return f"{facts.get('channel')} ended: {facts.get('detail') or kind}"
    report = f"{facts.get('kind')} {facts.get('sequence')} to {facts.get('channel')}"
    attempts = facts.get("attempts") or 0
    detail = f": {facts['detail']}" if facts.get("detail") else ""
    match kind:
        case Happened.PLANNED:
            return f"{report} written down{f': {why}' if (why := facts.get('why')) else ''}"
        case Happened.DELIVERED:
            return f"{report} ACKNOWLEDGED{f' at attempt {attempts}' if attempts > 1 else ''}{detail}"
        case Happened.REJECTED:
            return f"{report} REJECTED{detail}"
        case _:
            return f"{report} still owed, next attempt here ({attempts} so far){detail}"


def _since(start: datetime, moment: datetime | None) -> float | None:
    return None if moment is None else round((moment - start).total_seconds() * 1000, 3)


def _moment(start: datetime, moment: datetime | None) -> str:
    since_ms = _since(start, moment)
    return "-" if since_ms is None else f"{since_ms:+.0f} ms"
