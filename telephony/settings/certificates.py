"""Finds the certificates that the settings name, and reads until when each is good."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509

from telephony.fields import Tls
from telephony.psap.settings import CapHttpChannel
from telephony.settings.model import Settings

_UNKNOWN: Final = datetime.min.replace(tzinfo=UTC)
"""Stands before every time."""


@dataclass(frozen=True, slots=True)
class Term:
    """Until when the first of a file's certificates to end is good, or why that is not known."""

    setting: str
    """Whose it is, by the names of the settings: ``link skt-1, ca_file``."""
    file: Path
    expires_at: datetime | None
    problem: str = ""


def terms(settings: Settings) -> list[Term]:
    """Read every certificate of the settings, the first to end first. Blocks on files, of which one may hang."""
    found = [_term(*each) for each in certificate_files(settings)]
    return sorted(found, key=lambda each: each.expires_at or _UNKNOWN)


def certificate_files(settings: Settings) -> Iterator[tuple[str, Path, bool]]:
    """Return whose each file with certificates is, the file, and whether it holds authorities that we trust."""
    for where, server in (("smpp_server", settings.smpp_server), ("web", settings.web)):
        if server is not None and server.tls_certificate is not None:
            yield f"{where}, tls_certificate", server.tls_certificate, False
    for whose, tls in _tables(settings):
        if tls is None:
            continue
        if tls.client_certificate is not None:
            yield f"{whose}, client_certificate", tls.client_certificate, False
        if tls.ca_file is not None:
            yield f"{whose}, ca_file", tls.ca_file, True


def _tables(settings: Settings) -> Iterator[tuple[str, Tls | None]]:
    for carrier in settings.carrier:
        for link in carrier.smpp:
            yield f"link {link.name}", link.tls
        if carrier.lbs is not None:
            yield f"location service {carrier.name}", carrier.lbs.tls
    for server in settings.asterisk:
        yield f"asterisk {server.name}", server.tls
    for centre in settings.psap:
        for channel in centre.channel:
            if isinstance(channel, CapHttpChannel):
                yield f"channel {channel.name}", channel.tls


def _term(whose: str, file: Path, is_trust: bool) -> Term:  # noqa: FBT001 - a tuple's item
    try:
        certificates = x509.load_pem_x509_certificates(file.read_bytes())
    except OSError as error:
        return Term(whose, file, None, error.strerror or type(error).__name__)
    except ValueError:
        return Term(whose, file, None, "holds no certificate in PEM form")
    ends = [each.not_valid_after_utc for each in certificates]
    # Our own certificate is good for as long as its chain; of several authorities the last one will do.
    return Term(whose, file, max(ends) if is_trust else min(ends))
