"""TLS for connections that we open: reads the files of a `Tls` table once, and verifies every far end.

Twisted's own creator is not used. Since 26.4 its verification callback takes every error but one kind for consent: a
certificate of the right authority without a subjectAltName, with ``DNS:*``, or with an address written as a DNS name
was let in. Here any error is a refusal, and the name is verified again at the end of the handshake, before our first
octet leaves.
"""

from __future__ import annotations

import re
import socket
import ssl
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    TLSVersion,
    platformTrust,
    trustRootFromCertificates,
)
from twisted.python.failure import Failure
from zope.interface import implementer  # type: ignore[import-untyped] # zope ships no types

from telephony.fields import Tls
from telephony.net.names import is_literal

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)

_trust_root: Any = trustRootFromCertificates
"""Twisted gives it no types."""


class Impostor(ConnectionError):  # noqa: N818 - it is what the far end is taken for
    """The far end showed no certificate for the name that was dialled. Nothing was sent to it."""


def verify_name(certificate: x509.Certificate, name: str) -> None:
    """Refuse a certificate that is not for this host name or address (RFC 6125; the common name never counts).

    Raises `Impostor` whatever is wrong with the certificate, a defect of the reading library included.
    """
    try:
        if is_literal(name):
            verify_certificate_ip_address(certificate, name)
        else:
            verify_certificate_hostname(certificate, _ascii(name))
    except Exception as error:
        raise Impostor(f"the certificate is not for {name}") from error


def _ascii(name: str) -> str:
    return name if name.isascii() else name.encode("idna").decode("ascii")


class ClientTls:
    """The trust and the certificate with which connections are opened; verification is never off.

    Raises `OSError` where a file cannot be read and `ValueError` where it does not hold what its key says.
    """

    def __init__(self, tls: Tls) -> None:
        self._server_name = tls.server_name
        self._trust_root: Any = platformTrust()
        self._own: dict[str, Any] = {}
        if tls.ca_file is not None:
            found = _PEM.findall(tls.ca_file.read_bytes())
            if not found:
                raise ValueError("ca_file holds no certificate in PEM form")
            self._trust_root = _trust_root([Certificate.loadPEM(one) for one in found])
        if tls.client_certificate is not None and tls.client_key is not None:
            # The objects of cryptography: pyOpenSSL warns of Twisted's own wrappers.
            own, *chain = _own_certificates(tls.client_certificate.read_bytes())
            self._own = {"certificate": own, "privateKey": _own_key(tls.client_key.read_bytes())}
            if chain:
                self._own["extraCertChain"] = chain

    def options(self, host: str) -> Any:
        """Return the connection creator for this host, whose name the certificate must bear."""
        options: Any = CertificateOptions(
            trustRoot=self._trust_root, raiseMinimumTo=TLSVersion.TLSv1_2, **self._own
        )
        return _Creator(options.getContext(), self._server_name or host)


@implementer(IOpenSSLClientConnectionCreator)
class _Creator:
    """Makes connections that end before our first octet unless the far end proves the name.

    An error inside a callback of OpenSSL is lost, and what is lost is no refusal: so none leaves these methods.
    """

    def __init__(self, context: SSL.Context, name: str) -> None:
        self._name = name
        self._context = context
        self._context.set_info_callback(self._on_progress)

    def clientConnectionForTLS(self, protocol: Any) -> SSL.Connection:  # noqa: N802 - Twisted's name
        """Make the TLS side of one connection; ``protocol`` is Twisted's, which can abort it."""
        connection = SSL.Connection(self._context, None)
        connection.set_app_data(protocol)
        if not is_literal(self._name):
            connection.set_tlsext_host_name(_ascii(self._name).encode())
        connection.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, self._on_certificate)
        return connection

    def _on_certificate(
        self, connection: SSL.Connection, certificate: Any, _error: int, depth: int, ok: int
    ) -> bool:
        """Verify a certificate of the chain: OpenSSL has, and the last one is asked for its name."""
        return bool(ok) and (depth > 0 or self._allows(connection, certificate))

    def _on_progress(self, connection: SSL.Connection, where: int, _result: int) -> None:
        """Verify again once the handshake is done: no way around the verification may let an octet of ours out."""
        if where & SSL.SSL_CB_HANDSHAKE_DONE:
            self._allows(connection, connection.get_peer_certificate())

    def _allows(self, connection: SSL.Connection, certificate: Any) -> bool:
        """Whether the far end's own certificate is for the name; where not, the connection is aborted."""
        try:
            verify_name(certificate.to_cryptography(), self._name)
        except BaseException:  # noqa: BLE001 - no exception counts as consent
            connection.get_app_data().failVerification(Failure())
            return False
        return True


def verified_socket(plain: socket.socket, tls: Tls, host: str) -> ssl.SSLSocket:
    """Return the socket in TLS, for a command that waits: the same trust and the same verifier.

    Raises `ssl.SSLCertVerificationError`, `Impostor`, and `OSError`; the plain socket is then closed.
    """
    name = tls.server_name or host
    context = ssl.create_default_context(cafile=None if tls.ca_file is None else str(tls.ca_file))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The name is ours to verify, by the rules of the daemon.
    context.check_hostname = False
    if tls.client_certificate is not None and tls.client_key is not None:
        context.load_cert_chain(tls.client_certificate, tls.client_key)
    stream = context.wrap_socket(plain, server_hostname=name)
    try:
        verify_name(x509.load_der_x509_certificate(stream.getpeercert(binary_form=True) or b""), name)
    except ValueError as error:
        stream.close()
        raise Impostor("it showed no certificate that can be read") from error
    except Impostor:
        stream.close()
        raise
    return stream


def _own_certificates(pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise ValueError("client_certificate holds no certificate in PEM form") from error


def _own_key(pem: bytes) -> Any:
    try:
        return load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise ValueError("client_key holds no key in PEM form, or one that wants a passphrase") from error


def tls_reason(failure: Failure) -> str | None:
    """Say in words why TLS ended a connection; ``None`` where it was not TLS."""
    error = failure.value
    if isinstance(error, Impostor):
        return f"TLS verification failed: {error}"
    if not isinstance(error, SSL.Error):
        return None
    words = ", ".join(str(entry[-1]) for entry in error.args[0]) if error.args else ""
    if "certificate verify failed" in words:
        return f"TLS verification failed: {words}"
    return f"TLS failed: {words or type(error).__name__}"
