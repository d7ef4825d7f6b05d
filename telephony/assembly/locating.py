"""Locating: the carriers' location services, asked at once and again until an incident is closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from telephony.assembly.adapters import ATTEMPT_GRACE_S, Adapter, locator_of
from telephony.assembly.far_ends import far_end, secret_reading
from telephony.assembly.part import CANNOT_BE_MADE, Ground, Part, Taken
from telephony.assembly.store import StorePart
from telephony.background import run_in_background
from telephony.clock import pause
from telephony.control.messages import FarEnd, FarEndKind, RetryAnswer
from telephony.domain.plan import locating_channel, tracking_channel
from telephony.domain.ports import ACCURATE, FAST, Locator
from telephony.lbs.client import CarrierLocators
from telephony.net.standing import Asked, Retried
from telephony.plugins import LocatorSettings
from telephony.services.locating.following import Following, LocateChannel
from telephony.services.locating.noted import NotedLocator
from telephony.services.locating.record import LocatingRecord
from telephony.services.spine.traffic import Lane
from telephony.settings import Settings

AT_ONCE: Final = 32
"""Location errands in flight of a carrier that has no location service of its own: the others are asked."""


@dataclass(frozen=True, slots=True)
class _Service:
    """The location service of a carrier: slow accurate answers must not hold up the fast ones, so each has connections."""

    settings: LocatorSettings
    fast: Adapter[Locator]
    accurate: Adapter[Locator]
    asked: Asked

    async def close(self) -> None:
        """Close the connections."""
        await self.fast.close()
        await self.accurate.close()

    def read_again(self) -> bool | None:
        """Ask with the secret and the files of TLS as they are now; see `Adapter.read_again`."""
        self.fast.read_again()
        return self.accurate.read_again()


class LocatingPart(Part):
    """Two lanes for each carrier: one for the fast request of a new incident, one for following."""

    def __init__(self, ground: Ground, store: StorePart) -> None:
        super().__init__()
        self._ground = ground
        self._settings = ground.settings
        self._outbox = store.outbox
        self._services: dict[str, _Service] = {}
        """By carrier: the location service that it has."""
        self._former: list[_Service] = []
        """Those that were changed for others, and in which something may be in flight."""
        self._fast, self._accurate = CarrierLocators({}, ground.clock), CarrierLocators({}, ground.clock)
        for carrier in self._settings.carrier:
            if carrier.lbs is not None:
                self._use(carrier.name, self._service(carrier.name, carrier.lbs))
        self._record = LocatingRecord(
            store.database, ground.owner, file=store.locating_file(), clock=ground.clock, alarms=ground.alarms
        )

    def lanes(self) -> Sequence[Lane]:
        """Return the lanes of every carrier."""
        rules = self._settings.locating
        following = Following(rules.interval_s, rules.max_h * 3600, rules.last_known_max_age_h * 3600)
        lanes = []
        for carrier in self._settings.carrier:
            # One errand per connection: an errand that waits for a free one must wait here, where no budget runs.
            at_once = AT_ONCE if carrier.lbs is None else carrier.lbs.connections
            channel = LocateChannel(
                carrier.name,
                self._fast.locate,
                self._accurate.locate,
                self._outbox,
                following=following,
                clock=self._ground.clock,
                alarms=self._ground.alarms,
                at_once=at_once,
                record=self._record,
            )
            for rank, name, quality in (
                (1, locating_channel(carrier.name), FAST),
                (2, tracking_channel(carrier.name), ACCURATE),
            ):
                lanes.append(Lane(name, channel, at_once, self._timeout_s(quality), rank))
        return lanes

    def start(self) -> None:
        """Take up what an earlier process could not record."""
        self._record.start()

    async def stop(self) -> None:
        """Write down the requests for locations, and close the connections."""
        await self._record.stop()
        former, self._former = self._former, []
        for service in (*former, *self._services.values()):
            await service.close()

    def take(self, settings: Settings) -> Taken:
        """Take new and changed location services in; the lanes are others then (`lanes`)."""
        taken = Taken()
        for carrier in settings.carrier:
            name, service = carrier.name, self._services.get(carrier.name)
            if carrier.lbs is None:
                self._use(name, None)
            elif service is not None and service.settings == carrier.lbs:
                taken.reread(f"lbs-{name}", service.read_again)
            else:
                try:
                    self._use(name, self._service(name, carrier.lbs))
                except CANNOT_BE_MADE as error:
                    taken.refused[f"lbs-{name}"] = str(error)
        self._settings = settings
        return taken

    def _service(self, carrier: str, lbs: LocatorSettings) -> _Service:
        fast, accurate = (locator_of(lbs, carrier, self._ground) for _ in range(2))
        return _Service(lbs, fast, accurate, Asked(self._ground.clock.seconds))

    def _use(self, carrier: str, service: _Service | None) -> None:
        former = self._services.pop(carrier, None)
        if service is None:
            self._fast.use(carrier, None)
            self._accurate.use(carrier, None)
        else:
            self._services[carrier] = service
            self._fast.use(carrier, NotedLocator(service.fast.speaker, service.asked))
            self._accurate.use(carrier, NotedLocator(service.accurate.speaker, service.asked))
        if former is not None:
            self._former.append(former)
            run_in_background(self._close_later(former), "closing a changed location service")

    async def _close_later(self, service: _Service) -> None:
        await pause(self._ground.clock, self._timeout_s(ACCURATE))
        if service in self._former:
            self._former.remove(service)
            await service.close()

    def far_ends(self) -> Sequence[FarEnd]:
        """Return the location services, each by the name of its carrier."""
        return [
            far_end(self._ground.clock, FarEndKind.LBS, f"lbs-{carrier}", carrier, service.asked.standing)
            for carrier, service in self._services.items()
        ]

    def retry(self, name: str) -> RetryAnswer | None:
        """Ask the next question with the password as its place has it now."""
        service = self._services.get(name.removeprefix("lbs-")) if name.startswith("lbs-") else None
        if service is None:
            return None
        reading = secret_reading(service.read_again())
        return RetryAnswer(name=name, retried=Retried.WITH_THE_NEXT, secret=reading)

    def _timeout_s(self, quality: str) -> float:
        budgets = [
            (carrier.lbs.fast if quality == FAST else carrier.lbs.accurate).budget_s
            for carrier in self._settings.carrier
            if carrier.lbs is not None
        ]
        # Twice the budget: the number may turn out to be another carrier's.
        return 2 * max(budgets, default=1.0) + ATTEMPT_GRACE_S
