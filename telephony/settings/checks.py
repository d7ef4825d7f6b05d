"""Finds the faults that no single key shows: names that clash, references to nothing; and asks for those around the file.

They are looked for in what was written, not in the models, so that a wrong port in one table does not hide a
missing secret in another. Everything here takes any shape of input and skips what the models already refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Any

from telephony.asterisk.settings import SipMirror
from telephony.settings.around import around, unwritable_folders
from telephony.settings.door_checks import carriers_of_pressers, door_findings
from telephony.settings.keys import Path, written
from telephony.settings.model import Settings
from telephony.settings.tls_files import tls_findings
from telephony.settings.ussd_checks import ussd_findings
from telephony.settings.wording import closest, expected

Finding = tuple[Path, str, str]
"""Where, what is wrong, what to write instead."""

LONGEST_SYSTEM_NAME = 12
"""Of an Asterisk: ``sos-20261123-<name>-104503-1234567`` must fit the 40 characters of an incident's id."""


class Needs(StrEnum):
    """What whoever loads the settings is about to use: only around that secrets, files and folders are looked at."""

    TABLES = "tables"
    """Nothing: tables that are right in themselves."""
    STORE = "store"
    """The store and its keys."""
    ASTERISK = "asterisk"
    """The manager interfaces."""
    DAEMON = "daemon"
    """All of it: a daemon runs, or is about to."""


_TABLES = {Needs.TABLES: (), Needs.STORE: ("store",), Needs.ASTERISK: ("asterisk",)}


def findings(raw: dict[str, Any], needs: Needs = Needs.DAEMON) -> list[Finding]:
    """Return what is wrong around the tables that are needed; for a daemon also everything across tables."""
    if needs is not Needs.DAEMON:
        needed = {key: raw[key] for key in _TABLES[needs] if key in raw}
        return [*around(needed), *tls_findings(needed)]
    checks: tuple[Callable[[dict[str, Any]], Iterator[Finding]], ...] = (
        _clashing_names,
        _carriers_without_a_way_in,
        _peers,
        _voice,
        _service_numbers,
        _service_codes,
        _sender_of_texts,
        _knocks,
        _listening_ports,
        _centres,
        door_findings,
        _drills_that_are_emergencies,
        ussd_findings,
        _truths_for_numbers,
        around,
        unwritable_folders,
        tls_findings,
    )
    return [finding for check in checks for finding in check(raw)]


def _tables(raw: dict[str, Any], *path: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Walk over the tables of nested lists: ``_tables(raw, "carrier", "smpp")``."""
    first, *rest = path
    items = raw.get(first)
    for index, item in enumerate(items if isinstance(items, list) else []):
        if isinstance(item, dict) and not rest:
            yield (first, index), item
        elif isinstance(item, dict):
            for inner, table in _tables(item, *rest):
                yield (first, index, *inner), table


def _of_kind(
    kind: str, tables: Iterable[tuple[Path, dict[str, Any]]]
) -> Iterator[tuple[Path, dict[str, Any]]]:
    return ((at, table) for at, table in tables if table.get("kind") == kind)


def _clashing_names(raw: dict[str, Any]) -> Iterator[Finding]:
    """Names end up in logs and rows: within a kind each stands for one thing. Links and peers are one kind."""
    kinds = {
        "carrier": (("carrier",),),
        "link": (("carrier", "smpp"), ("carrier", "peer"), ("carrier", "trunk"), ("asterisk",)),
        "112 centre": (("psap",),),
        "channel": (("psap", "channel"),),
    }
    for kind, paths in kinds.items():
        yield from _clashes(raw, paths, "name", kind)
    yield from _clashes(raw, (("carrier", "peer"),), "system_id", "peer")


def _clashes(
    raw: dict[str, Any], paths: tuple[tuple[str, ...], ...], key: str, kind: str
) -> Iterator[Finding]:
    seen: set[str] = set()
    for path in paths:
        for at, table in _tables(raw, *path):
            value = table.get(key)
            if isinstance(value, str):
                if value in seen:
                    yield (
                        (*at, key),
                        f'"{value}" already stands for another {kind}',
                        f"give each {kind} its own",
                    )
                seen.add(value)


def _carriers_without_a_way_in(raw: dict[str, Any]) -> Iterator[Finding]:
    for at, carrier in _tables(raw, "carrier"):
        ways = ("smpp", "peer", "trunk")
        if not any(map(carrier.get, ways)) and carrier.get("name") not in carriers_of_pressers(raw):
            problem = "has no link, no peer, no trunk and no presser, so no press can come from it"
            yield (
                at,
                problem,
                "add [[carrier.smpp]] to bind to its SMSC, [[carrier.peer]] to let it bind to us, [[carrier.trunk]] for its calls, or [[web.presser]] for apps",
            )


def _peers(raw: dict[str, Any]) -> Iterator[Finding]:
    for at, _ in _tables(raw, "carrier", "peer"):
        if "smpp_server" not in raw:
            yield at, "can never bind: there is no listener", "add a table [smpp_server] to the main file"


def _voice(raw: dict[str, Any]) -> Iterator[Finding]:
    if not raw.get("asterisk"):
        guardians = raw.get("guardians")
        spoken = (
            (_tables(raw, "carrier", "trunk"), "its calls are not noticed"),
            (_of_kind("voice", _tables(raw, "psap", "channel")), "no call can be placed"),
        )
        for tables, problem in spoken:
            for at, _ in tables:
                yield at, f"{problem}: there is no Asterisk", "add a table [[asterisk]]"
        if "sms" not in raw:
            for at, _ in _tables(guardians if isinstance(guardians, dict) else {}, "listed"):
                problem = "no guardian can be told: there is neither a number to text from nor an Asterisk"
                yield ("guardians", *at), problem, "add a table [sms] or [[asterisk]]"
    has_addresses = any(trunk.get("addresses") for _, trunk in _tables(raw, "carrier", "trunk"))
    for at, server in _tables(raw, "asterisk"):
        if "mirror" in server and not has_addresses:
            problem = "tells of no refused call: no trunk has addresses to know its calls by"
            yield (*at, "mirror"), problem, 'add addresses = ["192.0.2.10"] to each [[carrier.trunk]]'
        name = server.get("name")
        if isinstance(name, str) and len(name) > LONGEST_SYSTEM_NAME:
            problem = (
                f'"{name}" is too long: it is part of the incident\'s id, which has at most 40 characters'
            )
            yield (
                (*at, "name"),
                problem,
                f"write at most {LONGEST_SYSTEM_NAME} characters, and the same as systemname",
            )


def _service_numbers(raw: dict[str, Any]) -> Iterator[Finding]:
    """Find numbers of the menu that are a carrier's SOS numbers too: a key held there must not get a menu."""
    general = raw.get("recognition")
    general = general if isinstance(general, dict) else {}
    owns = [carrier.get("recognition") for _, carrier in _tables(raw, "carrier")]
    tables = [general, *(own for own in owns if isinstance(own, dict))]
    numbers = general.get("service_numbers")
    for index, number in enumerate(numbers if isinstance(numbers, list) else []):
        for other in ("sos_numbers", "test_numbers"):
            lists = [table.get(other) for table in tables]
            if any(number in listed for listed in lists if isinstance(listed, list)):
                problem = f'"{number}" is in {other} too, and a call to it would be a menu instead of a press'
                yield (
                    ("recognition", "service_numbers", index),
                    problem,
                    "take it out of one of the two lists",
                )


def _service_codes(raw: dict[str, Any]) -> Iterator[Finding]:
    """Find codes of the menu that a gateway cannot tell from an SOS code: many drop the signs around the digits."""
    general = raw.get("recognition")
    general = general if isinstance(general, dict) else {}
    owns = [carrier.get("recognition") for _, carrier in _tables(raw, "carrier")]
    tables = [general, *(own for own in owns if isinstance(own, dict))]
    keys = ("ussd_codes", "sos_numbers", "test_numbers")
    lists = [table.get(key) for table in tables for key in keys]
    codes = [code for listed in lists if isinstance(listed, list) for code in listed if isinstance(code, str)]
    presses = {code.strip("*#+"): code for code in codes}
    numbers = general.get("service_numbers")
    for index, number in enumerate(numbers if isinstance(numbers, list) else []):
        if isinstance(number, str) and number.startswith(("*", "#")) and number.strip("*#") in presses:
            press = presses[number.strip("*#")]
            yield (
                ("recognition", "service_numbers", index),
                f'"{number}" without its signs is "{press}", which is a press: the menu would never open',
                "give the menu a code with other digits",
            )


def _sender_of_texts(raw: dict[str, Any]) -> Iterator[Finding]:
    """Find a sender's number at which replies are not read: a reply is a press at worst, or nothing at all."""
    sms, general = raw.get("sms"), raw.get("recognition")
    sender = sms.get("sender") if isinstance(sms, dict) else None
    numbers = general.get("service_numbers") if isinstance(general, dict) else None
    listed = numbers if isinstance(numbers, list) else []
    if isinstance(sender, str) and sender not in listed:
        problem = (
            f'"{sender}" is not in recognition.service_numbers, so a reply to it is taken for an emergency'
        )
        yield ("sms", "sender"), problem, f'add it there: service_numbers = ["{sender}"]'


def _knocks(raw: dict[str, Any]) -> Iterator[Finding]:
    """Find digits or taps with two meanings: only the last would ever be told."""
    voice = raw.get("voice")
    seen: list[tuple[str, Any]] = []
    for at, rule in _tables(voice if isinstance(voice, dict) else {}, "knock"):
        for key in ("digits", "taps"):
            value = rule.get(key)
            if value is not None and (key, value) in seen:
                yield ("voice", *at, key), f"{value!r} has a meaning already", "give each knock one meaning"
            seen.append((key, value))


def _listening_ports(raw: dict[str, Any]) -> Iterator[Finding]:
    """Find two of ours on one port. A table with an interface is a listener; those of UDP clash with none."""
    ports: list[tuple[Path, Any]] = []
    for at, shape, table in written(Settings, raw):
        fields = {} if shape.table is None else shape.table.model_fields
        if "interface" in fields and shape.table is not SipMirror and isinstance(table, dict):
            ports.append(((*at, "port"), table.get("port", fields["port"].default)))
    ports += [
        ((*at, "outbind_port"), link.get("outbind_port")) for at, link in _tables(raw, "carrier", "smpp")
    ]
    taken: set[int] = set()
    for where, port in ports:
        if isinstance(port, int):
            if port in taken:
                yield where, f"we already listen on port {port}", "write a port that is free"
            taken.add(port)


def _centres(raw: dict[str, Any]) -> Iterator[Finding]:
    """Every carrier's presses go to exactly one centre."""
    carriers = {
        name: at for at, table in _tables(raw, "carrier") if isinstance(name := table.get("name"), str)
    }
    listed: set[str] = set()
    is_any_open = False
    for at, centre in _tables(raw, "psap"):
        names = centre.get("carriers", [])
        if names == []:
            if is_any_open:
                problem = "another centre already takes every carrier that is not listed"
                some = next(iter(carriers), "skt")
                yield (*at, "carriers"), problem, f'list this centre\'s carriers, e.g. carriers = ["{some}"]'
            is_any_open = True
        yield from _listed_carriers((*at, "carriers"), names, carriers, listed)
        yield from _first_channel(at, centre)
    if raw.get("psap") and not is_any_open:
        for name, at in carriers.items():
            if name not in listed:
                problem = "no 112 centre takes this carrier's presses"
                yield at, problem, f'add "{name}" to the carriers of a [[psap]], or leave one list empty'


def _listed_carriers(at: Path, names: Any, carriers: dict[str, Path], listed: set[str]) -> Iterator[Finding]:
    for index, name in enumerate(names if isinstance(names, list) else []):
        if not isinstance(name, str):
            continue
        if name not in carriers:
            yield (*at, index), f'there is no carrier "{name}"', closest(name, list(carriers))
        elif name in listed:
            yield (
                (*at, index),
                f'the presses of "{name}" already go to another centre',
                "list each carrier once",
            )
        listed.add(name)


def _first_channel(at: Path, centre: dict[str, Any]) -> Iterator[Finding]:
    """Find a centre whose every channel waits. A telephone does not count: it hears of alerts only."""
    channels = [(path, table) for path, table in _tables(centre, "channel") if table.get("kind") != "voice"]
    waits = [(path, table.get("after_s", 0)) for path, table in channels]
    numbers = [wait for _, wait in waits if isinstance(wait, (int, float))]
    if waits and len(numbers) == len(waits) and min(numbers) > 0:
        problem = "every channel waits, so the first report would too"
        yield (*at, *waits[0][0], "after_s"), problem, "write after_s = 0 for the first channel"


def _drills_that_are_emergencies(raw: dict[str, Any]) -> Iterator[Finding]:
    """Find numbers that are both: a drill is answered differently from an emergency."""
    general = raw.get("recognition")
    general = general if isinstance(general, dict) else {}
    tables: list[tuple[Path, dict[str, Any]]] = [(("recognition",), general)]
    for at, carrier in _tables(raw, "carrier"):
        own = carrier.get("recognition")
        if isinstance(own, dict):
            tables.append(((*at, "recognition"), {**general, **own}))
    for at, table in tables:
        sos = table.get("sos_numbers")
        tests = table.get("test_numbers")
        for index, number in enumerate(tests if isinstance(tests, list) else []):
            if isinstance(sos, list) and number in sos:
                problem = (
                    f'"{number}" is an SOS number too, and every emergency there would be marked as a drill'
                )
                yield (*at, "test_numbers", index), problem, "take it out of one of the two lists"


def _truths_for_numbers(raw: dict[str, Any]) -> Iterator[Finding]:
    """Find true and false in the place of numbers: Python would take them for 1 and 0."""
    for at, shape, value in written(Settings, raw):
        if isinstance(value, bool) and shape.kind in (int, float):
            yield at, f"{str(value).lower()} is not a number", f"write {expected(shape, at)}"
