"""Address lists of the gateways that bind to us, by which a connection is judged before its first octet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network

from telephony.net.places import plain_address


class AddressLists:
    """Networks of each gateway by its name (``addresses``); a gateway without any may come from anywhere."""

    def __init__(self, lists: Mapping[str, Sequence[str]]) -> None:
        self._lists: dict[str, tuple[IPv4Network | IPv6Network, ...]] = {
            name: tuple(ip_network(each, strict=False) for each in networks)
            for name, networks in lists.items()
        }
        self._anywhere = frozenset(name for name, networks in self._lists.items() if not networks)

    def named(self, host: str) -> frozenset[str]:
        """Return the gateways whose list names this address."""
        address = plain_address(host)
        if address is None:
            return frozenset()
        return frozenset(
            name for name, networks in self._lists.items() if any(address in network for network in networks)
        )

    @property
    def anywhere(self) -> frozenset[str]:
        """The gateways that may come from any address."""
        return self._anywhere
