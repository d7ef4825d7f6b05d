"""Every wire dials in one way: an address as it is, a name by looking it up, whichever protocol is behind it."""

from __future__ import annotations

import pytest
from twisted.internet.interfaces import IReactorPluggableNameResolver
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from zope.interface import implementer

from telephony.net.endpoints import addresses_of, client_endpoint
from tests.awaiting import result_of


@implementer(IReactorPluggableNameResolver)
class Reactor(Clock):
    """Writes down what is dialled and what is looked up; neither comes to anything."""

    def __init__(self):
        super().__init__()
        self.dialled = []
        self.asked = []
        self.nameResolver = self

    def connectTCP(self, host, port, factory, timeout, bindAddress):  # noqa: N803 - Twisted's name
        self.dialled.append((host, port, timeout))

    def resolveHostName(self, receiver, host, *_, **__):
        self.asked.append(host)


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "fe80::1%eth0"])
def test_an_address_is_dialled_as_it_is(host):
    reactor = Reactor()

    client_endpoint(reactor, host, 2775, timeout_s=3.0, tls=None).connect(Factory.forProtocol(Protocol))

    assert (reactor.dialled, reactor.asked) == ([(host, 2775, 3.0)], [])


@pytest.mark.parametrize("host", ["smsc.carrier.example", "localhost", "999.1.1.1", "1.2.3"])
def test_what_is_no_address_is_looked_up(host):
    reactor = Reactor()

    client_endpoint(reactor, host, 2775, timeout_s=3.0, tls=None).connect(Factory.forProtocol(Protocol))

    assert (reactor.dialled, reactor.asked) == ([], [host])


def test_an_address_is_its_own_only_address():
    assert result_of(addresses_of(Reactor(), "2001:db8::1")) == {"2001:db8::1"}
