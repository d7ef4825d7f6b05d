"""Finds the files that come with the code and are no code: sample settings, dialplans with prompts, the unit, `bin/asterisk`.

In a checkout the folders here are links to those at its top; a wheel holds their files. One way leads to both.
"""

from __future__ import annotations

import os
import shutil
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Final

from telephony.domain.errors import Refused

OF_A_SITE: Final = (".local.conf", ".secret.conf")
"""How names of files end that a site adds to a checkout for itself; setup.cfg keeps them out of wheels."""


class Shipped(StrEnum):
    """The folders."""

    SETTINGS = "config"
    DIALPLANS = "dialplans"
    PACKAGING = "packaging"
    PROGRAMS = "bin"


def folder_of(shipped: Shipped) -> Path:
    """Return where the folder is: to be read, and never written to."""
    found = files(__name__).joinpath(shipped)
    assert isinstance(found, Path)  # pip unpacks every wheel
    return found


def write_out(shipped: Shipped, target: Path) -> int:
    """Copy the folder's files into ``target``; return how many were not there before.

    A file that is there and differs is somebody's work: `Refused`, and nothing is written. Raises `OSError`.
    """
    source = folder_of(shipped)
    missing = []
    for path in sorted(source.rglob("*")):
        there = target / path.relative_to(source)
        if not path.is_file() or path.name.endswith(OF_A_SITE):
            continue
        if not os.path.lexists(there):
            missing.append((path, there))
        elif not there.is_file() or there.read_bytes() != path.read_bytes():
            raise Refused(
                f"{there} is there already and differs; nothing was written. "
                f"Write into an empty folder and compare: diff -r FOLDER {target}"
            )
    for path, there in missing:
        there.parent.mkdir(parents=True, exist_ok=True)
        with path.open("rb") as read, there.open("xb") as written:
            shutil.copyfileobj(read, written)
    return len(missing)
