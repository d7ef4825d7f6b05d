"""The registry of people: every row encrypted, found by the keyed hash of a number.

Each function runs whole in one transaction that somebody else has begun. The way of a press reads none of this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from telephony.domain.errors import Malformed
from telephony.domain.people import Draft, Fault, Person, merged
from telephony.domain.values import Msisdn
from telephony.store.bulk import BulkInsert, execute, placeholder
from telephony.store.crypto import Damaged, KeyRing, KeysUnavailable, Place
from telephony.store.history import forget_history, registered
from telephony.store.people_erasing import clear_around, delete_hashes, fill_with_zeros, forget_rows
from telephony.store.person_record import from_octets, to_octets
from telephony.store.schema import guardian_number, person, person_number
from telephony.store.times import to_us
from telephony.store.withdrawn import withdraw_from_incidents

NUMBER, GUARDIAN = "number", "guardian"
"""Kinds of look-up hashes: the same number as somebody's and as a guardian's has two hashes without likeness."""

PAGE = 500
"""Rows read at once where all are gone through."""

_ASKED_AT_ONCE = 256
_HASH_TABLES = ("person_number", "guardian_number")

_INSERT_PERSON = BulkInsert(person, ("key", "key_id", "sealed", "changed_at"))
_INSERT_NUMBER = BulkInsert(person_number, ("hash", "person_key"))
_INSERT_GUARDIAN = BulkInsert(guardian_number, ("hash", "person_key"))


class Outcome(StrEnum):
    """What became of one enrolment."""

    ADDED = "added"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Found:
    """A person with the key of their row, and the id of the key it is encrypted under."""

    key: int
    key_id: int
    person: Person


class Registry:
    """Reads and writes people. ``keys`` gives the key ring as it is now: `KeyFile.ring`."""

    def __init__(self, keys: Callable[[], KeyRing], *, adult_age: int = 19) -> None:
        self._keys = keys
        self._adult_age = adult_age

    # -- reading -----------------------------------------------------------------------------------------------

    def find(self, connection: Connection, number: Msisdn) -> Person | None:
        """Give the person who has this number: two look-ups by key, however many people there are.

        Raises `KeysUnavailable` or `Damaged`.
        """
        found = self.found(connection, number)
        return None if found is None else found.person

    def found(self, connection: Connection, number: Msisdn) -> Found | None:
        """Give the same with the key of their row, which stays theirs when the number changes."""
        return self._find(connection, self._keys(), number)

    def guarded_by(self, connection: Connection, phone: Msisdn) -> list[Person]:
        """Give the people whose guardian has this telephone, in the order in which they were added."""
        ring = self._keys()
        keys = {
            key
            for each in ring.hashes(GUARDIAN, phone.number)
            for _, key in _select(
                connection, "SELECT hash, person_key FROM guardian_number WHERE hash IN ({})", [each]
            )
        }
        found = self._read(connection, ring, keys)
        return [found[key].person for key in sorted(found)]

    def everybody(self, connection: Connection) -> Iterator[Found]:
        """Give all people, page by page, in the order in which they were added."""
        after = 0
        while True:
            rows = _page(connection, after)
            if not rows:
                return
            ring = self._keys()
            for key, key_id, sealed in rows:
                yield Found(key, key_id, _open(ring, key, key_id, sealed))
            after = rows[-1][0]

    def page(self, connection: Connection, after: int) -> tuple[list[Found], int] | None:
        """Give the next `PAGE` people after a row's key, and the last key gone through; None where no row is left.

        A damaged row is left out, and told by whoever asks for that person.
        """
        rows = _page(connection, after)
        if not rows:
            return None
        ring = self._keys()
        found = []
        for key, key_id, sealed in rows:
            with suppress(Damaged, Malformed):
                found.append(Found(int(key), int(key_id), _open(ring, key, key_id, sealed)))
        return found, int(rows[-1][0])

    def by_key(self, connection: Connection, key: int) -> Found | None:
        """Give the person of a row."""
        return self._read(connection, self._keys(), [key]).get(key)

    # -- writing -----------------------------------------------------------------------------------------------

    def enrol(
        self, connection: Connection, drafts: Sequence[Draft], now: datetime, *, is_dry_run: bool = False
    ) -> list[Outcome | Fault]:
        """Add or change people as the drafts say; gives what became of each, in order.

        What is there already in the same words is not written again. Two drafts of one call must not name the same
        number. A dry run tells the same and writes nothing.
        """
        work = _Enrolment(connection, self._keys(), drafts)
        results: list[Outcome | Fault] = []
        for draft in drafts:
            found = work.found_of(draft)
            if isinstance(found, Fault):
                results.append(found)
                continue
            known = None if found is None else found.person
            wanted = merged(known, draft, adult_age=self._adult_age, now=now)
            if isinstance(wanted, Fault):
                results.append(wanted)
            elif found is None:
                work.add(wanted)
                results.append(Outcome.ADDED)
            elif wanted == known:
                results.append(Outcome.UNCHANGED)
            else:
                work.change(found, wanted)
                results.append(Outcome.CHANGED)
        if not is_dry_run:
            work.write(to_us(now))
        return results

    def change_number(self, connection: Connection, old: Msisdn, new: Msisdn, now: datetime) -> bool:
        """Let a person be known by another number; False where nobody has the old one.

        Raises `ValueError` where the new one is somebody's already.
        """
        ring = self._keys()
        found = self._find(connection, ring, old)
        if found is None:
            return False
        if self._find(connection, ring, new) is not None:
            raise ValueError(f"{new.masked} is registered already")
        self._replace(connection, ring, found, found.person.with_number(old, new), now)
        return True

    def change_carrier(self, connection: Connection, number: Msisdn, carrier: str, now: datetime) -> bool:
        """Note that a number went to another carrier; False where nobody has it."""
        ring = self._keys()
        found = self._find(connection, ring, number)
        if found is None:
            return False
        self._replace(connection, ring, found, found.person.with_carrier(number, carrier), now)
        return True

    def change(
        self, connection: Connection, number: Msisdn, how: Callable[[Person], Person], now: datetime
    ) -> Person | None:
        """Replace what is known of a person by what ``how`` makes of it, and give that; None where nobody has the number.

        Unlike an enrolment it can take things away, such as the last guardian.
        """
        ring = self._keys()
        found = self._find(connection, ring, number)
        if found is None:
            return None
        wanted = how(found.person)
        if wanted != found.person:
            self._replace(connection, ring, found, wanted, now)
        return wanted

    def delete(self, connection: Connection, number: Msisdn) -> bool:
        """Delete who has this number: the row, every hash of it and what was remembered; False where nobody has.

        Their incidents stay, without what they tell of the person: see `telephony.store.withdrawn`.

        A damaged row is deleted too, though its other hashes are then searched for in the whole table.
        """
        ring = self._keys()
        key = self._key_of(connection, ring, number)
        if key is None:
            return False
        try:
            found = self._read(connection, ring, [key]).get(key)
        except (Damaged, Malformed):
            found = None
        if found is not None:
            numbers, guardians = _hashes_of(ring, found.person)
        else:
            numbers, guardians = _hashes_by_key(connection, key)
        forget_rows(connection, key, numbers, guardians)
        forget_history(connection, ring, registered(key))
        devices = () if found is None else found.person.devices
        withdraw_from_incidents(connection, {number, *(each.number for each in devices)})
        return True

    def reseal(self, connection: Connection, after: int, limit: int = PAGE) -> tuple[int, int] | None:
        """Encrypt the next rows that are under an old key anew; gives (last key gone through, rows rewritten).

        None when no row after ``after`` is left under an old key.
        """
        ring = self._keys()
        mark = placeholder(connection.dialect.name)
        rows = execute(
            connection,
            f"SELECT key, key_id, sealed FROM person WHERE key > {mark} AND key_id <> {mark} ORDER BY key LIMIT {limit}",
            (after, ring.current.id),
        ).fetchall()
        if not rows:
            return None
        for key, key_id, sealed in rows:
            kept = _open(ring, key, key_id, bytes(sealed))
            self._replace(connection, ring, Found(key, key_id, kept), kept, None)
        return rows[-1][0], len(rows)

    def index_again(self, connection: Connection, after: int) -> tuple[int, int] | None:
        """Write the hashes of the next `PAGE` people where they are missing; gives (last key gone through, people).

        For a store whose look-up tables were lost. ``None`` where no row is left.
        """
        rows = _page(connection, after)
        if not rows:
            return None
        ring, mark = self._keys(), placeholder(connection.dialect.name)
        for key, key_id, sealed in rows:
            if not opens(ring, key, key_id, sealed):
                continue
            known = _open(ring, key, key_id, sealed)
            wanted = [(_HASH_TABLES[0], NUMBER, device.number) for device in known.devices]
            wanted += [(_HASH_TABLES[1], GUARDIAN, guardian.phone) for guardian in known.guardians]
            for table, kind, number in wanted:
                execute(
                    connection,
                    f"INSERT INTO {table} (hash, person_key) VALUES ({mark}, {mark}) ON CONFLICT DO NOTHING",
                    (ring.hash(kind, number.number), key),
                )
        return int(rows[-1][0]), len(rows)

    def _replace(
        self, connection: Connection, ring: KeyRing, found: Found, wanted: Person, now: datetime | None
    ) -> None:
        work = _Enrolment(connection, ring, ())
        work.change(found, wanted)
        work.write(None if now is None else to_us(now))

    def _key_of(self, connection: Connection, ring: KeyRing, number: Msisdn) -> int | None:
        hashes = ring.hashes(NUMBER, number.number)
        rows = _select(connection, "SELECT hash, person_key FROM person_number WHERE hash IN ({})", hashes)
        return None if not rows else int(rows[0][1])

    def _find(self, connection: Connection, ring: KeyRing, number: Msisdn) -> Found | None:
        key = self._key_of(connection, ring, number)
        return None if key is None else self._read(connection, ring, [key]).get(key)

    @staticmethod
    def _read(connection: Connection, ring: KeyRing, keys: Iterable[int]) -> dict[int, Found]:
        return _read(connection, ring, keys)


def count(connection: Connection) -> int:
    """Give how many people are registered."""
    return int(execute(connection, "SELECT count(*) FROM person").fetchone()[0])


def count_by_key(connection: Connection) -> dict[int, int]:
    """Give how many rows are encrypted under each key id."""
    rows = execute(connection, "SELECT key_id, count(*) FROM person GROUP BY key_id").fetchall()
    return {int(key_id): int(number) for key_id, number in rows}


class _Enrolment:
    """Gathers what drafts change, and writes it in a handful of statements."""

    def __init__(self, connection: Connection, ring: KeyRing, drafts: Sequence[Draft]) -> None:
        self._connection = connection
        self._ring = ring
        hashes = {
            each: device.number
            for draft in drafts
            for device in draft.devices
            for each in ring.hashes(NUMBER, device.number.number)
        }
        rows = _select(
            connection, "SELECT hash, person_key FROM person_number WHERE hash IN ({})", list(hashes)
        )
        self._owners = {hashes[bytes(each)]: int(key) for each, key in rows}
        self._found = _read(connection, ring, set(self._owners.values()))
        self._added: list[Person] = []
        self._changed: list[tuple[Found, Person]] = []

    def found_of(self, draft: Draft) -> Found | Fault | None:
        """Give who has the draft's numbers already."""
        keys = {
            self._owners[device.number] for device in draft.devices if device.number in self._owners
        } & set(self._found)
        if len(keys) > 1:
            return Fault(
                "number2",
                "the two numbers belong to two people who are registered",
                "delete one of them first",
            )
        return self._found[keys.pop()] if keys else None

    def add(self, wanted: Person) -> None:
        self._added.append(wanted)

    def change(self, found: Found, wanted: Person) -> None:
        self._changed.append((found, wanted))

    def write(self, now_us: int | None) -> None:
        """Write everything; ``now_us`` None keeps the rows' own times."""
        numbers: list[tuple[bytes, int]] = []
        guardians: list[tuple[bytes, int]] = []
        if self._added:
            assert now_us is not None
            next_key = _next_key(self._connection, now_us)
            rows = []
            for key, wanted in enumerate(self._added, next_key):
                rows.append((key, *self._seal(key, wanted), now_us))
                self._note(key, wanted, numbers, guardians)
            _INSERT_PERSON.run(self._connection, rows)
        for found, wanted in self._changed:
            self._change(found, wanted, now_us, numbers, guardians)
        # In order of the hash: neighbours share a page.
        _INSERT_NUMBER.run(self._connection, sorted(numbers))
        _INSERT_GUARDIAN.run(self._connection, sorted(guardians))

    def _change(
        self,
        found: Found,
        wanted: Person,
        now_us: int | None,
        numbers: list[tuple[bytes, int]],
        guardians: list[tuple[bytes, int]],
    ) -> None:
        mark = placeholder(self._connection.dialect.name)
        fill_with_zeros(self._connection)
        old = _hashes_of(self._ring, found.person)
        new = _hashes_of(self._ring, wanted)
        for table, before, after in zip(_HASH_TABLES, old, new, strict=True):
            delete_hashes(self._connection, table, found.key, before)
            clear_around(self._connection, table, set(before) - set(after))
        key_id, sealed = self._seal(found.key, wanted)
        changed_at = "" if now_us is None else f", changed_at = {now_us:d}"
        execute(
            self._connection,
            f"UPDATE person SET key_id = {mark}, sealed = {mark}{changed_at} WHERE key = {mark}",
            (key_id, sealed, found.key),
        )
        self._note(found.key, wanted, numbers, guardians)

    def _seal(self, key: int, wanted: Person) -> tuple[int, bytes]:
        return self._ring.seal(_place(key), to_octets(wanted))

    def _note(
        self, key: int, wanted: Person, numbers: list[tuple[bytes, int]], guardians: list[tuple[bytes, int]]
    ) -> None:
        numbers += [(self._ring.hash(NUMBER, device.number.number), key) for device in wanted.devices]
        guardians += [(self._ring.hash(GUARDIAN, each.phone.number), key) for each in wanted.guardians]


def _place(key: int) -> Place:
    return Place("person", "sealed", key)


def opens(ring: KeyRing, key: Any, key_id: Any, sealed: Any) -> bool:
    """Whether the row of a person opens, whatever stands in it."""
    try:
        _open(ring, key, key_id, sealed)
    except (KeysUnavailable, Malformed, TypeError, ValueError, AttributeError, OverflowError):
        return False
    return True


def _open(ring: KeyRing, key: int, key_id: int, sealed: bytes) -> Person:
    return from_octets(ring.open(_place(key), key_id, bytes(sealed)))


def _read(connection: Connection, ring: KeyRing, keys: Iterable[int]) -> dict[int, Found]:
    rows = _select(connection, "SELECT key, key_id, sealed FROM person WHERE key IN ({})", list(keys))
    return {
        int(key): Found(int(key), int(key_id), _open(ring, key, key_id, sealed))
        for key, key_id, sealed in rows
    }


def _hashes_of(ring: KeyRing, known: Person) -> tuple[list[bytes], list[bytes]]:
    """Give the hashes that the person's row may have, under every key."""
    return (
        [each for device in known.devices for each in ring.hashes(NUMBER, device.number.number)],
        [each for guardian in known.guardians for each in ring.hashes(GUARDIAN, guardian.phone.number)],
    )


def _hashes_by_key(connection: Connection, key: int) -> tuple[list[bytes], list[bytes]]:
    mark = placeholder(connection.dialect.name)
    found = [
        execute(connection, f"SELECT hash FROM {table} WHERE person_key = {mark}", (key,)).fetchall()
        for table in _HASH_TABLES
    ]
    return [bytes(row[0]) for row in found[0]], [bytes(row[0]) for row in found[1]]


def _page(connection: Connection, after: int) -> list[Any]:
    mark = placeholder(connection.dialect.name)
    statement = f"SELECT key, key_id, sealed FROM person WHERE key > {mark} ORDER BY key LIMIT {PAGE}"
    rows: list[Any] = execute(connection, statement, (after,)).fetchall()
    return rows


def _next_key(connection: Connection, now_us: int) -> int:
    """Give the first free key: microseconds of now, or one more than the last. A deleted person's never comes back."""
    if connection.dialect.name == "postgresql":
        execute(connection, "SELECT pg_advisory_xact_lock(113)")  # SQLite has one writer anyway
    last = execute(connection, "SELECT max(key) FROM person").fetchone()[0]
    return max(now_us, (last or 0) + 1)


def _select(connection: Connection, statement: str, values: Sequence[Any]) -> list[Any]:
    """Run a SELECT whose ``{}`` stands for the marks of the values, some hundreds at a time."""
    mark = placeholder(connection.dialect.name)
    rows: list[Any] = []
    for start in range(0, len(values), _ASKED_AT_ONCE):
        asked = values[start : start + _ASKED_AT_ONCE]
        rows += execute(connection, statement.format(", ".join([mark] * len(asked))), asked).fetchall()
    return rows
