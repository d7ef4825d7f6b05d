"""The registry of people: every row encrypted, found by the keyed hash of a number.

Each function runs whole in a transaction that its caller has begun. The way of a press reads none of this.
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
from telephony.domain.people.person import Draft, Person, merged
from telephony.domain.people.problems import Fault, Problem
from telephony.domain.values import Msisdn
from telephony.store.awaited import forget_all_of
from telephony.store.bulk import BulkInsert, execute, execute_many, placeholder
from telephony.store.crypto import Damaged, KeyRing, KeysUnavailable, Place
from telephony.store.history import forget_history, registered
from telephony.store.people_erasing import clear_around, delete_hashes, forget_rows
from telephony.store.person_record import from_octets, to_octets
from telephony.store.schema import awaited_reply, guardian_number, person, person_number
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
    """The outcomes of one enrolment."""

    ADDED = "added"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Found:
    """A person with the key of their row, and the id of the key it is encrypted under."""

    key: int
    key_id: int
    person: Person


@dataclass(slots=True)
class Enrolled:
    """The outcome of one draft, with the person before and after; ``key`` is of the row that was added or changed."""

    outcome: Outcome | Fault
    before: Person | None = None
    after: Person | None = None
    key: int | None = None


class Registry:
    """Reads and writes people. ``keys`` gives the key ring as it is now: `KeyFile.ring`."""

    def __init__(self, keys: Callable[[], KeyRing], *, adult_age: int = 19) -> None:
        self.keys = keys
        self._adult_age = adult_age

    # -- reading -----------------------------------------------------------------------------------------------

    def find(self, connection: Connection, number: Msisdn) -> Person | None:
        """Return the person who has this number: two look-ups by key, however many people there are.

        Raises `KeysUnavailable` or `Damaged`.
        """
        found = self.found(connection, number)
        return None if found is None else found.person

    def found(self, connection: Connection, number: Msisdn) -> Found | None:
        """Return the same with the key of their row, which stays theirs when the number changes."""
        return self._find(connection, self.keys(), number)

    def guarded_by(self, connection: Connection, phone: Msisdn) -> list[Person]:
        """Return the people whose guardian has this telephone, in the order in which they were added."""
        ring = self.keys()
        keys = {
            key
            for each in ring.hashes(GUARDIAN, phone.number)
            for _, key in _select(
                connection, "SELECT hash, person_key FROM guardian_number WHERE hash IN ({})", [each]
            )
        }
        found = self._read(connection, ring, keys)
        return [found[key].person for key in sorted(found) if _is_guardian(ring, found[key], phone)]

    def everybody(self, connection: Connection) -> Iterator[Found]:
        """Return all people, page by page, in the order in which they were added."""
        after = 0
        while True:
            rows = _page(connection, after)
            if not rows:
                return
            ring = self.keys()
            for key, key_id, sealed in rows:
                yield Found(key, key_id, _open(ring, key, key_id, sealed))
            after = rows[-1][0]

    def page(self, connection: Connection, after: int) -> tuple[list[Found], int] | None:
        """Return the next `PAGE` people after a row's key, and the last key gone through; None where no row is left.

        A damaged row is left out, and reported when that person is asked for.
        """
        rows = _page(connection, after)
        if not rows:
            return None
        ring = self.keys()
        found = []
        for key, key_id, sealed in rows:
            with suppress(Damaged, Malformed):
                found.append(Found(int(key), int(key_id), _open(ring, key, key_id, sealed)))
        return found, int(rows[-1][0])

    def by_key(self, connection: Connection, key: int) -> Found | None:
        """Return the person of a row."""
        return self._read(connection, self.keys(), [key]).get(key)

    # -- writing -----------------------------------------------------------------------------------------------

    def enrol(
        self, connection: Connection, drafts: Sequence[Draft], now: datetime, *, is_dry_run: bool = False
    ) -> list[Outcome | Fault]:
        """Add or change people as the drafts say; gives what became of each, in order.

        What is there already in the same words is not written again. Two drafts of one call must not name the same
        number. A dry run tells the same and writes nothing.
        """
        return [each.outcome for each in self.enrolled(connection, drafts, now, is_dry_run=is_dry_run)]

    def enrolled(
        self, connection: Connection, drafts: Sequence[Draft], now: datetime, *, is_dry_run: bool = False
    ) -> list[Enrolled]:
        """Do the same, and tell how each person was before and is after; a key is told of what was written alone."""
        work = _Enrolment(connection, self.keys(), drafts)
        results = []
        for draft in drafts:
            found = work.found_of(draft)
            if isinstance(found, Fault):
                results.append(Enrolled(found))
                continue
            known = None if found is None else found.person
            wanted = merged(known, draft, adult_age=self._adult_age, now=now)
            if isinstance(wanted, Fault):
                results.append(Enrolled(wanted))
            elif found is None:
                work.add(wanted)
                results.append(Enrolled(Outcome.ADDED, None, wanted))
            elif wanted == known:
                results.append(Enrolled(Outcome.UNCHANGED, known, wanted))
            else:
                work.change(found, wanted)
                results.append(Enrolled(Outcome.CHANGED, known, wanted, found.key))
        if not is_dry_run:
            added = (each for each in results if each.outcome is Outcome.ADDED)
            for each, key in zip(added, work.write(to_us(now)), strict=True):
                each.key = key
        return results

    def replace(self, connection: Connection, found: Found, wanted: Person, now: datetime) -> None:
        """Replace a person who was just read."""
        self._replace(connection, self.keys(), found, wanted, now)

    def change_number(self, connection: Connection, old: Msisdn, new: Msisdn, now: datetime) -> bool:
        """Change the number by which a person is known; False where the old one is not registered.

        Raises `ValueError` where the new one is somebody's already.
        """
        ring = self.keys()
        found = self._find(connection, ring, old)
        if found is None:
            return False
        if self._find(connection, ring, new) is not None:
            raise ValueError(f"{new.masked} is registered already")
        _forget_planted(connection, ring.hashes(NUMBER, new.number))
        self._replace(connection, ring, found, found.person.with_number(old, new), now)
        return True

    def change_carrier(self, connection: Connection, number: Msisdn, carrier: str, now: datetime) -> bool:
        """Note that a number went to another carrier; False where it is not registered."""
        ring = self.keys()
        found = self._find(connection, ring, number)
        if found is None:
            return False
        self._replace(connection, ring, found, found.person.with_carrier(number, carrier), now)
        return True

    def change(
        self, connection: Connection, number: Msisdn, how: Callable[[Person], Person], now: datetime
    ) -> Person | None:
        """Replace a person by what ``how`` makes of them, and return that; None where the number is not registered.

        Unlike an enrolment it can take things away, such as the last guardian.
        """
        ring = self.keys()
        found = self._find(connection, ring, number)
        if found is None:
            return None
        wanted = how(found.person)
        if wanted != found.person:
            self._replace(connection, ring, found, wanted, now)
        return wanted

    def delete(self, connection: Connection, number: Msisdn) -> bool:
        """Delete the person who has this number: the row, every hash of it and the history; False where it is not registered.

        Their incidents stay, without what they tell of the person: see `telephony.store.withdrawn`.

        A damaged row is deleted too, though its other hashes are then searched for in the whole table.
        """
        ring = self.keys()
        key, found = self._to_delete(connection, ring, number)
        if key is None:
            return False
        if found is not None:
            numbers, guardians = _hashes_of(ring, found.person)
        else:
            numbers, guardians = _hashes_by_key(connection, key)
        forget_rows(connection, key, numbers, guardians)
        forget_history(connection, ring, registered(key))
        clear_around(connection, awaited_reply.name, forget_all_of(connection, row_of(key)))
        devices = () if found is None else found.person.devices
        withdraw_from_incidents(connection, {number, *(each.number for each in devices)})
        return True

    def reseal(self, connection: Connection, after: int, limit: int = PAGE) -> tuple[int, int] | None:
        """Encrypt again the next rows that are under an old key; gives (last key gone through, rows rewritten).

        None when no row after ``after`` is left under an old key.
        """
        ring = self.keys()
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
        ring, mark = self.keys(), placeholder(connection.dialect.name)
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

    @staticmethod
    def _keys_of(connection: Connection, ring: KeyRing, number: Msisdn) -> list[int]:
        hashes = ring.hashes(NUMBER, number.number)
        rows = _select(connection, "SELECT hash, person_key FROM person_number WHERE hash IN ({})", hashes)
        return list(dict.fromkeys(int(row[1]) for row in rows))

    def _find(self, connection: Connection, ring: KeyRing, number: Msisdn) -> Found | None:
        """Return the person whose record has the number; a hash that leads to somebody else is as good as none."""
        for key in self._keys_of(connection, ring, number):
            found = self._read(connection, ring, [key]).get(key)
            if found is not None and _has(ring, found, number):
                return found
        return None

    def _to_delete(
        self, connection: Connection, ring: KeyRing, number: Msisdn
    ) -> tuple[int | None, Found | None]:
        """Return the row of a person who is to be deleted, and the person; ``None`` for one whose record is damaged."""
        for key in self._keys_of(connection, ring, number):
            try:
                found = self._read(connection, ring, [key]).get(key)
            except (Damaged, Malformed):
                return key, None
            if found is None or _has(ring, found, number):
                return key, found
        return None, None

    @staticmethod
    def _read(connection: Connection, ring: KeyRing, keys: Iterable[int]) -> dict[int, Found]:
        return _read(connection, ring, keys)


def count(connection: Connection) -> int:
    """Return how many people are registered."""
    return int(execute(connection, "SELECT count(*) FROM person").fetchone()[0])


def count_by_key(connection: Connection) -> dict[int, int]:
    """Return how many rows are encrypted under each key id."""
    rows = execute(connection, "SELECT key_id, count(*) FROM person GROUP BY key_id").fetchall()
    return {int(key_id): int(number) for key_id, number in rows}


def row_of(key: int) -> Msisdn:
    """Return the name under which something hangs on a person's row, for as long as they are in it: no number of a phone."""
    return Msisdn(f"person {key}", is_e164=False)


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
        self._found = _read(connection, ring, {int(row[1]) for row in rows})
        self._owners: dict[Msisdn, int] = {}
        self._planted: list[bytes] = []
        """Hashes that lead to somebody who does not have the number."""
        for each, key in rows:
            number, found = hashes[bytes(each)], self._found.get(int(key))
            if found is None or _has(ring, found, number):
                self._owners[number] = int(key)
            else:
                self._planted.append(bytes(each))
        self._added: list[Person] = []
        self._changed: list[tuple[Found, Person]] = []

    def found_of(self, draft: Draft) -> Found | Fault | None:
        """Return the people who have the draft's numbers already."""
        keys = {
            self._owners[device.number] for device in draft.devices if device.number in self._owners
        } & set(self._found)
        if len(keys) > 1:
            return Fault("number2", Problem.OF_TWO_PEOPLE)
        return self._found[keys.pop()] if keys else None

    def add(self, wanted: Person) -> None:
        self._added.append(wanted)

    def change(self, found: Found, wanted: Person) -> None:
        self._changed.append((found, wanted))

    def write(self, now_us: int | None) -> list[int]:
        """Write everything, and return the keys of those added; ``now_us`` None keeps the rows' own times."""
        keys: list[int] = []
        numbers: list[tuple[bytes, int]] = []
        guardians: list[tuple[bytes, int]] = []
        _forget_planted(self._connection, self._planted)
        if self._added:
            assert now_us is not None
            next_key = _next_key(self._connection, now_us)
            rows = []
            keys = list(range(next_key, next_key + len(self._added)))
            for key, wanted in zip(keys, self._added, strict=True):
                rows.append((key, *self._seal(key, wanted), now_us))
                self._note(key, wanted, numbers, guardians)
            _INSERT_PERSON.run(self._connection, rows)
        for found, wanted in self._changed:
            self._change(found, wanted, now_us, numbers, guardians)
        # In order of the hash: neighbours share a page.
        _INSERT_NUMBER.run(self._connection, sorted(numbers))
        _INSERT_GUARDIAN.run(self._connection, sorted(guardians))
        return keys

    def _change(
        self,
        found: Found,
        wanted: Person,
        now_us: int | None,
        numbers: list[tuple[bytes, int]],
        guardians: list[tuple[bytes, int]],
    ) -> None:
        mark = placeholder(self._connection.dialect.name)
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


def _has(ring: KeyRing, found: Found, number: Msisdn) -> bool:
    """Whether the record of a person whom a hash led to has the number; where it has not, that is noted."""
    if any(device.number.number == number.number for device in found.person.devices):
        return True
    ring.noticed.note(person_number.name, found.key, "hash")
    return False


def _is_guardian(ring: KeyRing, found: Found, phone: Msisdn) -> bool:
    if any(guardian.phone.number == phone.number for guardian in found.person.guardians):
        return True
    ring.noticed.note(guardian_number.name, found.key, "hash")
    return False


def _forget_planted(connection: Connection, hashes: Sequence[bytes]) -> None:
    """Delete hashes that lead to somebody else: they would be in the way of whose they are."""
    mark = placeholder(connection.dialect.name)
    execute_many(
        connection, f"DELETE FROM {person_number.name} WHERE hash = {mark}", [(each,) for each in hashes]
    )


def _place(key: int) -> Place:
    return Place("person", "sealed", key)


def opens(ring: KeyRing, key: Any, key_id: Any, sealed: Any) -> bool:
    """Whether the row of a person opens, whatever its contents."""
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
    """Return the hashes that the person's row may have, under every key."""
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
    """Return the first free key: microseconds of now, or one more than the last. A deleted person's never comes back."""
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
