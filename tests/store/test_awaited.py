"""Replies that are waited for: found by their phone alone, a few at a time, for as long as they are of use."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from telephony.domain.values import Msisdn
from telephony.store.awaited import (
    FAILED_FOR,
    MOST_OF_A_KIND,
    awaited_from,
    expect,
    failed,
    failures_of,
    reseal,
    settle,
    settle_all_of,
    text_left,
)
from telephony.store.crypto import Key, KeyRing
from telephony.store.engines import one_transaction
from telephony.store.sealing import with_keys
from tests.doubles import NOON, keys

MOTHER = Msisdn("821099990001")
FATHER = Msisdn("821099990002")
LATER = NOON + timedelta(hours=72)
SAID = {"code": "4821", "name": "홍길동"}


@pytest.fixture
def connection(engines):
    with engines[0].connect() as connection, one_transaction(connection):
        yield connection


def test_a_reply_is_awaited_from_the_phone_that_was_asked_and_from_no_other(connection):
    key = expect(connection, MOTHER, "consent", SAID, NOON, LATER)

    (awaited,) = awaited_from(connection, MOTHER, now=NOON)

    assert (awaited.key, awaited.kind, awaited.payload) == (key, "consent", SAID)
    assert (awaited.made_at, awaited.expires_at) == (NOON, LATER)
    assert awaited_from(connection, FATHER, now=NOON) == []


def test_kinds_are_told_apart_and_the_oldest_comes_first(connection):
    first = expect(connection, MOTHER, "consent", SAID, NOON, LATER)
    other = expect(connection, MOTHER, "guardian", SAID, NOON, LATER)
    second = expect(connection, MOTHER, "consent", SAID, NOON, LATER)

    assert [each.key for each in awaited_from(connection, MOTHER, now=NOON)] == [first, other, second]
    assert [each.key for each in awaited_from(connection, MOTHER, "consent", now=NOON)] == [first, second]


def test_what_nobody_replied_to_in_time_is_gone(connection):
    expect(connection, MOTHER, "consent", SAID, NOON, LATER)

    assert awaited_from(connection, MOTHER, now=LATER) == []
    assert len(awaited_from(connection, MOTHER, now=LATER - timedelta(microseconds=1))) == 1


def test_of_too_many_of_a_kind_the_oldest_gives_way(connection):
    asked = [expect(connection, MOTHER, "consent", SAID, NOON, LATER) for _ in range(MOST_OF_A_KIND + 2)]
    other = expect(connection, MOTHER, "guardian", SAID, NOON, LATER)

    standing = [each.key for each in awaited_from(connection, MOTHER, "consent", now=NOON)]
    assert standing == asked[-MOST_OF_A_KIND:]
    assert [each.key for each in awaited_from(connection, MOTHER, "guardian", now=NOON)] == [other]


def test_wrong_replies_of_a_phone_are_counted_for_a_day_whatever_was_asked(connection):
    assert failures_of(connection, MOTHER, NOON) == 0
    assert [failed(connection, MOTHER, NOON), failed(connection, MOTHER, NOON)] == [1, 2]
    settle(connection, expect(connection, MOTHER, "consent", SAID, NOON, LATER))

    assert failures_of(connection, MOTHER, NOON) == 2
    assert failures_of(connection, FATHER, NOON) == 0
    assert awaited_from(connection, MOTHER, now=NOON) == []
    assert failures_of(connection, MOTHER, NOON + FAILED_FOR) == 0
    assert failed(connection, MOTHER, NOON + FAILED_FOR) == 1


def test_nothing_is_a_reply_before_its_question_has_left(connection):
    key = expect(connection, MOTHER, "consent", SAID, NOON, LATER, is_sent=False)
    assert awaited_from(connection, MOTHER, now=NOON) == []
    assert [each.key for each in awaited_from(connection, MOTHER, now=NOON, is_unsent_too=True)] == [key]

    text_left(connection, key, NOON)

    assert [each.key for each in awaited_from(connection, MOTHER, now=NOON)] == [key]


def test_a_reply_settles_once(connection):
    key = expect(connection, MOTHER, "consent", SAID, NOON, LATER)

    assert settle(connection, key) is True
    assert settle(connection, key) is False
    assert awaited_from(connection, MOTHER, now=NOON) == []


def test_all_of_a_phone_or_of_one_kind_of_it_can_be_forgotten(connection):
    for kind in ("consent", "guardian", "guardian"):
        expect(connection, MOTHER, kind, SAID, NOON, LATER)
    expect(connection, FATHER, "guardian", SAID, NOON, LATER)

    assert settle_all_of(connection, MOTHER, "guardian") == 2
    assert settle_all_of(connection, MOTHER) == 1
    assert len(awaited_from(connection, FATHER, now=NOON)) == 1


def test_a_damaged_row_is_passed_over(connection):
    damaged = expect(connection, MOTHER, "consent", SAID, NOON, LATER)
    whole = expect(connection, MOTHER, "consent", SAID, NOON, LATER)
    sealed = connection.execute(text(f"SELECT sealed FROM awaited_reply WHERE key = {whole}")).scalar_one()
    # Copied from another row, it is as good as changed.
    connection.execute(
        text(f"UPDATE awaited_reply SET sealed = :sealed WHERE key = {damaged}"), {"sealed": bytes(sealed)}
    )

    assert [each.key for each in awaited_from(connection, MOTHER, now=NOON)] == [whole]


def test_a_row_tells_neither_whose_phone_it_is_nor_what_was_asked(connection):
    expect(connection, MOTHER, "consent", SAID, NOON, LATER)

    row = connection.execute(text("SELECT * FROM awaited_reply")).one()
    octets = b"|".join(
        bytes(each) if isinstance(each, (bytes, memoryview)) else str(each).encode() for each in row
    )
    for secret in (MOTHER.number, MOTHER.number[2:], "홍길동", "4821"):
        assert secret.encode() not in octets
    assert "4821" not in repr(awaited_from(connection, MOTHER, now=NOON)[0])


def test_a_rotation_of_keys_brings_rows_under_the_new_key_and_finds_them_all_the_while(engines):
    old = keys()
    new_key = Key.make(NOON)
    both = KeyRing({**old.keys, new_key.id: new_key}, new_key.id, audit_key=bytes(range(32)))
    alone = KeyRing({new_key.id: new_key}, new_key.id, audit_key=bytes(range(32)))
    writing = engines[0]
    with writing.connect() as connection, one_transaction(connection):
        expect(connection, MOTHER, "consent", SAID, NOON, LATER)
        expect(connection, FATHER, "consent", SAID, NOON, LATER)

    with with_keys(writing, lambda: both).connect() as connection, one_transaction(connection):
        assert len(awaited_from(connection, MOTHER, now=NOON)) == 1
        last, rewritten = reseal(connection, 0)
        assert rewritten == 2
        assert reseal(connection, 0) == (last, 0)
        assert reseal(connection, last) is None

    with with_keys(writing, lambda: alone).connect() as connection, one_transaction(connection):
        assert awaited_from(connection, MOTHER, now=NOON)[0].payload == SAID
        assert awaited_from(connection, FATHER, now=NOON)[0].payload == SAID
