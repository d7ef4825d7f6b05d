"""Checks where the drill's and the service's numbers lead, and that the daemon's settings say the same. Pure.

A drill that rings the real 112 sends a car; a held key that is taken for a drill sends none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from telephony.asterisk.dialplan.configuration_files import Finding, Setting
from telephony.asterisk.dialplan.files import EXTENSIONS, Context, Dialplan
from telephony.asterisk.dialplan.targets import extension, reached, targets
from telephony.asterisk.dialplan.trunks import ENTRY, FROM_112

LOCAL: Final = "globals.local.conf"
_SOS: Final = "sos"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of number that is not the held key: its knob, the context that it belongs to, its words."""

    knob: str
    context: str
    words: str


DRILL: Final = Kind("SOS_DRILL", "sos-drill", "the drill's number")
SERVICE: Final = Kind("SOS_SERVICE", "service", "the service number")


@dataclass(frozen=True, slots=True)
class Trunk:
    """What the daemon's settings say of one trunk: the numbers of its carrier that may be dialled."""

    sos: frozenset[str]
    drill: frozenset[str]


@dataclass(frozen=True, slots=True)
class Site:
    """What the daemon's settings say of the dialplan. ``utc_offset_s`` are the seconds of SOS_UTC_OFFSET."""

    trunks: Mapping[str, Trunk]
    service: frozenset[str]
    country: str
    utc_offset_s: int


def check_numbers(dialplan: Dialplan) -> Iterator[Finding]:
    """Find trunks on which a number of [globals] goes to 112 all the same."""
    for context in _entries(dialplan):
        for kind in (DRILL, SERVICE):
            for number in _listed(dialplan, kind):
                if _rings_112(dialplan, context, number, kind):
                    yield _rings(context, number, kind)


def check_against(dialplan: Dialplan, site: Site) -> Iterator[Finding]:
    """Find what the dialplan and the daemon's settings say differently."""
    yield from _same(dialplan, "SOS_COUNTRY", site.country, "[service] country_code")
    yield from _same(
        dialplan, "SOS_UTC_OFFSET", str(site.utc_offset_s), "the standard time of [service] timezone"
    )
    country = _value(dialplan, "SOS_COUNTRY") or site.country
    contexts = {context.name.removeprefix(ENTRY): context for context in _entries(dialplan)}
    for name in sorted(site.trunks.keys() - contexts.keys()):
        what = f"the settings have a [[carrier.trunk]] {name}, and there is no context {ENTRY}{name}: its calls are refused"
        yield Finding(
            EXTENSIONS, 0, what, f"[{ENTRY}{name}] as the others, or its right name in the settings"
        )
    for name, context in contexts.items():
        trunk = site.trunks.get(name)
        if trunk is None:
            what = f"the settings have no [[carrier.trunk]] {name}: its calls are told to 112 as the first carrier's"
            yield Finding(
                context.file, context.line, what, f'[[carrier.trunk]] with name = "{name}" in the settings'
            )
            continue
        yield from _of_trunk(dialplan, context, trunk, country)
    yield from _of_service(dialplan, site, country, contexts.values())


def _of_trunk(dialplan: Dialplan, context: Context, trunk: Trunk, country: str) -> Iterator[Finding]:
    drills = {at_home(each, country) for each in trunk.drill}
    for number in sorted(drills - set(_listed(dialplan, DRILL))):
        if _rings_112(dialplan, context, number, DRILL, is_listed=False):
            yield _unlisted(dialplan, context, number, DRILL, "test_numbers")
    sos = {at_home(each, country) for each in trunk.sos}
    for number in sorted(sos & set(_listed(dialplan, DRILL))):
        setting = dialplan.globals[DRILL.knob]
        what = f"{number} is among sos_numbers of the settings: a held key that dials it is taken for a drill, and 112 is not called"
        yield Finding(setting.file, setting.line, what, f"{DRILL.knob} without {number}")


def _of_service(
    dialplan: Dialplan, site: Site, country: str, contexts: Iterable[Context]
) -> Iterator[Finding]:
    wanted = {at_home(each, country) for each in site.service}
    listed = set(_listed(dialplan, SERVICE))
    for context in contexts:
        for number in sorted(wanted - listed):
            if _rings_112(dialplan, context, number, SERVICE, is_listed=False):
                yield _unlisted(dialplan, context, number, SERVICE, "service_numbers")
    for number in sorted(listed - wanted):
        setting = dialplan.globals[SERVICE.knob]
        what = f"{number} is not among recognition.service_numbers of the settings: a call to the menu is reported to 112"
        yield Finding(
            setting.file,
            setting.line,
            what,
            f'service_numbers = ["{number}"] in the settings, or {SERVICE.knob} without it in {LOCAL}',
        )


def at_home(number: str, country: str) -> str:
    """Return a number as it is dialled at home: what 15-entry.conf makes of +821129, 00821129, 821129 and 01129."""
    home = number.removeprefix("+").removeprefix("00")
    return home.removeprefix(country).removeprefix("0")


def _rings_112(
    dialplan: Dialplan, context: Context, number: str, kind: Kind, *, is_listed: bool = True
) -> bool:
    """Whether a number goes to the held key's context.

    One in the knob does not where the trunk leads to a place that tells it from the held key; any other needs an
    extension of its own.
    """
    steps = extension(dialplan, context, number) or []
    named = {target.context for step in steps for target in targets(step)} - {context.name}
    there = reached(dialplan, named)
    is_told_apart = kind.context in there and (is_listed or not steps[0].is_pattern)
    return _SOS in there and not is_told_apart


def _rings(context: Context, number: str, kind: Kind) -> Finding:
    what = f"{number}, {kind.words}, dialled on the trunk {context.name.removeprefix(ENTRY)} rings 112"
    trunk = context.name.removeprefix(ENTRY)
    write = (
        f"Gosub(sos-entry,s,1({trunk},…)) in the place of Gosub({_SOS},…), or "
        f"exten => {number},1,{'Gosub(sos-drill,s,1(' + trunk + ',${EXTEN}))' if kind is DRILL else 'Goto(service,s,1)'}"
    )
    return Finding(context.file, context.line, what, write)


def _unlisted(dialplan: Dialplan, context: Context, number: str, kind: Kind, key: str) -> Finding:
    setting = dialplan.globals.get(kind.knob)
    trunk = context.name.removeprefix(ENTRY)
    value = "&".join(filter(None, (setting.value if setting else "", number)))
    what = f"{number} is among {key} of the settings and not in {kind.knob}: dialled on the trunk {trunk} it rings 112"
    place = (setting.file, setting.line) if setting else (context.file, context.line)
    return Finding(*place, what, f"{kind.knob} = {value} in {LOCAL}")


def _same(dialplan: Dialplan, knob: str, wanted: str, key: str) -> Iterator[Finding]:
    setting = dialplan.globals.get(knob)
    if setting is not None and setting.value != wanted:
        what = f"{knob} is {setting.value or 'empty'}, and {key} says {wanted}"
        yield Finding(setting.file, setting.line, what, f"{knob} = {wanted} in {LOCAL}")


def _entries(dialplan: Dialplan) -> list[Context]:
    return [each for name, each in dialplan.contexts.items() if name.startswith(ENTRY) and name != FROM_112]


def _listed(dialplan: Dialplan, kind: Kind) -> list[str]:
    return [each for each in _value(dialplan, kind.knob).split("&") if each]


def _value(dialplan: Dialplan, knob: str) -> str:
    setting: Setting | None = dialplan.globals.get(knob)
    return "" if setting is None else setting.value
