"""How carriers and we reach each other: gateways that bind to us, strangers that try, TLS, links that come and go."""

from __future__ import annotations

import socket

import pytest_twisted

from telephony.lab.ports import free_port
from telephony.smpp.wire.constants import ESME_RBINDFAIL, ESME_ROK
from tests.scenarios.certificates import make_certificates
from tests.scenarios.gateway import Gateway
from tests.scenarios.house import HELP

PEER = """
[[carrier.peer]]
name = "kt-gateway"
system_id = "kt"
password = {{file = "{folder}/secret"}}
addresses = ["127.0.0.0/8"]
"""
SERVER = """
[smpp_server]
interface = "127.0.0.1"
port = {port}
failed_binds_before_pause = 3
failed_bind_pause_s = 3.0
"""


async def start_with_peer(house):
    """Let kt's gateway bind to us; give the port."""
    port = free_port()
    (house.folder / "secret").write_text("s3cret")
    house.choose(kt_peer=PEER.format(folder=house.folder), more=SERVER.format(port=port))
    await house.start()
    return port


@pytest_twisted.ensureDeferred
async def test_a_press_comes_through_a_gateway_that_binds_to_us(house):
    port = await start_with_peer(house)
    caller = house.caller()
    gateway = await Gateway.connect(house.reactor, port)

    bound = await house.soon(gateway.request("bind_transceiver", system_id="kt", password="s3cret"))
    accepted = await house.soon(
        gateway.request(
            "submit_sm", source_addr=caller, source_addr_ton=1, destination_addr="112",
            short_message=HELP.encode("utf-16-be"), data_coding=8,
        )
    )  # fmt: skip
    await house.until(lambda: house.alerts(caller))

    assert (bound.status, accepted.status) == (ESME_ROK, ESME_ROK)
    assert len(accepted.body) > 1
    (alert,) = house.alerts(caller)
    assert alert.parameters["caller-text"] == (HELP,)
    assert alert.parameters["carrier"] == ("kt",)
    await house.until(lambda: house.logged("press accepted", connector="kt-gateway"))
    assert (await house.soon(gateway.request("unbind"))).status == ESME_ROK
    await house.until(lambda: not gateway.is_connected)


@pytest_twisted.ensureDeferred
async def test_somebody_who_guesses_is_made_to_wait_and_keeps_no_gateway_out(house):
    port = await start_with_peer(house)

    async def bind(password, source):
        gateway = await Gateway.connect(house.reactor, port, source)
        at = house.reactor.seconds()
        answer = await house.soon(gateway.request("bind_receiver", system_id="kt", password=password))
        gateway.close()
        await house.until(lambda: not gateway.is_connected)
        return answer.status, house.reactor.seconds() - at

    at_once, _ = await bind("s3cret", "127.0.0.1")
    guesses = [await bind("a", source) for source in ("127.0.0.1", "127.0.0.2") for _ in range(3)]
    again, again_s = await bind("s3cret", "127.0.0.1")
    wrong, wrong_s = await bind("a", "127.0.0.1")
    elsewhere, elsewhere_s = await bind("s3cret", "127.0.0.2")

    assert (at_once, again, elsewhere) == (ESME_ROK, ESME_ROK, ESME_ROK)
    assert {status for status, _ in guesses} == {wrong} == {ESME_RBINDFAIL}
    assert wrong_s < 2.9  # its gateway's bind has forgiven
    assert elsewhere_s > 2.9
    assert again_s < 2.9
    await house.stop()
    assert "s3cret" not in house.daemon.log.read_text()
    # A stranger is told in the log, but is no link of ours that somebody must repair.
    told = house.logged("connections refused", cause="wrong password", peer="kt-gateway")
    assert sum(line["count"] for line in told) == 7
    assert house.logged("alarm", about="127.0.0.1") == []


@pytest_twisted.ensureDeferred
async def test_a_press_comes_over_a_link_with_tls_whose_other_end_is_verified(house):
    made = make_certificates(house.folder / "tls")
    await house.secure_skt(made.certificate, made.key)
    house.choose(skt_link=f'tls = {{ca_file = "{made.authority}"}}')
    await house.start()
    caller = house.caller()

    await house.accepted_press(caller)
    await house.until(lambda: house.alerts(caller))

    assert len(house.skt.links) == 2


@pytest_twisted.ensureDeferred
async def test_a_message_centre_with_a_certificate_of_another_authority_never_hears_our_password(house):
    made, other = (make_certificates(house.folder / name) for name in ("tls", "other"))
    await house.secure_skt(made.certificate, made.key)
    house.choose(skt_link=f'tls = {{ca_file = "{other.authority}"}}')
    await house.start(until_bound=False)

    await house.until(lambda: len(house.logged("link unreachable", link="skt-1")) > 1)

    assert all("certificate verify failed" in line["reason"] for line in house.logged("link unreachable"))
    assert house.skt.counts.binds == 0
    assert len(house.kt.links) == 1
    await house.until(lambda: house.logged("alarm", alarm="link-down", about="skt-1"))


@pytest_twisted.ensureDeferred
async def test_a_press_waits_at_the_message_centre_while_its_links_are_down_and_comes_with_the_next_bind(
    house,
):
    await house.start()
    house.skt.ignore_binds()
    house.skt.drop_link()
    caller = house.caller()

    acknowledgement = house.press(caller)
    assert house.reports(caller) == []
    house.skt.accept_binds()
    house.skt.drop_link()
    for connection in list(house.skt._connections):
        connection.drop("the bind was never answered")

    assert await house.soon(acknowledgement) == ESME_ROK
    await house.until(lambda: house.alerts(caller))
    await house.until(lambda: house.logged("alarm over", alarm="link-down", about="skt-1"))


@pytest_twisted.ensureDeferred
async def test_ports_that_others_hold_cost_no_press_and_are_opened_when_they_are_free(house):
    """Everything else starts, and says what could not."""
    held = {name: socket.create_server(("127.0.0.1", free_port())) for name in ("smpp-server", "web")}
    ports = {name: other.getsockname()[1] for name, other in held.items()}
    (house.folder / "secret").write_text("s3cret")
    more = SERVER.format(port=ports["smpp-server"])
    more += f'[web]\ninterface = "127.0.0.1"\nport = {ports["web"]}\n'
    house.choose(kt_peer=PEER.format(folder=house.folder), more=more)
    await house.start()

    caller = house.caller()
    await house.accepted_press(caller)
    await house.until(lambda: house.alerts(caller))

    for name in held:
        await house.until(lambda: house.logged("alarm", alarm="not-listening", about=name))  # noqa: B023
    for other in held.values():
        other.close()
    for name in held:
        await house.until(lambda: house.logged("alarm over", alarm="not-listening", about=name))  # noqa: B023
    gateway = await Gateway.connect(house.reactor, ports["smpp-server"])
    bound = await house.soon(gateway.request("bind_transceiver", system_id="kt", password="s3cret"))
    assert bound.status == ESME_ROK
