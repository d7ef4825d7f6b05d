"""Reads the dialplan's files: contexts, extensions and steps, each with its file and line. Runs nothing.

More forgiving than Asterisk on purpose: where Asterisk stops at a broken line and loses the rest of the file without an
error (a missing ``]``), this goes on, so that the lost part can be named. The source of the syntax is Asterisk's
``pbx/pbx_config.c`` (16 to 22).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from telephony.asterisk.dialplan.configuration_files import (
    ConfigurationFiles,
    Finding,
    Line,
    Setting,
    pair_of,
)

EXTENSIONS: Final = "extensions.conf"
_NO_CONTEXTS: Final = ("general", "globals")
_HEADER = re.compile(r"\[\s*([^\]\s(]+)(\s*\]|[^\]]*$)?")
_PRIORITY = re.compile(r"(?P<number>\d+|n|s)(?:\+(?P<more>\d+))?(?:\((?P<label>[^)]*)\))?$")
_LONGEST_QUOTE: Final = 40
"""Characters of a broken text that a finding repeats."""
_APPLICATION = re.compile(r"\s*(?P<name>[A-Za-z_]\w*)\s*(?P<rest>.*)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Step:
    """One priority of an extension."""

    file: str
    line: int
    context: str
    exten: str
    priority: int
    label: str
    application: str
    argument: str

    @property
    def is_pattern(self) -> bool:
        """Whether the extension stands for many numbers: ``${EXTEN}`` is then what the caller dialled."""
        return self.exten.startswith("_")

    def finding(self, what: str, write: str) -> Finding:
        """Say what is wrong with this step."""
        return Finding(self.file, self.line, what, write)


@dataclass(frozen=True, slots=True)
class Inclusion:
    """``include => context``."""

    file: str
    line: int
    context: str


@dataclass(slots=True)
class Context:
    """A context, of however many pieces."""

    name: str
    file: str
    line: int
    steps: list[Step] = field(default_factory=list)
    includes: list[Inclusion] = field(default_factory=list)

    @property
    def extensions(self) -> dict[str, list[Step]]:
        """Its steps by extension, in the order of the files."""
        found: dict[str, list[Step]] = {}
        for step in self.steps:
            found.setdefault(step.exten, []).append(step)
        return found


@dataclass(frozen=True, slots=True)
class Dialplan:
    """The dialplan that was read, and what is wrong with its syntax."""

    contexts: Mapping[str, Context]
    globals: Mapping[str, Setting]
    findings: tuple[Finding, ...]
    counted_before: Mapping[str, int]
    """By file: lines that Asterisk has counted already when it opens it. Within one ``#include`` of several files it
    goes on counting from file to file, so the line that it logs is too high by this."""
    patterns: tuple[str, ...] = ()
    """The names in ``#include`` and ``#tryinclude``, whether there is such a file or not."""
    broken: tuple[Line, ...] = ()
    """Headers without a closing bracket: Asterisk reads no further than the first."""

    @property
    def steps(self) -> list[Step]:
        """All steps, context by context."""
        return [step for context in self.contexts.values() for step in context.steps]


def read_dialplan(folder: Path) -> Dialplan:
    """Read ``extensions.conf`` of a folder and all it includes. Total: whatever is wrong is among the findings."""
    files = ConfigurationFiles(folder)
    files.read(EXTENSIONS)
    reader = _Reader()
    for line in files.lines:
        reader.take(line)
    findings = (*files.findings, *reader.findings)
    return Dialplan(
        reader.contexts,
        reader.globals,
        findings,
        files.counted_before,
        tuple(files.patterns),
        tuple(reader.broken),
    )


class _Reader:
    """Where we are in the files: which context, which extension, which priority."""

    def __init__(self) -> None:
        self.contexts: dict[str, Context] = {}
        self.globals: dict[str, Setting] = {}
        self.findings: list[Finding] = []
        self.broken: list[Line] = []
        self._section = ""
        self._exten = ""
        self._last: int | None = None
        """Priority of the step before; ``None`` before the first one of an extension."""

    def take(self, line: Line) -> None:
        if line.text.startswith("["):
            self._header(line)
        elif "=" not in line.text:
            self._find(line, f"a line without '=': {line.text}", "exten => …, same => … or a comment with ;")
        elif self._section == "globals":
            name, value = pair_of(line.text)
            if (unclosed := unclosed_in(value)) is not None:
                closing = "}" if unclosed.startswith("${") else "]"
                self._find(line, f"{unclosed} is not closed", f"one {closing} for each {unclosed[:2]}")
            self.globals[name] = Setting(line.file, line.number, self._section, name, value)
        elif self._section not in _NO_CONTEXTS:
            self._directive(line)

    def _header(self, line: Line) -> None:
        match = _HEADER.match(line.text)
        name = "" if match is None else match[1]
        if "]" not in line.text:
            self.broken.append(line)
            self._find(
                line,
                f"[{name} has no closing bracket: Asterisk stops here, and every context after it in this file "
                "vanishes without an error",
                f"[{name}]",
            )
        elif not name:
            self._find(line, "a context without a name", "[name]")
        self._section, self._exten, self._last = name, "", None
        if name and name not in _NO_CONTEXTS:
            self.contexts.setdefault(name, Context(name, line.file, line.number))

    def _directive(self, line: Line) -> None:
        key, value = pair_of(line.text)
        if not self._section:
            self._find(line, f"{key} stands before the first context", "[name] above it")
            return
        match key.lower():
            case "exten":
                exten, comma, rest = value.partition(",")
                if not comma:
                    self._find(line, "an extension without a priority", "exten => number,1,Application()")
                    return
                exten = exten.partition("/")[0].strip()
                if exten != self._exten:
                    self._exten = exten
                    self._last = self._last_of(exten)
                self._step(line, rest)
            case "same":
                if not self._exten:
                    self._find(line, "same stands before the first exten", "exten => number,1,…")
                    return
                self._step(line, value)
            case "include":
                context = self.contexts[self._section]
                context.includes.append(Inclusion(line.file, line.number, value))
            case "ignorepat" | "switch" | "lswitch" | "eswitch" | "autohints":
                pass
            case _:
                self._find(
                    line, f"{key} is no directive of a dialplan", "exten => …, same => … or include => …"
                )

    def _last_of(self, exten: str) -> int | None:
        steps = self.contexts[self._section].extensions.get(exten)
        return steps[-1].priority if steps else None

    def _step(self, line: Line, text: str) -> None:
        written, _, call = text.partition(",")
        if written.strip() == "hint":
            return
        match = _PRIORITY.match(written.strip())
        if match is None:
            self._find(line, f"{written.strip()!r} is no priority", "n, n(label) or a number")
            return
        if match["number"].isdigit():
            priority = int(match["number"][:9])
        elif self._last is None:
            self._find(
                line,
                f"{self._exten} begins with {match['number']}: Asterisk drops it",
                "1 as its first priority",
            )
            return
        else:
            priority = self._last + (match["number"] == "n")
        priority += int((match["more"] or "0")[:9])
        self._last = priority
        name, argument = self._call(line, call)
        step = Step(
            line.file, line.number, self._section, self._exten, priority, match["label"] or "", name, argument
        )
        for other in self.contexts[self._section].extensions.get(self._exten, []):
            if other.priority == priority:
                self._find(
                    line,
                    f"{self._exten} has a priority {priority} already, in {other.file}:{other.line}: Asterisk drops this one",
                    "one of the two",
                )
                return
        self.contexts[self._section].steps.append(step)

    def _call(self, line: Line, text: str) -> tuple[str, str]:
        """Return application and argument."""
        name, argument = application_of(text)
        if (unclosed := unclosed_in(text)) is not None:
            self._find(
                line,
                f"{unclosed} is not closed: Asterisk finds out in a call, and says neither file nor line",
                f"one {'}' if unclosed.startswith('${') else ']'} for each {unclosed[:2]}",
            )
            return name, argument
        if not name:
            self._find(line, f"no application: {text.strip()!r}", "Application(arguments)")
        elif "(" in text and not text.rstrip().endswith(")"):
            self._find(
                line, f"{name} has no closing parenthesis at the end of the line", f"{name}({argument})"
            )
        return name, argument

    def _find(self, line: Line, what: str, write: str) -> None:
        self.findings.append(Finding(line.file, line.number, what, write))


def unclosed_in(text: str) -> str | None:
    """Return the first ``${…`` or ``$[…`` of a text that nothing closes, as far as it is written; ``None``: all are."""
    openings: list[int] = []
    for position, character in enumerate(text):
        if text.startswith(("${", "$["), position):
            openings.append(position)
        elif openings and character == ("}" if text[openings[-1] + 1] == "{" else "]"):
            openings.pop()
    return text[openings[0] :][:_LONGEST_QUOTE] if openings else None


def application_of(text: str) -> tuple[str, str]:
    """Take ``Application(argument)`` apart; the name is empty where there is none."""
    match = _APPLICATION.match(text)
    if match is None:
        return "", ""
    rest = match["rest"].rstrip()
    if rest.startswith("("):
        return match["name"], rest[1:-1] if rest.endswith(")") else rest[1:]
    return match["name"], rest.lstrip(",")
