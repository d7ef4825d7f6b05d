"""What is over its time goes from the running service, rows and octets, and every look at it can be proved afterwards."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess

import pytest_twisted

from tests.scenarios.house import SEOUL

SECONDS = 1 / 86_400
SHORT = f"""
[retention]
incident_days = {4 * SECONDS}
position_days = {2 * SECONDS}
text_days = {2 * SECONDS}
every_h = {1 / 3600}
"""
AS_KOREA_HAS_IT = f"""
[retention]
profile = "kr"
every_h = {1 / 3600}
"""
TABLES = ("incident", "press", "position", "fact", "call", "delivery", "last_position")


async def told_and_located(house, caller):
    await house.accepted_press(caller)
    await house.until(lambda: house.located(caller))
    incident = house.alerts(caller)[0].incident
    await house.until(lambda: house.logged("delivered", kind="update", incident=incident))
    return incident


def secrets_of(house, incident):
    """The octets that stand for an incident in the store."""
    where = f"incident_key = (SELECT key FROM incident WHERE id = '{incident}')"
    rows = house.daemon.rows(f"SELECT sealed FROM press WHERE {where}")
    rows += house.daemon.rows(f"SELECT sealed FROM position WHERE {where}")
    rows += house.daemon.rows(f"SELECT sealed FROM incident WHERE id = '{incident}'")
    return [bytes(row[0]) for row in rows]


def octets_on_disk(house):
    return b"".join(path.read_bytes() for path in house.daemon.store.parent.glob("onetouch.sqlite*"))


def count(house, table):
    return house.daemon.rows(f"SELECT count(*) FROM {table}")[0][0]


@pytest_twisted.ensureDeferred
async def test_a_closed_incident_goes_with_every_octet_of_it_and_an_open_one_stays(house):
    house.choose(more=SHORT)
    await house.start()
    over, still_open = house.caller(SEOUL), house.caller(SEOUL)
    gone = await told_and_located(house, over)
    kept = await told_and_located(house, still_open)
    marks, stay = secrets_of(house, gone), secrets_of(house, kept)
    assert min(len(marks), len(stay)) >= 3
    assert all(mark in octets_on_disk(house) for mark in (*marks, *stay))

    await house.onetouch("incidents", "close", gone, "--reason", "found safe")
    await house.until(lambda: count(house, "incident") == 1)
    await house.until(lambda: house.logged("forgotten", kind="incidents"))

    assert house.daemon.rows("SELECT id FROM incident") == [(kept,)]
    for table in TABLES:
        column = "key" if table == "incident" else "incident_key"
        left = house.daemon.rows(
            f"SELECT count(*) FROM {table} WHERE {column} NOT IN (SELECT key FROM incident)"
        )
        assert left == [(0,)], table
    await house.until(lambda: not any(mark in octets_on_disk(house) for mark in marks))
    assert all(mark in octets_on_disk(house) for mark in stay), "the search finds what is there"
    proof = [json.loads(line) for line in (await house.onetouch("audit", "retention", "--json")).splitlines()]
    assert {row["kind"]: row["late"] for row in proof}["incidents"] == 0
    listed = await house.onetouch("audit", "list", "--what", "deleted", "--json")
    subjects = [json.loads(line)["subject"] for line in listed.splitlines()]
    assert {"incidents", "positions", "texts"} <= set(subjects)
    asked = [
        json.loads(line)
        for line in (await house.onetouch("incidents", "locatings", gone, "--json")).splitlines()
    ]
    assert asked, "that the carrier was asked is known when the incident is not any more"
    assert {
        (each["carrier"], each["answer"], each["method"] != "") for each in asked if each["answered_at"]
    } == {("skt", "found", True)}
    assert not {"latitude", "longitude"} & set(asked[0])
    await house.accepted_press(still_open, "아직 여기 있어요")


@pytest_twisted.ensureDeferred
async def test_as_korea_has_it_positions_go_when_112_knows_that_the_incident_is_closed(house):
    house.choose(more=AS_KOREA_HAS_IT)
    await house.start()
    over, still_open = house.caller(SEOUL), house.caller(SEOUL)
    closed, kept = await told_and_located(house, over), await told_and_located(house, still_open)

    await house.onetouch("incidents", "close", closed, "--reason", "found safe")

    await house.until(lambda: house.logged("forgotten", kind="positions"))
    assert house.logged("delivered", kind="closing", incident=closed), "112 was told first"
    left = "SELECT DISTINCT i.id FROM position p JOIN incident i ON i.key = p.incident_key"
    assert house.daemon.rows(left) == [(kept,)]
    assert {row[0] for row in house.daemon.rows("SELECT id FROM incident")} == {closed, kept}
    assert "found by" in await house.onetouch("incidents", "locatings", closed)


@pytest_twisted.ensureDeferred
async def test_the_log_of_the_daemon_names_every_look_and_shows_a_chain_whose_end_was_cut(house):
    await house.start()
    caller = house.caller(SEOUL)
    incident = await told_and_located(house, caller)
    for _ in range(3):
        await house.onetouch("incidents", "show", incident, "--positions", "--why", "unit 12 asks")
    await house.until(lambda: len(house.logged("audited", what="saw a position")) == 3)
    assert "intact" in await house.onetouch("audit", "verify", "--log", str(house.daemon.log))

    await house.stop()
    with sqlite3.connect(house.daemon.store) as connection:
        connection.execute("DELETE FROM audit WHERE number > 1")
    connection.close()

    cut = "entries 2 to 3 missing: the log names them, and the chain ends at 1"
    assert cut in await house.refused_onetouch("audit", "verify"), (
        "each look had its anchor before it was shown"
    )
    anchors = house.daemon.store.with_name("audit.anchors")
    anchors.write_text(anchors.read_text().splitlines(keepends=True)[0])
    assert "intact" in await house.onetouch("audit", "verify"), "chain and anchors were cut in step"
    told = await house.refused_onetouch("audit", "verify", "--log", str(house.daemon.log))
    assert cut in told
    assert "unit 12" not in house.daemon.log.read_text()


@pytest_twisted.ensureDeferred
async def test_a_look_at_a_terminal_and_presses_do_not_get_into_each_others_way(house):
    """Entries of a command and commits of the daemon take turns on one file."""
    await house.start()
    callers = [house.caller() for _ in range(30)]
    looks = [house.daemon.command("incidents", "list", stderr=subprocess.STDOUT) for _ in range(2)]

    for caller in callers:
        await house.accepted_press(caller)
    await house.until(lambda: all(look.poll() is not None for look in looks))

    for look in looks:
        with look.stdout as printed:
            said = printed.read().decode()
        assert look.returncode == os.EX_OK, said
    verified = json.loads((await house.onetouch("audit", "verify", "--json")).splitlines()[0])
    assert (verified["intact"], verified["entries"]) == (True, 2)
