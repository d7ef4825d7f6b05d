"""The store's part of telling guardians: facts, awaited replies, and the release. On both databases."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from telephony.domain.delivery import GUARDIANS, GUARDIANS_RELEASED, UPDATE, Again, Delivered
from telephony.domain.facts import FactKind, GuardianState
from telephony.domain.guardians.guardian import Guardian
from telephony.domain.guardians.turns import Turn
from telephony.domain.guardians.words import GuardianReply
from telephony.domain.values import Msisdn
from telephony.store.fact_rows import from_data, to_data
from telephony.store.guardian_rows import (
    GUARDIAN_TOLD,
    MOST_WORDS,
    REPLY_WITHIN,
    Taken,
    expect_reply,
    guardian_facts,
    is_heard,
    keep_guardian_facts,
    take_reply,
)
from telephony.store.outbox.writing import hasten
from telephony.store.schema import awaited_reply, delivery
from tests.doubles import NOON, ONE_CENTRE, press
from tests.store.ledger import LEASE_S, Ledger

INCIDENT = "sos-821012345678"
MOTHER = Guardian(Msisdn("821011112222"), "ko", "mother")
TURN = Turn(MOTHER, 1, 1)
YES = GuardianReply(confirms=True)
MISTAKE = GuardianReply(confirms=True, is_mistake=True)
PLAN = replace(ONE_CENTRE, tells_guardians=True)


@pytest.fixture
def ledger(engines):
    ledger = Ledger(engines[0], PLAN)
    ledger.record(press())
    return ledger


def keep(ledger, *states, turn=TURN, after_s=0.0):
    facts = [turn.fact(state, NOON + timedelta(seconds=after_s)) for state in states]
    return ledger.transact(keep_guardian_facts, PLAN, INCIDENT, facts)


def states(ledger, incident=INCIDENT):
    return [(fact.subject, to_data(fact)["state"]) for fact in ledger.transact(guardian_facts, incident)]


def reply(ledger, said=YES, *, phone=MOTHER.phone, after_s=10.0):
    return ledger.transact(take_reply, PLAN, phone, said, NOON + timedelta(seconds=after_s))


def expect(ledger, *, turn=TURN, incident=INCIDENT):
    ledger.transact(expect_reply, incident, turn, NOON)


def release(ledger):
    return [row for row in ledger.rows("delivery") if row["channel"] == GUARDIANS_RELEASED]


# Facts.


def test_facts_of_guardians_come_back_in_their_order(ledger):
    assert keep(ledger, GuardianState.TEXTED, GuardianState.CALLING)
    ledger.tell(from_data("call", "1", NOON, {"state": "connected"}))
    assert keep(ledger, GuardianState.NO_ANSWER)

    assert states(ledger) == [("1", "texted"), ("1", "calling"), ("1", "no-answer")]
    assert ledger.transact(guardian_facts, INCIDENT)[0] == TURN.fact(GuardianState.TEXTED, NOON)


def test_112_knows_once_it_has_acknowledged_a_report_by_any_channel(ledger):
    assert not ledger.transact(is_heard, INCIDENT)
    assert not ledger.transact(is_heard, "sos-unknown")

    (alert,) = ledger.claim()
    ledger.settle(alert, Delivered("200"))

    assert ledger.transact(is_heard, INCIDENT)


def test_of_an_unknown_incident_nothing_is_known_and_nothing_kept(ledger):
    assert ledger.transact(guardian_facts, "sos-0") == ()
    assert not ledger.transact(keep_guardian_facts, PLAN, "sos-0", [TURN.fact(GuardianState.TEXTED, NOON)])


def test_112_hears_of_each_in_one_update(ledger):
    keep(ledger, GuardianState.TEXTED, GuardianState.CALLING)

    assert [row["kind"] for row in ledger.rows("delivery") if row["sequence"] > 1] == [UPDATE]


def test_what_comes_after_a_confirmation_takes_nothing_back(ledger):
    keep(ledger, GuardianState.TEXTED, GuardianState.CONFIRMED)

    assert not keep(ledger, GuardianState.TEXT_DELIVERED)
    assert not keep(ledger, GuardianState.NO_ANSWER)
    assert keep(ledger, GuardianState.RELEASED)
    assert states(ledger)[-2:] == [("1", "confirmed"), ("1", "released")]


def test_another_guardian_goes_on_after_a_confirmation(ledger):
    keep(ledger, GuardianState.CONFIRMED)

    assert keep(ledger, GuardianState.NO_ANSWER, turn=Turn(MOTHER, 2, 1))


def test_a_damaged_fact_is_left_out(ledger):
    keep(ledger, GuardianState.TEXTED)
    keep(ledger, GuardianState.CALLING)
    ledger.transact(
        lambda connection: connection.exec_driver_sql("UPDATE fact SET subject = '2' WHERE number = 1")
    )
    ledger.transact(
        lambda connection: connection.exec_driver_sql(
            "UPDATE fact SET sealed = (SELECT sealed FROM fact WHERE number = 2) WHERE number = 1"
        )
    )

    assert states(ledger) == [("1", "calling")]


# Replies.


def test_a_guardian_who_replies_has_confirmed_and_the_others_are_told_at_once(ledger):
    ledger.record(press("821099998888", reference="other"))
    expect(ledger)
    for each in ledger.claim(GUARDIANS):
        ledger.settle(each, Again(60.0, GUARDIANS, GUARDIANS))

    assert reply(ledger) == [Taken(INCIDENT, "1")]

    [fact] = ledger.transact(guardian_facts, INCIDENT)
    assert to_data(fact) == {
        "state": "confirmed", "by": "sms", "phone": "8210******22", "round": "1", "relation": "mother"
    }  # fmt: skip
    (due,) = ledger.claim(GUARDIANS, after_s=30.0)
    assert due.incident_key == ledger.key_of("821012345678"), "no other is hastened"


def test_a_person_who_was_not_told_cannot_say_anything(ledger):
    expect(ledger)

    assert reply(ledger, phone=Msisdn("821099990000")) == []
    assert states(ledger) == []


@pytest.mark.parametrize("after_s", [REPLY_WITHIN.total_seconds(), REPLY_WITHIN.total_seconds() + 60])
def test_a_reply_may_come_too_late(ledger, after_s):
    expect(ledger)

    assert reply(ledger, after_s=after_s) == []


def test_of_a_closed_incident_nothing_is_awaited(ledger):
    expect(ledger)
    ledger.close()

    assert reply(ledger) == []
    assert ledger.rows("awaited_reply") == []


def test_told_again_in_the_next_round_the_guardian_is_awaited_once(ledger):
    expect(ledger)
    expect(ledger, turn=Turn(MOTHER, 1, 2))
    reply(ledger)

    assert len(ledger.rows("awaited_reply")) == 1
    assert to_data(ledger.transact(guardian_facts, INCIDENT)[0])["round"] == "2"


def test_a_guardian_of_two_who_pressed_confirms_for_both(ledger):
    ledger.record(press("821099998888", reference="other"))
    expect(ledger)
    expect(ledger, turn=Turn(MOTHER, 2, 1), incident="sos-821099998888")

    assert reply(ledger) == [Taken(INCIDENT, "1"), Taken("sos-821099998888", "2")]


def test_the_same_reply_once_more_is_taken_and_is_no_news(ledger):
    expect(ledger)
    reply(ledger)

    assert reply(ledger) == [Taken(INCIDENT, "1")]
    assert states(ledger) == [("1", "confirmed")]


def test_a_guardian_may_call_it_a_mistake_which_closes_nothing(ledger):
    expect(ledger)
    reply(ledger, MISTAKE)

    [known] = [row for row in ledger.rows("fact") if row["kind"] == FactKind.FALSE_ALARM]
    assert known["subject"] == "guardian 1"
    assert json.loads(known["data"])["by"] == "sms"
    assert ledger.rows("incident")[0]["state"] == "open"
    assert states(ledger) == [("1", "confirmed")]


def test_a_mistake_after_a_confirmation_is_heard_too(ledger):
    expect(ledger)
    reply(ledger)
    reply(ledger, MISTAKE)

    assert FactKind.FALSE_ALARM in [row["kind"] for row in ledger.rows("fact")]


def test_words_are_kept_beside_the_state_each_for_itself_and_once(ledger):
    expect(ledger)
    keep(ledger, GuardianState.TEXTED)
    for words in ("학원", "학원 앞", "학원"):
        reply(ledger, GuardianReply(words=words))

    facts = ledger.transact(guardian_facts, INCIDENT)
    assert [(fact.subject, to_data(fact).get("words")) for fact in facts] == [
        ("1", None), ("1.1", "학원"), ("1.2", "학원 앞")
    ]  # fmt: skip
    assert ledger.claim(GUARDIANS) != [], "words alone end no round"


def test_words_without_end_cannot_make_the_reports_heavy(ledger):
    expect(ledger)
    for number in range(MOST_WORDS + 5):
        reply(ledger, GuardianReply(words=f"word {number}"))

    subjects = {fact.subject for fact in ledger.transact(guardian_facts, INCIDENT)}
    assert len(subjects) == MOST_WORDS


def test_a_confirmation_with_words_is_both(ledger):
    expect(ledger)
    reply(ledger, GuardianReply(confirms=True, words="네 지금 가요"))

    assert states(ledger) == [("1", "confirmed"), ("1.1", "words")]


def test_nothing_of_a_guardian_stands_in_the_store_in_plain(ledger):
    expect(ledger)
    reply(ledger, GuardianReply(words="학원 앞이에요"))
    octets = b"".join(
        value if isinstance(value, bytes) else str(value).encode()
        for table in ("fact", "awaited_reply", "delivery")
        for row in ledger.bare_rows(table)
        for value in row.values()
    )

    for secret in ("821011112222", "학원", "mother"):
        assert secret.encode() not in octets


# The next guardian at once.


def test_a_turn_that_waits_for_a_reply_can_be_hastened(ledger):
    ledger.settle(ledger.claim(GUARDIANS)[0], Again(60.0, GUARDIANS, GUARDIANS))
    assert ledger.claim(GUARDIANS, after_s=5.0) == []
    ledger.transact(hasten, INCIDENT, GUARDIANS, NOON + timedelta(seconds=5))

    assert len(ledger.claim(GUARDIANS, after_s=5.0)) == 1


def test_what_is_settled_cannot_be_hastened(ledger):
    ledger.settle(ledger.claim(GUARDIANS)[0], Delivered())
    ledger.transact(hasten, INCIDENT, GUARDIANS, NOON)

    assert ledger.claim(GUARDIANS, after_s=60.0) == []


# Release.


def test_closing_sends_for_the_guardians_who_were_told(ledger):
    keep(ledger, GuardianState.TEXTED)
    ledger.close()

    [errand] = ledger.claim(GUARDIANS_RELEASED)
    assert (errand.kind, errand.sequence, errand.content.msisdn) == (
        GUARDIANS_RELEASED,
        0,
        Msisdn("821012345678"),
    )


def test_closing_sends_for_nobody_where_nobody_was_told(ledger):
    ledger.tell(from_data("call", "1", NOON, {"state": "connected"}))
    ledger.close()

    assert release(ledger) == []


def test_a_guardian_who_was_told_while_it_was_being_closed_hears_that_it_is_over_too(ledger):
    ledger.close()
    assert release(ledger) == []
    keep(ledger, GuardianState.TEXTED, after_s=1.0)

    assert len(ledger.claim(GUARDIANS_RELEASED, after_s=1.0)) == 1


def test_a_release_that_was_done_is_done_again_for_a_late_one_only(ledger):
    keep(ledger, GuardianState.TEXTED)
    ledger.close()
    ledger.settle(ledger.claim(GUARDIANS_RELEASED)[0], Delivered("1 told"))
    keep(ledger, GuardianState.RELEASED)
    assert ledger.claim(GUARDIANS_RELEASED, after_s=60.0) == []

    keep(ledger, GuardianState.CALLING, turn=Turn(MOTHER, 2, 1), after_s=2.0)
    assert len(ledger.claim(GUARDIANS_RELEASED, after_s=60.0)) == 1


def test_a_guardian_told_late_hears_of_it_although_the_others_are_just_being_told(ledger):
    keep(ledger, GuardianState.TEXTED)
    ledger.close()
    [under_way] = ledger.claim(GUARDIANS_RELEASED)
    keep(ledger, GuardianState.CALLING, turn=Turn(MOTHER, 2, 1), after_s=2.0)

    ledger.settle(under_way, Delivered("1 told"), after_s=3.0)

    assert ledger.claim(GUARDIANS_RELEASED, after_s=4.0) == []
    assert len(ledger.claim(GUARDIANS_RELEASED, after_s=LEASE_S)) == 1


def test_the_kind_of_an_awaited_reply_and_of_the_release_fit_their_columns():
    assert len(GUARDIAN_TOLD) <= awaited_reply.c.kind.type.length
    assert len(GUARDIANS_RELEASED) <= delivery.c.kind.type.length
