"""Words pydantic's errors for an operator: the problem, and what to write instead."""

from __future__ import annotations

import datetime as dt
import difflib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path as FilePath
from typing import Any, Literal, get_args, get_origin

import annotated_types
from pydantic import AnyUrl
from pydantic_core import ErrorDetails, PydanticUndefined

from telephony.fields import Says, Secret, Table
from telephony.settings.keys import Path, Shape, shape_at, without_kinds

EXAMPLES = {
    "after_s": "10.0",
    "asterisk.name": '"voice-1"',
    "asterisk.port": "5038",
    "caller_id": '"1588112"',
    "carriers": '["skt"]',
    "cap-http.url": '"https://192.0.2.30/cap"',
    "ca_file": '"/etc/onetouch/carrier-ca.pem"',
    "client_id": '"onetouch"',
    "digits": '"11"',
    "en": '"cannot speak"',
    "host": '"192.0.2.10"',
    "key_file": '"/etc/onetouch/data.keys"',
    "key_hsm.module": '"/usr/lib/softhsm/libsofthsm2.so"',
    "key_hsm.token": '"onetouch"',
    "ko": '"말을 할 수 없음"',
    "language": '"ko"',
    "meaning": '"cannot-speak"',
    "mncs": '["05"]',
    "name": '"skt-1"',
    "of": '"010-0000-0001"',
    "outbind_port": "2776",
    "peer.addresses": '["192.0.2.16/28"]',
    "phone": '"010-0000-0002"',
    "port": "2775",
    "psap.addresses": '"112-seoul"',
    "service_numbers": '["1588112"]',
    "sos_numbers": '["112"]',
    "store.url": '"sqlite:////var/lib/onetouch/onetouch.sqlite"',
    "state_dir": '"/var/lib/onetouch"',
    "system_id": '"onetouch"',
    "taps": "2",
    "test_numbers": '["1120"]',
    "test_words": '["TEST"]',
    "ussd_codes": '["*112#"]',
    "code_tlv": "0x1400",
    "trunk.name": '"skt-voice"',
    "url": '"https://192.0.2.20:9211/LocationQueryService"',
    "voice.name": '"112-seoul-phone"',
    "web.port": "8480",
}
"""What a good value looks like, where the default of the key does not show it; by key, or by table (or its kind) and key."""

_SHOWN_LENGTH = 40
_PRIVATE = frozenset({"password", "secret", "authorization", "of", "phone", "pin", "token", "status_token"})
"""Secrets, and the numbers of people: what is written there is not repeated, as faults are logged too."""


def describe(model: type[Table], error: ErrorDetails) -> tuple[Path, str, str] | None:
    """Turn one pydantic error into (path, problem, what to write instead); ``None`` for a mere consequence."""
    path: Path = error["loc"]
    at = without_kinds(model, path)
    if error["type"] == "extra_forbidden":
        return at, *_unknown(model, path)
    if error["type"] == "too_short" and error["input"]:
        return None  # the list is not empty, but none of its tables is right, which is said of each
    shape = shape_at(model, path)
    if error["type"] == "value_error" and (shape is None or shape.table is not None):
        return at, "does not fit together", error["msg"].removeprefix("Value error, ")
    if shape is None:
        return at, error["msg"], "see docs/configuration.md"
    if shape.kinds and isinstance(error["input"], dict):
        kind = _shown(error["input"].get("kind"), path)
        return (*at, "kind"), f"{kind} is not one of the choices", f"write {_one_of(shape.kinds)}"
    return at, _problem(error, shape, path), f"write {expected(shape, at)}{_example(model, path, shape)}"


def _problem(error: ErrorDetails, shape: Shape, path: Path) -> str:  # noqa: PLR0911 - one return per kind of error
    value = error["input"]
    shown = _shown(value, path)
    if error["type"] == "missing":
        return "is missing"
    if error["type"] == "too_short":
        return "is empty"
    if error["type"] == "value_error":
        return error["msg"].removeprefix("Value error, ")
    if error["type"] == "url_scheme":
        return "is neither http nor https"
    if _key(path).endswith("port"):
        return f"{shown} is not a port number"
    if shape.kind in (int, float) and type(value) in (int, float):
        is_fraction = shape.kind is int and not float(value).is_integer()
        return f"{shown} is not a whole number" if is_fraction else f"{shown} is out of range"
    if shape.kind is str and isinstance(value, str):
        return f"{shown} does not fit here"
    return f"{shown} is not {_noun(shape)}"


def closest(word: str, known: Sequence[str]) -> str:
    """Suggest the key or value that was probably meant, or list the choices."""
    if near := difflib.get_close_matches(word, known, n=1, cutoff=0.6):
        return f"did you mean {near[0]}?"
    return f"remove it, or choose from: {', '.join(sorted(known))}"


def _unknown(model: type[Table], path: Path) -> tuple[str, str]:
    parent = shape_at(model, path[:-1])
    table = None if parent is None else parent.table
    earlier = {} if table is None else table.earlier_keys
    if (now := earlier.get(str(path[-1]))) is not None:
        return "is what an earlier release called it", f"write {_now(model, path, now)} instead"
    known = [] if table is None else list(table.model_fields)
    return "is not a key that is known here", closest(str(path[-1]), known)


def _now(model: type[Table], path: Path, key: str) -> str:
    """Say what stands for a key of an earlier release: a key beside it, or a table of the kind that had its name."""
    at = (*path[:-1], key)
    shape = shape_at(model, at)
    if shape is None or not shape.is_list or path[-1] not in shape.item.kinds:
        return key
    return f'[[{_header(at)}]] with kind = "{path[-1]}"'


def _header(path: Path) -> str:
    return ".".join(step for step in path if isinstance(step, str))


def _key(path: Path) -> str:
    return next((step for step in reversed(path) if isinstance(step, str)), "")


def _noun(shape: Shape) -> str:
    if shape.is_table:
        return "the place of a secret" if shape.table is Secret else "a table"
    if shape.is_list:
        return "a list of tables" if shape.item.is_table else "a list"
    if get_origin(shape.kind) is Literal:
        return "one of the choices"
    nouns = {
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        FilePath: "a path",
        str: "a text",
    }
    return nouns.get(shape.kind, "an address")


def expected(shape: Shape, path: Path) -> str:  # noqa: C901, PLR0911 - one line per kind of value
    """Say in words what may be written at a place."""
    key = _key(path)
    header = _header(path)
    if shape.table is Secret:
        return f'the secret\'s place, {key} = {{env = "NAME"}} or {key} = {{file = "/path"}}'
    if shape.is_table:
        return f"a table [{header}]"
    if shape.is_list:
        if shape.item.is_table:
            return f"at least one table [[{header}]]"
        return f"a list, each {expected(shape.item, path)}"
    if get_origin(shape.kind) is Literal:
        return _one_of(get_args(shape.kind))
    if shape.kind in (int, float):
        return ("a number" if shape.kind is float or key.endswith("port") else "a whole number") + _range(
            shape
        )
    if isinstance(shape.kind, type) and issubclass(shape.kind, AnyUrl):
        return "an address in quotes that begins with http:// or https://"
    if shape.kind is FilePath:
        return "a path in quotes"
    for bound in shape.bounds:
        if isinstance(bound, Says):
            return bound.words
    longest = next(
        (each.max_length for each in shape.bounds if isinstance(each, annotated_types.MaxLen)), None
    )
    return "a text in quotes" + (f", {longest} characters at most" if longest is not None else "")


def _one_of(choices: Iterable[str]) -> str:
    return f"one of {', '.join(toml(choice) for choice in choices)}"


def _range(shape: Shape) -> str:
    low = high = ""
    for bound in shape.bounds:
        match bound:
            case annotated_types.Ge(ge=value):
                low = f"from {value}"
            case annotated_types.Gt(gt=value):
                low = f"above {value}"
            case annotated_types.Le(le=value):
                high = f"to {value}"
            case annotated_types.Lt(lt=value):
                high = f"below {value}"
            case _:
                pass
    if low.startswith("above") and high:
        high = f"and up {high}" if high.startswith("to") else f"and {high}"
    return "".join(f" {part}" for part in (low, high) if part)


def _example(model: type[Table], path: Path, shape: Shape) -> str:
    if shape.is_table or (shape.is_list and shape.item.is_table):
        return ""
    names = [step for step in path if isinstance(step, str)]
    key = names[-1]
    text = EXAMPLES.get(".".join(names[-2:]), EXAMPLES.get(key))
    if text is None and isinstance(path[-1], str):
        parent = shape_at(model, path[:-1])
        default = parent.table.model_fields[path[-1]].default if parent and parent.table else None
        text = None if default in (None, PydanticUndefined, "", ()) else toml(default)
    return "" if text is None else f", e.g. {key} = {text}"


def toml(value: Any) -> str:
    """Write a value as TOML does; for defaults and examples."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(toml(item) for item in value)}]"
    return json.dumps(str(value), ensure_ascii=False)


def _shown(value: Any, path: Path) -> str:
    """Show the value as written, unless it may be a secret, or is too long to be of use."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if not isinstance(value, (str, int, float, dt.date, dt.time)):
        return "this"
    text = str(value)
    if any(step in _PRIVATE for step in path) or "@" in text:
        return "what is written"
    if len(text) > _SHOWN_LENGTH:
        text = text[:_SHOWN_LENGTH] + "…"
    return toml(text) if isinstance(value, str) else text
