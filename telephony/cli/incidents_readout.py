"""``onetouch incidents readout`` and ``told``: incidents are read out to 112 by telephone when no report reaches it."""

from __future__ import annotations

import syslog
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from telephony.cli.anchors import Written, anchor
from telephony.cli.audited import add_entry, looked, stated_reason, why_option
from telephony.cli.busy_store import in_turn
from telephony.cli.echo import echo, echo_json
from telephony.cli.incidents_false_alarm import LONGEST_NAME, LONGEST_REASON
from telephony.cli.naming import meant_incident
from telephony.cli.options import EXIT_FAILED, config_option, load_or_exit
from telephony.cli.ordering import give_order, stated
from telephony.cli.readable_store import readable_store
from telephony.safe_text import one_line

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from telephony.cli.spoken import Language, Numbering
    from telephony.settings import Settings
    from telephony.store.readout import ReadOut

READ_BY_TELEPHONE = "read out to 112 by telephone"

_HEADINGS = {
    "ko": {
        "some": "112가 아직 모르는 신고 {count}건: 실제 상황부터, 오래된 순서로. 천천히 읽으십시오.",
        "all": "신고 {count}건: 실제 상황부터, 오래된 순서로. 천천히 읽으십시오.",
        "none": "112가 모르는 신고가 없습니다.",
        "by_voice": "전화로 이미 알린 신고 {count}건은 뺐습니다. 다시 읽으려면: --all",
        "reported": "112가 이 신고를 이미 받았습니다.",
        "owed": "112가 첫 신고는 받았고, 그 뒤의 소식은 아직 받지 못했습니다.",
        "told": "{clock}, {since}에 전화로 알림: {by}",
        "told_news": "{clock}, {since}에 전화로 알림: {by}. 그 뒤에 새 소식이 있습니다.",
        "damaged": "이 신고의 일부는 저장소에서 읽을 수 없어 빠졌습니다(onetouch db check).",
        "after": "112가 번호와 위치를 되풀이해 확인하면:",
    },
    "en": {
        "some": "Incidents that 112 does not know of: {count}. Emergencies first, the oldest first. Read slowly.",
        "all": "Incidents: {count}. Emergencies first, the oldest first. Read slowly.",
        "none": "There is no incident that 112 does not know of.",
        "by_voice": "Left out: {count} told on the telephone already. To read them again: --all",
        "reported": "112 has acknowledged this one.",
        "owed": "112 has acknowledged the alert, and not yet the news since.",
        "told": "Told on the telephone {clock}, {since}, by {by}.",
        "told_news": "Told on the telephone {clock}, {since}, by {by}. There is news since.",
        "damaged": "Some of this incident cannot be read from the store and is left out (onetouch db check).",
        "after": "When 112 has repeated number and place to you:",
    },
}
"""Remarks for the operator and not for 112; they stand in brackets."""


@click.command()
@config_option
@click.argument("incident_id", metavar="[ID]", required=False)
@click.option("--all", "is_all", is_flag=True, help="Also what 112 has, and what was told on the telephone.")
@click.option("--language", type=click.Choice(["ko", "en"]), help="Default: the language of the 112 centre.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
@why_option
def readout(
    config: Path,
    incident_id: str | None,
    why: str | None,
    language: Language | None,
    *,
    is_all: bool,
    as_json: bool,
) -> None:
    """Read out to 112, on the telephone, what no report has told it.

    One block for each incident that 112 has acknowledged no report of, emergencies before drills, the oldest first;
    with ID that one. Works beside a running daemon and without one. Every block is an entry in the audit chain, `--why`
    or not. Where the chain cannot be written the blocks are shown all the same, and the system log says so.

    \b
    Examples:
      onetouch incidents readout
      onetouch incidents readout --language en
      onetouch incidents readout sos-20261123-7k3qwz2m9t
      onetouch incidents told sos-20261123-7k3qwz2m9t --by "Kim" --why "told to desk 4 of Seoul"

    Exit codes: 0 read, or nothing to read; 1 an incident could not be read, or there is none of that ID.
    """
    if incident_id is not None and is_all:
        raise click.UsageError("give an ID or --all, not both")
    reason = stated_reason(why, READ_BY_TELEPHONE, must_show=True)
    from telephony.settings import Needs  # noqa: PLC0415 - not needed for --help

    # Reading the store in an emergency needs neither its secrets nor a disk that can be written.
    settings = load_or_exit(config, Needs.TABLES)
    with readable_store(settings) as (writing, reading), reading.connect() as connection:
        found, lost = _found(connection, incident_id, is_all=is_all)
        shown = [each for each in found if incident_id or is_all or each.has_news]
        _audit(settings, writing, [each.report.incident_id for each in shown], reason)
    words = _HEADINGS[language or settings.service.language]
    if as_json:
        for row in _as_json(shown, settings, language):
            echo_json(row)
    else:
        if incident_id is None:
            heading = words["all" if is_all else "some"] if shown else words["none"]
            echo(heading.format(count=len(shown)), "")
        for line in _as_blocks(shown, settings, language):
            echo(line)
        _say_what_else(words, len(shown), len(found) - len(shown))
    for each, error in lost:
        echo(f"{each} cannot be read: {error}", err=True)
    if lost:
        raise SystemExit(EXIT_FAILED)


@click.command()
@config_option
@click.argument("incident_id", metavar="ID")
@click.option("--by", required=True, help="Who read it out: told to 112, and kept in the audit chain.")
@click.option(
    "--why", required=True, help="Whom at 112 it was told to: told to 112, and kept in the audit chain."
)
def told(config: Path, incident_id: str, by: str, why: str) -> None:
    """Mark an incident as read out to 112 on the telephone.

    `readout` leaves it out from then on, until it has news. Its reports stay owed and leave by themselves when 112 can
    be reached; they say that it was told already, when and by whom, so that no car is sent twice.

    \b
    Example:
      onetouch incidents told sos-20261123-7k3qwz2m9t --by "Kim, night shift" --why "told to desk 4 of Seoul"

    Exit codes: 0 marked; 1 refused: there is none of that ID; 2 wrong settings or options.
    """
    from telephony.domain.orders import ToldByVoice  # noqa: PLC0415 - not needed for --help

    order = ToldByVoice(stated(why, LONGEST_REASON, "--why"))
    answer = give_order(config, incident_id, order, stated(by, LONGEST_NAME, "--by"))
    echo(f"{answer.incident_id} is marked as told to 112 on the telephone")


def _found(
    connection: Connection, incident_id: str | None, *, is_all: bool
) -> tuple[list[ReadOut], list[tuple[str, str]]]:
    """Return the incidents that are asked for, and the ids of those that the store does not give, with its reason."""
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - not needed for --help

    from telephony.store.readout import read_out, unreported  # noqa: PLC0415
    from telephony.store.sealing import keys_of  # noqa: PLC0415

    keys_of(
        connection
    )  # without any key nothing can be read, which is one sentence and not one for each incident
    now = datetime.now(UTC)
    if incident_id is not None:
        known = read_out(connection, meant_incident(connection, incident_id), now)
        if known is None:
            raise click.ClickException(f"there is no incident {incident_id}; see `onetouch incidents list`")
        return [known], []
    found, lost = [], []
    for each in unreported(connection, and_all_open=is_all):
        try:
            known = read_out(connection, each, now)
        except SQLAlchemyError as error:
            lost.append((each, str(getattr(error, "orig", None) or error)))
            connection.rollback()
        else:
            found += [] if known is None else [known]
    return found, lost


def _audit(settings: Settings, writing: Engine | None, incident_ids: Sequence[str], reason: str) -> None:
    """Have an entry for each block on disk before it is shown, or log an error where none can be written.

    A full disk or a lost audit key must not keep an operator from telling 112 of a person in danger.
    """
    from telephony.domain.audit import READ_OUT  # noqa: PLC0415 - not needed for --help

    entries = [looked(READ_OUT, each, reason) for each in incident_ids]

    def add_them(connection: Connection) -> list[Written]:
        return [add_entry(connection, entry) for entry in entries]

    if not entries:
        return
    missing = "the store cannot be opened for writing; a copy of it is read"
    try:
        if writing is not None:
            anchor(settings, in_turn(writing, add_them), must_show=True)
            return
    except click.ClickException as error:
        missing = error.message
    for entry in entries:
        syslog.syslog(
            syslog.LOG_CRIT | syslog.LOG_AUTH,
            f"onetouch: not in the audit chain: {entry.who} {READ_OUT} ({entry.subject}): {entry.why}",
        )
    echo(
        f"NO ENTRY IN THE AUDIT CHAIN ({missing}).",
        "Shown all the same, and the system log says so. Write down who, when"
        " and which incidents for the data protection officer.",
        err=True,
    )


def _as_blocks(shown: Sequence[ReadOut], settings: Settings, language: Language | None) -> Iterator[str]:
    """Return each incident as lines to read aloud; what is for the operator alone stands in brackets."""
    from telephony.cli.readout_wording import sentences  # noqa: PLC0415
    from telephony.cli.spoken import COLUMNS, wrapped  # noqa: PLC0415

    for number, each in enumerate(shown, 1):
        spoken = language or _centre_language(settings, each.report.carrier)
        now = each.report.sent_at.astimezone(settings.service.zone)
        yield f"---- {number}/{len(shown)} {each.report.incident_id} ".ljust(COLUMNS, "-")
        for remark in _remarks(each, spoken):
            yield from wrapped(one_line(f"[{remark}]"))
        for line in sentences(each, _home(settings), now, spoken):
            yield from wrapped(" ".join(one_line(line).split()))
        yield ""


def _remarks(known: ReadOut, language: Language) -> Iterator[str]:
    from telephony.cli.spoken import clock, since  # noqa: PLC0415 - not needed for --help

    words = _HEADINGS[language]
    if known.is_reported:
        yield words["owed" if known.is_owed else "reported"]
    if (fact := known.by_voice) is not None:
        now = known.report.sent_at
        at = fact.at.astimezone(now.tzinfo)
        yield words["told_news" if known.has_news else "told"].format(
            clock=clock(at, now, language), since=since(at, now, language), by=fact.by or "?"
        )
    if known.is_damaged:
        yield words["damaged"]


def _say_what_else(words: Mapping[str, str], shown: int, left_out: int) -> None:
    """Tell the operator what is not there, and what to do after reading."""
    if left_out:
        echo(words["by_voice"].format(count=left_out))
    if shown:
        echo(words["after"])
        echo('  onetouch incidents told ID --by "…" --why "…"')


def _as_json(
    shown: Sequence[ReadOut], settings: Settings, language: Language | None
) -> Iterator[dict[str, Any]]:
    """Return each incident as one JSON object."""
    from telephony.cli.readout_wording import number_in_words, sentences  # noqa: PLC0415 - not needed for --help
    from telephony.domain.facts import PersonFact  # noqa: PLC0415
    from telephony.store.fact_rows import to_data  # noqa: PLC0415

    for each in shown:
        report, spoken = each.report, language or _centre_language(settings, each.report.carrier)
        now = report.sent_at.astimezone(settings.service.zone)
        position, by_voice = report.position, each.by_voice
        number = number_in_words(report.msisdn, _home(settings), spoken)
        yield {
            "incident": report.incident_id,
            "test": report.test,
            "closed": each.is_closed,
            "reported": each.is_reported,
            "owed": each.is_owed,
            "damaged": each.is_damaged,
            "number": None if number is None else report.msisdn.international,
            "number_spoken": number,
            "carrier": report.carrier,
            "source": report.source,
            "opened_at": report.opened_at.isoformat(timespec="milliseconds"),
            "press_count": report.press_count,
            "last_press_at": report.last_press_at.isoformat(timespec="milliseconds"),
            "texts": list(report.texts),
            "person": next((to_data(fact) for fact in report.facts if isinstance(fact, PersonFact)), None),
            "position": None
            if position is None
            else {
                "latitude": position.latitude,
                "longitude": position.longitude,
                "radius_m": position.radius_at(),
                "method": position.method,
                "source": position.source,
                "age_s": None if (age_s := position.age_s(now)) is None else round(age_s),
            },
            "told_by_voice": None if by_voice is None else {**to_data(by_voice), "has_news": each.has_news},
            "language": spoken,
            "lines": list(sentences(each, _home(settings), now, spoken)),
        }


def _home(settings: Settings) -> Numbering:
    from telephony.cli.spoken import Numbering  # noqa: PLC0415 - not needed for --help

    return Numbering(settings.service.country_code, settings.service.trunk_prefix)


def _centre_language(settings: Settings, carrier: str) -> Language:
    """Return the language of the centre that hears of a carrier's presses."""
    elsewhere = next((centre for centre in settings.psap if not centre.carriers), settings.psap[0])
    return next((centre for centre in settings.psap if carrier in centre.carriers), elsewhere).language
