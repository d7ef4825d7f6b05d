"""Whatever connects to the FastAGI port says: a message or a refusal, in bounded memory, and no word of it in a log."""

from __future__ import annotations

import os
import random
import shlex

from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from telephony.asterisk.menu.agi import (
    MAX_COMMAND,
    MAX_LINE,
    AgiStream,
    HangUp,
    Reply,
    Request,
    encode_command,
)
from telephony.domain.errors import Malformed
from tests.asterisk.menu.test_agi import CALLER, REQUEST, Listening

CASES = 20_000
SEED = int(os.environ.get("ONETOUCH_FUZZ_SEED", "20110419"))
CONVERSATION = (
    REQUEST
    + b"200 result=1\n200 result=49 endpos=8000\n200 result= (timeout)\n510 Invalid\n"
    + b"520-Usage\nmore\n520 End\n100 Trying\n200 result=-1\nHANGUP\n"
)
TEMPTING = (
    b"\n",
    b"\r\n",
    b"\0",
    b":",
    b" ",
    b"-",
    b"=",
    b"(",
    b"\xff",
    b"agi_",
    b"200 result=",
    b"520-",
    b"9" * 40,
)


def mutated(rng):
    octets = bytearray(CONVERSATION)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(octets) + 1)
        match rng.randrange(4):
            case 0:
                octets[at:at] = rng.choice(TEMPTING)
            case 1:
                del octets[at : at + rng.randint(1, 40)]
            case 2:
                octets[at : at + 1] = rng.randbytes(1)
            case _:
                octets[at:at] = octets[rng.randrange(len(octets)) :][: rng.randint(1, 200)]
    return bytes(octets)


def test_mutated_conversations_are_read_or_refused():
    rng = random.Random(SEED)
    refused = 0
    for case in range(CASES):
        octets = mutated(rng)
        stream = AgiStream()
        at = rng.randrange(len(octets))
        messages = stream.feed(octets[:at]) + stream.feed(octets[at:])
        assert all(isinstance(message, Request | Reply | HangUp) for message in messages), (SEED, case)
        assert [isinstance(message, Request) for message in messages[1:]].count(True) == 0, (SEED, case)
        assert not messages or isinstance(messages[0], Request), (SEED, case)
        if stream.broken is not None:
            refused += 1
            assert isinstance(stream.broken, Malformed)
            assert CALLER not in str(stream.broken)
    assert 0 < refused < CASES


def test_mutated_conversations_leave_a_server_as_it_was():
    rng = random.Random(SEED)
    listening = Listening(max_calls=3)
    with capture_logs() as said:
        for _ in range(2_000):
            wire = listening.connect(mutated(rng))
            wire.loseConnection()
            assert listening.server.open_connections == 0
        listening.server.stopService()
    assert listening.reactor.getDelayedCalls() == []
    assert CALLER not in repr(said)


@given(st.binary(max_size=3 * MAX_LINE), st.lists(st.integers(0, 3 * MAX_LINE), max_size=5))
def test_any_octets_in_any_pieces_are_read_or_refused_within_bounds(octets, cuts):
    stream = AgiStream()
    begin = 0
    for end in [*sorted(cuts), len(octets)]:
        stream.feed(octets[begin:end])
        begin = max(begin, end)
        assert len(stream._held) <= MAX_LINE
    whole = AgiStream()
    whole.feed(octets)
    assert str(whole.broken) == str(stream.broken)


@given(st.text(max_size=MAX_COMMAND), st.text(max_size=40))
def test_any_argument_arrives_as_it_was_said_or_is_refused(first, second):
    try:
        line = encode_command("SET VARIABLE", first, second)
    except Malformed:
        assert any(c in first + second for c in "\r\n\0") or len((first + second).encode()) > MAX_COMMAND // 2
        return
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert len(line) <= MAX_COMMAND
    assert shlex.split(line.decode()[:-1], posix=True) == ["SET", "VARIABLE", first, second]
