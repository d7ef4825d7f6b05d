"""Makes the endpoints by which far ends are dialled, with verified TLS or none (RFC 5280, RFC 6125)."""

from __future__ import annotations

from typing import Any

from twisted.internet.abstract import isIPv6Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    wrapClientTLS,
)

from telephony.net.client_tls import ClientTls
from telephony.net.names import is_literal


def client_endpoint(reactor: Any, host: str, port: int, *, timeout_s: float, tls: ClientTls | None) -> Any:
    """Return the endpoint (``IStreamClientEndpoint``) of a far end.

    A literal address is dialled as it is; only a name is looked up. Without ``tls`` the connection is in the clear.
    """
    kind: Any = HostnameEndpoint
    if is_literal(host):
        kind = TCP6ClientEndpoint if isIPv6Address(host) else TCP4ClientEndpoint
    endpoint = kind(reactor, host, port, timeout=timeout_s)
    return endpoint if tls is None else wrapClientTLS(tls.options(host), endpoint)


def addresses_of(reactor: Any, host: str) -> Deferred[frozenset[str]]:
    """Return every address of a host; none when its name is not known. Only a name needs a real reactor."""
    if is_literal(host):
        return succeed(frozenset({host}))
    addresses = _Addresses()
    reactor.nameResolver.resolveHostName(addresses, host)
    return addresses.complete


class _Addresses:
    """Collects the addresses of a look-up (``IResolutionReceiver``)."""

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
