"""The audit chain tells whether, where and how it was tampered with, on both databases."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from telephony.domain.audit import FORGOTTEN, SAW_PERSON, Looked, Seat
from telephony.store.audit import (
    AUDIT,
    BEFORE_THE_FIRST,
    PAGE,
    Entry,
    append,
    count,
    cut_of,
    digest_of,
    entries,
    head,
    newest,
    rows_after,
    short_form,
)
from telephony.store.audit_verifying import MOST_TOLD, LoggedEntry, compare, verify
from telephony.store.crypto import Damaged, Key, KeyFile, KeyRing, Place
from telephony.store.engines import one_transaction, open_engines
from telephony.store.schema import metadata
from telephony.store.sealing import keys_of, seal, with_keys
from telephony.store.times import to_us
from tests.doubles import NOON, keys

NUMBER = "+821012345678"


def look(index: int = 0, **changes: str) -> Looked:
    said = {"who": "kim", "what": SAW_PERSON, "subject": NUMBER, "why": f"letter {index}"} | changes
    return Looked(**said, at=NOON + timedelta(seconds=index))


class Chain:
    """A chain in a store, and somebody who may write into its table."""

    def __init__(self, engines):
        self.writing, self.reading = engines

    def run(self, work, *arguments):
        with self.writing.connect() as connection, one_transaction(connection):
            return work(connection, *arguments)

    def grow(self, entries=40):
        return [self.run(append, look(index)) for index in range(1, entries + 1)]

    def tamper(self, statement, **values):
        self.run(lambda connection: connection.execute(text(statement), values))

    def verdict(self):
        with self.reading.connect() as connection:
            return verify(connection)

    def told(self):
        return [str(each) for each in self.verdict().breaks]

    def compared(self, logged):
        verdict = self.verdict()
        with self.reading.connect() as connection:
            return [str(each) for each in compare(connection, verdict, logged)]


@pytest.fixture
def chain(engines):
    return Chain(engines)


def test_an_empty_chain_is_intact(chain):
    verdict = chain.verdict()

    assert (verdict.is_intact, verdict.entries, verdict.head) == (True, 0, None)


def test_entries_are_numbered_without_a_gap_and_say_what_was_looked_at(chain):
    written = chain.grow(3)

    with chain.reading.connect() as connection:
        kept = list(entries(connection))
        assert head(connection) == written[-1]
        assert count(connection) == 3
    assert [each.number for each in kept] == [1, 2, 3]
    assert [each.looked for each in kept] == [look(1), look(2), look(3)]


def test_a_chain_that_nobody_touched_is_intact_and_its_head_stands_for_it(chain):
    written = chain.grow(40)

    verdict = chain.verdict()

    assert verdict.is_intact
    assert (verdict.entries, verdict.first, verdict.last, verdict.head) == (40, 1, 40, written[-1])


def test_what_an_entry_says_stands_nowhere_in_plain(chain, tmp_path):
    chain.grow(5)
    if chain.writing.dialect.name != "sqlite":
        with chain.reading.connect() as connection:
            octets = b"".join(row.sealed for row in rows_after(connection, 0))
    else:
        octets = b"".join(path.read_bytes() for path in Path(tmp_path).glob("store.sqlite*"))

    assert len(octets) > 300
    for word in (b"kim", b"letter", b"12345678", SAW_PERSON.encode()):
        assert word not in octets


@pytest.mark.parametrize("column", ["at", "sealed", "previous", "digest"])
def test_a_change_of_any_column_is_found_where_it_is(chain, column):
    chain.grow(20)
    value = 5 if column == "at" else os.urandom(32)

    chain.tamper(f"UPDATE audit SET {column} = :value WHERE number = 17", value=value)

    (told,) = chain.told()
    assert told.startswith("entry 17 ")


@pytest.mark.parametrize("octet", [0, 5, 20, -1])
def test_one_bit_of_what_is_sealed_is_enough(chain, octet):
    chain.grow(5)
    with chain.reading.connect() as connection:
        sealed = bytearray(rows_after(connection, 2, 1)[0].sealed)
    sealed[octet] ^= 1

    chain.tamper("UPDATE audit SET sealed = :sealed WHERE number = 3", sealed=bytes(sealed))

    (told,) = chain.told()
    assert told.startswith("entry 3 cannot be read")


def test_entries_taken_out_of_the_middle_are_named(chain):
    chain.grow(40)

    chain.tamper("DELETE FROM audit WHERE number BETWEEN 18 AND 20")

    assert chain.told() == ["entries 18 to 20 missing: taken out of the chain"]


def test_entries_taken_from_the_front_are_named(chain):
    chain.grow(10)

    chain.tamper("DELETE FROM audit WHERE number <= 4")

    (told,) = chain.told()
    assert told.startswith("entries 1 to 4 missing at the front")


def test_the_front_may_go_up_to_the_entry_that_the_chain_itself_names(chain):
    written = chain.grow(10)
    why = f"deleted 4, {written[3].as_cut}"
    chain.run(append, look(11, what=FORGOTTEN, subject=AUDIT, why=why))

    for gone in (2, 4):
        chain.tamper("DELETE FROM audit WHERE number <= :gone", gone=gone)
        assert chain.verdict().is_intact
    assert chain.verdict().cut == written[3]

    chain.tamper("DELETE FROM audit WHERE number = 5")
    (told,) = chain.told()
    assert told.startswith("entry 5 missing at the front")


def test_the_entry_after_a_cut_must_follow_the_one_that_was_deleted(chain):
    written = chain.grow(10)
    other = Entry(4, written[6].digest)
    chain.run(append, look(11, what=FORGOTTEN, subject=AUDIT, why=f"deleted 4, {other.as_cut}"))

    chain.tamper("DELETE FROM audit WHERE number <= 4")

    assert chain.told() == ["entry 5 does not follow entry 4, which was deleted"]


def test_only_an_entry_of_retention_about_the_chain_allows_a_cut():
    named = Entry(4, bytes(32))

    assert cut_of(look(what=FORGOTTEN, subject=AUDIT, why=f"x {named.as_cut}")) == named
    assert cut_of(look(subject=AUDIT, why=named.as_cut)) is None
    assert cut_of(look(what=FORGOTTEN, subject="incident", why=named.as_cut)) is None
    assert cut_of(look(what=FORGOTTEN, subject=AUDIT, why=f"{named.as_cut} and more")) is None


def test_a_cut_end_is_seen_by_what_a_log_has_named(chain):
    logged = [LoggedEntry(each.number, each.short) for each in chain.grow(40)]
    assert chain.compared(logged) == []

    chain.tamper("DELETE FROM audit WHERE number > 37")

    assert chain.verdict().is_intact, "the table alone cannot tell"
    assert chain.compared(logged) == [
        "entries 38 to 40 missing: the log names them, and the chain ends at 37"
    ]


def test_a_chain_that_was_emptied_is_seen_by_what_a_log_has_named(chain):
    written = chain.grow(3)
    chain.tamper("DELETE FROM audit")

    assert chain.compared([LoggedEntry(3, written[2].short)]) == [
        "entry 3 missing: the log names them, and the chain ends at 0"
    ]


def test_a_chain_rewritten_by_somebody_with_the_key_is_not_what_the_log_has_named(chain):
    logged = [LoggedEntry(each.number, each.short) for each in chain.grow(3)]
    chain.tamper("DELETE FROM audit")
    for index in range(1, 4):
        chain.run(append, look(index, who="lee"))

    assert chain.verdict().is_intact
    assert [told.split(" is another")[0] for told in chain.compared(logged)] == [
        "entry 1",
        "entry 2",
        "entry 3",
    ]


def test_what_retention_has_deleted_may_stand_in_old_logs(chain):
    written = chain.grow(10)
    chain.run(append, look(11, what=FORGOTTEN, subject=AUDIT, why=f"deleted 4, {written[3].as_cut}"))
    chain.tamper("DELETE FROM audit WHERE number <= 4")

    assert chain.compared([LoggedEntry(each.number, each.short) for each in written]) == []


def test_two_entries_that_changed_places_are_found(chain):
    chain.grow(6)

    for old, new in ((3, -1), (4, 3), (-1, 4)):
        chain.tamper("UPDATE audit SET number = :new WHERE number = :old", old=old, new=new)

    assert [told.split(" cannot")[0] for told in chain.told()] == ["entry 3", "entry 4"]


def test_a_copy_of_an_entry_at_the_end_is_found(chain):
    chain.grow(6)

    chain.tamper(
        "INSERT INTO audit (number, at, sealed, previous, digest)"
        " SELECT 7, at, sealed, previous, digest FROM audit WHERE number = 3"
    )

    assert [told.split(" cannot")[0] for told in chain.told()] == ["entry 7"]


def test_an_entry_that_is_right_in_itself_but_of_another_chain_is_found(chain):
    """An older entry 3, put back with its own digest: it does not follow what stands before it now."""
    chain.grow(2)
    chain.run(append, look(3))
    with chain.reading.connect() as connection:
        old = rows_after(connection, 2, 1)[0]
    chain.tamper("DELETE FROM audit WHERE number >= 2")
    for index in (2, 3, 4):
        chain.run(append, look(index, why="another"))

    chain.tamper(
        "UPDATE audit SET at = :at, sealed = :sealed, previous = :previous, digest = :digest WHERE number = 3",
        at=old.at, sealed=old.sealed, previous=old.previous, digest=old.digest,
    )  # fmt: skip

    assert chain.told()[0].startswith("entry 3 does not follow entry 2")


def test_many_breaks_are_counted_and_not_all_told(chain):
    chain.grow(50)

    chain.tamper("UPDATE audit SET at = at + 1")

    verdict = chain.verdict()
    assert (len(verdict.breaks), verdict.untold) == (MOST_TOLD, 50 - MOST_TOLD)
    assert "another audit key" in str(verdict.breaks[0])


def test_an_entry_resealed_under_another_key_keeps_its_digest(engines):
    """What a change of keys does."""
    writing, reading = engines
    chain = Chain(engines)
    chain.grow(3)
    old = keys()
    new = Key.make(NOON)
    both = KeyRing({**old.keys, new.id: new}, new.id, audit_key=old.audit_key)
    for engine in (writing, reading):
        with_keys(engine, lambda: both)
    chain.run(append, look(4))

    assert chain.verdict().is_intact
    only_new = KeyRing({new.id: new}, new.id, audit_key=old.audit_key)
    with_keys(reading, lambda: only_new)
    told = [str(each) for each in chain.verdict().breaks]
    assert len(told) == 3
    assert "does not hold" in told[0]


def test_nothing_is_written_where_the_transaction_fails(chain):
    chain.grow(2)

    def fails(connection):
        append(connection, look(3))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        chain.run(fails)

    assert [each.number for each in chain.grow(1)] == [3]


def test_writers_of_two_connections_never_give_the_same_number(engines):
    """On PostgreSQL the second waits for the first; on SQLite there is one writer anyway."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - of this test alone

    chain = Chain(engines)
    many = 1 if engines[0].dialect.name == "sqlite" else 4

    with ThreadPoolExecutor(many) as pool:
        written = list(pool.map(lambda index: chain.run(append, look(index)), range(40)))

    assert sorted(each.number for each in written) == list(range(1, 41))
    assert chain.verdict().is_intact


def test_entries_of_an_earlier_version_and_ours_are_one_chain(chain):
    """Written as version 1 wrote them: four texts, and nothing of from where."""

    def append_old(connection, number, previous):
        at, ring = to_us(NOON), keys_of(connection)
        content = json.dumps(["kim", SAW_PERSON, NUMBER, "letter"], separators=(",", ":"))
        digest = digest_of(ring.audit_key, number, at, content, previous)
        sealed = seal(ring, Place("audit", "sealed", number), content.encode())
        row = {"number": number, "at": at, "sealed": sealed, "previous": previous, "digest": digest}
        connection.execute(text(f"INSERT INTO audit ({','.join(row)}) VALUES (:{',:'.join(row)})"), row)
        return digest

    first = chain.run(append_old, 1, BEFORE_THE_FIRST)
    chain.run(append_old, 2, first)
    at = Seat(1000, 1001, "pts/3", "host", "192.0.2.9", 12, ("USER=x",))
    chain.run(append, replace(look(3), seat=at))

    assert chain.verdict().is_intact
    assert chain.verdict().by_commands == {"host": 3}
    with chain.reading.connect() as connection:
        assert [each.looked.seat for each in entries(connection)] == [None, None, at]
        assert [each.looked.who for each in entries(connection)] == ["kim"] * 3


def test_the_newest_come_first_as_far_back_as_asked_and_never_one_that_was_changed(chain):
    chain.grow(PAGE + 3)

    def numbers(since):
        with chain.reading.connect() as connection:
            return [each.number for each in newest(connection, since)]

    assert numbers(NOON) == list(range(PAGE + 3, 0, -1))
    assert numbers(NOON + timedelta(seconds=PAGE)) == [PAGE + 3, PAGE + 2, PAGE + 1, PAGE]
    assert numbers(NOON + timedelta(days=1)) == []

    chain.tamper("UPDATE audit SET at = at + 1 WHERE number = :number", number=PAGE + 1)
    with pytest.raises(Damaged):
        numbers(NOON)


def test_a_short_form_is_never_taken_for_a_telephone_number():
    from telephony.logs.masking import masked  # noqa: PLC0415 - of this test alone

    assert masked(short_form(bytes.fromhex("12345678901234567890123456789012"))) == "1234:5678:9012:3456"


def test_a_key_file_of_an_earlier_version_gets_an_audit_key_that_outlives_rotation(tmp_path):
    import json  # noqa: PLC0415 - of this test alone

    path = tmp_path / "data.keys"
    KeyFile(path).make()
    plain = json.loads(path.read_text())
    del plain["audit"]
    path.write_text(json.dumps(plain))

    first = KeyFile(path).ring().audit_key
    file = KeyFile(path)
    old = file.ring().current.id
    file.add()
    file.forget(old)

    assert file.ring().audit_key == KeyFile(path).ring().audit_key == first
    assert KeyFile(path).path.stat().st_mode & 0o777 == 0o600


printable = st.text(max_size=40)


@settings(max_examples=60, deadline=None)
@given(
    said=st.lists(st.tuples(printable, printable, printable, printable), min_size=1, max_size=8),
    data=st.data(),
)
def test_whatever_is_changed_anywhere_breaks_the_chain(said, data, tmp_path_factory):
    """Any one column of any one entry, set to anything else; or any entries but the last taken out."""
    folder = tmp_path_factory.mktemp("chain")
    writing, reading = open_engines(f"sqlite:///{folder}/store.sqlite", keys)
    metadata.tables["audit"].create(writing)
    chain = Chain((writing, reading))
    for index, (who, what, subject, why) in enumerate(said):
        chain.run(append, Looked(who, what, subject, why, NOON + timedelta(seconds=index)))
    assert chain.verdict().is_intact

    number = data.draw(st.integers(1, len(said)))
    column = data.draw(st.sampled_from(["at", "sealed", "previous", "digest", "all of it"]))
    with chain.reading.connect() as connection:
        row = rows_after(connection, number - 1, 1)[0]
    if column == "all of it" and number < len(said):
        chain.tamper("DELETE FROM audit WHERE number = :number", number=number)
    else:
        column = "at" if column == "all of it" else column
        old = getattr(row, column)
        new = data.draw(st.integers(0, 1 << 60) if column == "at" else st.binary(max_size=len(old) + 1))
        if new == old:
            return
        chain.tamper(f"UPDATE audit SET {column} = :new WHERE number = :number", new=new, number=number)

    broken = chain.verdict().breaks
    writing.dispose()
    reading.dispose()
    assert broken
    assert broken[0].first == number


def test_the_digest_is_over_every_part():
    key = bytes(32)
    whole = digest_of(key, 1, 2, "[]", BEFORE_THE_FIRST)

    others = [
        digest_of(b"\x01" * 32, 1, 2, "[]", BEFORE_THE_FIRST),
        digest_of(key, 2, 2, "[]", BEFORE_THE_FIRST),
        digest_of(key, 1, 3, "[]", BEFORE_THE_FIRST),
        digest_of(key, 1, 2, "[1]", BEFORE_THE_FIRST),
        digest_of(key, 1, 2, "[]", b"\x01" * 32),
    ]
    assert len({whole, *others}) == 6
