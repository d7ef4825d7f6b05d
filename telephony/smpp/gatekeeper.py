"""Who may bind to us: credentials, addresses, numbers of binds, and patience with those who guess."""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, NamedTuple, Protocol

from telephony.smpp.constants import ESME_RALYBND, ESME_RBINDFAIL, ESME_RINVPASWD
from telephony.smpp.owner import Desk
from telephony.smpp.pdus import Bind
from telephony.smpp.settings import Peer

ADDRESSES_REMEMBERED: Final = 10_000
"""Sources of failed binds; the oldest make room."""


class Admission(NamedTuple):
    """A bind that is let in: under which name, and to which desk its messages go."""

    name: str
    desk: Desk


class Gate(Protocol):
    """Judges binds."""

    def admit(self, bind: Bind, host: str) -> Admission | int | None:
        """Let a bind in, refuse it with a status, or (a simulator's vice) say nothing at all."""
        ...

    def left(self, name: str) -> None:
        """Learn that a bind that was let in has ended."""
        ...


@dataclass(frozen=True, slots=True)
class Known:
    """A peer of the settings with its secret read and its desk."""

    peer: Peer
    password: str
    desk: Desk


class Clockwork(Protocol):
    """A source of the time."""

    def seconds(self) -> float:
        """Give the time now."""
        ...


class Gatekeeper:
    """The gate of the house.

    An unknown system_id and a wrong password are the same answer after the same work: nobody learns here which
    system_ids exist. Addresses that keep failing are refused without a look for a while; binds that are up are not
    touched by that.
    """

    def __init__(
        self, known: Sequence[Known], *, clock: Clockwork, failures_before_pause: int, pause_s: float
    ) -> None:
        self._known = {one.peer.system_id: one for one in known}
        self._networks = {one.peer.name: _networks(one.peer.addresses) for one in known}
        self._clock = clock
        self._failures_before_pause = failures_before_pause
        self._pause_s = pause_s
        self._binds = {one.peer.name: 0 for one in known}
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        """By source address: how many failed binds, and when the last was; the longest ago first."""

    def admit(self, bind: Bind, host: str) -> Admission | int:
        """Let a bind in, or give the status of its refusal."""
        if self._is_paused(host):
            return ESME_RBINDFAIL
        known = self._known.get(bind.system_id)
        expected = known.password if known is not None else ""
        is_right = hmac.compare_digest(bind.password.encode(), expected.encode())
        if known is None or not is_right:
            self._count_failure(host)
            return ESME_RINVPASWD
        name = known.peer.name
        if not _is_within(host, self._networks[name]):
            self._count_failure(host)
            return ESME_RBINDFAIL
        if self._binds[name] >= known.peer.max_binds:
            return ESME_RALYBND
        self._failures.pop(host, None)
        self._binds[name] += 1
        return Admission(name, known.desk)

    def left(self, name: str) -> None:
        """Make room for another bind of this peer."""
        self._binds[name] -= 1

    def _is_paused(self, host: str) -> bool:
        count, last = self._failures.get(host, (0, 0.0))
        return count >= self._failures_before_pause and self._clock.seconds() - last < self._pause_s

    def _count_failure(self, host: str) -> None:
        now = self._clock.seconds()
        count, last = self._failures.pop(host, (0, now))
        if now - last >= self._pause_s:
            count = 0
        self._failures[host] = (count + 1, now)
        while len(self._failures) > ADDRESSES_REMEMBERED:
            self._failures.popitem(last=False)


def _networks(addresses: Sequence[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(address, strict=False) for address in addresses)


def _is_within(host: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    if not networks:
        return True
    try:
        address: IPv4Address | IPv6Address = ip_address(host)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)
