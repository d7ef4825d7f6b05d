"""``onetouch people``: the registry of people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from telephony.cli.anchors import Written, anchor
from telephony.cli.audited import add_entry, looked, stated_reason, why_option, write_entry
from telephony.cli.echo import echo
from telephony.cli.options import EXIT_FAILED, config_option, load_or_exit
from telephony.cli.people_changes import change_carrier, change_number, withdraw
from telephony.cli.people_enrolling import import_, new_file, template, undo
from telephony.cli.people_own import own
from telephony.cli.people_refused import refused
from telephony.cli.people_show import show
from telephony.cli.registry import empty_the_log, number_argument, open_registry
from telephony.cli.second_person import Act

if TYPE_CHECKING:
    from sqlalchemy import Connection


number = click.argument("number_text", metavar="NUMBER")


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


for _command in (import_, template, undo, show, change_number, change_carrier, withdraw, own, refused):
    people.add_command(_command)


@people.command()
@config_option
@click.argument("file", type=new_file)
@why_option
@click.option(
    "--headings", type=click.Choice(["ko", "en"]), default="ko", show_default=True, help="In which language."
)
def export(config: Path, file: Path, why: str | None, headings: str) -> None:
    """Write all people into FILE, a new CSV that only you may read, and that can be imported again.

    It is not encrypted: delete it as soon as it has served its purpose. With [audit] second_person it needs the approval
    of a second account, see onetouch audit approve --help.

    \b
    Example:
      onetouch people export /root/people.csv --why "order 2026-114 of the data protection officer"

    Exit codes: 0 written; 1 FILE is there already, or the store or the keys cannot be used; 2 wrong settings, or no reason.
    """
    reason = stated_reason(why)
    settings = load_or_exit(config)
    from telephony.domain.audit import SAW_PEOPLE  # noqa: PLC0415 - not needed for --help
    from telephony.people_files.writing import export_headings, exported, table_file  # noqa: PLC0415

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
@why_option
def delete(config: Path, number_text: str, why: str | None) -> None:
    """Delete the person who has NUMBER, so that nothing of them is left in the file.

    Guardians, the history of presses and every hash are deleted too. Incidents stay for [retention] incident_days, as the
    record of an emergency, without what the registry said of the person; one that is open keeps that until it is over. To
    delete a person who withdraws a consent, and to keep by whom and how, use onetouch people withdraw. Backups keep what
    they hold until they are deleted, or until their key is forgotten (onetouch keys rotate).

    \b
    Example:
      onetouch people delete 010-1234-5678 --why "enrolled twice by mistake"

    Exit codes: 0 deleted, 1 this number is not registered.
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
            echo(f"no one is registered with {wanted.masked}", err=True)
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

    Exit codes: 0 counted, 1 the store cannot be used, 2 wrong settings.
    """
    settings = load_or_exit(config)
    from telephony.cli.readable_store import reading_engine  # noqa: PLC0415 - not needed for --help
    from telephony.store.people import count  # noqa: PLC0415

    with reading_engine(settings) as reading, reading.connect() as connection:
        echo(f"{count(connection):,}")
