"""Endpoints in the clear are remarks: of the shipped samples, of halves of an encryption, never of loopback."""

from __future__ import annotations

from pathlib import Path

import pytest

from telephony.asterisk.dialplan.pjsip_encryption import clear_endpoints
from telephony.asterisk.dialplan.pjsip_sections import read_sections

DIALPLANS = Path(__file__).parents[3] / "dialplans"
EVERY_ENDPOINT = "skt-voice, kt-voice, centre-1, centre-2, centre-3, centre-voice, guardian"
UDP = "[udp]\ntype = transport\nprotocol = udp\n"
TLS = "[tls]\ntype = transport\nprotocol = TLS\n"


def remarks_of(folder: Path, text: str) -> list[str]:
    (folder / "pjsip.conf").write_text(text)
    return [f"{each.names}: {each.problem}" for each in clear_endpoints(read_sections(folder))]


def endpoint(transport="transport = udp", media="", contact="sip:198.51.100.1:5060", match=""):
    identify = f"[centre]\ntype = identify\nendpoint = centre\nmatch = {match}\n" if match else ""
    return (
        f"{UDP}{TLS}[centre]\ntype = endpoint\n{transport}\n{media}\naors = centre\n"
        f"[centre]\ntype = aor\ncontact = {contact}\n{identify}"
    )


def test_the_sample_in_the_clear_is_remarked_with_every_endpoint():
    sip, rtp, keys = clear_endpoints(read_sections(DIALPLANS))
    assert (sip.names, sip.problem.partition(":")[0]) == (EVERY_ENDPOINT, "SIP without TLS")
    assert rtp.names == "centre-1, centre-2, centre-3, centre-voice, guardian"
    assert rtp.problem.startswith("RTP without media_encryption")
    assert keys.names == "skt-voice, kt-voice"
    assert keys.problem.startswith("media_encryption = sdes without TLS")


def test_the_example_of_tls_and_srtp_has_no_remark(tmp_path):
    assert remarks_of(tmp_path, (DIALPLANS / "examples/pjsip.tls.conf").read_text()) == []


@pytest.mark.parametrize(
    "text",
    [
        endpoint(contact="sip:127.0.0.1:5060"),
        endpoint(contact="sip:112@[::1]:5060", match="127.0.0.0/8"),
        endpoint("transport = tls", "media_encryption = sdes"),
        endpoint("transport = tls", "media_encryption = DTLS"),
        endpoint("", "media_encryption = sdes", "sips:198.51.100.1"),
        endpoint("", "media_encryption = sdes", "sip:198.51.100.1\\;transport=tls"),
        "",
    ],
    ids=["loopback", "ipv6", "sdes", "dtls", "sips", "contact", "no endpoint"],
)
def test_what_is_encrypted_or_stays_here_is_no_remark(tmp_path, text):
    assert remarks_of(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        (endpoint(media="media_encryption = dtls"), ["SIP without TLS"]),
        (endpoint("transport = tls"), ["RTP without media_encryption"]),
        (endpoint("transport = tls", "media_encryption = no"), ["RTP without media_encryption"]),
        (
            endpoint(media="media_encryption = sdes"),
            ["SIP without TLS", "media_encryption = sdes without TLS"],
        ),
        (endpoint("transport = gone", "media_encryption = dtls"), ["SIP without TLS"]),
        (
            endpoint(media="media_encryption = dtls", contact="sip:127.0.0.1", match="192.0.2.1"),
            ["SIP without TLS"],
        ),
        (endpoint("", "media_encryption = dtls", "sip:198.51.100.1"), ["SIP without TLS"]),
    ],
    ids=[
        "no tls",
        "no srtp",
        "srtp off",
        "keys in the clear",
        "no such transport",
        "called from afar",
        "default",
    ],
)
def test_half_an_encryption_is_remarked(tmp_path, text, begins):
    told = remarks_of(tmp_path, text)
    assert [
        line.removeprefix("centre: ").startswith(words) for line, words in zip(told, begins, strict=True)
    ] == [True] * len(begins)
