"""``onetouch serve``: the daemon in the foreground, for systemd and for people."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from telephony.cli.echo import echo
from telephony.cli.options import EXIT_FAILED, config_option, load_or_exit

if TYPE_CHECKING:
    from telephony.settings import Settings


@click.command(short_help="Run the daemon.")
@config_option
def serve(config: Path) -> None:
    """Run the daemon in the foreground until SIGTERM or SIGINT.

    Logs go to standard error as JSON lines, or to the file named in [log]. SIGHUP reads the settings again,
    applies what can change without dropping a link and says what needs a restart; it also opens the log file
    again after a rotation.

    \b
    Exit codes: 0 stopped as asked, 1 could not start or had to be cut off, 2 the settings have faults.
    \b
    Example:
      onetouch serve --config /etc/onetouch/onetouch.toml
      onetouch serve 2>&1 | onetouch tail
    """
    import_structlog_without_rich()
    settings = load_or_exit(config)
    raise SystemExit(run(config, settings))


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


def run(config: Path, settings: Settings) -> int:
    """Assemble the daemon and run it on the real reactor; gives the exit code."""
    # This is the one door through which the real reactor comes in; it is handed on as a parameter.
    from twisted.internet import reactor as installed  # noqa: PLC0415 - importing it installs it

    from telephony import logs  # noqa: PLC0415
    from telephony.cli.running import Running  # noqa: PLC0415
    from telephony.daemon import assemble  # noqa: PLC0415

    reactor: Any = installed
    try:
        logs.configure(settings.log)
    except OSError as error:
        echo(f"{config}: log.file: cannot be opened ({error.strerror}); name a writable file", err=True)
        return EXIT_FAILED
    running = Running(config, settings, assemble, reactor)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(
            number, lambda number, _: reactor.callFromThread(running.stop, signal.Signals(number).name)
        )
    signal.signal(signal.SIGHUP, lambda *_: reactor.callFromThread(running.reload))
    reactor.callWhenRunning(running.start)
    reactor.run(installSignalHandlers=False)
    logs.flush()
    return running.exit_code
