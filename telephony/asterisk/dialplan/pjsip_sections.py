"""Reads ``pjsip.conf`` into sections with their templates resolved: endpoints, AORs, identifies, transports. Pure.

The source of the syntax is Asterisk's ``main/config.c`` (16 to 22): ``[name](!)`` is a template, ``[name](a,b)``
inherits from sections before it, ``[name](+)`` goes on with one. One name may head several sections, of one ``type`` each.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from telephony.asterisk.dialplan.configuration_files import ConfigurationFiles, Line, Setting, pair_of

PJSIP: Final = "pjsip.conf"
_HEADER = re.compile(r"\[(?P<name>[^\]]*)\]\s*(?:\((?P<of>[^)]*)\))?")


@dataclass(slots=True)
class Section:
    """One section; ``settings`` are its own ones behind those that it inherits."""

    file: str
    line: int
    name: str
    is_template: bool = False
    settings: list[Setting] = field(default_factory=list)

    @property
    def type(self) -> str:
        """Return what it is, in small letters: endpoint, aor, identify, transport."""
        return self.value("type").lower()

    def value(self, name: str) -> str:
        """Return an option's value, the last one that is written; empty where there is none."""
        setting = self.setting(name)
        return "" if setting is None else setting.value

    def setting(self, name: str) -> Setting | None:
        """Return where an option is set, the last one."""
        return next((each for each in reversed(self.settings) if each.name.lower() == name), None)

    def values(self, name: str) -> list[tuple[Setting, str]]:
        """Return every value of an option that may be written again and as a list (``match``, ``aors``)."""
        return [
            (each, value.strip())
            for each in self.settings
            if each.name.lower() == name
            for value in each.value.split(",")
            if value.strip()
        ]


def read_sections(folder: Path) -> list[Section]:
    """Read pjsip.conf of a folder with all it includes; empty where there is none. Total."""
    if not (folder / PJSIP).is_file():
        return []
    files = ConfigurationFiles(folder)
    files.read(PJSIP)
    sections: list[Section] = []
    for line in files.lines:
        if line.text.startswith("["):
            _begin(sections, line)
        elif sections:
            name, value = pair_of(line.text)
            sections[-1].settings.append(Setting(line.file, line.number, sections[-1].name, name, value))
    return [section for section in sections if not section.is_template]


def _begin(sections: list[Section], line: Line) -> None:
    match = _HEADER.match(line.text)
    name = line.text[1:].strip() if match is None else match["name"].strip()
    words = [] if match is None else [each.strip() for each in (match["of"] or "").split(",")]
    section = Section(line.file, line.number, name, "!" in words)
    for word in words:
        parent = _named(sections, name if word == "+" else word)
        if parent is not None:
            section.settings += parent.settings
    sections.append(section)


def _named(sections: Sequence[Section], name: str) -> Section | None:
    return next((each for each in reversed(sections) if each.name == name), None)
