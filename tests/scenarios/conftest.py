"""The houses of the scenarios, and what must be true of every log afterwards."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_twisted
from sqlalchemy import create_engine, text
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from tests.scenarios.house import House
from tests.scenarios.voice import Exchange, VoiceHouse

HARMLESS = (
    "Session already DISCONNECTED",
    "Unable to process manager action 'Getvar'. Asterisk is shutting down",
)
"""What Asterisk calls an error and is none: a phone that hangs up while it is being answered, and our question whether a
call is over that Asterisk ends because it stops."""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Everything but the daemon, open; afterwards the daemon must stop in good order and have told no secret."""
    yield from _in_good_order(House(tmp_path, reactor))


@pytest.fixture
def database(postgresql_url: str) -> str:
    """URL of an empty PostgreSQL database of this test's own."""
    name = f"scenario_{uuid.uuid4().hex[:12]}"
    server = create_engine(postgresql_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    server.dispose()
    return postgresql_url.rsplit("/", 1)[0] + f"/{name}"


@pytest.fixture(scope="module")
def exchange(request: pytest.FixtureRequest) -> Iterator[Exchange]:
    """A real Asterisk for the tests of one file, whose KNOBS it has; fails where none is installed, saying what to do."""
    place = Exchange(getattr(request.module, "KNOBS", {}))
    try:
        place.start()
        place.wait_for_boot()
        yield place
    finally:
        place.remove()


@pytest.fixture
def voice(tmp_path: Path, exchange: Exchange) -> Iterator[VoiceHouse]:
    """The same with Asterisk and its telephones; no channel may be left, and Asterisk have no error to complain of."""
    place = VoiceHouse(tmp_path, reactor, exchange)
    yield from _in_good_order(place)
    errors = [line for line in place.asterisk_log if "ERROR" in line]
    known = (*HARMLESS, *place.expected_errors)
    assert [line for line in errors if not any(words in line for words in known)] == []


def _in_good_order(place: House) -> Iterator[House]:
    pytest_twisted.blockon(Deferred.fromCoroutine(place.open()))
    try:
        yield place
    finally:
        try:
            pytest_twisted.blockon(Deferred.fromCoroutine(place.close()))
        finally:
            for file in (place.daemon.log, place.daemon.stderr):
                print(f"--- {file.name}\n{file.read_text() if file.exists() else ''}"[-8_000:])  # noqa: T201
    assert place.leaks() == []
    assert place.daemon.stderr.read_text() == ""
    for line in place.daemon.log.read_text().splitlines():
        assert {"timestamp", "level", "event"} <= json.loads(line).keys()
    assert place.centre.violations == place.second.violations == []
    assert [report.fault for report in (*place.centre.reports, *place.second.reports) if report.fault] == []
