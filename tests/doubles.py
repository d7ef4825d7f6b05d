"""Small real parts that tests share: a runner without threads, a store in a folder, presses with sensible defaults."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from sqlalchemy import Engine, event
from twisted.internet import task
from twisted.internet.defer import Deferred, succeed

from telephony.clock import MachineClock
from telephony.domain.delivery import Delivered, Delivery, Outcome
from telephony.domain.plan import Plan, ReportRoute
from telephony.domain.report import Report
from telephony.domain.trigger import Trigger
from telephony.domain.values import Msisdn
from telephony.services.spine.outbox import Outbox
from telephony.store.contention import Repeats
from telephony.store.crypto import Key, KeyRing
from telephony.store.database import Database

KST = timezone(timedelta(hours=9), "KST")
NINE_HOURS = timedelta(hours=9)
"""What Korean clocks are ahead of UTC: SOS_UTC_OFFSET of the dialplan as it is shipped."""
NOON = datetime(2026, 11, 23, 3, 0, 0, tzinfo=UTC)
"""Noon in Seoul."""

ONE_CENTRE = Plan(everywhere_else=(ReportRoute("seoul"),), by_carrier={})
WITH_FALLBACK = Plan(everywhere_else=(ReportRoute("seoul"), ReportRoute("seoul-2", 5.0)), by_carrier={})


_KEY = Key.make(NOON)
_RING = KeyRing({_KEY.id: _KEY}, _KEY.id, audit_key=bytes(range(32)))


def keys() -> KeyRing:
    """Return the keys of the tests' stores."""
    return _RING


def without_fsync(engine: Engine) -> None:
    """Let SQLite leave its writes to the kernel: a test loses no power, and a busy disk would be slow."""

    def on_connect(connection: Any, _: object) -> None:
        connection.execute("PRAGMA synchronous=OFF")

    event.listen(engine, "connect", on_connect)


def as_most_builds_of_sqlite(engine: Engine) -> None:
    """Let SQLite fill with zeros what is deleted only when it is told, as it does unless it was built to."""

    def before_all_others(connection: Any, _: object) -> None:
        connection.execute("PRAGMA secure_delete=OFF")

    event.listen(engine, "connect", before_all_others, insert=True)


class SetClock(task.Clock):
    """A clock of tests whose machine's clock can be set: it is ``set_by_s`` ahead of the time that runs on evenly."""

    def __init__(self) -> None:
        super().__init__()
        self.set_by_s = 0.0
        kept = MachineClock(lambda: self.seconds() + self.set_by_s, self.seconds)
        self.wall, self.due, self.ago = kept.wall, kept.due, kept.ago
        self.age, self.ages = kept.age, kept.ages


def age_by(now: datetime) -> Callable[[datetime], float]:
    """Ages by a clock that is never set, and that shows this now."""
    return lambda moment: max(0.0, (now - moment).total_seconds())


class Inline:
    """A runner that works at once, in the caller's thread; `hold` makes it wait for `release`."""

    def __init__(self) -> None:
        self.held: list[tuple[Callable[[], Any], Callable[[Any], None]]] | None = None

    def run(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        if self.held is not None:
            self.held.append((work, done))
        else:
            done(work())

    def hold(self) -> None:
        self.held = []

    def release(self) -> None:
        held, self.held = self.held or [], None
        for work, done in held:
            done(work())

    def release_one(self) -> None:
        """Do the work held longest, as a thread would: what comes of it waits its turn."""
        assert self.held is not None
        work, done = self.held.pop(0)
        done(work())

    def stop(self) -> Deferred[None]:
        return succeed(None)


def database(
    writing: Engine, reading: Engine, runner: Inline | None = None, clock: task.Clock | None = None
) -> Database:
    return Database(
        writing,
        reading,
        writer=runner or Inline(),
        reader=Inline(),
        clock=clock or task.Clock(),
        linger_s=0.0,
        repeats=Repeats(rest=lambda _: None),
    )


def outbox(database: Database, plan: Plan, woken: list[str]) -> Outbox:
    """An outbox that writes down which incidents it rings the bell for."""
    return Outbox(database, plan, lambda incident_id, _: woken.append(incident_id))


def press(number: str = "821012345678", **changes: Any) -> Trigger:
    facts: dict[str, Any] = {
        "source": "sms",
        "connector": "skt-1",
        "carrier": "skt",
        "msisdn": Msisdn(number),
        "reference": f"ref-{number}",
        "received_at": NOON,
        "destination": "1122",
        "text": "SOS",
        "encoding": "gsm0338",
        "raw": b"\x00\x01raw",
    }
    return Trigger(**(facts | changes))


class Sender:
    """A report sender that answers as told and keeps what it was given."""

    def __init__(self, answer: Outcome | None = None) -> None:
        self.answer: Outcome | None = answer or Delivered()
        self.reports: list[Report] = []
        self.waiting: list[Deferred[Outcome]] = []

    async def send(self, report: Report) -> Outcome:
        self.reports.append(report)
        if self.answer is None:
            waiting: Deferred[Outcome] = Deferred()
            self.waiting.append(waiting)
            return await waiting
        return self.answer


class Errands:
    """A channel that answers as told and keeps what it was given."""

    def __init__(self, answer: Outcome | None = None) -> None:
        self.answer = answer or Delivered()
        self.deliveries: list[Delivery] = []

    async def deliver(self, delivery: Delivery) -> Outcome:
        self.deliveries.append(delivery)
        return self.answer
