"""``onetouch people``: who is signed up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from telephony.cli.anchors import Written, anchor
from telephony.cli.audited import LONGEST_WHY, add_entry, looked, stated_reason, why_option, write_entry
from telephony.cli.echo import echo
from telephony.cli.options import EXIT_FAILED, config_option, load_or_exit
from telephony.cli.people_changes import change_carrier, change_number, withdraw
from telephony.cli.people_own import own
from telephony.cli.registry import empty_the_log, enrolment_rules, number_argument, open_registry
from telephony.cli.second_person import Act

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from telephony.domain.people import Person

EXIT_BAD_ROWS = 3

number = click.argument("number_text", metavar="NUMBER")
new_file = click.Path(path_type=Path, dir_okay=False)


@click.group(short_help="Enrol people from a file; count, show, export, change, delete them.")
def people() -> None:
    """Keep the registry of people, beside a running daemon or without one. All of it is encrypted in the store.

    Nothing personal is shown unless it is asked for with a reason, and every look is an entry in the audit chain first.
    A NUMBER of - is read from standard input, so that it is in no list of processes.

    \b
    Examples:
      onetouch people import class-3.csv --dry-run
      onetouch people import class-3.csv --by "Hankuk school" --means "paper forms"
      onetouch people show 010-1234-5678
      onetouch people own 010-1234-5678 --why "asked for her own data, letter of 3 May"
      onetouch people withdraw 010-1234-5678 --by "her mother" --means "letter of 3 May"
    """


for _command in (change_number, change_carrier, withdraw, own):
    people.add_command(_command)


@people.command("import")
@config_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Check every row and write nothing.")
@click.option("--by", "by", help="Who agreed to it, for rows that do not say it themselves.")
@click.option("--means", help='By what means they agreed, e.g. "paper forms of March".')
@click.option(
    "--report", type=new_file, help="A new CSV file for the bad rows, to be corrected and imported."
)
def import_(
    config: Path, file: Path, by: str | None, means: str | None, report: Path | None, *, is_dry_run: bool
) -> None:
    """Enrol the people of FILE: CSV (UTF-8 or cp949; comma, semicolon or tab) or XLSX (its first sheet).

    The first row with headings counts. Needed: 이름 (name), 생년월일 (birth_date), 전화번호 (number). Known besides:
    통신사 (carrier), 기기 (device: phone, u-relief), number2 carrier2 device2, 주소 (address), 사진 (photo), 의료정보
    (medical), 가족사항 (family), 언어 (language: ko, en), 학교 (school), 그룹 (cohort), 보호자1 관계, 보호자1 전화번호, 보호자1
    언어, 보호자1 횟수 (guardian1_relation, _phone, _language, _rounds) to 보호자4, 동의자 (consent_by), 동의방법
    (consent_means), 동의일 (consent_date). Other columns are ignored, and named.

    A cell that is empty changes nothing. Bad rows are left out and told with line, column and what to write; all
    others are imported. The same file again changes nothing, so a run that was broken off is simply repeated.

    \b
    Examples:
      onetouch people import class-3.csv --dry-run
      onetouch people import class-3.csv --by "Hankuk school" --means "paper forms" --report bad.csv

    Exit codes: 0 every row is in, 1 the file or the store cannot be used, 2 wrong settings or options, 3 there are
    bad rows and all others are in.
    """
    if (by is None) != (means is None):
        raise click.UsageError("give --by and --means together: who agreed, and by what means")
    settings = load_or_exit(config)
    from telephony.cli.people_import import run_import  # noqa: PLC0415 - not needed for --help
    from telephony.domain.audit import IMPORTED_PEOPLE, TRIED_IMPORT  # noqa: PLC0415
    from telephony.domain.errors import Malformed  # noqa: PLC0415
    from telephony.enrolment.reading import EnrolmentFile  # noqa: PLC0415
    from telephony.enrolment.xlsx import bounded_memory  # noqa: PLC0415

    consent = {"consent_by": by, "consent_means": means} if by and means else {}
    with open_registry(settings, makes_keys=True, is_dry_run=is_dry_run) as opened, bounded_memory():
        try:
            table = EnrolmentFile(file, enrolment_rules(settings), consent)
            if table.heading.ignored:
                echo(f"ignored columns: {', '.join(table.heading.ignored)}", err=True)
            reason = f"{by}: {means}" if by and means else "consent as the file says"
            # A dry run writes nobody, and tells who is registered already.
            what = TRIED_IMPORT if is_dry_run else IMPORTED_PEOPLE
            if not is_dry_run or settings.key_file.exists():  # without keys nobody is registered yet
                write_entry(settings, opened.writing, what, file.name, reason[:LONGEST_WHY])
            tally = run_import(table, opened, report, is_dry_run=is_dry_run)
        except Malformed as error:
            raise click.ClickException(f"{file}: {error}") from error
        except FileExistsError as error:
            raise click.ClickException(f"{report} exists already; name a new file for --report") from error
        except OSError as error:
            raise click.ClickException(f"{error.filename or file}: {error.strerror}") from error
    echo(f"{'dry run, nothing written: ' if is_dry_run else ''}{tally}")
    if tally.bad:
        raise SystemExit(EXIT_BAD_ROWS)


@people.command()
@config_option
@click.argument("file", type=new_file)
@why_option
@click.option(
    "--headings", type=click.Choice(["ko", "en"]), default="ko", show_default=True, help="In which language."
)
def export(config: Path, file: Path, why: str | None, headings: str) -> None:
    """Write all people into FILE, a new CSV that only you may read, and that can be imported again.

    It is not encrypted: take it away as soon as it has served its purpose. With [audit] second_person it needs the approval
    of a second account, see onetouch audit approve --help.

    \b
    Example:
      onetouch people export /root/people.csv --why "order 2026-114 of the data protection officer"
    """
    reason = stated_reason(why)
    settings = load_or_exit(config)
    from telephony.domain.audit import SAW_PEOPLE  # noqa: PLC0415 - not needed for --help
    from telephony.enrolment.writing import export_headings, exported, table_file  # noqa: PLC0415

    service = settings.service
    with open_registry(settings) as opened, opened.reading.connect() as connection:
        write_entry(settings, opened.writing, SAW_PEOPLE, "everybody, into a file", reason, act=Act.EXPORT)
        try:
            with table_file(file) as table:
                table.writerow(export_headings(headings))
                total = 0
                for each in opened.registry.everybody(connection):
                    table.writerow(exported(each.person, service.country_code, service.trunk_prefix))
                    total += 1
        except FileExistsError as error:
            raise click.ClickException(f"{file} exists already; name a new file") from error
        except OSError as error:
            raise click.ClickException(f"{file}: {error.strerror}") from error
    echo(f"exported {total:,}")


@people.command()
@config_option
@number
@click.option("--reveal", is_flag=True, help="Show everything; needs a reason.")
@why_option
def show(config: Path, number_text: str, why: str | None, *, reveal: bool) -> None:
    """Show who has NUMBER: masked, or all of it with --reveal and a reason.

    \b
    Examples:
      onetouch people show 010-1234-5678
      onetouch people show 010-1234-5678 --reveal --why "asked for her own data, letter of 3 May"

    Exit codes: 0 shown, 1 nobody has this number.
    """
    reason = stated_reason(why, None if reveal else "masked")
    settings = load_or_exit(config)
    wanted = number_argument(settings, number_text)
    from telephony.domain.audit import SAW_PERSON  # noqa: PLC0415 - not needed for --help

    with open_registry(settings) as opened, opened.reading.connect() as connection:
        write_entry(settings, opened.writing, SAW_PERSON, wanted.international, reason)
        found = opened.registry.find(connection, wanted)
    if found is None:
        echo(f"nobody is registered with {wanted.masked}", err=True)
        raise SystemExit(EXIT_FAILED)
    for name, text in _told(found, is_revealed=reveal):
        echo(f"{name:<14} {text}")


@people.command()
@config_option
@number
@why_option
def delete(config: Path, number_text: str, why: str | None) -> None:
    """Delete who has NUMBER, with guardians, the history of presses and every hash, so that nothing is left in the file.

    Incidents stay for [retention] incident_days, as the record of an emergency, without what the registry said of the
    person; one that is open keeps that until it is over. Who withdraws a consent is deleted likewise, and by whom and how
    is kept: onetouch people withdraw. Backups keep what they hold until they are deleted, or until their key is forgotten (onetouch keys rotate).

    \b
    Example:
      onetouch people delete 010-1234-5678 --why "enrolled twice by mistake"

    Exit codes: 0 deleted, 1 nobody has this number.
    """
    reason = stated_reason(why)
    settings = load_or_exit(config)
    wanted = number_argument(settings, number_text)
    from telephony.domain.audit import DELETED_PERSON  # noqa: PLC0415 - not needed for --help

    with open_registry(settings) as opened:
        entry = looked(DELETED_PERSON, wanted.international, reason)

        def delete_them(connection: Connection) -> list[Written]:
            is_deleted = opened.registry.delete(connection, wanted)
            return [add_entry(connection, entry)] if is_deleted else []

        if not (written := opened.write(delete_them)):
            echo(f"nobody is registered with {wanted.masked}", err=True)
            raise SystemExit(EXIT_FAILED)
        anchor(settings, written, must_show=True)
        empty_the_log(opened)
    echo(f"deleted {wanted.masked}")


@people.command()
@config_option
def count(config: Path) -> None:
    """Count the people who are registered.

    \b
    Example:
      onetouch people count --config /etc/onetouch/onetouch.toml
    """
    settings = load_or_exit(config)
    from telephony.cli.db import ready_engines  # noqa: PLC0415 - not needed for --help
    from telephony.store.people import count  # noqa: PLC0415

    with ready_engines(settings) as (_, reading), reading.connect() as connection:
        echo(f"{count(connection):,}")


def _told(person: Person, *, is_revealed: bool) -> list[tuple[str, str]]:
    """Give what is known, line by line; masked, what a field holds is not told, only that it is filled."""

    def shown(text: str) -> str:
        return text if is_revealed else "(kept)"

    lines = [
        ("name", person.name if is_revealed else person.name[:1] + "○" * (len(person.name) - 1)),
        ("birth date", person.birth_date.isoformat() if is_revealed else "(kept)"),
    ]
    for device in person.devices:
        number_shown = device.number.international if is_revealed else device.number.masked
        lines.append((device.kind or "phone", " ".join(filter(None, (number_shown, device.carrier)))))
    lines += [(name, shown(text)) for name, text in person.texts.items()]
    for place, guardian in enumerate(person.guardians, 1):
        phone = guardian.phone.international if is_revealed else guardian.phone.masked
        lines.append((f"guardian {place}", " ".join(filter(None, (phone, shown(guardian.relation)))).strip()))
    consent = person.consent
    given = "by a guardian" if consent.is_by_guardian else "by the person"
    until = f", until {consent.until}" if consent.until is not None and is_revealed else ""
    who = f", {consent.by}: {consent.means}" if is_revealed else ""
    lines.append(("consent", f"{given}, {consent.at.date()}{who}{until}"))
    return lines
