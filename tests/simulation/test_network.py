"""Simulated connections do to protocols what TCP does, the unpleasant parts included."""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.error import ConnectionRefusedError as TcpRefused
from twisted.internet.error import TimeoutError as TcpTimeout
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory
from zope.interface import implementer

from tests.simulation.house import SERVER, Remember, Remembering, TwoProcesses


@pytest.fixture
def two():
    return TwoProcesses()


def connect(two, protocol=Remembering, timeout=5.0):
    """Connect as the daemon does; gives the protocol's two ends."""
    made = []
    endpoint = TCP4ClientEndpoint(two.client, *SERVER, timeout=timeout)
    endpoint.connect(Factory.forProtocol(protocol)).addBoth(made.append)
    two.clock.run_for(0.1)
    return made[0], two.served.made[-1] if two.served.made else None


def test_octets_arrive_later_whole_and_in_order(two):
    near, far = connect(two)
    octets = bytes(range(256)) * 40
    for start in range(0, len(octets), 100):
        near.transport.write(octets[start : start + 100])

    assert far.heard == b""
    two.clock.run_for(1.0)

    assert far.heard == octets
    assert far.reads > 1


def test_the_addresses_are_those_that_were_dialled(two):
    near, far = connect(two)

    assert (near.transport.getPeer().host, near.transport.getPeer().port) == SERVER
    assert far.transport.getPeer().host == "10.0.0.1"
    assert far.transport.getPeer() == near.transport.getHost()


def test_nobody_listening_refuses(two):
    two.port.stopListening()

    failure, _ = connect(two)

    assert failure.check(TcpRefused)


def test_a_port_can_be_listened_on_once(two):
    with pytest.raises(CannotListenError):
        two.server.listenTCP(SERVER[1], Remember(), interface=SERVER[0])


def test_a_hanging_way_lets_no_connection_through_until_the_time_out(two):
    two.network.hang(SERVER)
    told = []
    TCP4ClientEndpoint(two.client, *SERVER, timeout=5.0).connect(Factory.forProtocol(Remembering)).addBoth(
        told.append
    )

    two.clock.run_for(4.9)
    assert told == []
    two.clock.run_for(0.2)
    assert told[0].check(TcpTimeout)


def test_an_attempt_to_connect_can_be_given_up(two):
    two.network.hang(SERVER)
    attempt = TCP4ClientEndpoint(two.client, *SERVER).connect(Factory.forProtocol(Remembering))
    told = []
    attempt.addErrback(told.append)

    attempt.cancel()
    two.network.heal(SERVER)
    two.clock.run_for(60.0)

    assert told[0].check(CancelledError) or told[0].type.__name__ == "ConnectingCancelledError"
    assert two.served.made == []


def test_what_was_written_into_a_hanging_way_arrives_when_it_heals(two):
    near, far = connect(two)
    two.network.hang(SERVER)
    near.transport.write(b"late")
    two.clock.run_for(100.0)
    assert far.heard == b""

    two.network.heal(SERVER)
    two.clock.run_for(1.0)

    assert far.heard == b"late"


def test_closing_sends_what_was_written_first_and_ends_both_sides_well(two):
    near, far = connect(two)
    near.transport.write(b"the last words")
    near.transport.loseConnection()
    two.clock.run_for(1.0)

    assert far.heard == b"the last words"
    assert (near.lost, far.lost) == ("ConnectionDone", "ConnectionDone")


def test_an_abort_resets_the_other_side(two):
    near, far = connect(two)
    near.transport.abortConnection()
    two.clock.run_for(1.0)

    assert (near.lost, far.lost) == ("ConnectionAborted", "ConnectionLost")


def test_a_connection_that_breaks_on_the_way_takes_along_what_it_carried(two):
    near, far = connect(two)
    near.transport.write(b"lost")
    (number,) = two.network.connections(SERVER)
    two.network.reset(number)
    two.clock.run_for(1.0)

    assert far.heard == b""
    assert (near.lost, far.lost) == ("ConnectionLost", "ConnectionLost")


def test_half_a_connection_can_be_closed(two):
    @implementer(IHalfCloseableProtocol)
    class Patient(Remembering):
        half = None

        def readConnectionLost(self):
            self.half = "read"
            self.transport.write(b"and yet I answer")
            self.transport.loseConnection()

        def writeConnectionLost(self):
            self.half = "write"

    two.served.buildProtocol = lambda _: two.served.made.append(Patient()) or two.served.made[-1]
    near, far = connect(two, Patient)
    near.transport.loseWriteConnection()
    two.clock.run_for(1.0)

    assert far.half == "read"
    assert near.heard == b"and yet I answer"


def test_who_does_not_read_gets_nothing_until_he_reads_again(two):
    near, far = connect(two)
    far.transport.pauseProducing()
    near.transport.write(b"wait")
    two.clock.run_for(10.0)
    assert far.heard == b""

    far.transport.resumeProducing()
    two.clock.run_for(1.0)

    assert far.heard == b"wait"


def test_a_writer_is_asked_to_pause_while_the_other_end_takes_nothing(two):
    class Producer:
        said = ()

        def pauseProducing(self):
            self.said += ("pause",)

        def resumeProducing(self):
            self.said += ("resume",)

        def stopProducing(self):
            self.said += ("stop",)

    near, far = connect(two)
    producer = Producer()
    near.transport.registerProducer(producer, True)
    far.transport.pauseProducing()
    near.transport.writeSequence([bytes(40_000), bytes(40_000)])
    assert producer.said == ("pause",)

    far.transport.resumeProducing()
    two.clock.run_for(1.0)
    assert producer.said == ("pause", "resume")

    near.transport.abortConnection()
    two.clock.run_for(1.0)
    assert producer.said == ("pause", "resume", "stop")


def test_a_killed_process_hears_nothing_more_and_its_sockets_close(two):
    near, far = connect(two)
    made = []
    two.client.callLater(1.0, made.append, "too late")
    near.transport.write(b"had left already")

    two.client.kill()
    far.transport.write(b"nobody hears this")
    two.clock.run_for(10.0)

    assert made == []
    assert far.heard == b"had left already"
    assert far.lost in ("ConnectionDone", "ConnectionLost")
    assert (near.heard, near.lost) == (b"", None)
    assert two.network.connections(SERVER) == []


def test_a_protocol_that_raises_is_told_and_loses_its_connection(two):
    class Clumsy(Remembering):
        def dataReceived(self, data):
            raise ValueError("clumsy")

    near, far = connect(two, Clumsy)
    far.transport.write(b"hello")
    two.clock.run_for(1.0)

    assert [failure.type for failure in two.defects] == [ValueError]
    assert near.lost == "ValueError"
    assert far.lost == "ConnectionLost"


def test_the_same_seed_gives_the_same_delays():
    def times(seed):
        two = TwoProcesses(seed)
        near, far = connect(two)
        moments = []
        far.dataReceived = lambda _: moments.append(two.clock.seconds())
        for _ in range(20):
            near.transport.write(b"tick")
            two.clock.run_for(1.0)
        return moments

    assert times(7) == times(7)
    assert times(7) != times(8)
