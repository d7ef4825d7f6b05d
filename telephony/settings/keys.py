"""Reads the keys that the settings may have from the models themselves: for fault messages, checks and documents."""

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
    """The shape of a value: the type without its wrappings, and the bounds that were wrapped around it."""

    kind: Any
    bounds: tuple[Any, ...] = ()

    @property
    def is_list(self) -> bool:
        """Whether a list is expected."""
        return get_origin(self.kind) is tuple

    @property
    def table(self) -> type[Table] | None:
        """The table expected here, or ``None`` where a value is."""
        return self.kind if isinstance(self.kind, type) and issubclass(self.kind, Table) else None

    @property
    def kinds(self) -> dict[str, type[Table]]:
        """The tables of which one is expected here, by the ``kind`` that tells them apart; none where there is no choice."""
        choices = get_args(self.kind) if get_origin(self.kind) in (Union, types.UnionType) else ()
        tables = [table for each in choices if (table := _unwrap(each, ()).table) is not None]
        tables = [table for table in tables if "kind" in table.model_fields]
        return {
            str(kind): table
            for table in tables
            for kind in get_args(of_field(table.model_fields["kind"]).kind)
        }

    @property
    def is_table(self) -> bool:
        """Whether a table is expected, of whichever kind."""
        return self.table is not None or bool(self.kinds)

    @property
    def item(self) -> Shape:
        """The shape of the list's items."""
        return _unwrap(get_args(self.kind)[0], ())


def of_field(field: FieldInfo) -> Shape:
    """Return the shape of a model's field."""
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
    """Return what is expected at a path, or ``None`` where the models know no such place.

    Behind a table that may be of several kinds stands the name of its kind: ``psap[0].channel[1].voice.ring_s``.
    """
    shape = Shape(model)
    for step in path:
        if isinstance(step, int):
            if not shape.is_list:
                return None
            shape = shape.item
        elif kinds := shape.kinds:
            if step not in kinds:
                return None
            shape = Shape(kinds[step])
        else:
            field = None if shape.table is None else shape.table.model_fields.get(step)
            if field is None:
                return None
            shape = of_field(field)
    return shape


def without_kinds(model: type[Table], path: Path) -> Path:
    """Return the path as it stands in the file, where a kind is a key of its table: ``psap[0].channel[1].ring_s``."""
    before = [shape_at(model, path[:end]) for end in range(len(path))]
    return tuple(
        step
        for step, shape in zip(path, before, strict=True)
        if shape is None or not isinstance(step, str) or step not in shape.kinds
    )


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
    if (table := _table_of(shape, value)) is not None:
        yield from written(table, value, at)
    elif shape.is_list and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _written_at(shape.item, item, (*at, index))


def _table_of(shape: Shape, value: Any) -> type[Table] | None:
    """Return the table that was meant; of several kinds, the one that is named, or is the default."""
    kinds = shape.kinds
    named = value.get("kind") if isinstance(value, dict) else None
    if named is None:
        return next(
            (each for each in kinds.values() if not each.model_fields["kind"].is_required()), shape.table
        )
    return kinds.get(str(named), shape.table)


def dotted(path: Path) -> str:
    """Write a path as people do: ``carrier[1].smpp[0].port``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
