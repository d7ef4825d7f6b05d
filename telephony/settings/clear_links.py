"""Links in the clear: what whoever is on the way could read or change, and doors that stand open to everybody."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from pydantic import HttpUrl
from sqlalchemy import make_url

from telephony.places import is_loopback
from telephony.settings.model import Carrier, Settings

PROVEN = "verify-full"
"""The only ``sslmode`` of PostgreSQL that proves whose server it is."""


def clear_links(settings: Settings) -> Iterator[str]:
    """Give a remark for each link that leaves this machine without encryption, and each list that is missing."""
    for carrier in settings.carrier:
        yield from _carrier(carrier)
    for psap in settings.psap:
        for channel in psap.channel:
            if _is_open_to_eavesdroppers(channel.url):
                yield f'psap "{psap.name}", channel "{channel.name}": http:// is not encrypted; use https://'
    yield from _smpp_server(settings)
    yield from _store(settings)
    for asterisk in settings.asterisk:
        if asterisk.tls is None and not is_loopback(asterisk.host):
            yield (
                f'asterisk "{asterisk.name}": AMI without tls is not encrypted; '
                "numbers and location tokens can be read on the way"
            )
    web = settings.web
    if web is not None and web.tls_certificate is None and not is_loopback(web.interface):
        yield "web: without tls_certificate anybody on the way can read where callers are"


def _carrier(carrier: Carrier) -> Iterator[str]:
    where = f'carrier "{carrier.name}"'
    if carrier.lbs is not None and _is_open_to_eavesdroppers(carrier.lbs.url):
        yield f"{where}, lbs.url: http:// is not encrypted; use https://"
    for link in carrier.smpp:
        if link.tls is None and not is_loopback(link.host):
            yield (
                f'{where}, link "{link.name}": SMPP without tls is not encrypted; the password, numbers and texts can be '
                "read on the way, unless it is a private line or IPsec"
            )


def _smpp_server(settings: Settings) -> Iterator[str]:
    server = settings.smpp_server
    peers = [(carrier, peer) for carrier in settings.carrier for peer in carrier.peer]
    if server is None or is_loopback(server.interface) or not peers:
        return
    if server.tls_certificate is None:
        yield (
            "smpp_server: without tls_certificate the passwords of gateways, numbers and texts can be read on the way, "
            "unless it is a private line or IPsec"
        )
    for carrier, peer in peers:
        if not peer.addresses:
            yield (
                f'carrier "{carrier.name}", peer "{peer.name}": without addresses anybody may connect to smpp_server and '
                'try its password; write its networks, e.g. addresses = ["192.0.2.0/28"]'
            )


def _store(settings: Settings) -> Iterator[str]:
    url = make_url(settings.database_url)
    if url.get_backend_name() != "postgresql":
        return
    query: Mapping[str, str | Sequence[str]] = url.query
    hosts = [url.host or "", *_listed(query.get("host", ())), *_listed(query.get("hostaddr", ()))]
    modes = _listed(query.get("sslmode", os.environ.get("PGSSLMODE", "")))
    far = [host for host in hosts if not _is_here(host)]
    if far and modes != [PROVEN]:
        yield (
            f"store.url: the way to PostgreSQL at {far[0]} is not proven and may not be encrypted; "
            f"add ?sslmode={PROVEN}&sslrootcert=/path/ca.pem"
        )


def _listed(value: str | Sequence[str]) -> list[str]:
    """Return the values of a key of the URL, which may be written again and as a list."""
    values = [value] if isinstance(value, str) else list(value)
    return [each for one in values for each in one.split(",") if each]


def _is_here(host: str) -> bool:
    """Whether a host of PostgreSQL is this machine: a socket's folder, none at all, or loopback."""
    name, _, port = host.rpartition(":")
    bare = name if port.isdigit() and ":" not in name else host
    return not bare or bare.startswith(("/", "@")) or is_loopback(bare.strip("[]"))


def _is_open_to_eavesdroppers(url: HttpUrl) -> bool:
    if url.scheme == "https":
        return False
    return not is_loopback((url.host or "").strip("[]"))
