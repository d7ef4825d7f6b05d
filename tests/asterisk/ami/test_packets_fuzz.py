"""Mutated and random streams: packets, or a stream that says it is broken, in little time and memory."""

from __future__ import annotations

import os
import random
import resource
import time

from telephony.asterisk.ami.genuine import is_genuine
from telephony.asterisk.ami.packets import MAX_HEADERS, MAX_LINE, AmiStream, encode_action
from telephony.domain.errors import Malformed

CASES = 20_000
SEED = int(os.environ.get("ONETOUCH_FUZZ_SEED", "20110419"))
"""Fixed, so that a run can be repeated; set the variable to look elsewhere."""
SLOWEST_CASE_S = 1.0
MOST_MEMORY_GROWTH_KIB = 32 * 1024
TEMPTING = (
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b":",
    b": ",
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xe2\x80\xa8",
    b" ",
)

GOOD = (
    b"Asterisk Call Manager/5.0.4\r\n",
    b"Response: Success\r\nActionID: 3f-1\r\nEventList: start\r\nMessage: Channels will follow\r\n\r\n",
    b"Event: CoreShowChannel\r\nActionID: 3f-1\r\nChannel: PJSIP/skt-00000001\r\nUniqueid: voice-1-17.1\r\n\r\n",
    b"Event: CoreShowChannelsComplete\r\nActionID: 3f-1\r\nEventList: Complete\r\nListItems: 1\r\n\r\n",
    b"Event: UserEvent\r\nPrivilege: user,all\r\nUserEvent: SOSCall\r\nChanVariable: SOS_ID=x\r\nStage: begin\r\n\r\n",
    "Event: Newstate\r\nCallerIDName: 김철수\r\nConnectedLineName: <unknown>\r\n\r\n".encode(),
    b"Response: Success\r\nMessage: Command output follows\r\nOutput: a\r\nOutput:   b\r\nOutput: \r\n\r\n",
    b"Event: OriginateResponse\r\nPrivilege: call,all\r\nActionID: 3f-2\r\nResponse: Failure\r\nReason: 3\r\n\r\n",
)


def make_case(chance):
    octets = b"".join(chance.choices(GOOD, k=chance.randint(1, 6)))
    if chance.random() < 0.1:
        octets = chance.randbytes(chance.randint(0, 400))
    for _ in range(chance.randint(0, 6)):
        place = chance.randrange(len(octets) + 1)
        kind = chance.randrange(4)
        if kind == 0:
            octets = octets[:place] + chance.choice(TEMPTING) + octets[place:]
        elif kind == 1:
            octets = octets[:place] + octets[place + chance.randint(1, 30) :]
        elif kind == 2:
            octets = octets[:place] + chance.randbytes(1) + octets[place + 1 :]
        elif chance.random() < 0.01:
            octets = octets[:place] + b"x" * (MAX_LINE - chance.randint(-100, 100)) + octets[place:]
    return octets


def read(octets, places):
    stream, packets, begin = AmiStream(), [], 0
    for end in [*places, len(octets)]:
        packets += stream.feed(octets[begin:end])
        assert len(stream._held) <= MAX_LINE
        assert len(stream._headers) <= MAX_HEADERS
        begin = end
    return stream, packets


def test_mutated_and_random_streams_give_the_same_packets_however_they_are_cut():
    chance = random.Random(SEED)
    taken = broken = 0
    slowest_s = 0.0
    memory_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(CASES):
        octets = make_case(chance)
        places = sorted(chance.randrange(len(octets) + 1) for _ in range(chance.randint(1, 4)))
        started = time.thread_time()
        try:
            whole, packets = read(octets, [])
            cut, packets_of_cut = read(octets, places)
            assert packets == packets_of_cut
            assert (whole.banner, str(whole.broken)) == (cut.banner, str(cut.broken))
            for packet in packets:
                assert packet.headers
                parts = [part for header in packet.headers for part in header]
                assert not any(control in part for control in "\r\n\0\x1b" for part in parts)
                assert packet.event == "" or packet.headers[0][0] == "Event"
                assert isinstance(is_genuine(packet), bool)
                assert isinstance(packet.is_response, bool)
        except Exception as error:
            error.add_note(f"ONETOUCH_FUZZ_SEED={SEED}, case {number}")
            raise
        slowest_s = max(slowest_s, time.thread_time() - started)
        taken += len(packets)
        broken += whole.broken is not None

    growth_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory_kib
    assert growth_kib < MOST_MEMORY_GROWTH_KIB, SEED
    assert slowest_s < SLOWEST_CASE_S, SEED
    # The cases must have reached what they are made for.
    assert taken > CASES
    assert broken > CASES // 1000


def test_random_actions_are_read_back_as_they_were_given_or_refused():
    chance = random.Random(SEED)
    alphabet = "aB9 :\r\n\0김\u2028\x85\udc80\\,=${}|&"
    refused = 0
    for _ in range(CASES):
        fields = [
            (
                "".join(chance.choices(alphabet, k=chance.randint(0, 3))),
                "".join(chance.choices(alphabet, k=2)),
            )
            for _ in range(chance.randint(0, 2))
        ]
        try:
            octets = encode_action("Setvar", "1", fields)
        except Malformed:
            refused += 1
            continue
        (packet,) = AmiStream(expects_banner=False).feed(octets)
        assert list(packet.headers) == [("Action", "Setvar"), ("ActionID", "1"), *fields]

    assert CASES // 4 < refused < CASES
