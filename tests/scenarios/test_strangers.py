"""Strangers on the network: thousands of silent connections, and a carrier's gateway that binds all the same."""

from __future__ import annotations

import pytest_twisted
from twisted.internet.threads import deferToThread

from telephony.lab.ports import free_port
from telephony.smpp.wire.constants import ESME_ROK
from tests.scenarios.gateway import Gateway
from tests.scenarios.house import HELP
from tests.scenarios.strangers import Strangers

LISTED, UNLISTED = "127.0.7.1", "127.0.8.1"
"""Where the two gateways come from."""
FEW = [f"127.0.9.{number}" for number in range(1, 21)]
MANY = [f"127.0.{net}.{number}" for net in range(10, 14) for number in range(1, 251)]

PEER = """
[[carrier.peer]]
name = "{name}"
system_id = "{name}"
password = {{file = "{folder}/secret"}}
addresses = {addresses}
"""


async def start(house, **peers):
    """Let gateways bind to us, each with its address list; give the port."""
    port = free_port()
    (house.folder / "secret").write_text("s3cret")
    listed = "".join(
        PEER.format(name=name, folder=house.folder, addresses=addresses) for name, addresses in peers.items()
    )
    server = f'[smpp_server]\ninterface = "127.0.0.1"\nport = {port}\nmax_connections = 200\n'
    server += "bind_timeout_s = 30.0\n"  # a busy machine may be late with a bind
    house.choose(kt_peer=listed, more=server)
    await house.start()
    return port


async def bind(house, port, name, source):
    gateway = await Gateway.connect(house.reactor, port, source)
    bound = await house.soon(gateway.request("bind_transceiver", system_id=name, password="s3cret"))
    return gateway, bound.status


async def bind_until(house, port, name, source, flooded):
    """Bind and unbind, again and again; give the answers."""
    answers = []
    while not flooded.called or len(answers) < 3:
        gateway, status = await bind(house, port, name, source)
        answers.append(status)
        gateway.close()
        await house.until(lambda: not gateway.is_connected)  # noqa: B023
    return answers


async def press(house, gateway):
    """Press through this gateway; 112 is told."""
    caller = house.caller()
    accepted = await house.soon(
        gateway.request(
            "submit_sm", source_addr=caller, source_addr_ton=1, destination_addr="112",
            short_message=HELP.encode("utf-16-be"), data_coding=8,
        )
    )  # fmt: skip
    assert accepted.status == ESME_ROK
    await house.until(lambda: house.alerts(caller))


@pytest_twisted.ensureDeferred
async def test_silent_connections_that_must_be_let_in_cost_no_gateway_a_bind(house):
    """One gateway is listed and one is not: strangers have the latter's door, and neither's place."""
    port = await start(house, listed='["127.0.7.0/24"]', unlisted="[]")
    strangers = Strangers(port, FEW)
    try:
        await deferToThread(strangers.come, 300)
        flooded = deferToThread(strangers.come, 1_200)
        answers = [
            *await bind_until(house, port, "unlisted", UNLISTED, flooded),
            *await bind_until(house, port, "listed", LISTED, flooded),
        ]
        await house.soon(flooded)
        await house.until(lambda: 0 < strangers.standing() <= 200)
        gateway, status = await bind(house, port, "listed", LISTED)
        await press(house, gateway)
    finally:
        strangers.leave()

    assert {*answers, status} == {ESME_ROK}
    await house.until(lambda: house.logged("alarm", alarm="listener-crowded", about="smpp-server"))
    await house.stop()
    assert len(house.logged("connections refused")) < 20
    assert sum(line["count"] for line in house.logged("connections refused")) >= 1_300


@pytest_twisted.ensureDeferred
async def test_ten_thousand_connections_of_no_list_are_closed_at_once_and_counted(house):
    port = await start(house, listed='["127.0.7.0/24"]')
    strangers = Strangers(port, MANY)
    try:
        await deferToThread(strangers.come, 300)
        flooded = deferToThread(strangers.come, 9_700)
        answers = await bind_until(house, port, "listed", LISTED, flooded)
        await house.soon(flooded)
        await house.until(lambda: strangers.standing() == 0)
        gateway, status = await bind(house, port, "listed", LISTED)
        await press(house, gateway)
    finally:
        strangers.leave()

    assert {*answers, status} == {ESME_ROK}
    assert strangers.tried == 10_000
    await house.stop()
    told = [line for line in house.logged("connections refused") if line["cause"] == "address of no list"]
    assert sum(line["count"] for line in told) == 10_000
    assert len(told) < 10
    assert house.logged("alarm", about="smpp-server") == []
