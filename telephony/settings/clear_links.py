"""Remarks on links in the clear, which can be read or changed on the way, and on doors that stand open to everybody."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from pydantic import HttpUrl
from sqlalchemy import make_url

from telephony.net.places import is_loopback
from telephony.psap.settings import CapHttpChannel
from telephony.settings.keys import Path
from telephony.settings.model import Carrier, Settings

PROVEN = "verify-full"
"""The only ``sslmode`` of PostgreSQL that proves whose server it is."""
PLAIN_HTTP = ("http:// is not encrypted", "write https://")


def clear_links(settings: Settings) -> Iterator[tuple[Path, str, str]]:
    """Return a remark for each link that leaves this machine without encryption, and each list that is missing."""
    for index, carrier in enumerate(settings.carrier):
        yield from _carrier(("carrier", index), carrier)
    for index, psap in enumerate(settings.psap):
        for place, channel in enumerate(psap.channel):
            if isinstance(channel, CapHttpChannel) and _is_open_to_eavesdroppers(channel.url):
                yield ("psap", index, "channel", place, "url"), *PLAIN_HTTP
    yield from _smpp_server(settings)
    yield from _store(settings)
    for index, asterisk in enumerate(settings.asterisk):
        if asterisk.tls is None and not is_loopback(asterisk.host):
            problem = "AMI without tls is not encrypted: numbers and location tokens can be read on the way"
            yield ("asterisk", index), problem, "add tls = {}"
    web = settings.web
    if web is not None and web.tls_certificate is None and not is_loopback(web.interface):
        problem = "without tls_certificate anybody on the way can read where callers are"
        yield ("web",), problem, "add tls_certificate and tls_key"


def _carrier(at: Path, carrier: Carrier) -> Iterator[tuple[Path, str, str]]:
    if carrier.lbs is not None and _is_open_to_eavesdroppers(carrier.lbs.url):
        yield (*at, "lbs", "url"), *PLAIN_HTTP
    for index, link in enumerate(carrier.smpp):
        if link.tls is None and not is_loopback(link.host):
            problem = (
                "SMPP without tls is not encrypted: the password, numbers and texts can be read on the way, "
                "unless it is a private line or IPsec"
            )
            yield (*at, "smpp", index), problem, "add tls = {}"


def _smpp_server(settings: Settings) -> Iterator[tuple[Path, str, str]]:
    server = settings.smpp_server
    peers = [
        (("carrier", index, "peer", place), peer)
        for index, carrier in enumerate(settings.carrier)
        for place, peer in enumerate(carrier.peer)
    ]
    if server is None or is_loopback(server.interface) or not peers:
        return
    if server.tls_certificate is None:
        problem = (
            "without tls_certificate the passwords of gateways, numbers and texts can be read on the way, "
            "unless it is a private line or IPsec"
        )
        yield ("smpp_server",), problem, "add tls_certificate and tls_key"
    for at, peer in peers:
        if not peer.addresses:
            problem = "without addresses anybody may connect to smpp_server and try its password"
            yield at, problem, 'write its networks, e.g. addresses = ["192.0.2.0/28"]'


def _store(settings: Settings) -> Iterator[tuple[Path, str, str]]:
    url = make_url(settings.database_url)
    if url.get_backend_name() != "postgresql":
        return
    query: Mapping[str, str | Sequence[str]] = url.query
    hosts = [url.host or "", *_listed(query.get("host", ())), *_listed(query.get("hostaddr", ()))]
    modes = _listed(query.get("sslmode", os.environ.get("PGSSLMODE", "")))
    far = [host for host in hosts if not _is_here(host)]
    if far and modes != [PROVEN]:
        problem = f"the way to PostgreSQL at {far[0]} is not proven and may not be encrypted"
        yield ("store", "url"), problem, f"add ?sslmode={PROVEN}&sslrootcert=/path/ca.pem"


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
