"""The documents name every key that there is, no other, and the defaults that are."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from pydantic.fields import FieldInfo

from telephony.fields import Says, Secret, Table, Tls
from telephony.settings.keys import Shape, of_field
from telephony.settings.model import Settings
from telephony.settings.wording import toml

ROOT = Path(__file__).parent.parent
SHARED = {Tls: "tls", Secret: "secret"}
"""Tables that stand as values at many places and are documented once."""


def keys_of(model: type[Table], at: str = "", default: Table | None = None) -> dict[str, str]:
    """Return every key of the models that holds a value, with its default as the documents write it."""
    found: dict[str, str] = {}
    for name, field in model.model_fields.items():
        shape = of_field(field)
        key = f"{at}.{name}" if at else name
        table = table_of(shape)
        kinds = kinds_of(shape)
        if kinds:
            for kind, one in kinds.items():
                found |= keys_of(one, f"{key}.{kind}")
        elif table is not None and table not in SHARED:
            inner = field.default if isinstance(field.default, Table) else None
            found |= keys_of(table, key, inner)
        else:
            found[key] = written_default(field) if default is None else written(getattr(default, name))
    return found


def table_of(shape: Shape) -> type[Table] | None:
    return shape.item.table if shape.is_list else shape.table


def kinds_of(shape: Shape) -> dict[str, type[Table]]:
    return shape.item.kinds if shape.is_list else shape.kinds


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
    """Read ``docs/configuration.md``: its headings name tables and their kinds, its rows keys and defaults."""
    found: dict[str, str] = {}
    table = ""
    for line in (ROOT / "docs/configuration.md").read_text().splitlines():
        if heading := re.fullmatch(r'## `\[+([a-z_.]+)\]+`(?: with `kind = "([a-z-]+)"`)?', line):
            table = ".".join(part for part in heading.groups() if part is not None) + "."
        elif row := re.match(r"\| `([a-z_]+)` \| .*? \| (`.*?`|required|unset) \| [^|]* \| [^|]+ \|$", line):
            assert table + row[1] not in found
            found[table + row[1]] = row[2]
    return found


def test_every_key_is_documented_and_every_documented_key_exists():
    assert sorted(keys_of_the_document()) == sorted(keys_of_the_models())


def test_the_documented_defaults_are_those_of_the_models():
    assert keys_of_the_document() == keys_of_the_models()


def default_kinds() -> dict[str, str]:
    """Return the kind that a table is where none is written, by the table's key."""
    kinds = (
        re.fullmatch(r"(.+)\.([a-z-]+)\.kind", key)
        for key, default in keys_of_the_models().items()
        if default != "required"
    )
    return {kind[1]: kind[2] for kind in kinds if kind is not None}


def keys_of_the_file(path: Path) -> dict[str, list[str]]:
    """Read a settings file with its commented keys: which key stands there with which values."""
    found: dict[str, list[str]] = {}
    unnamed = default_kinds()
    table = kind = ""
    for line in path.read_text().splitlines():
        text = line.removeprefix("# ")
        if header := re.fullmatch(r"\[+([a-z_.]+)\]+", text):
            table = header[1] + "."
            kind = f"{unnamed[header[1]]}." if header[1] in unnamed else ""
        elif key := re.match(r"([a-z_]+) = (.+)$", text):
            if kind and key[1] == "kind":
                kind = key[2].strip('"') + "."
            found.setdefault(table + kind + key[1], []).append(key[2])
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
        "psap.channel.cap-http.after_s",
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
        said |= set(re.findall(r'(?<!FALSE_)ALARM(?:: Final)? = "([a-z-]+)"', text))

    assert len(said) > 20, "the search found what it looks for"
    missing = sorted(said - explained)
    assert not missing, missing


def test_every_pattern_says_in_words_what_it_wants():
    silent = [
        f"{table.__name__}.{name}"
        for table in tables_of(Settings)
        for name, field in table.model_fields.items()
        for shape in [of_field(field)]
        for bounds in [shape.bounds, shape.item.bounds if shape.is_list else ()]
        if any(getattr(bound, "pattern", None) for bound in bounds)
        and not any(isinstance(bound, Says) for bound in bounds)
    ]

    assert silent == []


def test_what_an_earlier_release_called_something_else_is_a_key_now():
    for table in tables_of(Settings):
        assert set(table.earlier_keys.values()) <= set(table.model_fields)
        assert not set(table.earlier_keys) & set(table.model_fields)


def tables_of(model: type[Table]) -> set[type[Table]]:
    shapes = [of_field(field) for field in model.model_fields.values()]
    inner = [each for shape in shapes for each in (table_of(shape), *kinds_of(shape).values())]
    return {model}.union(*(tables_of(table) for table in inner if table is not None))


def test_every_file_that_a_document_names_is_there():
    """Under the root, or as short as people say it: ``smpp/session.py``, ``scenarios/test_a_press.py``."""
    roots = [ROOT / each for each in (".", "telephony", "tests", "docs", "dialplans", "config")]
    missing = {
        f"{document.name}: {name}"
        for document in (ROOT / "README.md", *ROOT.glob("docs/*.md"), ROOT / "dialplans/README.md")
        for name in re.findall(
            r"`([\w./-]+/[\w./-]+\.(?:py|conf|toml|json|md|svg|tsv|cfg|csv))`", document.read_text()
        )
        if not any((root / name).exists() for root in roots)
    }

    assert missing == set()
