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
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    PrivateCertificate,
    TLSVersion,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from twisted.protocols.tls import TLSMemoryBIOFactory

from telephony.fields import Tls
from telephony.smpp.reactor import Reactor

_PEM_END = b"-----END CERTIFICATE-----"


def client_endpoint(reactor: Reactor, host: str, port: int, *, timeout_s: float, tls: Tls | None) -> Any:
    """Give the endpoint (``IStreamClientEndpoint``) of an SMSC.

    A literal address is dialled as it is; only a name is looked up. Raises `OSError` or ``OpenSSL`` errors for
    certificate files that cannot be read.
    """
    endpoint: Any
    if is_ipv4(host):
        endpoint = TCP4ClientEndpoint(reactor, host, port, timeout=timeout_s)
    elif _is_ipv6(host):
        endpoint = TCP6ClientEndpoint(reactor, host, port, timeout=timeout_s)
    else:
        endpoint = HostnameEndpoint(reactor, host, port, timeout=timeout_s)
    return endpoint if tls is None else wrapClientTLS(client_tls(host, tls), endpoint)


def client_tls(host: str, tls: Tls) -> Any:
    """Give the verifying TLS options of a link: its own authority or the system's, and the name that must match."""
    trust_root = None
    if tls.ca_file is not None:
        trust_root = trustRootFromCertificates(_certificates(tls.ca_file.read_bytes()))
    client_certificate = None
    if tls.client_certificate is not None and tls.client_key is not None:
        client_certificate = PrivateCertificate.loadPEM(
            tls.client_key.read_bytes() + b"\n" + tls.client_certificate.read_bytes()
        )
    return optionsForClientTLS(
        tls.server_name or host,
        trustRoot=trust_root,
        clientCertificate=client_certificate,
        extraCertificateOptions={"raiseMinimumTo": TLSVersion.TLSv1_2},
    )


def server_tls(certificate_pem: bytes, key_pem: bytes, factory: Any) -> Any:
    """Wrap a server's factory in TLS 1.2 or later; certificates after the first are its chain."""
    first, *chain = _certificates(certificate_pem)
    own = PrivateCertificate.loadPEM(key_pem + b"\n" + first.dumpPEM())
    options = CertificateOptions(
        privateKey=own.privateKey.original,
        certificate=own.original,
        extraCertChain=[certificate.original for certificate in chain],
        raiseMinimumTo=TLSVersion.TLSv1_2,
    )
    context: Any = options
    return TLSMemoryBIOFactory(context, isClient=False, wrappedFactory=factory)


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


def _certificates(pem: bytes) -> list[Certificate]:
    return [
        Certificate.loadPEM(block + _PEM_END)
        for block in pem.split(_PEM_END)
        if b"BEGIN CERTIFICATE" in block
    ]
