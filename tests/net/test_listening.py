"""A port that is taken costs an alarm, never a start."""

from __future__ import annotations

import pytest
from twisted.internet.error import CannotListenError
from twisted.internet.task import Clock

from telephony.alarms import HOLD_S, Alarms
from telephony.net.listening import AGAIN_S, LARGEST_DATAGRAM, PatientPort


class Port:
    def __init__(self, reactor):
        self.reactor = reactor

    def stopListening(self):
        self.reactor.listening -= 1


class Reactor(Clock):
    """Time, and a port that others may have taken."""

    def __init__(self):
        super().__init__()
        self.is_taken = False
        self.listening = 0

    def listenTCP(self, port, factory, backlog, interface):
        if self.is_taken:
            raise CannotListenError(interface, port, OSError(98, "Address already in use"))
        self.listening += 1
        return Port(self)

    def listenUDP(self, port, protocol, interface, maxPacketSize):  # noqa: N803 - Twisted's name
        assert maxPacketSize == LARGEST_DATAGRAM
        return self.listenTCP(port, protocol, 0, interface)


def patient(reactor, **how):
    alarms = Alarms(reactor)
    return PatientPort(object, "127.0.0.1", 8480, reactor=reactor, alarms=alarms, about="web", **how), alarms


@pytest.mark.parametrize("is_udp", [False, True], ids=["tcp", "udp"])
def test_a_port_that_is_taken_is_an_alarm_and_is_opened_once_it_is_free(is_udp):
    reactor = Reactor()
    port, alarms = patient(reactor, is_udp=is_udp)
    reactor.is_taken = True

    port.open()
    assert [(alarm.name, alarm.about) for alarm in alarms.standing()] == [("not-listening", "web")]
    assert port.port is None

    reactor.is_taken = False
    reactor.advance(AGAIN_S)
    assert reactor.listening == 1
    reactor.advance(HOLD_S)
    assert alarms.standing() == []


def test_who_is_closed_before_the_port_is_free_never_opens_it():
    reactor = Reactor()
    port, _ = patient(reactor)
    reactor.is_taken = True
    port.open()

    port.close()
    reactor.is_taken = False
    reactor.advance(AGAIN_S)

    assert reactor.listening == 0
    assert reactor.getDelayedCalls() == []


def test_closing_ends_the_listening():
    reactor = Reactor()
    port, _ = patient(reactor)
    port.open()

    port.close()

    assert reactor.listening == 0
    assert port.port is None
