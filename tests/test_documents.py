"""The documents say what the code does: log events, alarms, commands with their options, files."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from telephony.cli import onetouch

ROOT = Path(__file__).parents[1]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LEVELS = frozenset({"info", "warning", "error", "critical", "exception"})
NOT_OF_THE_DAEMON = ("lab", "cli")
"""The simulators' lines, and those of commands, which say themselves what they mean."""
NO_ALARM = {"FALSE_ALARM"}
"""A constant of that name is about the caller."""


def trees() -> Iterator[ast.Module]:
    """The daemon's modules."""
    for file in (ROOT / "telephony").rglob("*.py"):
        if (
            file.relative_to(ROOT / "telephony").parts[0] not in NOT_OF_THE_DAEMON
            or file.name == "running.py"
        ):
            yield ast.parse(file.read_text(encoding="utf-8"))


TREES = list(trees())


def texts_given_to(pattern: str) -> set[str]:
    """The texts that stand first in a call of what is so called."""
    calls = (each for tree in TREES for each in ast.walk(tree) if isinstance(each, ast.Call) and each.args)
    return {
        call.args[0].value
        for call in calls
        if isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
        and re.fullmatch(pattern, ast.unparse(call.func))
    }


def alarm_constants() -> set[str]:
    """The texts that modules call an alarm of theirs."""
    found = set()
    for each in (statement for tree in TREES for statement in tree.body):
        target = each.targets[0] if isinstance(each, ast.Assign) else getattr(each, "target", None)
        value = getattr(each, "value", None)
        is_named = isinstance(target, ast.Name) and target.id.endswith("ALARM") and target.id not in NO_ALARM
        if is_named and isinstance(value, ast.Constant) and isinstance(value.value, str):
            found.add(value.value)
    return found


LOGGED = texts_given_to(rf"log\.({'|'.join(LEVELS)})")
RAISED = texts_given_to(r"(self\._)?alarms\.(raise_|note)") | alarm_constants()
SAID = {each for line in RUNBOOK.splitlines() for each in re.findall(r"`([^`]+)`", line)}


def test_the_runbook_says_what_to_do_at_every_line_of_the_log():
    assert len(LOGGED) > 100
    assert sorted(LOGGED - SAID) == []


def test_the_runbook_says_what_to_do_at_every_alarm():
    assert len(RAISED) > 30
    assert sorted(RAISED - SAID) == []


def test_the_runbook_tells_of_no_line_and_no_alarm_that_there_is_not():
    section = RUNBOOK.partition("## Log events")[2].partition("## When something is down")[0]
    told = {
        each
        for line in section.splitlines()
        if line.startswith("| `")
        for each in re.findall(r"`([^`]+)`", line.split("|")[1])
    }
    everywhere = {
        each.value
        for tree in TREES
        for each in ast.walk(tree)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    }

    assert sorted(told - everywhere) == []


COMMAND = re.compile(
    r"(?:^|[`(] ?|&& |sudo -u onetouch )(?:bin/)?onetouch ([a-z][a-z-]*(?![a-z_-])[^`\n|&;<>#…]*)",
    re.MULTILINE,
)


def found(words: list[str]) -> tuple[click.Command | None, list[str]]:
    """The command that words name, as far as they do, and the words behind."""
    command: click.Command = onetouch
    while isinstance(command, click.Group) and words:
        below = command.get_command(click.Context(command), words[0].strip(".,:;)"))
        if below is None:
            break
        command, words = below, words[1:]
    return (None if command is onetouch else command), words


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_that_a_document_names_is_there_with_its_options(document):
    strange = []
    for match in COMMAND.finditer(document.read_text(encoding="utf-8")):
        command, words = found(match[1].split())
        options = {"--help"} | {each for param in (command.params if command else ()) for each in param.opts}
        wrong = [
            each
            for each in (word.strip(".,:;)") for word in words)
            if re.fullmatch(r"--?[a-z][a-z-]*", each) and each not in options
        ]
        if command is None or wrong:
            strange.append(match[0].strip())

    assert strange == []


FILE = re.compile(r"`((?:telephony|tests|docs|config|dialplans|bin|bench)/[^`\s*{…]*)`")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_a_document_names_is_there(document):
    text = document.read_text(encoding="utf-8")
    links = [each for each in re.findall(r"\]\(([^)#:\s]+)[^)]*\)", text) if re.search(r"\.[a-z]+$", each)]

    missing = [each for each in FILE.findall(text) if not (ROOT / each).exists()]
    missing += [each for each in links if not (document.parent / each).exists()]

    assert missing == []


PLACE = re.compile(r"`([A-Za-z_]+)` in `([a-z_/]+\.py)`")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_places_in_a_file_is_there(document):
    placed = PLACE.findall(document.read_text(encoding="utf-8"))

    files = [(name, ROOT / "telephony" / file) for name, file in placed]
    assert [name for name, file in files if file.exists() and name not in file.read_text()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_table_of_a_document_is_whole(document):
    """After a blank line in it, or with a cell too many, the rest is shown as text."""
    lines = document.read_text(encoding="utf-8").splitlines()
    torn = []
    for number, (before, line, after) in enumerate(
        zip(["", *lines], lines, [*lines[1:], ""], strict=False), 1
    ):
        if not line.startswith("|"):
            continue
        is_first = not before.startswith("|")
        cells = [len(re.findall(r"(?<!\\)\|", each)) for each in (before, line)]
        if (is_first and not re.fullmatch(r"\|[ \-|:]+", after)) or (not is_first and cells[0] != cells[1]):
            torn.append(number)

    assert torn == []
