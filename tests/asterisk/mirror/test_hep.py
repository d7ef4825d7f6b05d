"""What Asterisk mirrors of its SIP, read: real datagrams, cut ones, and rubbish."""

from __future__ import annotations

import os
import random
from ipaddress import ip_address

import pytest

from telephony.asterisk.mirror import hep
from telephony.asterisk.sip import message as sip_message
from telephony.domain.errors import Malformed
from tests.asterisk.hep_datagrams import CAPTURED, chunk, sip
from tests.asterisk.hep_datagrams import hep as datagram

SEED = int(os.environ.get("ONETOUCH_FUZZ_SEED", "20110419"))


def test_a_captured_datagram_tells_who_sent_the_invite_to_whom():
    mirrored = hep.read(CAPTURED)

    assert mirrored.source == mirrored.destination == ip_address("127.0.0.1")
    assert (mirrored.source_port, mirrored.destination_port) == (41_052, 25_060)
    assert mirrored.payload.startswith(b"INVITE sip:112@127.0.0.1:25060 SIP/2.0\r\n")
    assert mirrored.has_key("test-only")
    assert not mirrored.has_key("")


def test_addresses_of_version_6_and_chunks_of_other_vendors_are_read_over():
    made = datagram(
        sip(), source="2001:db8::10", destination="2001:db8::7", more=chunk(11, b"\5", vendor=0x1234)
    )

    mirrored = hep.read(made)

    assert mirrored.source == ip_address("2001:db8::10")
    assert mirrored.has_key("")


def test_what_mirrors_no_sip_is_nothing():
    assert hep.read(datagram(b"{}", protocol=5)) is None


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"HEP2\0\6",
        b"HEP3\0\7",
        b"HEP3\0\6\0",
        datagram(sip())[:6] + b"\0\0\0\x0f\0\2",
        b"HEP3" + (6 + 7).to_bytes(2) + chunk(11, b"\1"),
        b"HEP3" + (6 + 7 + 6).to_bytes(2) + chunk(11, b"\1") + chunk(15, b""),
        b"HEP3" + (6 + 8).to_bytes(2) + chunk(11, b"\1\1"),
        CAPTURED + b"\0",
        b"HEP3" + b"\xff\xff" + bytes(70_000),
    ],
    ids=range(10),
)
def test_what_is_no_hep_is_malformed(octets):
    with pytest.raises(Malformed):
        hep.read(octets)


def test_every_datagram_that_is_cut_short_is_malformed():
    for length in range(len(CAPTURED)):
        with pytest.raises(Malformed):
            hep.read(CAPTURED[:length])


def test_no_mutation_does_more_than_be_malformed_and_every_payload_is_read():
    chance = random.Random(SEED)
    for _ in range(3_000):
        octets = bytearray(CAPTURED)
        for _ in range(chance.randint(1, 8)):
            octets[chance.randrange(len(octets))] = chance.randrange(256)
        try:
            mirrored = hep.read(bytes(octets))
        except Malformed:
            continue
        if mirrored is not None:
            message = sip_message.read(mirrored.payload)
            if message is not None:
                sip_message.parts(message)
