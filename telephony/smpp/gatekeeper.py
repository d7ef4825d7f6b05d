"""Decides who may bind to us: credentials, addresses, number of binds, and delays for sources that guess."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from telephony.net.places import source_of
from telephony.net.refusals import Cause
from telephony.remembered import Remembered
from telephony.smpp.addresses import AddressLists
from telephony.smpp.link import Desk
from telephony.smpp.settings import Peer
from telephony.smpp.wire.constants import ESME_RALYBND, ESME_RBINDFAIL
from telephony.smpp.wire.pdus import Bind

ADDRESSES_REMEMBERED: Final = 10_000
"""Sources of failed binds, and sources of good ones; the oldest make room."""
FORGOTTEN_S: Final = 600.0
"""Failed binds of a source are forgotten when the last is this old."""
STRANGERS: Final = ""
"""The group of all sources that are on no list and have never bound."""


class Admission(NamedTuple):
    """A bind that is accepted: under which name, and to which desk its messages go."""

    name: str
    desk: Desk


class Denial(NamedTuple):
    """A bind that is refused: the status of the answer, and the reason for the log alone."""

    status: int
    cause: Cause
    peer: str = ""
    """The gateway of the settings that it claims to be, where there is one."""


class Gate(Protocol):
    """Judges connections and binds."""

    def group(self, host: str) -> str | None:
        """Return whose places a connection takes: a name for each known gateway; `None`: it is not let in at all."""
        ...

    def pause_s(self, bind: Bind, host: str) -> float:
        """Return for how long this bind waits before it is judged."""
        ...

    def admit(self, bind: Bind, host: str) -> Admission | Denial | None:
        """Accept a bind, refuse it, or (in a simulator that misbehaves) do not answer at all."""
        ...

    def left(self, name: str) -> None:
        """Learn that an accepted bind has ended."""
        ...


@dataclass(frozen=True, slots=True)
class Known:
    """A peer of the settings with its secret read and its desk."""

    peer: Peer
    password: str
    desk: Desk


class Clockwork(Protocol):
    """A clock."""

    def seconds(self) -> float:
        """Return the time now."""
        ...


class Gatekeeper:
    """The gate of our own listener.

    An unknown system_id, a wrong password and an address of another gateway get the same answer after the same work and
    the same wait, so the peer cannot learn which of them was right. Sources that keep failing wait before they are
    judged, right or wrong; a gateway that has bound from there before does not wait when its password is right, even
    while others guess from the same address.
    """

    def __init__(
        self, known: Sequence[Known], *, clock: Clockwork, failures_before_pause: int, pause_s: float
    ) -> None:
        self._known = {one.peer.system_id: one for one in known}
        self._lists = AddressLists({one.peer.name: one.peer.addresses for one in known})
        self._key = secrets.token_bytes(32)
        self._digests = {one.peer.system_id: self._digest(one.password) for one in known}
        self._no_digest = secrets.token_bytes(32)
        self._clock = clock
        self._failures_before_pause = failures_before_pause
        self._pause_s = pause_s
        self._binds = {one.peer.name: 0 for one in known}
        self._failures: Remembered[str, tuple[int, float]] = Remembered(ADDRESSES_REMEMBERED)
        """By source: how many failed binds, and when the last was; the longest ago first."""
        self._good: OrderedDict[tuple[str, str], None] = OrderedDict()
        """Sources and the system_ids that have bound from there."""
        self._good_sources: dict[str, int] = {}

    def read_passwords_again(self) -> list[str]:
        """Judge the next binds by the passwords as their places have them now; returns the gateways with another one.

        Raises `LookupError` for one that cannot be read; then all stay as they were.
        """
        digests = {
            system_id: self._digest(one.peer.password.read()) for system_id, one in self._known.items()
        }
        changed = [self._known[each].peer.name for each in digests if digests[each] != self._digests[each]]
        self._digests = digests
        return changed

    def group(self, host: str) -> str | None:
        """Return the gateways that list this address, or the source itself where one has bound from there."""
        named = self._lists.named(host)
        if named:
            return " ".join(sorted(named))
        if not self._lists.anywhere:
            return None
        source = source_of(host)
        return source if source in self._good_sources else STRANGERS

    def pause_s(self, bind: Bind, host: str) -> float:
        """Return for how long a bind waits: not at all before so many have failed, nor for a gateway we know."""
        source = source_of(host)
        count, last = self._failures.get(source, (0, 0.0))
        if count < self._failures_before_pause or self._clock.seconds() - last >= FORGOTTEN_S:
            return 0.0
        if (source, bind.system_id) in self._good and self._is_right(bind):
            return 0.0
        return self._pause_s

    def admit(self, bind: Bind, host: str) -> Admission | Denial:
        """Accept a bind, or say how it is refused."""
        source = source_of(host)
        known = self._known.get(bind.system_id)
        is_right = self._is_right(bind)
        allowed = self._lists.anywhere | self._lists.named(host)
        if known is None or not is_right or known.peer.name not in allowed:
            self._count_failure(source)
            return Denial(ESME_RBINDFAIL, _cause(known, is_right=is_right), known.peer.name if known else "")
        name = known.peer.name
        if self._binds[name] >= known.peer.max_binds:
            return Denial(ESME_RALYBND, Cause.TOO_MANY_BINDS, name)
        self._failures.pop(source, None)
        self._binds[name] += 1
        self._remember((source, bind.system_id))
        return Admission(name, known.desk)

    def left(self, name: str) -> None:
        """Make room for another bind of this peer."""
        self._binds[name] -= 1

    def _is_right(self, bind: Bind) -> bool:
        """Whether the password is that of the system_id; digests under a key of ours have all the same length."""
        expected = self._digests.get(bind.system_id, self._no_digest)
        return hmac.compare_digest(self._digest(bind.password), expected)

    def _digest(self, password: str) -> bytes:
        return hmac.digest(self._key, password.encode(), hashlib.sha256)

    def _count_failure(self, source: str) -> None:
        now = self._clock.seconds()
        count, last = self._failures.get(source, (0, now))
        if now - last >= FORGOTTEN_S:
            count = 0
        self._failures[source] = (count + 1, now)

    def _remember(self, pair: tuple[str, str]) -> None:
        if pair in self._good:
            self._good.move_to_end(pair)
            return
        self._good[pair] = None
        source, _ = pair
        self._good_sources[source] = self._good_sources.get(source, 0) + 1
        while len(self._good) > ADDRESSES_REMEMBERED:
            (oldest, _), _ = self._good.popitem(last=False)
            self._good_sources[oldest] -= 1
            if not self._good_sources[oldest]:
                del self._good_sources[oldest]


def _cause(known: Known | None, *, is_right: bool) -> Cause:
    if known is None:
        return Cause.NO_SUCH_SYSTEM_ID
    return Cause.WRONG_ADDRESS if is_right else Cause.WRONG_PASSWORD
