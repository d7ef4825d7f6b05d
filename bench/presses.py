"""Measures how many presses a second one daemon makes durable, how fast, and at what cost.

    python bench/presses.py                 all measurements, as a table
    python bench/presses.py --json FILE     and as JSON ("-": standard output)
    python bench/presses.py --only window-100

The daemon runs on core 0 with everything on: SQLite WAL with synchronous=FULL, validation, de-duplication, incidents,
outbox, reports to 112, location. The other ends (`bench/surroundings.py`) run on core 1.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from daemon_process import DaemonProcess, PrototypeProcess, result_line
from surroundings import Surroundings, print_table, quantile, save

REPEATS_FROM = 1 << 30
"""Sequence numbers of further presses."""
SCATTER = 2_654_435_761
"""Knuth's multiplier: odd and no multiple of 5, so that no two of a hundred million presses share a caller."""


class Run:
    """A daemon and its surroundings, bound and ready."""

    def __init__(
        self,
        *,
        with_location: bool = True,
        level: str = "info",
        core: int | None = 0,
        more: str = "",
        state: Path | None = None,
        process: type[DaemonProcess] = DaemonProcess,
        psap_after_s: float = 0.0,
        mlp_after_s: float = 1.4,
    ) -> None:
        """``more`` are further tables of the settings; ``state`` is a directory to begin with a copy of.

        112 answers after ``psap_after_s``, the location service after ``mlp_after_s``.
        """
        self.folder = Path(tempfile.mkdtemp(prefix="onetouch-bench-", dir=os.environ.get("BENCH_DIR")))
        if state is not None:
            shutil.copytree(state, self.folder / "state")
        self.around = Surroundings(psap_after_s=psap_after_s, mlp_after_s=mlp_after_s)
        port = self.around.port
        self.reports = process is DaemonProcess
        """Whether 112 is told: the prototype only answers."""
        self.daemon = process(
            self.folder,
            smsc=port(self.around.smsc),
            psap=port(self.around.psap),
            mlp=port(self.around.mlp) if with_location else None,
            level=level,
            core=core,
            more=more,
        )
        self.next = 0
        self.repeats = 0
        self.rng = random.Random(7)
        self.around.until(lambda: self.around.link is not None, 30)
        # The first press creates everything that is made at first use.
        self.presses(10)
        self.around.until(lambda: len(self.around.ack_latency) >= 10, 10)
        self.around.until(lambda: len(self.around.report_latency) >= 10 * self.reports, 10)
        self.around.ack_latency.clear()
        self.around.report_latency.clear()

    def presses(self, count: int) -> None:
        """Send so many presses of as many callers at once."""
        # Scattered, as people's numbers are: consecutive ones would share the pages of an index.
        batch = [
            (self.next + n + 1, f"8210{(self.next + n) * SCATTER % 100_000_000:08d}") for n in range(count)
        ]
        self.next += count
        self.around.send(batch)

    def again(self) -> None:
        """Send a press of somebody who has pressed before."""
        caller = f"8210{self.rng.randrange(self.next) * SCATTER % 100_000_000:08d}"
        self.repeats += 1
        self.around.send([(REPEATS_FROM + self.repeats, caller)], is_first=False)

    def among_repeats(self, per_s: int, seconds: float) -> dict[str, Any]:
        """Send at a steady rate; two of three presses are by somebody whose incident is open, so that 112 gets updates."""
        start = time.perf_counter()
        total, sent, first = int(per_s * seconds), 0, 0
        while sent < total:
            wait = start + sent / per_s - time.perf_counter()
            if wait > 0:
                self.around.turn(min(wait, 0.05))
                continue
            if sent % 3:
                self.again()
            else:
                self.presses(1)
                first += 1
            sent += 1
        self.around.until(lambda: not self.around.sent_at, 60)
        self.around.until(lambda: len(self.around.report_latency) >= first, 300)
        return result_line(
            f"{per_s} presses/s, two of three repeats",
            ack_p50_ms=quantile(self.around.ack_latency, 0.5),
            ack_p99_ms=quantile(self.around.ack_latency, 0.99),
            first_report_p50_ms=quantile(self.around.report_latency, 0.5),
            first_report_p99_ms=quantile(self.around.report_latency, 0.99),
            not_ok=self.around.not_ok,
        )

    def window(self, size: int, seconds: float) -> dict[str, Any]:
        """Keep so many presses unanswered, for so many seconds."""
        end = time.perf_counter() + seconds
        start_cpu, start = self.daemon.cpu_s, time.perf_counter()

        def more(acked: int) -> None:
            if time.perf_counter() < end:
                self.presses(acked)

        self.around.on_ack = more
        self.presses(size)
        while time.perf_counter() < end:
            self.around.turn(0.05)
        acks, cpu, took = (
            len(self.around.ack_latency),
            self.daemon.cpu_s - start_cpu,
            time.perf_counter() - start,
        )
        self.around.on_ack = None
        self.around.until(lambda: not self.around.sent_at, 10)
        return result_line(
            f"window {size}",
            acks_per_s=round(acks / took),
            ack_p50_ms=quantile(self.around.ack_latency, 0.5),
            ack_p99_ms=quantile(self.around.ack_latency, 0.99),
            reports_per_s=round(len(self.around.report_latency) / took),
            cpu_s_per_10k_acks=round(cpu / acks * 10_000, 3),
            not_ok=self.around.not_ok,
        )

    def rate(self, per_s: int, seconds: float) -> dict[str, Any]:
        """Send at a steady rate, one press at a time."""
        start = time.perf_counter()
        cpu = self.daemon.cpu_s
        total, sent = int(per_s * seconds), 0
        while sent < total:
            due = start + sent / per_s
            wait = due - time.perf_counter()
            if wait > 0:
                self.around.turn(min(wait, 0.05))
                continue
            self.presses(1)
            sent += 1
        self.around.until(lambda: not self.around.sent_at, 20)
        self.around.until(lambda: len(self.around.report_latency) >= total * self.reports, 20)
        return result_line(
            f"{per_s} presses/s",
            ack_p50_ms=quantile(self.around.ack_latency, 0.5),
            ack_p99_ms=quantile(self.around.ack_latency, 0.99),
            report_p50_ms=quantile(self.around.report_latency or [0.0], 0.5),
            report_p99_ms=quantile(self.around.report_latency or [0.0], 0.99),
            cpu_s=round(self.daemon.cpu_s - cpu, 2),
            not_ok=self.around.not_ok,
        )

    def served(self, per_s: int, seconds: float) -> dict[str, Any]:
        """Send at a steady rate and wait until each is served to the end: acknowledged, told, looked up, located, and that told."""
        self.around.until(lambda: not self.around.unlocated, 30)
        self.around.located_latency.clear()
        cpu = self.daemon.cpu_s
        row = self.rate(per_s, seconds)
        self.around.until(lambda: not self.around.unlocated, 120)
        self.around.turn(0.5)
        count = len(self.around.located_latency)
        del row["cpu_s"]
        return row | {
            "what": f"{per_s} presses/s, served to the end",
            "located_p50_ms": quantile(self.around.located_latency, 0.5),
            "located_p99_ms": quantile(self.around.located_latency, 0.99),
            "cpu_ms_per_press": round((self.daemon.cpu_s - cpu) / count * 1000, 2),
        }

    def burst(self, count: int) -> dict[str, Any]:
        """Send so many presses at once and wait until 112 has them all."""
        start = time.perf_counter()
        self.presses(count)
        self.around.until(lambda: not self.around.sent_at, 60)
        durable = time.perf_counter() - start
        self.around.until(lambda: len(self.around.report_latency) >= count, 120)
        return result_line(
            f"burst of {count}",
            durable_s=round(durable, 3),
            reported_s=round(time.perf_counter() - start, 3),
            not_ok=self.around.not_ok,
        )

    def located_burst(self, count: int) -> dict[str, Any]:
        """Send so many presses at once and wait until 112 knows where all of them are."""
        start, cpu = time.perf_counter(), self.daemon.cpu_s
        self.presses(count)
        self.around.until(lambda: len(self.around.report_latency) >= count, 120)
        reported = time.perf_counter() - start
        self.around.until(lambda: not self.around.unlocated, 600)
        return result_line(
            f"burst of {count}, located",
            reported_s=round(reported, 3),
            located_s=round(time.perf_counter() - start, 3),
            cpu_ms_per_press=round((self.daemon.cpu_s - cpu) / count * 1000, 2),
            not_ok=self.around.not_ok,
        )

    def end(self) -> None:
        """Stop the daemon and forget its files."""
        self.daemon.stop()
        shutil.rmtree(self.folder)


def fsync_floor(folder: Path, seconds: float = 1.0) -> dict[str, Any]:
    """Measure what a small synced write costs on this machine: no store can be faster."""
    path = folder / "floor"
    times = []
    with path.open("wb") as file:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            start = time.perf_counter()
            os.pwrite(file.fileno(), b"x" * 4096 * 8, 0)
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - start)
    path.unlink()
    return result_line("fdatasync of 32 KiB", p50_ms=quantile(times, 0.5), p99_ms=quantile(times, 0.99))


def with_run(measure: Callable[[Run], dict[str, Any]], times: int = 3, **options: Any) -> dict[str, Any]:
    """Measure on a fresh daemon a few times; give the medians of the numbers."""
    rows = []
    for _ in range(times):
        run = Run(**options)
        try:
            rows.append(measure(run))
        finally:
            run.end()
    return {
        key: value if isinstance(value, str) else round(statistics.median([row[key] for row in rows]), 3)
        for key, value in rows[0].items()
    }


AFTER_THE_STORE = '[journal]\nack_after = "store"'
OF_PROTOTYPE = {
    "window 100": lambda run, seconds: run.window(100, seconds),
    "window 10": lambda run, seconds: run.window(10, seconds),
    "500 presses/s": lambda run, seconds: run.rate(500, seconds),
}


def beside_the_prototype(seconds: float, times: int) -> list[dict[str, Any]]:
    """Measure the daemon, answering after its journal and after its store, beside a prototype that only keeps and answers."""
    rows = []
    for name, measure in OF_PROTOTYPE.items():
        kinds: dict[str, dict[str, Any]] = {
            "prototype": {"process": PrototypeProcess}, "journal": {}, "store": {"more": AFTER_THE_STORE}
        }  # fmt: skip
        taken: dict[str, list[dict[str, Any]]] = {kind: [] for kind in kinds}
        for _ in range(times):
            for kind, options in kinds.items():
                run = Run(**options)
                try:
                    taken[kind].append(measure(run, seconds))
                finally:
                    run.end()
        for kind, found in taken.items():
            row = result_line(f"{name}, {kind}")
            for key in ("acks_per_s", "ack_p50_ms", "ack_p99_ms", "report_p50_ms", "report_p99_ms"):
                has = key in found[0]
                row[key] = round(statistics.median(each[key] for each in found), 3) if has else ""
            bare = statistics.median(each["ack_p50_ms"] for each in taken["prototype"])
            row["ack_p50_to_prototype"] = round(row["ack_p50_ms"] / bare, 2)
            rows.append(row)
    return rows


def growth(run: Run, presses: int) -> dict[str, Any]:
    """Memory before and after many presses."""
    run.window(100, 2.0)
    before = run.daemon.rss_mib
    run.around.ack_latency.clear()
    start = run.next
    while run.next - start < presses:
        run.window(100, 5.0)
        run.around.ack_latency.clear()
        run.around.report_latency.clear()
    after = run.daemon.rss_mib
    return result_line(
        f"growth over {run.next - start} presses",
        rss_before_mib=round(before, 1),
        rss_after_mib=round(after, 1),
        growth_mib=round(after - before, 1),
    )


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--json", help="write the results here")
    arguments.add_argument("--only", action="append", help="measure only this (may be repeated)")
    arguments.add_argument("--seconds", type=float, default=5.0, help="length of one measurement")
    arguments.add_argument("--times", type=int, default=3, help="repeat each, give medians")
    arguments.add_argument("--growth", type=int, default=1_000_000, help="presses of the memory measurement")
    chosen = arguments.parse_args()
    os.sched_setaffinity(0, {1} if (os.cpu_count() or 1) > 1 else {0})
    seconds, times = chosen.seconds, chosen.times
    measurements: dict[str, Callable[[], dict[str, Any] | list[dict[str, Any]]]] = {
        "floor": lambda: fsync_floor(Path(os.environ.get("BENCH_DIR", tempfile.gettempdir()))),
        "idle": lambda: with_run(lambda run: result_line("idle", rss_mib=round(run.daemon.rss_mib, 1)), 1),
        "window-100": lambda: with_run(lambda run: run.window(100, seconds), times),
        "window-10": lambda: with_run(lambda run: run.window(10, seconds), times),
        "window-100, both cores": lambda: with_run(
            lambda run: run.window(100, seconds) | {"what": "window 100, both cores"}, times, core=None
        ),
        "rate-500": lambda: with_run(lambda run: run.rate(500, seconds), times),
        **{
            f"served-{per_s}": partial(
                with_run,
                lambda run, per_s=per_s: run.served(per_s, 2 * seconds),
                times,
                psap_after_s=0.02,
                mlp_after_s=0.1,
            )
            for per_s in (20, 50, 100, 150, 400)
        },
        "repeats-120": lambda: with_run(
            lambda run: run.among_repeats(120, 4 * seconds), times, psap_after_s=0.25
        ),
        "burst-5000": lambda: with_run(lambda run: run.burst(5000), times),
        "burst-5000-located": lambda: with_run(
            lambda run: run.located_burst(5000), times, psap_after_s=0.02, mlp_after_s=0.1
        ),
        "prototype": lambda: beside_the_prototype(seconds, times),
        "growth": lambda: with_run(lambda run: growth(run, chosen.growth), 1),
    }
    results = []
    for name, measure in measurements.items():
        if chosen.only is None or name in chosen.only:
            measured = measure()
            rows = measured if isinstance(measured, list) else [measured]
            results += rows
            print_table("", rows)
    save(results, chosen.json)


if __name__ == "__main__":
    main()
