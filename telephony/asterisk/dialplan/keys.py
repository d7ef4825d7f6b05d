"""Checks that keys pressed at the 112 centre are consumed on our side of its leg (features.conf). Pure.

Dial() hands a digit on to the other end, where it is a sound; MUTEAUDIO does not stop it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from telephony.asterisk.dialplan.configuration_files import Finding, Setting
from telephony.asterisk.dialplan.files import Dialplan, Step

FEATURES: Final = "features.conf"
LEG: Final = "to-112"
"""The context that runs on the leg to the centre, before its INVITE."""
KEYS: Final = "0123456789*#ABCD"
"""The keys that an INFO or a telephone-event can carry (RFC 4733 section 3.2)."""

_NAMED = re.compile(r"(?:_{0,2})DYNAMIC_FEATURES=(?P<names>.*)")


def check_keys(dialplan: Dialplan, features: Sequence[Setting]) -> Iterator[Finding]:
    """Return a finding where a key of the centre would get through; none in a dialplan without a leg to a centre."""
    context = dialplan.contexts.get(LEG)
    if context is None:
        return
    named = [(step, match) for step in context.steps if (match := _set(step)) is not None]
    if not named:
        what = f"{LEG} names no DYNAMIC_FEATURES: a key that the centre presses sounds at the phone"
        yield Finding(context.file, context.line, what, "Set(DYNAMIC_FEATURES=sos-keys)")
        return
    step, match = named[0]
    taken = set("".join(_keys_of(name, features) for name in match["names"].split("#")))
    left = [key for key in KEYS if key not in taken]
    if left:
        what = f"{FEATURES} takes no key {' '.join(left)} out of the call: pressed at the centre it sounds at the phone"
        yield step.finding(
            what, f"features.conf as it comes with these dialplans: {match['names']}, one key each"
        )


def _set(step: Step) -> re.Match[str] | None:
    return _NAMED.fullmatch(step.argument) if step.application == "Set" else None


def _keys_of(group: str, features: Sequence[Setting]) -> str:
    """Return the keys that a feature or a group of features takes from the end that presses them."""
    names = {each.name for each in features if each.section == group} or {group}
    mapped = [each for each in features if each.section == "applicationmap" and each.name in names]
    parts = [[part.strip() for part in each.value.split(",")] for each in mapped]
    return "".join(part[0] for part in parts if len(part[0]) == 1 and part[1:2] == ["self"])
