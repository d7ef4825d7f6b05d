"""A copy of the store and the logs tells no one's number, name, words or place."""

from __future__ import annotations

import io
import shutil
import struct
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import pytest_twisted
from sqlalchemy import Connection, create_engine, text

from telephony.smpp.wire.constants import ESME_ROK
from telephony.store.crypto import KeyFile, Place
from telephony.store.engines import open_engines
from telephony.store.people import Registry
from telephony.store.positions import best_position
from telephony.store.resealing import SealedTable, walks
from telephony.store.schema import metadata
from telephony.store.sealing import keys_of, unseal
from tests.scenarios.house import House
from tests.scenarios.traces import found, found_in, of_degrees, of_number, of_text

PLACE = (37.482731, 127.036149)
"""Where the caller is."""
SOMEBODY = "821055516677"
"""Whose number somebody texted in the belief that it is 112's."""
GUARDIAN = "821098760001"
NAME, GUARDIAN_SAYS, OFFICER, UNIT = "한다람쥐", "mother", "Officer Gil-dong Seo", "순경 박차돌"
WORDS = "문 뒤에 숨어 있어요, 제발"
CODE = "*112#"
BEYOND = "*112*4417*88213#"
USSD = f'[carrier.recognition]\nussd_codes = ["{CODE}"]\n[carrier.ussd]\nprofile = "generic"\n'
DEGREES = 37.482731
HEAD = "이름,생년월일,휴대폰번호,보호자 관계,보호자 전화번호\n"


def secrets(place: tuple[float, float], *callers: str) -> dict[str, set[bytes]]:
    """Return the spellings of everything that must not be found; ``place`` as the carrier's server gave it."""
    numbers = {f"the number {each}": of_number(each) for each in (*callers, SOMEBODY, GUARDIAN)}
    words = {f"the words {each}": of_text(each) for each in (NAME, OFFICER, UNIT, WORDS, WORDS[:6], BEYOND)}
    return numbers | words | {f"the place {each}": of_degrees(each) for each in place}


async def everything_happens(house: House) -> tuple[str, str]:
    """Let everything personal that there is come into the store; gives the two callers."""
    house.choose(skt_trunk=USSD)
    await house.start()
    caller, other = house.caller(PLACE), house.caller()
    people = house.folder / "people.csv"
    people.write_text(f"{HEAD}{NAME},2015-03-02,0{caller[2:]},어머니,0{GUARDIAN[2:]}\n")
    await house.onetouch("people", "import", str(people), "--by", "한국초", "--means", "서면")
    people.unlink()
    house.keep_secret(NAME, OFFICER, UNIT, SOMEBODY, GUARDIAN, BEYOND)

    await house.accepted_press(caller, WORDS)
    assert await house.soon(house.skt.send_ussd(caller, CODE)) == ESME_ROK
    assert await house.soon(house.skt.send_ussd(other, BEYOND)) == ESME_ROK
    assert await house.soon(house.skt.send_mo(caller, f"0{SOMEBODY[2:]}", text=WORDS)) == ESME_ROK
    await house.until(lambda: house.located(caller) and house.alerts(other))
    incident = house.alerts(caller)[0].incident
    await house.onetouch("calls", "lift", incident, "--by", OFFICER)
    await house.until(lambda: house.reports(caller)[-1].msg_type == "Update")
    await house.onetouch("incidents", "dispatch", incident, "--unit", UNIT, "--by", OFFICER)
    await house.onetouch("incidents", "close", incident, "--reason", f"safe, says {UNIT}")
    await house.until(lambda: house.logged("delivered", incident=incident, kind="closing"))
    return caller, other


def copies(house: House, aside: Path) -> list[Path]:
    """Copy what a thief of the disk would have, but for the key file: store, its log, logs, everything in the folder."""
    aside.mkdir()
    taken = []
    for file in sorted(house.folder.rglob("*")):
        if file.is_file() and file.name not in ("data.keys", "onetouch.toml"):
            taken.append(aside / f"{len(taken)}-{file.name}")
            shutil.copyfile(file, taken[-1])
    return taken


def opened(connection: Connection) -> bytes:
    """Return everything sealed as it is read with the keys."""
    ring, plain = keys_of(connection), io.BytesIO()
    registry = Registry(lambda: ring)
    for way in walks(registry):
        if isinstance(way, SealedTable):
            rows = connection.execute(metadata.tables[way.table].select()).mappings()
            for row in rows:
                for column in way.sealed:
                    if row[column] is not None:
                        place = Place(way.table, column, *[row[each] for each in way.place])
                        plain.write(unseal(ring, place, row[column]) + b"\n")
    for each in registry.everybody(connection):
        plain.write(f"{each.person.name} {each.person.guardians[0].phone.number}\n".encode())
    return plain.getvalue()


def kept(url: str, house: House, *callers: str) -> dict[str, set[bytes]]:
    """Return the secrets, each of which the keys bring out: what was never stored would not be found either."""
    writing, reading = open_engines(url, KeyFile(house.folder / "state" / "data.keys").ring)
    with reading.connect() as connection:
        plain = opened(connection)
        position = best_position(connection, house.alerts(callers[0])[0].incident)
    writing.dispose()
    reading.dispose()
    assert position is not None
    assert (position.latitude, position.longitude) == pytest.approx(PLACE, abs=0.001)
    spellings = secrets((position.latitude, position.longitude), *callers)
    for secret, ways in spellings.items():
        assert list(found_in({secret: ways}, plain)), f"{secret} was not kept at all"
    return spellings


@pytest_twisted.ensureDeferred
async def test_a_copy_of_the_store_and_of_all_logs_tells_nothing_of_anybody(
    house: House, tmp_path_factory: Any
):
    callers = await everything_happens(house)

    taken = copies(house, tmp_path_factory.mktemp("thief") / "beside a running daemon")
    await house.stop()
    taken += copies(house, tmp_path_factory.mktemp("thief") / "of one that was stopped")

    names = {file.name.partition("-")[2] for file in taken}
    assert {"onetouch.sqlite", "onetouch.sqlite-wal", "log", "stderr"} <= names
    assert found(kept(f"sqlite:///{house.daemon.store}", house, *callers), taken) == []


@pytest.fixture
def database(postgresql_url: str) -> Iterator[str]:
    """URL of an empty database of this test's own."""
    name = f"bytes_{uuid.uuid4().hex[:12]}"
    server = create_engine(postgresql_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield postgresql_url.rsplit("/", 1)[0] + f"/{name}"
    server.dispose()


@pytest_twisted.ensureDeferred
async def test_a_dump_of_postgresql_tells_nothing_of_anybody(house: House, database: str):
    house.choose(more=f'[store]\nurl = "{database}"')
    callers = await everything_happens(house)
    await house.stop()

    dump = io.BytesIO()
    with psycopg.connect(database.replace("+psycopg", "")) as connection, connection.cursor() as cursor:
        for table in metadata.tables:
            for how in ("", " (FORMAT binary)"):
                with cursor.copy(f"COPY {table} TO STDOUT{' WITH' if how else ''}{how}") as rows:
                    for octets in rows:
                        dump.write(octets)

    assert len(dump.getvalue()) > 2_000
    assert list(found_in(kept(database, house, *callers), dump.getvalue())) == []


@pytest.mark.parametrize(
    "octets",
    [
        b"+82 10, that is 821012345678", b"010-1234-5678", "1012345678".encode("utf-16-le"), b"MDEwMTIzNDU2Nzg=",
        b"383231303132333435363738", bytes.fromhex("280121436587"), bytes.fromhex("821012345678"),
        (1012345678).to_bytes(8, "little"), "숨어 있어요".encode(), "숨어 있어요".encode("utf-16-be"),
        "숨어 있어요".encode("euc-kr"), b"37.482731", b'"latitude": 37.4827', b"N37 28 57.8", struct.pack(">d", DEGREES),
        struct.pack("<d", DEGREES), struct.pack("<f", DEGREES), struct.pack(">d", DEGREES).hex().encode(),
    ],
)  # fmt: skip
def test_the_search_finds_what_it_is_to_find(octets: bytes):
    ways = {"it": of_number("821012345678") | of_text("숨어 있어요") | of_degrees(DEGREES)}

    assert list(found_in(ways, b"x\0" + octets + b"\xff"))


def test_the_search_finds_nothing_where_nothing_is():
    ways = {"it": of_number("821012345678") | of_text("숨어 있어요") | of_degrees(DEGREES)}

    assert list(found_in(ways, "82101234 37.48 28 5678 숨어".encode())) == []
