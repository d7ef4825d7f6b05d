"""Measures what the look-up of callers and the scoring cost the presses: the same load with and without, in turns.

    python bench/joining.py                     100,000 people, every caller one of them: the worst case
    python bench/joining.py --people 1000000 --json -

Both see the same registry; without it, `[people] join` and `[scoring] on` are off. Ratios come from runs that took turns.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from presses import Run
from surroundings import print_table, save

from telephony.domain.people.person import Device, Draft, GuardianEntry
from telephony.domain.values import Msisdn
from telephony.store.crypto import KeyFile
from telephony.store.engines import one_transaction, open_engines
from telephony.store.people import Registry
from telephony.store.upgrade import upgrade

ALONE = "[people]\njoin = false\n[scoring]\non = false"
WAYS = {"alone": ALONE, "joined": ""}
AT_ONCE = 1_000


def fill(state: Path, people: int) -> None:
    """Make a store in which the first so many callers of a run are registered."""
    state.mkdir(parents=True)
    key_file = KeyFile(state / "data.keys")
    key_file.make()
    writing, reading = open_engines(f"sqlite:///{state}/onetouch.sqlite", key_file.ring)
    upgrade(writing)
    registry = Registry(key_file.ring)
    now = datetime.now(UTC)
    for start in range(0, people, AT_ONCE):
        drafts = [_draft(index) for index in range(start, min(start + AT_ONCE, people))]
        with writing.connect() as connection, one_transaction(connection):
            registry.enrol(connection, drafts, now)
    with writing.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    writing.dispose()
    reading.dispose()


def _draft(index: int) -> Draft:
    return Draft(
        name=f"김학생{index}",
        birth_date=date(2008 + index % 12, index % 12 + 1, index % 28 + 1),
        devices=(Device(Msisdn(f"8210{index:08d}"), "skt", "phone"),),
        guardians=(GuardianEntry(Msisdn(f"8211{index:08d}"), "어머니"),),
        texts={"address": "서울특별시 종로구 사직로 8", "medical": "천식", "school": "한국초등학교"},
        consent_by="한국초등학교",
        consent_means="서면 동의서",
    )


def in_turns(measure: Callable[[Run], dict[str, Any]], state: Path, times: int) -> dict[str, Any]:
    """Measure both ways so many times, one after the other; give medians and their ratio, joined to alone."""
    rows: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for turn in range(times):
        # The first to run finds the machine cooler.
        for way in (WAYS, reversed(WAYS))[turn % 2]:
            run = Run(more=WAYS[way], state=state)
            try:
                rows[way].append(measure(run))
            finally:
                run.end()
    told: dict[str, Any] = {"what": rows["alone"][0]["what"]}
    for key, value in rows["alone"][0].items():
        if not isinstance(value, str):
            alone, joined = (statistics.median(row[key] for row in rows[way]) for way in WAYS)
            ratio = f"  x{joined / alone:.2f}" if alone else ""
            told[key] = f"{alone:g} / {joined:g}{ratio}"
    return told


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--people", type=int, default=100_000)
    arguments.add_argument("--seconds", type=float, default=5.0, help="length of one measurement")
    arguments.add_argument("--times", type=int, default=3, help="turns")
    arguments.add_argument("--json", help="write the results here")
    chosen = arguments.parse_args()
    os.sched_setaffinity(0, {1} if (os.cpu_count() or 1) > 1 else {0})
    folder = Path(tempfile.mkdtemp(prefix="onetouch-bench-", dir=os.environ.get("BENCH_DIR")))
    try:
        fill(folder / "state", chosen.people)
        results = []
        for measure in (
            lambda run: run.rate(20, chosen.seconds),
            lambda run: run.rate(200, chosen.seconds),
            lambda run: run.window(100, chosen.seconds),
            lambda run: run.burst(2_000),
        ):
            results.append(in_turns(measure, folder / "state", chosen.times))
            print_table("alone / joined", [results[-1]])
        save(results, chosen.json)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
