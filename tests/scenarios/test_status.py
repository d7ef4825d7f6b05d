"""What an operator is told by `onetouch status`, and what `onetouch links retry` does, beside a real daemon."""

from __future__ import annotations

import json
import signal

import pytest_twisted

from telephony.smpp.wire.constants import ESME_ROK

SECOND_LINK = """
[[carrier.smpp]]
name = "kt-2"
host = "127.0.0.1"
port = {port}
system_id = "second"
password = {{file = "{folder}/secret"}}
"""


async def status(house):
    """Return what a monitor sees: the exit code and the JSON."""
    exit_code, said = await house._said(house.daemon.command("status", "--json"))
    return exit_code, json.loads(said)


def far_ends(told):
    return {each["name"]: each["state"] for each in told["far_ends"]}


def causes(told, level):
    return {each["cause"] for each in told["findings"] if each["level"] == level}


@pytest_twisted.ensureDeferred
async def test_a_house_in_which_all_is_well_is_told_as_such(house):
    await house.start()
    caller = house.caller()
    await house.accepted_press(caller)
    await house.until(lambda: house.alerts(caller))
    told = {}

    async def look():
        told.update(zip(("code", "status"), await status(house), strict=True))
        return told["status"]["store"]["owed"] == 0

    while not await look():
        pass

    assert told["code"] == 0, told["status"]["findings"]
    found = told["status"]
    assert far_ends(found) == {
        "skt-1": "up", "skt-2": "up", "kt-1": "up",
        "lbs-skt": "up", "lbs-kt": "up",
        "seoul-a": "up", "seoul-b": "not-asked",
    }  # fmt: skip
    assert (found["store"]["open_incidents"], found["store"]["oldest_owed_at"]) == (1, None)
    assert found["store"]["schema_version"] == found["release"]["schema_version"]
    assert found["release"]["pid"] == house.daemon.pid
    assert found["volumes"][0]["free_bytes"] > 0
    (in_words,) = {(await house._said(house.daemon.command("status")))[1].splitlines()[0].split()[0]}
    assert in_words == "정상"


@pytest_twisted.ensureDeferred
async def test_a_link_whose_password_is_corrected_binds_at_once_when_it_is_tried_again(house):
    """Left alone it would wait for five minutes."""
    house.kt._accounts = {"onetouch": "", "second": "right"}
    secret = house.folder / "secret"
    secret.write_text("wrong")
    port = house.kt.port.getHost().port
    house.choose(kt_peer=SECOND_LINK.format(port=port, folder=house.folder))
    await house.start()
    await house.until(lambda: house.logged("bind refused", link="kt-2"))
    await house.until(lambda: house.logged("link alarm", link="kt-2"))

    exit_code, told = await status(house)
    (refused,) = [each for each in told["far_ends"] if each["name"] == "kt-2"]
    secret.write_text("right")
    said = await house.onetouch("links", "retry", "kt-2")
    await house.until(lambda: len(house.kt.links) == 2)

    assert (exit_code, causes(told, "warning")) == (1, {"far-end", "alarm"})
    assert (refused["state"], refused["reason"]) == ("refused", "bind refused: ESME_RINVPASWD")
    assert refused["retry_at"] is not None
    assert "다시 읽음: 바뀌었음" in said
    await house.until(lambda: house.logged("link up", link="kt-2"))
    assert far_ends((await status(house))[1])["kt-2"] == "up"
    assert "is no" in await house.refused_onetouch("links", "retry", "kt-9")
    assert len(house.logged("link up", link="kt-1")) == 1, "the others were left alone"


@pytest_twisted.ensureDeferred
async def test_a_112_that_refuses_is_critical(house):
    await house.start()
    house.centre.refuse(503)
    caller = house.caller()

    await house.accepted_press(caller)
    await house.until(lambda: house.logged("will retry", channel="seoul-a"))
    exit_code, told = await status(house)

    assert exit_code == 2
    assert "centre-unreached" in causes(told, "critical")
    assert told["store"]["owed"] == 1
    await house.centre.come_back()
    await house.until(lambda: house.alerts(caller))


@pytest_twisted.ensureDeferred
async def test_a_store_that_hangs_is_told_of_within_two_seconds(house):
    await house.start("store-hangs")
    flag = house.folder / "store-hangs"
    flag.touch()

    began = house.reactor.seconds()
    exit_code, told = await status(house)
    again, _ = await status(house)

    assert (exit_code, again) == (2, 2)
    assert causes(told, "critical") == {"store-silent"}
    assert far_ends(told)["skt-1"] == "up"
    # Two looks, of which only the first waits for its second; the rest is two starts of Python.
    assert house.reactor.seconds() - began < 60
    assert await house.soon(house.press(house.caller())) == ESME_ROK
    flag.unlink()


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_is_dead_is_unknown_and_its_socket_is_replaced_by_the_next(house):
    await house.start()
    await house.kill9()
    socket = house.daemon.store.with_name("control.socket")
    assert socket.exists()

    exit_code, told = await status(house)

    assert (exit_code, told["cause"]) == (3, "not-running")
    await house.start()
    assert (await status(house))[0] == 0
    await house.stop()
    assert not socket.exists()


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_does_not_answer_is_unknown_and_said_to_be_silent(house):
    await house.start()
    house.daemon.signal(signal.SIGSTOP)

    exit_code, told = await status(house)
    house.daemon.signal(signal.SIGCONT)

    assert (exit_code, told["cause"]) == (3, "no-answer")
    await house.until(lambda: len(house.skt.links) == 2)
