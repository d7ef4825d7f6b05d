"""From TOML files to settings: read, merge what is included, check everything, then give or refuse."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from telephony.settings import checks
from telephony.settings.faults import Fault, SettingsFaults
from telephony.settings.keys import Path, dotted
from telephony.settings.model import Settings
from telephony.settings.wording import describe

INCLUDED = ("carrier", "psap")
"""Lists of tables that may come from other files; everything else is in the main file alone."""


@dataclass(slots=True)
class _Written:
    """What all files say together, and where each included table really stands."""

    main: FilePath
    raw: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, list[tuple[FilePath, int]]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def fault(self, path: Path, problem: str, instead: str) -> Fault:
        """Make a fault that names the file and the position in that file."""
        file = self.main
        if len(path) > 1 and isinstance(path[0], str) and isinstance(path[1], int):
            places = self.origins.get(path[0], [])
            if path[1] < len(places):
                file, index = places[path[1]]
                path = (path[0], index, *path[2:])
        return Fault(str(file), dotted(path), problem, instead)


def load(path: FilePath, *, for_reading: bool = False) -> Settings:
    """Read the settings file and those it includes.

    Raises `SettingsFaults` with every fault that can be found, never only the first. Opens no socket and creates
    nothing; reads the places of secrets only to see that they are there.

    ``for_reading`` asks for tables that are right in themselves, and not for what a daemon needs around them: whoever
    reads the store in an emergency need have neither its secrets nor a disk that can be written.
    """
    written = _Written(path)
    main = _read(path, written.faults, "name a readable file; start from config/onetouch.toml")
    if main is not None:
        _merge(main, path, written)
        found = _model_faults(written)
        if not for_reading:
            found += [written.fault(*finding) for finding in checks.findings(written.raw)]
        written.faults += sorted(found, key=lambda fault: (fault.file != str(path), fault.file))
    if written.faults:
        raise SettingsFaults(_without_repeats(written.faults))
    return Settings.model_validate(written.raw)


def _read(path: FilePath, faults: list[Fault], if_missing: str) -> dict[str, Any] | None:
    """Read one TOML file; ``None`` and a fault where that fails. An empty file is a table without keys."""
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
        faults.append(Fault(str(path), "", problem, if_missing))
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8 (octet {error.start} of the file)"
        faults.append(Fault(str(path), "", problem, "save the file as UTF-8"))
    except tomllib.TOMLDecodeError as error:
        what, _, where = str(error).removesuffix(")").rpartition(" (at ")
        problem = f"this is not TOML: {what or where}"
        faults.append(Fault(str(path), where if what else "", problem, "correct this place first"))
    except RecursionError:
        faults.append(Fault(str(path), "", "is nested too deeply", "write it flatter"))
    return None


def _merge(main: dict[str, Any], path: FilePath, written: _Written) -> None:
    written.raw = dict(main)
    for kind in INCLUDED:
        if isinstance(main.get(kind), list):
            written.raw[kind] = list(main[kind])
            written.origins[kind] = [(path, index) for index in range(len(main[kind]))]
    names = main.get("include")
    for name in names if isinstance(names, list) else []:
        if isinstance(name, str):
            _include(path.parent / name, written)


def _include(path: FilePath, written: _Written) -> None:
    included = _read(path, written.faults, f"provide it, or take it out of include in {written.main}")
    for kind, tables in (included or {}).items():
        if kind not in INCLUDED:
            problem = "does not belong in an included file"
            instead = f"move it to {written.main}; an included file holds [[carrier]] and [[psap]] only"
            written.faults.append(Fault(str(path), kind, problem, instead))
        elif not isinstance(tables, list) or not isinstance(written.raw.setdefault(kind, []), list):
            problem = "is not a list of tables in both files"
            written.faults.append(Fault(str(path), kind, problem, f"write [[{kind}]], with two brackets"))
        else:
            written.raw[kind] += tables
            origins = written.origins.setdefault(kind, [])
            origins += [(path, index) for index in range(len(tables))]


def _model_faults(written: _Written) -> list[Fault]:
    """Give what the models themselves refuse: unknown keys, types, ranges, what is missing."""
    try:
        Settings.model_validate(written.raw)
    except ValidationError as error:
        told = (describe(Settings, each) for each in error.errors(include_url=False))
        return [written.fault(*one) for one in told if one is not None]
    return []


def _without_repeats(faults: list[Fault]) -> list[Fault]:
    """Keep the first fault of every place: a second one there is a consequence of it."""
    seen: dict[tuple[str, str], Fault] = {}
    for fault in faults:
        seen.setdefault((fault.file, fault.key), fault)
    return list(seen.values())
