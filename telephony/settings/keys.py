"""The keys that the settings may have, read from the models themselves: for fault messages, checks and documents."""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from telephony.fields import Table

Path = tuple[str | int, ...]
"""A way into the settings: names of keys and, in a list, positions counted from 0."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What may stand at a place: the type without its wrappings, and the bounds that were wrapped around it."""

    kind: Any
    bounds: tuple[Any, ...] = ()

    @property
    def is_list(self) -> bool:
        """Claim that a list is expected."""
        return get_origin(self.kind) is tuple

    @property
    def table(self) -> type[Table] | None:
        """The table expected here, or ``None`` where a value is."""
        return self.kind if isinstance(self.kind, type) and issubclass(self.kind, Table) else None

    @property
    def item(self) -> Shape:
        """What each item of the list is."""
        return _unwrap(get_args(self.kind)[0], ())


def of_field(field: FieldInfo) -> Shape:
    """Give the shape of a model's field."""
    return _unwrap(field.annotation, tuple(field.metadata))


def _unwrap(annotation: Any, bounds: tuple[Any, ...]) -> Shape:
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *extras = get_args(annotation)
        for extra in extras:
            bounds += tuple(extra.metadata) if isinstance(extra, FieldInfo) else (extra,)
        return _unwrap(inner, bounds)
    if origin in (Union, types.UnionType):
        present = [each for each in get_args(annotation) if each is not type(None)]
        if len(present) == 1:
            return _unwrap(present[0], bounds)
    return Shape(annotation, bounds)


def shape_at(model: type[Table], path: Path) -> Shape | None:
    """Give what is expected at a path, or ``None`` where the models know no such place."""
    shape = Shape(model)
    for step in path:
        if isinstance(step, int):
            if not shape.is_list:
                return None
            shape = shape.item
        else:
            field = None if shape.table is None else shape.table.model_fields.get(step)
            if field is None:
                return None
            shape = of_field(field)
    return shape


def written(model: type[Table], raw: Any, at: Path = ()) -> Iterator[tuple[Path, Shape, Any]]:
    """Walk over what the operator wrote and the models know, wrong values included: (path, shape, value)."""
    if not isinstance(raw, dict):
        return
    for name, value in raw.items():
        field = model.model_fields.get(name)
        if field is not None:
            yield from _written_at(of_field(field), value, (*at, name))


def _written_at(shape: Shape, value: Any, at: Path) -> Iterator[tuple[Path, Shape, Any]]:
    yield at, shape, value
    if shape.table is not None:
        yield from written(shape.table, value, at)
    elif shape.is_list and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _written_at(shape.item, item, (*at, index))


def dotted(path: Path) -> str:
    """Write a path as people do: ``carrier[1].smpp[0].port``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
