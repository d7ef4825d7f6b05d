"""Bounds how many connections wait at a listener, and chooses the one to close when there is no room.

A connection waits until it has shown who it is or what it wants. Refusing the newcomer would let anyone who holds all
places keep all others out, so the newcomer always gets one and a connection that waits makes room: of its own source
where that has its share, else of the source that holds most. One that wants little outlives those that take much.
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Hashable, Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, Generic, TypeVar

Connection = TypeVar("Connection", bound=Hashable)

IPV6_PREFIX: Final = 64
"""Bits that tell one network of IPv6 from another; the owner of one has all its addresses (RFC 4291 clause 2.5.4)."""
SHARE_OF_DESCRIPTORS: Final = 8
"""A listener keeps at most so many-th a part of the files that this process may open: the others are for 112."""


class Places(Generic[Connection]):
    """At most ``most`` connections, at most ``most_of_one`` of one source; ``cut`` is told which one is to be closed.

    A connection is idle, then perhaps busy; idle ones go first, the oldest of them before the others.
    """

    def __init__(self, most: int, most_of_one: int, cut: Callable[[Connection], None]) -> None:
        self._most = most
        self._most_of_one = min(most, most_of_one)
        self._cut = cut
        self._sources: dict[Connection, str] = {}
        self._idle: dict[str, dict[Connection, None]] = {}
        """By source, oldest first; no source is empty."""
        self._busy: dict[str, dict[Connection, None]] = {}

    def __len__(self) -> int:
        return len(self._sources)

    def __contains__(self, connection: object) -> bool:
        return connection in self._sources

    def __iter__(self) -> Iterator[Connection]:
        return iter(self._sources)

    def take(self, connection: Connection, source: str, *, share: int | None = None) -> None:
        """Give a connection a place, as an idle one. ``share`` differs from ``most_of_one`` for this source."""
        goes = self._no_longer_wanted(source, self._most_of_one if share is None else share)
        if goes is not None:
            self.leave(goes)
            self._cut(goes)
        self._sources[connection] = source
        self._idle.setdefault(source, {})[connection] = None

    def busy(self, connection: Connection) -> None:
        """Note that a connection has asked for something: it goes after those that have not."""
        self._move(connection, self._idle, self._busy)

    def idle(self, connection: Connection) -> None:
        """Note that a connection has got what it asked for; of the idle ones it is the youngest."""
        self._move(connection, self._busy, self._idle)

    def leave(self, connection: Connection) -> None:
        """Take a place back, because the connection has ended or is no stranger any more; twice is once."""
        source = self._sources.pop(connection, None)
        if source is not None:
            _remove(self._idle, source, connection)
            _remove(self._busy, source, connection)

    def _no_longer_wanted(self, source: str, share: int) -> Connection | None:
        ways = (self._idle, self._busy)
        if sum(len(way.get(source, ())) for way in ways) >= share:
            mine = next(way[source] for way in ways if source in way)
            return next(iter(mine))
        if len(self._sources) >= self._most:
            heaviest: dict[Connection, None] = max((self._idle or self._busy).values(), key=len)
            return next(iter(heaviest))
        return None

    def _move(
        self,
        connection: Connection,
        here: dict[str, dict[Connection, None]],
        there: dict[str, dict[Connection, None]],
    ) -> None:
        source = self._sources.get(connection)
        if source is not None:
            _remove(here, source, connection)
            there.setdefault(source, {})[connection] = None


def _remove(way: dict[str, dict[Connection, None]], source: str, connection: Connection) -> None:
    mine = way.get(source)
    if mine is not None:
        mine.pop(connection, None)
        if not mine:
            del way[source]


def source_of(host: str) -> str:
    """Return what counts as one source: an IPv4 address, a network of IPv6; anything else as it is."""
    address = plain_address(host)
    if isinstance(address, IPv6Address):
        return str(IPv6Address(int(address) >> (128 - IPV6_PREFIX) << (128 - IPV6_PREFIX)))
    return host if address is None else str(address)


@lru_cache(maxsize=1_024)
def plain_address(host: str) -> IPv4Address | IPv6Address | None:
    """Return an address, an IPv4-mapped IPv6 one as IPv4 (RFC 4291 clause 2.5.5.2); `None` where it is no address."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: by its address, or as the settings may name it."""
    address = plain_address(host)
    return host == "localhost" if address is None else address.is_loopback


def affordable(most: int) -> int:
    """Return how many of these places the files that this process may open allow, at least one."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return most
    return max(1, min(most, limit // SHARE_OF_DESCRIPTORS))
