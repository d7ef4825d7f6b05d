"""FastAGI: what Asterisk says is read strictly, what we say cannot become another command, and all of it is bounded."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock, StringTransport

from telephony.alarms import Alarms
from telephony.asterisk.menu.agi import (
    MAX_COMMAND,
    MAX_HEADERS,
    MAX_LINE,
    MAX_USAGE,
    AgiStream,
    HangUp,
    Reply,
    Request,
    digit_of,
    encode_command,
)
from telephony.asterisk.menu.agi_server import AgiServer, CallOver, Played
from telephony.asterisk.settings import ServiceMenu
from telephony.domain.errors import Malformed, Refused
from telephony.net.refusals import MINUTE_S
from tests.awaiting import failure_of, is_waiting, result_of

CALLER = "01012345678"
REQUEST = f"""\
agi_network: yes
agi_network_script: menu
agi_request: agi://127.0.0.1:4573/menu
agi_channel: PJSIP/skt-voice-00000001
agi_language: en
agi_type: PJSIP
agi_uniqueid: voice-1-1763900000.12
agi_version: 16.28.0~dfsg-0+deb11u4
agi_callerid: {CALLER}
agi_calleridname: Kim, "Min: ji"
agi_callingpres: 0
agi_callingani2: 0
agi_callington: 0
agi_callingtns: 0
agi_dnid: 1588112
agi_rdnis: unknown
agi_context: service
agi_extension: s
agi_priority: 5
agi_enhanced: 0.0
agi_accountcode:
agi_threadid: 140172383549184
agi_arg_1: /srv/sounds
agi_arg_2: skt-voice

""".encode()
"""As Asterisk 16.28 sends it."""

PLAIN = Request("menu", "voice-1", "voice-1-1763900000.12", CALLER, "1588112", ("/srv/sounds", "skt-voice"))


def read(octets):
    stream = AgiStream()
    messages = stream.feed(octets)
    assert stream.broken is None, stream.broken
    return messages


def refusal(octets):
    stream = AgiStream()
    stream.feed(octets)
    assert stream.broken is not None
    assert not stream._held
    return str(stream.broken)


def changed(old, new):
    assert old in REQUEST
    return REQUEST.replace(old, new)


# -- what Asterisk says ---------------------------------------------------------------------------------------------


def test_a_request_is_read_as_asterisk_writes_it():
    (request,) = read(REQUEST)
    assert request == PLAIN
    assert request.reference == "voice-1/voice-1-1763900000.12"


def test_a_request_shows_no_number_when_it_is_printed():
    assert CALLER not in repr(PLAIN)
    assert "1588112" not in repr(PLAIN)


@pytest.mark.parametrize("word", [b"unknown", b"", b"anonymous", b"+" * 33, b"\xd9\xa0\xd9\xa1\xd9\xa0"])
def test_a_caller_without_a_number_has_none(word):
    (request,) = read(changed(b"agi_callerid: 01012345678", b"agi_callerid: " + word))
    assert request.caller == ""


NO_REQUESTS = {
    "another protocol": (b"GET / HTTP/1.1\r\n", "no agi_ variable"),
    "a line without a value": (changed(b"agi_type: PJSIP", b"agi_type"), "no agi_ variable"),
    "a name that says a second number": (changed(b"Kim", b"Kim\nagi_callerid: 112"), "twice"),
    "no unique id": (changed(b"agi_uniqueid: voice-1-1763900000.12\n", b""), "systemname"),
    "a unique id without a system name": (changed(b"voice-1-1763900000.12", b"1763900000.12"), "systemname"),
    "a unique id that is a path": (changed(b"voice-1-1763900000.12", b"../../1-1763900000.12"), "systemname"),
    "too long a line": (changed(b"Kim", b"K" * MAX_LINE), "longer than"),
    "too long a line that does not end": (b"agi_network: " + b"y" * MAX_LINE, "longer than"),
    "too many lines": (b"".join(b"agi_x%d: 1\n" % n for n in range(MAX_HEADERS + 1)), "more than"),
}


@pytest.mark.parametrize(("octets", "why"), NO_REQUESTS.values(), ids=NO_REQUESTS)
def test_what_is_no_request_is_refused_without_repeating_it(octets, why):
    reason = refusal(octets)
    assert why in reason
    assert not any(secret in reason for secret in (CALLER, "Kim", "HTTP", "1763900000"))


REPLIES = {
    "200 result=1": Reply(200, 1),
    "200 result=-1": Reply(200, -1),
    "200 result=49 endpos=8000": Reply(200, 49, 8000),
    "200 result=-1 endpos=0": Reply(200, -1, 0),
    "200 result=1 (ko)": Reply(200, 1),
    "200 result= (timeout)": Reply(200),
    "510 Invalid or unknown command": Reply(510),
    "511 Command Not Permitted on a dead channel or intercept routine": Reply(511),
    "HANGUP": HangUp(),
}


@pytest.mark.parametrize(("line", "message"), REPLIES.items(), ids=REPLIES)
def test_a_reply_is_read(line, message):
    assert read(REQUEST + line.encode() + b"\n")[1:] == [message]


def test_an_explanation_of_usage_is_one_reply():
    usage = b"520-Invalid command syntax.  Proper usage follows:\nUsage: STREAM FILE x\n\n200 result=1\n520 End of proper usage.\n"
    assert read(REQUEST + usage + b"200 result=0\n")[1:] == [Reply(520), Reply(200, 0)]


def test_a_provisional_reply_is_waited_out():
    assert read(REQUEST + b"100 result=0 Trying...\n200 result=0\n")[1:] == [Reply(200, 0)]


NO_REPLIES = {
    "a word": (b"hello\n", "no reply"),
    "an empty line": (b"\n", "no reply"),
    "a result that is no number": (b"200 result=one\n", "no reply"),
    "a result of a thousand digits": (b"200 result=" + b"1" * 1000 + b"\n", "no reply"),
    "an explanation without an end": (b"520-Invalid\n" + b"and so on\n" * MAX_USAGE, "without an end"),
}


@pytest.mark.parametrize(("octets", "why"), NO_REPLIES.values(), ids=NO_REPLIES)
def test_what_is_no_reply_ends_the_conversation(octets, why):
    assert why in refusal(REQUEST + octets)


def test_what_came_before_a_fault_counts_and_nothing_after_it():
    stream = AgiStream()
    assert stream.feed(REQUEST + b"200 result=1\nrubbish\n200 result=2\n") == [PLAIN, Reply(200, 1)]
    assert stream.broken is not None
    assert stream.feed(b"200 result=3\n") == []


def test_however_the_stream_is_cut_the_messages_are_the_same():
    octets = REQUEST.replace(b"\n", b"\r\n") + b"200 result=49 endpos=8000\nHANGUP\n"
    stream = AgiStream()
    messages = [message for n in range(len(octets)) for message in stream.feed(octets[n : n + 1])]
    assert messages == [PLAIN, Reply(200, 49, 8000), HangUp()]


# -- what we say ----------------------------------------------------------------------------------------------------


def test_arguments_are_quoted():
    assert encode_command("STREAM FILE", 'a "b\\c', "") == b'STREAM FILE "a \\"b\\\\c" ""\n'


@pytest.mark.parametrize("argument", ["a\nEXEC System x", "a\r", "a\0b", "\ud800", "x" * MAX_COMMAND])
def test_an_argument_cannot_become_another_command(argument):
    with pytest.raises(Malformed, match="SET VARIABLE") as refused:
        encode_command("SET VARIABLE", "NAME", argument)
    assert argument not in str(refused.value)


@pytest.mark.parametrize("verb", ["", "stream file", "HANGUP\nEXEC", 'EXEC "System"', " HANGUP"])
def test_a_verb_is_a_word_of_agi(verb):
    with pytest.raises(Malformed):
        encode_command(verb)


def test_a_result_is_a_digit_or_none():
    assert [digit_of(result) for result in (0, 49, 42, 35)] == ["", "1", "*", "#"]
    for result in (None, -1, 1, 97, 10_000):
        with pytest.raises(Malformed):
            digit_of(result)


# -- the server -----------------------------------------------------------------------------------------------------


class Listening:
    """A server on a wire in memory, whose menu waits to be told what to do."""

    def __init__(self, **settings):
        self.reactor = MemoryReactorClock()
        self.settings = ServiceMenu(**settings)
        self.server = AgiServer(
            self.settings, reactor=self.reactor, run=self.run, alarms=Alarms(self.reactor)
        )
        self.server.startService()
        self.calls = []
        self.over = Deferred()

    async def run(self, agi):
        self.calls.append(agi)
        await self.over

    @property
    def agi(self):
        (agi,) = self.calls
        return agi

    def connect(self, octets=REQUEST, host="127.0.0.1"):
        protocol = self.reactor.tcpServers[0][1].buildProtocol(IPv4Address("TCP", host, 40_000))
        if protocol is None:
            return None
        protocol.makeConnection(Wire(protocol))
        if octets:
            protocol.dataReceived(octets)
        return protocol.transport


class Wire(StringTransport):
    """The side of Asterisk."""

    def __init__(self, protocol):
        super().__init__()
        self.protocol = protocol

    def heard(self):
        octets = self.value()
        self.clear()
        return octets

    def say(self, octets):
        self.protocol.dataReceived(octets)

    def loseConnection(self):
        if not self.disconnecting:
            super().loseConnection()
            self.protocol.connectionLost()

    def abortConnection(self):
        self.loseConnection()


def playing(agi):
    return Deferred.fromCoroutine(agi.stream_file("/srv/sounds/ko/service-menu", "12"))


def test_it_listens_on_loopback_unless_it_is_told_otherwise():
    port, _, _, interface = Listening().reactor.tcpServers[0]
    assert (port, interface) == (4573, "127.0.0.1")


def test_a_file_is_played_and_the_digit_that_interrupts_it_is_told():
    listening = Listening()
    wire = listening.connect()
    played = playing(listening.agi)
    assert wire.heard() == b'STREAM FILE "/srv/sounds/ko/service-menu" "12"\n'
    assert is_waiting(played)
    wire.say(b"200 result=50 endpos=8000\n")
    assert result_of(played) == Played("2", was_there=True)


@pytest.mark.parametrize("reply", [b"200 result=-1 endpos=0\n", b"200 result=0 endpos=0\n"])
def test_a_file_that_is_not_there_is_told(reply):
    listening = Listening()
    wire = listening.connect()
    played = playing(listening.agi)
    wire.say(reply)
    assert result_of(played) == Played("", was_there=False)


def test_a_digit_is_waited_for_in_milliseconds():
    listening = Listening()
    wire = listening.connect()
    waiting = Deferred.fromCoroutine(listening.agi.wait_for_digit(2.5))
    assert wire.heard() == b'WAIT FOR DIGIT "2500"\n'
    wire.say(b"200 result=0\n")
    assert result_of(waiting) == ""
    waiting = Deferred.fromCoroutine(listening.agi.wait_for_digit(2.5))
    wire.say(b"200 result=-1\n")
    assert isinstance(failure_of(waiting), CallOver)


def test_a_variable_is_set():
    listening = Listening()
    wire = listening.connect()
    done = Deferred.fromCoroutine(listening.agi.set_variable("TIMEOUT(absolute)", "30"))
    assert wire.heard() == b'SET VARIABLE "TIMEOUT(absolute)" "30"\n'
    wire.say(b"200 result=1\n")
    assert result_of(done) is None


def test_a_command_that_asterisk_does_not_take_is_refused():
    listening = Listening()
    wire = listening.connect()
    played = playing(listening.agi)
    wire.say(b"520-Invalid command syntax.\nusage\n520 End of proper usage.\n")
    assert isinstance(failure_of(played), Refused)


@pytest.mark.parametrize("end", [b"HANGUP\n", None])
def test_a_caller_who_hangs_up_ends_what_is_waited_for_and_all_that_follows(end):
    listening = Listening()
    wire = listening.connect()
    played = playing(listening.agi)
    if end is None:
        wire.loseConnection()
    else:
        wire.say(end)
    assert isinstance(failure_of(played), CallOver)
    wire.clear()
    assert isinstance(failure_of(playing(listening.agi)), CallOver)
    assert wire.heard() == b""


def test_a_reply_that_does_not_come_ends_the_call():
    listening = Listening(idle_s=10)
    wire = listening.connect()
    played = playing(listening.agi)
    listening.reactor.advance(9.9)
    assert is_waiting(played)
    listening.reactor.advance(0.2)
    assert isinstance(failure_of(played), CallOver)
    assert wire.disconnecting
    assert listening.reactor.getDelayedCalls() == []


def test_the_connection_ends_with_the_menu():
    listening = Listening()
    wire = listening.connect()
    assert not wire.disconnecting
    listening.over.callback(None)
    assert wire.disconnecting
    assert listening.server.open_connections == 0
    assert listening.reactor.getDelayedCalls() == []


def test_the_connection_ends_with_a_menu_that_fails():
    listening = Listening()
    wire = listening.connect()
    with capture_logs() as said:
        listening.over.errback(ZeroDivisionError("our own fault"))
    assert wire.disconnecting
    assert [line["event"] for line in said] == ["background work failed"]


REFUSED = {
    "another script": changed(b"agi_network_script: menu", b"agi_network_script: shell"),
    "no script": changed(b"agi_network_script: menu\n", b""),
    "no request": b"GET / HTTP/1.1\r\n",
    "two requests": REQUEST + REQUEST,
    "a reply without a command": REQUEST + b"200 result=1\n",
}


@pytest.mark.parametrize("octets", REFUSED.values(), ids=REFUSED)
def test_what_is_not_asked_for_in_our_words_is_closed_without_a_command(octets):
    listening = Listening()
    with capture_logs() as said:
        wire = listening.connect(octets)
    assert wire.disconnecting
    assert wire.heard() == b""
    assert "connections refused" in [line["event"] for line in said]
    assert not any(secret in repr(said) for secret in (CALLER, "Kim", "shell", "1588112", "HTTP"))
    listening.server.stopService()
    assert listening.reactor.getDelayedCalls() == []


def test_a_request_comes_within_its_time():
    listening = Listening(request_timeout_s=2)
    wire = listening.connect(REQUEST[:-1])
    listening.reactor.advance(1.9)
    assert not wire.disconnecting
    listening.reactor.advance(0.2)
    assert wire.disconnecting
    assert listening.calls == []


def test_the_time_for_a_request_is_no_time_for_the_call():
    listening = Listening(request_timeout_s=2)
    wire = listening.connect()
    listening.reactor.advance(1000)
    assert not wire.disconnecting


def test_there_are_only_so_many_calls_at_once():
    listening = Listening(max_calls=2)
    wires = [listening.connect(), listening.connect()]
    assert listening.connect().disconnecting
    wires[0].loseConnection()
    assert not listening.connect().disconnecting
    assert len(listening.calls) == 3


def test_strangers_that_say_nothing_keep_no_call_out():
    """They have places of their own, and the oldest of the address that has most goes."""
    listening = Listening(max_calls=2)
    silent = [listening.connect(b"", host=f"192.0.2.{number}") for number in range(1, 9)]
    greedy = [listening.connect(b"", host="198.51.100.1") for _ in range(8)]

    wires = [listening.connect(), listening.connect()]

    assert [wire.disconnecting for wire in wires] == [False, False]
    assert len(listening.calls) == 2
    assert [wire.disconnecting for wire in greedy] == [True] * 7 + [False]
    assert [wire.disconnecting for wire in silent] == [True] * 2 + [False] * 6


def test_a_flood_of_strangers_is_no_flood_of_log_lines():
    listening = Listening()
    with capture_logs() as said:
        for _ in range(100):
            listening.connect(b"rubbish\n")
        assert len(said) == 1
        listening.reactor.advance(MINUTE_S)
        listening.connect(b"rubbish\n")
    assert [line["count"] for line in said] == [1, 99]


def test_stopping_ends_every_call_and_waits_for_what_it_is_doing():
    listening = Listening()
    wire = listening.connect()
    stopped = listening.server.stopService()
    assert wire.disconnecting
    assert is_waiting(stopped)
    listening.over.callback(None)
    assert result_of(stopped) is None
    assert listening.connect() is None
    assert listening.server.port is None


def test_the_log_names_a_call_and_not_its_caller():
    with capture_logs() as said:
        listening = Listening()
        listening.connect()
        listening.over.callback(None)
    assert [line["event"] for line in said] == ["service call", "service call served"]
    assert {line["reference"] for line in said} == {"voice-1/voice-1-1763900000.12"}
    assert not any(secret in repr(said) for secret in (CALLER, "Kim", "1588112", "sounds"))
