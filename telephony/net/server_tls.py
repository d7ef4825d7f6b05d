"""TLS for connections that others open to us: a listener's certificate and key."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from twisted.internet.ssl import AcceptableCiphers, CertificateOptions, TLSVersion
from twisted.protocols.tls import TLSMemoryBIOFactory

_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2: a key of its own for each session, and nothing that pads (RFC 9325 clause 4.2). TLS 1.3 has no other."""


def server_tls(certificate_pem: bytes, key_pem: bytes, factory: Any) -> Any:
    """Wrap a server's factory in TLS 1.2 or newer; certificates after the first are its chain.

    Raises `ValueError` where the files hold no certificate or key in PEM form.
    """
    own, *chain = x509.load_pem_x509_certificates(certificate_pem)
    # The objects of cryptography: pyOpenSSL warns of Twisted's own wrappers.
    credentials: dict[str, Any] = {
        "certificate": own,
        "privateKey": load_pem_private_key(key_pem, password=None),
        "extraCertChain": chain,
    }
    ciphers: Any = AcceptableCiphers
    options: Any = CertificateOptions(
        raiseMinimumTo=TLSVersion.TLSv1_2,
        acceptableCiphers=ciphers.fromOpenSSLCipherString(_CIPHERS),
        **credentials,
    )
    return TLSMemoryBIOFactory(options, isClient=False, wrappedFactory=factory)
