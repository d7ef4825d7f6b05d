"""Keeps one link to a far end up: performs the effects of `telephony.net.dialling` on a reactor.

Twisted's ClientService is the model and not the base: its stop closes the transport, and ours has to unbind first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Generic, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from telephony.clock import Call, Clock
from telephony.net.client_tls import tls_reason
from telephony.net.dialling import Dial, Effects, Leave, Stopped, StopWaiting, Wait, new_dialling
from telephony.net.links import LinkObserver
from telephony.net.pauses import Ended, Failed, Policy
from telephony.net.standing import LONGEST_REASON, FarEndState, Retried, Standing


class Leaving(Protocol):
    """A connection's protocol (Twisted's IProtocol)."""

    def leave(self) -> None:
        """Close in good order; `Dialler.gone` follows within a time of the protocol's own."""
        ...


Connection = TypeVar("Connection", bound=Leaving)


class Dialler(Generic[Connection]):
    """Dials at once, and again after every end, for as long as it is wanted; at most one connection at a time.

    ``make`` makes the protocol of a connection, which then tells `up`, `turned_away` and `gone`. ``policy`` says how long to
    wait after which end. ``observer`` hears of failed attempts, and of the policy's alarms.
    """

    def __init__(
        self,
        name: str,
        endpoint: Any,
        *,
        make: Callable[[], Connection],
        policy: Policy,
        clock: Clock,
        observer: LinkObserver,
    ) -> None:
        self.connection: Connection | None = None
        """From the moment that the far end was reached until it has ended."""
        self._name = name
        self._endpoint = endpoint
        self._make = make
        self._policy = policy
        self._clock = clock
        self._observer = observer
        self._machine = new_dialling()
        self._attempt: Deferred[Any] | None = None
        self._pause: Call | None = None
        self._stopping: list[Deferred[None]] = []
        self._standing = Standing(FarEndState.STOPPED, clock.seconds())
        self._refusal: str | None = None
        """The words in which the far end refuses the current connection."""

    def start(self) -> None:
        """Dial."""
        self._be(FarEndState.CONNECTING)
        self._perform(self._machine.start())

    def standing(self, heard_s: float | None = None) -> Standing:
        """Return where the link stands; ``heard_s`` is when its connection was last heard, which only the protocol knows."""
        retry_s = None if self._pause is None else self._pause.getTime()
        return replace(self._standing, heard_s=heard_s, retry_s=retry_s)

    def use(self, endpoint: Any) -> None:
        """Dial this from the next attempt on."""
        self._endpoint = endpoint

    def retry(self) -> Retried:
        """Dial now instead of after the pause; a link that is up, or an attempt that is under way, is left alone."""
        if self._standing.state is FarEndState.UP:
            return Retried.IS_UP
        if self._pause is None:
            return Retried.UNDER_WAY
        self._pause.cancel()
        self._waited()
        return Retried.DIALLED

    def stop(self) -> Deferred[None]:
        """Leave, and dial no more; fires when nothing is open any longer."""
        stopped: Deferred[None] = Deferred()
        self._stopping.append(stopped)
        self._be(FarEndState.STOPPED)
        self._perform(self._machine.stop())
        return stopped

    # What the connection says.

    def up(self) -> None:
        """Learn that its session is up."""
        self._be(FarEndState.UP)
        self._perform(self._machine.up(self._clock.seconds()))

    def turned_away(self, status: int = 0, words: str = "") -> None:
        """Learn that the far end refuses us, for good or for now: the policy knows. `gone` follows."""
        self._refusal = words
        self._perform(self._machine.turned_away(status))

    def gone(self, reason: str) -> None:
        """Learn that it has ended."""
        self.connection = None
        refusal, self._refusal = self._refusal, None
        if self._standing.state is not FarEndState.STOPPED:
            is_refused = refusal is not None and self._standing.state is not FarEndState.UP
            state = FarEndState.REFUSED if is_refused else FarEndState.DOWN
            self._be(state, (refusal if is_refused else None) or reason)
        self._perform(self._machine.ended(reason, self._clock.seconds()))

    def _be(self, state: FarEndState, reason: str = "") -> None:
        """Note a state; one kind of trouble after another is one time in which the link was not up."""
        before = self._standing
        goes_on = {FarEndState.UP, FarEndState.STOPPED}.isdisjoint({before.state, state})
        since_s = before.since_s if goes_on or before.state is state else self._clock.seconds()
        self._standing = Standing(state, since_s, reason=reason[:LONGEST_REASON])

    # What the machine decides.

    def _perform(self, effects: Effects) -> None:
        for effect in effects:
            match effect:
                case Dial():
                    self._dial()
                case Wait(ended):
                    self._wait(ended)
                case StopWaiting():
                    assert self._pause is not None
                    self._pause.cancel()
                    self._pause = None
                case Leave():
                    self._leave()
                case Stopped():
                    stopping, self._stopping = self._stopping, []
                    for stopped in stopping:
                        stopped.callback(None)

    def _dial(self) -> None:
        self._attempt = self._endpoint.connect(_OneConnection(self._made))
        self._attempt.addCallbacks(self._reached, self._not_reached)

    def _made(self) -> Connection:
        self.connection = self._make()
        return self.connection

    def _reached(self, _protocol: object) -> None:
        self._attempt = None

    def _not_reached(self, failure: Failure) -> None:
        self._attempt = None
        self.gone(tls_reason(failure) or failure.getErrorMessage())

    def _leave(self) -> None:
        if self.connection is not None:
            self.connection.leave()
        elif self._attempt is not None:
            self._attempt.cancel()

    def _wait(self, ended: Ended) -> None:
        if isinstance(ended, Failed):
            self._observer.unreachable(self._name, ended.reason)
        pause = self._policy(ended)
        if pause.alarm is not None:
            self._observer.alarm(self._name, pause.alarm)
        self._pause = self._clock.callLater(pause.seconds, self._waited)

    def _waited(self) -> None:
        self._pause = None
        self._perform(self._machine.waited())


class _OneConnection(Factory):
    """Makes the one protocol of one attempt."""

    noisy = False

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def buildProtocol(self, _address: object) -> Any:  # noqa: N802 - Twisted's name
        """Make it."""
        return self._make()
