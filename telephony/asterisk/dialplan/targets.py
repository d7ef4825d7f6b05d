"""Resolves where a step of the dialplan leads: contexts, extensions, labels, profiles, endpoints. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from telephony.asterisk.dialplan.files import Context, Dialplan, Step, application_of

_OPEN: Final = "([{"
_CLOSE: Final = ")]}"
_LOCAL = re.compile(r"Local/([^@/&,|^()\s]+)@([^/&,|^()\s]+)")
_ENDPOINT = re.compile(r"PJSIP/([A-Za-z0-9][A-Za-z0-9_-]*)(?=[/&,|^()\s]|$)")
"""``PJSIP/endpoint`` or ``PJSIP/endpoint/sip:…``."""
_ENDPOINT_AFTER = re.compile(r"PJSIP/[^@&/\s]*@([A-Za-z0-9][A-Za-z0-9_-]*)")
"""``PJSIP/number@endpoint``."""
_HANDLER = re.compile(r"^CHANNEL\(hangup_handler_(?:push|wipe)\)=(.*)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Target:
    """A place that a step names. Empty parts are the step's own; a part with ``$`` is only known in a call."""

    step: Step
    context: str
    exten: str
    priority: str

    @property
    def shown(self) -> str:
        """The place as the dialplan writes it."""
        return f"{self.context},{self.exten},{self.priority}"


def split(text: str, separator: str = ",", most: int = -1) -> list[str]:
    """Cut at separators that are in no parentheses, brackets, braces or quotes."""
    parts: list[str] = []
    depth, quoted, begin = 0, False, 0
    for position, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif character in _OPEN:
            depth += 1
        elif character in _CLOSE:
            depth = max(0, depth - 1)
        elif character == separator and depth == 0 and not quoted and most != len(parts):
            parts.append(text[begin:position].strip())
            begin = position + 1
    return [*parts, text[begin:].strip()]


def steps_within(step: Step) -> Iterator[Step]:
    """Return the step, and as steps of their own the applications that it calls in its argument (ExecIf, TryExec)."""
    yield step
    inner: list[str] = []
    if step.application in ("ExecIf", "ExecIfTime"):
        inner = [each for each in _branches(step.argument) if each]
    elif step.application in ("Exec", "TryExec"):
        inner = [step.argument]
    for text in inner:
        name, argument = application_of(text)
        if name:
            yield from steps_within(replace(step, application=name, argument=argument))


def _branches(argument: str) -> list[str]:
    """``condition?yes:no``: the two ways, ``[]`` where there is no question mark."""
    parts = split(argument, "?", most=1)
    return split(parts[1], ":", most=1) if len(parts) > 1 else []


def dial_options(text: str) -> dict[str, str]:
    """Take the options of Dial() or MixMonitor() apart: letter to argument, empty where it has none."""
    options: dict[str, str] = {}
    position = 0
    while position < len(text):
        letter, argument = text[position], ""
        position += 1
        if letter == "$":
            break  # a variable: known in a call only
        if text[position : position + 1] == "(":
            end = _closing(text, position)
            argument = text[position + 1 : end]
            position = end + 1
        options[letter] = argument
    return options


def _closing(text: str, position: int) -> int:
    depth = 0
    for at in range(position, len(text)):
        depth += (text[at] == "(") - (text[at] == ")")
        if depth == 0:
            return at
    return len(text)


def arguments(step: Step) -> list[str]:
    """Return the arguments of a step's application."""
    return split(step.argument)


def argument(step: Step, number: int) -> str:
    """Return one of them, counted from 0; empty where there is none."""
    found = arguments(step)
    return found[number] if number < len(found) else ""


def targets(step: Step) -> list[Target]:
    """Return every place that one step names, those inside of ExecIf too."""
    found: list[Target] = []
    for each in steps_within(step):
        found += _own_targets(each)
    return found


def _own_targets(step: Step) -> list[Target]:
    found = [Target(step, match[2], match[1], "1") for match in _LOCAL.finditer(step.argument)]
    match step.application:
        case "Goto" | "Gosub":
            found.append(_target(step, step.argument))
        case "GotoIf" | "GosubIf" | "GotoIfTime":
            found += [_target(step, branch) for branch in _branches(step.argument) if branch]
        case "Dial" | "RetryDial":
            place = 2 if step.application == "Dial" else 4
            found += _dial_targets(step, dial_options(argument(step, place)))
        case "ChannelRedirect":
            found.append(_target(step, ",".join(arguments(step)[1:])))
        case "Originate" if argument(step, 1) == "exten":
            context, exten, priority = ([*arguments(step)[2:5], "", "", ""])[:3]
            found.append(Target(step, context, exten or "s", priority or "1"))
        case "Set" if (handler := _HANDLER.match(step.argument)) is not None:
            found += [_target(step, each) for each in split(handler[1], "|") if each]
    return found


def _dial_targets(step: Step, options: dict[str, str]) -> Iterator[Target]:
    for letter in ("b", "B"):
        if options.get(letter):
            yield _target(step, options[letter], separator="^")
    if options.get("F"):
        yield _target(step, options["F"], separator="^")
    if options.get("U"):
        yield Target(step, options["U"].partition("^")[0], "s", "1")
    if options.get("G"):
        first = _target(step, options["G"], separator="^")
        yield first
        if first.priority.isdigit():
            # The called channel goes on at the priority after the caller's.
            yield replace(first, priority=str(int(first.priority) + 1))


def _target(step: Step, text: str, separator: str = ",") -> Target:
    """``[[context,]exten,]priority[(arguments)]``; a missing context or extension is the step's own."""
    parts = split(text, separator)[:3]
    # Only the arguments of a Gosub are cut off, not a variable's braces.
    parts = [part if part.startswith("$") else part.partition("(")[0] for part in parts]
    priority = parts.pop()
    exten = parts.pop() if parts else step.exten
    context = parts.pop() if parts else step.context
    return Target(step, context, exten, priority)


def reached(dialplan: Dialplan, roots: set[str]) -> set[str]:
    """Return the contexts that calls can get to from these."""
    seen: set[str] = set()
    waiting = [name for name in roots if name in dialplan.contexts]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        context = dialplan.contexts[name]
        named = {target.context for step in context.steps for target in targets(step)}
        named |= {inclusion.context for inclusion in context.includes}
        waiting += [each for each in named if each in dialplan.contexts]
    return seen


def whats_missing(dialplan: Dialplan, target: Target) -> str | None:
    """Say which part of a place does not exist; ``None`` where all of it does, or where only a call can tell."""
    if "$" in target.context:
        return None
    context = dialplan.contexts.get(target.context)
    if context is None:
        return f"there is no context {target.context}"
    if "$" in target.exten:
        return None
    steps = extension(dialplan, context, target.exten)
    if steps is None:
        return f"context {target.context} has no extension {target.exten}"
    if "$" in target.priority or any(target.priority in (step.label, str(step.priority)) for step in steps):
        return None
    what = "priority" if target.priority.isdigit() else "label"
    return f"{target.exten} in {target.context} has no {what} {target.priority}"


def extension(dialplan: Dialplan, context: Context, dialled: str, depth: int = 0) -> list[Step] | None:
    """Return the steps that a dialled extension would run, or ``None``."""
    found = context.extensions
    if dialled in found:
        return found[dialled]
    for pattern, steps in found.items():
        if pattern.startswith("_") and matches(pattern, dialled):
            return steps
    if depth < len(dialplan.contexts):
        for inclusion in context.includes:
            included = dialplan.contexts.get(inclusion.context)
            steps_there = None if included is None else extension(dialplan, included, dialled, depth + 1)
            if steps_there is not None:
                return steps_there
    return None


_CLASSES: Final = {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]", ".": ".+", "!": ".*"}


def matches(pattern: str, dialled: str) -> bool:
    """Whether a ``_`` pattern fits what is dialled."""
    expression = ""
    for piece in re.findall(r"\[[^\]]*\]|.", pattern[1:]):
        if piece.startswith("[") and len(piece) > 1:
            inside = piece[1:-1].replace("\\", "\\\\").replace("^", "\\^").replace("[", "\\[")
            expression += f"[{inside}]" if inside else "(?!)"
        else:
            expression += _CLASSES.get(piece.upper() if piece.isalpha() else piece, re.escape(piece))
    try:
        return re.fullmatch(expression, dialled) is not None
    except re.error:
        return False  # a range that is none, as [9-0]


def endpoints(text: str) -> set[str]:
    """Return the PJSIP endpoints that a dial string names."""
    return {*_ENDPOINT.findall(text), *_ENDPOINT_AFTER.findall(text)}
