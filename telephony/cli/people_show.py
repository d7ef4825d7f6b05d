"""``onetouch people show``: one person, masked, or in full with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from telephony.cli.audited import stated_reason, why_option, write_entry
from telephony.cli.echo import echo, echo_json
from telephony.cli.options import EXIT_FAILED, config_option, load_or_exit
from telephony.cli.registry import number_argument, open_registry
from telephony.cli.times import clock_time, utc_option, zone_of

if TYPE_CHECKING:
    from telephony.domain.people.person import GuardianEntry, Person
    from telephony.domain.values import Msisdn

KEPT = "(kept)"
"""Stands for what a field holds where it is not told: only that it is filled."""


@click.command()
@config_option
@click.argument("number_text", metavar="NUMBER")
@click.option("--reveal", is_flag=True, help="Show everything; needs a reason.")
@utc_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
@why_option
def show(
    config: Path, number_text: str, why: str | None, *, reveal: bool, is_utc: bool, as_json: bool
) -> None:
    """Show the person who has NUMBER: masked, or in full with --reveal and a reason.

    \b
    Examples:
      onetouch people show 010-1234-5678
      onetouch people show 010-1234-5678 --reveal --why "asked for her own data, letter of 3 May"

    Exit codes: 0 shown, 1 this number is not registered.
    """
    reason = stated_reason(why, None if reveal else "masked")
    settings = load_or_exit(config)
    wanted = number_argument(settings, number_text)
    from telephony.domain.audit import SAW_PERSON  # noqa: PLC0415 - not needed for --help

    with open_registry(settings) as opened, opened.reading.connect() as connection:
        write_entry(settings, opened.writing, SAW_PERSON, wanted.international, reason)
        found = opened.registry.find(connection, wanted)
    if found is None:
        echo(f"no one is registered with {wanted.masked}", err=True)
        raise SystemExit(EXIT_FAILED)
    plain = plain_person(found, is_revealed=reveal)
    if as_json:
        echo_json(plain, indent=2)
        return
    for name, text in _lines(found, plain, zone_of(settings, is_utc=is_utc)):
        echo(f"{name:<14} {text}")


def plain_person(person: Person, *, is_revealed: bool) -> dict[str, Any]:
    """Return a person as JSON can say it; masked, of what a field holds only that it is filled."""

    def told(text: str) -> str:
        return text if is_revealed or not text else KEPT

    def number(each: Msisdn) -> str:
        return each.international if is_revealed else each.masked

    consent = person.consent
    return {
        "name": person.name if is_revealed else person.name[:1] + "○" * (len(person.name) - 1),
        "birth_date": told(person.birth_date.isoformat()),
        "devices": [
            {"number": number(each.number), "carrier": each.carrier, "kind": each.kind or "phone"}
            for each in person.devices
        ],
        "texts": {name: told(text) for name, text in person.texts.items()},
        "guardians": [
            {"number": number(each.phone), "relation": told(each.relation), "says": _said_by(each)}
            for each in person.guardians
        ],
        "refused": [
            {
                "digits": told(each.digits),
                "means": each.means,
                "at": each.at.isoformat(timespec="seconds"),
            }
            for each in person.refused
        ],
        "consent": {
            "by_guardian": consent.is_by_guardian,
            "at": consent.at.isoformat(timespec="seconds"),
            "by": told(consent.by),
            "means": told(consent.means),
            "until": None if consent.until is None else told(consent.until.isoformat()),
        },
    }


def _said_by(guardian: GuardianEntry) -> str:
    if guardian.standing is not None:
        return guardian.standing.words
    return "agreed" if guardian.is_confirmed else "has not answered"


def _lines(person: Person, plain: dict[str, Any], zone: tzinfo) -> Iterator[tuple[str, str]]:
    """Return what is known, line by line."""
    yield "name", plain["name"]
    yield "birth date", plain["birth_date"]
    for each in plain["devices"]:
        yield each["kind"], " ".join(filter(None, (each["number"], each["carrier"])))
    yield from plain["texts"].items()
    for place, each in enumerate(plain["guardians"], 1):
        yield f"guardian {place}", f"{each['number']} {each['relation']}".strip() + f", {each['says']}"
    for refusal, each in zip(person.refused, plain["refused"], strict=True):
        yield "guardian refused", f"…{each['digits']}, {each['means']}, {clock_time(refusal.at, zone)}"
    consent = plain["consent"]
    given = "by a guardian" if consent["by_guardian"] else "by the person"
    is_whole = consent["by"] != KEPT
    who = f", {consent['by']}: {consent['means']}" if is_whole else ""
    until = f", until {consent['until']}" if is_whole and consent["until"] else ""
    yield "consent", f"{given}, {clock_time(person.consent.at, zone)}{who}{until}"
