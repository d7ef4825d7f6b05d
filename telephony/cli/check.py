"""``onetouch check``: what is wrong with the settings, and which far ends cannot be reached."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from telephony.cli.echo import echo
from telephony.cli.options import EXIT_FAILED, EXIT_FAULTS, config_option, placed_or_exit
from telephony.cli.told_faults import is_terminal, tell_all
from telephony.safe_text import one_line

if TYPE_CHECKING:
    from telephony.cli.far_ends import Reached
    from telephony.settings import Fault, Loaded, Needs, Settings
    from telephony.settings.places import Places

INSTALLED: Final = Path("/etc/asterisk")
"""Where Asterisk reads its configuration unless it is told otherwise."""


@click.command(short_help="Check the settings, then the links.")
@config_option
@click.option(
    "--links",
    is_flag=True,
    help="Also connect (TCP, TLS) to the store's server, every SMSC, LBS, Asterisk and 112 centre.",
)
@click.option(
    "--bind",
    "with_bind",
    is_flag=True,
    help="With --links: also bind to every SMSC and unbind, log in to every Asterisk.",
)
@click.option(
    "--dialplans",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The folder with pjsip.conf, to see which SIP and RTP is not encrypted. [default: /etc/asterisk, where an "
    "[[asterisk]] runs on this machine]",
)
def check(config: Path, *, links: bool, with_bind: bool, dialplans: Path | None) -> None:
    """Check the settings: every fault with its file, its line, its table and what to write instead.

    TLS files are opened: no PEM, a key of another certificate, one that has expired or is not valid yet are faults; one that
    ends within 30 days is a remark. Secrets have to be there and not empty, and to stand in no URL. What is allowed but hardly
    meant is a remark: links in the clear that leave this machine above all, those of the endpoints of pjsip.conf included,
    gateways that may come from anywhere, secrets that every account of this machine may read, and a journal of presses that
    this account cannot write or that the disk has no room for.

    With --links every far end is connected to, and every port of ours is tried. That disturbs nobody: a port that the
    running daemon has is said to be taken, which is no fault. --bind also tries the credentials: it binds
    as a transmitter, so that no press is sent to it, but a carrier that counts binds may refuse it, or the
    daemon's next one, while the daemon is running. To an Asterisk it logs in as the daemon does, which disturbs nobody.
    A telephone to 112 ([[psap.channel]] with kind = "voice") is not called.

    With [store.key_hsm] the HSM is logged in to, once, and asked to open the key file.

    Everything goes to standard output; what is not a terminal gets one "file:line: what; write …" a line.

    \b
    Exit codes:
      0  all is well (remarks included)
      1  a far end or the HSM cannot be reached, or a port cannot be had
      2  the settings have faults
    \b
    Examples:
      onetouch check --config /etc/onetouch/onetouch.toml --links
      onetouch check | grep -v ': remark: '
    """
    loaded = placed_or_exit(config, _all_of_it(), err=False)
    from telephony.settings import Weight, remarks  # noqa: PLC0415 - pydantic is not needed for --help

    settings = loaded.settings
    said = [
        *remarks(loaded),
        *_clear_endpoints(settings, dialplans),
        *_open_recordings(loaded),
        *_journal(loaded),
    ]
    hsm = list(_hsm_findings(loaded))
    tell_all([*said, *hsm])
    faults = [each for each in said if each.weight is Weight.FAULT]
    is_hsm_fine = all(each.weight is Weight.REMARK for each in hsm)
    if not faults and is_hsm_fine:
        echo(f"{config}: no faults; {_counted(settings)}")
    are_reached = True
    if (links or with_bind) and is_hsm_fine:
        are_reached = _try_all(loaded, with_bind=with_bind)
    if faults:
        raise SystemExit(EXIT_FAULTS)
    if not is_hsm_fine or not are_reached:
        raise SystemExit(EXIT_FAILED)


def _all_of_it() -> Needs:
    from telephony.settings import Needs  # noqa: PLC0415 - pydantic is not needed for --help

    return Needs.DAEMON


def _counted(settings: Settings) -> str:
    ways_in = sum(len(carrier.smpp) + len(carrier.peer) for carrier in settings.carrier)
    trunks = sum(len(carrier.trunk) for carrier in settings.carrier)
    counted = [
        _count(len(settings.carrier), "carrier"),
        _count(ways_in, "link"),
        *([_count(trunks, "trunk")] if trunks else []),
        *([_count(len(settings.asterisk), "Asterisk server")] if settings.asterisk else []),
        _count(len(settings.psap), "centre"),
    ]
    return ", ".join(counted)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _hsm_findings(loaded: Loaded) -> Iterator[Fault]:
    """Return what keeps the HSM from opening the key file, asked as the daemon asks; what is allowed is a remark."""
    from telephony.domain.errors import Unavailable  # noqa: PLC0415 - not needed for --help
    from telephony.settings import Weight  # noqa: PLC0415
    from telephony.settings.key_files import hsm_of, key_file_of  # noqa: PLC0415
    from telephony.store.keys.hsm import HsmFault  # noqa: PLC0415

    settings, places = loaded
    hsm = hsm_of(settings)
    if hsm is None:
        return
    at = ("store", "key_hsm")
    try:
        for key in hsm.wrapping_keys():
            if key.can_leave:
                problem = f"the HSM would give out key {key.id}"
                yield places.fault((*at, "key"), problem, "make one that it keeps", Weight.REMARK)
        if not settings.key_file.exists():
            instead = "`onetouch keys init --hsm` makes it"
            yield places.fault(("store", "key_file"), "there is none yet", instead, Weight.REMARK)
            return
        key_file = key_file_of(settings)
        key_file.ring()
    except HsmFault as error:
        setting = error.trouble.setting
        yield places.fault((*at, setting) if setting else at, error.problem, error.remedy)
        return
    except Unavailable as error:
        yield places.fault(at, str(error), "see docs/runbook.md, keys")
        return
    if key_file.wrapped is None:
        problem = "the key file is in plain"
        yield places.fault(at, problem, "`onetouch keys move-into-hsm` wraps it", Weight.REMARK)


def _clear_endpoints(settings: Settings, dialplans: Path | None) -> Iterator[Fault]:
    from telephony.asterisk.dialplan.pjsip_encryption import clear_endpoints  # noqa: PLC0415 - not needed for --help
    from telephony.asterisk.dialplan.pjsip_sections import read_sections  # noqa: PLC0415
    from telephony.net.places import is_loopback  # noqa: PLC0415
    from telephony.settings import Fault, Weight  # noqa: PLC0415

    folder = dialplans
    if folder is None and any(is_loopback(server.host) for server in settings.asterisk):
        folder = INSTALLED
    if folder is None or not os.access(folder, os.R_OK | os.X_OK):
        return
    for found in clear_endpoints(read_sections(folder)):
        first = found.endpoints[0]
        yield Fault(
            str(folder / first.file),
            first.name,
            found.problem,
            found.instead,
            line=first.line,
            table=found.names,
            weight=Weight.REMARK,
        )


def _open_recordings(loaded: Loaded) -> Iterator[Fault]:
    """Return what is wrong with folders of recordings that the settings name; where Asterisk names them, see the doctor."""
    from telephony.settings import Weight  # noqa: PLC0415 - not needed for --help
    from telephony.store.recordings.files import exposure, look  # noqa: PLC0415

    for index, server in enumerate(loaded.settings.asterisk):
        folder = server.recordings
        if folder is None:
            continue

        def remark(problem: str, instead: str, index: int = index) -> Fault:
            return loaded.places.fault(("asterisk", index, "recordings"), problem, instead, Weight.REMARK)

        try:
            exposed = exposure(folder, look(folder).plain, group_may=True)
        except OSError as error:
            problem = f"{folder}: {error.strerror}; nothing there is sealed"
            yield remark(problem, "mount it, or write the folder that is there")
            continue
        if exposed:
            yield remark(f"others may read {exposed}", f"chmod -R o= {folder}")
        if not os.access(folder, os.W_OK):
            problem = f"{folder} is read-only for this account: nothing there can be sealed"
            yield remark(problem, "mount it read-write")


def _journal(loaded: Loaded) -> Iterator[Fault]:
    """Return what would keep the journal of presses from being written, or what is left in one that is not used."""
    from telephony.cli.keys_journal import folder_of  # noqa: PLC0415 - not needed for --help
    from telephony.journal.bounds import SEGMENT_OCTETS  # noqa: PLC0415
    from telephony.settings import Weight  # noqa: PLC0415
    from telephony.settings.model import AckAfter  # noqa: PLC0415

    settings, places = loaded
    folder = folder_of(settings)
    segments = list(folder.glob("*.segment"))
    if settings.journal.ack_after is AckAfter.STORE:
        if segments:
            problem = (
                f'{len(segments)} segments stand in {folder}, and with "store" nothing takes them up: the store may lack'
                " presses of them"
            )
            instead = 'write "journal", let a daemon take them up, then "store"'
            yield places.fault(("journal", "ack_after"), problem, instead, Weight.REMARK)
        return
    nearest = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        problem = f"{folder} cannot be written by this account: presses would be answered by the store alone"
        instead = "give it to this account, or check by the daemon's (sudo -u onetouch)"
        yield places.fault(("journal",), problem, instead, Weight.REMARK)
        return
    volume = os.statvfs(nearest)
    room = volume.f_bavail * volume.f_frsize + SEGMENT_OCTETS * len(segments)
    if room < settings.journal.bounds.largest_octets:
        largest = settings.journal.largest_mib
        problem = (
            f"{largest} MiB are wanted, and the volume of {folder} has room for {room >> 20} MiB of journal"
        )
        instead = "make room there, or write less"
        yield places.fault(("journal", "largest_mib"), problem, instead, Weight.REMARK)


def _try_all(loaded: Loaded, *, with_bind: bool) -> bool:
    """Try every far end and every port of ours; tell of each, and whether all were fine."""
    from telephony.cli.far_ends import try_all  # noqa: PLC0415 - opens sockets, only on demand
    from telephony.cli.own_ports import try_own_ports  # noqa: PLC0415

    results = [*try_all(loaded.settings, with_bind=with_bind), *try_own_ports(loaded.settings)]
    if is_terminal():
        _show(results)
    else:
        for result in results:
            echo(_line(result, loaded.places))
    return all(result.is_fine for result in results)


def _line(result: Reached, places: Places) -> str:
    """Return ``file:line: (link skt-1) SMSC 192.0.2.10:2775: FAILED: no answer in time, 5000 ms; see …``."""
    far_end = result.far_end
    place = places.fault(far_end.at, "", "")
    what = f"{place.what} {far_end.kind} {far_end.address}"
    verdict = result.detail if result.is_fine else f"FAILED: {result.detail}"
    instead = f"; {result.instead}" if result.instead else ""
    return f"{place.where}: {what}: {verdict}, {result.took_ms:.0f} ms{instead}"


def _show(results: list[Reached]) -> None:
    from rich.console import Console  # noqa: PLC0415 - only where a table is drawn
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("what", "name", "where", "result"):
        table.add_column(heading, overflow="fold")
    table.add_column("ms", justify="right")
    for result in results:
        far_end = result.far_end
        # Text, not str: what a far end said must not be read as rich's markup.
        found = Text("ok ", "green") if result.is_fine else Text("FAILED ", "bold red")
        found.append(one_line(result.detail), "default not bold")
        if result.instead:
            found.append(f"\n→ {result.instead}", "green")
        table.add_row(far_end.kind, far_end.name, far_end.address, found, f"{result.took_ms:.0f}")
    Console(highlight=False).print(table)
