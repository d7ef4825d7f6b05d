"""How PostgreSQL is reached, without one: bounds from the budget, hosts of a URL, addresses instead of names."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, make_url

from telephony.store.bounds import COMMAND, Access, hosts_of, parameters, reader, with_addresses, writer

TWO_HOSTS = "postgresql+psycopg://onetouch@/onetouch?host=db-a:5432&host=db-b:5433"


def test_what_a_press_waits_for_ends_within_its_budget():
    bounds = writer(2.0)

    assert (
        bounds.lock_s < bounds.unacknowledged_s == bounds.statement_s == bounds.idle_in_transaction_s == 2.0
    )
    assert bounds.connect_s == 2
    assert bounds.patience_s is not None
    assert bounds.patience_s > 2.0


@pytest.mark.parametrize("budget_s", [0.01, 86_400.0], ids=["least", "most"])
def test_no_budget_makes_bounds_that_are_none_or_useless(budget_s: float):
    for bounds in (writer(budget_s), reader(budget_s)):
        assert 2 <= bounds.connect_s <= 5
        assert 1.0 <= bounds.unacknowledged_s <= 10.0
        assert bounds.lock_s >= 0.5


def test_a_command_may_take_its_time_and_read_from_a_standby():
    given = parameters(COMMAND, {})

    assert "statement_timeout=0 " in given["options"]
    assert "lock_timeout=10000" in given["options"]
    assert given["target_session_attrs"] == "any"
    assert COMMAND.patience_s is None


def test_the_daemon_asks_for_the_primary_on_reading_connections_too():
    access = Access.of_daemon(2.0, lambda _: ())

    for bounds in (access.writing, access.reading):
        assert parameters(bounds, {})["target_session_attrs"] == "read-write"


def test_what_an_operator_writes_into_the_url_stands():
    url = make_url(
        "postgresql+psycopg://onetouch@db/onetouch?connect_timeout=9&keepalives_idle=7&target_session_attrs=primary"
        "&options=-c%20search_path%3Drescue%20-c%20lock_timeout%3D7"
    )

    arguments = create_engine(
        url, connect_args=parameters(writer(2.0), url.query)
    ).dialect.create_connect_args
    dialled = arguments(url)[1] | parameters(writer(2.0), url.query)

    assert (dialled["connect_timeout"], dialled["keepalives_idle"]) == ("9", "7")
    assert dialled["target_session_attrs"] == "primary"
    assert dialled["options"].endswith("-c search_path=rescue -c lock_timeout=7")
    assert "statement_timeout=2000" in dialled["options"]


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("sqlite:////var/lib/onetouch/onetouch.sqlite", ()),
        ("postgresql+psycopg://onetouch@db.example/onetouch", ("db.example",)),
        ("postgresql+psycopg://onetouch@[2001:db8::7]:5432/onetouch", ("2001:db8::7",)),
        (TWO_HOSTS, ("db-a", "db-b")),
        ("postgresql+psycopg://onetouch@/onetouch?host=db-a,db-b&port=5432,5433", ("db-a", "db-b")),
        ("postgresql+psycopg://onetouch@/onetouch?host=/run/postgresql", ()),
        ("postgresql+psycopg://onetouch@db.example/onetouch?hostaddr=192.0.2.7", ()),
        ("postgresql+psycopg://onetouch@/onetouch", ()),
    ],
    ids=["file", "one", "literal", "two", "two-in-one", "socket", "address-given", "none"],
)
def test_the_hosts_of_a_store_are_known_ahead(url: str, hosts: tuple[str, ...]):
    assert hosts_of(url) == hosts


def test_every_address_is_dialled_under_its_name():
    known = {"db-a": ("192.0.2.1", "2001:db8::1"), "db-b": ("192.0.2.2",)}
    dialled = create_engine(TWO_HOSTS).dialect.create_connect_args(make_url(TWO_HOSTS))[1]

    found = with_addresses(dialled, known.__getitem__)

    assert found["host"] == "db-a,db-a,db-b"
    assert found["hostaddr"] == "192.0.2.1,2001:db8::1,192.0.2.2"
    assert found["port"] == "5432,5432,5433"
    assert found["dbname"] == dialled["dbname"] == "onetouch"


def test_a_name_that_is_not_known_keeps_no_other_from_being_dialled():
    found = with_addresses(
        {"host": "db-a,db-b", "port": 5432}, lambda host: ("192.0.2.2",) * (host == "db-b")
    )

    assert (found["host"], found["hostaddr"], found["port"]) == ("db-b", "192.0.2.2", "5432")


def test_without_any_address_nothing_is_dialled_and_no_name_server_asked():
    with pytest.raises(LookupError, match="no address is known of db-a or db-b"):
        with_addresses({"host": "db-a,db-b"}, lambda _: ())


def test_a_socket_of_this_machine_needs_no_address():
    found = with_addresses({"host": "/run/postgresql", "port": 5432}, lambda _: ())

    assert (found["host"], found["hostaddr"]) == ("/run/postgresql", "")
