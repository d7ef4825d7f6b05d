"""``onetouch people import``, ``template`` and ``undo``: people from a file, and out again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from telephony.cli.audited import LONGEST_WHY, stated_reason, why_option, write_entry
from telephony.cli.echo import echo
from telephony.cli.options import config_option, load_or_exit
from telephony.cli.registry import OpenRegistry, enrolment_rules, open_registry

if TYPE_CHECKING:
    from telephony.domain.people.person import Language
    from telephony.people_files.headers import Heading

EXIT_BAD_ROWS = 3

new_file = click.Path(path_type=Path, dir_okay=False)

language_option = click.option(
    "--language",
    type=click.Choice(["ko", "en"]),
    help="In which language it speaks. Default: [service] language.",
)


@click.command("import")
@config_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--dry-run",
    "is_dry_run",
    is_flag=True,
    help="Check every row, say who would change in which field, and write nothing.",
)
@click.option("--by", help="Who agreed to it, for rows that do not say it themselves.")
@click.option("--means", help='By what means they agreed, e.g. "paper forms of March".')
@click.option("--on", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="When they agreed: YYYY-MM-DD.")
@click.option(
    "--report", type=new_file, help="A new CSV file for the bad rows, to be corrected and imported."
)
@language_option
def import_(  # noqa: PLR0917 - the options of the command
    config: Path,
    file: Path,
    by: str | None,
    means: str | None,
    on: datetime | None,
    report: Path | None,
    language: Language | None,
    *,
    is_dry_run: bool,
) -> None:
    """Enrol the people of FILE: CSV (UTF-8 or cp949; comma, semicolon or tab) or XLSX (its first sheet).

    The headings may stand below titles and notes, in one row or in two (a group such as 보호자1 above, its columns below);
    which row was taken is said. Needed: 이름 (name), 생년월일 (birth_date), 전화번호 (number). Known besides:
    통신사 (carrier), 기기 (device: phone, u-relief), number2 carrier2 device2, 주소 (address), 사진 (photo), 의료정보
    (medical), 가족사항 (family), 언어 (language: ko, en), 학교 (school), 그룹 (cohort), 보호자1 관계, 보호자1 전화번호, 보호자1
    언어, 보호자1 횟수, 보호자1 연령 (guardian1_relation, _phone, _language, _rounds, _age: adult, minor) to 보호자4, 동의자 (consent_by), 동의방법
    (consent_means), 동의일 (consent_date). Other columns are ignored, and named.

    Sums, notes, numbered rows without a name and the example of onetouch people template are no people: they are passed
    over, and named. An empty cell changes nothing. --by, --means and --on fill in what a row does not say of its consent. Bad
    rows are left out and reported, those with the same fault together, with what to write; all others are imported. The
    same file again changes nothing, so a run that was broken off is simply repeated. An import of up to 10,000 changed rows can
    be undone for a week: onetouch people undo.

    A dry run writes nothing: no one, no key, no file but the --report that you name. Where people are registered already it
    tells of them, so that it is a look, and has its entry in the audit chain as every look has.

    \b
    Examples:
      onetouch people import class-3.csv --dry-run
      onetouch people import class-3.csv --by "Hankuk school" --means "paper forms" --report bad.csv

    Exit codes: 0 every row is in, 1 the file or the store cannot be used, 2 wrong settings or options, 3 there are
    bad rows and all others are in.
    """
    if on is not None and on.replace(tzinfo=UTC) > datetime.now(UTC):
        raise click.BadParameter("the day lies in the future", param_hint="--on")
    settings = load_or_exit(config)
    said: Language = language or settings.service.language
    from telephony.cli.people_import import Run, run_import  # noqa: PLC0415 - not needed for --help
    from telephony.cli.people_import_undo import new_name  # noqa: PLC0415
    from telephony.cli.people_import_words import exists, headings_found, how_to_undo, ignored_columns, tally  # noqa: PLC0415
    from telephony.domain.audit import IMPORTED_PEOPLE, TRIED_IMPORT  # noqa: PLC0415
    from telephony.people_files.reading import EnrolmentFile  # noqa: PLC0415
    from telephony.people_files.unusable import Unusable  # noqa: PLC0415
    from telephony.people_files.xlsx import bounded_memory  # noqa: PLC0415

    day = None if on is None else on.date().isoformat()
    consent = {
        name: text
        for name, text in (("consent_by", by), ("consent_means", means), ("consent_date", day))
        if text
    }
    name = new_name()
    with open_registry(settings, makes_keys=True, is_dry_run=is_dry_run) as opened, bounded_memory():
        try:
            table = EnrolmentFile(file, enrolment_rules(settings), consent)
            _require_both(consent, table.heading)
            echo(headings_found(table.heading, said))
            if table.heading.ignored:
                echo(ignored_columns(table.heading, said), err=True)
            reason = ": ".join(filter(None, (by, means))) or "consent as the file says"
            # A dry run writes no one, and tells who is registered already: a look, where there is anyone.
            what = TRIED_IMPORT if is_dry_run else IMPORTED_PEOPLE
            if not is_dry_run or _is_anyone_registered(opened):
                subject = file.name if is_dry_run else f"{name}: {file.name}"
                write_entry(settings, opened.writing, what, subject, reason[:LONGEST_WHY])
            counted = run_import(table, Run(opened, said, report, is_dry_run, name))
        except Unusable as error:
            raise click.ClickException(f"{file}: {error.said(said)}") from error
        except FileExistsError as error:
            raise click.ClickException(exists(report, said)) from error
        except OSError as error:
            raise click.ClickException(f"{error.filename or file}: {error.strerror}") from error
    echo(tally(counted.outcomes, counted.bad, said, is_dry_run=is_dry_run))
    if not is_dry_run and counted.written:
        echo(how_to_undo(name, counted.undoable, said))
    if counted.bad:
        raise SystemExit(EXIT_BAD_ROWS)


def _is_anyone_registered(opened: OpenRegistry) -> bool:
    from telephony.store.people import count  # noqa: PLC0415 - not needed for --help

    with opened.reading.connect() as connection:
        return count(connection) > 0


def _require_both(consent: dict[str, str], found: Heading) -> None:
    """End the command where it says who agreed and neither it nor the file says by what means, or the other way round."""
    for given, other, option in (
        ("consent_by", "consent_means", "--means"),
        ("consent_means", "consent_by", "--by"),
    ):
        if given in consent and other not in consent and other not in found.fields.values():
            raise click.UsageError(
                f"the file has no column {other}: give {option} too, so that it is said who agreed, and by what means"
            )


@click.command()
@config_option
@click.argument("file", type=new_file)
@language_option
def template(config: Path, file: Path, language: Language | None) -> None:
    """Write FILE, a new workbook to be filled in and imported: headings in Korean and English, and an example.

    The example row is recognised by its mark and its number, and never signs up. Numbers and dates are text there, so that no
    spreadsheet takes a zero away. Columns that you do not need may be deleted, and others added.

    \b
    Example:
      onetouch people template class-3.xlsx

    Exit codes: 0 written, 1 FILE is there already or cannot be written, 2 wrong settings.
    """
    from telephony.people_files.template import write_template  # noqa: PLC0415 - not needed for --help
    from telephony.settings import Needs  # noqa: PLC0415

    settings = load_or_exit(config, Needs.TABLES)

    is_korean = (language or settings.service.language) == "ko"
    try:
        write_template(file, sorted(carrier.name for carrier in settings.carrier))
    except FileExistsError as error:
        said = "이미 있는 파일입니다. 새 이름을 주세요" if is_korean else "exists already; name a new file"
        raise click.ClickException(f"{file}: {said}") from error
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from error
    said = f"onetouch people import {file} --dry-run"
    echo(f"{file}: 채운 뒤 `{said}`" if is_korean else f"{file}: fill it in, then `{said}`")


@click.command()
@config_option
@click.argument("name", metavar="[IMPORT]", required=False)
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Say what would be undone, and write nothing.")
@why_option
@language_option
def undo(
    config: Path, name: str | None, why: str | None, language: Language | None, *, is_dry_run: bool
) -> None:
    """Undo the import of this name: delete whom it added, and bring back whom it changed. Without a name, list what can be.

    An import says its name when it ends; it can be undone for a week. Whoever has been changed since, by phone or by a
    later import, stays as they are and is named by the line of the file; undo the later import first.

    \b
    Examples:
      onetouch people undo
      onetouch people undo 1130-k7xm --why "the wrong class"

    Exit codes: 0 undone, 1 there is no such import, 2 wrong settings or no reason, 3 somebody has been changed since and stays.
    """
    reason = None if name is None else stated_reason(why)
    settings = load_or_exit(config)
    said: Language = language or settings.service.language
    from telephony.cli.people_import_undo import list_undoable, run_undo  # noqa: PLC0415 - not needed for --help

    with open_registry(settings) as opened:
        if name is None or reason is None:
            list_undoable(opened, said)
        elif not run_undo(opened, name, reason, said, is_dry_run=is_dry_run):
            raise SystemExit(EXIT_BAD_ROWS)
