"""From presses to incidents, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, update

from telephony.domain.incident import CLOSED, Join, Receipt
from telephony.domain.plan import Plan, ReportRoute
from telephony.domain.trigger import Part, Repetition, Trigger
from telephony.domain.values import Msisdn
from telephony.store import schema
from telephony.store.incidents import close_incident, list_incidents
from telephony.store.presses import NewPress, PressRecorder, Recorded, Rules
from tests.doubles import NOON, ONE_CENTRE, WITH_FALLBACK, press
from tests.store.ledger import Ledger, call_fact


class Book:
    """A store in which presses are recorded one group a transaction."""

    def __init__(self, writing: Engine, plan: Plan = ONE_CENTRE) -> None:
        self.engine = writing
        self.plan = plan
        self.recorder = PressRecorder(Rules(plan, "me", {"skt": 600.0}))

    def record(self, *triggers: Trigger, leases: dict[str, float] | None = None) -> list[Recorded]:
        items = [NewPress(trigger, f"sos-{trigger.msisdn.number}", leases or {}) for trigger in triggers]
        with self.engine.connect() as connection, connection.begin():
            return self.recorder(connection, items)

    def rows(self, table: str) -> list[dict[str, object]]:
        return Ledger(self.engine).rows(table)

    def close(self, incident_id: str) -> None:
        with self.engine.connect() as connection, connection.begin():
            assert close_incident(connection, self.plan, incident_id, "found safe", NOON)


@pytest.fixture
def book(engines: tuple[Engine, Engine]) -> Book:
    return Book(engines[0])


def test_a_first_press_opens_an_incident_with_an_alert_and_a_location_errand(book: Book):
    (recorded,) = book.record(press())

    assert recorded.receipt.joined == Join.FIRST
    (incident,) = book.rows("incident")
    assert (incident["id"], incident["state"], incident["press_count"]) == ("sos-821012345678", "open", 1)
    assert [(d["channel"], d["kind"], d["sequence"]) for d in book.rows("delivery")] == [
        ("locate:skt", "locate", 0),
        ("seoul", "alert", 1),
    ]


def test_a_redelivery_gets_the_same_receipt_and_is_only_counted(book: Book):
    (first,) = book.record(press())

    (again,) = book.record(press(received_at=NOON + timedelta(seconds=90), connector="skt-2"))

    assert again.receipt.incident_id == first.receipt.incident_id
    assert again.receipt.joined == Join.REDELIVERED
    assert again.receipt.is_duplicate
    assert [row["seen"] for row in book.rows("press")] == [2]
    assert book.rows("incident")[0]["press_count"] == 1
    assert len(book.rows("delivery")) == 2


def test_a_redelivery_in_the_very_same_group_is_recognised_too(book: Book):
    first, again = book.record(press(), press())

    assert not first.receipt.is_duplicate
    assert again.receipt.is_duplicate
    assert [row["seen"] for row in book.rows("press")] == [2]


@pytest.mark.parametrize("repetition", [Repetition.UNKNOWN, Repetition.DOUBTFUL, Repetition.REDELIVERY])
def test_the_same_words_after_the_repeat_window_are_a_new_press(book: Book, repetition: Repetition):
    book.record(press())

    (later,) = book.record(press(received_at=NOON + timedelta(seconds=601), repetition=repetition))

    assert later.receipt.joined == Join.REPEAT
    assert not later.receipt.is_duplicate
    assert book.rows("incident")[0]["press_count"] == 2
    assert len(book.rows("press")) == 2


def test_a_carrier_that_comes_later_has_a_window_of_its_own(book: Book):
    book.recorder.repeat_within({"skt": 600.0, "kt": 60.0})
    book.record(press(carrier="kt"))

    within, later = (
        book.record(
            press(carrier="kt", received_at=NOON + timedelta(seconds=after_s), repetition=Repetition.UNKNOWN)
        )[0]
        for after_s in (59, 61)
    )

    assert (within.receipt.is_duplicate, later.receipt.is_duplicate) == (True, False)


def said(after_s: float, repetition: Repetition = Repetition.UNKNOWN, reference: str = "words") -> Trigger:
    """The same words again, so many seconds after noon."""
    return press(reference=reference, received_at=NOON + timedelta(seconds=after_s), repetition=repetition)


@pytest.mark.parametrize("repetition", [Repetition.UNKNOWN, Repetition.DOUBTFUL, Repetition.REDELIVERY])
def test_a_redelivery_of_a_late_repeat_is_recognised(book: Book, repetition: Repetition):
    book.record(said(0))
    book.record(said(700))

    (again,) = book.record(said(760, repetition))

    assert again.receipt.is_duplicate
    assert [row["seen"] for row in sorted(book.rows("press"), key=lambda row: row["number"])] == [1, 2]


def test_a_redelivery_in_the_group_of_a_late_repeat_is_recognised(book: Book):
    book.record(said(0))

    late, again = book.record(said(700), said(700.5))

    assert (late.receipt.joined, again.receipt.joined) == (Join.REPEAT, Join.SEEN_AGAIN)
    assert len(book.rows("press")) == 2


def test_a_press_kept_under_its_own_reference_is_known_by_its_words_after_a_restart(book: Book):
    book.record(said(0))
    book.record(said(700, Repetition.NONE, "words@1.2"))

    (again,) = book.record(said(760))

    assert again.receipt.joined == Join.SEEN_AGAIN
    assert [row["seen"] for row in sorted(book.rows("press"), key=lambda row: row["number"])] == [1, 2]


def test_a_key_pressed_every_nine_minutes_is_not_one_press_for_ever(book: Book):
    """As where two daemons take turns: neither remembers, and the store counts from the first delivery."""
    joined = [book.record(said(540.0 * number))[0].receipt.joined for number in range(6)]

    assert joined == [Join.FIRST, Join.SEEN_AGAIN, Join.REPEAT, Join.SEEN_AGAIN, Join.REPEAT, Join.SEEN_AGAIN]


def test_a_press_with_a_reference_of_its_own_is_that_press_whenever_it_comes_again(book: Book):
    book.record(press(source="call", reference="voice-1/1"))

    (again,) = book.record(press(source="call", reference="voice-1/1", received_at=NOON + timedelta(hours=1)))

    assert again.receipt.joined == Join.REDELIVERED


@pytest.mark.parametrize("repetition", [Repetition.UNKNOWN, Repetition.DOUBTFUL])
def test_what_may_be_a_redelivery_is_no_press_and_is_told_with_its_time(book: Book, repetition: Repetition):
    book.record(said(0))

    (again,) = book.record(said(90, repetition))

    assert again.receipt.joined == Join.SEEN_AGAIN
    assert [row["press_count"] for row in book.rows("incident")] == [1]
    (row,) = book.rows("press")
    at = 1_795_402_890_000_000
    assert (row["seen"], row["last_seen_at"]) == (2, at)
    assert payloads(book)[1:] == [f'{{"presses": 1, "seen": {at}, "why": ["seen-again"]}}']


def test_a_sure_redelivery_is_counted_and_told_to_nobody(book: Book):
    book.record(said(0))

    (again,) = book.record(said(90, Repetition.REDELIVERY))

    assert again.receipt.joined == Join.REDELIVERED
    assert [row["seen"] for row in book.rows("press")] == [2]
    assert len(payloads(book)) == 1


def test_a_press_and_a_doubtful_one_of_one_group_are_one_update(book: Book):
    book.record(said(0))

    book.record(said(1, Repetition.NONE, "words@1.1"), said(2, Repetition.DOUBTFUL))

    assert payloads(book)[1:] == [
        '{"presses": 2, "seen": 1795402802000000, "why": ["pressed-again", "seen-again"]}'
    ]


def test_a_later_press_keeps_what_an_update_that_nobody_has_begun_says_of_a_doubtful_one(book: Book):
    book.record(said(0))
    book.record(said(1))
    book.record(press(reference="other"))

    assert payloads(book)[1:] == [
        '{"presses": 2, "seen": 1795402801000000, "why": ["seen-again", "pressed-again"]}'
    ]


def test_a_damaged_press_among_those_looked_at_costs_nothing(book: Book):
    book.record(said(0))
    book.record(said(700, Repetition.NONE, "words@1.2"))
    with book.engine.connect() as connection, connection.begin():
        connection.execute(update(schema.press).where(schema.press.c.number == 2).values(sealed=b"damaged"))

    (again,) = book.record(said(760))

    assert again.receipt.joined == Join.REPEAT


def test_another_press_of_the_caller_joins_with_a_reason_and_owes_one_update(book: Book):
    (first,) = book.record(press())

    (second,) = book.record(press(reference="other", text="help"))

    assert second.receipt.incident_id == first.receipt.incident_id
    assert second.receipt.joined == Join.REPEAT
    assert [(d["sequence"], d["kind"]) for d in book.rows("delivery") if d["channel"] == "seoul"] == [
        (1, "alert"),
        (2, "update"),
    ]


def test_further_presses_fold_into_the_update_that_nobody_has_begun_to_send(book: Book):
    book.record(press())
    for number in range(5):
        book.record(press(reference=f"again-{number}"))

    updates = [d for d in book.rows("delivery") if d["kind"] == "update"]
    assert [update["payload"] for update in updates] == ['{"presses": 6, "why": ["pressed-again"]}']
    assert book.rows("incident")[0]["press_count"] == 6


def test_a_part_of_a_long_sms_is_a_press_of_its_own_and_says_so(book: Book):
    first, second = book.record(
        press(reference="p1", part=Part(7, 2, 1)), press(reference="p2", part=Part(7, 2, 2))
    )

    assert first.receipt.joined == Join.FIRST
    assert second.receipt.joined == Join.PART
    assert first.receipt.incident_id == second.receipt.incident_id


def test_a_press_by_another_way_joins_as_such(book: Book):
    book.record(press())

    (call,) = book.record(press(source="call", reference="call-1"))

    assert call.receipt.joined == Join.OTHER_WAY


def test_after_closing_the_same_press_opens_a_new_incident_under_a_new_id(book: Book):
    (first,) = book.record(press())
    book.close(first.receipt.incident_id)

    (second,) = book.record(press(received_at=NOON + timedelta(seconds=60)))

    assert second.receipt.joined == Join.FIRST
    assert second.receipt.incident_id == "sos-821012345678a"
    assert [row["state"] for row in book.rows("incident")] == [CLOSED, "open"]


def test_a_third_incident_of_the_same_press_still_finds_a_free_id(book: Book):
    ids = []
    for _ in range(4):
        (recorded,) = book.record(press())
        ids.append(recorded.receipt.incident_id)
        book.close(ids[-1])

    assert len(set(ids)) == 4


def test_so_does_any_further_one(book: Book):
    ids = []
    for _ in range(40):
        (recorded,) = book.record(press(text="SOS"))
        ids.append(recorded.receipt.incident_id)
        book.close(recorded.receipt.incident_id)

    assert len(set(ids)) == len(ids)


def test_a_drill_never_joins_an_emergency(book: Book):
    (emergency,) = book.record(press())

    (drill,) = book.record(press(reference="drill", test=True, text="test"))

    assert drill.receipt.joined == Join.FIRST
    assert drill.receipt.incident_id != emergency.receipt.incident_id or len(book.rows("incident")) == 2


def test_callers_who_withhold_their_numbers_are_never_taken_for_one(book: Book):
    one = press("", reference="a")
    two = press("", reference="b")

    book.recorder(book.engine.connect(), [])
    with book.engine.connect() as connection, connection.begin():
        first, second = book.recorder(connection, [NewPress(one, "sos-a"), NewPress(two, "sos-b")])

    assert (first.receipt.incident_id, second.receipt.incident_id) == ("sos-a", "sos-b")


def test_two_callers_with_the_same_sms_reference_never_mix(book: Book):
    first, second = book.record(
        press("821011111111", reference="x1", part=Part(9, 2, 1)),
        press("821022222222", reference="x2", part=Part(9, 2, 2)),
    )

    assert first.receipt.incident_id != second.receipt.incident_id


def test_a_leased_alert_is_handed_over_and_is_the_row_in_the_store(book: Book):
    (recorded,) = book.record(press(), leases={"seoul": 1_800_000_000.0, "seoul-2": 1_800_000_000.0})

    (held,) = recorded.held
    assert (held.channel, held.kind, held.sequence) == ("seoul", "alert", 1)
    alert = next(d for d in book.rows("delivery") if d["channel"] == "seoul")
    assert (alert["lease_owner"], alert["lease_until"]) == ("me", 1_800_000_000_000_000)


def test_a_fallback_channel_is_due_later_and_never_handed_over(engines: tuple[Engine, Engine]):
    book = Book(engines[0], WITH_FALLBACK)

    (recorded,) = book.record(press(), leases={"seoul": 1_800_000_000.0, "seoul-2": 1_800_000_000.0})

    assert [held.channel for held in recorded.held] == ["seoul"]
    fallback = next(d for d in book.rows("delivery") if d["channel"] == "seoul-2")
    assert fallback["due_at"] - fallback["created_at"] == 5_000_000
    assert fallback["lease_until"] == 0


def test_a_thousand_presses_in_one_group_are_a_thousand_incidents(book: Book):
    recorded = book.record(*[press(f"8210{number:08d}") for number in range(1000)])

    assert len({r.receipt.incident_id for r in recorded}) == 1000
    assert len(book.rows("delivery")) == 2000


def test_a_text_with_a_nul_is_kept_in_a_form_that_both_databases_take(book: Book):
    book.record(press(text="a\x00b"))

    assert book.rows("press")[0]["text"] == "a␀b"


def test_the_list_shows_numbers_masked_unless_asked_otherwise(book: Book):
    book.record(press())

    with book.engine.connect() as connection, connection.begin():
        (row,) = list_incidents(connection)
    assert str(row.msisdn) == "8210******78"
    assert row.msisdn == Msisdn("821012345678")


def test_an_alphanumeric_caller_is_an_incident_like_any_other(book: Book):
    (first,) = book.record(replace(press(), msisdn=Msisdn("KAKAO", is_e164=False)))
    (second,) = book.record(replace(press(), msisdn=Msisdn("KAKAO", is_e164=False), reference="r2"))

    assert first.receipt.incident_id == second.receipt.incident_id


# -- facts -----------------------------------------------------------------------------------------------------


def payloads(book: Book, channel: str = "seoul") -> list[object]:
    return [row["payload"] for row in book.rows("delivery") if row["channel"] == channel]


def counted(book: Book) -> list[object]:
    return [row["fact_count"] for row in book.rows("incident")]


def test_a_press_without_facts_writes_none_and_tells_of_none(book: Book):
    book.record(press())

    assert book.rows("fact") == []
    assert counted(book) == [0]
    assert payloads(book) == ['{"presses":1}']


def test_a_press_with_facts_keeps_them_and_its_alert_tells_them(book: Book):
    (recorded,) = book.record(
        press(source="call", facts=(call_fact("arrived"), call_fact("dialling"))), leases={"seoul": 1.8e9}
    )

    assert [(row["number"], row["kind"], row["data"]) for row in book.rows("fact")] == [
        (1, "call", '{"state": "arrived"}'),
        (2, "call", '{"state": "dialling"}'),
    ]
    assert counted(book) == [2]
    assert payloads(book) == ['{"presses":1,"facts":2}']
    assert dict(recorded.held[0].payload) == {"presses": 1, "facts": 2}
    assert payloads(book, "locate:skt") == ["{}"]


def test_a_press_that_joins_appends_its_facts_and_its_update_tells_all(book: Book):
    book.record(press(facts=(call_fact(n=1),)))
    book.record(press(reference="other", source="call", facts=(call_fact(n=2), call_fact(n=3))))

    assert [row["number"] for row in book.rows("fact")] == [1, 2, 3]
    assert counted(book) == [3]
    assert payloads(book) == [
        '{"presses":1,"facts":1}',
        '{"presses": 2, "facts": 3, "why": ["pressed-again"]}',
    ]


def test_presses_of_one_group_each_bring_their_facts(book: Book):
    book.record(
        press(facts=(call_fact(n=1),)),
        press("821022222222", facts=(call_fact(n=2),)),
        press(reference="other", facts=(call_fact(n=3),)),
        press("821033333333"),
    )

    by_id = {row["key"]: row["id"] for row in book.rows("incident")}
    facts = [(by_id[row["incident_key"]], row["number"], row["subject"]) for row in book.rows("fact")]
    assert sorted(facts) == [
        ("sos-821012345678", 1, "voice-1/1"),
        ("sos-821012345678", 2, "voice-1/3"),
        ("sos-821022222222", 1, "voice-1/2"),
    ]
    assert sorted(map(str, counted(book))) == ["0", "1", "2"]
    assert '{"presses": 2, "facts": 2, "why": ["pressed-again"]}' in payloads(book)


def test_a_redelivery_brings_no_facts(book: Book):
    book.record(press(facts=(call_fact("arrived"),)))
    book.record(press(facts=(call_fact("ended"),), received_at=NOON + timedelta(seconds=60)))

    assert len(book.rows("fact")) == 1
    assert counted(book) == [1]
    assert payloads(book) == ['{"presses":1,"facts":1}']


def test_a_press_without_facts_on_an_incident_with_some_still_tells_them(book: Book):
    book.record(press(facts=(call_fact(),)))
    book.record(press(reference="other"))

    assert payloads(book)[1] == '{"presses": 2, "facts": 1, "why": ["pressed-again"]}'
    assert counted(book) == [1]


# -- guardians, and channels that a person listens to -----------------------------------------------------------


TELLING = Plan(everywhere_else=(ReportRoute("seoul"),), by_carrier={}, tells_guardians=True)


def test_guardians_are_told_of_a_new_incident_at_once(engines: tuple[Engine, Engine]):
    book = Book(engines[0], TELLING)

    (recorded,) = book.record(press(), leases={"guardians": 1_800_000_000.0})

    (row,) = [row for row in book.rows("delivery") if row["channel"] == "guardians"]
    assert (row["kind"], row["sequence"], row["payload"], row["state"]) == ("guardians", 0, "{}", "pending")
    assert row["due_at"] == row["created_at"]
    assert (row["lease_owner"], row["lease_until"]) == ("me", 1_800_000_000_000_000)
    assert [(held.channel, held.sequence, dict(held.payload)) for held in recorded.held] == [
        ("guardians", 0, {})
    ]


def test_guardians_are_left_to_the_process_that_claims_them_where_there_is_no_room(
    engines: tuple[Engine, Engine],
):
    book = Book(engines[0], TELLING)

    (recorded,) = book.record(press(), leases={"seoul": 1_800_000_000.0})

    assert [held.channel for held in recorded.held] == ["seoul"]


def test_guardians_are_told_once_and_never_of_a_drill(engines: tuple[Engine, Engine]):
    book = Book(engines[0], TELLING)

    book.record(press(), press(reference="again"), press("821022222222", test=True), press("821033333333"))

    told = [row["incident_key"] for row in book.rows("delivery") if row["channel"] == "guardians"]
    by_key = {row["key"]: row["msisdn"] for row in book.rows("incident")}
    assert [by_key[key] for key in told] == ["821012345678", "821033333333"]


def test_guardians_of_a_closed_incident_are_told_no_more(engines: tuple[Engine, Engine]):
    book = Book(engines[0], TELLING)
    book.record(press())

    book.close("sos-821012345678")

    states = {row["channel"]: row["state"] for row in book.rows("delivery") if row["sequence"] == 0}
    assert states == {"guardians": "superseded", "locate:skt": "superseded"}


def test_a_channel_that_a_person_listens_to_is_told_the_alert_alone(engines: tuple[Engine, Engine]):
    routes = (ReportRoute("seoul"), ReportRoute("voice", 30.0, alerts_only=True))
    book = Book(engines[0], Plan(everywhere_else=routes, by_carrier={}))

    book.record(press())
    book.record(press(reference="other"))
    book.close("sos-821012345678")

    told = [(row["channel"], row["kind"]) for row in book.rows("delivery") if row["sequence"] > 0]
    assert told == [("seoul", "alert"), ("seoul", "update"), ("seoul", "closing"), ("voice", "alert")]


def test_where_nobody_is_told_more_than_the_alert_no_report_is_missing(engines: tuple[Engine, Engine]):
    book = Book(engines[0], Plan(everywhere_else=(ReportRoute("voice", alerts_only=True),), by_carrier={}))

    book.record(press())
    book.record(press(reference="other"))
    book.close("sos-821012345678")

    assert [row["last_sequence"] for row in book.rows("incident")] == [1]


# -- keys of machines ----------------------------------------------------------------------------------------------


def test_a_key_that_comes_again_after_its_incident_was_closed_opens_none(engines):
    """The machine has not heard the answer; 112 is done with it meanwhile."""
    ledger = Ledger(engines[0])
    ledger.record(press(source="app"))
    ledger.close()
    rows = len(ledger.rows("delivery"))

    (again,) = ledger.record(press(source="app"))

    assert again == Recorded(Receipt("sos-821012345678", Join.REDELIVERED))
    assert len(ledger.rows("incident")) == 1
    assert len(ledger.rows("delivery")) == rows


def test_another_key_after_that_is_another_emergency(engines):
    ledger = Ledger(engines[0])
    ledger.record(press(source="app"))
    ledger.close()

    (another,) = ledger.record(press(source="app", reference="another"))

    assert another.receipt == Receipt("sos-821012345678a", Join.FIRST)


def test_the_words_of_a_text_are_no_key(engines):
    ledger = Ledger(engines[0])
    ledger.record(press())
    ledger.close()
    assert ledger.record(press())[0].receipt == Receipt("sos-821012345678a", Join.FIRST)
