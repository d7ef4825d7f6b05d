"""What several subcommands share: the settings file, and how its faults are told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from telephony.cli.echo import echo

if TYPE_CHECKING:
    from telephony.settings import Settings, SettingsFaults

EXIT_FAILED = 1
EXIT_FAULTS = 2

config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=Path("config/onetouch.toml"),
    envvar="ONETOUCH_CONFIG",
    show_default=True,
    show_envvar=True,
    help="The settings file.",
)


def load_or_exit(config: Path, *, for_reading: bool = False) -> Settings:
    """Load the settings, or tell every fault on standard error and end with `EXIT_FAULTS`; see `telephony.settings.load`."""
    from telephony.settings import SettingsFaults, load  # noqa: PLC0415 - pydantic is not needed for --help

    try:
        return load(config, for_reading=for_reading)
    except SettingsFaults as faults:
        _tell(faults)


def _tell(faults: SettingsFaults) -> NoReturn:
    for fault in faults.faults:
        echo(str(fault), err=True)
    number = len(faults.faults)
    echo(f"{number} fault{'s' if number > 1 else ''}; docs/configuration.md explains every key", err=True)
    raise SystemExit(EXIT_FAULTS)
