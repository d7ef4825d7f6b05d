"""Loads settings from TOML files: reads them, merges included ones, checks everything, then returns or refuses."""

from __future__ import annotations

import tomllib
from pathlib import Path as FilePath
from typing import Any, NamedTuple

from pydantic import ValidationError

from telephony.settings import checks
from telephony.settings.checks import Needs
from telephony.settings.faults import Fault, SettingsFaults
from telephony.settings.model import Settings
from telephony.settings.places import Places
from telephony.settings.wording import describe

INCLUDED = ("carrier", "psap")
"""Lists of tables that may come from other files; everything else is in the main file alone."""


class Loaded(NamedTuple):
    """The settings, and where each of them is written."""

    settings: Settings
    places: Places


def load(path: FilePath, needs: Needs = Needs.DAEMON) -> Settings:
    """Read the settings file and those it includes; see `load_with_places`."""
    return load_with_places(path, needs).settings


def load_with_places(path: FilePath, needs: Needs = Needs.DAEMON) -> Loaded:
    """Read the settings file and those it includes.

    Raises `SettingsFaults` with every fault that can be found, never only the first. Opens no socket and creates
    nothing; reads the places of secrets only to see that they are there. ``needs`` says around which tables that is done:
    who reads the store needs neither the carriers' passwords nor a disk that can be written.
    """
    places = Places(path)
    faults: list[Fault] = []
    main = _read(
        path, places, faults, "name a readable file; `onetouch config write FOLDER` writes one to start from"
    )
    if main is not None:
        _merge(main, path, places, faults)
        # Of an included file that cannot be read nothing else is said, not what is missing without it.
        unsaid = INCLUDED if faults else ()
        faults += [fault for fault in _model_faults(places) if fault.key not in unsaid]
        faults += [places.fault(*finding) for finding in checks.findings(places.raw, needs)]
    if faults:
        faults.sort(key=lambda fault: (fault.file != str(path), fault.file, fault.line or 0))
        raise SettingsFaults(_without_repeats(faults))
    return Loaded(Settings.model_validate(places.raw), places)


def _read(path: FilePath, places: Places, faults: list[Fault], if_missing: str) -> dict[str, Any] | None:
    """Read one TOML file; ``None`` and a fault where that fails. An empty file is a table without keys."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        table = tomllib.loads(text)
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
        faults.append(Fault(str(path), "", problem, if_missing))
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8 (octet {error.start} of the file)"
        faults.append(Fault(str(path), "", problem, "save the file as UTF-8"))
    except tomllib.TOMLDecodeError as error:
        faults.append(_not_toml(path, str(error), text))
    except RecursionError:
        faults.append(Fault(str(path), "", "is nested too deeply", "write it flatter"))
    else:
        places.texts[path] = text
        return table
    return None


def _not_toml(path: FilePath, said: str, text: str) -> Fault:
    """Word what `tomllib` says, which is a sentence with the place in brackets: "… (at line 2, column 10)"."""
    what, _, where = said.removesuffix(")").rpartition(" (at ")
    problem = f"this is not TOML: {what or where}"
    line, _, column = where.removeprefix("line ").partition(", ")
    if not what:
        return Fault(str(path), "", problem, "correct this place first")
    if not line.isdecimal():  # "end of document"
        return Fault(str(path), where, problem, "correct this place first", line=text.count("\n", 0, -1) + 1)
    return Fault(str(path), column, problem, "correct this place first", line=int(line))


def _merge(main: dict[str, Any], path: FilePath, places: Places, faults: list[Fault]) -> None:
    places.raw = dict(main)
    for kind in INCLUDED:
        if isinstance(main.get(kind), list):
            places.raw[kind] = list(main[kind])
            places.origins[kind] = [(path, index) for index in range(len(main[kind]))]
    names = main.get("include")
    for index, name in enumerate(names if isinstance(names, list) else []):
        if isinstance(name, str):
            line = places.line(path, ("include", index))
            _include(path.parent / name, f"{path}:{line}", places, faults)


def _include(path: FilePath, named_at: str, places: Places, faults: list[Fault]) -> None:
    included = _read(path, places, faults, f"provide it, or take it out of include at {named_at}")

    def refuse(kind: str, problem: str, instead: str) -> None:
        faults.append(Fault(str(path), kind, problem, instead, line=places.line(path, (kind,))))

    for kind, tables in (included or {}).items():
        if kind not in INCLUDED:
            instead = f"move it to {places.main}; an included file holds [[carrier]] and [[psap]] only"
            refuse(kind, "does not belong in an included file", instead)
        elif not isinstance(tables, list) or not isinstance(places.raw.setdefault(kind, []), list):
            refuse(kind, "is not a list of tables in both files", f"write [[{kind}]], with two brackets")
        else:
            places.raw[kind] += tables
            origins = places.origins.setdefault(kind, [])
            origins += [(path, index) for index in range(len(tables))]


def _model_faults(places: Places) -> list[Fault]:
    """Return what the models themselves refuse: unknown keys, types, ranges, missing values."""
    try:
        Settings.model_validate(places.raw)
    except ValidationError as error:
        told = (describe(Settings, each) for each in error.errors(include_url=False))
        return [places.fault(*one) for one in told if one is not None]
    return []


def _without_repeats(faults: list[Fault]) -> list[Fault]:
    """Keep the first fault of every place: a second one there is a consequence of it."""
    seen: dict[tuple[str, str], Fault] = {}
    for fault in faults:
        seen.setdefault((fault.file, fault.key), fault)
    return list(seen.values())
