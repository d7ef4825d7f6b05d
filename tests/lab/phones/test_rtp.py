"""Ears that prove silence must hear all there is to hear, and a mouth must be where the measurement says it is."""

from __future__ import annotations

import math
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from telephony.domain.errors import Malformed, Refused, Unavailable
from telephony.lab.phones.rtp import (
    COLUMNS,
    DIGITS,
    KEYPAD,
    LATEST,
    LINEAR,
    PACKET_S,
    ROWS,
    SAMPLES,
    Ears,
    Rtp,
    dtmf_tone,
    encode,
    goertzel,
    loudness,
    parse,
    tone,
)
from telephony.lab.phones.sip import Media
from tests.awaiting import failure_of, is_waiting, result_of


class Wire(Clock):
    """A clock with UDP on it: a datagram takes one millisecond, unless `loses` claims it on the way."""

    def __init__(self):
        super().__init__()
        self.open = {}
        self.sent = []
        self.loses = lambda datagram: False
        self._next_port = 40_000

    def listenUDP(self, port, protocol, interface="", maxPacketSize=8192):  # noqa: N803 - Twisted's name
        self._next_port += 1
        end = WireEnd(self, (interface, port or self._next_port), protocol)
        self.open[end.address] = end
        protocol.transport = end
        return end

    def carry(self, datagram, source, to):
        self.sent.append((self.seconds(), source, to, datagram))
        if not self.loses(datagram):
            self.callLater(0.001, self._arrive, datagram, source, to)

    def _arrive(self, datagram, source, to):
        if to in self.open:
            self.open[to].protocol.datagramReceived(datagram, source)

    def run(self, seconds):
        """Let time pass, stopping at each call that is due."""
        end = self.rightNow + seconds
        while self.calls and self.calls[0].getTime() <= end:
            self.advance(max(self.calls[0].getTime() - self.rightNow, 0))
        self.advance(end - self.rightNow)


class WireEnd:
    def __init__(self, wire, address, protocol):
        self.wire, self.address, self.protocol = wire, address, protocol
        self.host, self.port = address

    def getHost(self):
        return self

    def write(self, datagram, to):
        assert self.address in self.wire.open, "written to a closed port"
        self.wire.carry(datagram, self.address, to)

    def stopListening(self):
        self.wire.open.pop(self.address, None)
        stopped = Deferred()
        stopped.callback(None)
        return stopped


HOME = "127.0.0.1"


def rtp(payload=b"", kind=0, *, sequence=1, timestamp=0, first=0x80):
    return struct.pack("!BBHII", first, kind, sequence, timestamp, 7) + payload


def spoken(*tones, amplitude=1.0):
    """Twenty packets of several tones at once."""
    samples = [
        round(
            amplitude * sum(8000 * math.sin(2 * math.pi * hz * n / 8000) for hz in tones) / max(len(tones), 1)
        )
        for n in range(20 * SAMPLES)
    ]
    return [bytes(map(encode, samples[at : at + SAMPLES])) for at in range(0, len(samples), SAMPLES)]


def heard(packets, pitches=(440, 480, 1000)):
    ears = Ears(pitches)
    for number, packet in enumerate(packets):
        ears.hear(number * PACKET_S, rtp(packet))
    return ears


class TestEars:
    @pytest.mark.parametrize(
        ("octet", "sample"),
        [(0x00, -32124), (0x80, 32124), (0xFF, 0), (0x7F, 0), (0xFE, 8), (0x70, -120), (0xEF, 132)],
    )
    def test_mu_law_is_that_of_g_711(self, octet, sample):
        assert LINEAR[octet] == sample

    def test_what_mu_law_can_say_is_written_as_it_is(self):
        assert [LINEAR[encode(int(sample))] for sample in LINEAR] == list(LINEAR)

    def test_what_it_cannot_say_is_off_by_a_thirty_second_at_most(self):
        for sample in range(-32_124, 32_124, 37):
            assert abs(LINEAR[encode(sample)] - sample) <= max(4, (abs(sample) + 132) / 32)

    def test_only_the_two_zeros_are_silence(self):
        assert [octet for octet in range(256) if loudness(bytes([octet]) * SAMPLES) == 0] == [0x7F, 0xFF]
        assert loudness(b"\xff" * 159 + b"\xfe") > 0
        assert loudness(b"") == 0

    def test_loudness_of_a_tone_is_its_rms(self):
        assert loudness(tone(1000)[:SAMPLES]) == pytest.approx(8000 / math.sqrt(2), rel=0.01)

    def test_goertzel_gives_half_the_peak_of_its_pitch_and_next_to_nothing_of_another(self):
        samples = [LINEAR[octet] for octet in tone(1000)[:SAMPLES]]
        assert goertzel(samples, 1000) == pytest.approx(4000, rel=0.01)
        assert goertzel(samples, 440) < 100
        assert goertzel([], 440) == 0

    @pytest.mark.parametrize(
        "said", [(440,), (480,), (1000,), (440, 480), (440, 1000), (440, 480, 1000), (600,), ()]
    )
    def test_exactly_the_pitches_that_sound_are_heard(self, said):
        ears = heard(spoken(*said))
        assert tuple(hz for hz in (440, 480, 1000) if ears.heard(hz)) == tuple(hz for hz in said if hz != 600)

    def test_a_pitch_that_nobody_listens_for_is_no_answer(self):
        with pytest.raises(KeyError):
            heard(spoken(440)).heard(600)

    def test_noise_is_loud_and_has_no_pitch(self):
        noise = random.Random(1)
        ears = heard([noise.randbytes(SAMPLES) for _ in range(2000)])
        assert ears.loud == 2000
        assert not any(ears.heard(hz) for hz in (440, 480, 1000))

    def test_a_click_of_80_ms_is_loud_but_no_tone(self):
        ears = heard(spoken(1000)[:4])
        assert (ears.loud, ears.heard(1000), ears.is_silent) == (4, False, False)

    def test_exact_zeros_are_counted_and_are_silence(self):
        ears = heard([b"\xff" * 160, b"\x7f" * 160, b"\xff\x7f" * 80])
        assert (ears.packets, ears.all_zero, ears.loud, ears.peak_rms, ears.is_silent) == (3, 3, 0, 0, True)

    def test_what_is_too_soft_to_be_loud_is_still_no_silence(self):
        ears = heard([b"\xff" * 159 + b"\xfe"])
        assert (ears.packets, ears.all_zero, ears.loud, ears.is_silent) == (1, 0, 0, False)

    def test_times_are_of_the_first_and_last_packet_and_the_first_and_last_loud_one(self):
        ears = heard([b"\xff" * 160, *spoken(440)[:2], b"\xff" * 160])
        assert (ears.first_at, ears.first_loud_at, ears.last_loud_at, ears.last_at) == (0, 0.02, 0.04, 0.06)
        assert ears.peak_rms == pytest.approx(5650, abs=100)

    def test_packets_of_one_digit_are_one_digit(self):
        ears = Ears()
        for timestamp, event in ((5, 1), (800, 1), (1600, 11), (2400, 99)):
            for duration in (160, 320, 320):
                ears.hear(0.0, rtp(struct.pack("!BBH", event, 10, duration), 101, timestamp=timestamp))
        assert (ears.digits, ears.dtmf_packets, ears.packets, ears.is_silent) == ("11#", 12, 12, False)

    def test_a_payload_type_that_was_not_agreed_is_no_silence(self):
        ears = Ears()
        ears.hear(0.0, rtp(b"\xff", 13))
        ears.hear(0.0, rtp(b"\x01\x0a\x00\xa0", 101))
        ears.hear(0.0, rtp(b"", 101))
        assert (ears.foreign, ears.dtmf_packets, ears.digits, ears.is_silent) == (1, 2, "1", False)

    def test_rtcp_and_rubbish_are_counted_apart(self):
        ears = Ears()
        for datagram in (b"", b"\x80", b"rubbish and more", rtp(first=0x40), b"\x80\xc8\x00\x06" + bytes(24)):
            ears.hear(0.0, datagram)
        assert (ears.packets, ears.rubbish, ears.rtcp) == (0, 4, 1)

    def test_contributors_extension_and_padding_are_not_audio(self):
        extra = struct.pack("!I", 1) + struct.pack("!HHI", 9, 1, 2)
        assert parse(rtp(extra + b"audio\x00\x00\x03", first=0xB1)).payload == b"audio"

    @pytest.mark.parametrize(
        "datagram", [rtp(first=0x81), rtp(first=0x90), rtp(b"\x00" * 4 + b"\x09", first=0xA0)]
    )
    def test_rtp_shorter_than_it_says_is_malformed(self, datagram):
        with pytest.raises(Malformed):
            parse(datagram)

    @given(st.binary(max_size=80), st.integers(0x80, 0xBF))
    @settings(max_examples=60)
    def test_nothing_makes_ears_ring(self, octets, first):
        ears = Ears((440,))
        ears.hear(0.0, octets)
        ears.hear(0.0, bytes([first]) + octets)
        assert ears.packets + ears.rubbish + ears.rtcp == 2


class TestMouth:
    def pair(self, tone_hz=440, **media):
        wire = Wire()
        mouth, listener = (
            Rtp(wire, random.Random(seed), tone_hz=hz, pitches=(440, 1000), interface=HOME)
            for seed, hz in ((1, tone_hz), (2, None))
        )
        peer = Media(
            HOME, listener.port, (0, 101), media.get("digits", 101), media.get("direction", "sendrecv")
        )
        return wire, mouth, listener.ears, peer

    def test_it_says_nothing_before_it_knows_to_whom(self):
        wire, mouth, ears, peer = self.pair()
        wire.run(1)
        assert ears.packets == 0
        mouth.talk_to(peer)
        wire.run(1)
        assert (ears.packets, ears.loud, ears.heard(440), ears.heard(1000)) == (50, 50, True, False)

    def test_its_tone_goes_on_smoothly_from_packet_to_packet(self):
        wire, mouth, _, peer = self.pair(tone_hz=441)
        mouth.talk_to(peer)
        wire.run(1)
        said = b"".join(parse(datagram).payload for *_, datagram in wire.sent)
        whole = [
            encode(round(8000 * math.sin(2 * math.pi * 441 * (n % 8000) / 8000))) for n in range(len(said))
        ]
        assert len(said) > 8000 - SAMPLES
        assert list(said) == whole

    def test_numbers_and_timestamps_go_on_without_a_gap(self):
        wire, mouth, _, peer = self.pair()
        mouth.talk_to(peer)
        wire.run(1)
        packets = [parse(datagram) for *_, datagram in wire.sent]
        assert [(p.sequence - packets[0].sequence, p.timestamp - packets[0].timestamp) for p in packets] == [
            (n, n * SAMPLES) for n in range(51)
        ]

    def test_it_does_not_drift_however_late_each_call_is(self):
        wire, mouth, ears, peer = self.pair()
        mouth.talk_to(peer)
        for _ in range(400):
            wire.advance(0.027)
        assert ears.packets == pytest.approx(400 * 0.027 / PACKET_S, abs=3)

    def test_after_a_long_delay_it_leaves_out_what_is_too_late(self):
        wire, mouth, _, peer = self.pair()
        mouth.talk_to(peer)
        wire.advance(10)
        assert len(wire.sent) == 1 + LATEST
        first, last = parse(wire.sent[0][3]), parse(wire.sent[-1][3])
        assert last.timestamp - first.timestamp == 500 * SAMPLES
        assert last.sequence - first.sequence == LATEST

    def test_zero_hz_is_exact_zeros_and_none_is_not_a_packet(self):
        for hz, packets in ((0, 50), (None, 0)):
            wire, mouth, ears, peer = self.pair(tone_hz=hz)
            mouth.talk_to(peer)
            wire.run(1)
            assert (ears.packets, ears.all_zero) == (packets, packets)

    def test_a_peer_on_hold_is_sent_nothing_until_it_comes_back(self):
        wire, mouth, ears, peer = self.pair()
        mouth.talk_to(Media(HOME, peer.port, (0,), None, "inactive"))
        wire.run(1)
        assert ears.packets == 0
        mouth.talk_to(peer)
        wire.run(1)
        assert ears.packets == pytest.approx(50, abs=1)

    @pytest.mark.parametrize("tone_hz", [440, None])
    def test_keys_are_pressed_one_after_the_other(self, tone_hz):
        wire, mouth, ears, peer = self.pair(tone_hz=tone_hz, digits=96)
        ears.event_type = 96
        mouth.talk_to(peer)
        pressed = mouth.press("11#")
        wire.run(0.59)
        assert is_waiting(pressed)
        wire.run(0.01)
        result_of(pressed)
        wire.run(0.4)
        assert (ears.digits, ears.dtmf_packets) == ("11#", 3 * 7)
        assert ears.loud == (0 if tone_hz is None else ears.packets - 21)
        events = [
            struct.unpack("!BBH", parse(each).payload)
            for *_, each in wire.sent
            if parse(each).payload_type == 96
        ]
        assert events[:7] == [(1, 10, 160 * n) for n in range(1, 5)] + [(1, 0x8A, 800)] * 3

    def test_keys_wait_until_there_is_a_peer(self):
        wire, mouth, ears, peer = self.pair()
        pressed = mouth.press("5")
        wire.run(1)
        mouth.talk_to(peer)
        wire.run(0.3)
        result_of(pressed)
        assert ears.digits == "5"

    def test_a_peer_that_takes_no_digits_gets_none(self):
        wire, mouth, ears, peer = self.pair(digits=None)
        mouth.talk_to(peer)
        assert isinstance(failure_of(mouth.press("1")), Refused)
        wire.run(1)
        assert ears.dtmf_packets == 0

    def test_no_key_is_pressed_at_once_and_no_phone_has_an_x(self):
        _, mouth, _, _ = self.pair()
        assert result_of(mouth.press("")) is None
        with pytest.raises(ValueError, match="substring"):
            mouth.press("1X")

    def test_closed_it_is_silent_and_says_so_to_who_still_presses(self):
        wire, mouth, ears, peer = self.pair()
        mouth.talk_to(peer)
        pressed = mouth.press("12")
        wire.run(0.03)
        mouth.close()
        before = ears.packets
        assert isinstance(failure_of(pressed), Unavailable)
        assert isinstance(failure_of(mouth.press("1")), Unavailable)
        mouth.talk_to(peer)
        mouth.close()
        wire.run(1)
        assert ears.packets - before <= 1  # the one that was on its way
        assert not wire.calls

    def test_waiting_for_something_to_be_heard_ends_when_it_is(self):
        wire, mouth, ears, peer = self.pair()
        listener = wire.open[HOME, peer.port].protocol
        waiting, never = listener.until(lambda e: e.heard(440)), listener.until(lambda e: e.heard(1000))
        mouth.talk_to(peer)
        wire.run(0.08)
        assert is_waiting(waiting)
        wire.run(0.02)
        result_of(waiting)
        assert ears.packets == 5
        never.cancel()
        wire.run(0.02)
        assert isinstance(failure_of(never), CancelledError)
        result_of(listener.until(lambda e: e.packets > 0))


@pytest.mark.parametrize("digit", DIGITS)
def test_a_key_sounds_in_its_two_tones_and_no_other(digit):
    samples = [LINEAR[octet] for octet in dtmf_tone(digit)]

    heard = [hz for hz in (*ROWS, *COLUMNS) if goertzel(samples, hz) > 1_000]

    assert heard == [ROWS[KEYPAD.index(digit) // 4], COLUMNS[KEYPAD.index(digit) % 4]]
    assert len(samples) == 800
