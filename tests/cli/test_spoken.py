"""What is read aloud into a telephone: numbers, times, ages, lines."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.cli.spoken import COLUMNS, Numbering, clock, dialled, since, spoken, wrapped
from telephony.domain.values import Msisdn

HOME = Numbering("82", "0")
NOW = datetime(2026, 3, 1, 21, 0, tzinfo=timezone(timedelta(hours=9)))


@pytest.mark.parametrize(
    ("number", "as_dialled"),
    [
        ("821012345678", "010-1234-5678"),
        ("82101234567", "010-123-4567"),
        ("82212345678", "02-1234-5678"),
        ("8227654321", "02-765-4321"),
        ("8231123456", "031-12-3456"),
        ("821544", "0-1544"),
        ("14155550123", "+1415-555-0123"),
        ("8613912345678", "+861-391-234-5678"),
    ],
)
def test_a_number_is_told_as_it_is_dialled_here(number, as_dialled):
    assert dialled(Msisdn(number), HOME) == as_dialled


def test_what_is_no_global_number_is_told_as_the_carrier_gave_it():
    assert dialled(Msisdn("1366", is_e164=False), HOME) == "1366"
    assert spoken("1366", "ko") == "일삼육육"
    assert spoken("*112#", "en") == "star one one two hash"
    assert spoken("BANK", "ko") == "BANK"


def test_a_number_is_read_digit_by_digit_with_a_pause_after_each_group():
    assert spoken("010-1234-5678", "ko") == "공일공, 일이삼사, 오육칠팔"
    assert spoken("010-1234-5678", "en") == "zero one zero, one two three four, five six seven eight"
    assert spoken("+1415-555-0123", "ko") == "플러스 일사일오, 오오오, 공일이삼"
    assert spoken("+1415-555-0123", "en").startswith("plus one four one five, ")


@pytest.mark.parametrize(
    ("ago", "korean", "english"),
    [
        (timedelta(seconds=-5), "방금 전", "just now"),
        (timedelta(seconds=59), "방금 전", "just now"),
        (timedelta(minutes=1), "1분 전", "1 minute ago"),
        (timedelta(minutes=59, seconds=59), "59분 전", "59 minutes ago"),
        (timedelta(hours=1), "1시간 전", "1 hour ago"),
        (timedelta(hours=3, minutes=5), "3시간 5분 전", "3 hours 5 minutes ago"),
        (timedelta(days=2, hours=4, minutes=9), "2일 4시간 전", "2 days 4 hours ago"),
    ],
)
def test_an_age_has_two_units_at_most(ago, korean, english):
    assert (since(NOW - ago, NOW, "ko"), since(NOW - ago, NOW, "en")) == (korean, english)
    assert since((NOW - ago).astimezone(UTC), NOW, "ko") == korean


def test_a_time_names_its_day_only_where_that_is_not_today():
    assert clock(NOW - timedelta(hours=2), NOW, "ko") == "오늘 19시 0분"
    assert clock(NOW - timedelta(hours=2), NOW, "en") == "at 19:00 today"
    assert clock(NOW - timedelta(days=1), NOW, "ko") == "2월 28일 21시 0분"
    assert clock(NOW - timedelta(days=1), NOW, "en") == "at 21:00 on 28 February"


@given(st.text(alphabet="가나다 abc.", max_size=400))
def test_lines_fit_a_terminal_and_lose_no_word(line):
    lines = list(wrapped(line))
    assert " ".join(lines).split() == line.split()
    for each in lines:
        wide = sum(2 if unicodedata.east_asian_width(letter) == "W" else 1 for letter in each)
        assert wide <= COLUMNS or " " not in each.strip()


@given(st.text(alphabet="0123456789", min_size=1, max_size=15))
def test_every_digit_of_a_number_is_told_once_and_in_order(digits):
    grouped = dialled(Msisdn(digits), HOME).replace("-", "")
    assert grouped in (f"+{digits}", "0" + digits.removeprefix("82"))
    assert len(spoken(grouped.removeprefix("+"), "ko")) == len(grouped.removeprefix("+"))
