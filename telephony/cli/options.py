"""The options that several subcommands share: the settings file, and how its faults are reported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from telephony.cli.told_faults import tell_all

if TYPE_CHECKING:
    from telephony.settings import Loaded, Needs, Settings

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


def load_or_exit(config: Path, needs: Needs | None = None) -> Settings:
    """Load the settings, or tell every fault on standard error and end with `EXIT_FAULTS`.

    Most commands need the store and its keys alone, which is what is looked at where ``needs`` is not given: a registrar
    may read neither the carriers' passwords nor write where a daemon writes.
    """
    from telephony.settings import Needs  # noqa: PLC0415 - pydantic is not needed for --help

    return placed_or_exit(config, needs or Needs.STORE).settings


def placed_or_exit(config: Path, needs: Needs, *, err: bool = True) -> Loaded:
    """Load the settings and where each is written; faults as above, on standard output where they were asked for."""
    from telephony.settings import SettingsFaults, load_with_places  # noqa: PLC0415 - pydantic is not needed for --help

    try:
        return load_with_places(config, needs)
    except SettingsFaults as faults:
        tell_all(faults.faults, err=err)
        raise SystemExit(EXIT_FAULTS) from faults
