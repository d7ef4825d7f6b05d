"""What is allowed but probably not meant: said once at start and by ``onetouch check``, never a reason to stop."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from pydantic import HttpUrl

from telephony.settings.model import Carrier, Settings

DEAD_LINK_WITHIN_S = 20.0
"""A link that died silently is to be found within this time."""


def remarks(settings: Settings) -> list[str]:
    """Give remarks as lines, each with its key."""
    found = [remark for carrier in settings.carrier for remark in _carrier(carrier)]
    found += [
        f'psap "{psap.name}", channel "{channel.name}": http:// is not encrypted; use https://'
        for psap in settings.psap
        for channel in psap.channel
        if _is_open_to_eavesdroppers(channel.url)
    ]
    server = settings.smpp_server
    if server is not None and not any(carrier.peer for carrier in settings.carrier):
        found.append("smpp_server: no carrier has a [[carrier.peer]], so nobody can bind")
    if server is not None:
        found += _dead_link("smpp_server", server.enquire_link_s, server.enquire_response_s)
    return found


def _carrier(carrier: Carrier) -> Iterator[str]:
    where = f'carrier "{carrier.name}"'
    if carrier.lbs is None:
        yield f"{where}: without [carrier.lbs] its phones are located by the other carriers' services only"
    elif _is_open_to_eavesdroppers(carrier.lbs.url):
        yield f"{where}, lbs.url: http:// is not encrypted; use https://"
    for link in carrier.smpp:
        yield from _dead_link(f'{where}, link "{link.name}"', link.enquire_link_s, link.enquire_response_s)


def _dead_link(where: str, enquire_link_s: float, enquire_response_s: float) -> list[str]:
    needed_s = enquire_link_s + 2 * enquire_response_s
    if needed_s <= DEAD_LINK_WITHIN_S:
        return []
    found_after = f"a dead link is found after {needed_s:g} s (enquire_link_s + 2 x enquire_response_s)"
    return [f"{where}: {found_after}; keep it within {DEAD_LINK_WITHIN_S:g} s"]


def _is_open_to_eavesdroppers(url: HttpUrl) -> bool:
    if url.scheme == "https":
        return False
    host = (url.host or "").strip("[]")
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"
