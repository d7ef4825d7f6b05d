"""The house of every scenario, and what must be true of every log afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from tests.scenarios.house import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Everything but the daemon, open; afterwards the daemon must stop in good order and have told no secret."""
    place = House(tmp_path, reactor)
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
