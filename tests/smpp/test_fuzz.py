"""200,000 mutated and random PDUs: a value or Malformed, in little time and memory, whatever comes."""

from __future__ import annotations

import os
import random
import resource
import signal
import time
from contextlib import contextmanager

import pytest

from telephony.domain.errors import Malformed
from telephony.smpp.wire.building import build
from telephony.smpp.wire.codec import (
    PduStream,
    decode_alert_notification,
    decode_bind,
    decode_bind_resp,
    decode_message,
    decode_outbind,
    decode_submit_resp,
    encode_deliver_sm_resp,
)
from telephony.smpp.wire.constants import DATA_SM, DELIVER_SM, MAX_PDU, TAG_MESSAGE_PAYLOAD
from telephony.smpp.wire.pdus import Tlv
from telephony.smpp.wire.receipts import id_forms, read_signs
from telephony.smpp.wire.text import read_text

CASES = 200_000
SEED = int(os.environ.get("ONETOUCH_FUZZ_SEED", "20110419"))
"""Fixed, so that a run can be repeated; set the variable to look elsewhere."""
HANGS_AFTER_S = 120
SLOWEST_CASE_S = 1.0
MOST_MEMORY_GROWTH_KIB = 32 * 1024
DEFAULT_ALPHABETS = ("gsm0338", "gsm0338-packed", "latin-1", "ascii", "cp949", "utf-8")
TEMPTING = (0x00, 0x01, 0x1B, 0x40, 0x7F, 0x80, 0xD8, 0xDC, 0xFE, 0xFF)
"""Octets on which decoders turn: NUL, ESC, UDHI, surrogates, byte order marks, the ends of ranges."""

KOREAN = "살려주세요 지금 집입니다"
USSD = (Tlv(0x0501, b"\1"), Tlv(0x1383, b"\1\0"), Tlv(0x0204, b"\0\1"), Tlv(0x1400, b"vendor"))
SAR = (Tlv(0x020C, b"\1\2"), Tlv(0x020E, b"\2"), Tlv(0x020F, b"\1"))
RECEIPT = (
    b"id:0123456789 sub:001 dlvrd:001 submit date:2611231200 done date:2611231201 stat:DELIVRD err:000 text:x"
)
PEOPLE = {
    "source_addr": "821012345678",
    "source_addr_ton": 1,
    "source_addr_npi": 1,
    "destination_addr": "1122",
}

GOOD = (
    build("deliver_sm", 1, **PEOPLE, data_coding=0x0E, short_message=KOREAN.encode("cp949")),
    build("deliver_sm", 2, **PEOPLE, data_coding=0x08, short_message=KOREAN.encode("utf-16-be"), tlvs=SAR),
    build("deliver_sm", 3, **PEOPLE, short_message=b"help \x1be\x00 me", validity_period="000000003000000R"),
    build(
        "deliver_sm",
        4,
        **PEOPLE,
        esm_class=0x40,
        data_coding=8,
        short_message=b"\5\0\3\x2a\2\1" + b"\xac\0" * 67,
    ),
    build("deliver_sm", 5, **PEOPLE, esm_class=0x40, short_message=b"\x06\x25\1\1\x24\1\1help\x1be"),
    build("deliver_sm", 6, **PEOPLE, esm_class=0x04, short_message=RECEIPT, tlvs=(Tlv(0x001E, b"4F2A\0"),)),
    build(
        "deliver_sm", 7, **PEOPLE, service_type="USSD", data_coding=0x0F, short_message=b"*112#", tlvs=USSD
    ),
    build("deliver_sm", 8, **PEOPLE, tlvs=(Tlv(TAG_MESSAGE_PAYLOAD, KOREAN.encode("utf-16-be") * 20),)),
    build("data_sm", 9, **PEOPLE, data_coding=4, tlvs=(Tlv(TAG_MESSAGE_PAYLOAD, KOREAN.encode()), *USSD)),
    build("submit_sm", 10, **PEOPLE, data_coding=5, short_message="助けて".encode("iso2022_jp")),
    build("bind_transceiver", 11, system_id="onetouch", password="secret", address_range="^112"),
    build("bind_transceiver_resp", 12, system_id="MC", tlvs=(Tlv(0x0210, b"\x34"),)),
    build("submit_sm_resp", 13, message_id="4F2A", tlvs=(Tlv(0x0428, b"\x5a"),)),
    build("outbind", 14, system_id="MC", password="secret"),
    build("alert_notification", 15, source_addr="821012345678", esme_addr="1122", tlvs=(Tlv(0x0422, b"\0"),)),
    build("enquire_link", 16),
    build("generic_nack", 17, status=3),
)


def mutate(octets, chance):
    """Change a PDU in one to four of the ways in which senders and lines do."""
    changed = bytearray(octets)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(changed) + 1)
        length = chance.choice((1, 1, 2, 4, 16))
        match chance.randrange(6):
            case 0:
                changed[place : place + length] = b""
            case 1:
                changed[place:place] = chance.randbytes(length)
            case 2:
                changed[place : place + 1] = bytes((chance.choice(TEMPTING),))
            case 3:
                del changed[place:]
            case 4:
                source = chance.randrange(len(changed) + 1)
                changed[place:place] = changed[source : source + length]
            case _:
                if place < len(changed):
                    changed[place] ^= 1 << chance.randrange(8)
    return bytes(changed)


def make_case(chance):
    """Octets of one case: mutants and rubbish, most of them with a length that lets them through the framing."""
    kind = chance.randrange(10)
    if kind == 0:
        return chance.randbytes(chance.randrange(200))
    if kind == 1:
        return framed(chance.randbytes(12) + chance.randbytes(chance.randrange(400)))
    octets = mutate(chance.choice(GOOD), chance)
    if kind == 2:
        return octets + chance.choice(GOOD)
    if kind == 3:
        octets = octets[:40] + mutate(chance.choice(GOOD), chance)[40:]
    return framed(octets[4:])


def framed(rest):
    """Put the true length in front; what is too short for a header is filled up."""
    rest = rest.ljust(12, b"\0")
    return (4 + len(rest)).to_bytes(4, "big") + rest


def feed_in_pieces(stream, octets, chance):
    cut = chance.randrange(len(octets) + 1)
    received = stream.feed(octets[:cut])
    assert len(stream._held) <= MAX_PDU
    received += stream.feed(octets[cut:])
    assert len(stream._held) <= MAX_PDU
    return received


def decode_everything(pdu, chance):
    """Give the body to every decoder, whatever the command says; count who refused it."""
    refused = 0
    for command_id in (pdu.command_id, DELIVER_SM, DATA_SM):
        message = decode_message(command_id, pdu.body)
        text = read_text(
            message.data_coding,
            message.esm_class,
            message.short_message,
            default_alphabet=chance.choice(DEFAULT_ALPHABETS),
            sar=message.sar,
        )
        assert text.text is None or isinstance(text.text, str)
        signs = read_signs(message, text)
        for each in signs.ids:
            id_forms(each, chance.choice(("raw", "hex-to-decimal", "decimal-to-hex")))
    decode_bind_resp(pdu.body)
    decode_submit_resp(pdu.body)
    encode_deliver_sm_resp(pdu.command_id, 0, pdu.sequence)
    for decode in (decode_outbind, decode_alert_notification, lambda body: decode_bind(pdu.command_id, body)):
        try:
            decode(pdu.body)
        except Malformed:
            refused += 1
    return refused


@contextmanager
def hang_is_a_failure():
    def stop(*_):
        pytest.fail(f"no end after {HANGS_AFTER_S} s")

    # Of our own time: on a busy machine all of it may take many times as long.
    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, HANGS_AFTER_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def test_200_000_mutated_and_random_pdus_give_values_or_malformed():
    chance = random.Random(SEED)
    decoded = refused = broken = 0
    slowest_s = 0.0
    memory_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with hang_is_a_failure():
        for number in range(CASES):
            octets = make_case(chance)
            started = time.thread_time()
            try:
                stream = PduStream()
                for pdu in feed_in_pieces(stream, octets, chance):
                    decoded += 1
                    refused += decode_everything(pdu, chance)
            except Exception as error:
                error.add_note(f"ONETOUCH_FUZZ_SEED={SEED}, case {number}: {octets.hex()}")
                raise
            broken += stream.broken is not None
            slowest_s = max(slowest_s, time.thread_time() - started)

    growth_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory_kib
    assert growth_kib < MOST_MEMORY_GROWTH_KIB, SEED
    assert slowest_s < SLOWEST_CASE_S, SEED
    # The cases must have reached what they are made for: most are framed, all three ends occur.
    assert decoded > CASES // 2
    assert refused > CASES // 10
    assert broken > CASES // 100


def test_the_largest_messages_of_the_worst_content_take_little_time():
    """64 K of what a decoder could stumble over: escapes, header elements, surrogates, parameters, spaces."""
    slowest_s = 0.0
    for pattern in (
        b"\x1b",
        b"\x1b\x1b(",
        b"\0\0",
        b"\x00\x01",
        b"\xd8\0",
        b"id:",
        b"id: ",
        b"\xff",
        b"\x1b$B",
        b" ",
    ):
        octets = (pattern * 65_000)[:65_000]
        body = b"\0" * 17 + b"\x04\x24" + len(octets).to_bytes(2, "big") + octets
        for esm_class in (0x04, 0x44, 0x00):
            started = time.thread_time()
            message = decode_message(DELIVER_SM, body)._replace(esm_class=esm_class)
            for data_coding in (0, 1, 4, 5, 8, 0x0E):
                for alphabet in DEFAULT_ALPHABETS:
                    text = read_text(
                        data_coding, esm_class, message.short_message, default_alphabet=alphabet, sar=None
                    )
                    read_signs(message, text)
            slowest_s = max(slowest_s, time.thread_time() - started)
        decode_message(DELIVER_SM, octets)
        decode_message(DATA_SM, octets)

    assert slowest_s < 2 * SLOWEST_CASE_S
