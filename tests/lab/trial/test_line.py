"""The far ends of a trial call: what belongs to it, and what to the one before."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

import pytest

from telephony.asterisk.ami.packets import Packet
from telephony.lab.trial.forms import Place, _place
from telephony.lab.trial.line import TrialLine


def in_the_menu(linked: str) -> Packet:
    return Packet((("Event", "Newexten"), ("Context", "service"), ("Linkedid", linked)))


class Ami:
    """Gives the events that have come; there is always something to look at."""

    def __init__(self) -> None:
        self.come: list[Packet] = []
        self._near, self._far = socket.socketpair()
        self._far.send(b".")

    def close(self) -> None:
        self._near.close()
        self._far.close()

    def fileno(self) -> int:
        return self._near.fileno()

    def take_events(self) -> list[Packet]:
        come, self.come = self.come, []
        return come


@pytest.fixture
def line() -> Any:
    ends = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for end in ends:
        end.bind(("127.0.0.1", 0))
    ami = Ami()
    far_ends: Any = SimpleNamespace(
        centres={}, centre_audio={}, phones={"kt": ends[0]}, phone_audio={"kt": ends[1]},
        addresses={"kt": "127.0.0.1"}, asterisk_port=ends[0].getsockname()[1],
    )  # fmt: skip
    yield TrialLine(far_ends, ami), ami  # type: ignore[arg-type]
    for end in (*ends, ami):
        end.close()


def test_an_event_of_the_call_before_that_comes_late_is_not_taken_for_one_of_this_call(line):
    trial, ami = line
    before = trial.dial("kt", "0212345", "821011112222")
    ami.come = [in_the_menu("1.1")]
    assert trial.wait(lambda: _place(before) is Place.MENU, 5.0)

    call = trial.dial("kt", "112", "821011112222")
    ami.come = [in_the_menu("1.1")]
    assert not trial.wait(lambda: _place(call) is not Place.NOWHERE, 0.1)
    ami.come = [in_the_menu("1.2")]

    assert trial.wait(lambda: _place(call) is Place.MENU, 5.0)
