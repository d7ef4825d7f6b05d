"""From SOS calls to presses and facts, on a clock of its own and with a store that does as it is told."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs
from twisted.internet import task
from twisted.internet.defer import CancelledError, Deferred, succeed

from telephony.asterisk.sip.carried import Carried
from telephony.asterisk.sos import follower as following
from telephony.asterisk.sos import sos_call
from telephony.asterisk.sos.follower import LATE_S, CallFollower, Trunk
from telephony.asterisk.sos.journal import read_note
from telephony.domain.delivery import RETRY_DELAYS_S
from telephony.domain.errors import Unavailable
from telephony.domain.facts import FactKind, SaidByInvite
from telephony.domain.incident import Join, Receipt
from telephony.domain.knocks import MOST_DIGITS, KnockRule, KnockTable
from telephony.domain.location_token import kept_digest
from telephony.domain.position import Position
from telephony.domain.recognition import Recognition
from telephony.domain.trigger import TOLD_LATE, UNLISTED_DESTINATION
from telephony.domain.values import Msisdn
from telephony.store.fact_rows import to_data
from tests.asterisk.sos.test_sos_call_fuzz import mangled
from tests.asterisk.sos_events import SERVER, Held, captured, packet
from tests.doubles import NINE_HOURS

BEGAN_S = 1_795_464_999.0
GAP_S = 1.5
RULES = [
    KnockRule("cannot-speak", {"ko": "말을 할 수 없음", "en": "cannot speak"}, taps=2),
    KnockRule("armed", {"ko": "흉기", "en": "armed"}, digits="911"),
]


class Door:
    """What `Intake.accept_all` promises: an answer for each press, now or when the test says so."""

    def __init__(self):
        self.answer = "accepts"
        self.offered = []
        self.held = []

    def accept_all(self, triggers):
        self.offered += triggers
        if self.answer == "breaks":
            raise RuntimeError("a defect of ours")
        if self.answer != "hangs":
            return succeed([self._answer(trigger) for trigger in triggers])
        answered = Deferred()
        self.held.append((answered, triggers))
        return answered

    def release(self):
        held, self.held = self.held, []
        for answered, triggers in held:
            answered.callback([self._answer(trigger) for trigger in triggers])

    def _answer(self, trigger):
        if self.answer == "refuses":
            return Unavailable("no commit within 2 s")
        return Receipt(trigger.incident_id or f"named by Intake: {trigger.reference}", Join.FIRST)


class Book:
    """A call book that writes down, or fails, at once or when the test says so."""

    def __init__(self):
        self.fault = None
        self.is_slow = False
        self.written = []
        self.places = []
        self.place_faults = []
        self.waiting = []

    async def record(self, incident_id, record, facts):
        if self.is_slow:
            waiting = Deferred()
            self.waiting.append(waiting)
            await waiting
        if self.fault is not None:
            raise self.fault
        self.written.append((incident_id, record, list(facts)))

    async def located(self, incident_id, position):
        if self.place_faults:
            raise self.place_faults.pop()
        self.places.append((incident_id, position))

    def release(self):
        waiting, self.waiting = self.waiting, []
        for each in waiting:
            each.callback(None)

    def facts(self, kind=FactKind.CALL):
        return [fact for _, _, facts in self.written for fact in facts if fact.kind == kind]

    def states(self):
        return [to_data(fact)["state"] for fact in self.facts()]


class House:
    """A follower with everything around it."""

    def __init__(self, *, trunks=("skt-voice", "kt-voice"), word_s=0.0):
        self.clock = task.Clock()
        self.clock.advance(BEGAN_S)
        self.door, self.book = Door(), Book()
        self.invites, self.asked = {}, []
        recognition = Recognition(frozenset({"112"}), frozenset({"1129"}))
        self.follower = CallFollower(
            SERVER,
            [Trunk(name, name.partition("-")[0], f"from-{name}", recognition) for name in trunks],
            utc_offset=NINE_HOURS,
            is_service=lambda dialled: dialled == "1588112",
            knocks=KnockTable(RULES),
            knock_gap_s=GAP_S,
            accept_all=self.door.accept_all,
            book=self.book,
            clock=self.clock,
            word_s=word_s,
            carried_by=self.carried_by,
        )

    def carried_by(self, call_id):
        self.asked.append(call_id)
        return self.invites.get(call_id)

    def hear(self, *packets, after_s=0.0):
        self.clock.advance(after_s)
        for each in packets:
            self.follower.event(each)

    def pass_time(self, seconds):
        for _ in range(int(seconds / 0.5)):
            self.clock.advance(0.5)

    def connect(self, held):
        self.hear(held.arrives(), held.starts(), held.dials(1), held.is_answered())

    def tap(self, held, digits, every_s=0.4):
        for digit in digits:
            self.hear(held.taps(digit), after_s=every_s)

    def learn(self, held, incident_id=None, *, ended=""):
        self.follower.learn(read_note(SERVER, held.note(ended)), incident_id)

    @property
    def followed(self):
        return self.follower._followed


@pytest.fixture
def house():
    return House()


@pytest.fixture
def held():
    return Held()


# -- the press -------------------------------------------------------------------------------------------------


def test_a_held_key_is_offered_as_a_press_at_once(house, held):
    house.hear(held.arrives())

    [trigger] = house.door.offered
    assert (trigger.source, trigger.connector, trigger.carrier) == ("call", "skt-voice", "skt")
    assert trigger.msisdn == Msisdn("821012345678")
    assert (trigger.reference, trigger.incident_id) == (held.reference, held.incident)
    assert trigger.received_at == datetime.fromtimestamp(BEGAN_S, UTC)
    assert (trigger.destination, trigger.test, trigger.labels) == ("112", False, ())
    [fact] = trigger.facts
    assert (fact.kind, fact.subject, to_data(fact)["state"]) == (FactKind.CALL, held.reference, "arrived")


def test_a_caller_who_gave_up_before_the_dialplan_ran_is_a_press_whose_end_is_told(house, held):
    house.hear(held.arrives(), packet(Event="Hangup", Uniqueid=held.uniqueid))

    assert len(house.door.offered) == 1
    assert house.book.states() == ["given-up"]
    assert house.followed == {}


@pytest.mark.parametrize(
    ("dialled", "test", "labels"),
    [
        ("1129", True, ()),
        ("1129;phone-context=+82", True, ()),
        ("+821129", True, ()),
        ("00821129", True, ()),
        ("+82112", False, ()),
        ("112;npdi", False, ()),
        ("11", False, (UNLISTED_DESTINATION,)),
    ],
)
def test_the_dialled_number_tells_drills_and_is_labelled_where_it_is_in_no_table(
    house, dialled, test, labels
):
    house.hear(Held(dialled=dialled).arrives())

    [trigger] = house.door.offered
    assert (trigger.test, trigger.labels) == (test, labels)


def test_a_reload_changes_the_tables_of_the_trunks_that_are_there(house):
    tables = Recognition(frozenset({"11"}))
    house.follower.recognise(
        [Trunk(name, "skt", "from-skt-voice", tables) for name in ("skt-voice", "new-voice")]
    )

    house.hear(Held(1, dialled="11").arrives(), Held(2, trunk="new-voice").arrives())

    [trigger] = house.door.offered
    assert trigger.labels == ()


def test_a_server_without_a_systemname_leaves_the_name_to_intake(house, held):
    house.hear(held.arrives(Uniqueid="1795464999.0"), packet(Event="Hangup", Uniqueid="1795464999.0"))

    assert house.door.offered[0].incident_id is None
    assert house.book.written[0][0] == "named by Intake: voice-1/1795464999.0"


def test_the_press_is_offered_again_until_it_is_durable_and_always_as_the_same_one(house, held):
    house.door.answer = "refuses"
    house.hear(held.arrives(), held.starts())
    house.pass_time(2 * sum(RETRY_DELAYS_S))

    offered = house.door.offered
    assert len(offered) > len(RETRY_DELAYS_S)
    assert {id(trigger) for trigger in offered} == {id(offered[0])}, "and no remark that it is told late"
    assert house.book.written == []

    house.door.answer = "accepts"
    house.pass_time(RETRY_DELAYS_S[-1])
    count = len(offered)
    house.pass_time(60)
    assert len(offered) == count
    assert [record.reference for _, record, _ in house.book.written] == [held.reference]


def test_a_defect_behind_the_door_costs_no_press(house, held):
    house.door.answer = "breaks"
    with capture_logs() as logs:
        house.hear(held.arrives())
    assert logs[0]["event"] == "press not accepted"

    house.door.answer = "accepts"
    house.pass_time(1)

    assert [trigger.reference for trigger in house.door.offered] == [held.reference] * 2


def test_what_changed_while_the_store_hung_is_told_once_with_its_newest_state(house, held):
    house.door.answer = "hangs"
    house.connect(held)
    assert house.book.written == []

    house.door.answer = "accepts"
    house.door.release()

    [(incident, record, [fact])] = house.book.written
    assert (incident, to_data(fact)["state"]) == (held.incident, "connected")
    assert record.token == kept_digest(held.token_digest)


def test_a_call_that_ended_while_its_press_was_not_durable_is_told_with_its_end(house, held):
    house.door.answer = "refuses"
    house.connect(held)
    house.hear(*held.hangs_up(), after_s=20)

    house.door.answer = "accepts"
    house.pass_time(RETRY_DELAYS_S[-1])

    assert house.book.states() == ["ended"]
    assert house.book.written[0][1].ended_at == datetime.fromtimestamp(BEGAN_S + 20, UTC)
    assert house.followed == {}


# -- what is written down --------------------------------------------------------------------------------------


def test_a_call_is_told_when_112_answers_and_when_it_ends(house, held):
    house.connect(held)
    house.hear(*held.hangs_up(), after_s=30)

    assert house.book.states() == ["connected", "ended"]
    assert {fact.subject for fact in house.book.facts()} == {held.reference}
    assert to_data(house.book.facts()[-1])["ended-by"] == "caller"


def test_the_start_is_kept_for_its_token_and_no_fact(house, held):
    house.hear(held.arrives(), held.starts())

    [(_, record, facts)] = house.book.written
    assert facts == []
    assert (record.reference, record.server, record.channel, record.trunk) == (
        held.reference, SERVER, held.channel, "skt-voice",
    )  # fmt: skip
    assert record.token == kept_digest(held.token_digest)
    assert record.ended_at is None


def test_a_state_that_comes_while_another_is_being_written_is_written_after_it(house, held):
    house.hear(held.arrives(), held.starts())
    house.book.is_slow = True
    house.hear(held.dials(1), held.is_answered())
    house.hear(held.route_over(1, "LOST"), held.dials(2), held.is_answered("PJSIP/centre-2-000000ab"))

    house.book.release()
    house.book.release()

    assert house.book.states() == ["connected", "connected"]
    assert to_data(house.book.facts()[-1])["legs"] == "112-1 lost 0 s; 112-2 connected"


@pytest.mark.parametrize("fault", [Unavailable("database is locked"), RuntimeError("a defect of ours")])
def test_what_could_not_be_written_is_written_later_in_its_newest_state(house, held, fault):
    house.hear(held.arrives(), held.starts())
    house.book.fault = fault
    with capture_logs() as logs:
        house.hear(held.dials(1), held.is_answered())
        house.hear(*held.hangs_up(), after_s=0.2)
        house.pass_time(30)
    assert house.book.states() == []
    assert len(logs) > 4
    assert {entry["event"] for entry in logs} == {"call not written down"}

    house.book.fault = None
    house.pass_time(RETRY_DELAYS_S[-1])

    assert house.book.states() == ["ended"]
    assert house.followed == {}


def test_a_call_whose_following_is_cancelled_ends_quietly(house, held):
    house.hear(held.arrives(), held.starts())
    house.book.fault = CancelledError()

    with capture_logs() as logs:
        house.hear(held.dials(1), held.is_answered())

    assert logs == []
    assert house.followed == {}


def test_two_calls_are_followed_beside_each_other(house):
    one, other = Held(1), Held(2, trunk="kt-voice", silence="zeros")
    house.door.answer = "hangs"
    house.connect(one)
    house.door.answer = "accepts"
    house.connect(other)
    house.hear(*other.hangs_up())
    house.door.release()

    told = [(fact.subject, to_data(fact)["state"]) for fact in house.book.facts()]
    assert told == [(other.reference, "connected"), (other.reference, "ended"), (one.reference, "connected")]
    assert [trigger.carrier for trigger in house.door.offered] == ["skt", "kt"]


def test_the_log_names_the_incident_and_no_number_of_a_person(house, held):
    with capture_logs() as logs:
        house.connect(held)
        house.tap(held, "11")
        house.hear(*held.hangs_up())

    assert [entry["event"] for entry in logs] == ["call followed", "call state", "call state", "knock"]
    assert {entry["incident"] for entry in logs} == {held.incident}
    assert "1012345678" not in str(logs)
    assert held.token not in str(logs)


# -- knocks ----------------------------------------------------------------------------------------------------


def test_taps_close_together_are_one_knock_told_after_the_gap(house, held):
    house.connect(held)
    house.tap(held, "13", every_s=GAP_S - 0.1)
    assert house.book.facts(FactKind.KNOCK) == []

    house.clock.advance(GAP_S)

    [knock] = house.book.facts(FactKind.KNOCK)
    assert to_data(knock) == {
        "digits": "13", "taps": "2", "meaning": "cannot-speak", "ko": "말을 할 수 없음", "en": "cannot speak",
    }  # fmt: skip
    assert knock.subject.startswith(f"{held.reference}#")


def test_taps_further_apart_are_two_knocks_with_a_subject_each(house, held):
    house.connect(held)
    house.tap(held, "11", every_s=GAP_S + 0.1)
    house.clock.advance(GAP_S)

    assert [to_data(knock)["digits"] for knock in house.book.facts(FactKind.KNOCK)] == ["1", "1"]
    assert len({knock.subject for knock in house.book.facts(FactKind.KNOCK)}) == 2


def test_exact_digits_win_over_the_number_of_taps_and_unknown_ones_are_told_as_they_are(house, held):
    house.connect(held)
    for digits in ("911", "119"):
        house.tap(held, digits)
        house.clock.advance(GAP_S)

    known, unknown = house.book.facts(FactKind.KNOCK)
    assert to_data(known)["meaning"] == "armed"
    assert to_data(unknown) == {"digits": "119", "taps": "3"}


def test_a_key_that_is_pressed_on_and_on_is_one_bounded_knock(house, held):
    house.connect(held)
    house.tap(held, "5" * 500, every_s=0.2)
    assert len(house.followed[held.uniqueid].digits) == MOST_DIGITS
    house.clock.advance(GAP_S)

    [knock] = house.book.facts(FactKind.KNOCK)
    assert to_data(knock) == {"digits": "5" * MOST_DIGITS, "taps": str(MOST_DIGITS)}
    assert house.clock.getDelayedCalls() == []


def test_digits_tapped_just_before_the_end_are_told_with_it(house, held):
    house.connect(held)
    house.tap(held, "11")
    house.hear(*held.hangs_up(), after_s=0.1)

    _, record, facts = house.book.written[-1]
    assert [(fact.kind, to_data(fact).get("state", to_data(fact).get("digits"))) for fact in facts] == [
        (FactKind.CALL, "ended"), (FactKind.KNOCK, "11"),
    ]  # fmt: skip
    assert record.ended_at is not None
    assert house.followed == {}
    house.pass_time(5)
    assert len(house.book.facts(FactKind.KNOCK)) == 1


def test_a_knock_alone_does_not_tell_the_call_again(house, held):
    house.connect(held)
    house.tap(held, "1")
    house.clock.advance(GAP_S)

    assert house.book.states() == ["connected"]
    assert len(house.book.facts(FactKind.KNOCK)) == 1


def test_knocks_that_could_not_be_written_are_written_later_in_their_order(house, held):
    house.connect(held)
    house.book.fault = Unavailable("disk full")
    for digit in "123":
        house.tap(held, digit)
        house.clock.advance(GAP_S)
    house.book.fault = None
    house.pass_time(RETRY_DELAYS_S[-1])

    assert [to_data(knock)["digits"] for knock in house.book.facts(FactKind.KNOCK)] == ["1", "2", "3"]


def test_a_knock_that_comes_while_another_is_being_written_is_not_lost(house, held):
    house.connect(held)
    house.book.is_slow = True
    for digit in "12":
        house.tap(held, digit)
        house.clock.advance(GAP_S)

    house.book.release()
    house.book.release()

    assert [to_data(knock)["digits"] for knock in house.book.facts(FactKind.KNOCK)] == ["1", "2"]


# -- after a gap -----------------------------------------------------------------------------------------------


def test_a_call_that_came_and_went_while_nobody_listened_is_a_press_told_late(house, held):
    house.clock.advance(LATE_S + 600)

    house.learn(held, ended="1795465005")

    [trigger] = house.door.offered
    assert trigger.labels == (TOLD_LATE,)
    assert trigger.received_at == datetime.fromtimestamp(BEGAN_S, UTC)
    assert to_data(trigger.facts[0])["state"] == "ended"
    assert house.book.written[0][1].ended_at == datetime.fromtimestamp(BEGAN_S + 6, UTC)
    assert house.followed == {}


def test_a_call_of_a_known_incident_is_no_press_and_its_state_is_written(house, held):
    house.learn(held, "sos-known")

    assert house.door.offered == []
    assert [(incident, [to_data(fact)["state"] for fact in facts]) for incident, _, facts in house.book.written] == [
        ("sos-known", ["arrived"])
    ]  # fmt: skip
    house.hear(*held.hangs_up())
    assert house.book.states() == ["arrived", "given-up"]


def test_a_call_that_is_followed_is_not_learnt_again(house, held):
    """Its press is not durable yet, so the store does not know it; the journal does."""
    house.door.answer = "refuses"
    house.connect(held)
    house.hear(*held.hangs_up())

    house.learn(held, ended="1795465005")
    house.door.answer = "accepts"
    house.pass_time(RETRY_DELAYS_S[-1])

    assert [to_data(fact)["legs"] for fact in house.book.facts()] == ["112-1 connected 0 s"]


def test_a_call_that_was_followed_to_its_end_is_not_learnt_again(house, held):
    house.connect(held)
    house.hear(*held.hangs_up())
    told = len(house.book.written)

    house.learn(held, "sos-known", ended="1795465005")
    house.learn(held)

    assert (len(house.door.offered), len(house.book.written)) == (1, told)


def test_as_many_ended_calls_are_remembered_as_the_journal_may_name(monkeypatch):
    monkeypatch.setattr(following, "MOST_NOTES", 40)
    house = House()
    for number in range(43):
        each = Held(number)
        house.hear(each.arrives(), packet(Event="Hangup", Uniqueid=each.uniqueid))

    assert not house.follower.has_heard_of(Held(2).uniqueid)
    assert house.follower.has_heard_of(Held(3).uniqueid)
    assert len(house.follower._ended) == 40


@pytest.mark.parametrize("how", ["heard", "learnt"])
def test_a_call_of_a_trunk_that_is_not_in_the_settings_is_a_call_for_help_all_the_same(house, how):
    held = Held(trunk="lgu-voice")
    with capture_logs() as logs:
        if how == "heard":
            house.hear(held.arrives(), held.starts())
        else:
            house.learn(held)

    [trigger] = house.door.offered
    assert (trigger.connector, trigger.carrier) == ("lgu-voice", "skt")
    said = [entry for entry in logs if entry["event"] == "call of a trunk that is not in the settings"]
    assert [(entry["log_level"], entry["trunk"]) for entry in said] == [("error", "lgu-voice")]


def test_112_that_answered_while_nobody_listened_is_told(house, held):
    house.hear(held.arrives(), held.starts(), held.dials(1))

    house.follower.standing(held.uniqueid, "1")
    house.follower.standing(held.uniqueid, "1")

    assert house.book.states() == ["connected"]


def test_a_call_that_ended_while_nobody_listened_is_told_with_its_last_digits(house, held):
    house.connect(held)
    house.tap(held, "11")

    house.follower.lost(held.uniqueid, datetime.fromtimestamp(BEGAN_S + 9, UTC))

    assert to_data(house.book.facts()[-1]).items() >= {"state": "ended", "duration-s": "9"}.items()
    assert len(house.book.facts(FactKind.KNOCK)) == 1
    house.follower.lost(held.uniqueid, None)
    assert house.book.states() == ["connected", "ended"]


# -- bounds and disorder ---------------------------------------------------------------------------------------


def test_the_oldest_of_too_many_calls_is_no_longer_followed_and_not_said_to_be_over(house, monkeypatch):
    monkeypatch.setattr(sos_call, "MOST_CALLS", 1)
    first, second = Held(1), Held(2)
    house.connect(first)
    house.tap(first, "1")
    with capture_logs() as logs:
        house.connect(second)

    assert logs[0]["event"] == "call followed"
    assert "call forgotten: there are too many" in [entry["event"] for entry in logs]
    assert list(house.followed) == [second.uniqueid]
    assert len(house.book.facts(FactKind.KNOCK)) == 1
    assert all(record.ended_at is None for _, record, _ in house.book.written)
    house.hear(*first.hangs_up())
    assert not house.follower.has_heard_of(first.uniqueid), "a look into the journal finds it again"


def test_a_forgotten_call_whose_press_is_not_durable_is_still_offered(house, monkeypatch):
    monkeypatch.setattr(sos_call, "MOST_CALLS", 1)
    first, second = Held(1), Held(2)
    house.door.answer = "refuses"
    house.hear(first.arrives(), second.arrives())

    house.door.answer = "accepts"
    house.pass_time(2)

    assert {trigger.reference for trigger in house.door.offered[2:]} == {first.reference, second.reference}
    assert list(house.followed) == [second.uniqueid]


def test_the_same_channel_said_to_begin_twice_breaks_nothing(house, held):
    house.door.answer = "refuses"
    house.hear(held.arrives(), *held.is_over(), held.arrives(), held.starts())

    house.door.answer = "accepts"
    house.pass_time(2)
    house.hear(held.dials(1), held.is_answered(), *held.hangs_up())

    assert house.book.states()[-1] == "ended"
    assert house.followed == {}


@pytest.mark.parametrize("seed", range(30))
def test_however_the_events_and_the_store_behave_every_press_is_accepted_and_every_end_written(seed):
    rng = random.Random(seed)
    house = House()
    with capture_logs() as logs:
        for event in mangled(rng):
            house.door.answer = rng.choice(("accepts", "accepts", "hangs", "refuses", "breaks"))
            house.book.fault = rng.choice((None, None, Unavailable("locked"), RuntimeError("a defect")))
            house.book.is_slow = rng.random() < 0.3
            house.hear(event, after_s=rng.choice((0.0, 0.01, 2.0)))
            if rng.random() < 0.1:
                house.book.release()
        house.door.answer, house.book.fault, house.book.is_slow = "accepts", None, False
        for call in house.follower.calls.live():
            house.follower.lost(call.uniqueid, None)
        for _ in range(3):
            house.door.release()
            house.book.release()
            house.pass_time(2 * RETRY_DELAYS_S[-1])

    assert house.followed == {}
    assert house.follower.calls.live() == []
    assert "background work failed" not in {entry["event"] for entry in logs}
    for reference in {trigger.reference for trigger in house.door.offered}:
        newest = [fact for fact in house.book.facts() if fact.subject == reference][-1]
        assert to_data(newest)["state"] in ("ended", "given-up")
    assert house.door.offered


def test_the_captured_calls_are_told_as_they_went(house):
    for name in ("third-route-ended-by-112", "given-up-at-once", "zeros-with-a-tap", "call-back-busy"):
        house.hear(*captured(name))

    assert house.book.states() == [
        "dialling", "dialling", "connected", "ended", "given-up", "connected", "ended",
    ]  # fmt: skip
    assert [to_data(knock)["digits"] for knock in house.book.facts(FactKind.KNOCK)] == ["7"]
    assert len(house.door.offered) == 3


# -- who calls ------------------------------------------------------------------------------------------------------


def callers(house):
    return [trigger.msisdn and trigger.msisdn.number for trigger in house.door.offered]


@pytest.mark.parametrize("heard", ["<unknown>", "01099999999"], ids=["none", "another"])
def test_the_number_is_the_one_that_the_dialplan_says(held, heard):
    """It reads headers that Asterisk itself does not; its word comes 1 to 3 ms after the channel."""
    house = House(word_s=following.WORD_S)

    house.hear(held.arrives(CallerIDNum=heard))
    assert house.door.offered == []
    house.hear(held.starts(), held.dials(1), after_s=0.002)
    house.pass_time(1)

    assert callers(house) == ["821012345678"]
    assert to_data(house.door.offered[0].facts[0])["silence"] == "no-rtp"


def test_the_number_that_the_dialplan_gives_the_channel_counts_where_its_word_is_not_heard(held):
    house = House(word_s=following.WORD_S)
    clean = dict(held.arrives().headers) | {"Event": "NewCallerid"}

    house.hear(held.arrives(CallerIDNum="<unknown>"), packet(**clean))

    assert callers(house) == ["821012345678"]


def test_a_press_of_which_the_dialplan_says_nothing_waits_no_longer_than_two_seconds(held):
    house = House(word_s=following.WORD_S)

    house.hear(held.arrives())
    house.clock.advance(following.WORD_S - 0.01)
    assert house.door.offered == []
    house.clock.advance(0.01)

    assert callers(house) == ["821012345678"]
    house.hear(held.starts(), *held.hangs_up())
    assert house.book.states() == ["given-up"]
    assert len(house.door.offered) == 1


def test_a_press_without_a_number_waits_for_the_dialplan_to_find_one(held):
    house = House(word_s=following.WORD_S)

    house.hear(held.arrives(CallerIDNum="alice"))
    house.clock.advance(following.WORD_S - 0.01)
    assert house.door.offered == []
    house.hear(held.starts())
    assert callers(house) == ["821012345678"]

    nameless = Held(1)
    house.hear(nameless.arrives(CallerIDNum="alice"))
    house.clock.advance(following.WORD_S)
    assert callers(house)[-1] == "alice"


def test_a_caller_who_gives_up_before_the_dialplans_word_is_told_at_once(held):
    house = House(word_s=following.WORD_S)

    house.hear(held.arrives(), *held.hangs_up())

    assert callers(house) == ["821012345678"]
    assert house.book.states() == ["given-up"]


HERE = Position(37.5665, 126.978, 150.0, 95.0, "cell", "invite", None, datetime.fromtimestamp(BEGAN_S, UTC))
CELL = SaidByInvite(cell="450-05-1A2B-0123456")


def test_what_an_invite_carried_is_told_with_its_call_and_its_place_is_kept(house):
    held = Held()
    house.invites[held.sip_call_id] = Carried(CELL, HERE)

    house.connect(held)

    assert house.asked == [held.sip_call_id]
    assert to_data(house.book.facts()[-1])["cell"] == CELL.cell
    assert house.book.places == [(held.incident, HERE)]


def test_what_is_heard_of_an_invite_after_its_call_is_told_too_and_of_no_other_call(house):
    held, other = Held(1), Held(2)
    house.connect(held)
    house.connect(other)

    house.follower.carried(held.sip_call_id, Carried(CELL, HERE))
    house.follower.carried("somebody-elses", Carried(SaidByInvite(cell="x")))

    told = {fact.subject: to_data(fact).get("cell") for fact in house.book.facts()}
    assert told == {held.reference: CELL.cell, other.reference: None}
    assert house.book.places == [(held.incident, HERE)]


def test_a_place_that_cannot_be_kept_now_is_kept_later_and_costs_the_call_nothing(house):
    held = Held()
    house.invites[held.sip_call_id] = Carried(position=HERE)
    house.book.place_faults = [Unavailable("the store is away")]

    house.connect(held)
    assert house.book.places == []
    house.pass_time(2 * RETRY_DELAYS_S[0])

    assert house.book.places == [(held.incident, HERE)]
    assert house.book.states()[-1] == "connected"


def test_a_call_that_the_journal_tells_of_has_a_channel_too(house):
    house.learn(Held())

    assert house.asked == [Held().sip_call_id]


def test_what_the_dialplan_reads_of_an_invite_is_told_and_gives_way_to_what_the_mirror_tells(house):
    read = {
        "Access": "3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=450051A2B0123456",
        "Geolocation": "<https://ls.example/1><cid:x>",
        "CallInfo": "<urn:x>;purpose=a",
    }
    held, mirrored = Held(1), Held(2)
    house.invites[mirrored.sip_call_id] = Carried(SaidByInvite(cell="450-05-1A2B-7654321"))
    for each in (held, mirrored):
        house.hear(each.arrives(), each.starts(), each._says("carried", **read))

    told = {fact.subject: to_data(fact) for fact in house.book.facts()}
    assert told[held.reference]["cell"] == CELL.cell
    assert told[held.reference]["geolocation"] == "https://ls.example/1"
    assert told[held.reference]["call-info"] == "<urn:x>;purpose=a"
    assert told[mirrored.reference]["cell"] == "450-05-1A2B-7654321"
    assert "geolocation" not in told[mirrored.reference]
