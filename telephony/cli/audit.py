"""``onetouch audit``: reads and verifies the audit chain, and checks that data whose time is over is gone."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from telephony.cli.audited import stated_reason, why_option, write_entry
from telephony.cli.db import ready_engines
from telephony.cli.naming import meant_incident
from telephony.cli.options import EXIT_FAILED, config_option, load_or_exit
from telephony.cli.progress import bar
from telephony.cli.readable_store import reading_engine
from telephony.cli.second_person import VALID, Act
from telephony.cli.times import Said, Since, clock_time, since, utc_option, zone_of
from telephony.safe_text import in_json, one_line

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from telephony.domain.audit import Seat
    from telephony.settings import Settings
    from telephony.store.audit import Kept
    from telephony.store.audit_verifying import LoggedEntry, Verdict

EXIT_BROKEN = 3
LARGEST_ENTRY = (1 << 63) - 1
LONGEST_DIGEST = 40
"""Characters of a digest in a log that are compared: twice those that it has."""

log_file = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)


@click.group(short_help="Verify and read the audit chain; prove that data are deleted in time.")
def audit() -> None:
    """Read and verify the chain of all looks at personal data, and prove that data whose time is over is gone.

    Each entry is signed together with the one before. The daemon's log names each entry with the beginning of its
    digest, so that logs that are kept elsewhere show whether the end of the chain was cut off.

    \b
    Examples:
      onetouch audit verify --log /var/log/onetouch/onetouch.log
      onetouch audit list --about 010-1234-5678 --why "her complaint of 3 May"
      onetouch audit retention
    """


@audit.command()
@config_option
@click.option(
    "--log",
    "logs",
    multiple=True,
    type=log_file,
    help="A log of a daemon to compare with; repeat it for more.",
)
@click.option("--json", "as_json", is_flag=True, help="The verdict as one JSON object.")
def verify(config: Path, logs: tuple[Path, ...], *, as_json: bool) -> None:
    """Walk through the whole chain; say that it is intact, or at which entry it is broken and how.

    Note the head that it prints and keep it elsewhere: it stands for all entries up to it. The anchor file of this machine
    is compared by itself. It has what commands here have written: without a --log that is kept elsewhere, a daemon's or
    the system's (authpriv), an end that was cut off together with it does not show. A --log of - is read from standard
    input. An empty chain is not intact.

    \b
    Examples:
      onetouch audit verify
      onetouch audit verify --log /var/log/onetouch/onetouch.log --log /backup/onetouch.log.1
      onetouch audit verify --log /var/log/auth.log
      journalctl -u onetouch -o cat | onetouch audit verify --log -

    Exit codes: 0 intact, 1 the store or the keys cannot be used, 2 wrong settings or options, 3 broken.
    """
    settings = load_or_exit(config)
    from telephony.domain.errors import OnetouchError  # noqa: PLC0415 - not needed for --help
    from telephony.store.audit_verifying import compare, emptied, expected, unanchored, verify  # noqa: PLC0415

    anchors = settings.anchor_file
    has_anchors = anchors.exists()
    with reading_engine(settings) as reading, reading.connect() as connection:
        try:
            with bar("verifying", expected(connection)) as advance:
                verdict = verify(connection, advance)
            named = (*((anchors,) if has_anchors else ()), *logs)
            against = list(compare(connection, verdict, _logged(named)))
            against += emptied(connection, verdict)
            anchored = {each.number for each in _logged((anchors,))} if has_anchors else set()
            against += unanchored(verdict, socket.gethostname(), anchored)
        except OnetouchError as error:
            raise click.ClickException(str(error)) from error
    problems = [str(each) for each in (*verdict.breaks, *against)]
    if verdict.untold:
        problems.append(f"and {verdict.untold:,} more")
    if as_json:
        click.echo(
            json.dumps(
                {
                    **_plain(verdict),
                    "logs": len(logs),
                    "anchors": has_anchors,
                    "intact": not problems and verdict.entries > 0,
                    "problems": problems,
                }
            )
        )
    else:
        click.echo(_in_words(verdict))
        for problem in problems:
            click.echo(f"BROKEN: {problem}")
        click.echo(_judged(verdict, is_broken=bool(problems)))
        if not logs:
            against_what = f"compared with {anchors} alone" if has_anchors else "not compared with a log"
            click.echo(f"{against_what}: an end that was cut off does not show (--log FILE)")
    if problems:
        raise SystemExit(EXIT_BROKEN)


@audit.command("list")
@config_option
@click.option(
    "--since",
    "said",
    type=Since(),
    help="Entries since: 2h or 30m (ago), 21:30 (today), 2026-11-23 or 2026-11-23T21:30.",
)
@click.option("--what", help='Entries whose act has these words, e.g. "saw a person".')
@click.option("--who", help="Entries whose account has these words.")
@click.option("--about", metavar="NUMBER|INCIDENT", help="Entries about this number or incident.")
@utc_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
@why_option
def list_(  # noqa: PLR0917 - click hands the options over by name
    config: Path,
    said: Said | None,
    what: str | None,
    who: str | None,
    about: str | None,
    why: str | None,
    *,
    is_utc: bool,
    as_json: bool,
) -> None:
    """List entries in the order in which they were written; numbers are masked. This look is an entry too.

    \b
    Examples:
      onetouch audit list --since 2026-11-01 --who kim
      onetouch audit list --about sos-20261123-7k3qwz2m9t
      onetouch audit list --about 010-1234-5678 --why "her complaint of 3 May"

    Exit codes: 0 listed, none too; 1 the store or the keys cannot be used, or an entry is damaged; 2 wrong settings or options.
    """
    reason = stated_reason(why, "the chain itself")
    settings = load_or_exit(config)
    from telephony.domain.audit import SAW_AUDIT  # noqa: PLC0415 - not needed for --help
    from telephony.domain.errors import OnetouchError  # noqa: PLC0415
    from telephony.store.audit import about_number, entries  # noqa: PLC0415

    zone = zone_of(settings, is_utc=is_utc)
    earliest = None if said is None else since(said, zone, datetime.now(UTC))
    with ready_engines(settings) as (writing, reading), reading.connect() as connection:
        wanted = None if about is None else _subject(connection, settings, about)
        write_entry(settings, writing, SAW_AUDIT, wanted or "", reason)
        try:
            for kept in entries(connection):
                looked = kept.looked
                if (
                    (earliest is None or looked.at >= earliest)
                    and (what is None or what in looked.what)
                    and (who is None or who in looked.who)
                    and (wanted is None or looked.subject == wanted or about_number(wanted, looked.subject))
                ):
                    click.echo(in_json(_plain_entry(kept)) if as_json else _entry_in_words(kept, zone))
        except OnetouchError as error:
            raise click.ClickException(f"{error}; see `onetouch audit verify`") from error


@audit.command()
@config_option
@click.option(
    "--run", "is_run", is_flag=True, help="First delete data whose time is over, as the daemon's job does."
)
@utc_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
def retention(config: Path, *, is_run: bool, is_utc: bool, as_json: bool) -> None:
    """Prove that data whose time is over is gone: per kind the period, the number kept, the oldest, and the number overdue.

    Every record of the registry is opened for it: minutes for millions. "held" incidents are over their time and still owe
    112 a report. Nothing personal is shown.

    \b
    Examples:
      onetouch audit retention
      onetouch audit retention --run --json

    Exit codes: 0 in time, 1 something is overdue by more than one run, or the store cannot be used, 2 wrong settings.
    """
    settings = load_or_exit(config)
    from telephony.cli.retention import run_once, standing  # noqa: PLC0415 - not needed for --help

    if is_run:
        run_once(settings)
    is_late, zone = False, zone_of(settings, is_utc=is_utc)
    for kind in standing(settings):
        is_late = is_late or kind.late > 0
        click.echo(json.dumps(kind.plain) if as_json else kind.in_words(zone))
    if is_late:
        click.echo(
            "OVERDUE by more than one run: is the daemon running? See the alarm retention-overdue", err=True
        )
        raise SystemExit(EXIT_FAILED)


@audit.command()
@config_option
@click.argument("act", type=click.Choice([str(each) for each in Act]))
@click.option("--for", "account", required=True, help="The account that will do it, or its uid.")
@why_option
def approve(config: Path, act: str, account: str, why: str | None) -> None:
    """Approve what another person is about to do: an export of all people, or a change of keys.

    With [audit] second_person neither is done without. The approval is an entry of the audit chain, under the account
    that you logged in with; it serves once, within 15 minutes, and never for yourself.

    \b
    Examples:
      onetouch audit approve export --for kim --why "order: letter 2026-114"
      onetouch audit approve rotation --for kim --why "the yearly change of keys"

    Exit codes: 0 approved, 1 the store cannot be used, 2 wrong settings or options, or it is your own account.
    """
    reason = stated_reason(why)
    from telephony.cli.seat import seat, uid_of  # noqa: PLC0415 - not needed for --help
    from telephony.domain.audit import APPROVED  # noqa: PLC0415

    uid = uid_of(account)
    if uid is None:
        raise click.BadParameter(f"there is no account {account}", param_hint="--for")
    if uid == seat().person_uid:
        raise click.BadParameter("that is your own account; a second person approves", param_hint="--for")
    settings = load_or_exit(config)
    with ready_engines(settings) as (writing, _):
        write_entry(settings, writing, APPROVED, Act(act).request_of(uid), reason)
    click.echo(f"approved: {act} by {account}, once, within {VALID.seconds // 60} minutes")


def _logged(logs: tuple[Path, ...]) -> Iterator[LoggedEntry]:
    """Return every line that names an entry; whatever else stands in a log is passed over."""
    from telephony.cli.following import lines_of  # noqa: PLC0415 - not needed for --help
    from telephony.store.audit_verifying import LoggedEntry  # noqa: PLC0415

    for path in logs:
        try:
            stream: BinaryIO = sys.stdin.buffer if str(path) == "-" else path.open("rb")
        except OSError as error:
            raise click.ClickException(f"{path}: {error.strerror}") from error
        for line in lines_of(stream):
            # Most lines are something else, and JSON is slow.
            if b'"audited"' not in line:
                continue
            try:
                told = json.loads(line[line.index(b"{") :])  # the system log puts time and process before it
                number, digest = told["audit_entry"], told["digest"]
                if told["event"] == "audited" and type(number) is int and 0 < number <= LARGEST_ENTRY:
                    # What others write into a log must not steer this terminal.
                    yield LoggedEntry(number, ascii(str(digest)[:LONGEST_DIGEST])[1:-1])
            except (ValueError, KeyError, TypeError, RecursionError):
                continue


def _subject(connection: Connection, settings: Settings, about: str) -> str:
    from telephony.domain.values import Msisdn  # noqa: PLC0415 - not needed for --help

    service = settings.service
    number = Msisdn.parse(about, country_code=service.country_code, trunk_prefix=service.trunk_prefix)
    return number.international if number.is_e164 else meant_incident(connection, about)


def _plain_entry(kept: Kept) -> dict[str, Any]:
    from telephony.logs.masking import masked  # noqa: PLC0415 - not needed for --help

    looked = kept.looked
    return {
        "number": kept.number,
        "at": looked.at.isoformat(timespec="milliseconds"),
        "who": looked.who,
        "what": looked.what,
        "subject": masked(looked.subject),
        "why": looked.why,
        "from": None if looked.seat is None else asdict(looked.seat),
    }


def _entry_in_words(kept: Kept, zone: tzinfo) -> str:
    from telephony.logs.masking import masked  # noqa: PLC0415 - not needed for --help

    looked = kept.looked
    subject = masked(looked.subject)
    return one_line(
        f"{kept.number:>8}  {clock_time(looked.at, zone)}  {looked.who:<12} {looked.what}"
        f"{f' {subject}' if subject else ''}: {looked.why}{_from(looked.seat)}"
    )


def _from(seat: Seat | None) -> str:
    """Return the place from which a command was run; what its environment claims is in --json alone."""
    if seat is None:
        return ""
    places = (
        f"on {seat.host}",
        seat.terminal and f"at {seat.terminal}",
        seat.address and f"from {seat.address}",
    )
    return f" [{' '.join(filter(None, places))}]"


def _judged(verdict: Verdict, *, is_broken: bool) -> str:
    if is_broken:
        return "the chain is BROKEN"
    return (
        "the chain is intact"
        if verdict.entries
        else "the chain is empty, and so is the store: nothing to verify"
    )


def _plain(verdict: Verdict) -> dict[str, Any]:
    return {
        "entries": verdict.entries,
        "first": verdict.first,
        "last": verdict.last,
        "head": None if verdict.head is None else verdict.head.digest.hex(),
        "deleted_through": 0 if verdict.cut is None else verdict.cut.number,
    }


def _in_words(verdict: Verdict) -> str:
    if verdict.head is None:
        return "0 entries"
    cut = "" if verdict.cut is None else f"; retention deleted those through {verdict.cut.number:,}"
    return f"{verdict.entries:,} entries, {verdict.first:,} to {verdict.last:,}{cut}\nhead {verdict.head.digest.hex()}"
