"""Checks that signalling and media of each endpoint of ``pjsip.conf`` are encrypted off this machine. Pure.

The INVITE to 112 carries the caller's number and the location URL with its token: anyone who reads it can ask where she
is. SDES keys (RFC 4568) stand in the same INVITE, so SRTP without TLS hides nothing from anyone who reads that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from ipaddress import ip_network
from typing import Final, NamedTuple

from telephony.asterisk.dialplan.pjsip_sections import Section

EXAMPLE: Final = "dialplans/examples/pjsip.tls.conf"
_URI: Final = re.compile(r"sips?:(?:[^@]*@)?(\[[^\]]+\]|[^:;>]+)", re.IGNORECASE)
_SECURE: Final = ("tls", "wss")


class InClear(NamedTuple):
    """What is not encrypted, of which endpoints, and what to do."""

    endpoints: Sequence[Section]
    problem: str
    instead: str

    @property
    def names(self) -> str:
        """The names of the endpoints, each once."""
        return ", ".join(dict.fromkeys(each.name for each in self.endpoints))


def clear_endpoints(pjsip: Sequence[Section]) -> Iterator[InClear]:
    """Return a remark for endpoints without TLS, one for those without SRTP, one for SDES keys in the clear."""
    far = [each for each in pjsip if each.type == "endpoint" and not _is_here(each, pjsip)]
    in_clear = [each for each in far if not _has_tls(each, pjsip)]
    media = {each.name: each.value("media_encryption").lower() for each in far}
    loud = [each for each in far if media[each.name] not in ("sdes", "dtls")]
    bare = [each for each in in_clear if media[each.name] == "sdes"]
    if in_clear:
        problem = (
            "SIP without TLS: the caller's number and the location token of the INVITE can be read on the way, unless it is "
            "a private line or IPsec"
        )
        yield InClear(in_clear, problem, f"see {EXAMPLE}")
    if loud:
        problem = "RTP without media_encryption: the call can be heard on the way, unless it is a private line or IPsec"
        yield InClear(loud, problem, f"see {EXAMPLE}")
    if bare:
        problem = "media_encryption = sdes without TLS sends its keys in the clear"
        yield InClear(bare, problem, f"give it a transport with TLS, see {EXAMPLE}")


def _has_tls(endpoint: Section, pjsip: Sequence[Section]) -> bool:
    name = endpoint.value("transport")
    if name:
        return any(
            each.type == "transport" and each.name == name and each.value("protocol").lower() in _SECURE
            for each in pjsip
        )
    contacts = [contact.lower() for contact in _contacts(endpoint, pjsip)]
    return bool(contacts) and all(
        contact.startswith("sips:") or "transport=tls" in contact for contact in contacts
    )


def _contacts(endpoint: Section, pjsip: Sequence[Section]) -> list[str]:
    named = {name for _, name in endpoint.values("aors")}
    return [
        contact
        for each in pjsip
        if each.type == "aor" and each.name in named
        for _, contact in each.values("contact")
    ]


def _is_here(endpoint: Section, pjsip: Sequence[Section]) -> bool:
    """Whether every address that it calls or is called from is loopback; without any it may be anywhere."""
    hosts = [match[1].strip("[]") for each in _contacts(endpoint, pjsip) if (match := _URI.match(each))]
    hosts += [
        match
        for each in pjsip
        if each.type == "identify" and each.value("endpoint") == endpoint.name
        for _, match in each.values("match")
    ]
    return bool(hosts) and all(_is_loopback(host) for host in hosts)


def _is_loopback(host: str) -> bool:
    try:
        return ip_network(host, strict=False).is_loopback
    except ValueError:
        return host.lower() == "localhost"
