"""Alembic's steps lead to the schema that the code speaks, on both databases, and survive being cut short."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

from telephony import store
from telephony.store.presses import NewPress, PressRecorder, Rules
from telephony.store.schema import metadata
from telephony.store.upgrade import HEAD, climb, upgrade, version_of
from tests.awaiting import result_of
from tests.doubles import ONE_CENTRE, database, press
from tests.store.ledger import Ledger, call_fact, call_record


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


def test_a_second_upgrade_does_nothing(empty: Engine):
    upgrade(empty)

    assert not upgrade(empty)


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
        '{"presses": 1, "facts": 1}',
    ]


def test_a_climb_leads_to_the_same_schema_as_making_it_anew(empty: Engine):
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


def test_an_upgrade_cut_short_is_begun_anew_at_the_next_start(empty: Engine):
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
