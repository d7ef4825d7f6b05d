"""Makes trial calls in every form in which a trunk may write a number: each must go to 112, the drill or the menu.

A drill that rings the real 112 sends a car; a held key that is taken for a drill sends none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from telephony.asterisk.dialplan.configuration_files import Finding, Setting
from telephony.asterisk.dialplan.files import Dialplan
from telephony.lab.trial.calls import (
    ANSWERED_WITHIN_S,
    CALLER,
    DIALLED_WITHIN_S,
    ENTRY,
    OVER_WITHIN_S,
    trunks,
)
from telephony.lab.trial.line import Call, TrialLine

REFUSED_WITHIN_S: Final = 0.5


class Place(StrEnum):
    """Where a call goes."""

    CENTRE = "112"
    DRILL = "the drill"
    MENU = "the service menu"
    NOWHERE = "nowhere"


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a number. ``{host}`` is our address."""

    uri: str
    place: Place


SOS_FORMS: Final = (
    "sip:112@{host};user=phone",
    "sip:112;phone-context=+{country}@{host};user=phone",
    "sip:112;npdi@{host}",
    "sip:+{country}112@{host}",
    "sip:119@{host}",
    "sip:sos@{host}",
    "sip:sos.police@{host}",
)
REFUSED_BY_ASTERISK: Final = (
    "sip:{host}",
    "tel:112",
    "tel:112;phone-context=+{country}",
    "urn:service:sos",
)
"""No dialplan and no setting of Asterisk 16 takes these: an SBC must rewrite them (docs/voice.md)."""
_LISTED_FORMS: Final = (
    "sip:{number}@{host}",
    "sip:{number};phone-context=+{country}@{host};user=phone",
    "sip:{number};npdi@{host}",
    "sip:+{country}{number}@{host};user=phone",
    "sip:00{country}{number}@{host}",
)


def forms(settings: Mapping[str, Setting]) -> list[Form]:
    """Return what to dial on each trunk, from the numbers of globals.conf."""
    country = _value(settings, "SOS_COUNTRY")
    found = [Form(_filled(uri, country), Place.CENTRE) for uri in SOS_FORMS]
    for name, place in (("SOS_DRILL", Place.DRILL), ("SOS_SERVICE", Place.MENU)):
        numbers = [number for number in _value(settings, name).split("&") if number]
        found += [Form(_filled(uri, country, number), place) for number in numbers for uri in _LISTED_FORMS]
    return found


def dial_forms(line: TrialLine, dialplan: Dialplan) -> Iterator[tuple[list[Finding], str]]:
    """Dial all of them on every trunk; give the findings of each trunk and a sentence of what was proven."""
    planned = forms(dialplan.globals)
    names = trunks(dialplan)
    for trunk in names:
        findings = [finding for form in planned for finding in _wrong(trunk, form, line, dialplan)]
        went = len(planned) - len(findings)
        yield findings, f"{ENTRY}{trunk}: {went} of {len(planned)} forms of a number go where they belong"
    for uri in REFUSED_BY_ASTERISK if names else ():
        yield [], _refusal(names[0], _filled(uri, _value(dialplan.globals, "SOS_COUNTRY")), line)


def _wrong(trunk: str, form: Form, line: TrialLine, dialplan: Dialplan) -> Iterator[Finding]:
    call = _dial(trunk, form.uri, line)
    place = _place(call)
    if place is form.place:
        return
    context = dialplan.contexts[f"{ENTRY}{trunk}"]
    said = f" (refused with {call.refused})" if call.refused else ""
    what = f"{form.uri.replace('@{host}', '').removesuffix(';user=phone')} on the trunk {trunk} goes to {place}{said}, and not to {form.place}"
    write = f"Gosub(sos-entry,s,1({trunk},…)) for every number and name, and the numbers in globals.conf"
    yield Finding(context.file, context.line, what, write)


def _refusal(trunk: str, uri: str, line: TrialLine) -> str:
    call = line.dial(trunk, "112", CALLER, uri)
    line.wait(lambda: call.is_over or _place(call) is not Place.NOWHERE, REFUSED_WITHIN_S)
    if call.answered_at is not None or call.legs:
        _end(call, line)
        return f"{uri} is taken for the held key"
    shown = uri.replace("{host}", "our address without a number")
    told = f"is refused by Asterisk with {call.refused}" if call.refused else "is dropped by Asterisk"
    return f"{shown} {told}: an SBC must rewrite it (docs/voice.md)"


def _dial(trunk: str, uri: str, line: TrialLine) -> Call:
    call = line.dial(trunk, "112", CALLER, uri)
    line.wait(lambda: call.is_over or _place(call) is not Place.NOWHERE, DIALLED_WITHIN_S)
    # A phone that gives up while it is answered, and a centre that has said nothing yet, are other trials.
    line.wait(lambda: call.is_over or call.answered_at is not None, ANSWERED_WITHIN_S)
    _end(call, line)
    return call


def _end(call: Call, line: TrialLine) -> None:
    for leg in call.legs:
        line.ring(leg)
    line.hang_up(call)
    line.wait(lambda: call.is_over and all(each.is_over for each in call.legs), OVER_WITHIN_S)


def _place(call: Call) -> Place:
    if call.legs:
        return Place.CENTRE
    for packet in call.events:
        if packet.get("UserEvent") == "SOSCall" and packet.get("Stage") == "drill":
            return Place.DRILL
        if packet.event == "Newexten" and packet.get("Context") == "service":
            return Place.MENU
    return Place.NOWHERE


def _value(settings: Mapping[str, Setting], name: str) -> str:
    setting = settings.get(name)
    return "" if setting is None else setting.value


def _filled(uri: str, country: str, number: str = "") -> str:
    return uri.replace("{country}", country).replace("{number}", number)
