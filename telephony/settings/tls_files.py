"""Reads the TLS files that the settings name: what no handshake could use, and what has expired or soon will.

A file that is no certificate or key keeps a daemon from starting. A date does not: it closes the ways that it is for, and
the others must go on.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path as FilePath
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.utils import CryptographyDeprecationWarning
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from telephony.settings.faults import Weight
from telephony.settings.keys import Path, written
from telephony.settings.model import Settings

PAIRS: Final = (("client_certificate", "client_key"), ("tls_certificate", "tls_key"), ("sslcert", "sslkey"))
AUTHORITIES: Final = ("ca_file", "sslrootcert")
FILES: Final = frozenset({*AUTHORITIES, *(key for pair in PAIRS for key in pair)})
"""Those that begin with ``ssl`` stand in the address of a PostgreSQL."""
OF_THE_SYSTEM: Final = "system"
"""The value of ``sslrootcert`` that names the system's trust store and no file."""

SOON: Final = timedelta(days=30)
"""From so long before its end on a certificate is remarked: an authority may take weeks."""


class _Unusable(Exception):  # noqa: N818 - what a file is
    """Why a file cannot be used, and what to do instead."""

    def __init__(self, problem: str, instead: str) -> None:
        super().__init__(problem)
        self.problem, self.instead = problem, instead


def tls_findings(raw: dict[str, Any]) -> Iterator[tuple[Path, str, str]]:
    """Return (where, what is wrong, what to write instead) of every file that cannot be used."""
    for at, files in _tables_with_files(raw):
        read: dict[str, Any] = {}
        for key, name in files.items():
            try:
                read[key] = _key(name) if key.endswith("key") else _certificates(name)
            except _Unusable as unusable:
                yield (*at, key), unusable.problem, unusable.instead
        for certificate, key in PAIRS:
            if certificate in read and key in read and (refused := _mismatch(read[certificate], read[key])):
                yield (*at, key), *refused


def tls_dates(raw: dict[str, Any], now: datetime) -> Iterator[tuple[Path, str, str, Weight]]:
    """Return (where, what, what to do, its weight) of certificates that are not valid now, or not for long any more."""
    for at, files in _tables_with_files(raw):
        for key, name in files.items():
            if key.endswith("key"):
                continue
            try:
                found = _certificates(name)
            except _Unusable:
                continue
            # An authority's file may hold the former one beside the next: the one that lasts longest counts.
            judged = [max(found, key=lambda each: each.not_valid_after_utc)] if key in AUTHORITIES else found
            for each in judged:
                if dated := _dated(each, name, now):
                    yield (*at, key), *dated
                    break


def _tables_with_files(raw: dict[str, Any]) -> Iterator[tuple[Path, dict[str, str]]]:
    """Return each table that names TLS files; of half a pair, which the models refuse, nothing."""
    tables: dict[Path, dict[str, str]] = {}
    for at, _, value in written(Settings, raw):
        if at[-1] in FILES and isinstance(value, str):
            tables.setdefault(at[:-1], {})[str(at[-1])] = value
        elif at == ("store", "url") and isinstance(value, str):
            tables[at] = _in_url(value)
    for at, files in tables.items():
        for pair in PAIRS:
            if sum(key in files for key in pair) == 1:
                files = {key: name for key, name in files.items() if key not in pair}  # noqa: PLW2901
        yield at, files


def _in_url(url: str) -> dict[str, str]:
    """Return the files that the address of a PostgreSQL names."""
    try:
        query = make_url(url).query
    except (ArgumentError, ValueError):
        return {}
    named = {key: value for key, value in query.items() if key in FILES and isinstance(value, str)}
    return {key: value for key, value in named.items() if value != OF_THE_SYSTEM}


def _octets(name: str) -> bytes:
    try:
        return FilePath(name).read_bytes()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not a path"
        raise _Unusable(
            f'"{name}" cannot be read ({why})', "name a PEM file that this user can read"
        ) from error


def _certificates(name: str) -> list[x509.Certificate]:
    octets = _octets(name)
    try:
        # The system's own trust store holds roots with odd serial numbers, which OpenSSL takes.
        with warnings.catch_warnings(action="ignore", category=CryptographyDeprecationWarning):
            return x509.load_pem_x509_certificates(octets)
    except ValueError as error:
        if b"BEGIN CERTIFICATE" in octets:
            problem = f'"{name}" holds a certificate that is damaged'
            raise _Unusable(problem, "copy the whole file again, with its BEGIN and END lines") from error
    if b"PRIVATE KEY-----" in octets:
        problem = f'"{name}" holds a key and no certificate'
        raise _Unusable(problem, "write the certificate's file here, and this one as the key")
    if _is_der(octets):
        instead = f"convert it: openssl x509 -inform DER -in {name} -out {name}.pem"
        raise _Unusable(f'"{name}" holds a certificate in DER form', instead)
    raise _Unusable(f'"{name}" holds no certificate in PEM form', "name a file with BEGIN CERTIFICATE lines")


def _is_der(octets: bytes) -> bool:
    try:
        x509.load_der_x509_certificate(octets)
    except ValueError:
        return False
    return True


def _key(name: str) -> Any:
    octets = _octets(name)
    try:
        return load_pem_private_key(octets, password=None)
    except TypeError as error:
        problem = f'"{name}" holds a key under a passphrase, which no start could be told'
        instead = f"take it away: openssl pkey -in {name} -out {name}.plain && chmod 600 {name}.plain"
        raise _Unusable(problem, instead) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        if b"PRIVATE KEY-----" in octets:
            problem = f'"{name}" holds a key that is damaged or of an unknown kind'
            raise _Unusable(problem, "copy the whole file again, with its BEGIN and END lines") from error
    if b"BEGIN CERTIFICATE" in octets:
        problem = f'"{name}" holds a certificate and no key'
        raise _Unusable(problem, "write the key's file here, and this one as the certificate")
    raise _Unusable(f'"{name}" holds no key in PEM form', "name a file with BEGIN PRIVATE KEY lines")


def _mismatch(chain: Sequence[x509.Certificate], key: Any) -> tuple[str, str] | None:
    """Return why a certificate and a key are no pair, or none that OpenSSL takes."""
    own = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    belongs = [_public(each) == own for each in chain]
    if not any(belongs):
        problem = "this key belongs to another certificate"
        return problem, f"name the key that the certificate {_subject(chain[0])} was made for"
    if not belongs[0]:
        problem = (
            f"this key belongs to certificate {belongs.index(True) + 1} of the file, and not to the first"
        )
        return problem, "put the own certificate first, then its chain"
    return _refused(chain, key)


def _refused(chain: Sequence[x509.Certificate], key: Any) -> tuple[str, str] | None:
    from OpenSSL import SSL  # noqa: PLC0415 - not needed where no file is a pair
    from twisted.internet.ssl import CertificateOptions, TLSVersion  # noqa: PLC0415

    # The objects of cryptography, as the daemon hands them over.
    pair: dict[str, Any] = {"certificate": chain[0], "privateKey": key, "extraCertChain": [*chain[1:]]}
    options: Any = CertificateOptions(raiseMinimumTo=TLSVersion.TLSv1_2, **pair)
    try:
        options.getContext()
    except SSL.Error as error:
        words = ", ".join(str(entry[-1]) for entry in error.args[0]) if error.args else "no reason given"
        return f"OpenSSL refuses the pair: {words}", "have a certificate issued for a stronger key"
    return None


def _public(certificate: x509.Certificate) -> bytes | None:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _subject(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or f"{certificate.serial_number:x}"


def _dated(certificate: x509.Certificate, name: str, now: datetime) -> tuple[str, str, Weight] | None:
    """Return what is wrong with the dates of a certificate, now or soon."""
    subject = f'"{name}": {_subject(certificate)}'
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > end:
        return f"{subject} expired on {end:%Y-%m-%d}", "have it renewed, then restart", Weight.FAULT
    if now < begin:
        problem = f"{subject} is not valid before {begin:%Y-%m-%d %H:%M} UTC"
        return problem, "wait until then, or set the clock of this machine right", Weight.FAULT
    if now > end - SOON:
        left = (end - now).days
        within = f"in {left} day{'' if left == 1 else 's'}" if left else "within a day"
        return (
            f"{subject} expires on {end:%Y-%m-%d}, {within}",
            "have it renewed, then restart",
            Weight.REMARK,
        )
    return None
