"""smpplib's blocking client, in a thread of its own, against both servers that stand on our SMSC role."""

from __future__ import annotations

import threading

import pytest
import pytest_twisted
from smpplib import consts
from smpplib.client import Client
from smpplib.exceptions import PDUError
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from telephony.smpp.wire.constants import ESME_RBINDFAIL, ESME_ROK
from tests.scenarios.house import HELP
from tests.scenarios.test_links import start_with_peer


def in_thread(reactor, work):
    """Run blocking work; a thread that hangs does not keep the tests from ending."""
    done = Deferred()

    def run():
        try:
            result = work()
        except Exception:  # noqa: BLE001 - handed to the test that waits
            result = Failure()
        reactor.callFromThread(done.callback, result)

    threading.Thread(target=run, daemon=True).start()
    return done


def client(port):
    return Client("127.0.0.1", port, timeout=5, allow_unknown_opt_params=True)


@pytest_twisted.ensureDeferred
async def test_it_binds_to_our_listener_and_its_submit_sm_is_a_press(house):
    port = await start_with_peer(house)
    caller = house.caller()

    def session():
        statuses = []
        with client(port) as esme:
            esme.connect()
            esme.set_message_sent_handler(lambda pdu: statuses.append((pdu.status, pdu.message_id)))
            esme.bind_transceiver(system_id="kt", password="s3cret")
            esme.send_message(
                source_addr_ton=consts.SMPP_TON_INTL, source_addr=caller, destination_addr="112", data_coding=8,
                short_message=HELP.encode("utf-16-be"),
            )  # fmt: skip
            esme.read_once()
        return statuses

    ((status, message_id),) = await house.soon(in_thread(house.reactor, session))
    await house.until(lambda: house.alerts(caller))

    assert status == ESME_ROK
    assert message_id
    assert house.alerts(caller)[0].parameters["caller-text"] == (HELP,)


@pytest_twisted.ensureDeferred
async def test_it_is_refused_with_a_wrong_password(house):
    port = await start_with_peer(house)

    def session():
        esme = client(port)
        esme.connect()
        try:
            esme.bind_receiver(system_id="kt", password="guess")
        finally:
            esme.disconnect()

    with pytest.raises(PDUError) as refused:
        await house.soon(in_thread(house.reactor, session))

    assert refused.value.args[1] == ESME_RBINDFAIL


@pytest_twisted.ensureDeferred
async def test_the_simulated_message_centre_delivers_to_it_and_takes_what_it_submits(house):
    await house.start()
    caller = house.caller()
    port = house.kt.port.getHost().port
    for link in list(house.kt.links):
        link.drop("to make room for the other client")
    house.kt.refuse_bind(0x0D)

    def session():
        received = []
        with client(port) as esme:
            esme.connect()
            esme.set_message_received_handler(lambda pdu: received.append(pdu.short_message))
            esme.bind_transceiver(system_id="any", password="")
            house.reactor.callFromThread(deliver)
            esme.send_message(source_addr="112", destination_addr=caller, short_message=b"got it")
            while not received:
                esme.read_once()
        return received

    acknowledged = []

    def deliver():
        house.press(caller, smsc=house.kt).addCallback(acknowledged.append)

    await house.until(lambda: not house.kt.links)
    house.kt.accept_binds()
    received = await house.soon(in_thread(house.reactor, session))

    assert received == [HELP.encode("utf-16-be")]
    await house.until(lambda: acknowledged == [ESME_ROK])
    assert (await house.soon(house.kt.expect_submit_sm())).short_message == b"got it"
