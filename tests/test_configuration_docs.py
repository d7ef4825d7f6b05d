"""The documents name every key that there is, no other, and the defaults that are."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from pydantic.fields import FieldInfo

from telephony.fields import Secret, Table, Tls
from telephony.settings.keys import Shape, of_field
from telephony.settings.model import Settings
from telephony.settings.wording import toml

ROOT = Path(__file__).parent.parent
SHARED = {Tls: "tls", Secret: "secret"}
"""Tables that stand as values at many places and are documented once."""


def keys_of(model: type[Table], at: str = "", default: Table | None = None) -> dict[str, str]:
    """Give every key of the models that holds a value, with its default as the documents write it."""
    found: dict[str, str] = {}
    for name, field in model.model_fields.items():
        shape = of_field(field)
        key = f"{at}.{name}" if at else name
        table = table_of(shape)
        if table is not None and table not in SHARED:
            inner = field.default if isinstance(field.default, Table) else None
            found |= keys_of(table, key, inner)
        else:
            found[key] = written_default(field) if default is None else written(getattr(default, name))
    return found


def table_of(shape: Shape) -> type[Table] | None:
    return shape.item.table if shape.is_list else shape.table


def written_default(field: FieldInfo) -> str:
    return "required" if field.is_required() else written(field.default)


def written(value: object) -> str:
    return "unset" if value is None else f"`{toml(value)}`"


def keys_of_the_models() -> dict[str, str]:
    found = keys_of(Settings)
    for model, name in SHARED.items():
        found |= keys_of(model, name)
    return found


def keys_of_the_document() -> dict[str, str]:
    """Read ``docs/configuration.md``: its headings name tables, its rows keys and defaults."""
    found: dict[str, str] = {}
    table = ""
    for line in (ROOT / "docs/configuration.md").read_text().splitlines():
        if heading := re.fullmatch(r"## `\[+([a-z_.]+)\]+`", line):
            table = heading[1] + "."
        elif row := re.match(r"\| `([a-z_]+)` \| .*? \| (`.*?`|required|unset) \| [^|]* \| [^|]+ \|$", line):
            assert table + row[1] not in found
            found[table + row[1]] = row[2]
    return found


def test_every_key_is_documented_and_every_documented_key_exists():
    assert sorted(keys_of_the_document()) == sorted(keys_of_the_models())


def test_the_documented_defaults_are_those_of_the_models():
    assert keys_of_the_document() == keys_of_the_models()


def keys_of_the_file(path: Path) -> dict[str, list[str]]:
    """Read a settings file with its commented keys: which key stands there with which values."""
    found: dict[str, list[str]] = {}
    table = ""
    for line in path.read_text().splitlines():
        text = line.removeprefix("# ")
        if header := re.fullmatch(r"\[+([a-z_.]+)\]+", text):
            table = header[1] + "."
        elif key := re.match(r"([a-z_]+) = (.+)$", text):
            found.setdefault(table + key[1], []).append(key[2])
    return found


def test_the_shipped_file_shows_every_key_of_every_table():
    shown = {
        **keys_of_the_file(ROOT / "config/onetouch.toml"),
        "carrier.lbs.tls": ["a table of its own there"],
    }
    shared = tuple(f"{name}." for name in SHARED.values())

    missing = [key for key in keys_of_the_models() if not key.startswith(shared) and key not in shown]

    assert missing == []
    assert {f"carrier.lbs.tls.{name}" for name in Tls.model_fields} <= set(shown)
    unknown = (
        set(shown) - set(keys_of_the_models()) - {f"carrier.lbs.tls.{name}" for name in Tls.model_fields}
    )
    assert unknown == set()


def test_the_shipped_file_shows_the_defaults_that_are():
    """Except where it says that it does otherwise."""
    otherwise = {
        "service.state_dir",
        "recognition.test_numbers",
        "recognition.test_words",
        "carrier.mncs",
        "psap.channel.after_s",
    }
    defaults = keys_of_the_models()

    for key, values in keys_of_the_file(ROOT / "config/onetouch.toml").items():
        default = defaults.get(key, "unset").strip("`")
        if default not in ("required", "unset", "[]") and key not in otherwise:
            assert tomllib.loads(f"x = {values[0]}") == tomllib.loads(f"x = {default}"), key


def test_the_runbook_explains_every_alarm_and_every_event_that_is_logged():
    """An operator who sees a phrase in the log finds it in the runbook."""
    runbook = (ROOT / "docs/runbook.md").read_text()
    explained = set(re.findall(r"`([A-Za-z0-9][^`]*)`", runbook))

    said: set[str] = set()
    for source in (ROOT / "telephony").rglob("*.py"):
        if "lab" in source.relative_to(ROOT / "telephony").parts:
            continue
        text = source.read_text()
        said |= set(
            re.findall(
                r'log\.(?:info|warning|error|critical|exception)\(\s*(?:#[^\n]*\n\s*)?"([^"{]+)"', text
            )
        )
        said |= set(re.findall(r'\.remark\("([^"{]+)"', text))
        said |= set(re.findall(r'\.raise_\("([a-z-]+)"', text))
        said |= set(re.findall(r'(?<!FALSE_)ALARM = "([a-z-]+)"', text))

    assert len(said) > 20, "the search found what it looks for"
    missing = sorted(said - explained)
    assert not missing, missing
