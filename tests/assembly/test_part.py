"""How the parts of the daemon live and die."""

from __future__ import annotations

import pytest
from twisted.application.service import Service
from twisted.internet.defer import Deferred

from telephony.assembly.part import Bell, InTurn, Occasion, Part
from tests.awaiting import failure_of, result_of


class Piece(Service):
    """A service that says when it starts and stops, and stops when it is told to."""

    def __init__(self, name, said, *, takes_its_time=False, fails=False):
        self.name_of, self.said, self.fails = name, said, fails
        self.gone = Deferred() if takes_its_time else None

    def startService(self):
        super().startService()
        self.said.append(f"{self.name_of} starts")

    def stopService(self):
        super().stopService()
        self.said.append(f"{self.name_of} stops")
        if self.fails:
            raise OSError(self.name_of)
        return self.gone


class Noted(Part):
    """A part that says what its own steps are."""

    def __init__(self, said):
        super().__init__()
        self.said = said

    def start(self):
        self.said.append("part begins")

    async def stop(self):
        self.said.append("part ends")


def test_a_part_begins_before_its_services_and_ends_after_them():
    said = []
    part = Noted(said)
    piece = Piece("link", said, takes_its_time=True)
    part.add(piece)

    part.startService()
    stopping = part.stopService()
    assert said == ["part begins", "link starts", "link stops"]
    piece.gone.callback(None)

    assert said[-1] == "part ends"
    assert result_of(stopping) is None


def test_in_turn_the_last_to_start_has_ended_before_the_one_before_it_is_stopped():
    said = []
    whole = InTurn()
    store, links = Piece("store", said), Piece("links", said, takes_its_time=True)
    whole.add(store)
    whole.add(links)

    whole.startService()
    stopping = whole.stopService()
    assert said == ["store starts", "links starts", "links stops"]
    links.gone.callback(None)

    assert said[-1] == "store stops"
    assert result_of(stopping) is None
    assert not whole.running


def test_a_piece_that_fails_to_stop_keeps_none_of_the_others_and_is_told():
    said = []
    whole = InTurn()
    whole.add(Piece("store", said))
    whole.add(Piece("links", said, fails=True))
    whole.startService()

    failure = failure_of(whole.stopService())

    assert said[-1] == "store stops"
    assert str(failure) == "links"


def test_new_tables_reach_every_part_within_a_part():
    heard = []

    class Reader(Part):
        def recognise(self):
            heard.append("read")

    whole, links = Part(), Part()
    links.add(Reader())
    links.add(Piece("a link", []))
    whole.add(links)

    whole.recognise()

    assert heard == ["read"]


def test_a_bell_that_is_rung_before_anybody_listens_is_no_fault_and_later_all_hear():
    bell, heard = Bell(), []
    bell("sos-1", {"seoul"})
    for _ in range(2):
        bell.is_heard_by(lambda *rung: heard.append(rung))

    bell("sos-2", {"seoul"})

    assert heard == [("sos-2", {"seoul"})] * 2


def test_duties_of_an_occasion_are_done_in_order_and_one_that_fails_keeps_the_rest():
    done, occasion = [], Occasion()

    def duty(name, *, fails=False):
        async def do():
            done.append(name)
            if fails:
                raise OSError(name)

        return do

    occasion.means(duty("leases"))
    occasion.means(duty("incidents", fails=True))
    occasion.means(duty("watch"))

    with pytest.raises(OSError, match="incidents"):
        result_of(Deferred.fromCoroutine(occasion()))
    assert done == ["leases", "incidents"]
