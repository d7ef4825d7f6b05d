"""Compares the dialplan that a running Asterisk has loaded with its files. Pure: text to findings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from telephony.asterisk.dialplan.configuration_files import Finding, Line, Setting
from telephony.asterisk.dialplan.files import EXTENSIONS, Dialplan
from telephony.asterisk.dialplan.rules import LISTED_FUNCTION

ASTERISK_SAYS: Final = "Asterisk says: "
CREATED_BY: Final = "pbx_config"
"""The module that reads extensions.conf; other modules bring contexts of their own."""

_CONTEXT = re.compile(r"^\[ Context '([^']*)' created by '([^']*)' \]")
_STEP = re.compile(
    r"^\s+(?:'(?P<exten>[^']*)'(?: \(CID match '[^']*'\))? =>)?\s*(?:\[[^\]]*\])?\s*(?P<priority>\d+)\. "
)
_APPLICATION = re.compile(r"^\s*([A-Za-z_]\w*): ")
_FUNCTION = re.compile(r"^([A-Za-z_]\w*)\s")
_LOGGED = re.compile(r"^\[[^\]]*\] (WARNING|ERROR)\[\d+\](?:\[[^\]]*\])? (?P<source>\S+?): (?P<words>.*)$")
_PLACE = re.compile(r"\bline (\d+) of '?([^\s'!]+)")
_STEP_NAMED = re.compile(r"\bfrom '([^,']+),([^,']+),(\d+)'")
_MODULE = re.compile(r"'([\w.]+\.so)'")

_OF_THE_DIALPLAN: Final = (
    "config.c",
    "pbx",
    "extconf.c",
    "ast_expr2",
    "loader.c",
    "confbridge/",
    "func_",
    "app_stack.c",
)
"""Sources whose warnings are about what the files say."""
_NO_NEWS: Final = ("Some non-required modules failed to load", "Session already DISCONNECTED")
"""The second is of a trial call that hung up just then."""


@dataclass(slots=True)
class Loaded:
    """The contexts of ``dialplan show``: context to extension to priorities."""

    contexts: dict[str, dict[str, set[int]]] = field(default_factory=dict)


def read_shown(lines: Sequence[str]) -> Loaded:
    """Read ``dialplan show``: only the contexts that came from the files. Other lines are skipped."""
    loaded = Loaded()
    extensions: dict[str, set[int]] | None = None
    exten = ""
    for line in lines:
        if (context := _CONTEXT.match(line)) is not None:
            extensions, exten = None, ""
            if context[2] == CREATED_BY:
                extensions = loaded.contexts.setdefault(context[1], {})
        elif extensions is not None and (step := _STEP.match(line)) is not None:
            exten = exten if step["exten"] is None else step["exten"]
            extensions.setdefault(exten, set()).add(int(step["priority"]))
    return loaded


def vanished(dialplan: Dialplan, loaded: Loaded) -> Iterator[Finding]:
    """Find what is in the files and not in the loaded dialplan, and the other way round."""
    for name, context in dialplan.contexts.items():
        there = loaded.contexts.get(name)
        if there is None:
            yield Finding(
                context.file,
                context.line,
                f"the context {name} is in the file, but Asterisk did not load it",
                "look for a broken line above it: a bracket that does not close ends a file early",
            )
            continue
        for exten, steps in context.extensions.items():
            missing = [step for step in steps if step.priority not in there.get(exten, set())]
            if missing:
                yield missing[0].finding(
                    f"Asterisk loaded {len(steps) - len(missing)} of the {len(steps)} priorities of {exten} in {name}; "
                    f"this one is the first that is missing",
                    "exten => number,1,… first, then same => n,…",
                )
    for name in sorted(loaded.contexts.keys() - dialplan.contexts.keys()):
        yield Finding(
            EXTENSIONS, 0, f"Asterisk has a context {name} that no file has", "one source of the dialplan"
        )


def folded(found: Iterable[Finding], gone: Sequence[Finding], broken: Sequence[Line]) -> list[Finding]:
    """Report an unclosed bracket once, with the number of findings in ``gone`` that follow from it.

    Asterisk reads no further than the first such bracket, so everything missing after it, and what Asterisk logs there,
    is its consequence.
    """
    if not broken:
        return [*found, *gone]
    first = broken[0]
    kept = []
    for finding in found:
        is_there = (finding.file, finding.line) == (first.file, first.number)
        if is_there and finding.what.startswith(ASTERISK_SAYS):
            continue
        if is_there and gone and "no closing bracket" in finding.what:
            places = f"{len(gone)} contexts are gone with it, from {gone[0].where} on"
            kept.append(replace(finding, what=f"{finding.what}; {places}"))
        else:
            kept.append(finding)
    return kept


def read_applications(lines: Sequence[str]) -> set[str]:
    """Read ``core show applications``."""
    return {match[1] for line in lines if (match := _APPLICATION.match(line)) is not None}


def read_functions(lines: Sequence[str]) -> set[str]:
    """Read ``core show functions``; names are cut as they are there."""
    return {match[1][:LISTED_FUNCTION] for line in lines if (match := _FUNCTION.match(line)) is not None}


def logged(log: str, dialplan: Dialplan, etc: Path, modules: Sequence[Setting]) -> Iterator[Finding]:
    """Find the warnings and errors that Asterisk wrote about the files, each with the line it means."""
    for line in log.splitlines():
        match = _LOGGED.match(line)
        if match is None or any(each in match["words"] for each in _NO_NEWS):
            continue
        if match[1] == "ERROR" or match["source"].startswith(_OF_THE_DIALPLAN):
            yield _told(match["words"], dialplan, etc, modules)


def _told(words: str, dialplan: Dialplan, etc: Path, modules: Sequence[Setting]) -> Finding:
    file, number = EXTENSIONS, 0
    if (place := _PLACE.search(words)) is not None:
        path = Path(place[2])
        file = str(path.relative_to(etc)) if path.is_relative_to(etc) else place[2]
        # Asterisk goes on counting from file to file of one include, so its number may be too high.
        number = int(place[1][:9]) - dialplan.counted_before.get(file, 0)
        words = words[: place.start()].rstrip(" ,") + words[place.end() :]
    elif (module := _MODULE.search(words)) is not None:
        file = "modules.conf"
        number = next((each.line for each in modules if each.value == module[1]), 0)
    elif (named := _STEP_NAMED.search(words)) is not None and named[1] in dialplan.contexts:
        steps = dialplan.contexts[named[1]].extensions.get(named[2], [])
        file, number = next(
            ((each.file, each.line) for each in steps if str(each.priority) == named[3]), (file, number)
        )
    told = words.replace(f"{etc}/", "").strip()
    return Finding(file, max(number, 0), f"{ASTERISK_SAYS}{told}", "correct what it names")
