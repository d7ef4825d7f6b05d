"""Shows and reads times as people at a terminal do: with their zone, by the clock of the service or in UTC."""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

if TYPE_CHECKING:
    from telephony.settings import Settings

EARLIEST_YEAR, LATEST_YEAR = 1970, 9000
"""Of a time that any clock can tell."""
_AGO = re.compile(r"([0-9]{1,5})\s*([smhd])", re.ASCII)
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

Said = timedelta | time | datetime
"""So long ago; a time of day; or a time, whose zone may be left out."""

utc_option = click.option(
    "--utc", "is_utc", is_flag=True, help="Times in UTC; without it, by [service] timezone."
)


def zone_of(settings: Settings, *, is_utc: bool) -> tzinfo:
    """Return the clock that a command shows times by."""
    return UTC if is_utc else settings.service.zone


def zone_in(config: Path, *, is_utc: bool) -> tzinfo | None:
    """Return the same where the settings are not loaded; None, which is this machine's clock, where there is no such file."""
    if is_utc:
        return UTC
    try:
        name = tomllib.loads(config.read_text()).get("service", {}).get("timezone")
        return _default_zone() if name is None else ZoneInfo(name)
    except (OSError, ValueError, LookupError, AttributeError, TypeError):
        return None  # `onetouch check` says what is wrong with it


def _default_zone() -> ZoneInfo:
    from telephony.settings.model import Service  # noqa: PLC0415 - pydantic is needed here alone

    return Service().zone


def clock_time(at: datetime, zone: tzinfo | None) -> str:
    """Return a time as every table shows it, e.g. ``2026-11-23 19:45:03 KST``."""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"


class Since(click.ParamType):  # type: ignore[type-arg] # generic in newer releases alone
    """A time in the past, as people write it."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Said:
        """Read what was written, or end the command and say what to write."""
        if not isinstance(value, str):
            return value  # type: ignore[no-any-return] # click may convert twice
        text = value.strip()
        try:
            if ago := _AGO.fullmatch(text):
                return timedelta(**{_UNITS[ago[2]]: int(ago[1])})
            if clock := _CLOCK.fullmatch(text):
                return time(int(clock[1]), int(clock[2]))
            return _within_the_calendar(datetime.fromisoformat(text))
        except ValueError:
            self.fail(
                f"{value!r} is no time: write 2h or 30m (ago), 21:30 (today), 2026-11-23 or 2026-11-23T21:30",
                param,
                ctx,
            )


def _within_the_calendar(at: datetime) -> datetime:
    """Return the time; raises `ValueError` for one at the ends of the calendar, which not every clock can tell."""
    if not EARLIEST_YEAR <= at.year <= LATEST_YEAR:
        raise ValueError(at)
    return at


def since(said: Said, zone: tzinfo, now: datetime) -> datetime:
    """Return the time that was said, by a clock; of a time of day that is still to come, yesterday's."""
    here = now.astimezone(zone)
    if isinstance(said, timedelta):
        return here - said
    if isinstance(said, datetime):
        return said if said.tzinfo is not None else said.replace(tzinfo=zone)
    today = datetime.combine(here.date(), said, zone)
    return today if today <= here else datetime.combine(here.date() - timedelta(days=1), said, zone)


def lasted(start: datetime, moment: datetime | None) -> str:
    """Return how long after the start something was, in at most eight characters, e.g. ``+42 ms`` or ``+3.5 min``."""
    if moment is None:
        return "-"
    seconds = (moment - start).total_seconds()
    if abs(seconds) < 1:
        return f"{seconds * 1000:+.0f} ms"
    for limit, unit, length in ((60, "s", 1), (3600, "min", 60), (86_400, "h", 3600)):
        if abs(seconds) < limit:
            return f"{seconds / length:+.1f} {unit}"
    return f"{seconds / 86_400:+.0f} d"
