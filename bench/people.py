"""Measures the registry of people: import, look-up by number, file size, memory; one core, encrypted.

    python bench/people.py [--rows N ...] [--json FILE]

The import is `onetouch people import` of a CSV of 100,000 rows, into an empty SQLite store and once more. For look-ups
a store is filled in bulk to so many people (1,000,000; 5,000,000 and 20,000,000 take a while), each with a guardian,
and numbers are drawn at random: first with the file dropped from the system's cache, then again.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from surroundings import print_table, quantile, save

from telephony.domain.people.person import Device, Draft, GuardianEntry
from telephony.domain.values import Msisdn
from telephony.store.crypto import KeyFile
from telephony.store.engines import one_transaction, open_engines, sqlite_checkpoint_engine
from telephony.store.people import Registry
from telephony.store.upgrade import upgrade

IMPORTED = 100_000
LOOK_UPS = 5_000
BATCH = 5_000
SPREAD = 7_368_787
"""Coprime to 10**8: visits all eight-digit subscribers in a scattered order."""
SETTINGS = """
[service]
state_dir = "{folder}"
[recognition]
sos_numbers = ["112"]
[[carrier]]
name = "skt"
[[carrier.smpp]]
name = "skt-1"
host = "127.0.0.1"
port = 1
system_id = "onetouch"
[[psap]]
name = "centre"
addresses = "centre"
[[psap.channel]]
name = "centre-a"
url = "http://127.0.0.1:1/"
"""
HEADINGS = (
    "이름",
    "생년월일",
    "전화번호",
    "통신사",
    "주소",
    "학교",
    "그룹",
    "보호자1 관계",
    "보호자1 전화번호",
)


def subscriber(index: int) -> str:
    """Return the eight digits of a synthetic number."""
    return f"{index * SPREAD % 100_000_000:08d}"


def draft(index: int) -> Draft:
    """Make a pupil with a guardian, as a school enrols them."""
    return Draft(
        name=f"김학생{index}",
        birth_date=date(2008 + index % 12, index % 12 + 1, index % 28 + 1),
        devices=(Device(Msisdn(f"8210{subscriber(index)}"), "skt", "phone"),),
        guardians=(GuardianEntry(Msisdn(f"8211{subscriber(index // 2)}"), "어머니"),),
        texts={
            "address": f"서울특별시 종로구 사직로 {index % 900}길 12",
            "school": "한국초등학교",
            "cohort": "2026-1",
        },
        consent_by="한국초등학교",
        consent_means="서면 동의서",
    )


def write_csv(path: Path) -> None:
    """Write a school office's file."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file)
        table.writerow(HEADINGS)
        for index in range(IMPORTED):
            one, phone, guardian = draft(index), subscriber(index), subscriber(index // 2)
            number, called = f"010-{phone[:4]}-{phone[4:]}", f"011-{guardian[:4]}-{guardian[4:]}"
            born, texts = one.birth_date.isoformat(), one.texts
            known = (texts["address"], texts["school"], texts["cohort"])
            table.writerow((one.name, born, number, "SKT", *known, "어머니", called))


def measure_import(folder: Path) -> list[dict[str, Any]]:
    """Run the command as an operator does, on one core: into an empty store, and again."""
    (folder / "onetouch.toml").write_text(SETTINGS.format(folder=folder))
    source = folder / "school.csv"
    write_csv(source)
    command = ["taskset", "-c", "0", sys.executable, "-m", "telephony"]
    where = ["--config", str(folder / "onetouch.toml")]
    subprocess.run([*command, "db", "upgrade", *where], check=True, capture_output=True)
    words = [*command, "people", "import", str(source), "--by", "school", "--means", "paper", *where]
    rows = []
    for what in ("into an empty store", "the same file again"):
        began = time.perf_counter()
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        rows.append(
            {
                "import": what,
                "rows": IMPORTED,
                "s": round(took, 1),
                "rows/s": round(IMPORTED / took),
                "CPU s": round(usage.ru_utime + usage.ru_stime, 1),
                "peak MiB": usage.ru_maxrss // 1024,
            }
        )
    return rows


class Store:
    """A store that is filled in bulk, without waiting for the disk."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "bulk.sqlite"
        self.url = f"sqlite:///{self.path}"
        keys = KeyFile(folder / "bulk.keys")
        keys.make()
        self.writing, self.reading = open_engines(self.url, keys.ring)
        upgrade(self.writing)
        self.registry = Registry(keys.ring)
        self.filled = 0

    def fill(self, rows: int) -> float:
        """Add people until there are so many; gives seconds."""
        began, now = time.perf_counter(), datetime.now(UTC)
        with self.writing.connect() as connection:
            cursor = connection.connection.cursor()
            cursor.execute("PRAGMA synchronous=OFF")
            cursor.execute("PRAGMA cache_size=-1000000")
            while self.filled < rows:
                drafts = [draft(index) for index in range(self.filled, min(rows, self.filled + BATCH))]
                with one_transaction(connection):
                    self.registry.enrol(connection, drafts, now)
                self.filled += len(drafts)
                if self.filled % 100_000 == 0:
                    self.fold_back()
        self.fold_back()
        return time.perf_counter() - began

    def fold_back(self) -> None:
        """Fold the log back into the file."""
        with sqlite_checkpoint_engine(self.url).connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def look_up(self, seed: int) -> list[float]:
        """Look people up by number; return the time of each look-up."""
        drawn = random.Random(seed)
        waits = []
        with self.reading.connect() as connection:
            for _ in range(LOOK_UPS):
                number = Msisdn(f"8210{subscriber(drawn.randrange(self.filled))}")
                began = time.perf_counter()
                found = self.registry.find(connection, number)
                waits.append(time.perf_counter() - began)
                assert found is not None
                assert found.devices[0].number == number
        return waits

    def forget_cache(self) -> None:
        """Ask the system to drop the file from its cache."""
        descriptor = os.open(self.path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def measure_look_ups(folder: Path, sizes: list[int]) -> list[dict[str, Any]]:
    """Fill to each size in turn and look up."""
    os.sched_setaffinity(0, {0})
    store, rows = Store(folder), []
    for size in sorted(sizes):
        before = store.filled
        seconds = store.fill(size)
        store.forget_cache()
        cold, warm = store.look_up(1), store.look_up(1)
        octets = store.path.stat().st_size
        rows.append(
            {
                "people": size,
                "filled/s": round((size - before) / seconds),
                "file MiB": octets >> 20,
                "octets a person": octets // size,
                "cold median ms": quantile(cold, 0.5),
                "cold 99% ms": quantile(cold, 0.99),
                "warm median ms": quantile(warm, 0.5),
                "warm 99% ms": quantile(warm, 0.99),
                "peak MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            }
        )
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rows", type=int, nargs="*", default=[1_000_000], help="where look-ups are measured"
    )
    parser.add_argument("--json")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="onetouch-people-", dir=os.environ.get("BENCH_DIR")))
    try:
        imports = measure_import(folder)
        print_table("onetouch people import, one core", imports)
        look_ups = measure_look_ups(folder, arguments.rows) if arguments.rows else []
        if look_ups:
            print_table("look-up by number", look_ups)
    finally:
        shutil.rmtree(folder)
    save({"import": imports, "look-up": look_ups}, arguments.json)


if __name__ == "__main__":
    main()
