"""What each report says: as of the moment it was written down, on every attempt and every channel."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from telephony.domain.delivery import Delivered, Retry
from telephony.domain.report import EarlierReport, Report, UpdateReason
from telephony.domain.trigger import (
    PARTLY_UNREADABLE_TEXT,
    TOLD_LATE,
    UNLISTED_DESTINATION,
    UNREADABLE_TEXT,
    Part,
    PartKind,
    Repetition,
    Trigger,
)
from telephony.domain.values import Msisdn
from telephony.services.spine.reporting import first_report
from telephony.store.reports import LONGEST_TEXTS, MOST_REFERENCES, joined_texts
from telephony.store.texts import storable
from tests.doubles import NOON, WITH_FALLBACK, press
from tests.store.ledger import NOON_S, Ledger, call_fact, fix

ID = "sos-821012345678"
LABELS = (UNLISTED_DESTINATION, UNREADABLE_TEXT, PARTLY_UNREADABLE_TEXT, TOLD_LATE)
SIGNS = ("a", " ", "여", "🆘", "\0", "\ud83d", "\ude00")
PRESSES = itertools.count()


@pytest.fixture
def ledger(engines: tuple[Engine, Engine]) -> Ledger:
    return Ledger(engines[0])


def next_report(ledger: Ledger, *, after_s: float = 0.0) -> Report:
    """What 112 hears next; it takes it."""
    (claimed,) = ledger.claim(after_s=after_s)
    ledger.settle(claimed, Delivered(), after_s=after_s)
    assert isinstance(claimed.content, Report)
    return claimed.content


def words(text: str | None, part: Part | None = None) -> Any:
    return SimpleNamespace(
        text=text,
        part_reference=part and part.reference,
        part_total=part and part.total,
        part_number=part and part.number,
        part_kind=part and part.kind,
        part_octets=part and part.octets,
        encoding=part and part.alphabet,
    )


# -- the alert -----------------------------------------------------------------------------------------------

FIRST_PRESSES = [
    press(),
    press(text=None, encoding=None),
    press(text=""),
    press(text="a\x00b"),
    press(text="half \ud83d"),
    press(text="살려주세요 🆘"),
    press(test=True),
    press(part=Part(7, 3, 2)),
    press(part=Part(7, 3, 2), text=None),
    press(part=Part(65_535, 255, 255)),
    replace(press(), msisdn=Msisdn("KAKAO", is_e164=False)),
    replace(press(), msisdn=Msisdn("", is_e164=False)),
    press(received_at=NOON + timedelta(microseconds=123_457)),
    press(destination="9999", carrier="kt", connector="kt-2", source="call"),
    press(source="call", text=None, encoding=None, raw=None, facts=(call_fact("arrived"),)),
    press(facts=(call_fact("arrived"), call_fact("dialling", after_s=1.000_001), call_fact(n=2))),
    press(facts=(call_fact("a\x00b", legs="half \ud83d", **{"no\x00t": "여"}),)),
    press(facts=tuple(call_fact(n=number) for number in range(300))),
]


def test_the_alert_from_memory_is_the_very_alert_from_the_store(ledger: Ledger):
    """The direct relay and the lease in hand send what a claim would: the centre must see one and the same."""
    for number, trigger in enumerate(FIRST_PRESSES):
        one = replace(trigger, reference=f"ref-{number}")
        (recorded,) = ledger.record(one)
        incident_id = recorded.receipt.incident_id

        (claimed,) = ledger.claim(after_s=3600)

        assert claimed.content == first_report(one, incident_id)
        ledger.settle(claimed, Delivered())
        ledger.close(incident_id)
        next_report(ledger)


NUMBERS = st.integers(0, 99_999_999).map(lambda number: Msisdn(f"8210{number:08d}", is_e164=True))
PARTS = st.integers(1, 255).flatmap(
    lambda total: st.builds(
        Part,
        st.integers(0, 65_535),
        st.just(total),
        st.integers(1, total),
        st.sampled_from(PartKind),
        st.none() | st.binary(max_size=9),
        st.sampled_from([None, "gsm0338", "utf_16_be"]),
    )
)


@pytest.mark.parametrize("engines", ["sqlite"], indirect=True)
@given(
    trigger=st.builds(
        replace,
        st.just(press()),
        msisdn=NUMBERS | st.sampled_from([Msisdn("", is_e164=False), Msisdn("KAKAO", is_e164=False)]),
        text=st.none() | st.lists(st.sampled_from(SIGNS)).map("".join),
        part=st.none() | PARTS,
        test=st.booleans(),
        labels=st.lists(st.sampled_from(LABELS), unique=True).map(tuple),
        facts=st.lists(st.builds(call_fact, n=st.integers(1, 3)), max_size=3).map(tuple),
        destination=st.sampled_from(["112", "9999", ""]),
        received_at=st.integers(0, 10**9).map(lambda us: NOON + timedelta(microseconds=us)),
    )
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_first_press_says_memory_and_store_make_one_report_of_it(ledger: Ledger, trigger: Trigger):
    one = replace(trigger, reference=f"ref-{next(PRESSES)}")
    (recorded,) = ledger.record(one)
    incident_id = recorded.receipt.incident_id

    (claimed,) = ledger.claim(after_s=3600)

    assert claimed.content == first_report(one, incident_id)
    ledger.settle(claimed, Delivered(), after_s=3600)
    ledger.close(incident_id, at=NOON + timedelta(hours=1))
    next_report(ledger, after_s=3600)


def test_the_words_of_a_first_press_that_is_a_part_show_what_is_missing():
    assert first_report(press(part=Part(7, 3, 2), text="me"), ID).texts == ("…me…",)


# -- as of -----------------------------------------------------------------------------------------------------


def test_every_attempt_says_the_same_whatever_came_meanwhile(ledger: Ledger):
    ledger.record(press())
    (alert,) = ledger.claim()
    ledger.settle(alert, Retry("down"))
    ledger.again("1", after_s=1, text="second")
    ledger.locate(fix(after_s=2))
    ledger.close(at=NOON + timedelta(seconds=3))

    (again,) = ledger.claim(after_s=10)

    assert again.content == alert.content
    assert (again.content.press_count, again.content.texts, again.content.position) == (1, ("SOS",), None)


def test_an_update_that_was_begun_says_the_same_at_its_next_attempt(ledger: Ledger):
    ledger.record(press())
    next_report(ledger)
    ledger.locate(fix(500, after_s=1))
    (update,) = ledger.claim(after_s=1)
    ledger.settle(update, Retry("down"), after_s=1)
    ledger.again("1", after_s=2, text="second")
    ledger.locate(fix(20, after_s=3))

    (again,) = ledger.claim(after_s=10)

    assert again.content == update.content
    assert again.content.position == fix(500, after_s=1)


def test_both_channels_tell_the_same_report(engines: tuple[Engine, Engine]):
    ledger = Ledger(engines[0], WITH_FALLBACK)
    ledger.record(press())

    (first,), (stand_in,) = ledger.claim(after_s=60), ledger.claim("seoul-2", after_s=60)

    assert first.content == stand_in.content


def test_an_update_tells_the_newest_of_everything(ledger: Ledger):
    ledger.record(press())
    next_report(ledger)
    ledger.again("1", after_s=5, text="he is here", source="call")
    ledger.locate(fix(after_s=6))

    update = next_report(ledger, after_s=6)

    assert (update.kind, update.sequence, update.report_id) == ("update", 2, f"{ID}-2")
    assert (update.press_count, update.last_press_at) == (2, NOON + timedelta(seconds=5))
    assert update.texts == ("SOS", "he is here")
    assert update.position == fix(after_s=6)
    assert update.opened_at == NOON
    assert update.earlier == (EarlierReport(f"{ID}-1", NOON),)


def test_a_press_after_a_position_does_not_lose_the_position(ledger: Ledger):
    ledger.record(press())
    next_report(ledger)
    ledger.locate(fix(after_s=1))
    ledger.again("1", after_s=2)

    assert next_report(ledger, after_s=2).position == fix(after_s=1)


def test_the_closing_report_says_why_and_carries_the_last_position(ledger: Ledger):
    ledger.record(press())
    next_report(ledger)
    ledger.locate(fix(after_s=1))
    next_report(ledger, after_s=1)
    ledger.close(at=NOON + timedelta(seconds=9))

    closing = next_report(ledger, after_s=9)

    assert (closing.kind, closing.close_reason) == ("closing", "found safe")
    assert closing.position == fix(after_s=1)
    assert [earlier.report_id for earlier in closing.earlier] == [f"{ID}-1", f"{ID}-2"]


def test_a_report_of_very_many_names_the_alert_and_the_newest(ledger: Ledger):
    ledger.record(press())
    for number in range(30):
        next_report(ledger, after_s=100 * number)
        ledger.again(str(number), after_s=100 * number + 60)

    earlier = next_report(ledger, after_s=4000).earlier

    assert len(earlier) == MOST_REFERENCES
    assert [one.report_id for one in (earlier[0], earlier[1], earlier[-1])] == [
        f"{ID}-1",
        f"{ID}-12",
        f"{ID}-30",
    ]


def test_a_key_that_is_stuck_does_not_make_the_reports_heavy(ledger: Ledger):
    ledger.record(press())
    next_report(ledger)
    for number in range(2, 101):
        ledger.again(str(number), after_s=number, text=f"text {number}")

    update = next_report(ledger, after_s=200)

    assert update.press_count == 100
    assert update.last_press_at == NOON + timedelta(seconds=100)
    assert update.texts == tuple(f"text {number}" for number in range(81, 101))


def test_a_report_written_before_the_key_got_stuck_still_says_what_it_said(ledger: Ledger):
    ledger.record(press())
    next_report(ledger)
    for number in range(2, 61):
        ledger.again(str(number), after_s=number, text=f"text {number}")
    (update,) = ledger.claim(after_s=100)
    ledger.settle(update, Retry("down"))
    for number in range(61, 121):
        ledger.again(str(number), after_s=number, text=f"text {number}")

    (again,) = ledger.claim(after_s=200)

    assert again.content == update.content
    assert again.content.press_count == 60
    assert again.content.texts[-1] == "text 60"


def test_a_drill_says_so_on_every_report(ledger: Ledger):
    ledger.record(press(test=True))
    assert next_report(ledger).test
    ledger.close(at=NOON)
    assert next_report(ledger).test


def test_reports_of_many_incidents_claimed_together_never_mix(ledger: Ledger):
    callers = [f"8210{number:08d}" for number in range(50)]
    ledger.record(*[press(caller, text=f"I am {caller}") for caller in callers])

    claimed = ledger.claim(limit=100, after_s=NOON_S)

    assert {item.content.msisdn.number: item.content.texts for item in claimed} == {
        caller: (f"I am {caller}",) for caller in callers
    }


# -- words -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([], ()),
        ([words(None), words("")], ()),
        ([words("a"), words("b")], ("a", "b")),
        ([words("b", Part(1, 2, 2)), words("a", Part(1, 2, 1))], ("ab",)),
        ([words("b", Part(1, 3, 2))], ("…b…",)),
        ([words("c", Part(1, 3, 3)), words("between"), words("a", Part(1, 3, 1))], ("a…c", "between")),
        ([words("a", Part(1, 2, 1)), words("x", Part(2, 2, 1)), words("b", Part(1, 2, 2))], ("ab", "x…")),
        ([words("a", Part(1, 2, 1)), words("x", Part(1, 3, 1))], ("a…", "x……")),
        ([words(None, Part(1, 2, 1)), words("b", Part(1, 2, 2))], ("b",)),
        ([words("a", Part(1, 2, 1)), words("a", Part(1, 2, 1))], ("a…",)),
        ([words(t, Part(1, 2, n)) for t, n in (("a", 1), ("b", 2), ("c", 1), ("d", 2))], ("ab", "cd")),
        ([words("a", Part(1, 2, 1)), words("b", Part(1, 2, 2, PartKind.SAR))], ("a…", "…b")),
    ],
)
def test_parts_are_joined_in_their_order_where_the_first_of_them_came(
    said: list[Any], expected: tuple[str, ...]
):
    assert joined_texts(said) == expected


def test_112_reads_a_character_whole_that_was_cut_between_two_parts(ledger: Ledger):
    octets = "문을 부수고 있어요".encode("utf-16-be")
    first, second = (
        Part(7, 2, number, octets=part, alphabet="utf-16-be")
        for number, part in ((1, octets[:7]), (2, octets[7:]))
    )
    ledger.record(press(text="문을 ", encoding="utf-16-be", part=first))
    assert next_report(ledger).texts == ("문을 …",)

    ledger.again("1", after_s=1, text="수고 있어요", encoding="utf-16-be", part=second)

    update = next_report(ledger, after_s=1)
    assert update.texts == ("문을 부수고 있어요",)
    assert update.labels == ()


def test_parts_that_do_not_fit_together_are_remarked(ledger: Ledger):
    octets = "문을 부수고 있어요".encode("utf-16-be")
    pieces = (octets[:7], octets[7:8] + b"\xde\x31" + octets[10:])
    first, second = (
        Part(7, 2, number, octets=part, alphabet="utf-16-be") for number, part in enumerate(pieces, start=1)
    )
    ledger.record(press(text="문을 ", encoding="utf-16-be", part=first))
    next_report(ledger)

    ledger.again("1", after_s=1, text="고 있어요", encoding="utf-16-be", part=second)

    update = next_report(ledger, after_s=1)
    assert "\ufffd" in update.texts[0]
    assert update.labels == (PARTLY_UNREADABLE_TEXT,)


@given(st.permutations(range(1, 7)))
def test_parts_in_any_order_give_the_same_text(order: list[int]):
    said = [words(f"<{number}>", Part(200, 6, number)) for number in order]

    assert joined_texts(said) == ("<1><2><3><4><5><6>",)


@given(st.lists(st.text(max_size=5), max_size=60))
def test_only_the_last_words_are_told_and_in_their_order(texts: list[str]):
    said = [text for text in texts if text]

    assert joined_texts([words(text) for text in texts]) == tuple(said[-LONGEST_TEXTS:])


@given(st.text(st.characters(exclude_categories=[]), max_size=20))
def test_what_is_storable_is_utf_8_without_a_nul(text: str):
    stored = storable(text)

    assert stored is not None
    assert "\x00" not in stored
    assert len(stored) == len(text)
    assert stored.encode().decode() == stored
    assert storable(stored) == stored


@given(
    st.none() | st.text(max_size=5),
    st.none()
    | st.integers(1, 255).flatmap(
        lambda total: st.builds(Part, st.just(7), st.just(total), st.integers(1, total))
    ),
)
def test_the_words_of_the_first_press_are_the_same_from_memory_and_store(text: str | None, part: Part | None):
    assert first_report(press(text=text, part=part), ID).texts == joined_texts([words(storable(text), part)])


# -- positions -------------------------------------------------------------------------------------------------------


def test_a_report_says_the_newest_and_the_sharpest_fix_beside_its_circle_on_every_attempt(ledger: Ledger):
    ledger.record(press())
    next_report(ledger)
    sharp, coarse = fix(20, after_s=1), [fix(1_000, after_s=600), fix(1_000, after_s=930)]
    ledger.locate(sharp)
    assert next_report(ledger, after_s=1).newest is None
    ledger.locate(coarse[0])
    (claimed,) = ledger.claim(after_s=600)
    ledger.settle(claimed, Retry("no answer", 1.0), after_s=600)
    ledger.locate(coarse[1])

    again = next_report(ledger, after_s=930)
    assert again == claimed.content
    assert (again.position, again.newest, again.sharpest) == (coarse[0], None, sharp)
    later = next_report(ledger, after_s=931)
    assert (later.position, later.newest, later.sharpest) == (coarse[1], None, sharp)


@pytest.mark.parametrize("number", ["x", [1], -1, 2**70, True, None])
def test_a_payload_that_names_no_number_names_no_position(ledger: Ledger, number: Any):
    ledger.record(press())
    next_report(ledger)
    ledger.locate(fix(20, after_s=1))
    payload = json.dumps({"presses": 1, "position": 1, "newest": number, "sharpest": number})
    damage = text("UPDATE delivery SET payload = :payload WHERE kind = 'update'")
    ledger.transact(lambda connection: connection.execute(damage, {"payload": payload}))

    report = next_report(ledger, after_s=1)

    assert report.position == fix(20, after_s=1)
    assert {report.newest, report.sharpest} <= {None, fix(20, after_s=1)}


# -- a key that is stuck -----------------------------------------------------------------------------------------


def told_within(ledger: Ledger, moments: list[float]) -> list[tuple[float, int]]:
    """Press at each moment and take what is due; give when 112 was told, and of how many presses."""
    told = []
    for number, at in enumerate(moments):
        ledger.again(f"{number}", after_s=at)
        for claimed in ledger.claim(after_s=at):
            assert isinstance(claimed.content, Report)
            told.append((at, claimed.content.press_count))
            ledger.settle(claimed, Delivered(), after_s=at)
    return told


def test_the_first_repeats_are_told_at_once_and_later_ones_at_a_bounded_rate(ledger: Ledger):
    ledger.record(press())
    next_report(ledger)

    told = told_within(ledger, [float(second) for second in range(1, 61)])

    at_once = [(second, second + 1) for second in range(1, 10)]
    assert told == [*at_once, (14, 15), (19, 20), (24, 25), (29, 30), (59, 60)]


def test_a_key_pressed_forty_times_a_second_is_a_few_updates_at_first_and_then_one_a_minute(ledger: Ledger):
    ledger.record(press())
    next_report(ledger)

    told = told_within(ledger, [1 + tick / 40 for tick in range(40 * 12)])

    assert [press_count for _, press_count in told] == [*range(2, 11), 210]
    ledger.again("last", after_s=13)
    assert ledger.claim(after_s=66) == []
    assert next_report(ledger, after_s=67).press_count == 482


def test_presses_far_apart_are_each_told_at_once(ledger: Ledger):
    ledger.record(press())
    next_report(ledger)

    assert len(told_within(ledger, [61.0 * number for number in range(1, 31)])) == 30


def stuck(ledger: Ledger) -> None:
    """Leave an update waiting that tells of the eleventh press."""
    ledger.record(press())
    next_report(ledger)
    told_within(ledger, [number / 10 for number in range(1, 10)])
    ledger.again("waits", after_s=2)
    assert ledger.claim(after_s=2) == []


def test_other_news_makes_an_update_that_waits_due_at_once(ledger: Ledger):
    stuck(ledger)

    ledger.locate(fix(after_s=3))

    update = next_report(ledger, after_s=3)
    assert (update.press_count, update.position) == (11, fix(after_s=3))
    assert update.reasons == (UpdateReason.PRESSED_AGAIN, UpdateReason.POSITION)
    assert update.sent_at == NOON + timedelta(seconds=3)


def test_a_press_does_not_make_an_update_wait_that_tells_something_else(ledger: Ledger):
    stuck(ledger)
    ledger.locate(fix(after_s=3))

    ledger.again("more", after_s=4)

    assert next_report(ledger, after_s=4).press_count == 12


def test_the_end_does_not_wait_for_an_update_that_waits(ledger: Ledger):
    stuck(ledger)

    ledger.close(at=NOON + timedelta(seconds=3))

    assert [next_report(ledger, after_s=3).kind for _ in range(2)] == ["update", "closing"]


def test_a_fallback_channel_keeps_its_distance_when_an_update_is_hurried(engines: tuple[Engine, Engine]):
    ledger = Ledger(engines[0], WITH_FALLBACK)
    stuck(ledger)

    ledger.locate(fix(after_s=3))

    waiting = [
        row for row in ledger.rows("delivery") if row["kind"] == "update" and row["state"] == "pending"
    ]
    due = {row["channel"]: row["due_at"] / 1e6 - NOON_S for row in waiting}
    assert due == {"seoul": 3.0, "seoul-2": 8.0}


def test_what_was_seen_again_says_the_same_at_every_attempt(ledger: Ledger):
    words = {"reference": "words", "repetition": Repetition.UNKNOWN}
    ledger.record(press(**words))
    next_report(ledger)
    ledger.record(press(received_at=NOON + timedelta(seconds=7), **words))
    (update,) = ledger.claim(after_s=7)
    ledger.settle(update, Retry("down"), after_s=7)
    ledger.record(press(received_at=NOON + timedelta(seconds=8), **words))

    (again,) = ledger.claim(after_s=10)

    assert again.content == update.content
    assert isinstance(again.content, Report)
    assert again.content.seen_again_at == NOON + timedelta(seconds=7)
    assert again.content.reasons == (UpdateReason.SEEN_AGAIN,)
    assert again.content.press_count == 1
