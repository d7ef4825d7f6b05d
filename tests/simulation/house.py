"""What the tests of the simulation share: a network with two processes, a protocol that remembers, fresh seeds, and folders in memory."""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twisted.internet.protocol import Factory, Protocol

from telephony.lab.simulation.__main__ import memory_folder
from telephony.lab.simulation.clock import SimulatedClock
from telephony.lab.simulation.network import Network
from telephony.lab.simulation.reactor import SimulatedReactor

SERVER = ("10.1.0.1", 2775)


def seeds_of_this_run(count: int) -> list[int]:
    """New seeds, from the time of day: the same in all processes of one run of pytest-xdist."""
    of_this_run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or time.time_ns()
    return random.Random(of_this_run).sample(range(100_000, 10_000_000), count)


@contextmanager
def folder() -> Iterator[Path]:
    """An empty folder, in memory where there is one: thousands of commits need no real disk here."""
    with tempfile.TemporaryDirectory(prefix="onetouch-simulation-", dir=memory_folder()) as name:
        yield Path(name)


class Remembering(Protocol):
    """Keeps what it hears."""

    def __init__(self):
        self.heard = b""
        self.reads = 0
        self.lost = None

    def dataReceived(self, data):
        self.heard += data
        self.reads += 1

    def connectionLost(self, reason):
        self.lost = reason.type.__name__


class Remember(Factory):
    noisy = False

    def __init__(self):
        self.made = []

    def buildProtocol(self, addr):
        self.made.append(Remembering())
        return self.made[-1]


class TwoProcesses:
    """A client and a server, each with a reactor of its own."""

    def __init__(self, seed=1):
        self.defects = []
        self.clock = SimulatedClock(self.defects.append)
        self.network = Network(self.clock, seed, self.defects.append)
        self.client = SimulatedReactor(self.network, "10.0.0.1")
        self.server = SimulatedReactor(self.network, SERVER[0])
        self.served = Remember()
        self.port = self.server.listenTCP(SERVER[1], self.served, interface=SERVER[0])
