"""The base of the daemon's parts, and the small objects that are made before all parts, so that none waits for another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from twisted.internet.defer import Deferred, maybeDeferred

from telephony.alarms import Alarms
from telephony.assembly.surroundings import Outside
from telephony.control.messages import FarEnd, RetryAnswer
from telephony.domain.errors import Malformed
from telephony.domain.recognition import Recognition
from telephony.net.links import LinkAlarms
from telephony.service import MultiService
from telephony.services.spine.outbox import Ring
from telephony.services.spine.traffic import Lane, Traffic
from telephony.settings import Settings
from telephony.smpp.observer import LogObserver
from telephony.smpp.texting import TextWay
from telephony.store.outbox.starting import owner_of

CANNOT_BE_MADE: Final = (LookupError, ValueError, OSError, Malformed)
"""What making something of new settings raises: for a secret that cannot be read or used, for files of TLS."""


class Part(MultiService):
    """A part of the daemon: whole when its constructor returns, started and stopped by its parent.

    What it is made of starts in the order in which it was added. `stop` ends the pieces that are no services, after those that are.
    """

    def add(self, service: Any) -> None:
        """Make a service a piece of this part."""
        service.setServiceParent(self)

    def lanes(self) -> Sequence[Lane]:
        """Return what the relay is to run for this part."""
        return ()

    def recognise(self) -> None:
        """Go by the tables of numbers and words as they are now, in every part of this part."""
        for piece in self:
            if isinstance(piece, Part):
                piece.recognise()

    def far_ends(self) -> Sequence[FarEnd]:
        """Return the far ends of this part and of its pieces, as they stand now."""
        return [each for piece in self if isinstance(piece, Part) for each in piece.far_ends()]

    def retry(self, name: str) -> RetryAnswer | None:
        """Read the secret of a far end again and try it at once; ``None`` where there is none of this name.

        Raises `LookupError` or `Malformed` for a secret that cannot be used; then the old one stays.
        """
        answers = (piece.retry(name) for piece in self if isinstance(piece, Part))
        return next((answer for answer in answers if answer is not None), None)

    def start(self) -> None:
        """Begin, before the services of this part do."""

    async def stop(self) -> None:
        """End, after the services of this part have."""

    def startService(self) -> None:  # noqa: N802 - Twisted's name
        """Start this part."""
        self.start()
        super().startService()

    def stopService(self) -> Deferred[None]:  # noqa: N802 - Twisted's name
        """Stop this part; fires when all of it has ended."""

        async def stop(services: Awaitable[object]) -> None:
            await services
            await self.stop()

        return Deferred.fromCoroutine(stop(super().stopService()))


@dataclass(slots=True)
class Taken:
    """What came of taking new settings in, beside what the settings themselves say has changed."""

    secrets: list[str] = field(default_factory=list)
    """The names of those whose secret is another one than before."""
    refused: dict[str, str] = field(default_factory=dict)
    """By name: why it could not be taken, and goes on as it was."""

    def reread(self, name: str, read: Callable[[], bool | None]) -> bool:
        """Have the secret of something that stays read again; returns whether it is another one."""
        try:
            is_changed = bool(read())
        except CANNOT_BE_MADE as error:
            self.refused[name] = str(error)
            return False
        if is_changed:
            self.secrets.append(name)
        return is_changed


class InTurn(Part):
    """A part whose pieces stop one after the other, the one that started last first."""

    def stopService(self) -> Deferred[None]:  # noqa: N802 - Twisted's name
        """Stop the pieces in turn; one that fails keeps none of the others."""
        self.running = 0
        return Deferred.fromCoroutine(self._stop_in_turn())

    async def _stop_in_turn(self) -> None:
        failed: BaseException | None = None
        pieces: list[Any] = list(self)
        for piece in reversed(pieces):
            try:
                await maybeDeferred(piece.stopService)
            except Exception as error:  # noqa: BLE001 - told when the others have stopped
                failed = failed or error
        if failed is not None:
            raise failed


class Bell:
    """Rung when a transaction has written deliveries. Made first: those who answer it come later than those who ring it."""

    def __init__(self) -> None:
        self._answering: list[Ring] = []

    def is_heard_by(self, answering: Ring) -> None:
        """Call this from now on, with an incident and the channels on which it has something new."""
        self._answering.append(answering)

    def __call__(self, incident_id: str, channels: Collection[str]) -> None:
        """Ring."""
        for answering in self._answering:
            answering(incident_id, channels)


class Occasion:
    """Something that happens again and again, and the functions to call each time, in order."""

    def __init__(self) -> None:
        self._duties: list[Callable[[], Coroutine[Any, Any, None]]] = []

    def means(self, duty: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Add a function to call."""
        self._duties.append(duty)

    async def __call__(self) -> None:
        """Call them all, in order; one that raises keeps the rest from being called."""
        for duty in self._duties:
            await duty()


class Recognitions:
    """The tables of numbers and words as the settings have them now: a reload changes them for all who hold this."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def take(self, settings: Settings) -> None:
        """Take over the tables of new settings."""
        self._settings = settings

    def of(self, carrier: str) -> Recognition:
        """Return the table of a carrier; of none (an empty name) what they all have."""
        return self._settings.recognition_for(carrier)

    @property
    def dialled(self) -> frozenset[str]:
        """Every number that people dial or text to reach us, ours as a sender among them."""
        settings = self._settings
        numbers = set(settings.recognition.service_numbers)
        for carrier in settings.carrier:
            own = self.of(carrier.name)
            numbers |= own.sos_numbers | own.test_numbers
        if settings.sms is not None:
            numbers.add(settings.sms.sender)
        return frozenset(numbers)


@dataclass(frozen=True, slots=True)
class Ground:
    """The objects that every part is built on: the settings, the surroundings, and those that are made first."""

    settings: Settings
    outside: Outside
    alarms: Alarms
    owner: str
    """The name under which this process holds leases."""
    traffic: Traffic
    observer: LinkAlarms
    recognitions: Recognitions
    bell: Bell = field(default_factory=Bell)
    text_ways: list[TextWay] = field(default_factory=list)
    """The binds that our texts leave by; a carrier adds its own as they are made."""

    @classmethod
    def under(cls, settings: Settings, outside: Outside) -> Ground:
        """Return the ground of a daemon of these settings."""
        alarms = Alarms(outside.reactor)
        return cls(
            settings,
            outside,
            alarms,
            owner_of(settings.service.name, f"{outside.rng.getrandbits(32):08x}"),
            Traffic(outside.reactor),
            LinkAlarms(LogObserver(), alarms, _links_of(settings)),
            Recognitions(settings),
        )

    @property
    def clock(self) -> Any:
        """The reactor."""
        return self.outside.reactor


def _links_of(settings: Settings) -> set[str]:
    """Return the names of everything that has a link to be watched."""
    links = {link.name for carrier in settings.carrier for link in carrier.smpp}
    peers = {peer.name for carrier in settings.carrier for peer in carrier.peer}
    return links | peers | {server.name for server in settings.asterisk}
