"""Times are told with their zone and read as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import click
import pytest

from telephony.cli.times import Since, clock_time, lasted, since, zone_in

SEOUL, BERLIN = ZoneInfo("Asia/Seoul"), ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 23, 0, 30, tzinfo=UTC)  # half past nine in Seoul


@pytest.mark.parametrize(
    ("at", "zone", "told"),
    [
        (NOW, SEOUL, "2026-11-23 09:30:00 KST"),
        (NOW, UTC, "2026-11-23 00:30:00 UTC"),
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), BERLIN, "2026-10-25 02:30:00 CEST"),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), BERLIN, "2026-10-25 02:30:00 CET"),
    ],
)
def test_a_time_is_told_with_its_zone(at, zone, told):
    assert clock_time(at, zone) == told


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2h", NOW - timedelta(hours=2)),
        ("45 m", NOW - timedelta(minutes=45)),
        ("3d", NOW - timedelta(days=3)),
        ("09:15", datetime(2026, 11, 23, 0, 15, tzinfo=UTC)),
        ("23:50", datetime(2026, 11, 22, 14, 50, tzinfo=UTC)),
        ("2026-11-23", datetime(2026, 11, 22, 15, 0, tzinfo=UTC)),
        ("2026-11-23T08:00", datetime(2026, 11, 22, 23, 0, tzinfo=UTC)),
        ("2026-11-23 08:00:00", datetime(2026, 11, 22, 23, 0, tzinfo=UTC)),
        ("2026-11-23T08:00Z", datetime(2026, 11, 23, 8, 0, tzinfo=UTC)),
    ],
)
def test_a_time_in_the_past_is_read_by_the_clock_of_the_place(said, meant):
    assert since(Since().convert(said, None, None), SEOUL, NOW) == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "25:00",
        "2026-13-01",
        "-2h",
        "2 w",
        "999999d",
        "0001-01-01",
        "9999-12-31T23:59-23:59",
        "\uff12h",
    ],
)
def test_what_is_no_time_says_what_to_write(text):
    with pytest.raises(click.BadParameter, match="write 2h or 30m"):
        Since().convert(text, None, None)


def test_the_longest_ago_is_a_time():
    assert since(Since().convert("99999d", None, None), SEOUL, NOW).year == 1753


@pytest.mark.parametrize(
    ("after_s", "told"),
    [
        (0.042, "+42 ms"),
        (1.26, "+1.3 s"),
        (90, "+1.5 min"),
        (7200, "+2.0 h"),
        (400_000, "+5 d"),
        (-0.01, "-10 ms"),
    ],
)
def test_a_duration_takes_at_most_eight_characters(after_s, told):
    assert lasted(NOW, NOW + timedelta(seconds=after_s)) == told
    assert len(told) <= 8


@pytest.mark.parametrize(
    ("text", "name"),
    [('[service]\ntimezone = "Europe/Berlin"\n', "Europe/Berlin"), ("[service]\n", "Asia/Seoul")],
    ids=["named", "by default"],
)
def test_the_clock_of_a_settings_file_is_found_without_loading_it(tmp_path, text, name):
    file = tmp_path / "onetouch.toml"
    file.write_text(text)

    assert zone_in(file, is_utc=False) == ZoneInfo(name)
    assert zone_in(file, is_utc=True) is UTC


@pytest.mark.parametrize(
    "text", [None, "[", "service = 1\n", '[service]\ntimezone = "../x"\n', "[service]\ntimezone = 3\n"]
)
def test_without_settings_that_can_be_read_it_is_the_machines(tmp_path, text):
    file = tmp_path / "onetouch.toml"
    if text is not None:
        file.write_text(text)

    assert zone_in(file, is_utc=False) is None
