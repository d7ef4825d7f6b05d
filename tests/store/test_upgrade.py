"""Alembic's steps lead to the schema that the code speaks, on both databases, and survive being cut short."""

from __future__ import annotations

import sqlite3
import struct
from itertools import groupby
from operator import attrgetter, itemgetter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, event, inspect, text

from telephony import store
from telephony.domain.people.person import Person, merged
from telephony.store.bound import BOUND, is_sound_quietly
from telephony.store.crypto import KeyFile, KeyRing, KeysUnavailable, Place
from telephony.store.engines import open_engines
from telephony.store.incidents import story
from telephony.store.people import Registry
from telephony.store.person_record import to_octets
from telephony.store.presses import NewPress, PressRecorder, Rules
from telephony.store.resealing import walks
from telephony.store.schema import metadata
from telephony.store.sealing import with_keys
from telephony.store.times import to_us
from telephony.store.upgrade import HEAD, LaterSchema, climb, holds_sealed, take_up, upgrade, version_of
from tests.awaiting import result_of
from tests.doubles import NOON, ONE_CENTRE, database, keys, press
from tests.store.ledger import Ledger, call_fact, call_record, fix
from tests.store.people_drafts import number, pupil


@pytest.fixture
def empty(engines: tuple[Engine, Engine]) -> Engine:
    """A database without any table."""
    writing, _ = engines
    metadata.drop_all(writing)
    return writing


def schema(engine: Engine) -> dict[str, Any]:
    """Everything the database says of its tables."""
    found = inspect(engine)
    return {
        name: (
            [{**column, "type": str(column["type"])} for column in found.get_columns(name)],
            found.get_pk_constraint(name)["constrained_columns"],
            sorted(
                f"{index['name']} {index['column_names']} {index['unique']}"
                for index in found.get_indexes(name)
            ),
            sorted(str(one["column_names"]) for one in found.get_unique_constraints(name)),
        )
        for name in found.get_table_names()
        if name != "alembic_version"
    }


OWN_WORDS = {
    "sqlite": "SELECT sql FROM sqlite_master WHERE tbl_name <> 'alembic_version' AND sql IS NOT NULL",
    "postgresql": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'",
}


def own_words(engine: Engine) -> set[str]:
    """How the database itself puts it, which also tells of WITHOUT ROWID and of partial indexes."""
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(OWN_WORDS[engine.dialect.name])
        return {" ".join(row[0].split()).replace(" ,", ",") for row in rows}


def test_the_newest_step_is_alembics_own():
    config = Config()
    config.set_main_option("script_location", str(Path(store.__file__).parent / "migrations"))

    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_the_steps_lead_to_the_schema_of_the_code(empty: Engine):
    with empty.begin() as connection:
        climb(connection)

    by_steps, words = schema(empty), own_words(empty)
    with empty.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    with empty.begin() as connection:
        metadata.drop_all(connection)
        metadata.create_all(connection)
    assert by_steps == schema(empty)
    assert words == own_words(empty)


def test_an_empty_database_has_no_version_and_an_upgraded_one_the_newest(empty: Engine):
    assert version_of(empty) is None

    upgrade(empty)

    assert version_of(empty) == HEAD


def test_an_empty_database_gets_the_same_schema_and_version_as_by_the_steps(empty: Engine):
    assert upgrade(empty)
    at_once, words = schema(empty), own_words(empty)
    with empty.begin() as connection:
        metadata.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))

    with empty.begin() as connection:
        climb(connection)

    assert at_once == schema(empty)
    assert words == own_words(empty)
    assert version_of(empty) == HEAD


def test_the_indexes_of_every_new_store_are_made_in_the_same_order(monkeypatch):
    """SQLite chooses between indexes of equal worth by the order they were made in: two stores must not read differently."""
    for table in metadata.tables.values():
        # SQLAlchemy keeps them in a set, which has any order.
        monkeypatch.setattr(table, "indexes", sorted(table.indexes, key=attrgetter("name"), reverse=True))
    engine = create_engine("sqlite://")
    upgrade(engine)

    with engine.connect() as connection:
        made = connection.exec_driver_sql(
            "SELECT tbl_name, name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY rowid"
        ).fetchall()
    engine.dispose()

    by_table = [list(group) for _, group in groupby(made, key=itemgetter(0))]
    assert by_table == [sorted(group) for group in by_table]
    assert max(map(len, by_table)) > 1


def test_a_second_upgrade_does_nothing(empty: Engine):
    upgrade(empty)

    assert not upgrade(empty)


def test_a_store_that_a_later_version_upgraded_is_left_as_it_is(empty: Engine, key_file: KeyFile):
    """After a downgrade the person is told both ways on, and not of a step that cannot be found."""
    take_up(empty, key_file)
    with empty.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0999'")

    with pytest.raises(LaterSchema, match=r"0999, .* start that version again, or restore the backup"):
        take_up(empty, key_file)

    assert version_of(empty) == "0999"


def test_presses_survive_the_next_start(empty: Engine, engines: tuple[Engine, Engine]):
    upgrade(empty)
    opened = database(*engines)
    result_of(opened.batch(PressRecorder(Rules(ONE_CENTRE, "me", {})), [NewPress(press(), "sos-1")]))

    upgrade(empty)

    with empty.connect() as connection:
        assert connection.execute(text("SELECT id FROM incident")).scalar_one() == "sos-1"
    result_of(opened.stop())


INCIDENT_OF_0001 = (
    "INSERT INTO incident (key, id, caller, msisdn, is_e164, carrier, connector, source, destination, state, test,"
    " opened_at, press_count, last_press_at, last_sequence) VALUES (256, 'sos-1', '821012345678', '821012345678', true,"
    " 'skt', 'skt-1', 'sms', '1122', 'open', false, 1, 1, 1, 1)"
)
DELIVERY_OF_0001 = (
    "INSERT INTO delivery (incident_key, channel, sequence, kind, payload, state, attempts, created_at, due_at,"
    """ lease_until) VALUES (256, 'seoul', 1, 'alert', '{"presses":1}', 'delivered', 1, 1, 1, 0)"""
)


def climb_to(engine: Engine, version: str) -> None:
    """Stop at an earlier step, as an older release did."""
    config = Config()
    config.set_main_option("script_location", str(Path(store.__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)


def test_a_store_of_the_first_version_climbs_with_its_rows_and_goes_on(empty: Engine):
    climb_to(empty, "0001")
    with empty.begin() as connection:
        connection.exec_driver_sql(INCIDENT_OF_0001)
        connection.exec_driver_sql(DELIVERY_OF_0001)

    assert upgrade(empty)

    assert version_of(empty) == HEAD
    ledger = Ledger(empty)
    assert [(row["id"], row["fact_count"], row["silence_lifted_at"]) for row in ledger.rows("incident")] == [
        ("sos-1", 0, None)
    ]
    assert ledger.call(call_record(), call_fact(), incident_id="sos-1")
    assert [row["payload"] for row in ledger.rows("delivery")] == [
        '{"presses":1}',
        '{"presses": 1, "facts": 1, "why": ["call"]}',
    ]


def test_a_climb_leads_to_the_same_schema_as_making_it_from_scratch(empty: Engine):
    climb_to(empty, "0001")
    with empty.begin() as connection:
        connection.exec_driver_sql(INCIDENT_OF_0001)
    upgrade(empty)
    climbed, words = schema(empty), own_words(empty)

    with empty.begin() as connection:
        metadata.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))
    upgrade(empty)

    assert climbed == schema(empty)
    assert words == own_words(empty)


# -- from plain to sealed -----------------------------------------------------------------------------------------

KIM, WITHHELD = "821012345678", "withheld:ref-9"
PLAIN = (
    "821012345678",
    "01012345678",
    "help me",
    "ref-kim",
    "Officer Kim",
    "mother",
    "37.5",
    "PJSIP/0101",
    "503 no",
)


def rows_of_0004(engine: Engine, ring: KeyRing) -> None:
    """What an earlier release left: plain, but for the registry."""
    climb_to(engine, "0004")
    of_kim = {
        "key": 256, "id": "sos-1", "caller": KIM, "msisdn": KIM, "is_e164": True, "carrier": "skt",
        "connector": "skt-1", "source": "sms", "destination": "1122", "state": "open", "test": False, "opened_at": 10,
        "press_count": 2, "last_press_at": 20, "last_sequence": 1, "position_count": 1, "best_position": 1,
        "closed_at": None, "close_reason": None, "fact_count": 1, "silence_lifted_at": 30,
    }  # fmt: skip
    closed = {
        "key": 512, "id": "sos-2", "caller": WITHHELD, "msisdn": "", "is_e164": False, "state": "closed",
        "closed_at": 40, "close_reason": "safe, says Officer Kim", "last_sequence": 2, "best_position": None,
        "position_count": 0, "fact_count": 0, "silence_lifted_at": None,
    }  # fmt: skip
    press_of_kim = {
        "incident_key": 256, "reference": "ref-kim", "number": 1, "source": "sms", "connector": "skt-1",
        "carrier": "skt", "destination": "01012345678", "text": "help me", "encoding": "gsm0338", "raw": b"\0raw",
        "part_reference": None, "part_total": None, "part_number": None, "labels": None,
        "received_at": to_us(NOON), "joined": "first press", "seen": 1, "last_seen_at": to_us(NOON),
    }  # fmt: skip
    deliveries = [
        ("seoul", 1, "alert", '{"presses":1}', "delivered", "503 no"),
        ("seoul", 2, "closing", '{"presses": 1, "close_reason": "safe, says Officer Kim"}', "pending", None),
        ("call-control", -999_999, "lift-silence", '{"by": "Officer Kim"}', "pending", ""),
        ("locate:skt", 0, "locate", "{}", "pending", None),
    ]
    person = from_draft()
    tables: dict[str, list[dict[str, Any]]] = {
        "incident": [of_kim, of_kim | closed],
        "press": [press_of_kim, press_of_kim | {"reference": "ref-2", "number": 2, "text": None, "raw": None}],
        "position": [
            {
                "incident_key": 256, "number": 1, "latitude": 37.5, "longitude": 127.1, "uncertainty_m": 50.0,
                "confidence": None, "method": "cell", "source": "lbs:skt", "fixed_at": 1, "received_at": 2,
                "became_best": True,
            }
        ],
        "fact": [
            {
                "incident_key": 256, "number": 1, "kind": "guardian", "subject": "1", "at": 5,
                "data": '{"relation": "mother"}',
            }
        ],
        "call": [
            {
                "reference": "voice-1/1", "incident_key": 256, "server": "voice-1", "channel": "PJSIP/01012345678-1",
                "trunk": "skt", "token": b"t" * 32, "started_at": 1, "ended_at": None,
            }
        ],
        "last_position": [{"caller": KIM, "incident_key": 256, "number": 1}],
        "delivery": [
            {
                "incident_key": 512 if kind == "closing" else 256, "channel": channel, "sequence": sequence,
                "kind": kind, "payload": payload, "state": state, "attempts": 0, "created_at": to_us(NOON), "due_at": 0,
                "lease_owner": None, "lease_until": 0, "settled_at": None, "last_error": said,
            }
            for channel, sequence, kind, payload, state, said in deliveries
        ],
        "person": [
            dict(zip(("key_id", "sealed"), ring.seal(Place("person", "sealed", 7), to_octets(person)), strict=True))
            | {"key": 7, "changed_at": 1}
        ],
        "person_number": [{"hash": b"as it was made then"[:16], "person_key": 7}],
    }  # fmt: skip
    with engine.begin() as connection:
        for table, rows in tables.items():
            names = list(rows[0])
            values = ", ".join(f":{name}" for name in names)
            connection.execute(text(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values})"), rows)


def from_draft() -> Any:
    wanted = merged(None, pupil(), adult_age=19, now=NOON)
    assert isinstance(wanted, Person)
    return wanted


def test_what_an_earlier_release_kept_in_the_clear_is_sealed_and_goes_on(empty: Engine):
    rows_of_0004(empty, keys())

    assert upgrade(empty)

    ledger = Ledger(empty)
    kim, closed = ledger.rows("incident")
    assert (kim["caller"], kim["msisdn"], kim["is_e164"], kim["destination"]) == (KIM, KIM, True, "1122")
    assert (closed["caller"], closed["msisdn"], closed["close_reason"]) == (
        WITHHELD,
        "",
        "safe, says Officer Kim",
    )
    came = {row["number"]: row for row in ledger.rows("press")}
    assert (came[1]["reference"], came[1]["text"], came[1]["raw"]) == ("ref-kim", "help me", b"\0raw")
    assert (came[2]["text"], came[2]["raw"]) == (None, None)
    assert [(row["latitude"], row["longitude"]) for row in ledger.rows("position")] == [(37.5, 127.1)]
    assert ledger.rows("fact")[0]["data"] == '{"relation": "mother"}'
    assert ledger.rows("call")[0]["channel"] == "PJSIP/01012345678-1"
    assert unbound(ledger) == []
    said = {row["kind"]: (row["payload"], row["said"], row["last_error"]) for row in ledger.rows("delivery")}
    assert said == {
        "alert": ('{"presses":1}', {}, "503 no"),
        "closing": ('{"presses": 1}', {}, None),
        "lift-silence": ("{}", {"by": "Officer Kim"}, None),
        "locate": ("{}", {}, None),
    }
    assert [(row["newest_position"], row["sharpest_position"]) for row in (kim, closed)] == [
        (1, 1),
        (None, None),
    ]
    # A redelivery is one, the caller's next press joins, her place is known, 112 reads why it was closed.
    (again,) = ledger.record(press(KIM, reference="ref-kim"))
    assert (again.receipt.incident_id, again.receipt.is_duplicate) == ("sos-1", True)
    assert ledger.transact(Registry(keys).find, number()) == from_draft()
    assert ledger.transact(story, "sos-1") is not None
    assert ledger.locate(fix(20.0), caller=KIM)
    assert len(ledger.bare_rows("last_position")) == 1
    assert [row["caller"] for row in ledger.bare_rows("last_position")] == [kim_hash()]


def unbound(ledger: Ledger) -> list[tuple[str, Any]]:
    """Rows whose code does not say that we wrote them."""
    return [
        (table, row)
        for table in BOUND
        for row in ledger.bare_rows(table)
        if not is_sound_quietly(keys(), table, SimpleNamespace(**row))
    ]


def test_a_row_that_comes_without_a_code_after_the_upgrade_is_not_believed(empty: Engine):
    """Else another hand would only have to take the code away."""
    rows_of_0004(empty, keys())
    upgrade(empty)
    ledger = Ledger(empty)
    ledger.transact(lambda connection: connection.execute(text("UPDATE incident SET bound = NULL")))

    assert not upgrade(empty)

    assert [table for table, _ in unbound(ledger)] == ["incident", "incident"]


def kim_hash() -> bytes:
    return keys().hash("caller", KIM)


@pytest.mark.parametrize("is_killed", [False, True])
def test_nothing_that_was_plain_is_left_in_the_files_of_sqlite(
    tmp_path: Path, monkeypatch, *, is_killed: bool
):
    """Not even when the process is killed between the transaction and the clearing."""
    file = tmp_path / "store.sqlite"
    writing, reading = open_engines(f"sqlite:///{file}", keys)
    # Some builds fill with zeros what is dropped; most do not.
    event.listen(writing, "connect", lambda driver, _: driver.execute("PRAGMA secure_delete=OFF"))
    rows_of_0004(writing, keys())
    assert all(each.encode() in octets_of(file) for each in PLAIN if each != "37.5")

    if is_killed:
        monkeypatch.setattr("telephony.store.upgrade.clear", lambda _: None)
        upgrade(writing)
        monkeypatch.undo()
        assert any(each.encode() in octets_of(file) for each in PLAIN)
    upgrade(writing)

    assert [each for each in PLAIN if each.encode() in octets_of(file)] == []
    assert struct.pack(">d", 127.1) not in octets_of(file)
    with reading.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA user_version").scalar_one() == 0
    writing.dispose()
    reading.dispose()


def octets_of(file: Path) -> bytes:
    return b"".join(each.read_bytes() for each in file.parent.iterdir())


def test_a_reader_in_the_way_of_the_clearing_leaves_it_to_the_next_start(tmp_path: Path):
    file = tmp_path / "store.sqlite"
    writing, reading = open_engines(f"sqlite:///{file}", keys)
    rows_of_0004(writing, keys())
    dawdler = sqlite3.connect(file, isolation_level=None)
    dawdler.execute("BEGIN")
    dawdler.execute("SELECT * FROM incident").fetchone()

    assert upgrade(writing)
    dawdler.close()
    assert not upgrade(writing)

    assert [each for each in PLAIN if each.encode() in octets_of(file)] == []
    writing.dispose()
    reading.dispose()


def without_keys() -> KeyRing:
    raise KeysUnavailable("there is no key file")


def test_rows_are_not_sealed_without_a_key_and_stay_as_they_were(empty: Engine):
    rows_of_0004(empty, keys())
    with_keys(empty, without_keys)

    with pytest.raises(KeysUnavailable):
        upgrade(empty)

    assert version_of(empty) == "0004"
    with empty.connect() as connection:
        assert connection.execute(text("SELECT msisdn FROM incident WHERE key = 256")).scalar_one() == KIM


# -- the key file ---------------------------------------------------------------------------------------------------


@pytest.fixture
def key_file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "keys" / "data.keys")


def test_a_new_store_gets_its_key_file(empty: Engine, key_file: KeyFile):
    assert take_up(empty, key_file)

    assert key_file.path.exists()
    assert not take_up(empty, key_file)


def test_a_store_of_before_there_was_anything_sealed_gets_a_key_file(empty: Engine, key_file: KeyFile):
    with_keys(empty, key_file.ring)
    climb_to(empty, "0001")
    with empty.begin() as connection:
        connection.exec_driver_sql(INCIDENT_OF_0001)
    assert not holds_sealed(empty)

    assert take_up(empty, key_file)

    assert holds_sealed(empty)


@pytest.mark.parametrize("since", ["0004", "now"])
def test_a_key_file_that_is_gone_is_asked_for_and_never_made_again(
    empty: Engine, key_file: KeyFile, since: str
):
    rows_of_0004(empty, keys())
    if since == "now":
        upgrade(empty)

    with pytest.raises(KeysUnavailable, match=r"data\.keys is not there: bring it back from its backup"):
        take_up(empty, key_file)

    assert not key_file.path.exists()


def test_the_key_file_of_another_store_is_refused(empty: Engine, key_file: KeyFile, tmp_path: Path):
    """As a second machine would make it for itself, before anybody has pressed."""
    take_up(empty, key_file)
    other = KeyFile(tmp_path / "elsewhere" / "data.keys")
    other.make()

    with pytest.raises(KeysUnavailable, match=f"holds key {key_file.ring().current.id}"):
        take_up(empty, other)

    assert not take_up(empty, key_file)


def test_an_older_copy_of_the_key_file_is_refused_once_the_store_is_under_the_newer(
    empty: Engine, key_file: KeyFile, tmp_path: Path
):
    take_up(empty, key_file)
    older = KeyFile(tmp_path / "older.keys")
    older.path.write_bytes(key_file.path.read_bytes())
    older.path.chmod(0o600)
    key_file.add()
    with_keys(empty, key_file.ring)
    assert not take_up(empty, key_file)
    (way,) = [each for each in walks(Registry(key_file.ring)) if each.table == "key_proof"]
    with empty.begin() as connection:
        page = way.find(connection, (), 1)
        assert page is not None
        assert way.reseal(connection, page.rows) == 1

    with pytest.raises(KeysUnavailable, match="or an older one"):
        take_up(empty, older)

    assert not take_up(empty, key_file)


def test_a_key_file_that_cannot_be_made_makes_the_store_unavailable(empty: Engine, tmp_path: Path):
    (tmp_path / "keys").write_text("a file where the folder should be")

    with pytest.raises(KeysUnavailable, match="cannot be made"):
        take_up(empty, KeyFile(tmp_path / "keys" / "data.keys"))


def test_an_upgrade_cut_short_is_begun_again_at_the_next_start(empty: Engine):
    """A first start that was killed half-way must not leave a store that no later start can use."""
    with empty.begin() as connection:
        # In the way of the last of the tables, as a full disk would be.
        connection.execute(text("CREATE TABLE delivery (x INTEGER)"))
    with pytest.raises(Exception, match="delivery"):
        upgrade(empty)
    assert set(inspect(empty).get_table_names()) <= {"delivery", "alembic_version"}
    with empty.begin() as connection:
        connection.execute(text("DROP TABLE delivery"))

    assert upgrade(empty)

    assert version_of(empty) == HEAD


def test_a_memory_is_not_the_sharpest_fix_of_an_incident_that_an_earlier_release_left(empty: Engine):
    rows_of_0004(empty, keys())
    with empty.begin() as connection:
        connection.execute(text("UPDATE position SET source = 'last-known'"))

    assert upgrade(empty)

    kim = Ledger(empty).rows("incident")[0]
    assert (kim["best_position"], kim["newest_position"], kim["sharpest_position"]) == (1, 1, None)
