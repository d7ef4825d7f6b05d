"""After every gap: which calls came, went and stand. Against the simulated manager interface, on simulated wires."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from functools import partial

import pytest
from structlog.testing import capture_logs
from twisted.internet.defer import Deferred

from telephony.asterisk.ami.client import AmiClient
from telephony.asterisk.settings import AsteriskServer
from telephony.asterisk.sos.comparison import AT_ONCE
from telephony.asterisk.sos.followed_server import FollowedServer
from telephony.asterisk.sos.follower import CallFollower, Trunk
from telephony.asterisk.sos.journal import JOURNAL_SLOTS, SLOT_CHARACTERS
from telephony.asterisk.sos.sealed_caller import KEY_VARIABLE
from telephony.domain.errors import Unavailable
from telephony.domain.knocks import KnockTable
from telephony.domain.recognition import Recognition
from telephony.domain.trigger import TOLD_LATE
from telephony.lab.phones.ami import LabAmi, LabConnection
from telephony.store.calls import CallRecord, KnownCall
from telephony.store.fact_rows import to_data
from tests.asterisk.sos.test_follower import Book, Door
from tests.asterisk.sos.test_sealed_caller import KEY, OTHER, sealed
from tests.asterisk.sos_events import SERVER, Held, local_row, packet
from tests.doubles import NINE_HOURS
from tests.smpp.people import Witness
from tests.smpp.wires import Wires

SECRET = "lab-only"
PORT = 5038


class Exchange(LabAmi):
    """The simulated manager interface of a server with calls and a journal."""

    def __init__(self, **changes) -> None:
        super().__init__(**changes)
        self.journal: dict[str, str] = {}
        self.own_notes: dict[str, str] = {}
        """By channel: its SOS_NOTE."""
        self.channels: list = []
        self.is_holding = False
        """Questions about the journal wait for `release`."""
        self.held: list = []
        self.before_list = lambda: None
        """What happens right before the channels are listed."""

    def note(self, *notes: str) -> None:
        for slot, note in enumerate(notes, len(self.journal)):
            self.journal[f"SOS_JOURNAL_{slot}"] = f"~{note}"

    def release(self) -> None:
        held, self.held = self.held, []
        for connection, action in held:
            connection.tell_variable(action)

    def _new_connection(self):
        self.accepted += 1
        return ExchangeConnection(self, challenge="123456789")


class ExchangeConnection(LabConnection):
    def _take(self, action) -> None:
        server = self._server
        if action.get("Action") == "Getvar" and "Getvar" not in server.scripts:
            server.held.append((self, action))
            if not server.is_holding:
                server.release()
            return
        if action.get("Action") == "CoreShowChannels" and "CoreShowChannels" not in server.scripts:
            server.before_list()
            rows = [("CoreShowChannel", row) for row in server.channels]
            server.answer_list("CoreShowChannels", rows)
            super()._take(action)
            del server.scripts["CoreShowChannels"]
            return
        super()._take(action)

    def tell_variable(self, action) -> None:
        name, channel = action.get("Variable"), action.get("Channel")
        if channel and channel not in self._server.own_notes:
            self._answer(action, [("Response", "Error"), ("Message", "No such channel")])
            return
        value = self._server.own_notes[channel] if channel else self._server.journal.get(name, "")
        self._answer(action, [("Response", "Success"), ("Variable", name), ("Value", value)])


class Memory:
    """What the store knows of calls."""

    def __init__(self) -> None:
        self.incidents: dict[str, str] = {}
        self.open_ends: list[KnownCall] = []
        self.fault: Exception | None = None
        self.waiting: list[Deferred] | None = None
        self.asked: list[list[str]] = []

    def has(self, held: Held, incident_id: str, *, is_live: bool) -> None:
        self.incidents[held.reference] = incident_id
        if is_live:
            started = datetime.fromtimestamp(1_795_464_999, UTC)
            record = CallRecord(held.reference, SERVER, held.channel, held.trunk, started)
            self.open_ends.append(KnownCall(record, incident_id))

    async def known(self, references):
        self.asked.append(list(references))
        if self.fault is not None:
            raise self.fault
        found = {one: self.incidents[one] for one in references if one in self.incidents}
        if self.waiting is not None:
            waiting = Deferred()
            self.waiting.append(waiting)
            await waiting
        return found

    async def live(self, server):
        assert server == SERVER
        return list(self.open_ends)


class House:
    def __init__(self) -> None:
        self.wires = Wires()
        self.wires.rightNow = 1_795_464_999.0 + 30
        self.lab = Exchange(reactor=self.wires, rng=random.Random(3), secret=SECRET, port=PORT)
        self.door, self.book, self.memory, self.overheard = Door(), Book(), Memory(), []
        recognition = Recognition(frozenset({"112"}))
        follower = CallFollower(
            SERVER,
            [Trunk("skt-voice", "skt", "from-skt-voice", recognition)],
            utc_offset=NINE_HOURS,
            is_service=lambda dialled: False,
            knocks=KnockTable([]),
            knock_gap_s=1.5,
            accept_all=self.door.accept_all,
            book=self.book,
            clock=self.wires,
            word_s=0.0,
        )
        settings = AsteriskServer(name=SERVER, secret={"env": "AMI_SECRET"}, port=PORT)
        connect = partial(AmiClient, settings, reactor=self.wires, rng=random.Random(7), observer=Witness())
        self.followed = FollowedServer(
            SERVER, connect, follower, self.memory, listeners=[self.overheard.append], clock=self.wires
        )
        self.lab.startService()

    def start(self) -> None:
        self.followed.startService()
        self.wires.settle()

    def say(self, *packets) -> None:
        for each in packets:
            fields = [(name, value) for name, value in each.headers if name != "Event"]
            self.lab.say(each.event, *fields)
        self.wires.settle()

    def connect(self, held: Held) -> None:
        self.say(held.arrives(), held.starts(), held.dials(1), held.is_answered())

    def cut(self) -> None:
        """The connection breaks, and stays broken for half a minute."""
        self.lab.drop()
        self.lab.stopService()
        self.wires.pass_time(30.0, step=1.0)

    def come_back(self) -> None:
        self.lab.startService()
        self.wires.pass_time(6.0, step=1.0)

    @property
    def live(self) -> list[str]:
        return [call.uniqueid for call in self.followed.follower.calls.live()]

    def asked(self, action: str) -> int:
        return self.lab.names_heard().count(action)

    def newest(self, held: Held) -> dict[str, str]:
        return to_data([fact for fact in self.book.facts() if fact.subject == held.reference][-1])


@pytest.fixture
def house(monkeypatch):
    monkeypatch.setenv("AMI_SECRET", SECRET)
    return House()


@pytest.fixture
def held():
    return Held()


def at(second: int) -> str:
    """Unix time of the n-th second after the key was held."""
    return str(1_795_464_999 + second)


# -- listening -------------------------------------------------------------------------------------------------


def test_the_desk_and_every_listener_hear_every_event(house, held):
    house.start()

    house.say(held.arrives(), packet(Event="OriginateResponse", Uniqueid="back-1"))

    assert len(house.door.offered) == 1
    assert [each.event for each in house.overheard][-2:] == ["Newchannel", "OriginateResponse"]


def test_it_leaves_without_ending_a_call(house, held):
    house.start()
    house.connect(held)

    house.followed.stopService()
    house.wires.pass_time(5.0, step=1.0)

    assert house.book.states() == ["connected"]
    assert not house.followed.client.is_ready


# -- the first look --------------------------------------------------------------------------------------------


def test_a_call_that_came_and_went_while_we_were_away_is_told_late(house, held):
    house.wires.advance(600)
    house.lab.note(held.note(at(4)))

    house.start()

    [trigger] = house.door.offered
    assert (trigger.reference, trigger.labels) == (held.reference, (TOLD_LATE,))
    assert house.newest(held).items() >= {"state": "ended", "duration-s": "4"}.items()
    assert house.live == []


def test_calls_that_came_while_we_were_away_are_told_in_their_order(house):
    calls = [Held(number, began=1_795_464_999 - number) for number in range(5)]
    house.lab.note(*(call.note(at(1)) for call in calls))

    house.start()

    assert [trigger.reference for trigger in house.door.offered] == [
        call.reference for call in reversed(calls)
    ]


def test_a_call_that_stands_and_that_112_does_not_have_yet_is_told_and_followed(house, held):
    house.lab.note(held.note())
    house.lab.channels = [held.row(), local_row(held), held.centre_row(ChannelStateDesc="Ringing")]

    house.start()

    assert [trigger.reference for trigger in house.door.offered] == [held.reference]
    assert house.newest(held)["state"] == "dialling"
    assert house.book.written[-1][1].channel == held.channel
    house.say(held.is_answered())
    assert house.newest(held).items() >= {"state": "connected", "route": "112-1"}.items()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("PJSIP/centre-2-000000aa", {"state": "connected", "route": "112-2", "legs": "112-2 connected"}),
        ("PJSIP/police-000000aa", {"state": "connected", "legs": "112 connected"}),
    ],
)
def test_a_call_that_stands_with_112_is_told_and_followed_to_its_end(house, held, name, told):
    house.lab.note(held.note())
    house.lab.channels = [held.centre_row(name=name), held.row()]

    house.start()

    assert house.newest(held).items() >= told.items()
    assert house.newest(held)["connected"].startswith("2026-11-23T20:17:09")
    house.say(*held.hangs_up())
    assert house.newest(held).items() >= {"state": "ended", "ended-by": "caller"}.items()


def test_a_call_whose_channel_is_still_there_stands_until_its_hangup_is_heard(house, held):
    """The dialplan has noted the end, and Asterisk is about to take the channel down."""
    house.lab.note(held.note(at(4)))
    house.lab.channels = [held.row()]

    house.start()

    assert house.live == [held.uniqueid]
    house.say(*held.is_over())
    assert house.newest(held)["state"] == "given-up"


def test_the_channels_of_another_call_say_nothing_of_this_one(house, held):
    other = Held(5)
    house.lab.note(held.note())
    house.lab.channels = [held.row(), other.row(), other.centre_row()]

    house.start()

    assert house.newest(held)["state"] == "dialling"


def test_a_call_that_is_known_and_over_is_told_no_more(house, held):
    house.lab.note(held.note(at(4)))
    house.memory.has(held, "sos-known", is_live=False)

    house.start()

    assert (house.door.offered, house.book.written) == ([], [])


def test_a_known_call_that_stands_is_followed_under_its_incident(house, held):
    house.lab.note(held.note())
    house.lab.channels = [held.row(), held.centre_row()]
    house.memory.has(held, "sos-known", is_live=True)

    house.start()

    assert house.door.offered == []
    assert [(incident, facts[0].state) for incident, _, facts in house.book.written] == [
        ("sos-known", "connected")
    ]
    house.say(*held.hangs_up())
    assert house.newest(held)["state"] == "ended"


@pytest.mark.parametrize(("end", "seconds"), [(at(4), "4"), ("", "30")])
def test_a_known_call_that_ended_meanwhile_is_told_with_its_end(house, held, end, seconds):
    """Without an end in the journal (Asterisk was killed), it ended now at the latest."""
    house.lab.note(held.note(end))
    house.memory.has(held, "sos-known", is_live=True)

    house.start()

    assert house.door.offered == []
    assert house.book.written[0][0] == "sos-known"
    assert house.newest(held).items() >= {"state": "ended", "duration-s": seconds}.items()
    assert "ended-by" not in house.newest(held)


def test_after_a_restart_of_asterisk_with_an_empty_journal_its_calls_are_over(house, held):
    house.memory.has(held, "sos-known", is_live=True)

    house.start()

    [(incident, record, [fact])] = house.book.written
    assert (incident, fact.state) == ("sos-known", "ended")
    assert (record.reference, record.channel) == (held.reference, held.channel)
    assert record.ended_at is not None
    assert house.door.offered == []


def test_a_known_call_that_stands_is_followed_although_the_journal_names_it_no_more(house, held):
    """Many calls have come since, and its slot is another's."""
    house.lab.channels = [held.row(), held.centre_row()]
    house.memory.has(held, "sos-known", is_live=True)

    house.start()

    assert house.live == [held.uniqueid]
    house.say(*held.hangs_up())
    assert [record.ended_at is not None for _, record, _ in house.book.written] == [False, True]


def test_what_is_in_the_journal_and_no_note_is_left(house, held):
    house.lab.note("rubbish", held.note(at(4)), "|" * 7)

    with capture_logs() as logs:
        house.start()

    assert len(house.door.offered) == 1
    assert [entry for entry in logs if entry["event"] == "caught up with Asterisk"] == [
        {"event": "caught up with Asterisk", "log_level": "info", "server": SERVER, "channels": 0,
         "journal": 1, "learnt": 1, "ended": 0}
    ]  # fmt: skip


def test_the_whole_journal_is_asked_for_in_portions(house):
    house.lab.is_holding = True
    house.start()

    portions, asked = [], set()
    while house.lab.held:
        portions.append(len(house.lab.held))
        asked |= {action.get("Variable") for _, action in house.lab.held}
        house.lab.release()
        house.wires.settle()

    assert AT_ONCE < 100
    assert portions == [AT_ONCE] * (JOURNAL_SLOTS // AT_ONCE) + [JOURNAL_SLOTS % AT_ONCE]
    assert asked == {f"SOS_JOURNAL_{slot}" for slot in range(JOURNAL_SLOTS)}


def test_every_call_that_stands_is_told_however_many_have_pushed_its_note_out(house):
    """A call carries its own note; the journal names it no more, and the store has never heard of it."""
    calls = [Held(number) for number in range(3 * AT_ONCE)]
    house.lab.channels = [row for call in calls for row in (call.row(), call.centre_row())]
    house.lab.own_notes = {call.channel: call.note().removesuffix("|") for call in calls}

    house.start()

    assert sorted(each.reference for each in house.door.offered) == sorted(call.reference for call in calls)
    assert (
        house.newest(calls[0]).items() >= {"state": "connected", "route": "112-1", "dialled": "112"}.items()
    )
    assert house.book.written[0][1].token is not None
    house.say(*calls[0].hangs_up())
    assert house.newest(calls[0])["state"] == "ended"


def test_a_channel_that_is_no_held_key_or_is_gone_when_it_is_asked_is_no_call(house):
    service, gone = Held(1), Held(2)
    house.lab.channels = [service.row(), gone.row()]
    house.lab.own_notes = {service.channel: ""}

    house.start()

    assert house.door.offered == []
    assert house.asked("CoreShowChannels") == 2, "and it was not asked again"


def test_a_standing_call_is_asked_for_its_note_only_where_the_journal_does_not_name_it(house, held):
    house.lab.note(held.note())
    house.lab.channels = [held.row(), held.centre_row()]

    house.start()

    assert house.asked("Getvar") == JOURNAL_SLOTS


@pytest.mark.parametrize(("key", "caller"), [(KEY, "821012345678"), (OTHER, ""), ("", "")])
def test_a_caller_who_came_and_went_unseen_is_told_by_the_number_under_the_journals_key_and_without_it_all_the_same(
    house, key, caller
):
    house.lab.note(Held(caller=sealed("01012345678")).note(at(4)))
    house.lab.journal[KEY_VARIABLE] = key

    with capture_logs() as logs:
        house.start()

    [offered] = house.door.offered
    assert offered.msisdn.number == caller
    said = [entry["event"] for entry in logs if entry["log_level"] == "error"]
    assert said == ([] if caller else ["caller sealed in the journal, and no key opens it"])


def test_a_journal_that_was_too_small_is_owned_up_to(house):
    """A slot is cut and even its oldest note is news: what was before it is gone."""
    notes = "".join(f"~{Held(number * JOURNAL_SLOTS).note(at(4))}" for number in range(12))
    house.lab.journal = {"SOS_JOURNAL_0": notes[-SLOT_CHARACTERS:]}

    with capture_logs() as logs:
        house.start()

    [said] = [entry for entry in logs if entry["log_level"] == "error"]
    assert said["event"] == "journal was full: calls of this time may be missing"
    assert (said["slots"], said["until"]) == (1, "2026-11-23T20:16:39+00:00")
    told = len(house.door.offered)
    assert told > 5
    house.cut()
    with capture_logs() as logs:
        house.come_back()
    assert (len(house.door.offered), [e for e in logs if e["log_level"] == "error"]) == (told, [])


def test_a_journal_that_is_full_of_calls_that_112_knows_has_lost_nobody(house):
    calls = [Held(number * JOURNAL_SLOTS) for number in range(12)]
    notes = "".join(f"~{call.note(at(4))}" for call in calls)
    house.lab.journal = {"SOS_JOURNAL_0": notes[-SLOT_CHARACTERS:]}
    for call in calls[:-1]:
        house.memory.has(call, call.incident, is_live=False)

    with capture_logs() as logs:
        house.start()

    assert [trigger.reference for trigger in house.door.offered] == [calls[-1].reference]
    assert [entry for entry in logs if entry["log_level"] == "error"] == []


# -- after a gap -----------------------------------------------------------------------------------------------


def test_a_call_that_112_answered_during_a_gap_is_told_as_connected(house, held):
    house.start()
    house.say(held.arrives(), held.starts(), held.dials(1))
    house.lab.note(held.note())
    house.cut()
    house.lab.channels = [held.row(), held.centre_row()]

    house.come_back()

    assert house.newest(held).items() >= {"state": "connected", "route": "112-1"}.items()
    house.say(*held.hangs_up())
    assert house.newest(held)["state"] == "ended", "and not given up"
    assert len(house.door.offered) == 1


def test_a_call_that_112_lost_during_a_gap_is_told_as_dialling(house, held):
    house.start()
    house.connect(held)
    house.cut()
    house.lab.channels = [held.row(), held.centre_row(2, ChannelStateDesc="Ringing")]

    house.come_back()

    assert house.newest(held)["state"] == "dialling"
    assert house.newest(held)["legs"].startswith("112-1 lost ")


def test_a_call_that_ended_during_a_gap_is_told_once_with_the_end_that_the_journal_tells(house, held):
    house.start()
    house.connect(held)
    house.memory.has(held, held.incident, is_live=True)
    house.cut()
    house.lab.note(held.note(at(40)))

    house.come_back()

    assert house.book.states() == ["connected", "ended"]
    assert house.newest(held).items() >= {"duration-s": "10", "legs": "112-1 connected 10 s"}.items()
    assert house.live == []


def test_a_call_that_stands_as_it_did_is_not_told_again(house, held):
    house.start()
    house.connect(held)
    house.lab.note(held.note())
    house.memory.has(held, held.incident, is_live=True)
    house.lab.channels = [held.row(), held.centre_row()]

    house.cut()
    with capture_logs() as logs:
        house.come_back()

    assert house.book.states() == ["connected"]
    assert house.live == [held.uniqueid]
    assert [entry["learnt"] for entry in logs if "learnt" in entry] == [0]


def test_a_call_that_was_followed_to_its_end_is_not_asked_for_again(house, held):
    house.start()
    house.connect(held)
    house.say(*held.hangs_up())
    house.lab.note(held.note(at(1)))
    told = len(house.book.written)

    house.cut()
    house.come_back()

    assert house.memory.asked[-1] == []
    assert len(house.book.written) == told


# -- trouble while catching up ---------------------------------------------------------------------------------


def test_contact_lost_in_the_middle_is_caught_up_after_the_next(house, held):
    house.lab.note(held.note(at(4)))
    house.lab.is_holding = True
    house.start()
    assert house.asked("Getvar") == AT_ONCE

    house.cut()
    house.lab.is_holding = False
    house.lab.held.clear()
    house.come_back()

    assert house.asked("Getvar") == AT_ONCE + JOURNAL_SLOTS
    assert len(house.door.offered) == 1


def test_answers_from_before_a_gap_are_not_believed_after_it(house, held):
    """The store hung for so long that Asterisk was lost and is back: the call has ended meanwhile."""
    house.lab.note(held.note())
    house.lab.channels = [held.row()]
    house.memory.waiting = []
    house.start()
    [early] = house.memory.waiting
    house.cut()
    house.lab.channels, house.lab.journal = [], {"SOS_JOURNAL_0": f"~{held.note(at(4))}"}
    house.come_back()
    late = house.memory.waiting[1]

    early.callback(None)
    house.wires.settle()
    assert house.door.offered == []

    late.callback(None)
    house.wires.settle()
    assert len(house.door.offered) == 1
    assert house.newest(held).items() >= {"state": "ended", "duration-s": "4"}.items()


def test_a_question_that_is_refused_or_not_answered_is_asked_again(house, held):
    action = "Getvar"
    house.lab.note(held.note(at(4)))
    house.lab.refuse(action, "Permission denied")
    with capture_logs() as logs:
        house.start()
        house.wires.pass_time(2.0)
        house.lab.ignore(action)
        house.wires.pass_time(8.0, step=0.5)
    assert house.door.offered == []
    assert {entry["event"] for entry in logs} == {"not caught up with Asterisk"}

    del house.lab.scripts[action]
    house.wires.pass_time(20.0, step=1.0)

    assert len(house.door.offered) == 1
    caught_up = house.asked("CoreShowChannels")
    house.wires.pass_time(30.0, step=5.0)
    assert house.asked("CoreShowChannels") == caught_up, "once is enough"


def test_a_store_that_cannot_be_asked_is_asked_again(house, held):
    house.lab.note(held.note(at(4)))
    house.memory.has(held, "sos-known", is_live=False)
    house.memory.fault = Unavailable("database is locked")
    house.start()
    house.wires.pass_time(5.0)
    assert len(house.memory.asked) > 2

    house.memory.fault = None
    house.wires.pass_time(10.0)

    assert house.door.offered == [], "it is known: there is no alarm because the store could not say so"


# -- what happens while catching up ----------------------------------------------------------------------------


def test_a_call_that_ends_while_the_store_is_asked_does_not_stand(house, held):
    """Its end comes before anybody knows of it."""
    house.lab.note(held.note())
    house.lab.channels = [held.row(), held.centre_row()]
    house.memory.waiting = []
    house.start()
    house.say(*held.hangs_up())
    house.lab.channels = []

    house.memory.waiting[0].callback(None)
    house.wires.settle()

    assert house.live == []
    assert house.newest(held)["state"] == "ended"


def test_a_call_that_ends_right_behind_the_list_is_over(house, held):
    house.lab.note(held.note())
    house.lab.channels = [held.row(), held.centre_row()]
    house.memory.waiting = []
    house.start()

    house.memory.waiting[0].callback(None)
    connection = house.lab.connections[0]
    take = connection._take

    def list_then_end(action):
        take(action)
        for each in held.hangs_up():
            house.lab.say(each.event, *each.headers[1:])

    connection._take = list_then_end
    house.wires.settle()

    assert house.live == []
    assert house.newest(held).items() >= {"state": "ended", "ended-by": "caller", "route": "112-1"}.items()


def test_a_call_that_comes_and_goes_while_the_store_is_asked_is_told_as_it_was_heard(house, held):
    house.memory.waiting = []
    house.start()
    house.connect(held)
    house.memory.has(held, held.incident, is_live=True)
    house.say(*held.hangs_up())

    house.memory.waiting[0].callback(None)
    house.wires.settle()

    assert house.book.states() == ["connected", "ended"]
    assert house.newest(held)["ended-by"] == "caller"
    assert len(house.door.offered) == 1


def test_a_call_that_ended_during_the_gap_is_told_with_what_was_heard_of_it_also_by_a_slow_store(house, held):
    """The store says that its end is not known, because its end is just being written."""
    house.start()
    house.connect(held)
    house.memory.has(held, held.incident, is_live=True)
    house.cut()
    house.lab.note(held.note(at(70)))
    house.book.is_slow = True

    house.come_back()
    house.book.is_slow = False
    house.book.release()
    house.wires.settle()

    assert house.book.states() == ["connected", "ended"]
    assert house.newest(held)["route"] == "112-1"


def test_a_call_that_arrives_while_the_channels_are_listed_is_one_press(house, held):
    house.lab.note(held.note())
    house.lab.before_list = lambda: house.lab.say("Newchannel", *held.arrives().headers[1:])
    house.lab.channels = [held.row()]

    house.start()

    assert len(house.door.offered) == 1
    assert house.live == [held.uniqueid]


# -- events that were missed, or forged -----------------------------------------------------------------------------


def forged(house, octets: str) -> None:
    house.lab.write(octets.encode())
    house.wires.settle()


def test_the_end_of_a_call_whose_channel_stands_is_not_told(house, held):
    """Asterisk is asked; whatever wrote the event, the call goes on."""
    house.start()
    house.connect(held)
    house.lab.own_notes[held.channel] = held.uniqueid  # what Getvar gives
    house.lab.channels = [held.row(), held.centre_row()]

    with capture_logs() as logs:
        house.say(*held.hangs_up())
        house.wires.pass_time(10.0, step=0.2)

    assert house.book.states()[-1] == "connected"
    assert "end of a call not believed: its channel stands" in {entry["event"] for entry in logs}
    del house.lab.own_notes[held.channel]
    house.say(*held.hangs_up())
    assert house.newest(held).items() >= {"state": "ended", "ended-by": "caller"}.items()


def test_another_call_in_a_channel_of_the_same_name_is_not_the_call(house, held):
    """Asterisk was restarted and counts from the beginning."""
    house.start()
    house.connect(held)
    house.lab.own_notes[held.channel] = Held(7).uniqueid

    house.say(*held.hangs_up())

    assert house.newest(held)["state"] == "ended"


def test_an_end_is_told_by_the_channel_list_when_nobody_heard_it(house, held):
    house.start()
    house.connect(held)
    house.lab.note(held.note(at(70)))
    house.wires.pass_time(50.0, step=1.0)
    assert house.book.states()[-1] == "connected"

    with capture_logs() as logs:
        house.wires.pass_time(20.0, step=1.0)

    assert house.newest(held).items() >= {"state": "ended", "duration-s": "40"}.items()
    [missed] = [entry for entry in logs if entry["event"] == "events of calls were missed"]
    assert (missed["ended"], missed["learnt"]) == (1, 0)


def test_calls_of_which_no_event_was_heard_are_told_within_the_minute_and_once(house):
    house.start()
    stands, over = Held(1), Held(2, caller="01022222222")
    house.lab.channels = [stands.row(), stands.centre_row()]
    house.lab.note(stands.note(), over.note(at(45)))

    house.wires.pass_time(65.0, step=1.0)

    assert sorted(trigger.reference for trigger in house.door.offered) == [stands.reference, over.reference]
    assert house.newest(stands).items() >= {"state": "connected", "route": "112-1"}.items()
    assert house.newest(over)["state"] == "ended"
    house.wires.pass_time(200.0, step=5.0)
    assert len(house.door.offered) == 2
    assert len(house.memory.asked[-1]) == 0, "what was told is asked of the store no more"


def test_that_112_has_answered_is_told_by_the_channel_list_when_it_is_seen_twice(house, held):
    house.start()
    house.say(held.arrives(), held.starts(), held.dials(1))
    house.lab.channels = [held.row(), held.centre_row()]

    house.wires.pass_time(60.5, step=0.5)
    assert house.book.states() == []
    house.wires.pass_time(2.0, step=0.5)

    assert house.newest(held).items() >= {"state": "connected", "route": "112-1"}.items()


def test_what_is_on_its_way_while_the_channels_are_listed_is_told_by_its_event_alone(house, held):
    house.start()
    house.say(held.arrives(), held.starts(), held.dials(1))
    house.lab.channels = [held.row(), held.centre_row()]
    house.wires.pass_time(60.0, step=0.5)

    house.say(held.is_answered())
    house.wires.pass_time(10.0, step=0.5)

    assert house.book.states() == ["connected"]


def test_an_event_that_a_caller_has_written_into_brings_the_comparison_forward(house, held):
    """The press behind it is told within a second or two, though no event of it can be believed."""
    house.start()
    house.wires.pass_time(5.0, step=1.0)
    house.lab.channels = [held.row()]
    house.lab.own_notes[held.channel] = held.note().removesuffix("|")
    asked = house.asked("Getvar")

    with capture_logs() as logs:
        for _ in range(50):
            forged(house, f"Event: Newchannel\r\nPrivilege: call,all\r\nChannel: {held.channel}\r\n\r\n")
        house.wires.pass_time(1.0, step=0.1)

    assert [trigger.reference for trigger in house.door.offered] == [held.reference]
    assert house.asked("Getvar") - asked == 1, "the journal is not read for it"
    [told, *_] = [entry for entry in logs if entry["event"].startswith("events of a channel are not")]
    assert told["count"] >= 1
    listed = house.asked("CoreShowChannels")
    for _ in range(40):
        forged(house, "CallerIDName: x\r\nEvent: Hangup\r\n\r\n")
        house.wires.pass_time(0.1, step=0.1)
    assert house.asked("CoreShowChannels") - listed <= 2 * 5, "a forger makes us look once a second at most"
    asked = house.asked("Getvar")
    for _ in range(60):
        forged(house, "CallerIDName: x\r\nEvent: Hangup\r\n\r\n")
        house.wires.pass_time(1.0, step=0.5)
    assert house.asked("Getvar") - asked >= JOURNAL_SLOTS, "the journal is read all the same"


def test_a_row_that_a_caller_has_written_into_hides_neither_his_call_nor_shows_another(house, held):
    victim = Held(3, caller="01033333333")
    house.start()
    house.say(victim.arrives(), victim.starts(), victim.dials(1))
    row = held.row(CallerIDNum="1")
    bad = (*row[:4], ("Uniqueid", victim.uniqueid), ("Linkedid", victim.uniqueid), *row[4:])
    house.lab.channels = [victim.row(), bad]
    house.lab.own_notes[held.channel] = held.note().removesuffix("|")

    house.wires.pass_time(125.0, step=1.0)

    assert sorted(trigger.reference for trigger in house.door.offered) == [held.reference, victim.reference]
    assert house.live == [victim.uniqueid, held.uniqueid]
    assert "connected" not in house.book.states()


def test_a_channel_heard_of_after_its_end_does_not_begin_again(house, held):
    house.start()
    house.say(*held.is_over(), held.arrives(), held.starts(), *held.is_over())
    assert house.newest(held)["state"] == "given-up"

    house.say(held.arrives(), held.starts())
    house.wires.pass_time(130.0, step=5.0)

    assert len(house.door.offered) == 1
    assert house.live == []


def test_hangup_before_newchannel_ends_with_the_next_comparison(house, held):
    house.start()

    house.say(*held.is_over(), held.arrives())
    house.wires.pass_time(65.0, step=1.0)

    assert house.newest(held)["state"] == "given-up"
    assert house.live == []


# -- an account without some rights ---------------------------------------------------------------------------------


def test_without_the_channels_events_the_dialplans_words_begin_and_end_a_call(house, held):
    """No ``read = call``."""
    house.start()
    house.say(held.starts(), held.dials(1))
    house.lab.own_notes[held.channel] = held.uniqueid
    house.lab.channels = [held.row(), held.centre_row()]
    house.wires.pass_time(63.0, step=1.0)
    assert house.newest(held)["state"] == "connected"

    end, _hangup = held.is_over()
    house.say(end)
    del house.lab.own_notes[held.channel]
    house.wires.pass_time(1.0, step=0.1)

    assert house.newest(held)["state"] == "ended"
    assert len(house.door.offered) == 1


def test_without_the_dialplans_words_the_channels_events_and_the_journal_tell_the_call(house, held):
    """No ``read = user``."""
    house.start()
    house.say(held.arrives(), held.is_answered())
    house.lab.channels = [held.row(), held.centre_row()]
    house.lab.note(held.note())
    assert "recording" not in house.newest(held)

    house.wires.pass_time(61.0, step=1.0)
    house.say(held.taps("5"), packet(**dict(held.is_over()[1].headers)))

    assert (
        house.newest(held).items()
        >= {"state": "ended", "silence": "no-rtp", "sip-call-id": held.sip_call_id}.items()
    )
    assert len(house.door.offered) == 1


def test_without_a_channel_list_asterisk_is_asked_for_one_call_after_the_other(house, held):
    """No ``write = reporting``."""
    house.lab.refuse("CoreShowChannels", "Permission denied")
    gone, came = Held(2, caller="01022222222"), Held(3, caller="01033333333")
    house.memory.has(gone, "sos-gone", is_live=True)
    house.lab.note(held.note(), came.note(at(4)))
    house.lab.own_notes[held.uniqueid] = held.channel

    house.start()

    assert {trigger.reference for trigger in house.door.offered} == {held.reference, came.reference}
    assert house.newest(gone)["state"] == "ended"
    assert house.live == [held.uniqueid]
    house.lab.own_notes.clear()
    house.wires.pass_time(65.0, step=1.0)
    assert house.newest(held)["state"] == "given-up"
