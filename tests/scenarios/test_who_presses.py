"""Who presses, and how likely it is meant: told after the first report, whatever becomes of the registry."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
import pytest_twisted
from sqlalchemy import create_engine, text, update
from twisted.internet.task import deferLater

from telephony.domain.people.person import Device, Draft, GuardianEntry
from telephony.domain.values import Msisdn
from telephony.store.crypto import KeyFile
from telephony.store.engines import one_transaction, open_engines
from telephony.store.people import Registry
from telephony.store.schema import person
from tests.scenarios.house import SEOUL

NAME, ILLNESS, ADDRESS = "김하늘", "천식 흡입기", "서울 종로구 사직로 8"
MOTHER = "821098760001"
HEADINGS = (
    "이름,생년월일,전화번호,통신사,기기,전화번호2,기기2,주소,의료정보,언어,보호자1 관계,보호자1 전화번호"
)
ENGLISH_CENTRE = """
[[psap]]
name = "busan"
addresses = "112.busan.example"
language = "en"
carriers = ["kt"]
[[psap.channel]]
name = "busan-a"
url = "{url}"
"""


def last(house, caller, centre=None):
    """Return what the newest report of a caller says for machines; nothing before there is one."""
    reports = house.reports(caller, centre)
    return reports[-1].parameters if reports else {}


def of_incident(house, caller, incident):
    return [each for each in house.reports(caller) if each.incident == incident]


def words(report):
    return report.raw.decode()


async def sign_up(house, caller, *, device="phone", second="", second_kind=""):
    """Import a school's file with this one row."""
    house.keep_secret(NAME, ILLNESS, "사직로", "98760001")
    row = (
        f"{NAME},2015-03-02,{caller},,{device},{second},{second_kind},{ADDRESS},{ILLNESS},ko,어머니,{MOTHER}"
    )
    file = house.folder / "class-3.csv"
    file.write_text(f"{HEADINGS}\n{row}\n")
    said = await house.onetouch("people", "import", str(file), "--by", "박보호", "--means", "서면 동의")
    assert "추가 1" in said


async def false_alarm(house, caller):
    """Press, be found in no danger, and have it said."""
    await house.accepted_press(caller)
    await house.until(lambda: house.alerts(caller))
    incident = house.alerts(caller)[-1].incident
    await house.until(lambda: house.logged("caller looked up", incident=incident))
    why = ("--by", "desk 7", "--why", "unit 12 met her: the phone was in a bag")
    assert "is marked as a false alarm" in await house.onetouch("incidents", "false-alarm", incident, *why)
    return incident


@pytest_twisted.ensureDeferred
async def test_the_first_report_names_nobody_and_the_update_brings_the_person_in_the_centre_s_language(house):
    house.choose(more=ENGLISH_CENTRE.format(url=house.second.url))
    await house.start()
    korean, english = house.caller(), house.caller(carrier="kt")
    await sign_up(house, korean, device="u-relief", second=english, second_kind="phone")

    await house.accepted_press(korean)
    await house.until(lambda: "person-name" in last(house, korean))
    await house.accepted_press(english, smsc=house.kt)
    await house.until(lambda: len(house.reports(english, house.second)) > 1)

    alert, told = house.reports(korean)[0], house.reports(korean)[-1]
    assert "person-registered" not in alert.parameters
    assert NAME not in words(alert)
    assert told.msg_type == "Update"
    assert told.parameters["person-name"] == (NAME,)
    assert told.parameters["person-guardians"] == (f"어머니 +{MOTHER}",)
    for line in (
        f"신고자: {NAME}, 2015-03-02 출생(만 11세), U-안심 단말기",
        f"의료 정보: {ILLNESS}",
        f"등록 주소: {ADDRESS}",
    ):
        assert line in words(told)
    in_english = house.reports(english, house.second)[-1]
    for line in (f"Caller: {NAME}, born 2015-03-02 (11 years), phone", f"Medical: {ILLNESS}"):
        assert line in words(in_english)
    assert in_english.parameters["person-other-incidents"] == (alert.incident,)
    assert "The same person's other device was pressed too" in words(in_english)


@pytest_twisted.ensureDeferred
async def test_a_press_that_nobody_registered_is_relayed_all_the_same_and_labelled_with_the_next_report(
    house,
):
    await house.start()
    caller = house.caller()

    await house.accepted_press(caller)
    await house.until(lambda: house.logged("caller looked up", registered="no"))
    assert [report.msg_type for report in house.reports(caller)] == ["Alert"]
    await house.accepted_press(caller, "집에 있어요")

    await house.until(lambda: len(house.reports(caller)) == 2)
    assert last(house, caller)["person-registered"] == ("no",)
    assert "등록되지 않은 번호" in words(house.reports(caller)[-1])


@pytest_twisted.ensureDeferred
async def test_who_was_registered_after_the_press_is_told_of_at_the_next_look(house):
    await house.start()
    caller = house.caller()
    await house.accepted_press(caller)
    await house.until(lambda: house.logged("caller looked up", registered="no"))

    await sign_up(house, caller)

    await house.until(lambda: last(house, caller).get("person-name") == (NAME,))


@pytest_twisted.ensureDeferred
async def test_a_consent_that_was_outgrown_is_said_to_have_ended(house):
    await house.start()
    caller = house.caller()
    house.keep_secret("98760001")
    with the_registry(house) as (registry, connection):
        years_ago = datetime.now(UTC) - timedelta(days=3 * 365)
        born = date(years_ago.year - 17, 1, 1)
        guardian = GuardianEntry(Msisdn(MOTHER), "어머니")
        pupil = Draft(NAME, born, (Device(Msisdn(caller)),), (guardian,), {}, "박보호", "서면")
        registry.enrol(connection, [pupil], years_ago)

    await house.accepted_press(caller)

    await house.until(lambda: last(house, caller).get("person-consent") == ("ended",))
    assert "보호자 동의 만료(성년)" in words(house.reports(caller)[-1])


@pytest_twisted.ensureDeferred
async def test_a_damaged_registry_costs_the_first_report_nothing_and_112_learns_that_silence_means_nothing(
    house,
):
    await house.start()
    caller = house.caller()
    await sign_up(house, caller)
    with the_registry(house) as (_, connection):
        connection.execute(update(person).values(sealed=b"\0" * 300))

    await house.accepted_press(caller)

    await house.until(lambda: last(house, caller).get("person-registered") == ("unknown",))
    assert "person-registered" not in house.alerts(caller)[0].parameters
    assert "등록 정보를 읽을 수 없음" in words(house.reports(caller)[-1])
    await house.until(lambda: house.logged("registry not readable"))


@pytest_twisted.ensureDeferred
async def test_while_the_registry_hangs_presses_positions_and_repeats_reach_112_as_ever(
    house, locked_registry
):
    url, lock, unlock = locked_registry
    house.choose(more=f'[store]\nurl = "{url}"')
    await house.start()
    caller, others = house.caller(SEOUL), [house.caller() for _ in range(20)]
    await sign_up(house, caller)
    lock()

    for each in (*others, caller):
        await house.accepted_press(each)
    await house.until(lambda: all(house.alerts(each) for each in (*others, caller)))
    await house.until(lambda: house.located(caller))
    await house.until(lambda: last(house, caller).get("person-registered") == ("unknown",))
    unlock()

    await house.until(lambda: last(house, caller).get("person-name") == (NAME,))


@pytest_twisted.ensureDeferred
async def test_after_a_false_alarm_the_next_press_is_labelled_and_relayed_like_any_other(house):
    # By day the second press scores 60, at night in Seoul 55: this mark lies below both and above the first one's 35.
    house.choose(more="[scoring]\ntell_from = 50")
    await house.start()
    caller = house.caller()
    incident = await false_alarm(house, caller)
    await house.until(lambda: last(house, caller).get("false-alarm") == ("112",))
    assert last(house, caller)["incident-state"] == ("open",)
    await house.onetouch("incidents", "close", incident, "--reason", "false alarm: met by unit 12")

    await house.accepted_press(caller, "다시")

    await house.until(lambda: len(house.alerts(caller)) == 2)
    second = house.alerts(caller)[1].incident
    assert second != incident
    # The first incident may still have its own last word to say, with the score of before.
    label = "accident-likelihood-percent"
    await house.until(lambda: any(label in each.parameters for each in of_incident(house, caller, second)))
    labelled = next(each for each in of_incident(house, caller, second) if label in each.parameters)
    assert int(labelled.parameters[label][0]) in {55, 60}
    assert "이전 오신고 1회" in words(labelled)
    assert "참고용, 출동 판단의 조건이 아님" in words(labelled)


@pytest_twisted.ensureDeferred
async def test_of_an_incident_that_there_is_not_nothing_can_be_said(house):
    await house.start()

    said = await house.refused_onetouch(
        "incidents", "false-alarm", "sos-x", "--by", "desk 7", "--why", "a bag"
    )
    assert "there is no incident sos-x" in said


@pytest_twisted.ensureDeferred
async def test_in_a_flood_every_press_is_told_of_first_and_everybody_is_looked_up_after(house):
    await house.start()
    callers = [house.caller() for _ in range(150)]
    await sign_up(house, callers[-1])

    waiting = [house.press(caller) for caller in callers]
    for each in waiting:
        assert await house.soon(each) == 0

    await house.until(lambda: all(house.alerts(caller) for caller in callers))
    await house.until(lambda: len(house.logged("caller looked up")) >= len(callers))
    await house.until(lambda: last(house, callers[-1]).get("person-name") == (NAME,))
    assert all(len(house.alerts(caller)) == 1 for caller in callers)


@pytest_twisted.ensureDeferred
async def test_where_the_house_says_so_nobody_is_looked_up(house):
    house.choose(more="[people]\njoin = false\n[scoring]\non = false")
    await house.start()
    caller = house.caller()
    await sign_up(house, caller)

    await house.accepted_press(caller)
    await house.accepted_press(caller, "집에 있어요")
    await house.until(lambda: len(house.reports(caller)) == 2)
    await deferLater(house.reactor, 0.3)

    assert not {name for name in last(house, caller) if name.startswith(("person", "accident"))}
    assert house.daemon.rows("SELECT count(*) FROM press_history") == [(0,)]


# -- the registry behind the daemon's back ---------------------------------------------------------------------------


class the_registry:  # noqa: N801 - reads as a phrase
    """A transaction in the house's own store, as another process of the same service would have it."""

    def __init__(self, house):
        keys = KeyFile(house.folder / "state" / "data.keys").ring
        self._engines = open_engines(f"sqlite:///{house.daemon.store}", keys)
        self._registry = Registry(keys)

    def __enter__(self):
        self._connection = self._engines[0].connect()
        self._transaction = one_transaction(self._connection)
        self._transaction.__enter__()
        return self._registry, self._connection

    def __exit__(self, *error):
        self._transaction.__exit__(*error)
        self._connection.close()
        for engine in self._engines:
            engine.dispose()


@pytest.fixture
def locked_registry(postgresql_url):
    """A store of this test's own on PostgreSQL, and two functions: lock the tables of people, and let them go."""
    name = f"scenario_{uuid.uuid4().hex[:12]}"
    server = create_engine(postgresql_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    server.dispose()
    url = postgresql_url.rsplit("/", 1)[0] + f"/{name}"
    engine = create_engine(url)
    holding = []

    def lock():
        connection = engine.connect()
        connection.execute(text("LOCK TABLE person, person_number IN ACCESS EXCLUSIVE MODE"))
        holding.append(connection)

    def unlock():
        holding.pop().close()

    yield url, lock, unlock
    for connection in holding:
        connection.close()
    engine.dispose()
