"""Measures what one report by HTTP costs the sender: our client against Twisted's Agent, on loopback, kept alive.

python bench/http_clients.py [--json FILE]
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from io import BytesIO
from typing import Any

from surroundings import Surroundings, print_table, save
from twisted.internet import reactor as installed
from twisted.internet.defer import DeferredSemaphore, ensureDeferred, gatherResults
from twisted.internet.task import react
from twisted.web.client import Agent, FileBodyProducer, HTTPConnectionPool, readBody
from twisted.web.http_headers import Headers

from telephony.net.http.client import HttpClient

REPORTS = 5_000
AT_ONCE = 32
BODY = b"x" * 2_600
"""About as long as an Alert."""


def serve(port: Any) -> None:
    """Be the other end until killed."""
    around = Surroundings()
    port.send(Surroundings.port(around.psap))
    while True:
        around.turn(1.0)


async def measure(send: Any) -> tuple[float, float]:
    """Return CPU microseconds per report and reports a second."""
    slots = DeferredSemaphore(AT_ONCE)
    await gatherResults([slots.run(send) for _ in range(AT_ONCE)])
    start, cpu = time.perf_counter(), time.process_time()
    await gatherResults([slots.run(send) for _ in range(REPORTS)])
    took, cpu = time.perf_counter() - start, time.process_time() - cpu
    return cpu / REPORTS * 1e6, REPORTS / took


async def compare(json_file: str | None) -> None:
    """Measure both and print."""
    reactor: Any = installed
    mine, theirs = multiprocessing.Pipe()
    other = multiprocessing.Process(target=serve, args=(theirs,), daemon=True)
    other.start()
    url = f"http://127.0.0.1:{mine.recv()}/cap"
    client = HttpClient(reactor, connections=AT_ONCE)
    pool = HTTPConnectionPool(reactor)
    pool.maxPersistentPerHost = AT_ONCE
    agent = Agent(reactor, pool=pool)
    headers = Headers({"Content-Type": ["application/cap+xml"], "Idempotency-Key": ["x"]})

    async def by_agent() -> None:
        response = await agent.request(b"POST", url.encode(), headers, FileBodyProducer(BytesIO(BODY)))
        await readBody(response)

    def ours() -> Any:
        return client.post(
            url, BODY, [("Content-Type", "application/cap+xml"), ("Idempotency-Key", "x")], 10.0
        )

    rows = []
    for name, send in (
        ("HttpClient (h11)", ours),
        ("twisted.web.client.Agent", lambda: ensureDeferred(by_agent())),
    ):
        cpu_us, per_s = await measure(send)
        rows.append({"what": name, "cpu_us_per_report": round(cpu_us), "reports_per_s": round(per_s)})
    for row in rows:
        row["ratio"] = round(row["cpu_us_per_report"] / rows[0]["cpu_us_per_report"], 1)
    print_table(f"{REPORTS} reports, {AT_ONCE} at once", rows)
    save(rows, json_file)
    other.terminate()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--json")
    chosen = arguments.parse_args()
    react(lambda _: ensureDeferred(compare(chosen.json)))
