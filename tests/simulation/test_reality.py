"""Two runs of one seed do the same at the same time, in any process, on a busy machine: nothing real gets in."""

from __future__ import annotations

import os
import random
import secrets
import subprocess
import sys
import time
from datetime import UTC, date, datetime

import pytest

from telephony.lab.centre.http_server import LabHttpServer, LabResponse
from telephony.lab.simulation.reality import RealWorld, chance_of, no_real_world
from telephony.lab.simulation.service import SHORT, serve
from telephony.store.crypto import Key
from tests.simulation.house import folder

MOST_OF_MEMORY = 40_000
SHAKEN = f"""
import random, sys
chance = random.Random(sys.argv[1])
kept = [bytearray(chance.randrange(700)) for _ in range(chance.randrange({MOST_OF_MEMORY}))][::2]
from telephony.lab.simulation.__main__ import main
sys.exit(main(sys.argv[2:]))
"""
"""The command in a process whose objects lie at other addresses: a set of objects has another order there."""

TIME, NOW = time.time, datetime.now
"""Under other names, as a module's own ``from time import time`` has them."""


def run_shaken(how, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", SHAKEN, how, *arguments],
        env=os.environ | {"PYTHONHASHSEED": how},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("arguments", [("9003",), ("6", "--short")])
def test_a_seed_is_the_same_to_the_octet_in_other_processes_beside_a_busy_loop(arguments):
    """Nothing hangs on the order of a set, the address of an object, the time of day, or who else wants the processor."""
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        ways = [run_shaken(how, *arguments) for how in ("1", "2")]
        timelines = {way.communicate() for way in ways}
    finally:
        busy.kill()
        busy.wait()

    ((timeline, summary),) = timelines
    assert b"0 promises broken" in summary
    assert b"Traceback" not in summary
    assert timeline.count(b"\n") > 100


def test_a_daemon_reads_no_real_clock_and_draws_nothing_that_no_seed_repeats():
    with folder() as path, no_real_world():
        story = serve(5, path, SHORT)

    assert not story.broken, str(story)


@pytest.mark.parametrize(
    "read",
    [
        time.monotonic,
        TIME,
        lambda: datetime.now(UTC),
        lambda: NOW(UTC),
        date.today,
        lambda: os.urandom(1),
        lambda: secrets.token_bytes(1),
        random.random,
        lambda: random.choice("ab"),
        random.Random,
    ],
)
def test_who_reads_the_real_world_is_found_out_with_the_place(read):
    with pytest.raises(RealWorld) as found, no_real_world():
        read()

    assert "in test_who_reads" in str(found.value)


def test_what_has_a_seed_or_is_told_the_time_is_no_part_of_the_real_world():
    with no_real_world():
        random.Random(1).random()
        datetime.fromtimestamp(0.0, UTC)


def test_keys_and_nonces_come_from_the_seed():
    def drawn(seed):
        with chance_of(random.Random(seed)):
            return Key.make(datetime.fromtimestamp(0.0, UTC)), os.urandom(12), secrets.token_hex(8)

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert os.urandom(12) != os.urandom(12)


def test_a_server_drops_its_connections_in_the_order_they_were_made():
    class Wire:
        def __init__(self, number):
            self.number = number

        def abortConnection(self):
            dropped.append(self.number)

    dropped, kept = [], []
    server = LabHttpServer(None, lambda _: LabResponse())
    for number in range(50):
        kept.append([bytearray(number * 37 % 300) for _ in range(number % 7)])
        server.buildProtocol(None).makeConnection(Wire(number))

    server.drop_connections()

    assert dropped == list(range(50))
