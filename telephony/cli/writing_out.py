"""Writes files that come with the code into a folder, and says so: for ``onetouch config`` and ``onetouch dialplan``."""

from __future__ import annotations

from pathlib import Path

import click

from telephony.cli.echo import echo
from telephony.domain.errors import Refused
from telephony.shipped import Shipped, write_out

folder_argument = click.argument("folder", type=click.Path(path_type=Path, file_okay=False))


def written_or_exit(shipped: Shipped, folder: Path) -> None:
    """Write them; what is in the way is one line and exit code 1."""
    try:
        number = write_out(shipped, folder)
    except Refused as refused:
        raise click.ClickException(str(refused)) from refused
    except OSError as error:
        raise click.ClickException(f"{error.filename or folder}: {error.strerror}") from error
    echo(
        f"{folder}: {number} file{'' if number == 1 else 's'} written"
        if number
        else f"{folder}: as it is in this version"
    )
