"""``onetouch people own``: a person's own data, as they may ask for it (Personal Information Protection Act, article 35)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from telephony.cli.audited import stated_reason, why_option, write_entry
from telephony.cli.echo import echo, echo_json
from telephony.cli.incidents_locatings import plain_locatings
from telephony.cli.options import EXIT_FAILED, config_option, load_or_exit
from telephony.cli.progress import bar
from telephony.cli.recording_output import require_here
from telephony.cli.recordings import export_all
from telephony.cli.registry import number_argument, open_registry
from telephony.cli.second_person import Act
from telephony.cli.times import clock_time, utc_option, zone_of

if TYPE_CHECKING:
    from telephony.domain.audit import Looked
    from telephony.domain.people.person import Person
    from telephony.settings import Settings
    from telephony.store.own_data import OwnData

TIMES = frozenset({"at", "opened_at", "begun_at", "asked_at", "answered_at"})
"""Under these the account has a time."""


@click.command()
@config_option
@click.argument("number_text", metavar="NUMBER")
@utc_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
@click.option(
    "--recordings",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Also write the recordings of their calls into this folder, as WAV files.",
)
@why_option
def own(
    config: Path, number_text: str, why: str | None, folder: Path | None, *, is_utc: bool, as_json: bool
) -> None:
    """Give an account of everything that is kept about the person who has NUMBER, to be printed and handed over.

    The registry, incidents of all their numbers, the history by which presses are weighed, whose guardian they are,
    which carriers were asked where the phone is, which calls were recorded, who looked at it and why, and how long each is
    kept. The account is in plain text: hand it to no one else. With --recordings the recordings are written too, which with [audit]
    second_person needs the approval of a second account: onetouch audit approve recordings. It does not tell
    what was written and where the phone was; that is given by order to those whom it concerns, with
    onetouch incidents show ID --positions.

    \b
    Examples:
      onetouch people own 010-1234-5678 --why "asked for her own data, letter of 3 May" > account.txt
      onetouch people own - --json --why "letter of 3 May" < number.txt
      onetouch people own 010-1234-5678 --recordings /root/letter-7 --why "person: letter of 3 May" > account.txt

    Exit codes: 0 given; 1 a recording is damaged or on another machine, or the store or the keys cannot be used; 2 wrong
    settings, or no reason.
    """
    reason = stated_reason(why)
    settings = load_or_exit(config)
    wanted = number_argument(settings, number_text)
    from telephony.domain.audit import EXPORTED_RECORDINGS, OWN_DATA  # noqa: PLC0415 - not needed for --help
    from telephony.store.audit import head  # noqa: PLC0415
    from telephony.store.own_data import own_data, own_entries  # noqa: PLC0415

    with open_registry(settings) as opened, opened.reading.connect() as connection:
        write_entry(settings, opened.writing, OWN_DATA, wanted.international, reason)
        account = own_data(connection, opened.registry, wanted)
        if folder is not None and account.recordings:
            for each in account.recordings:
                require_here(each)
            subject = wanted.international
            write_entry(settings, opened.writing, EXPORTED_RECORDINGS, subject, reason, act=Act.RECORDINGS)
        looks = []
        last = head(connection)
        with bar("audit chain", 0 if last is None else last.number) as advance:
            for number, looked in own_entries(
                connection, account.numbers, {each.id for each in account.incidents}
            ):
                advance(number)
                if looked is not None:
                    looks.append(looked)
    plain = _plain(account, looks, settings)
    if as_json:
        echo_json(plain, indent=2)
    else:
        for line in _lines(plain, zone_of(settings, is_utc=is_utc)):
            echo(line)
    if folder is not None and not export_all(settings, list(account.recordings), folder):
        raise SystemExit(EXIT_FAILED)


def _plain(account: OwnData, looks: list[Looked], settings: Settings) -> dict[str, Any]:
    periods = settings.retention
    return {
        "numbers": [each.international for each in account.numbers],
        "registered": None if account.person is None else _person(account.person),
        "guardian of": account.guarded,
        "incidents": [
            {
                "incident": each.id,
                "opened_at": each.opened_at.isoformat(timespec="seconds"),
                "state": each.state,
                "drill": each.is_drill,
                "presses": each.presses,
                "positions": each.positions,
                "facts": each.facts,
            }
            for each in account.incidents
        ],
        "history": [
            {"at": each.at.isoformat(timespec="seconds"), "kind": each.kind, "place": each.place is not None}
            for each in account.history
        ],
        "locatings": [
            {name: said for name, said in each.items() if name != "number"}
            for each in plain_locatings(account.locatings)
        ],
        "recordings": [
            {
                "recording": each.name,
                "incident": each.incident_id,
                "begun_at": each.begun_at.isoformat(timespec="seconds"),
                "length_s": round(each.length_s, 1),
            }
            for each in account.recordings
        ],
        "looks": [
            {"at": each.at.isoformat(timespec="seconds"), "what": each.what, "why": each.why}
            for each in looks
        ],
        "kept for days": {
            "registered": "until the consent ends or is withdrawn, then "
            f"{periods.consent_ended_days:g} where it was outgrown",
            "incidents": periods.incident_days,
            "positions": 0 if periods.deletes_positions_at_closing else periods.position_days,
            "texts": periods.text_days,
            "history": periods.history_days,
            "locatings": periods.locating_days,
            "recordings": periods.recording_days,
            "looks": periods.audit_days,
        },
    }


def _person(person: Person) -> dict[str, Any]:
    consent = person.consent
    return {
        "name": person.name,
        "birth date": person.birth_date.isoformat(),
        "devices": [
            {"number": each.number.international, "carrier": each.carrier, "kind": each.kind}
            for each in person.devices
        ],
        "guardians": [
            {
                "number": each.phone.international,
                "relation": each.relation,
                "language": each.language,
                "agreed": each.is_confirmed,
                "says of themselves": "" if each.standing is None else each.standing.words,
            }
            for each in person.guardians
        ],
        "guardians who refused": [
            {
                "number": f"…{each.digits}",
                "means": each.means,
                "at": each.at.isoformat(timespec="seconds"),
            }
            for each in person.refused
        ],
        **person.texts,
        "consent": {
            "by": consent.by,
            "means": consent.means,
            "at": consent.at.isoformat(timespec="seconds"),
            "by a guardian": consent.is_by_guardian,
            "text": consent.text,
            "items": ", ".join(consent.items) if consent.text else "all, given as a whole",
            "until": None if consent.until is None else consent.until.isoformat(),
        },
    }


def _lines(value: Any, zone: tzinfo, depth: int = 0) -> Iterator[str]:
    """Write a value as indented lines."""
    margin = "  " * depth
    if isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, dict | list) and inner:
                yield f"{margin}{name}:"
                yield from _lines(inner, zone, depth + 1)
            else:
                yield f"{margin}{name}: {_word(inner, name, zone)}"
    elif isinstance(value, list):
        for inner in value:
            if isinstance(inner, dict):
                yield (
                    margin
                    + "- "
                    + ", ".join(f"{name} {_word(each, name, zone)}" for name, each in inner.items())
                )
            else:
                yield f"{margin}- {_word(inner, '', zone)}"


def _word(value: Any, name: str, zone: tzinfo) -> str:
    if isinstance(value, str) and name in TIMES:
        return clock_time(datetime.fromisoformat(value), zone)
    if value is None or value in ([], {}, ""):
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
