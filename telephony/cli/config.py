"""``onetouch config``: sample settings, and the files that a Debian host needs beside them."""

from __future__ import annotations

from pathlib import Path

import click

from telephony.cli.echo import echo
from telephony.cli.writing_out import folder_argument, written_or_exit
from telephony.shipped import Shipped


@click.group(short_help="Write sample settings to start from.")
def config() -> None:
    """Write the annotated samples that come with this version.

    \b
    Example:
      onetouch config write onetouch-samples
    """


@config.command()
@folder_argument
def write(folder: Path) -> None:
    """Write onetouch.toml with every key, an example of three carriers, and packaging/ with a systemd unit into FOLDER.

    A file that is there already is never changed: where one differs, nothing is written.

    As it is, onetouch.toml fits `onetouch lab`, everything on loopback. packaging/ has the unit and the rule for
    logrotate that docs/install.md puts in place.

    \b
    Exit codes: 0 all of it is there, 1 nothing was written.
    \b
    Example:
      onetouch config write onetouch-samples
      onetouch check --config onetouch-samples/onetouch.toml
    """
    written_or_exit(Shipped.SETTINGS, folder)
    written_or_exit(Shipped.PACKAGING, folder / "packaging")
    echo(f"next: onetouch check --config {folder / 'onetouch.toml'}")
