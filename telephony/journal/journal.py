"""The journal as the reactor sees it: presses are appended, and are on this disk when the answer comes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import structlog
from twisted.internet.defer import Deferred, fail, succeed

from telephony.alarms import Alarms
from telephony.background import Runner
from telephony.clock import Call, Clock, within
from telephony.domain.errors import Malformed, Unavailable
from telephony.domain.trigger import Trigger
from telephony.journal.bounds import Bounds
from telephony.journal.contents import octets_of, press_in
from telephony.journal.files import JournalFiles
from telephony.journal.records import Record, record_octets
from telephony.journal.segments import read_all
from telephony.periodic import Periodic
from telephony.store.crypto import Damaged, KeyRing, KeysUnavailable, Place
from telephony.store.sealing import padded, seal, seal_at, unseal

log = structlog.get_logger()

JOURNAL_FOLDER: Final = "journal"
"""In the state directory."""
ABOUT: Final = "journal"
"""What its alarms are about."""
FAILING_ALARM: Final = "journal-failing"
"""It cannot be written, or not in time: presses wait for the store."""
DAMAGED_ALARM: Final = "journal-damaged"
"""Presses of it cannot be read."""
DAMAGED_ALARM_S: Final = 3_600.0
MOST_IN_ONE_WRITE: Final = 1_000
"""Presses: bounds how long the next one waits behind those before."""
TIDIED_EVERY_S: Final = 60.0
STOP_WITHIN_S: Final = 2.0
FILLED_TO: Final = 256
"""Octets: the length of what is sealed says no more of a press than how many times as long it is."""

_PROOF: Final = b"ours"

Press = tuple[Trigger, str]
"""A press, and the name that its incident gets if it opens one."""


class Entry(NamedTuple):
    """A press that stands in the journal under a number."""

    number: int
    trigger: Trigger
    incident_id: str


@dataclass(slots=True)
class _Append:
    presses: Sequence[Press]
    first: int
    done: Deferred[list[int | None]]


class _Read(NamedTuple):
    """What was read: the presses, how many could not be, and the files that are kept for those."""

    entries: list[Entry]
    unread: int
    kept_in: list[str]


class Journal:
    """Appends presses, all that wait with one sync; and gives back what the store may not have.

    `load` first. An append that is not on the disk within the budget fails with `Unavailable`, and all after it at once
    until the disk answers: the store is to be tried then. Such a press may stand in the journal all the same.
    """

    def __init__(
        self,
        folder: Path,
        *,
        keys: Callable[[], KeyRing],
        are_proven: Callable[[], bool] = lambda: True,
        runner: Runner,
        maker: Runner,
        clock: Clock,
        alarms: Alarms,
        bounds: Bounds | None = None,
    ) -> None:
        """``runner`` writes; ``maker`` makes the next file beside it.

        ``are_proven`` says whether the keys have opened the store. Until they have, or have opened what this journal once
        sealed under them, nothing is promised on them: a key file of another store would seal what nobody could read.
        """
        self._bounds = bounds or Bounds()
        self._files = JournalFiles(folder, self._bounds)
        self._keys = keys
        self._are_proven = are_proven
        self._proven_by: int | None = None
        """The key that the proof beside the segments is under, once it has been opened or written."""
        self._runner = runner
        self._maker = maker
        self._clock = clock
        self._alarms = alarms
        self._waiting: list[_Append] = []
        self._in_hand: list[_Append] | None = None
        self._late: Call | None = None
        self._is_late = False
        self._last = 0
        self._taken_up = 0
        self.unread_until = 0
        """Up to which number presses could not be read at the start, for want of keys; 0 where all were."""
        self._tidying = Periodic(self._tidy, "tidying the journal", every_s=TIDIED_EVERY_S, clock=clock)

    # -- the life of it -------------------------------------------------------------------------------------

    @property
    def id(self) -> bytes:
        """Which journal this is: the store keeps a position for each."""
        return self._files.id

    @property
    def taken_up(self) -> int:
        """Up to which number the store has everything, as far as is known here."""
        return self._taken_up

    @property
    def next_number(self) -> int:
        """The number of the press that is appended next."""
        return self._last + 1

    def load(self) -> list[Entry]:
        """Read what earlier lives have left, in this thread, before anybody can press; return what the store may lack.

        Where the disk fails, the journal is as one that cannot be written, with an alarm. Where there are no keys just now,
        `unread_until` says up to where: `read_after` reads it later.
        """
        now = self._clock.seconds()
        records: list[Record] = []
        try:
            records = self._files.open(now)
            self._files.begin(now)
        except OSError as error:
            self._alarms.raise_(FAILING_ALARM, ABOUT, reason=_in_words(error))
        self._last, self._taken_up = self._files.last, self._files.taken_up
        if self._files.damaged:
            self._say_damaged(len(self._files.damaged), [str(path) for path in self._files.damaged])
        owed = [each for each in records if each.number > self._taken_up]
        try:
            return self._taken(self._read(owed))
        except KeysUnavailable as error:
            log.critical("presses in the journal wait for the keys", count=len(owed), error=str(error))
            self.unread_until = self._last
            return []

    def start(self) -> None:
        """Begin to remove what is over; keep what the keys can be known by, so that the next start needs no store for it."""
        self._runner.run(partial(self._guarded, self._prove), lambda _: None)
        self._tidying.startService()

    def stop(self) -> Deferred[None]:
        """Write what waits, for a moment at most."""

        def ended(_: object) -> Deferred[None]:
            return self._runner.stop()

        self._tidying.stopService()
        if self._is_late:
            return succeed(None)  # its threads end with the process
        self._runner.run(partial(self._guarded, self._end), lambda _: None)
        return within(self._maker.stop().addCallback(ended), STOP_WITHIN_S, self._clock).addErrback(
            lambda _: None
        )

    # -- presses ----------------------------------------------------------------------------------------------

    def append(self, presses: Sequence[Press]) -> Deferred[list[int | None]]:
        """Append presses; fires once they are on the disk, with the number of each, None for one that cannot be written.

        Fails with `Unavailable` where none of them is, or not in time: then they may be on the disk all the same. Their numbers
        follow each other from `next_number`, however it ends.
        """
        first = self.next_number
        self._last += len(presses)
        if self._is_late:
            return fail(Unavailable("journal: the disk has not answered in time before"))
        done: Deferred[list[int | None]] = Deferred()
        self._waiting.append(_Append(presses, first, done))
        if self._in_hand is None:
            self._write()
        return done

    def has_taken_up(self, number: int) -> None:
        """See the store have everything up to this number."""
        self._taken_up = number
        self._last = max(self._last, number)

    def store_is_back(self) -> None:
        """Go on in a fresh folder if ours is gone: the store, which is beside it, was found to be where it belongs."""
        now = self._clock.seconds()
        if not self._is_late:
            self._runner.run(partial(self._guarded, partial(self._files.adopt, now)), lambda _: None)
            self._runner.run(partial(self._guarded, self._prove), lambda _: None)

    def goes_back_to(self, number: int) -> None:
        """See the store have lost what it had behind this number."""
        self._taken_up = number

    def read_after(self, number: int, until: int) -> Deferred[list[Entry]]:
        """Read again what stands behind a number, up to another one. Fails with `Unavailable` where that cannot be done."""

        def work() -> _Read | Unavailable:
            try:
                return self._read(self._files.records_between(number, until))
            except OSError as error:
                return Unavailable(f"journal: {_in_words(error)}")
            except KeysUnavailable as error:
                return error

        def done(found: _Read | Unavailable) -> None:
            if isinstance(found, Unavailable):
                read.errback(found)
            else:
                read.callback(self._taken(found))

        read: Deferred[list[Entry]] = Deferred()
        self._runner.run(work, done)
        return read

    def _write(self) -> None:
        count, taken = 0, 0
        for each in self._waiting:
            count += len(each.presses)
            taken += 1
            if count >= MOST_IN_ONE_WRITE:
                break
        self._in_hand, self._waiting = self._waiting[:taken], self._waiting[taken:]
        self._late = self._clock.callLater(self._bounds.budget_s, self._too_late)
        self._runner.run(partial(self._put, self._in_hand, self._taken_up), self._written)

    def _written(self, failure: str | set[int]) -> None:
        in_hand, self._in_hand = self._in_hand or [], None
        if self._late is not None:
            self._late.cancel()
            self._late = None
        was_late, self._is_late = self._is_late, False
        if self._waiting:
            self._write()
        if isinstance(failure, str):
            self._alarms.raise_(FAILING_ALARM, ABOUT, reason=failure)
        else:
            self._alarms.clear(FAILING_ALARM, ABOUT)
        if self._files.wants_a_spare:
            self._maker.run(partial(self._guarded, self._files.make_spare), lambda _: None)
        if was_late:
            return  # they have been answered
        for each in in_hand:
            if isinstance(failure, str):
                each.done.errback(Unavailable(f"journal: {failure}"))
            else:
                numbers = range(each.first, each.first + len(each.presses))
                each.done.callback([None if number in failure else number for number in numbers])

    def _too_late(self) -> None:
        self._late = None
        self._is_late = True
        why = f"nothing on the disk within {self._bounds.budget_s} s"
        self._alarms.raise_(FAILING_ALARM, ABOUT, reason=why)
        refused, self._waiting = [*(self._in_hand or ()), *self._waiting], []
        for each in refused:
            each.done.errback(Unavailable(f"journal: {why}"))

    async def _tidy(self) -> None:
        now = self._clock.seconds()
        tidied: Deferred[None] = Deferred()
        taken_up = self._taken_up

        def work() -> None:
            self._files.note_taken_up(taken_up)
            self._files.tidy(now)

        self._runner.run(partial(self._guarded, work), tidied.callback)
        await tidied

    # -- on the thread ------------------------------------------------------------------------------------------

    def _put(self, appends: Sequence[_Append], taken_up: int) -> str | set[int]:
        """Write presses; return why it failed, or the numbers of those that cannot be written."""
        pieces: list[bytes] = []
        bad: set[int] = set()
        last = 0
        try:
            ring = self._sure_keys()
            for each in appends:
                for number, (trigger, incident_id) in enumerate(each.presses, each.first):
                    try:
                        pieces.append(self._octets_of(ring, number, trigger, incident_id))
                    except Exception:
                        # It costs this press the journal, and no other.
                        log.exception("press not written into the journal")
                        bad.add(number)
                    else:
                        last = number
            is_news = taken_up != self._files.taken_up
            self._files.taken_up = taken_up  # what the store has may have to make room for these
            if pieces:
                self._files.append(b"".join(pieces), last, self._clock.seconds())
            if is_news:
                self._files.note_taken_up(taken_up)
        except Exception as error:  # noqa: BLE001 - a reason for whoever waits, whatever it is
            return _in_words(error)
        return bad

    def _sure_keys(self) -> KeyRing:
        """Return keys under which a press may be promised, and read. Raises `KeysUnavailable` or `OSError`."""
        ring = self._keys()
        if self._proven_by == ring.current.id:
            return ring
        if self._are_proven():
            self._keep_proof(ring)
        elif not self._is_proven_by_file(ring):
            raise KeysUnavailable("the keys have not opened the store yet")
        self._proven_by = ring.current.id
        return ring

    def _keep_proof(self, ring: KeyRing) -> None:
        try:
            self._files.write_proof(seal(ring, self._proof, _PROOF))
        except OSError as error:
            # Only the next start would want it, and only without a store.
            log.warning("proof of the keys not kept", error=_in_words(error))

    def _prove(self) -> None:
        with suppress(KeysUnavailable):
            self._sure_keys()

    def _is_proven_by_file(self, ring: KeyRing) -> bool:
        try:
            return unseal(ring, self._proof, self._files.read_proof()) == _PROOF
        except (KeysUnavailable, Damaged):
            return False

    @property
    def _proof(self) -> Place:
        return Place("journal", "proof", self._files.id.hex())

    def _octets_of(self, ring: KeyRing, number: int, trigger: Trigger, incident_id: str) -> bytes:
        plain = padded(octets_of(trigger, incident_id), FILLED_TO, b" ")
        return record_octets(number, seal_at(ring, _place(self._files.id, number).octets, plain))

    def _guarded(self, work: Callable[[], None]) -> None:
        """Do what is no press's business; where that fails, the next write says so."""
        try:
            work()
        except OSError as error:
            log.warning("journal not tidied", error=_in_words(error))

    def _end(self) -> None:
        self._files.note_taken_up(self._taken_up)
        self._files.close()

    # -- reading --------------------------------------------------------------------------------------------------

    def _read(self, records: Sequence[Record]) -> _Read:
        """Read the presses of records, each number once. Raises `KeysUnavailable` without keys, and with another store's."""
        if not records:
            return _Read([], 0, [])
        ring = self._sure_keys()
        entries: dict[int, Entry] = {}
        unread: set[int] = set()
        for record in records:
            try:
                entries[record.number] = _opened(ring, self._files.id, record)
            except (KeysUnavailable, Malformed) as error:
                log.critical("press in the journal and unreadable", number=record.number, error=str(error))
                unread.add(record.number)
        kept_in = self._files.set_damaged(unread) if unread else []
        return _Read([entries[number] for number in sorted(entries)], len(unread), list(map(str, kept_in)))

    def _taken(self, read: _Read) -> list[Entry]:
        """Return the presses that were read, and say how many could not be."""
        if read.unread:
            self._say_damaged(read.unread, read.kept_in)
        return read.entries

    def _say_damaged(self, count: int, paths: list[str]) -> None:
        self._alarms.note(
            DAMAGED_ALARM, ABOUT, DAMAGED_ALARM_S, damaged_count=count, kept_in=", ".join(paths)
        )


def entries_in(folder: Path, ring: KeyRing) -> list[Entry]:
    """Return the presses that stand in a journal's files and can be read, for a look from outside. Raises `OSError`."""
    found: list[Entry] = []
    for old in read_all(folder):
        if old.header is None:
            continue
        for record in old.found.records:
            with suppress(KeysUnavailable, Malformed):
                found.append(_opened(ring, old.header.journal, record))
    return found


def _opened(ring: KeyRing, journal: bytes, record: Record) -> Entry:
    plain = unseal(ring, _place(journal, record.number), record.sealed)
    return Entry(record.number, *press_in(plain))


def _place(journal: bytes, number: int) -> Place:
    return Place("journal", "press", journal.hex(), number)


def _in_words(error: BaseException) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error) if isinstance(error, Unavailable) else f"{type(error).__name__}: {error}"
