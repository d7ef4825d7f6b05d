"""Checks the knobs in [globals]: one that no step reads is misspelt, and the dialplan goes on with the default. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final

from telephony.asterisk.dialplan.configuration_files import Finding
from telephony.asterisk.dialplan.files import Dialplan
from telephony.asterisk.dialplan.rules import NEAR

OURS: Final = ("SOS_", "VOICE_", "AGI_")
"""Every knob begins with one of these; a site's own globals may have any name."""
_WORD = re.compile(r"\w+")
_ANY = "[0-9A-Za-z]+"
"""Stands for what only the call knows: ``SOS_ROUTE_${SOS_N}`` reads SOS_ROUTE_1, and not SOS_ROUTE_1_SECONDS."""


def check_knobs(dialplan: Dialplan) -> Iterator[Finding]:
    """Find knobs that nothing reads, and say which is meant."""
    texts = [step.argument for step in dialplan.steps] + [each.value for each in dialplan.globals.values()]
    read = set().union(*(names_read(text) for text in texts)) if texts else set()
    is_read = re.compile("|".join(sorted(read)) or "(?!)")
    unread = {name: each for name, each in dialplan.globals.items() if not is_read.fullmatch(name)}
    known = {name for name in dialplan.globals if name not in unread}
    known |= {name for name in read if name.startswith(OURS) and _ANY not in name}
    for name, setting in unread.items():
        near = get_close_matches(name.upper(), sorted(known), 1, NEAR)
        if near:
            what = f"nothing reads {name}, and {near[0]} keeps the value that it has: did you mean {near[0]}?"
            yield Finding(setting.file, setting.line, what, f"{near[0]} = {setting.value}".rstrip())
        elif name.startswith(OURS):
            what = f"nothing reads {name}: it is no knob of this dialplan"
            yield Finding(setting.file, setting.line, what, "a knob of globals.conf, or nothing")


def names_read(text: str) -> set[str]:
    """Return the names that a text may read, as expressions: functions take them bare (``FIELDNUM(SOS_DRILL,&,…)``)."""
    return set(_WORD.findall(text)) | {
        name for match in re.finditer(r"\$\{", text) if (name := _put_together(text, match.end()))
    }


def _put_together(text: str, begin: int) -> str:
    """Return the name that begins here where part of it is known in a call alone; empty where all or nothing of it is."""
    name, position = "", begin
    while position < len(text):
        if text.startswith("${", position):
            name, position = name + _ANY, _end_of(text, position + 2)
        elif piece := _WORD.match(text, position):
            name, position = name + piece[0], piece.end()
        else:
            break
    return name if _ANY in name and name.replace(_ANY, "") else ""


def _end_of(text: str, begin: int) -> int:
    """Return the place behind the brace that closes what begins here."""
    depth, position = 1, begin
    while position < len(text) and depth:
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        position += 1
    return position
