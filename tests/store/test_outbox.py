"""What must leave the house: claimed with a lease, settled with an outcome, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, text, update
from structlog.testing import capture_logs

from telephony.domain.delivery import TRACK, Again, Delivered, Delivery, Errand, Outcome, Rejected, Retry
from telephony.domain.report import DETAILS_LOST, NUMBER_LOST, UNREADABLE_NUMBER, Part, Report
from telephony.store import schema
from telephony.store.crypto import Key, KeyRing
from telephony.store.orders import set_silence
from telephony.store.outbox import owed as owed_module
from telephony.store.outbox.claiming import due_channels, oldest_reports
from telephony.store.outbox.owed import MOST_COUNTED, Owed, owed
from telephony.store.outbox.settling import give_back_all
from telephony.store.outbox.starting import bring_forward, release_leases
from telephony.store.schema import incident
from telephony.store.sealing import with_keys
from tests.doubles import NOON, ONE_CENTRE, WITH_FALLBACK, press
from tests.store.ledger import LEASE_S, NOON_S, Ledger, fix

LEE = "821022222222"
PARK = "821033333333"


@pytest.fixture
def ledger(engines: tuple[Engine, Engine]) -> Ledger:
    return Ledger(engines[0])


@pytest.fixture
def fallback(engines: tuple[Engine, Engine]) -> Ledger:
    return Ledger(engines[0], WITH_FALLBACK)


def states(ledger: Ledger) -> dict[tuple[str, int], str]:
    return {(row["channel"], row["sequence"]): row["state"] for row in ledger.rows("delivery")}


# -- claiming ------------------------------------------------------------------------------------------------


def test_a_claimed_report_comes_ready_to_send_and_counts_as_begun(ledger: Ledger):
    ledger.record(press())

    (claimed,) = ledger.claim()

    assert isinstance(claimed.content, Report)
    assert (claimed.kind, claimed.sequence, claimed.attempts) == ("alert", 1, 1)
    assert claimed.lease_until == NOON_S + LEASE_S
    assert ledger.delivery("seoul", 1)["attempts"] == 1


def test_a_claimed_errand_says_whom_it_is_about(ledger: Ledger):
    ledger.record(press())

    (claimed,) = ledger.claim("locate:skt")

    assert claimed.content == Errand(press().msisdn, "skt", NOON)


def test_a_claim_takes_the_oldest_first_and_no_more_than_asked_for(ledger: Ledger):
    for number, caller in enumerate((PARK, LEE, "821044444444")):
        ledger.record(press(caller, received_at=NOON + timedelta(seconds=number)))

    claimed = ledger.claim(limit=2, after_s=10)

    assert [item.content.msisdn.number for item in claimed] == [PARK, LEE]


def test_a_claim_is_for_one_channel(fallback: Ledger):
    fallback.record(press())

    assert [item.channel for item in fallback.claim("seoul", after_s=60)] == ["seoul"]
    assert [item.channel for item in fallback.claim("seoul-2", after_s=60)] == ["seoul-2"]


def test_what_is_not_due_yet_is_left_alone(fallback: Ledger):
    fallback.record(press())

    assert fallback.claim("seoul-2", after_s=4.9) == []
    assert len(fallback.claim("seoul-2", after_s=5.0)) == 1


def test_reports_of_one_incident_are_claimed_one_after_the_other_in_their_order(ledger: Ledger):
    ledger.record(press())
    (alert,) = ledger.claim()
    ledger.again("1")

    assert ledger.claim(after_s=1) == []
    ledger.settle(alert, Delivered())
    (update,) = ledger.claim(after_s=1)

    assert (update.kind, update.sequence) == ("update", 2)


def test_a_report_that_waits_for_its_retry_holds_back_only_its_own_incident(ledger: Ledger):
    ledger.record(press())
    (alert,) = ledger.claim()
    ledger.settle(alert, Retry("112 is down"))
    ledger.again("1")
    ledger.record(press(LEE))

    (claimed,) = ledger.claim(after_s=0.5)

    assert claimed.content.msisdn.number == LEE


def test_a_rejected_report_does_not_hold_back_the_next(ledger: Ledger):
    ledger.record(press())
    (alert,) = ledger.claim()
    ledger.again("1")
    ledger.settle(alert, Rejected("the centre answered 422"))

    assert [item.sequence for item in ledger.claim(after_s=1)] == [2]


def test_a_lease_keeps_everybody_else_away_until_it_lapses(ledger: Ledger):
    ledger.record(press())
    ledger.claim(owner="one")

    assert ledger.claim(owner="two", after_s=LEASE_S - 0.001) == []
    (taken_over,) = ledger.claim(owner="two", after_s=LEASE_S)

    assert taken_over.attempts == 2
    assert ledger.delivery("seoul", 1)["lease_owner"] == "two"


def test_a_press_recorded_with_a_lease_cannot_be_claimed_until_that_lapses(ledger: Ledger):
    ledger.record(press(), leases={"seoul": NOON_S + LEASE_S})

    assert ledger.claim(after_s=LEASE_S - 1) == []
    assert len(ledger.claim(after_s=LEASE_S)) == 1


def test_a_restarted_process_takes_back_its_own_leases_and_nobody_elses(ledger: Ledger):
    ledger.record(press(), press(LEE), press(PARK))
    ledger.claim(limit=1, owner="one#1")
    ledger.claim(limit=1, owner="two#1")

    assert ledger.transact(release_leases, "one", "one#2") == 1

    assert len(ledger.claim(owner="one", after_s=1)) == 2


def test_taking_back_leases_leaves_those_of_this_very_process(ledger: Ledger):
    """Presses may come before the start is over: what they leased is being sent."""
    ledger.record(press(), press(LEE))
    ledger.claim(limit=1, owner="one#2")

    assert ledger.transact(release_leases, "one", "one#2") == 0

    assert len(ledger.claim(owner="one#2", after_s=1)) == 1


def test_taking_back_leases_leaves_settled_rows_as_they_are(ledger: Ledger):
    ledger.record(press())
    (alert,) = ledger.claim()
    ledger.settle(alert, Delivered())

    assert ledger.transact(release_leases, "me", "me#2") == 0
    assert states(ledger)["seoul", 1] == "delivered"


# -- what another has taken over since ---------------------------------------------------------------------------


def taken_over(ledger: Ledger, channel: str = "seoul") -> tuple[Delivery, Delivery]:
    """A delivery of a process that was stopped until its lease lapsed, and of the one that took it then."""
    ledger.record(press())
    (stopped,) = ledger.claim(channel, owner="one#1")
    (taken,) = ledger.claim(channel, owner="two#1", after_s=LEASE_S)
    return stopped, taken


@pytest.mark.parametrize(
    "outcome",
    [Delivered(), Retry("112 is down", 0.0), Rejected("422"), Again(0.0, TRACK, "track:skt")],
    ids=["delivered", "retry", "rejected", "again"],
)
@pytest.mark.parametrize("channel", ["seoul", "locate:skt"])
def test_who_goes_on_after_its_lease_lapsed_settles_nothing_of_the_next_holder(
    ledger: Ledger, outcome: Outcome, channel: str
):
    stopped, taken = taken_over(ledger, channel)
    before = ledger.rows("delivery")

    ledger.settle(stopped, outcome, after_s=LEASE_S + 1)

    assert ledger.rows("delivery") == before
    assert ledger.claim(channel, after_s=LEASE_S + 2) == []
    ledger.settle(taken, Delivered(), after_s=LEASE_S + 2)
    assert ledger.delivery(channel, taken.sequence)["state"] == "delivered"


def test_who_goes_on_after_its_lease_lapsed_gives_nothing_of_the_next_holder_back(ledger: Ledger):
    """Also where both leases end at the same time, as they may where one machine's clock is ahead."""
    ledger.record(press())
    (stopped,) = ledger.claim(owner="one#1")
    ledger.transact(release_leases, "one", "one#2")
    (taken,) = ledger.claim(owner="one#2")
    assert taken.lease_until == stopped.lease_until

    ledger.transact(give_back_all, [stopped])

    assert ledger.claim(after_s=1) == []
    ledger.transact(give_back_all, [taken])
    assert len(ledger.claim(after_s=1)) == 1


def test_a_press_that_came_with_its_lease_is_settled_under_it_until_another_takes_it(ledger: Ledger):
    for caller, is_taken in ((LEE, False), (PARK, True)):
        (recorded,) = ledger.record(press(caller), leases={"seoul": NOON_S + LEASE_S})
        (held,) = recorded.held
        if is_taken:
            ledger.claim(owner="two#1", after_s=LEASE_S)

        ledger.settle(held, Delivered(), after_s=LEASE_S + 1)

    assert [row["state"] for row in ledger.rows("delivery") if row["channel"] == "seoul"] == [
        "delivered", "pending",
    ]  # fmt: skip


def test_what_comes_too_late_is_told(ledger: Ledger):
    stopped, _ = taken_over(ledger)

    with capture_logs() as lines:
        ledger.settle(stopped, Delivered(), after_s=LEASE_S + 1)

    assert [line["count"] for line in lines if line["event"] == "outcomes too late"] == [1]


def test_a_damaged_token_costs_a_lease_and_no_report(ledger: Ledger):
    if ledger.engine.dialect.name != "sqlite":
        return  # its columns hold what they are declared for
    ledger.record(press())
    damage = "UPDATE delivery SET lease_token = 'damaged'"
    ledger.transact(lambda connection: connection.exec_driver_sql(damage))

    (taken,) = ledger.claim()
    ledger.settle(taken, Delivered())

    assert ledger.delivery("seoul", 1)["state"] == "delivered"


def test_a_report_that_cannot_be_read_does_not_keep_the_others_from_112(ledger: Ledger):
    """One damaged row costs what stands in it, never a channel."""
    ledger.record(press(), press(LEE))
    damage = f"UPDATE delivery SET payload = '{{}}' WHERE incident_key = {ledger.key_of(LEE)}"
    ledger.transact(lambda connection: connection.exec_driver_sql(damage))

    claimed = ledger.claim()

    contents = {item.incident_id: item.content for item in claimed}
    damaged, sound = contents[f"sos-{LEE}"], contents["sos-821012345678"]
    assert isinstance(damaged, Report)
    assert (damaged.msisdn.number, damaged.unread) == (LEE, (Part.DELIVERY,))
    assert isinstance(sound, Report)
    assert sound.unread == ()


class TwoRings:
    """Keys of which one gets lost: the file of a backup that is older than the last change of keys."""

    def __init__(self) -> None:
        kept, lost = Key.make(NOON), Key.make(NOON)
        self.with_all = KeyRing({kept.id: kept, lost.id: lost}, lost.id)
        self.without = KeyRing({kept.id: kept}, kept.id)
        self.now = self.with_all

    def __call__(self) -> KeyRing:
        return self.now


@pytest.mark.parametrize("channel", ["seoul", "locate:skt", "call-control"])
def test_what_is_sealed_under_a_lost_key_waits_for_it_and_holds_up_nobody(
    engines: tuple[Engine, Engine], channel: str
):
    rings = TwoRings()
    with_keys(engines[0], rings)
    ledger = Ledger(engines[0])
    for caller in (LEE, PARK):
        ledger.record(press(caller))
        ledger.transact(set_silence, ONE_CENTRE, f"sos-{caller}", True, "kim", NOON)
        rings.now = rings.without

    (claimed,) = ledger.claim(channel, limit=1)[:1] or ledger.claim(channel, limit=1)
    assert claimed.incident_id == f"sos-{PARK}"
    assert claimed.content is not None
    assert ledger.claim(channel, after_s=1) == []

    rings.now = rings.with_all
    (found,) = [
        item for item in ledger.claim(channel, after_s=LEASE_S + 1) if item.incident_id == f"sos-{LEE}"
    ]
    assert found.content is not None


@pytest.mark.parametrize("channel", ["seoul", "locate:skt", "call-control"])
def test_a_damaged_incident_costs_no_other_its_deliveries(ledger: Ledger, channel: str):
    ledger.record(press(), press(LEE))
    for caller in ("821012345678", LEE):
        ledger.transact(set_silence, ONE_CENTRE, f"sos-{caller}", True, "kim", NOON)
    damage = update(incident).where(incident.c.id == f"sos-{LEE}").values(sealed=b"damaged")
    ledger.transact(lambda connection: connection.execute(damage))

    contents = {item.incident_id: item.content for item in ledger.claim(channel)}

    damaged = contents.pop(f"sos-{LEE}")
    assert damaged is None or (damaged.msisdn, damaged.unread) == (UNREADABLE_NUMBER, (Part.NUMBER,))
    assert contents["sos-821012345678"] is not None


@pytest.mark.parametrize(
    ("table", "part"), [("press", Part.PRESSES), ("position", Part.POSITION), ("incident", Part.NUMBER)]
)
def test_a_damaged_row_costs_what_stands_in_it_and_112_is_told_the_rest(
    ledger: Ledger, table: str, part: Part
):
    ledger.record(press(), press(LEE))
    for item in ledger.claim():
        ledger.settle(item, Delivered())
    for caller in ("821012345678", LEE):
        ledger.locate(fix(), caller=caller)
    key = ledger.key_of(LEE)
    found = schema.metadata.tables[table]
    damage = update(found).where(found.c.key == key if table == "incident" else found.c.incident_key == key)
    ledger.transact(lambda connection: connection.execute(damage.values(sealed=b"\0" * 60)))

    contents = {item.incident_id: item.content for item in ledger.claim(after_s=9)}

    damaged, sound = contents[f"sos-{LEE}"], contents["sos-821012345678"]
    assert isinstance(damaged, Report)
    assert damaged.unread == (part,)
    assert damaged.labels == (NUMBER_LOST if part is Part.NUMBER else DETAILS_LOST,)
    assert isinstance(sound, Report)
    assert sound.unread == ()


def test_the_payload_of_an_order_names_who_gave_it(ledger: Ledger):
    ledger.record(press())
    ledger.transact(set_silence, ONE_CENTRE, "sos-821012345678", True, "Officer Kim", NOON)

    (order,) = ledger.claim("call-control")

    assert order.payload == {"by": "Officer Kim"}
    assert [row["payload"] for row in ledger.rows("delivery") if row["channel"] == "call-control"] == ["{}"]


# -- settling ------------------------------------------------------------------------------------------------


def test_a_delivered_report_is_told_with_what_the_centre_said(ledger: Ledger):
    ledger.record(press())
    (alert,) = ledger.claim()

    ledger.settle(alert, Delivered("201"), after_s=2)

    row = ledger.delivery("seoul", 1)
    assert (row["state"], row["attempts"], row["last_error"]) == ("delivered", 1, "201")
    assert row["settled_at"] == round((NOON_S + 2) * 1e6)
    assert row["lease_until"] == 0
    assert ledger.claim(after_s=100) == []


def test_a_first_delivery_that_was_never_claimed_counts_as_one_attempt(ledger: Ledger):
    (recorded,) = ledger.record(press(), leases={"seoul": NOON_S + LEASE_S})
    (held,) = recorded.held

    ledger.settle(held, Retry("down"))

    assert ledger.delivery("seoul", 1)["attempts"] == 1
    assert ledger.claim(after_s=0.9) == []
    assert len(ledger.claim(after_s=1.0)) == 1


def test_failed_attempts_are_due_again_after_growing_pauses(ledger: Ledger):
    ledger.record(press())
    now, pauses = 0.0, []
    for _ in range(8):
        (alert,) = ledger.claim(after_s=now)
        ledger.settle(alert, Retry("down"), after_s=now)
        due = ledger.delivery("seoul", 1)["due_at"] / 1e6 - NOON_S
        pauses.append(round(due - now, 3))
        now = due

    assert pauses == [1, 1, 2, 4, 8, 15, 15, 15]


def test_the_centre_may_name_the_time_of_the_next_attempt(ledger: Ledger):
    ledger.record(press())
    (alert,) = ledger.claim()

    ledger.settle(alert, Retry("503", after_s=30.0))

    assert ledger.claim(after_s=29.9) == []
    assert len(ledger.claim(after_s=30.0)) == 1


def test_an_errand_moves_on_to_the_channel_that_follows_the_phone(ledger: Ledger):
    ledger.record(press())
    (errand,) = ledger.claim("locate:skt")

    ledger.settle(errand, Again(30.0, TRACK, "track:skt", "cell, 500 m"))

    assert ledger.claim("locate:skt", after_s=100) == []
    assert ledger.claim("track:skt", after_s=29.9) == []
    (following,) = ledger.claim("track:skt", after_s=30)
    assert (following.kind, following.content) == (TRACK, errand.content)


def test_an_errand_that_follows_stays_on_its_channel(ledger: Ledger):
    ledger.record(press())
    (errand,) = ledger.claim("locate:skt")
    ledger.settle(errand, Again(30.0, TRACK, "track:skt"))

    for turn in range(1, 4):
        (following,) = ledger.claim("track:skt", after_s=30 * turn)
        ledger.settle(following, Again(30.0, TRACK, "track:skt"), after_s=30 * turn)

    assert [row["kind"] for row in ledger.rows("delivery") if row["sequence"] == 0] == [TRACK]


def test_an_errand_superseded_by_closing_is_not_brought_back_by_its_late_outcome(ledger: Ledger):
    ledger.record(press())
    (errand,) = ledger.claim("locate:skt")
    ledger.close()

    ledger.settle(errand, Again(30.0, TRACK, "track:skt"))

    assert states(ledger)["locate:skt", 0] == "superseded"
    assert ledger.claim("track:skt", after_s=100) == []


def test_a_report_settled_twice_keeps_its_first_settlement(ledger: Ledger):
    ledger.record(press())
    (alert,) = ledger.claim()
    ledger.settle(alert, Delivered("201"))

    ledger.settle(alert, Retry("a late time-out"))

    assert states(ledger)["seoul", 1] == "delivered"


def test_a_fallback_is_not_needed_once_the_first_channel_has_delivered(fallback: Ledger):
    fallback.record(press())
    (alert,) = fallback.claim()

    fallback.settle(alert, Delivered())

    assert states(fallback) == {
        ("locate:skt", 0): "pending", ("seoul", 1): "delivered", ("seoul-2", 1): "superseded",
    }  # fmt: skip


def test_a_fallback_that_was_begun_is_carried_to_its_end(fallback: Ledger):
    fallback.record(press())
    (alert,) = fallback.claim(after_s=5)
    (stand_in,) = fallback.claim("seoul-2", after_s=5)

    fallback.settle(alert, Delivered(), after_s=6)

    assert states(fallback)["seoul-2", 1] == "pending"
    fallback.settle(stand_in, Delivered(), after_s=7)
    assert states(fallback)["seoul-2", 1] == "delivered"


def test_the_first_channel_keeps_trying_after_the_fallback_has_delivered(fallback: Ledger):
    fallback.record(press())
    (alert,) = fallback.claim()
    fallback.settle(alert, Retry("down"))
    (stand_in,) = fallback.claim("seoul-2", after_s=5)

    fallback.settle(stand_in, Delivered(), after_s=6)

    assert [item.sequence for item in fallback.claim(after_s=6)] == [1]


def test_a_delivered_errand_supersedes_nothing(fallback: Ledger):
    fallback.record(press())
    (errand,) = fallback.claim("locate:skt")

    fallback.settle(errand, Delivered("followed for the longest time"))

    assert states(fallback)["seoul-2", 1] == "pending"


def test_outcomes_of_every_kind_beside_each_other(ledger: Ledger):
    callers = [f"8210{number:08d}" for number in range(40)]
    ledger.record(*[press(caller) for caller in callers])
    outcomes: list[Outcome] = [Delivered(), Retry("x"), Rejected("y")]

    for number, item in enumerate(ledger.claim(limit=100)):
        ledger.settle(item, outcomes[number % 3])

    by_state = [row["state"] for row in ledger.rows("delivery") if row["sequence"]]
    assert [by_state.count(state) for state in ("delivered", "pending", "rejected")] == [14, 13, 13]


def test_whatever_the_centre_answered_can_be_written_down(ledger: Ledger):
    """A settlement that could not be written would send the report again for ever."""
    words = ("x" * 5_000, "a\x00b", "half a pair: \ud83d", "안전 🆘")
    answers = [outcome(said) for outcome in (Delivered, Retry, Rejected) for said in words]
    ledger.record(*[press(f"8210{number:08d}") for number in range(len(answers))])

    for alert, answer in zip(ledger.claim(limit=100), answers, strict=True):
        ledger.settle(alert, answer)

    said = {row["last_error"] for row in ledger.rows("delivery") if row["sequence"]}
    assert said == {"x" * 300, "a␀b", "half a pair: �", "안전 🆘"}


# -- looking -------------------------------------------------------------------------------------------------


def test_channels_with_something_due_are_found(fallback: Ledger):
    fallback.record(press())

    assert set(fallback.transact(due_channels, NOON_S)) == {"seoul", "locate:skt"}
    assert set(fallback.transact(due_channels, NOON_S + 5)) == {"seoul", "seoul-2", "locate:skt"}


def test_a_channel_whose_work_is_leased_is_not_due(ledger: Ledger):
    ledger.record(press())
    ledger.claim()
    ledger.claim("locate:skt")

    assert ledger.transact(due_channels, NOON_S + 1) == []
    assert set(ledger.transact(due_channels, NOON_S + LEASE_S)) == {"seoul", "locate:skt"}


def test_the_oldest_report_that_112_has_not_acknowledged_is_known(ledger: Ledger):
    assert ledger.transact(oldest_reports) == {}
    ledger.record(press())
    ledger.record(press(LEE, received_at=NOON + timedelta(seconds=9)))

    assert ledger.transact(oldest_reports) == {"seoul": NOON_S}
    (alert,) = ledger.claim(limit=1)
    ledger.settle(alert, Delivered())
    assert ledger.transact(oldest_reports) == {"seoul": NOON_S + 9}


def test_what_is_owed_is_counted_by_report_and_not_by_channel(fallback: Ledger):
    fallback.record(press())
    fallback.record(press(LEE, received_at=NOON + timedelta(seconds=9)))
    seen = fallback.transact(owed)

    assert (seen.reports, seen.oldest_at, seen.open_incidents, seen.is_more) == (2, NOON, 2, False)
    (alert,) = fallback.claim("seoul", limit=1)
    fallback.settle(alert, Delivered())
    assert (fallback.transact(owed).reports, fallback.transact(owed).oldest_at) == (
        1,
        NOON + timedelta(seconds=9),
    )


def test_nothing_owed_has_no_age(ledger: Ledger):
    assert ledger.transact(owed) == Owed(0, None, 0, False, None)


def test_a_count_stops_at_its_bound_and_says_so(ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    for statement in ("_OWED", "_OPEN"):
        bounded = str(getattr(owed_module, statement)).replace(f"LIMIT {MOST_COUNTED + 1}", "LIMIT 3")
        monkeypatch.setattr(owed_module, statement, text(bounded))
    monkeypatch.setattr(owed_module, "MOST_COUNTED", 2)
    ledger.record(*[press(f"8210{number:08d}") for number in range(5)])

    seen = ledger.transact(owed)

    assert (seen.reports, seen.open_incidents, seen.is_more) == (2, 2, True)


# -- a clock that was set back while we were away ----------------------------------------------------------------------

BEHIND_S = -3600.0


def brought_forward(ledger: Ledger) -> int:
    """Start on a machine whose clock is an hour behind the rows."""
    moved: int = ledger.transact(bring_forward, NOON_S + BEHIND_S, 300.0)
    return moved


def test_an_alert_of_a_clock_that_was_ahead_is_due_at_once_and_its_fallback_in_its_time(fallback: Ledger):
    fallback.record(press())

    assert brought_forward(fallback)

    due = {
        row["channel"]: row["due_at"] / 1e6 - NOON_S for row in fallback.rows("delivery") if row["sequence"]
    }
    assert due == {"seoul": BEHIND_S, "seoul-2": BEHIND_S + 5.0}


def test_what_was_tried_is_tried_again_at_once(ledger: Ledger):
    ledger.record(press())
    (alert,) = ledger.claim()
    ledger.settle(alert, Retry("down"))

    assert brought_forward(ledger)

    assert [item.kind for item in ledger.claim(after_s=BEHIND_S)] == ["alert"]


def test_news_of_a_press_is_due_in_its_time_although_those_before_it_are_of_a_time_to_come(ledger: Ledger):
    """The clock was set back by an hour; the hundredth press waits for the pause between two updates, no longer."""
    ledger.record(press())
    for number in range(12):
        ledger.again(f"{number}", after_s=number)
        for item in ledger.claim(after_s=number + 60.0):
            ledger.settle(item, Delivered(), after_s=number + 60.0)

    ledger.again("back", after_s=BEHIND_S)

    (news,) = [
        row for row in ledger.rows("delivery") if row["state"] == "pending" and row["channel"] == "seoul"
    ]
    assert news["due_at"] / 1e6 - NOON_S <= BEHIND_S + 5.0
    assert ledger.rows("incident")[0]["last_press_at"] / 1e6 - NOON_S == BEHIND_S


def test_nothing_is_brought_forward_where_no_clock_was_wrong(ledger: Ledger):
    ledger.record(press())
    for number in range(30):
        ledger.again(f"{number}", after_s=number / 10)
    (alert,) = ledger.claim(after_s=3.0)
    ledger.settle(alert, Retry("down"), after_s=3.0)

    assert ledger.transact(bring_forward, NOON_S + 3.0, 300.0) == 0
