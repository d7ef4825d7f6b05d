"""An attacker who can write into the database without the key file: every change is noticed, shows no one, and never goes against her.

Each attack is plain SQL; what reads afterwards is the service's own. On both databases.
"""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine, text

from telephony.domain.delivery import CALL_CONTROL, PENDING, Delivered, Errand
from telephony.domain.incident import Join
from telephony.domain.orders import OrderRefused
from telephony.domain.report import Report
from telephony.domain.score import FALSE_ALARM, PRESS
from telephony.domain.trigger import Part
from telephony.domain.values import Msisdn
from telephony.store.awaited import awaited_from, expect, failed, failures_of
from telephony.store.bound import BOUND, UNBOUND, is_sound_quietly
from telephony.store.calls import by_token, known_calls, live_calls
from telephony.store.engines import one_transaction
from telephony.store.fact_rows import from_data
from telephony.store.guardian_rows import guardian_facts
from telephony.store.history import history, remember
from telephony.store.incidents import open_incidents
from telephony.store.mending import Mending
from telephony.store.orders import order_call_back, order_hang_up, set_silence, silence_lifted
from telephony.store.outbox.settling import is_told
from telephony.store.own_data import own_data
from telephony.store.people import Outcome, Registry
from telephony.store.positions import best_position, whereabouts
from telephony.store.schema import metadata
from telephony.store.silence import is_silenced
from telephony.store.who_presses import Wanted, so_far
from telephony.store.withdrawn import withdraw_from_incidents
from tests.doubles import NOON, ONE_CENTRE, WITH_FALLBACK, keys, press
from tests.store.ledger import NOON_S, Ledger, call_record, fix
from tests.store.people_drafts import number, pupil

KIM, LEE = "821012345678", "821022222222"
KIMS, LEES = f"sos-{KIM}", f"sos-{LEE}"
TOKEN = sha256(b"a token that the attacker knows").digest()
MOTHER, STRANGER = Msisdn("821099990001"), Msisdn("821066660000")
HOUR = timedelta(hours=1)


@pytest.fixture
def ledger(engines: tuple[Engine, Engine]) -> Ledger:
    """Two callers, each with an open incident of which 112 knows nothing yet."""
    ledger = Ledger(engines[0])
    ledger.record(press(KIM), press(LEE))
    return ledger


@pytest.fixture
def registry(ledger: Ledger) -> Registry:
    """Two people, each with a guardian."""
    registry = Registry(keys)
    ledger.transact(registry.enrol, [pupil(1), pupil(2)], NOON)
    return registry


@pytest.fixture(autouse=True)
def nothing_noticed_before() -> None:
    keys().noticed.take()


def attack(ledger: Ledger, *statements: str, **values: Any) -> None:
    """Write into the database as somebody who has no key."""
    with ledger.engine.connect() as connection, one_transaction(connection):
        for statement in statements:
            assert connection.execute(
                text(statement), values if f":{''.join(values)}" in statement else {}
            ).rowcount


def key_of(ledger: Ledger, caller: str) -> int:
    return ledger.key_of(caller)


def noticed() -> set[tuple[str, str]]:
    """Tables and columns of what an operator is told."""
    return {(row.table, row.column) for row in keys().noticed.take()}


def mend(ledger: Ledger, *channels: str) -> None:
    mending = Mending(ledger.plan, channels or ("seoul", "locate:skt"))
    assert ledger.transact(mending.finds, NOON_S, NOON_S - 3_600)
    ledger.transact(mending.mend, NOON_S, NOON_S - 3_600)


def report_of(ledger: Ledger, caller: str = KIM, channel: str = "seoul") -> Report:
    """What 112 is told of this caller now."""
    told = {item.incident_id: item.content for item in ledger.claim(channel)}
    report = told[f"sos-{caller}"]
    assert isinstance(report, Report)
    return report


# -- hashes ---------------------------------------------------------------------------------------------------------


def test_a_number_whose_hash_was_put_beside_another_person_finds_nobody(ledger: Ledger, registry: Registry):
    """Else 112 reads another name beside her press."""
    first, second = (row["person_key"] for row in ledger.bare_rows("person_number"))
    attack(
        ledger,
        f"UPDATE person_number SET person_key = {first + second} - person_key",
    )

    assert ledger.transact(registry.find, number(1)) is None
    assert ledger.transact(registry.find, number(2)) is None
    assert noticed() == {("person_number", "hash")}


def test_a_person_is_not_deleted_by_the_number_of_another(ledger: Ledger, registry: Registry):
    first, second = (row["person_key"] for row in ledger.bare_rows("person_number"))
    attack(ledger, f"UPDATE person_number SET person_key = {first + second} - person_key")

    assert not ledger.transact(registry.delete, number(1))

    assert len(ledger.bare_rows("person")) == 2


def test_who_enrols_a_number_whose_hash_leads_to_another_is_enrolled_and_found(
    ledger: Ledger, registry: Registry
):
    first, second = (row["person_key"] for row in ledger.bare_rows("person_number"))
    attack(ledger, f"UPDATE person_number SET person_key = {first + second} - person_key")

    assert ledger.transact(registry.enrol, [pupil(1)], NOON) == [Outcome.ADDED]

    assert ledger.transact(registry.find, number(1)).name == pupil(1).name


def test_a_guardian_whose_hash_was_put_beside_another_ward_is_theirs_no_more(
    ledger: Ledger, registry: Registry
):
    """Else a guardian reads in a text of whom they never heard."""
    first, second = (row["person_key"] for row in ledger.bare_rows("guardian_number"))
    attack(ledger, f"UPDATE guardian_number SET person_key = {first + second} - person_key")

    phone = pupil(1).guardians[0].phone
    assert ledger.transact(registry.guarded_by, phone) == []
    assert noticed() == {("guardian_number", "hash")}


def test_the_last_place_of_another_caller_is_told_of_nobody(ledger: Ledger):
    ledger.locate(fix(), LEE)
    lees, kims = (ledger_hash(ledger, caller) for caller in (LEE, KIM))
    attack(ledger, f"UPDATE last_position SET caller = {kims} WHERE caller = {lees}")

    assert ledger.transact(whereabouts, key_of(ledger, KIM)).last_known is None
    assert noticed() == {("last_position", "caller")}


def ledger_hash(ledger: Ledger, caller: str) -> str:
    """A caller's hash as SQL copies it."""
    return f"(SELECT caller FROM incident WHERE id = 'sos-{caller}')"


def test_a_press_never_joins_the_incident_of_another_caller_that_was_given_her_hash(ledger: Ledger):
    """Else 112 hears that the other has pressed again, and of her nothing."""
    attack(
        ledger,
        f"UPDATE incident SET state = 'closed' WHERE id = '{KIMS}'",
        f"UPDATE incident SET caller = {ledger_hash(ledger, KIM)} WHERE id = '{LEES}'",
    )

    (recorded,) = ledger.record(press(KIM, reference="again"))

    assert recorded.receipt.incident_id not in (KIMS, LEES)
    told = {item.incident_id: item.content for item in ledger.claim()}
    assert told[recorded.receipt.incident_id].msisdn == Msisdn(KIM)
    assert ("incident", "bound") in noticed()


def test_the_incidents_of_another_are_not_shown_to_who_asks_for_their_own(ledger: Ledger):
    attack(
        ledger,
        f"UPDATE incident SET caller = {ledger_hash(ledger, KIM)}, state = 'closed' WHERE id = '{LEES}'",
    )

    own = ledger.transact(own_data, Registry(keys), Msisdn(KIM))

    assert [each.id for each in own.incidents] == [KIMS]


def test_a_withdrawal_takes_nothing_out_of_the_incident_of_another(ledger: Ledger):
    ledger.tell(from_data("person", "caller", NOON, {"name": "Lee"}), incident_id=LEES)
    attack(
        ledger,
        f"UPDATE incident SET caller = {ledger_hash(ledger, KIM)}, state = 'closed' WHERE id = '{LEES}'",
        "UPDATE delivery SET state = 'delivered'",
    )

    ledger.transact(withdraw_from_incidents, {Msisdn(KIM)})

    assert ledger.rows("fact")[0]["data"] == '{"name": "Lee"}'


def test_a_reply_is_awaited_of_the_phone_that_was_asked_whatever_hash_stands_there(ledger: Ledger):
    """Else a stranger's reply registers somebody."""
    ledger.transact(expect, MOTHER, "join", {"code": "4821"}, NOON, NOON + HOUR)
    ledger.transact(expect, STRANGER, "other", {}, NOON, NOON + HOUR)
    attack(
        ledger,
        "UPDATE awaited_reply SET hash = (SELECT a.hash FROM awaited_reply a WHERE a.kind = 'other') WHERE kind = 'join'",
    )

    assert [each.kind for each in awaiting(ledger, STRANGER)] == ["other"]
    assert noticed() == {("awaited_reply", "hash")}


def awaiting(ledger: Ledger, phone: Msisdn, **later: Any) -> Any:
    with ledger.engine.connect() as connection:
        return awaited_from(connection, phone, now=NOON + timedelta(**later))


@pytest.mark.parametrize(
    "change",
    ["kind = 'leave'", "expires_at = expires_at + 86400000000", "sent_at = 1", "made_at = 1"],
)
def test_an_awaited_reply_that_was_changed_counts_for_nothing(ledger: Ledger, change: str):
    ledger.transact(expect, MOTHER, "join", {"code": "4821"}, NOON, NOON + HOUR)
    attack(ledger, f"UPDATE awaited_reply SET {change}")

    with ledger.engine.connect() as connection:
        assert awaited_from(connection, MOTHER, now=NOON, is_unsent_too=True) == []
    assert noticed() == {("awaited_reply", "bound")}


def test_a_phone_whose_wrong_codes_were_taken_back_is_believed_no_more(ledger: Ledger):
    for _ in range(3):
        ledger.transact(failed, MOTHER, NOON)
    attack(ledger, "UPDATE awaited_reply SET failures = 0")

    assert ledger.transact(failures_of, MOTHER, NOON) > 1_000
    assert ledger.transact(failed, MOTHER, NOON) > 1_000


# -- tokens ---------------------------------------------------------------------------------------------------------


def test_a_location_token_that_was_planted_shows_no_one(ledger: Ledger):
    """Else who can write a hash of their own reads where she is."""
    ledger.locate(fix())
    ledger.call(call_record(1, token=b"o" * 32))
    attack(ledger, "UPDATE call SET token = :token", token=TOKEN)

    assert ledger.transact(by_token, [TOKEN]) is None
    assert noticed() == {("call", "bound")}


def test_a_token_of_112_opens_no_other_incident(ledger: Ledger):
    ledger.call(call_record(1, token=TOKEN))
    attack(ledger, f"UPDATE call SET incident_key = {key_of(ledger, LEE)}")

    assert ledger.transact(by_token, [TOKEN]) is None
    assert ledger.transact(known_calls, ["voice-1/1"]) == {}
    assert ledger.transact(live_calls, "voice-1") == []


def test_a_token_dies_with_its_incident_whatever_is_written_over_its_state(ledger: Ledger):
    """What is changed is open, and this alone: who holds the token had it from us."""
    ledger.call(call_record(1, token=TOKEN))
    ledger.close()
    assert not ledger.transact(by_token, [TOKEN]).is_open


# -- drills, silence, the end ---------------------------------------------------------------------------------------


def test_an_emergency_that_was_marked_as_a_drill_is_told_as_an_emergency(ledger: Ledger):
    attack(ledger, f"UPDATE incident SET test = {true_of(ledger)} WHERE id = '{KIMS}'")

    report = report_of(ledger)

    assert (report.test, report.msisdn) == (False, Msisdn(KIM))
    assert noticed() == {("incident", "bound")}
    assert not ledger.transact(so_far, Wanted(key_of(ledger, KIM))).test


def true_of(ledger: Ledger) -> str:
    return "1" if ledger.engine.dialect.name == "sqlite" else "true"


def test_a_drill_that_was_marked_as_an_emergency_is_a_drill(ledger: Ledger):
    ledger.record(press("821033333333", test=True))
    marked = "0" if ledger.engine.dialect.name == "sqlite" else "false"
    attack(ledger, f"UPDATE incident SET test = {marked} WHERE id = 'sos-821033333333'")

    assert report_of(ledger, "821033333333").test


def test_silence_that_another_hand_lifts_holds(ledger: Ledger):
    """Else a text lights up her phone, or a call rings it."""
    attack(ledger, "UPDATE incident SET silence_lifted_at = 1")

    assert not ledger.transact(silence_lifted, KIMS)
    assert ledger.transact(is_silenced, [Msisdn(KIM)])
    assert isinstance(ledger.transact(order_call_back, KIMS, "desk 7", NOON), OrderRefused)
    assert noticed() == {("incident", "bound")}


def test_112_lifts_silence_of_an_incident_that_was_changed(ledger: Ledger):
    attack(ledger, "UPDATE incident SET silence_lifted_at = 1")

    assert ledger.transact(set_silence, ONE_CENTRE, KIMS, True, "desk 7", NOON) is None

    assert ledger.transact(silence_lifted, KIMS)


def test_an_incident_that_another_hand_closes_is_open(ledger: Ledger):
    attack(ledger, f"UPDATE incident SET state = 'closed', closed_at = 1 WHERE id = '{KIMS}'")

    assert ledger.transact(is_silenced, [Msisdn(KIM)])
    assert not ledger.transact(is_told, KIMS, 1)
    assert ledger.locate(fix())
    assert report_of(ledger).kind == "alert"

    mend(ledger)

    row = ledger.rows("incident")[0]
    assert (row["state"], row["closed_at"]) == ("open", None)
    (again,) = ledger.record(press(KIM, reference="again"))
    assert again.receipt.incident_id == KIMS


def test_an_incident_that_another_hand_closed_and_that_was_pressed_again_stands_beside_the_new_one(
    ledger: Ledger,
):
    attack(ledger, f"UPDATE incident SET state = 'closed' WHERE id = '{KIMS}'")
    (again,) = ledger.record(press(KIM, reference="again"))
    assert again.receipt.incident_id != KIMS

    mend(ledger)

    assert {row["state"] for row in ledger.rows("incident")} == {"open"}
    (third,) = ledger.record(press(KIM, reference="a third time"))
    assert third.receipt.incident_id == again.receipt.incident_id
    mending = Mending(ONE_CENTRE, ("seoul", "locate:skt"))
    assert ledger.transact(mending.mend, NOON_S, NOON_S - 3_600).is_nothing


def test_a_press_joins_no_incident_that_was_opened_again(ledger: Ledger):
    ledger.close(LEES)
    attack(ledger, f"UPDATE incident SET state = 'open', closed_at = NULL WHERE id = '{LEES}'")

    assert [each.id for each in ledger.transact(open_incidents, NOON)] == [KIMS]
    (recorded,) = ledger.record(press(LEE, reference="again"))

    assert recorded.receipt.incident_id != LEES


def test_an_incident_whose_hash_was_taken_away_is_found_by_its_caller_again(ledger: Ledger):
    """Else a text reaches her phone: it is not known that she has pressed."""
    attack(ledger, "UPDATE incident SET caller = :gone WHERE id = '" + KIMS + "'", gone=b"g" * 16)

    mend(ledger)

    assert ledger.transact(is_silenced, [Msisdn(KIM)])
    assert noticed() == {("incident", "bound")}


# -- what 112 is told -----------------------------------------------------------------------------------------------


def test_a_report_that_was_moved_to_another_channel_says_all_there_is_and_is_told_as_changed(
    engines: tuple[Engine, Engine],
):
    ledger = Ledger(engines[0])
    ledger.record(press(KIM))
    attack(ledger, "UPDATE delivery SET channel = 'busan' WHERE channel = 'seoul'")

    (moved,) = ledger.claim("busan")

    assert moved.is_damaged
    assert isinstance(moved.content, Report)
    assert noticed() == {("delivery", "bound")}


@pytest.mark.parametrize(
    "change", ["""payload = '{"presses": 1}'""", "kind = 'closing'", "payload = '[]'", "bound = NULL"]
)
def test_a_report_that_was_changed_tells_all_there_is(ledger: Ledger, change: str):
    (alert, *_) = ledger.claim()
    ledger.settle(alert, Delivered())
    ledger.again("2")
    ledger.again("3")
    attack(ledger, f"UPDATE delivery SET {change} WHERE sequence = 2")

    (told,) = (item for item in ledger.claim() if item.incident_id == KIMS)

    assert isinstance(told.content, Report)
    assert (told.kind, told.content.press_count, told.is_damaged) == ("update", 3, True)
    ledger.settle(told, Delivered())
    assert ("delivery", "bound") in noticed()
    mending = Mending(ONE_CENTRE, ("seoul", "locate:skt"))
    assert ledger.transact(mending.mend, NOON_S, NOON_S - 3_600).changed == 0


def test_news_goes_into_no_update_that_was_changed(ledger: Ledger):
    (alert, *_) = ledger.claim()
    ledger.settle(alert, Delivered())
    ledger.again("2")
    attack(ledger, "UPDATE delivery SET channel = 'busan' WHERE sequence = 2")

    ledger.again("3")

    assert ledger.delivery("seoul", 3)["kind"] == "update"


@pytest.mark.parametrize("state", ["delivered", "rejected", "superseded"])
def test_a_report_that_no_far_end_has_answered_is_sent_whatever_its_state_says(ledger: Ledger, state: str):
    """Else 112 hears nothing, and it is not missed."""
    attack(ledger, f"UPDATE delivery SET state = '{state}', settled_at = 1 WHERE channel = 'seoul'")
    assert ledger.claim() == []

    mend(ledger)

    assert {item.incident_id for item in ledger.claim()} == {KIMS, LEES}
    assert {table for table, _ in noticed()} == {"delivery"}


def test_a_fallback_that_was_not_needed_is_not_sent_for_it(engines: tuple[Engine, Engine]):
    ledger = Ledger(engines[0], WITH_FALLBACK)
    ledger.record(press(KIM))
    (alert,) = ledger.claim()
    ledger.settle(alert, Delivered())

    mending = Mending(WITH_FALLBACK, ("seoul", "seoul-2", "locate:skt"))

    assert not ledger.transact(mending.finds, NOON_S, NOON_S - 3_600)


def test_an_order_that_was_made_another_is_not_carried_out(ledger: Ledger):
    """Else an order to hang up becomes one that rings her phone."""
    ledger.transact(order_hang_up, KIMS, "desk 7", NOON)
    attack(ledger, f"UPDATE delivery SET kind = 'call-back' WHERE channel = '{CALL_CONTROL}'")

    (order,) = ledger.claim(CALL_CONTROL)

    assert (order.content, order.is_damaged) == (None, True)


def test_an_order_that_was_planted_is_not_carried_out(ledger: Ledger):
    attack(
        ledger,
        "INSERT INTO delivery (incident_key, channel, sequence, kind, payload, state, attempts, created_at, due_at,"
        f" lease_until) SELECT key, '{CALL_CONTROL}', -1, 'call-back', '{{}}', '{PENDING}', 0, 1, 1, 0 FROM incident"
        f" WHERE id = '{KIMS}'",
    )

    (order,) = ledger.claim(CALL_CONTROL)

    assert (order.content, order.is_damaged) == (None, True)


def test_she_is_located_though_the_row_that_asks_for_it_was_changed(ledger: Ledger):
    attack(ledger, "UPDATE delivery SET payload = '{\"x\": 1}' WHERE channel = 'locate:skt'")

    located = {item.incident_id: item for item in ledger.claim("locate:skt")}[KIMS]

    assert isinstance(located.content, Errand)
    assert (located.content.msisdn, located.payload) == (Msisdn(KIM), {})


def test_remarks_that_were_planted_beside_a_press_are_told_to_nobody(ledger: Ledger):
    attack(ledger, "UPDATE press SET labels = 'a false alarm, says the family'")

    report = report_of(ledger)

    assert not any("false alarm" in label for label in report.labels)
    assert report.msisdn == Msisdn(KIM)
    assert noticed() == {("press", "bound")}


@pytest.mark.parametrize(
    "change", ["uncertainty_m = 1", "method = 'gnss'", "fixed_at = fixed_at - 3600000000"]
)
def test_a_position_whose_circle_or_time_was_changed_is_not_told_as_hers(ledger: Ledger, change: str):
    ledger.locate(fix())
    attack(ledger, f"UPDATE position SET {change}")

    assert ledger.transact(best_position, KIMS) is None
    assert noticed() == {("position", "bound")}


def test_a_guardian_who_has_confirmed_is_not_another(ledger: Ledger):
    """Else the one who would come is not told."""
    ledger.tell(from_data("guardian", "1", NOON, {"state": "confirmed"}))
    attack(ledger, "UPDATE fact SET subject = '2'")

    assert ledger.transact(guardian_facts, KIMS) == ()
    assert noticed() == {("fact", "bound")}


def test_an_earlier_press_that_was_made_a_false_alarm_weighs_nothing(ledger: Ledger):
    ledger.transact(remember, KIM, NOON, PRESS, None)
    attack(ledger, f"UPDATE press_history SET kind = '{FALSE_ALARM}'")

    assert ledger.transact(lambda connection: history(connection, KIM, since=NOON - HOUR)) == []
    assert noticed() == {("press_history", "bound")}


def test_a_press_that_an_earlier_one_was_dated_for_is_told_as_a_press_of_its_own(ledger: Ledger):
    """Else what she presses now is told as a repeat, or not at all: the words are the same as yesterday's."""
    attack(ledger, f"UPDATE press SET received_at = received_at + {3_600_000_000}")

    (again,) = ledger.record(press(KIM, received_at=NOON + HOUR))

    assert again.receipt.joined is Join.REPEAT
    assert ("press", "bound") in noticed()


# -- every column ---------------------------------------------------------------------------------------------------

OTHERWISE = {
    "LargeBinary": "NULL",
    "Boolean": "NOT {0}",
    "Float": "{0} + 1",
    "Text": "{0} || 'x'",
    "String": "{0} || 'x'",
}


@pytest.fixture
def full(ledger: Ledger) -> Ledger:
    """A row in every table that is bound, each plain column with a value."""
    part = Part(7, 2, 1)
    ledger.record(press("821044444444", labels=("a remark",), part=part))
    ledger.close(LEES)
    ledger.locate(fix())
    ledger.tell(from_data("guardian", "1", NOON, {"state": "told"}))
    ledger.call(call_record(1, token=TOKEN, ended_at=NOON))
    ledger.transact(expect, MOTHER, "join", {}, NOON, NOON + HOUR)
    ledger.transact(remember, KIM, NOON, PRESS, None)
    (alert, *_) = ledger.claim()
    ledger.settle(alert, Delivered())
    return ledger


@pytest.mark.parametrize(
    ("table", "column"), [(table, each) for table, names in BOUND.items() for each in names]
)
def test_any_column_that_is_bound_is_noticed_when_it_is_changed(full: Ledger, table: str, column: str):
    before = unsound(full, table)
    kind = type(metadata.tables[table].columns[column].type).__name__
    otherwise = OTHERWISE.get(kind, "coalesce({0}, 0) + 1").format(column)
    if (table, column) == ("delivery", "state"):
        otherwise = "'delivered'"
    elif kind == "LargeBinary":
        otherwise = f"CAST(:other AS {'BLOB' if full.engine.dialect.name == 'sqlite' else 'BYTEA'})"
    where = f"{row_with(full, table, column)}"

    attack(full, f"UPDATE {table} SET {column} = {otherwise} WHERE {where}", other=b"o" * 32)

    assert before == 0
    assert unsound(full, table) == 1


@pytest.mark.parametrize("table", list(BOUND))
def test_a_row_without_a_code_and_one_with_the_code_of_another_are_noticed(full: Ledger, table: str):
    attack(full, f"UPDATE {table} SET bound = NULL")
    assert unsound(full, table) > 0


def test_the_code_of_another_row_is_none_of_this_one(full: Ledger):
    attack(
        full,
        f"UPDATE incident SET bound = (SELECT i.bound FROM incident i WHERE i.id = '{LEES}') WHERE id = '{KIMS}'",
    )

    assert unsound(full, "incident") == 1


def unsound(ledger: Ledger, table: str) -> int:
    rows = [row for row in ledger.bare_rows(table) if row.get("kind") not in UNBOUND]
    return sum(not is_sound_quietly(keys(), table, SimpleNamespace(**row)) for row in rows)


def row_with(ledger: Ledger, table: str, column: str) -> str:
    """Names one row whose column says something, as SQL; of deliveries one that is not settled."""
    rows = [
        row
        for row in ledger.bare_rows(table)
        if row.get("state") != "delivered" and row.get("kind") not in UNBOUND
    ]
    row = next((row for row in rows if row[column] is not None), rows[0])
    names = [
        each.name for each in metadata.tables[table].primary_key if not isinstance(row[each.name], bytes)
    ]
    return " AND ".join(
        f"{name} = '{row[name]}'" if isinstance(row[name], str) else f"{name} = {row[name]}" for name in names
    )
