"""How a link is dialled, and its TLS: verified or not at all (RFC 5280, RFC 6125)."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    wrapClientTLS,
)

from telephony.client_tls import ClientTls
from telephony.fields import Tls
from telephony.smpp.reactor import Reactor


def client_endpoint(reactor: Reactor, host: str, port: int, *, timeout_s: float, tls: Tls | None) -> Any:
    """Give the endpoint (``IStreamClientEndpoint``) of an SMSC.

    A literal address is dialled as it is; only a name is looked up. Raises `OSError` and `ValueError` for
    certificate files that cannot be read.
    """
    endpoint: Any
    if is_ipv4(host):
        endpoint = TCP4ClientEndpoint(reactor, host, port, timeout=timeout_s)
    elif _is_ipv6(host):
        endpoint = TCP6ClientEndpoint(reactor, host, port, timeout=timeout_s)
    else:
        endpoint = HostnameEndpoint(reactor, host, port, timeout=timeout_s)
    return endpoint if tls is None else wrapClientTLS(ClientTls(tls).options(host), endpoint)


def is_ipv4(host: str) -> bool:
    """Claim that the host is an address, not a name."""
    return _is_address(socket.AF_INET, host)


def _is_ipv6(host: str) -> bool:
    return _is_address(socket.AF_INET6, host)


def is_literal(host: str) -> bool:
    """Claim that the host needs no look-up."""
    return is_ipv4(host) or _is_ipv6(host)


def addresses_of(reactor: Any, host: str) -> Deferred[frozenset[str]]:
    """Give every address of a host; none when its name is not known. Only a name needs a real reactor."""
    if is_literal(host):
        return succeed(frozenset({host}))
    addresses = _Addresses()
    reactor.nameResolver.resolveHostName(addresses, host)
    return addresses.complete


class _Addresses:
    """Collects what a look-up finds (``IResolutionReceiver``)."""

    def __init__(self) -> None:
        self.complete: Deferred[frozenset[str]] = Deferred()
        self._found: set[str] = set()

    def resolutionBegan(self, resolution: object) -> None:  # noqa: N802 - Twisted's name
        """Begin."""

    def addressResolved(self, address: Any) -> None:  # noqa: N802 - Twisted's name
        """Keep one."""
        self._found.add(str(address.host))

    def resolutionComplete(self) -> None:  # noqa: N802 - Twisted's name
        """Give them all."""
        self.complete.callback(frozenset(self._found))


def _is_address(family: socket.AddressFamily, host: str) -> bool:
    try:
        socket.inet_pton(family, host)
    except (OSError, ValueError):
        return False
    return True
