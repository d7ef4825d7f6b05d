"""A machine is a table: what has a row happens, what has none changes nothing, and no row stands twice."""

from __future__ import annotations

from typing import Protocol

import pytest
from automat import TypeMachineBuilder

from telephony.net.tables import always, inputs_of, machine


class Door(Protocol):
    def push(self): ...

    def knock(self, times): ...


class Memory:
    knocks = 0


def _count(memory, times):
    memory.knocks += times
    return (f"{memory.knocks} knocks",)


ROWS = (("Shut", Door.push, "Open", always("creaks")), ("Shut", Door.knock, "Shut", _count))


def new_door(rows=ROWS):
    return machine(TypeMachineBuilder(Door, Memory), ("Shut", "Open"), rows)(Memory())


def test_a_row_leads_on_and_its_effects_know_the_memory_and_the_arguments():
    door = new_door()

    assert [door.knock(2), door.knock(1), door.push()] == [("2 knocks",), ("3 knocks",), ("creaks",)]


def test_an_input_without_a_row_changes_nothing():
    door = new_door()
    door.push()

    assert [door.knock(5), door.push()] == [(), ()]


def test_inputs_are_those_of_the_protocol_in_its_order():
    assert inputs_of(Door) == (Door.push, Door.knock)


def test_a_row_that_stands_twice_makes_no_machine():
    with pytest.raises(ValueError, match="push"):
        new_door((*ROWS, ROWS[0]))
