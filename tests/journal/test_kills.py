"""A process that is killed at any instant loses no press that it has acknowledged, and gives no number twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from telephony.store.crypto import KeyFile
from tests.journal import dying_writer


class Lives:
    """What the lives of a journal said, one after the other: as the store and the carriers would know it."""

    def __init__(self, folder: Path) -> None:
        self.journal = folder / "journal"
        self.key_file = folder / "store.key"
        KeyFile(self.key_file).make()
        self.owed: list[int] = []
        """Acknowledged, and the store has it not."""
        self.highest = 0
        self.deaths = 0

    def live(self, moment: int, seed: int) -> bool:
        """Let a process live until its n-th step on the disk; return whether it was killed."""
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.dup2(writing, 1)
                dying_writer.die_at(moment)
                dying_writer.live(self.journal, self.key_file, seed)
            except BaseException:  # noqa: BLE001 - nothing of a test may go on in here
                os._exit(1)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as said:
            lines = said.read().splitlines()
        _, status = os.waitpid(pid, 0)
        self.hear(lines)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL
            self.deaths += 1
            return True
        assert os.WEXITSTATUS(status) == 0
        return False

    def hear(self, lines: list[str]) -> None:
        for line in lines:
            word, _, numbers = line.partition(" ")
            known = [int(number) for number in numbers.split(",") if number]
            if word == "found":
                assert known == sorted(set(known))
                assert set(self.owed) <= set(known), "an acknowledged press is gone"
                self.owed = known
                self.highest = max([self.highest, *known])
            elif word == "put":
                assert known[0] > self.highest, "a number was given twice"
                self.owed += known
                self.highest = known[-1]
            else:
                (number,) = known
                self.owed = [each for each in self.owed if each > number]


@pytest.fixture
def lives(tmp_path: Path) -> Iterator[Lives]:
    return Lives(tmp_path)


def test_a_kill_before_each_step_on_the_disk_loses_nothing(lives: Lives):
    """Every third time within a write. One life after the other on the same folder, each killed one step later than the one before."""
    for moment in range(1, 150):
        lives.live(moment, seed=moment)

    assert lives.deaths > 100
    assert not lives.live(0, seed=0)


@pytest.mark.parametrize("seed", range(3))
def test_kills_at_moments_drawn_by_chance_lose_nothing(lives: Lives, seed: int):
    chance = random.Random(seed)
    for life in range(40):
        lives.live(chance.randint(1, 250), seed=1000 * seed + life)

    assert lives.deaths > 5


def test_a_process_of_its_own_that_is_killed_from_outside_loses_nothing(lives: Lives):
    """Wherever it stands, in the kernel or out of it: as soon as it has acknowledged its n-th press."""
    script = Path(dying_writer.__file__)
    for life in range(4):
        with subprocess.Popen(
            [sys.executable, str(script), str(lives.journal), str(lives.key_file), "0", str(life)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(script.parents[2])},
        ) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(2 + 5 * life)]
            process.kill()
            lines += process.stdout.readlines()
        lives.hear([line.rstrip("\n") for line in lines if line.endswith("\n")])

    assert not lives.live(0, seed=99)
