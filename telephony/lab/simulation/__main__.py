"""Runs one seed: ``python -m telephony.lab.simulation SEED``; the timeline goes to standard output."""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from telephony.lab.simulation.reality import no_real_world
from telephony.lab.simulation.service import DAY, SHORT, Service, serve


def main(arguments: list[str] | None = None) -> int:
    """Run one seed; gives 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m telephony.lab.simulation", description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("--day", action="store_true", help="six hours with every kind of fault")
    parser.add_argument("--calm", action="store_true", help="no faults at all")
    parser.add_argument("--short", action="store_true", help="two minutes, a fault every few seconds")
    parser.add_argument(
        "--only", metavar="WORD", help="only the lines that hold this word, and all turning points"
    )
    chosen = parser.parse_args(arguments)
    service = DAY if chosen.day else SHORT if chosen.short else Service()
    if chosen.calm:
        service = replace(service, mean_pause_s=0.0)
    with (
        tempfile.TemporaryDirectory(prefix="onetouch-simulation-", dir=memory_folder()) as folder,
        no_real_world(),
    ):
        story = serve(chosen.seed, Path(folder), service)
    for line in story.timeline if chosen.only is None else story.about(chosen.only):
        sys.stdout.write(f"{line}\n")
    for broken in story.broken:
        sys.stderr.write(f"BROKEN {broken}\n")
    sys.stderr.write(f"{story.summary}\n")
    return 1 if story.broken else 0


def memory_folder() -> str | None:
    """Return a folder in memory, where there is one: a simulated crash loses nothing that the kernel has."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a private folder is made in it


if __name__ == "__main__":
    sys.exit(main())
