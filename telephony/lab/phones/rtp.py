"""RTP ends of the lab's calls: measure what a phone could hear, on the decoded audio, and send a tone.

RTP is RFC 3550, PCMU is G.711 µ-law, digits are RFC 4733 telephone-events.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import repeat
from struct import Struct
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.protocol import DatagramProtocol

from telephony.domain.errors import Malformed, Refused, Unavailable
from telephony.lab.phones.sip import PCMU, TELEPHONE_EVENT, Media

RATE = 8000
PACKET_S = 0.02
SAMPLES = 160
"""Of one packet: 20 ms."""

LOUD_RMS = 100
"""A packet above this can be heard; G.711 reaches 32,124."""
PITCH_SHARE = 0.25
"""A pitch sounds in a packet when its amplitude is at least this share of the packet's RMS. A pure tone gives 0.71, one
of two equal tones 0.5; a tone 40 Hz away leaves 0.17, noise 0.25 in one packet of 20,000."""
HEARD_PACKETS = 5
"""A pitch is heard when it sounds in 100 ms, altogether."""
AMPLITUDE = 8000

DIGITS = "0123456789*#ABCD"
"""In the order of their event codes (RFC 4733 section 3.2)."""
ROWS, COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
KEYPAD = "123A456B789C*0#D"
"""Keys by row and column (ITU-T Q.23)."""
DIGIT_PACKETS = 5
"""A digit lasts 100 ms; Asterisk wants 80."""
GAP_PACKETS = 5
END_REPEATS = 3
"""RFC 4733 section 2.5.1.4."""

LATEST = 10
"""Packets that a late mouth sends at once; of a longer delay it leaves the rest out."""

_HEADER = Struct("!BBHII")
_EVENT = Struct("!BBH")


def _linear(octet: int) -> int:
    """Decode one octet of µ-law (ITU-T G.711)."""
    inverted = ~octet & 0xFF
    magnitude = (((inverted & 0x0F) << 3) + 0x84 << (inverted >> 4 & 7)) - 0x84
    return -magnitude if inverted & 0x80 else magnitude


LINEAR = tuple(float(_linear(octet)) for octet in range(256))
_SQUARES = tuple(sample * sample for sample in LINEAR)
_ZEROS = b"\xff\x7f"


def encode(sample: int) -> int:
    """Return the octet of µ-law for a sample of 16 bits."""
    sign = 0x80 if sample < 0 else 0
    biased = min(abs(sample), 32_635) + 0x84
    exponent = biased.bit_length() - 8
    return ~(sign | exponent << 4 | (biased >> (exponent + 3)) & 0x0F) & 0xFF


def loudness(audio: bytes) -> float:
    """Return the RMS of µ-law audio; exactly 0 only where every sample is."""
    if not audio.strip(_ZEROS):
        return 0.0
    return math.sqrt(sum(map(_SQUARES.__getitem__, audio)) / len(audio))


def goertzel(samples: Iterable[float], hz: float) -> float:
    """Return the amplitude of one pitch: half the peak for a pure tone."""
    factor = 2 * math.cos(2 * math.pi * hz / RATE)
    last = before = 0.0
    count = 0
    for count, sample in enumerate(samples, 1):  # noqa: B007 - the count is what is wanted
        last, before = sample + factor * last - before, last
    return math.sqrt(max(last * last + before * before - factor * last * before, 0.0)) / max(count, 1)


def tone(hz: int) -> bytes:
    """Return µ-law of a tone: whole periods, then one packet more, so that a packet can be cut anywhere. 0 Hz is silence."""
    period = RATE // math.gcd(RATE, hz)
    return bytes(
        encode(round(AMPLITUDE * math.sin(2 * math.pi * hz * (n % period) / RATE)))
        for n in range(period + SAMPLES)
    )


def dtmf_tone(digit: str) -> bytes:
    """Return µ-law of a key as it sounds: 100 ms of its two tones (ITU-T Q.23)."""
    place = KEYPAD.index(digit)
    pair = (ROWS[place // 4], COLUMNS[place % 4])
    step = 2 * math.pi / RATE
    return bytes(
        encode(round(AMPLITUDE / 2 * sum(math.sin(step * hz * n) for hz in pair)))
        for n in range(SAMPLES * DIGIT_PACKETS)
    )


@dataclass(frozen=True, slots=True)
class Packet:
    """One RTP packet, without extension and padding."""

    payload_type: int
    sequence: int
    timestamp: int
    payload: bytes


def parse(datagram: bytes) -> Packet:
    """Read one RTP packet (RFC 3550 section 5.1). Raises `Malformed`."""
    if len(datagram) < _HEADER.size or datagram[0] >> 6 != 2:  # noqa: PLR2004 - the version
        raise Malformed("not RTP")
    first, second, sequence, timestamp, _ = _HEADER.unpack_from(datagram)
    begin, end = _HEADER.size + 4 * (first & 0x0F), len(datagram)
    if first & 0x10:
        begin += 4 + 4 * int.from_bytes(datagram[begin + 2 : begin + 4])
    if first & 0x20:
        end -= max(datagram[-1], 1)
    if begin > end:
        raise Malformed("RTP shorter than it says")
    return Packet(second & 0x7F, sequence, timestamp, datagram[begin:end])


@dataclass
class Ears:
    """The audio that arrived at one end of a call. Times are the reactor's.

    ``packets`` are RTP packets of any kind; ``all_zero`` those of PCMU that decode to exact silence, ``loud`` those
    that can be heard; ``dtmf_packets`` are of RFC 4733, ``digits`` the digits they spell; ``foreign`` are of a payload
    type that was not agreed (``event_type`` is that of digits). ``sounding`` counts, for each Hz that is listened for, the loud packets in which it
    sounds. ``rtcp`` and ``rubbish`` are no RTP and count nowhere else.
    """

    pitches: tuple[int, ...] = ()
    event_type: int = TELEPHONE_EVENT
    packets: int = 0
    all_zero: int = 0
    loud: int = 0
    peak_rms: int = 0
    dtmf_packets: int = 0
    digits: str = ""
    foreign: int = 0
    rtcp: int = 0
    rubbish: int = 0
    first_at: float | None = None
    last_at: float | None = None
    first_loud_at: float | None = None
    last_loud_at: float | None = None
    sounding: dict[int, int] = field(init=False)
    _digit_at: int | None = None

    def __post_init__(self) -> None:
        self.sounding = dict.fromkeys(self.pitches, 0)

    @property
    def is_silent(self) -> bool:
        """Whether a phone playing all this would have made no sound."""
        return self.packets == self.all_zero

    def heard(self, hz: int) -> bool:
        """Whether a tone of this pitch was there for 100 ms. `KeyError` for one that is not listened for."""
        return self.sounding[hz] >= HEARD_PACKETS

    def hear(self, at: float, datagram: bytes) -> None:
        """Take what came from the network."""
        if len(datagram) > 1 and datagram[0] >> 6 == 2 and 192 <= datagram[1] <= 223:  # noqa: PLR2004 - RFC 5761 section 4
            self.rtcp += 1
            return
        try:
            packet = parse(datagram)
        except Malformed:
            self.rubbish += 1
            return
        self.packets += 1
        self.first_at = at if self.first_at is None else self.first_at
        self.last_at = at
        if packet.payload_type == PCMU:
            self._hear_audio(at, packet.payload)
        elif packet.payload_type == self.event_type:
            self._hear_digit(packet)
        else:
            self.foreign += 1

    def _hear_audio(self, at: float, audio: bytes) -> None:
        rms = loudness(audio)
        self.peak_rms = max(self.peak_rms, round(rms))
        if rms == 0:
            self.all_zero += 1
        if rms <= LOUD_RMS:
            return
        self.loud += 1
        self.first_loud_at = at if self.first_loud_at is None else self.first_loud_at
        self.last_loud_at = at
        samples = [LINEAR[octet] for octet in audio]
        for hz in self.pitches:
            if goertzel(samples, hz) >= PITCH_SHARE * rms:
                self.sounding[hz] += 1

    def _hear_digit(self, packet: Packet) -> None:
        """Count an event; all packets of one digit have one timestamp (RFC 4733 section 2.2)."""
        self.dtmf_packets += 1
        event = packet.payload[:1]
        if event and event[0] < len(DIGITS) and packet.timestamp != self._digit_at:
            self._digit_at = packet.timestamp
            self.digits += DIGITS[event[0]]


class Rtp(DatagramProtocol):
    """One end of a call's audio: a UDP port with `Ears`, and a mouth that talks once it is told where to.

    ``tone_hz`` is what the mouth says: a tone, exact zeros (0), or not a packet (``None``). Nothing is sent before
    `talk_to`, nor after `close`.
    """

    noisy = False
    transport: Any

    def __init__(
        self,
        reactor: Any,
        rng: random.Random,
        *,
        tone_hz: int | None,
        pitches: tuple[int, ...],
        interface: str,
    ) -> None:
        self._reactor = reactor
        self._tone = None if tone_hz is None else tone(tone_hz)
        self._period = len(self._tone) - SAMPLES if self._tone else 1
        self._ssrc, self._sequence = rng.getrandbits(32), rng.getrandbits(15)
        self._timestamp = rng.getrandbits(31)
        self._sent = 0
        self._to: Media | None = None
        self._began: float | None = None
        self._next: Any = None
        self._keys: list[_Key] = []
        self._claims: list[tuple[Callable[[Ears], bool], Deferred[None]]] = []
        self.packets_sent = 0
        self.ears = Ears(pitches)
        self.is_open = True
        self._port = reactor.listenUDP(0, self, interface=interface)

    @property
    def port(self) -> int:
        """The UDP port on which it listens."""
        return int(self._port.getHost().port)

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:  # noqa: N802, ARG002 - Twisted's name and signature
        """Take a packet from any sender: a phone would play it."""
        self.ears.hear(self._reactor.seconds(), datagram)
        for claim, waiting in self._claims:
            if not waiting.called and claim(self.ears):
                waiting.callback(None)
        self._claims = [each for each in self._claims if not each[1].called]

    def until(self, claim: Callable[[Ears], bool]) -> Deferred[None]:
        """Fire when the condition on what was heard holds. It may be cancelled."""
        waiting: Deferred[None] = Deferred()
        if claim(self.ears):
            waiting.callback(None)
        else:
            self._claims.append((claim, waiting))
        return waiting

    def talk_to(self, peer: Media) -> None:
        """Talk to this peer from now on; it may change, and it may want nothing for a while."""
        self._to = peer
        if self._began is None and self.is_open:
            self._began = self._reactor.seconds()
            self._tick()

    def press(self, digits: str) -> Deferred[None]:
        """Press keys one after the other, 100 ms each. Fires when the last one is sent.

        Fails with `Refused` where the peer takes no digits, with `Unavailable` when the call ends before; `ValueError`
        for a key that no phone has.
        """
        codes = [DIGITS.index(digit) for digit in digits]
        if self._to is not None and self._to.digits is None:
            return fail(Refused("the peer takes no telephone-event"))
        if not self.is_open:
            return fail(Unavailable("the call is over"))
        keys = [_Key(code) for code in codes]
        done: Deferred[None] = Deferred()
        if not keys:
            done.callback(None)
            return done
        keys[-1].done = done
        self._keys += keys
        return done

    def press_aloud(self, digits: str) -> Deferred[None]:
        """Press keys that are sent as what they sound like, within the audio. Fires when the last one is sent."""
        if not self.is_open:
            return fail(Unavailable("the call is over"))
        done: Deferred[None] = Deferred()
        keys = [_Key(DIGITS.index(digit), tone=dtmf_tone(digit)) for digit in digits]
        keys[-1].done = done
        self._keys += keys
        return done

    def close(self) -> None:
        """Be silent and deaf from now on."""
        if not self.is_open:
            return
        self.is_open = False
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._port.stopListening()
        unsent, self._keys = self._keys, []
        for key in unsent:
            if key.done is not None:
                key.done.errback(Unavailable("the call ended before the keys were sent"))

    def _tick(self) -> None:
        """Send what is due: packet n is due n times 20 ms after the first, however late the reactor is."""
        assert self._began is not None
        self._next = None
        now = self._reactor.seconds()
        due = int((now - self._began) / PACKET_S + 1e-6) + 1
        self._sent = max(self._sent, due - LATEST)
        while self._sent < due and self.is_open:
            self._send_one()
            self._sent += 1
        if self.is_open:
            self._next = self._reactor.callLater(
                max(self._began + self._sent * PACKET_S - now, 0), self._tick
            )

    def _send_one(self) -> None:
        assert self._to is not None
        if not self._to.is_open:
            return
        if self._keys and self._keys[0].tone:
            self._send_tone(self._keys[0])
        elif self._keys and self._to.digits is not None:
            self._send_key(self._keys[0], self._to.digits)
        elif self._tone is not None:
            begin = self._sent * SAMPLES % self._period
            self._send(
                PCMU, self._sent * SAMPLES, self._tone[begin : begin + SAMPLES], marker=self.packets_sent == 0
            )

    def _send_key(self, key: _Key, payload_type: int) -> None:
        """Send the next packet of a digit; the last one three times, then a pause (RFC 4733 section 2.5)."""
        key.packets += 1
        if key.packets == 1:
            key.at = self._sent * SAMPLES
        if key.packets <= DIGIT_PACKETS:
            is_end = key.packets == DIGIT_PACKETS
            event = _EVENT.pack(key.code, (0x80 if is_end else 0) | 10, key.packets * SAMPLES)
            for _ in repeat(None, END_REPEATS if is_end else 1):
                self._send(payload_type, key.at, event, marker=key.packets == 1)
        elif key.packets >= DIGIT_PACKETS + GAP_PACKETS:
            self._over(key)

    def _send_tone(self, key: _Key) -> None:
        """Send the next 20 ms of a key that sounds, or of the silence behind it."""
        sound = key.tone[key.packets * SAMPLES : (key.packets + 1) * SAMPLES] or b"\xff" * SAMPLES
        self._send(PCMU, self._sent * SAMPLES, sound, marker=False)
        key.packets += 1
        if key.packets >= DIGIT_PACKETS + GAP_PACKETS:
            self._over(key)

    def _over(self, key: _Key) -> None:
        self._keys.pop(0)
        if key.done is not None:
            key.done.callback(None)

    def _send(self, payload_type: int, at: int, payload: bytes, *, marker: bool) -> None:
        assert self._to is not None
        header = _HEADER.pack(
            0x80,
            payload_type | (0x80 if marker else 0),
            self._sequence & 0xFFFF,
            (self._timestamp + at) & 0xFFFFFFFF,
            self._ssrc,
        )
        self._sequence += 1
        self.packets_sent += 1
        self.transport.write(header + payload, (self._to.host, self._to.port))


@dataclass
class _Key:
    """A key being pressed: its event code, packets so far, RTP timestamp of its beginning, whom to tell, what it sounds like."""

    code: int
    packets: int = 0
    at: int = 0
    done: Deferred[None] | None = None
    tone: bytes = b""
