"""``onetouch recordings``: the sealed recordings of calls, each look an entry in the audit chain first."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from telephony.cli.audited import stated_reason, why_option, write_entry
from telephony.cli.db import ready_engines
from telephony.cli.echo import echo, echo_json
from telephony.cli.naming import meant_recorded_incident, meant_recording
from telephony.cli.options import EXIT_FAILED, config_option, load_or_exit
from telephony.cli.recording_output import (
    Gap,
    Write,
    new_folder,
    new_wav,
    require_here,
    told_gaps,
    write_wav,
)
from telephony.cli.second_person import Act
from telephony.cli.times import utc_option, zone_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from telephony.domain.recording import Recording
    from telephony.settings import Settings

skip_option = click.option(
    "--skip-damage", is_flag=True, help="Skip pieces that cannot be read; silence takes their place."
)


@click.group(short_help="List, play and export the recordings of calls.")
def recordings() -> None:
    """Look at the recordings of SOS calls. They are sealed on the disk, and every look is an entry in the audit chain first.

    NAME is a recording's as 112 reads it in a report, with .wav or without. ID is an incident's, or the name of a call
    in its INVITE. Of both a beginning that is one's alone will do, and `last` is that of the newest recording.

    \b
    Examples:
      onetouch recordings list
      onetouch recordings play sos-20261123-voice-1-104503-12 --player "aplay -" --why "order: letter 2026-114"
      onetouch recordings export sos-20261123-voice-1-104503-12 --to /root/letter-114 --why "order: letter 2026-114"
    """


@recordings.command("list")
@config_option
@click.argument("incident_id", metavar="[ID]", required=False)
@utc_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
@why_option
def list_(config: Path, incident_id: str | None, why: str | None, *, is_utc: bool, as_json: bool) -> None:
    """List the recordings of the register, or those of an incident, the oldest first; numbers are masked.

    On a narrow terminal each takes two lines; into a pipe each goes as one. The look is an entry in the audit chain; a
    reason may be given, and is not asked for.

    \b
    Examples:
      onetouch recordings list
      onetouch recordings list sos-20261123-voice-1-104503-12 --json

    Exit codes: 0 listed, none too; 1 the store or the keys cannot be used; 2 wrong settings or options.
    """
    reason = stated_reason(why, "the list, numbers masked")
    settings = load_or_exit(config)
    from telephony.domain.audit import SAW_RECORDINGS  # noqa: PLC0415 - not needed for --help
    from telephony.domain.errors import OnetouchError  # noqa: PLC0415
    from telephony.store.recordings.register import listed  # noqa: PLC0415

    with ready_engines(settings) as (writing, reading), reading.connect() as connection:
        if incident_id is not None:
            incident_id = meant_recorded_incident(connection, incident_id)
        write_entry(settings, writing, SAW_RECORDINGS, incident_id or "all recordings", reason)
        try:
            found = listed(connection, incident_id)
        except OnetouchError as error:
            raise click.ClickException(str(error)) from error
    if as_json:
        for each in found:
            echo_json(plain_recording(each))
    elif found:
        from telephony.cli.recordings_table import print_recordings  # noqa: PLC0415 - only where a table is drawn

        print_recordings(found, zone_of(settings, is_utc=is_utc))
    else:
        echo("no recordings")


@recordings.command()
@config_option
@click.argument("name", metavar="NAME")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A new file, or - for standard output.")
@click.option("--player", help='A command that plays a WAV file from its standard input, e.g. "aplay -".')
@skip_option
@why_option
def play(
    config: Path, name: str, output: Path | None, player: str | None, why: str | None, *, skip_damage: bool
) -> None:
    """Give one recording as the WAV file that it was: to a player, into a new file, or to standard output.

    A player gets it over a pipe, so nothing plain stays behind. A file that you ask for is plain, and yours alone to
    read: delete it as soon as it has served its purpose. Of a damaged recording you get what comes before the damage.

    \b
    Examples:
      onetouch recordings play sos-20261123-voice-1-104503-12 --player "aplay -" --why "order: letter 2026-114"
      onetouch recordings play sos-20261123-voice-1-104503-12 -o call.wav --reason rescue

    Exit codes: 0 given whole; 1 not, or in part, as is said; 2 wrong options.
    """
    if output is not None and player is not None:
        raise click.UsageError("give --output or --player, not both")
    if output is None and player is None and sys.stdout.isatty():
        raise click.UsageError('say where to: --player "aplay -", or -o FILE')
    reason = stated_reason(why)
    settings = load_or_exit(config)
    from telephony.domain.audit import PLAYED_RECORDING  # noqa: PLC0415 - not needed for --help
    from telephony.store.recordings.register import named  # noqa: PLC0415

    with ready_engines(settings) as (writing, reading), reading.connect() as connection:
        name = meant_recording(connection, name)
        found = named(connection, name)
        if found is None:
            raise click.ClickException(f"there is no recording {name}; see `onetouch recordings list`")
        require_here(found)
        write_entry(settings, writing, PLAYED_RECORDING, found.incident_id, f"{reason} ({found.name})")
    gaps: list[Gap] = []
    with _out(output, player) as write:
        gaps = write_wav(settings, found, write, skip_damage=skip_damage)
    if gaps:
        echo(told_gaps(found, gaps, skip_damage=skip_damage), err=True)
        raise SystemExit(EXIT_FAILED)


@recordings.command()
@config_option
@click.argument("incident_id", metavar="ID")
@click.option(
    "--to",
    "folder",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder for the WAV files.",
)
@skip_option
@why_option
def export(config: Path, incident_id: str, folder: Path, why: str | None, *, skip_damage: bool) -> None:
    """Write all recordings of an incident as WAV files into a folder, for those who may have them: a court, the person.

    They are plain, and yours alone to read: delete them as soon as they have served their purpose. With [audit]
    second_person it needs the approval of a second account: onetouch audit approve recordings.

    \b
    Example:
      onetouch recordings export sos-20261123-voice-1-104503-12 --to /root/letter-114 --why "order: letter 2026-114"

    Exit codes: 0 all written whole; 1 not, or in part, as is said; 2 wrong options.
    """
    reason = stated_reason(why)
    settings = load_or_exit(config)
    from telephony.domain.audit import EXPORTED_RECORDINGS  # noqa: PLC0415 - not needed for --help
    from telephony.store.recordings.register import listed  # noqa: PLC0415

    with ready_engines(settings) as (writing, reading), reading.connect() as connection:
        incident_id = meant_recorded_incident(connection, incident_id)
        found = listed(connection, incident_id)
        if not found:
            raise click.ClickException(f"there is no recording of {incident_id}, or its time is over")
        for each in found:
            require_here(each)
        subject = found[0].incident_id
        write_entry(settings, writing, EXPORTED_RECORDINGS, subject, reason, act=Act.RECORDINGS)
    if not export_all(settings, found, folder, skip_damage=skip_damage):
        raise SystemExit(EXIT_FAILED)


def export_all(
    settings: Settings, found: list[Recording], folder: Path, *, skip_damage: bool = False
) -> bool:
    """Write recordings as WAV files into a folder; return whether all are whole. The entry must be written before."""
    new_folder(folder)
    is_whole = True
    for each in found:
        with new_wav(folder / each.name) as write:
            gaps = write_wav(settings, each, write, skip_damage=skip_damage)
        if gaps:
            is_whole = False
            echo(told_gaps(each, gaps, skip_damage=skip_damage), err=True)
    echo(f"written into {folder}: {len(found)} recordings", err=True)
    return is_whole


def plain_recording(each: Recording) -> dict[str, Any]:
    """Return a recording as JSON can say it, the number masked."""
    return {
        "name": each.name,
        "incident": each.incident_id,
        "call": each.call,
        "caller": each.msisdn.masked if each.msisdn.number else None,
        "begun_at": each.begun_at.isoformat(timespec="seconds"),
        "length_s": round(each.length_s, 1),
        "octets": each.octets,
        "server": each.server,
        "state": each.state.value,
        "host": each.host,
        "path": each.path,
    }


@contextmanager
def _out(output: Path | None, player: str | None) -> Iterator[Write]:
    """Return what takes the octets of a WAV file."""
    if player is not None:
        with _played(player) as write:
            yield write
    elif output is None or str(output) == "-":
        with nullcontext(sys.stdout.buffer) as pipe:
            yield pipe.write
            pipe.flush()
    else:
        with new_wav(output) as write:
            yield write


@contextmanager
def _played(player: str) -> Iterator[Write]:
    """Return the function that writes to a player's standard input; a player that is quit early is no error."""
    try:
        process = subprocess.Popen(shlex.split(player), stdin=subprocess.PIPE)  # noqa: S603 - what the operator asked for
    except (OSError, ValueError, IndexError) as error:
        raise click.BadParameter(f"cannot be started: {error}", param_hint="--player") from error
    assert process.stdin is not None
    try:
        with suppress(BrokenPipeError):
            yield process.stdin.write
    finally:
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.wait()


def destroy_over(connection: Connection) -> list[int]:
    """Destroy the files of this machine whose time is over, as a daemon would; return the keys of their rows."""
    import socket  # noqa: PLC0415 - not needed for --help

    from telephony.store.recordings.register import over_everywhere  # noqa: PLC0415
    from telephony.store.recordings.sealed import destroy  # noqa: PLC0415

    gone = []
    for key, path in over_everywhere(connection, socket.gethostname()):
        try:
            destroy(Path(path))
        except OSError as error:
            echo(f"{path} is still there: {error.strerror}; the daemon tries again", err=True)
        else:
            gone.append(key)
    return gone
