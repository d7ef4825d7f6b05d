"""``onetouch serve``: the daemon in the foreground, for systemd and for people."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from telephony.cli.options import EXIT_FAILED, config_option, placed_or_exit
from telephony.cli.told_faults import tell

if TYPE_CHECKING:
    from telephony.settings import Loaded


@click.command(short_help="Run the daemon.")
@config_option
def serve(config: Path) -> None:
    """Run the daemon in the foreground until SIGTERM or SIGINT.

    Logs go to standard error as JSON lines, or to the file named in [log]. SIGHUP reads the settings again,
    applies what can change without dropping a link and says what needs a restart; it also opens the log file
    again after a rotation.

    One folder ([service] state_dir) is one daemon's: a second one is refused.

    \b
    Exit codes:
      0  stopped as asked
      1  could not start, had to be cut off, or runs already
      2  the settings have faults
    \b
    Example:
      onetouch serve --config /etc/onetouch/onetouch.toml
      onetouch serve 2>&1 | onetouch tail
    """
    import_structlog_without_rich()
    from telephony.settings import Needs  # noqa: PLC0415 - not needed for --help

    raise SystemExit(run(config, placed_or_exit(config, Needs.DAEMON)))


def import_structlog_without_rich() -> None:
    """Keep rich out of the daemon: structlog's console renderer, which we do not use, imports it where it is.

    That is 4 MiB for as long as the daemon runs. ``None`` in `sys.modules` makes an import fail as if the package
    were not installed, which structlog is prepared for.
    """
    if "rich" not in sys.modules:
        sys.modules["rich"] = None  # type: ignore[assignment] # Python's own way to say "not to be had"
        try:
            import structlog  # noqa: F401, PLC0415 - for its effect on sys.modules
        finally:
            del sys.modules["rich"]


def run(config: Path, loaded: Loaded) -> int:
    """Assemble the daemon and run it on the real reactor; gives the exit code."""
    # This is the one door through which the real reactor comes in; it is handed on as a parameter.
    from twisted.internet import reactor as installed  # noqa: PLC0415 - importing it installs it

    from telephony import logs  # noqa: PLC0415
    from telephony.assembly.alone import RunsAlready, stay_alone  # noqa: PLC0415
    from telephony.assembly.daemon import assemble  # noqa: PLC0415
    from telephony.cli.running import Running  # noqa: PLC0415
    from telephony.settings import remarks  # noqa: PLC0415

    reactor: Any = installed
    settings, places = loaded
    try:
        logs.configure(settings.log)
    except OSError as error:
        problem = f'"{settings.log.file}" cannot be opened ({error.strerror})'
        tell([places.fault(("log", "file"), problem, "name a writable file")], err=True)
        return EXIT_FAILED
    try:
        stay_alone(settings.service.state_dir)
    except RunsAlready as error:
        instead = "stop it first (systemctl stop onetouch), or give this one a state_dir of its own"
        tell([places.fault(("service", "state_dir"), f"onetouch {error}", instead)], err=True)
        return EXIT_FAILED
    running = Running(config, settings, assemble, reactor, remarks(loaded))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(
            number, lambda number, _: reactor.callFromThread(running.stop, signal.Signals(number).name)
        )
    signal.signal(signal.SIGHUP, lambda *_: reactor.callFromThread(running.reload))
    reactor.callWhenRunning(running.start)
    reactor.run(installSignalHandlers=False)
    logs.flush()
    return running.exit_code
