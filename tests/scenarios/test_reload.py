"""SIGHUP: what is new or changed in the settings is taken in, and no other link notices."""

from __future__ import annotations

import signal

import pytest_twisted

from telephony.lab.carrier.mlp import LabMlp
from telephony.smpp.wire.constants import ESME_ROK
from tests.scenarios.certificates import make_certificates
from tests.scenarios.house import HELP, SEOUL
from tests.scenarios.test_status import SECOND_LINK, far_ends, status

NEW_CENTRE = """
[[psap]]
name = "busan"
carriers = ["kt"]
addresses = "112.busan.example"
[[psap.channel]]
name = "busan-a"
url = "{url}"
"""


async def reload(house, *changes):
    """Rewrite the settings, send SIGHUP, and return what the daemon says it took."""
    text = house.daemon.config.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    house.daemon.config.write_text(text)
    before = len(house.logged("settings reloaded"))
    house.daemon.signal(signal.SIGHUP)
    await house.until(lambda: len(house.logged("settings reloaded")) > before)
    return house.logged("settings reloaded")[-1]


def second_link(house):
    return SECOND_LINK.format(port=house.kt.port.getHost().port, folder=house.folder)


@pytest_twisted.ensureDeferred
async def test_a_new_link_and_a_new_centre_are_taken_in_while_the_others_stay_bound(house):
    house.kt._accounts = {"onetouch": "", "second": "right"}
    (house.folder / "secret").write_text("right")
    await house.start()
    before = {id(link) for smsc in (house.skt, house.kt) for link in smsc.links}
    name = 'name = "kt-1"'

    told = await reload(
        house,
        (f"[[carrier.smpp]]\n{name}", f"{second_link(house)}[[carrier.smpp]]\n{name}"),
        ('[[psap]]\nname = "seoul"', f'{NEW_CENTRE.format(url=house.second.url)}[[psap]]\nname = "seoul"'),
    )
    await house.until(lambda: len(house.kt.links) == 2)

    assert (told["changed"], told["needs_restart"], told["not_taken"]) == (
        ["carrier[1].smpp", "psap"],
        [],
        [],
    )
    assert before < {id(link) for smsc in (house.skt, house.kt) for link in smsc.links}
    assert len(house.logged("link down")) == 0
    caller, other = house.caller(carrier="kt"), house.caller()
    await house.accepted_press(caller, smsc=house.kt)
    await house.accepted_press(other)
    await house.until(lambda: house.alerts(caller, house.second))
    await house.until(lambda: house.alerts(other, house.centre))
    assert house.alerts(caller, house.centre) == [], "the presses of kt have a centre of their own now"
    assert far_ends((await status(house))[1])["busan-a"] == "up"


NEW_CARRIER = """
[[carrier]]
name = "lgu"
[carrier.recognition]
sos_numbers = ["1120"]
[[carrier.smpp]]
name = "lgu-1"
host = "127.0.0.1"
port = {port}
system_id = "lgu"
password = {{file = "{folder}/secret"}}
[carrier.lbs]
url = "{lbs}"
client_id = "onetouch"
fast = {{resp_timer_s = 1, budget_s = 1.0}}
accurate = {{resp_timer_s = 1, budget_s = 1.0}}
"""


@pytest_twisted.ensureDeferred
async def test_a_new_carrier_is_bound_located_and_told_while_the_others_stay_bound(house):
    located = LabMlp(house.reactor)
    await located.listen()
    house.kt._accounts = {"onetouch": "", "lgu": "right"}
    (house.folder / "secret").write_text("right")
    await house.start()
    before = {id(link) for smsc in (house.skt, house.kt) for link in smsc.links}
    caller = house.caller()
    located.place(caller, *SEOUL)
    house.see(*SEOUL)
    carrier = NEW_CARRIER.format(port=house.kt.port.getHost().port, folder=house.folder, lbs=located.url)
    centre = NEW_CENTRE.format(url=house.second.url).replace('"kt"', '"lgu"')

    told = await reload(house, ('[[psap]]\nname = "seoul"', f'{carrier}{centre}[[psap]]\nname = "seoul"'))
    await house.until(lambda: len(house.kt.links) == 2)

    assert (told["changed"], told["needs_restart"], told["not_taken"]) == (["carrier", "psap"], [], [])
    assert before < {id(link) for smsc in (house.skt, house.kt) for link in smsc.links}
    house.kt.drop_link(next(n for n, link in enumerate(house.kt.links) if id(link) in before))
    assert await house.soon(house.kt.send_mo(caller, "1120", text=HELP)) == ESME_ROK
    await house.until(
        lambda: [each for each in house.reports(caller, house.second) if each.circle is not None]
    )
    assert house.reports(caller, house.second)[0].parameters["carrier"] == ("lgu",)
    assert house.reports(caller) == []
    assert far_ends((await status(house))[1])["lbs-lgu"] == "up"
    await located.close()


@pytest_twisted.ensureDeferred
async def test_a_changed_link_binds_anew_and_one_that_is_gone_unbinds(house):
    await house.start()
    stays = list(house.skt.links)

    await reload(house, ('name = "kt-1"', 'name = "kt-1"\nbind = "receiver"'))
    await house.until(lambda: house.logged("link up", link="kt-1", kind="receiver"))

    assert house.logged("link up", link="kt-1")[0]["kind"] == "transceiver"
    assert house.skt.links == stays
    skt_2 = house.daemon.config.read_text().partition('[[carrier.smpp]]\nname = "skt-2"')
    gone = "".join(skt_2[1:]).partition("[carrier.lbs]")[0]
    told = await reload(house, (gone, ""))
    await house.until(lambda: len(house.skt.links) == 1)

    assert told["changed"] == ["carrier[0].smpp"]
    assert "skt-2" not in far_ends((await status(house))[1])
    assert house.logged("alarm", about="skt-2") == [], "it is not missed"
    caller = house.caller()
    await house.accepted_press(caller)
    await house.until(lambda: house.alerts(caller))


@pytest_twisted.ensureDeferred
async def test_a_location_service_that_moved_is_asked_where_it_is_now(house):
    moved = LabMlp(house.reactor)
    await moved.listen()
    await house.start()
    caller = house.caller()
    moved.place(caller, *SEOUL)
    house.see(*SEOUL)

    told = await reload(house, (house.lbs["skt"].url, moved.url))
    await house.accepted_press(caller)
    await house.until(lambda: house.located(caller))

    assert told["changed"] == ["carrier[0].lbs.url"]
    await moved.close()


@pytest_twisted.ensureDeferred
async def test_a_corrected_password_is_read_again_and_used_at_once(house):
    house.kt._accounts = {"onetouch": "", "second": "right"}
    secret = house.folder / "secret"
    secret.write_text("wrong")
    house.choose(kt_peer=second_link(house))
    await house.start()
    await house.until(lambda: house.logged("link alarm", link="kt-2"))

    secret.write_text("right")
    told = await reload(house)
    await house.until(lambda: len(house.kt.links) == 2)

    assert (told["changed"], told["secrets"]) == ([], ["kt-2"])


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_taken_is_said_and_goes_on_as_it_was(house):
    await house.start()
    (house.folder / "secret").write_text("비밀")
    bad = f'name = "seoul-a"\nauthorization = {{file = "{house.folder}/secret"}}'

    told = await reload(
        house,
        ('name = "seoul-a"', bad),
        ("poll_s = 0.2", "poll_s = 0.3"),
        (house.second.url, "http://127.0.0.1:1/"),
    )

    assert (told["not_taken"], told["needs_restart"]) == (["seoul-a"], ["relay.poll_s"])
    (why,) = house.logged("settings not taken", about="seoul-a")
    assert why["reason"] == "the authorization of channel seoul-a must be printable ASCII on one line"
    caller = house.caller()
    await house.accepted_press(caller)
    await house.until(lambda: house.alerts(caller))


@pytest_twisted.ensureDeferred
async def test_a_renewed_authority_is_trusted_from_the_next_connection_on(house):
    made, former = (make_certificates(house.folder / name) for name in ("made", "former"))
    trusted = house.folder / "ca.pem"
    trusted.write_bytes(former.authority.read_bytes())
    await house.secure_skt(made.certificate, made.key)
    house.choose(skt_link=f'tls = {{ca_file = "{trusted}"}}')
    await house.start(until_bound=False)
    await house.until(lambda: house.logged("link unreachable", link="skt-1"))
    assert house.skt.counts.binds == 0

    trusted.write_bytes(made.authority.read_bytes())
    told = await reload(house)
    await house.until(lambda: len(house.skt.links) == 2)

    assert (told["changed"], told["needs_restart"]) == ([], [])
