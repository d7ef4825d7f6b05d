"""The simulated disk fails as SQLite does, and a crash loses exactly what was not committed."""

from __future__ import annotations

import random

import pytest
from sqlalchemy import text

from telephony.domain.errors import Unavailable
from telephony.lab.simulation.disk import Disk, DiskTrouble
from telephony.lab.simulation.runner import SimulatedRunner
from telephony.store.database import Database
from telephony.store.engines import open_engines
from tests.doubles import keys
from tests.simulation.house import TwoProcesses, folder


class Shelf:
    """A store on a simulated disk, and a table to write into."""

    def __init__(self, path):
        self.around = TwoProcesses()
        self.disk = Disk(random.Random(1))
        self.engines = open_engines(f"sqlite:///{path}/store.sqlite", keys)
        with self.engines[0].connect() as connection:
            connection.execute(text("CREATE TABLE line (words TEXT)"))
            connection.commit()
        for engine in self.engines:
            self.disk.attach(engine)
        reactor = self.around.client
        self.database = Database(
            *self.engines,
            writer=SimulatedRunner(reactor, self.disk, random.Random(2), 1, is_writer=True),
            reader=SimulatedRunner(reactor, self.disk, random.Random(3), 2, is_writer=False),
            clock=reactor,
        )

    def write(self, words):
        def insert(connection):
            connection.connection.cursor().execute("INSERT INTO line VALUES (?)", (words * 1_000,))

        told = []
        self.database.transact(insert).addBoth(told.append)
        return told

    def lines(self):
        with self.engines[1].connect() as connection:
            return connection.execute(text("SELECT count(*) FROM line")).scalar_one()


@pytest.fixture
def shelf():
    with folder() as path:
        shelf = Shelf(path)
        yield shelf
        for engine in shelf.engines:
            engine.dispose()


def test_a_commit_takes_its_time(shelf):
    told = shelf.write("a")
    assert told == []

    shelf.around.clock.run_for(1.0)

    assert told == [None]
    assert shelf.lines() == 1


@pytest.mark.parametrize("trouble", [DiskTrouble.FULL, DiskTrouble.READ_ONLY])
def test_a_disk_that_refuses_makes_the_store_unavailable_until_it_is_well(shelf, trouble):
    shelf.write("a")
    shelf.around.clock.run_for(1.0)
    shelf.disk.begin(trouble)
    told = [shelf.write("b") for _ in range(5)]
    shelf.around.clock.run_for(1.0)
    assert any(one[0].check(Unavailable) for one in told if one[0] is not None)

    shelf.disk.heal()
    told = shelf.write("c")
    shelf.around.clock.run_for(1.0)

    assert told == [None]


def test_a_hanging_disk_answers_nobody_and_then_everybody(shelf):
    shelf.disk.begin(DiskTrouble.HANGS)
    told = shelf.write("a")
    shelf.around.clock.run_for(60.0)
    assert told == []

    shelf.disk.heal()
    shelf.around.clock.run_for(1.0)

    assert told == [None]


def test_a_crash_before_the_commit_loses_it(shelf):
    shelf.write("a")
    shelf.around.client.kill()
    shelf.around.clock.run_for(1.0)

    assert shelf.lines() == 0


def test_a_crash_after_the_commit_loses_only_the_news_of_it(shelf):
    shelf.disk.on_commit = shelf.around.client.kill
    told = shelf.write("a")
    shelf.around.clock.run_for(1.0)

    assert told == []
    assert shelf.lines() == 1
