"""Our daemon against node-smpp, an SMPP implementation that is not ours, in both roles and over real TCP."""

from __future__ import annotations

import pytest
import pytest_twisted

from telephony.smpp.wire.constants import ESME_RBINDFAIL, ESME_ROK
from tests.scenarios.house import HELP, LONG_HELP
from tests.scenarios.test_links import start_with_peer

BIND_KINDS = ["transceiver", "receiver"]


class NodeSmsc:
    """The message centre of skt on node-smpp, with the daemon of the house bound to it."""

    def __init__(self, house, process):
        self.house = house
        self.process = process

    async def listen(self):
        await self.house.until(self.process.events)
        (event,) = self.process.events()
        return event["listening"]

    def binds(self, kind="transceiver"):
        return self.process.events(got=f"bind_{kind}")

    async def answer(self, command="deliver_sm", session=0, **fields):
        """Have it send a request; give the answer it got."""
        label = f"request {len(self.process.events())}"
        self.process.tell("send", session=session, command=command, label=label, **{"with": fields})
        await self.house.until(lambda: self.process.events(answer=label))
        (answer,) = self.process.events(answer=label)
        return answer


async def start_with_node(house, node, bind="transceiver", more="", *, judge=ESME_ROK):
    smsc = NodeSmsc(house, node("smsc_server.js"))
    if judge != ESME_ROK:
        smsc.process.tell("judge", status=judge)
    house.choose(skt_port=await smsc.listen(), skt_link=f'bind = "{bind}"\n{more}')
    await house.start(until_bound=False)
    await house.until(lambda: len(smsc.binds(bind)) >= 2)
    return smsc


def from_caller(caller, **fields):
    return {"source_addr_ton": 1, "source_addr": caller, "destination_addr": "112", **fields}


@pytest.mark.parametrize("bind", BIND_KINDS)
@pytest_twisted.ensureDeferred
async def test_our_bind_is_understood_and_a_press_gets_through(house, node, bind):
    smsc = await start_with_node(house, node, bind)
    caller = house.caller()

    answer = await smsc.answer(**from_caller(caller, short_message=HELP))
    await house.until(lambda: house.alerts(caller))

    assert [(each["system_id"], each["interface_version"]) for each in smsc.binds(bind)] == [
        ("onetouch", 0x34)
    ] * 2
    assert (answer["got"], answer["status"]) == ("deliver_sm_resp", ESME_ROK)
    assert house.alerts(caller)[0].parameters["caller-text"] == (HELP,)


CONTENTS = {
    "GSM 03.38": ({"data_coding": 0, "short_message": "Help @ £5 {Ω}"}, "Help @ £5 {Ω}"),
    "UCS-2 that node chose by itself": ({"short_message": HELP}, HELP),
    "UCS-2 with a surrogate pair": ({"data_coding": 8, "short_message": "도와줘 🆘"}, "도와줘 🆘"),
    "Latin-1": ({"data_coding": 3, "short_message": "à l'aide, ç"}, "à l'aide, ç"),
    "Korean in KS X 1001": ({"data_coding": 14, "short_message": {"hex": HELP.encode("cp949").hex()}}, HELP),
    "a text in message_payload": ({"data_coding": 8, "message_payload": LONG_HELP}, LONG_HELP),
    "parameters that only a vendor knows": (
        {"short_message": HELP, "vendor_specific": {"hex": "00ff80"}, "user_message_reference": 77},
        HELP,
    ),
    "every optional parameter of a handset": (
        {"short_message": HELP, "source_port": 9200, "language_indicator": 1, "user_response_code": 3,
         "privacy_indicator": 2, "payload_type": 0},
        HELP,
    ),
}  # fmt: skip


@pytest_twisted.ensureDeferred
async def test_whatever_a_press_is_written_in_is_acknowledged_and_read(house, node):
    smsc = await start_with_node(house, node)

    for what, (fields, text) in CONTENTS.items():
        caller = house.caller()
        answer = await smsc.answer(**from_caller(caller, **fields))
        await house.until(lambda: house.alerts(caller))  # noqa: B023 - awaited here
        assert (what, answer["status"]) == (what, ESME_ROK)
        assert (what, *house.alerts(caller)[0].parameters["caller-text"]) == (what, text)


@pytest_twisted.ensureDeferred
async def test_a_data_sm_is_a_press_too(house, node):
    smsc = await start_with_node(house, node)
    caller = house.caller()

    answer = await smsc.answer("data_sm", **from_caller(caller, data_coding=8, message_payload=HELP))
    await house.until(lambda: house.alerts(caller))

    assert (answer["got"], answer["status"]) == ("data_sm_resp", ESME_ROK)
    assert house.alerts(caller)[0].parameters["caller-text"] == (HELP,)


@pytest_twisted.ensureDeferred
async def test_a_long_sms_with_user_data_headers_is_put_together(house, node):
    smsc = await start_with_node(house, node)
    caller = house.caller()

    for number, session in ((2, 0), (1, 1)):
        part = {
            "udh": {"hex": f"050003a502{number:02x}"},
            "message": LONG_HELP[67 * (number - 1) : 67 * number],
        }
        answer = await smsc.answer(session=session, **from_caller(caller, data_coding=8, short_message=part))
        assert answer["status"] == ESME_ROK
    await house.until(lambda: len(house.reports(caller)) == 2)

    assert house.reports(caller)[-1].parameters["caller-text"] == (LONG_HELP,)


@pytest_twisted.ensureDeferred
async def test_both_ends_ask_whether_the_other_is_alive(house, node):
    smsc = await start_with_node(house, node, more="enquire_link_s = 0.5\nenquire_response_s = 0.5")

    answer = await smsc.answer("enquire_link")
    await house.until(lambda: len(smsc.process.events(got="enquire_link", session=0)) >= 2)

    assert (answer["got"], answer["status"]) == ("enquire_link_resp", ESME_ROK)
    assert smsc.process.events(closed=True) == []


@pytest_twisted.ensureDeferred
async def test_a_server_that_unbinds_is_answered_and_bound_to_again(house, node):
    smsc = await start_with_node(house, node)

    answer = await smsc.answer("unbind")
    smsc.process.tell("close", session=0)
    await house.until(lambda: len(smsc.binds()) == 3)
    caller = house.caller()
    again = await smsc.answer(session=2, **from_caller(caller, short_message=HELP))

    assert (answer["got"], answer["status"]) == ("unbind_resp", ESME_ROK)
    assert again["status"] == ESME_ROK
    await house.until(lambda: house.alerts(caller))


@pytest_twisted.ensureDeferred
async def test_a_server_that_refuses_our_bind_is_asked_again_until_it_accepts(house, node):
    smsc = await start_with_node(house, node, judge=ESME_RBINDFAIL)
    assert house.logged("link up", link="skt-1") == []

    smsc.process.tell("judge", status=ESME_ROK)
    await house.until(lambda: house.logged("link up", link="skt-1"))

    await house.until(lambda: house.logged("bind refused", link="skt-1", status="ESME_RBINDFAIL"))
    await house.until(lambda: house.logged("alarm over", alarm="link-down", about="skt-1"))


@pytest_twisted.ensureDeferred
async def test_our_unbind_at_the_end_is_answered(house, node):
    smsc = await start_with_node(house, node)

    await house.stop()

    assert len(smsc.process.events(got="unbind")) == 2
    assert smsc.process.events(error="PDU length was too large") == []


@pytest_twisted.ensureDeferred
async def test_a_gateway_on_node_smpp_binds_to_us_and_its_submit_sm_is_a_press(house, node):
    port = await start_with_peer(house)
    gateway = node("gateway_client.js")
    caller = house.caller()

    async def answer(command, **fields):
        gateway.tell("send", command=command, label=command, **{"with": fields})
        await house.until(lambda: gateway.events(answer=command))
        return gateway.events(answer=command)[0]

    gateway.tell("connect", port=port)
    await house.until(lambda: gateway.events(connected=True))
    bound = await answer("bind_transceiver", system_id="kt", password="s3cret")
    submitted = await answer("submit_sm", **from_caller(caller, short_message=HELP))
    alive = await answer("enquire_link")
    await house.until(lambda: house.alerts(caller))
    unbound = await answer("unbind")
    await house.until(lambda: gateway.events(closed=True))

    assert (bound["status"], bound["sc_interface_version"]) == (ESME_ROK, 0x50)
    assert submitted["status"] == ESME_ROK
    assert submitted["message_id"]
    assert (alive["status"], unbound["status"]) == (ESME_ROK, ESME_ROK)
    assert house.alerts(caller)[0].parameters["caller-text"] == (HELP,)


@pytest_twisted.ensureDeferred
async def test_a_gateway_with_a_wrong_password_is_refused(house, node):
    port = await start_with_peer(house)
    gateway = node("gateway_client.js")

    gateway.tell("connect", port=port)
    await house.until(lambda: gateway.events(connected=True))
    gateway.tell(
        "send", command="bind_transmitter", label="bind", **{"with": {"system_id": "kt", "password": "guess"}}
    )
    await house.until(lambda: gateway.events(answer="bind") and gateway.events(closed=True))

    assert gateway.events(answer="bind")[0]["status"] == ESME_RBINDFAIL
