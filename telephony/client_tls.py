"""TLS of a connection that we open: the files of a `Tls` table, read once."""

from __future__ import annotations

import re
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from twisted.internet.ssl import (
    Certificate,
    VerificationError,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from twisted.python.failure import Failure

from telephony.fields import Tls

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)

_trust_root: Any = trustRootFromCertificates
"""Twisted gives it no types."""


class ClientTls:
    """What connections need to verify the far end and to show who we are; verification is never off.

    Raises `OSError` where a file cannot be read and `ValueError` where it does not hold what its key says.
    """

    def __init__(self, tls: Tls) -> None:
        self._server_name = tls.server_name
        self._trust_root: Any = None
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
        """Give Twisted's connection creator for this host, whose name the certificate must bear."""
        return optionsForClientTLS(
            self._server_name or host, self._trust_root, extraCertificateOptions=self._own or None
        )


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
    if isinstance(error, VerificationError):
        return "TLS verification failed: the certificate is for another name"
    if not isinstance(error, SSL.Error):
        return None
    words = ", ".join(str(entry[-1]) for entry in error.args[0]) if error.args else ""
    if "certificate verify failed" in words:
        return f"TLS verification failed: {words}"
    return f"TLS failed: {words or type(error).__name__}"
