"""What is said on the telephone, and that every prompt of it is there to be played."""

from __future__ import annotations

import string
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.asterisk.spoken.outgoing import spoken_variables
from telephony.asterisk.spoken.speech import (
    RADII,
    VOCABULARY,
    Numbering,
    guardian_speech,
    report_speech,
)
from telephony.domain.delivery import CLOSING, UPDATE
from telephony.domain.position import LAST_KNOWN, Position
from telephony.domain.report import Report
from telephony.domain.values import Msisdn
from telephony.services.spine.reporting import first_report
from tests.doubles import NOON, press

SOUNDS = Path(__file__).parents[3] / "dialplans" / "sounds"
SIZE_LIMIT = 1_600_000
SHORTEST_WORD = 1_600
"""Octets: 200 ms."""
HERE = Position(37.56651, 126.97804, 120.0, 95.0, "cell", "lbs:skt", NOON, NOON)
ALERT = first_report(press(), "sos-1")


def said(report: Report = ALERT, position: Position | None = HERE, **changes: Any) -> str:
    """Return the prompts of a report in English, without the language before each."""
    facts: dict[str, Any] = {"language": "en", "confirm_digit": "1", "repeat_digit": "2"}
    prompts = report_speech(report, position, changes.pop("now", NOON), **(facts | changes))
    return " ".join(name.removeprefix("en/") for name in prompts)


def said_to_guardian(caller: Msisdn, **changes: Any) -> str:
    facts: dict[str, Any] = {"does_112_know": True, "language": "en", "confirm_digit": "1"}
    return " ".join(name.removeprefix("en/") for name in guardian_speech(caller, **(facts | changes)))


def test_112_hears_who_where_how_exact_how_found_how_old_and_what_to_press():
    assert said() == (
        "report number 0 1 0 pause 1 2 3 4 pause 5 6 7 8 pause"
        " position within-200m by-cell age-1m"
        " north 3 7 point 5 6 pause 6 5 pause east 1 2 6 point 9 7 pause 8 0 pause"
        " silent pause to-confirm 1 key to-repeat 2 key"
    )


def test_every_prompt_carries_the_language():
    prompts = report_speech(ALERT, HERE, NOON, language="ko", confirm_digit="1", repeat_digit="2")

    assert all(name.startswith("ko/") for name in prompts)


def test_a_drill_says_so_before_anything_else():
    assert said(replace(ALERT, test=True)).startswith("drill report ")
    assert said_to_guardian(ALERT.msisdn, is_drill=True).startswith("drill guardian ")


def test_an_unknown_position_is_said_plainly():
    assert " no-position silent " in said(position=None)
    assert "north" not in said(position=None)


def test_a_closing_sends_no_car_anywhere():
    closing = said(replace(ALERT, kind=CLOSING))

    assert closing == (
        "closed number 0 1 0 pause 1 2 3 4 pause 5 6 7 8 pause pause to-confirm 1 key to-repeat 2 key"
    )


def test_an_update_is_said_like_the_alert():
    assert said(replace(ALERT, kind=UPDATE)) == said()


@pytest.mark.parametrize(
    ("radius_m", "words"),
    [
        (0.0, "within-50m"), (50.0, "within-50m"), (50.1, "within-100m"), (1_000.0, "within-1km"),
        (10_001.0, "within-30km"), (30_000.5, "within-more"), (None, "accuracy-unknown"),
    ],
)  # fmt: skip
def test_a_radius_is_said_no_smaller_than_it_is(radius_m: float | None, words: str):
    assert f" position {words} " in said(position=replace(HERE, uncertainty_m=radius_m))


def test_a_circle_of_little_confidence_is_said_at_95_percent():
    assert " within-500m " in said(position=replace(HERE, uncertainty_m=150.0, confidence=39.0))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "age-1m"), (60, "age-1m"), (61, "age-5m"), (3_601, "age-6h"), (21_601, "age-more")],
)
def test_an_age_is_said_no_smaller_than_it_is(seconds: int, words: str):
    assert f" {words} north" in said(now=NOON + timedelta(seconds=seconds))


def test_an_age_that_is_not_known_is_said_to_be_unknown():
    assert " age-unknown north" in said(position=replace(HERE, fixed_at=None))


def test_a_memory_of_an_earlier_incident_is_called_one():
    assert " last-known within-200m " in said(position=replace(HERE, source=LAST_KNOWN))


def test_a_way_of_finding_that_has_no_prompt_is_left_out():
    assert " within-200m age-1m " in said(position=replace(HERE, method="aml"))


def test_the_southern_and_western_halves_are_named():
    words = said(position=replace(HERE, latitude=-0.00004, longitude=-179.99996))

    assert " south 0 point 0 0 pause 0 0 pause west 1 8 0 point 0 0 pause 0 0 pause " in words


@pytest.mark.parametrize(
    ("msisdn", "words"),
    [
        (Msisdn("8221234567"), "number 0 pause 2 1 2 3 pause 4 5 6 7 pause"),
        (Msisdn("4915123456789"), "number plus 4 pause 9 1 5 1 pause 2 3 4 5 pause 6 7 8 9 pause"),
        (Msisdn("1366", is_e164=False), "number 1 3 6 6 pause"),
        (Msisdn(""), "number-unknown"),
        (Msisdn("SKT-info", is_e164=False), "number-unknown"),
        (Msisdn("١٢٣٤٥٦٧٨", is_e164=False), "number-unknown"),
        (Msisdn("1" * 21, is_e164=False), "number-unknown"),
    ],
)  # fmt: skip
def test_a_number_is_said_in_groups_of_which_the_last_ones_are_full(msisdn: Msisdn, words: str):
    assert said(replace(ALERT, msisdn=msisdn)).startswith(f"report {words} position ")


def test_another_country_has_another_trunk_prefix():
    words = said(
        replace(ALERT, msisdn=Msisdn("3612345678")), numbering=Numbering(country_code="36", trunk_prefix="06")
    )

    assert "number 0 6 pause 1 2 3 4 pause 5 6 7 8 pause" in words


def test_a_guardian_hears_whose_key_that_the_police_know_and_not_to_call():
    assert said_to_guardian(Msisdn("821012345678")) == (
        "guardian ends-in 5 6 7 8 pause police do-not-call pause to-confirm 1 key"
    )


def test_a_guardian_hears_that_the_police_have_not_answered_where_112_has_not_acknowledged():
    assert said_to_guardian(Msisdn(""), does_112_know=False) == (
        "guardian police-asked do-not-call pause to-confirm 1 key"
    )


def test_a_guardian_of_a_withheld_number_hears_the_rest():
    assert said_to_guardian(Msisdn("")) == "guardian police do-not-call pause to-confirm 1 key"


@given(
    latitude=st.floats(-90, 90),
    longitude=st.floats(-180, 180),
    radius_m=st.none() | st.floats(0, 1e9),
    number=st.text(alphabet=string.printable + "٣²", max_size=30),
    language=st.sampled_from(["ko", "en"]),
    age_s=st.integers(-10_000, 10_000_000),
)
def test_whatever_is_known_there_is_a_prompt_for_it(
    latitude: float, longitude: float, radius_m: float | None, *, number: str, language: Any, age_s: int
):
    """Nothing raises, nothing but the vocabulary is said, and AMI can carry it."""
    if latitude == longitude == 0:
        return
    position = Position(latitude, longitude, radius_m, None, "gnss", "device", NOON, NOON)
    caller = Msisdn.parse(number)
    report = replace(ALERT, msisdn=caller)

    prompts = report_speech(
        report,
        position,
        NOON + timedelta(seconds=age_s),
        language=language,
        confirm_digit="1",
        repeat_digit="2",
    )
    for known in (True, False):
        prompts += guardian_speech(caller, does_112_know=known, language=language, confirm_digit="1")

    assert {name.removeprefix(f"{language}/") for name in prompts} <= set(VOCABULARY)
    variables = spoken_variables(prompts, confirm_digit="1")
    assert all(len(f"Variable: {name}={value}") <= 1_000 for name, value in variables.items())


def test_radii_grow():
    assert [metres for metres, _ in RADII] == sorted(metres for metres, _ in RADII)


def test_every_prompt_has_a_text_and_a_file_in_both_languages():
    rows = [
        line.split("\t")
        for line in (SOUNDS / "prompts.tsv").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    ]
    needed = {f"{language}/{name}" for language in ("ko", "en") for name in VOCABULARY}
    written = [f"{language}/{name}" for language, name, _ in rows]
    files = {f"{path.parent.name}/{path.stem}": path.stat().st_size for path in SOUNDS.glob("*/*.ulaw")}

    assert needed <= set(written)
    assert sorted(written) == sorted(files), "bin/prompts makes the files of the table"
    assert min(files.values()) > SHORTEST_WORD
    assert sum(files[name] for name in needed) < SIZE_LIMIT
