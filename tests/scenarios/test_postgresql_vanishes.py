"""PostgreSQL vanishes without a word: 112 is told of every press at once, and the store is used again when it is there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import pytest_twisted
from sqlalchemy import make_url
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from telephony.smpp.wire.constants import ESME_RMSGQFUL, ESME_ROK
from tests.postgresql_server import PostgresqlServer, rows, standby_of
from tests.scenarios.daemon_process import ROOT
from tests.scenarios.house import House
from tests.scenarios.name_server import NameServers
from tests.scenarios.silent_proxy import SilentProxy

BUDGET_S = 3.0
"""``store.commit_budget_s``: what a press would wait for if it had to find out by itself."""


@pytest.fixture
def proxy(house: House, database: str) -> Iterator[SilentProxy]:
    """The daemon's only way to its server."""
    port = make_url(database).port
    assert port is not None
    proxy = SilentProxy(reactor, port)
    choose(house, make_url(database).set(port=proxy.port).render_as_string())
    yield proxy
    pytest_twisted.blockon(Deferred.fromCoroutine(proxy.close()))


@pytest.fixture(params=["journal", "store"])
def house(house: House, request: pytest.FixtureRequest) -> House:
    """A house whose senders are answered after the journal, or after the store."""
    house.choose(ack_after=request.param)
    return house


def choose(house: House, url: str) -> None:
    house.choose(more=f'[store]\nurl = "{url}"\ncommit_budget_s = {BUDGET_S}')


async def told_at_once(house: House, caller: str, *, is_kept: bool | None = None) -> None:
    """Press: 112 hears of it, and its sender that the journal has it, or that it is to be delivered again.

    Neither waits for the store.
    """
    is_kept = house.choices.ack_after == "journal" if is_kept is None else is_kept
    assert await house.soon(house.press(caller)) == (ESME_ROK if is_kept else ESME_RMSGQFUL)
    await house.until(lambda: house.alerts(caller))
    incident = house.alerts(caller)[0].incident
    told = TOLD_AND_KEPT if is_kept else TOLD
    await house.until(lambda: house.logged(told, incident=incident))
    # Had it waited for the store, the whole budget would be over by then.
    await house.until(lambda: house.logged("relayed directly", incident=incident))
    first = house.logged("relayed directly", incident=incident)[0]
    assert first["since_ms"] < BUDGET_S * 1_000


async def store_is_used_again(house: House, callers: list[str]) -> None:
    """The redeliveries are taken, and the next press is as any other."""
    await house.until(lambda: house.skt.queued == 0)
    callers.append(house.caller())
    await house.accepted_press(callers[-1])
    await house.until(lambda: house.alerts(callers[-1]))


def incidents_of(house: House, callers: list[str]) -> set[tuple[str, int]]:
    """Return the incidents that 112 knows of callers who pressed once each, as the store is to have them."""
    return {(house.alerts(caller)[0].incident, 1) for caller in callers}


TOLD = "press not durable, relayed directly"
TOLD_AND_KEPT = "press in the journal alone, relayed directly"
INCIDENTS = "SELECT id, press_count FROM incident"


@pytest_twisted.ensureDeferred
async def test_it_is_noticed_before_anybody_presses_and_no_press_pays_for_it(house, proxy, database):
    await house.start()
    callers = [house.caller() for _ in range(4)]
    await house.accepted_press(callers[0])
    await house.until(lambda: house.logged("press accepted"))

    proxy.vanish()
    await house.until(lambda: house.logged("alarm", alarm="store-unavailable"))
    for caller in callers[1:]:
        await told_at_once(house, caller)

    proxy.come_back()
    await store_is_used_again(house, callers)
    await house.until(lambda: set(rows(database, INCIDENTS)) == incidents_of(house, callers))

    # Its threads hang on what has just vanished; it stops in good order all the same.
    proxy.vanish()
    await house.stop()


@pytest_twisted.ensureDeferred
async def test_a_start_without_it_relays_its_first_press(house, proxy, database):
    proxy.vanish()
    await house.start()
    callers = [house.caller()]

    # Nothing proves yet that the keys are this store's: a journal under them would promise what nobody might read.
    await told_at_once(house, callers[0], is_kept=False)

    assert "the store: " in await house.refused_onetouch("db", "check")
    assert "FAILED" in await house.refused_onetouch("check", "--links")

    proxy.come_back()
    await store_is_used_again(house, callers)
    await house.until(lambda: set(rows(database, INCIDENTS)) == incidents_of(house, callers))


@pytest_twisted.ensureDeferred
async def test_its_address_is_kept_while_name_servers_hang(house, proxy, database):
    names = NameServers(house.daemon)
    names.lead("db.example")
    choose(house, make_url(database).set(host="db.example", port=proxy.port).render_as_string())
    await house.start()
    # The name need not be known at the start. From now on the store is used.
    house.press(house.caller())
    await house.until(lambda: house.logged("press accepted") and house.skt.queued == 0)
    callers = [house.caller()]
    if house.choices.ack_after == "journal":
        await house.until((house.folder / "state" / "journal" / "keys.proof").exists)

    names.hang("db.example")
    proxy.vanish()
    await house.until(lambda: house.logged("store went away under us"))
    await told_at_once(house, callers[0])
    proxy.come_back()

    await store_is_used_again(house, callers)
    await house.restart()
    callers.append(house.caller())
    await house.until(lambda: house.logged("started"))
    assert await house.soon(house.press(callers[-1])) == ESME_ROK


HANGING_LIBRARY = '''
"""Stands in for whatever may hang in a library of somebody else's, bounded or not."""

import threading
import psycopg

def connect(cls, *arguments, **options):
    threading.Event().wait()

psycopg.Connection.connect = classmethod(connect)
'''


@pytest_twisted.ensureDeferred
async def test_a_thread_that_hangs_in_the_library_holds_up_nothing(house, proxy):
    folder = house.folder / "library"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HANGING_LIBRARY)
    house.daemon.environment |= {"PYTHONPATH": f"{folder}:{ROOT}"}
    await house.start()

    await told_at_once(house, house.caller(), is_kept=False)

    await house.stop()
    assert house.logged("store not closed: it does not answer")


@pytest.fixture
def standby(database: str) -> Iterator[PostgresqlServer]:
    port = make_url(database).port
    assert port is not None
    with standby_of(port) as server:
        yield server


@pytest.mark.xdist_group("heavy")
@pytest_twisted.ensureDeferred
async def test_when_its_standby_takes_over_the_store_is_that(house, proxy, database, standby):
    name = make_url(database).database
    choose(
        house,
        f"postgresql+psycopg://onetouch@/{name}?host=127.0.0.1:{standby.port}&host=127.0.0.1:{proxy.port}",
    )
    other = standby.url.rsplit("/", 1)[0] + f"/{name}"
    await house.start()
    callers = [house.caller(), house.caller()]
    await house.accepted_press(callers[0])
    await house.until(lambda: rows(other, "SELECT 1 FROM pg_tables WHERE tablename = 'incident'"))
    await house.until(lambda: rows(other, INCIDENTS))

    proxy.vanish()
    await house.until(lambda: house.logged("alarm", alarm="store-unavailable"))
    await told_at_once(house, callers[1])
    standby.promote()

    await store_is_used_again(house, callers)
    await house.until(lambda: set(rows(other, INCIDENTS)) == incidents_of(house, callers))
