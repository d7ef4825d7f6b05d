"""Facts of an incident: each is kept, 112 is told of what is new; on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, update

from telephony.domain.delivery import Delivered, Retry
from telephony.domain.facts import FactKind
from telephony.domain.report import Part, Report
from telephony.store.crypto import Place
from telephony.store.fact_rows import from_data, storable_fact, to_data
from telephony.store.schema import fact
from telephony.store.sealing import seal
from tests.doubles import NOON, WITH_FALLBACK, keys, press
from tests.store.ledger import Ledger, call_fact, fix


@pytest.fixture
def ledger(engines: tuple[Engine, Engine]) -> Ledger:
    """One open incident whose alert 112 has."""
    ledger = Ledger(engines[0])
    ledger.record(press())
    (alert,) = ledger.claim()
    ledger.settle(alert, Delivered())
    return ledger


def updates(ledger: Ledger) -> list[str]:
    return [row["payload"] for row in ledger.rows("delivery") if row["kind"] == "update"]


def next_report(ledger: Ledger, *, after_s: float = 60.0) -> Report:
    (claimed,) = ledger.claim(after_s=after_s)
    ledger.settle(claimed, Delivered(), after_s=after_s)
    assert isinstance(claimed.content, Report)
    return claimed.content


def test_a_fact_is_kept_and_owes_one_update(ledger: Ledger):
    assert ledger.tell(call_fact(after_s=3, trunk="skt"))

    (row,) = ledger.rows("fact")
    assert (row["number"], row["kind"], row["subject"]) == (1, "call", "voice-1/1")
    assert row["data"] == '{"state": "connected", "trunk": "skt"}'
    assert ledger.rows("incident")[0]["fact_count"] == 1
    assert updates(ledger) == ['{"presses": 1, "facts": 1, "why": ["call"]}']
    assert ledger.delivery("seoul", 2)["created_at"] == round((NOON.timestamp() + 3) * 1e6)


def test_the_update_tells_the_newest_of_each_kind_and_subject(ledger: Ledger):
    ledger.tell(call_fact("arrived", after_s=1), call_fact("arrived", n=2, after_s=2))
    ledger.tell(call_fact("ended", after_s=9))

    assert next_report(ledger).facts == (
        call_fact("ended", after_s=9),
        call_fact("arrived", n=2, after_s=2),
    )


def test_facts_fold_into_the_update_that_nobody_has_begun_to_send(ledger: Ledger):
    ledger.tell(call_fact("arrived"))
    ledger.again("1", after_s=1)
    ledger.tell(call_fact("connected", after_s=2))

    assert updates(ledger) == ['{"presses": 2, "facts": 2, "why": ["call", "pressed-again"]}']


def test_every_attempt_tells_the_same_facts(ledger: Ledger):
    ledger.tell(call_fact("arrived"))
    (update,) = ledger.claim(after_s=1)
    ledger.settle(update, Retry("down"), after_s=1)
    ledger.tell(call_fact("ended", after_s=2))

    (again,) = ledger.claim(after_s=10)

    assert again.content == update.content
    assert again.content.facts == (call_fact("arrived"),)


def test_what_is_known_already_is_no_news_whenever_it_was_seen(ledger: Ledger):
    ledger.tell(call_fact("connected", route="112-1"))

    assert not ledger.tell(call_fact("connected", route="112-1", after_s=30))
    assert not ledger.tell()

    assert len(ledger.rows("fact")) == 1
    assert len(updates(ledger)) == 1


def test_the_same_in_another_order_is_no_news(ledger: Ledger):
    ledger.tell(call_fact(trunk="skt", route="112-1"))

    assert not ledger.tell(call_fact(route="112-1", trunk="skt"))


def test_what_is_known_of_one_caller_is_news_of_another(ledger: Ledger):
    ledger.record(press("821022222222"))
    lifted = from_data("silence", "phone", NOON, {"state": "lifted"})
    ledger.tell(lifted)

    assert ledger.tell(lifted, incident_id="sos-821022222222")


def test_of_several_facts_only_the_new_ones_are_kept(ledger: Ledger):
    ledger.tell(call_fact("arrived"))

    assert ledger.tell(call_fact("arrived"), call_fact("connected"), call_fact("connected"))

    assert [row["number"] for row in ledger.rows("fact")] == [1, 2]


def test_what_was_known_before_and_is_known_again_is_news(ledger: Ledger):
    for state in ("held", "lifted", "held"):
        assert ledger.tell(from_data("silence", "phone", NOON, {"state": state}))

    assert [to_data(fact)["state"] for fact in next_report(ledger).facts] == ["held"]


def test_an_unknown_incident_has_no_facts(ledger: Ledger):
    assert not ledger.tell(call_fact(), incident_id="sos-unknown")
    assert ledger.rows("fact") == []


def test_a_closed_incident_keeps_facts_and_tells_nobody(ledger: Ledger):
    ledger.close()
    before = ledger.rows("delivery")

    assert ledger.tell(call_fact("ended"))

    assert len(ledger.rows("fact")) == 1
    assert ledger.rows("incident")[0]["fact_count"] == 1
    assert ledger.rows("delivery") == before


def test_a_position_a_press_and_a_closing_after_a_fact_still_tell_it(ledger: Ledger):
    ledger.tell(call_fact())
    told = [next_report(ledger)]
    ledger.locate(fix(after_s=1))
    told.append(next_report(ledger))
    ledger.again("1", after_s=2)
    told.append(next_report(ledger))
    ledger.close()
    told.append(next_report(ledger))

    assert [report.kind for report in told] == ["update", "update", "update", "closing"]
    assert [report.facts for report in told] == [(call_fact(),)] * 4


def test_a_fact_after_a_position_does_not_lose_the_position(ledger: Ledger):
    ledger.locate(fix(after_s=1))
    ledger.tell(call_fact(after_s=2))

    assert next_report(ledger).position == fix(after_s=1)


def test_facts_of_one_incident_never_show_in_another(ledger: Ledger):
    ledger.record(press("821022222222"))
    next_report(ledger)
    ledger.tell(call_fact(n=1))
    ledger.tell(call_fact(n=2), incident_id="sos-821022222222")

    reports = {item.incident_id: item.content.facts for item in ledger.claim(after_s=9)}

    assert reports == {
        "sos-821012345678": (call_fact(n=1),),
        "sos-821022222222": (call_fact(n=2),),
    }


def test_all_channels_of_the_carrier_are_told(engines: tuple[Engine, Engine]):
    ledger = Ledger(engines[0], WITH_FALLBACK)
    ledger.record(press())
    ledger.tell(call_fact())

    assert ledger.delivery("seoul-2", 2)["due_at"] - ledger.delivery("seoul", 2)["due_at"] == 5_000_000


def test_somebody_who_taps_for_an_hour_does_not_make_the_reports_heavy(ledger: Ledger):
    knocks = [
        from_data(FactKind.KNOCK, f"voice-1/1#{n}", NOON + timedelta(seconds=n), {"digits": "1"})
        for n in range(1, 301)
    ]
    ledger.tell(*knocks)

    assert next_report(ledger, after_s=400).facts == tuple(knocks[100:])


def test_texts_of_facts_are_kept_in_a_form_that_both_databases_take(ledger: Ledger):
    nasty = from_data("ca\x00ll", "a\ud83d", NOON, {"st\x00ate": "half \ud83d", "ko": "말할 수 없음 🆘"})

    ledger.tell(nasty)

    (told,) = next_report(ledger).facts
    assert told == storable_fact(nasty)
    assert dict(to_data(told)) == {"st␀ate": "half \ufffd", "ko": "말할 수 없음 🆘"}
    assert not ledger.tell(nasty)


def _sealed(ledger: Ledger, octets: bytes) -> bytes:
    """What a defect of ours might have sealed there."""
    return seal(keys(), Place("fact", "sealed", ledger.key_of("821012345678"), 1), octets)


@pytest.mark.parametrize("damage", [b"", b"[]", b"{", b'{"state": 5}', b"nul", b"\xff", None])
def test_a_damaged_fact_costs_itself_alone(ledger: Ledger, damage: bytes | None):
    ledger.record(press("821022222222"))
    next_report(ledger)
    ledger.tell(call_fact(n=1))
    ledger.tell(call_fact(n=2), incident_id="sos-821022222222")
    stands = b"changed" if damage is None else _sealed(ledger, damage)
    statement = update(fact).where(fact.c.subject == "voice-1/1").values(sealed=stands)
    ledger.transact(lambda connection: connection.execute(statement))

    contents = {item.incident_id: item.content for item in ledger.claim(after_s=9)}

    damaged, sound = contents["sos-821012345678"], contents["sos-821022222222"]
    assert isinstance(damaged, Report)
    assert (damaged.msisdn, damaged.facts, damaged.unread) == (press().msisdn, (), (Part.FACTS,))
    assert isinstance(sound, Report)
    assert sound.unread == ()


def test_a_fact_of_a_time_that_never_was_costs_itself_alone(ledger: Ledger):
    ledger.tell(call_fact())
    ledger.transact(lambda connection: connection.exec_driver_sql(f"UPDATE fact SET at = {2**62}"))

    (claimed,) = ledger.claim(after_s=9)

    assert isinstance(claimed.content, Report)
    assert (claimed.content.facts, claimed.content.unread) == ((), (Part.FACTS,))
