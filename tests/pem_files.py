"""Writes the PEM files that an operator is given: certificates of any age, with their keys."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

A_YEAR = dt.timedelta(days=365)
LONG_AGO = dt.timedelta(days=3_650)


def certificate(
    name: str,
    *,
    key=None,
    ends_in: dt.timedelta = A_YEAR,
    begins_in: dt.timedelta = -LONG_AGO,
    serial: int | None = None,
) -> x509.Certificate:
    """Return a certificate that has signed itself, for a key that is made where none is given."""
    key = key or new_key()
    now = dt.datetime.now(dt.UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(now + begins_in)
        .not_valid_after(now + ends_in)
    )
    return builder.sign(key, hashes.SHA256())


def new_key():
    return ec.generate_private_key(ec.SECP256R1())


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(each.public_bytes(Encoding.PEM) for each in certificates)


def key_pem(key, passphrase: bytes | None = None) -> bytes:
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def write_pair(certificate_file: Path, key_file: Path, **choices) -> None:
    """Write a certificate and its key."""
    key = new_key()
    certificate_file.write_bytes(pem(certificate("onetouch", key=key, **choices)))
    key_file.write_bytes(key_pem(key))
