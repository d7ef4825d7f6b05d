"""Builds state machines from tables: one row is one arrow of the drawing in ``docs/state-machines``.

Automat runs it; the table is what people and tests read. An input that has no row in a state changes nothing there, so
every machine takes every input in every state. Pure: an input returns effects, which its caller performs in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from automat import TypeMachineBuilder

Effect = TypeVar("Effect")
Inputs = TypeVar("Inputs")
Memory = TypeVar("Memory")

Row = tuple[str, Any, str, Callable[..., tuple[Effect, ...]]]
"""State, input, next state, effects as a function of the memory and of the input's arguments."""


def always(*effects: Effect) -> Callable[..., tuple[Effect, ...]]:
    """Return the outputs of a row that has the same effects whatever has happened."""
    return lambda _memory, *_arguments: effects


def inputs_of(inputs: Any) -> tuple[Any, ...]:
    """Return the inputs that a machine's protocol names, in the order in which they stand there."""
    return tuple(getattr(inputs, name) for name in vars(inputs) if not name.startswith("_"))


def machine(
    builder: TypeMachineBuilder[Inputs, Memory], states: Iterable[str], table: Iterable[Row[Any]]
) -> Callable[[Memory], Inputs]:
    """Return a function that makes a new machine, in the first state, around its memory."""
    made = {name: builder.state(name) for name in states}
    unwritten = {(state, event) for state in made for event in inputs_of(builder.inputProtocol)}

    def output(effects: Callable[..., tuple[Any, ...]]) -> Callable[..., tuple[Any, ...]]:
        return lambda _machine, memory, *arguments: effects(memory, *arguments)

    for state, event, following, effects in table:
        made[state].upon(event).to(made[following])(output(effects))
        unwritten.remove((state, event))
    for state, event in unwritten:
        made[state].upon(event).loop().returns(())
    return builder.build()
