"""Name servers hang, fail or forget: 112 is told at once, no matter whose names they serve."""

from __future__ import annotations

import pytest
import pytest_twisted

from telephony.net.names import read_addresses
from tests.scenarios.house import SEOUL, House
from tests.scenarios.name_server import NameServers

CENTRE, SECOND = "112.example", "112-second.example"
SKT_LBS, KT_LBS = "lbs.skt.example", "lbs.kt.example"


@pytest.fixture
def name_servers(house: House) -> NameServers:
    servers = NameServers(house.daemon)
    for name in (CENTRE, SECOND, SKT_LBS, KT_LBS):
        servers.lead(name)
    house.choose(
        hosts=tuple({"centre": CENTRE, "second": SECOND, "skt_lbs": SKT_LBS, "kt_lbs": KT_LBS}.items())
    )
    return servers


async def pressed_and_told(house: House, presses: int = 15) -> None:
    callers = [house.caller(SEOUL) for _ in range(presses)]
    for caller in callers:
        await house.accepted_press(caller)
    await house.until(lambda: all(house.alerts(caller) for caller in callers))
    assert [len(house.alerts(caller)) for caller in callers] == [1] * presses


async def reconnected(house: House) -> None:
    """Have 112 close its connections, so that the next report needs a new one."""
    await house.centre.go_down()
    await house.centre.come_back()


@pytest_twisted.ensureDeferred
async def test_112_is_told_while_the_name_servers_of_the_location_services_hang(house, name_servers):
    name_servers.hang(SKT_LBS, KT_LBS)
    await house.start()

    for _ in range(3):
        await pressed_and_told(house)
        await reconnected(house)

    name_servers.lead(SKT_LBS)
    caller = house.caller(SEOUL)
    await house.accepted_press(caller)
    await house.until(lambda: house.located(caller))


@pytest.mark.parametrize("trouble", ["hang", "forget"])
@pytest_twisted.ensureDeferred
async def test_112_is_told_where_it_was_found_last_when_its_own_name_servers_fail(
    house, name_servers, trouble
):
    await house.start()
    await pressed_and_told(house, 1)

    getattr(name_servers, trouble)(CENTRE, SECOND, SKT_LBS, KT_LBS)
    await reconnected(house)

    await pressed_and_told(house)


@pytest.mark.parametrize("trouble", ["hang", "forget"])
@pytest_twisted.ensureDeferred
async def test_a_daemon_that_starts_while_every_name_server_fails_tells_112_where_it_was_found_last(
    house, name_servers, trouble
):
    await house.start()
    await pressed_and_told(house, 1)
    kept = house.folder / "state" / "names.json"
    await house.until(lambda: {CENTRE, SECOND, SKT_LBS, KT_LBS} == set(read_addresses(kept)))
    await house.kill9()
    getattr(name_servers, trouble)(CENTRE, SECOND, SKT_LBS, KT_LBS)

    await house.start()

    await pressed_and_told(house)


@pytest_twisted.ensureDeferred
async def test_112_that_moved_to_another_address_is_told_there(house, name_servers):
    await house.start()
    await pressed_and_told(house, 1)
    port = house.centre.port
    await house.centre.go_down()
    await house.centre.listen("127.0.0.2", port)

    name_servers.lead(CENTRE, "127.0.0.2")

    await pressed_and_told(house)
