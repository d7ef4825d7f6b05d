"""Presses that the store refuses for what they are: kept beside the journal, so that those behind them are not held up.

112 was told of each directly. They are few: a defect of ours made them so.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from typing import Final

import structlog
from twisted.internet.defer import Deferred, succeed

from telephony.background import Runner
from telephony.clock import Clock, within
from telephony.domain.errors import Malformed, Unavailable
from telephony.domain.trigger import Trigger
from telephony.journal.contents import octets_of, press_in
from telephony.journal.journal import FILLED_TO, Entry
from telephony.journal.records import JOURNAL_ID_OCTETS, header_octets, record_octets, records_in
from telephony.periodic import Periodic
from telephony.store.crypto import KeyRing, KeysUnavailable, Place
from telephony.store.line_file import LARGEST, LineFile
from telephony.store.sealing import key_id_of, padded, seal_at, unseal

log = structlog.get_logger()

REFUSED_FILE: Final = "refused"
"""In the journal's folder."""
MOST: Final = 10_000
"""Presses kept; beyond it the journal itself keeps them, and nothing behind them is taken up."""
STOP_WITHIN_S: Final = 2.0
SEALED_AGAIN_S: Final = 5.0
"""How soon after a change of keys the file is under the new one."""
_NO_JOURNAL: Final = bytes(JOURNAL_ID_OCTETS)

_Kept = dict[int, Entry]


class RefusedPresses:
    """The file of these presses, written whole each time. `load` first."""

    def __init__(self, file: LineFile, *, keys: Callable[[], KeyRing], runner: Runner, clock: Clock) -> None:
        self._file = file
        self._keys = keys
        self._runner = runner
        self._clock = clock
        self._kept: _Kept = {}
        self._on_disk: _Kept = {}
        """The same as the thread has written it."""
        self._unread: dict[int, bytes] = {}
        """What cannot be opened just now, as it was found: it stays in the file."""
        self._key_ids: set[int] = set()
        """The keys that what can be opened is under in the file."""
        self._sealing_again = Periodic(
            self._seal_again,
            "sealing refused presses again",
            every_s=SEALED_AGAIN_S,
            clock=clock,
            first_s=SEALED_AGAIN_S,
        )

    def load(self) -> None:
        """Read the file, in this thread. What is damaged is logged, kept beside it, and passed over."""
        self._sealing_again.startService()
        try:
            found = records_in(self._file.read())
        except OSError as error:
            self._keep_for_people(str(error))
            return
        if found.damaged or found.is_torn:
            self._keep_for_people("octets in it are no press")
        try:
            ring = self._keys() if found.records else None
        except KeysUnavailable as error:
            log.critical("refused presses wait for the keys", path=str(self._file.path), error=str(error))
            self._unread = dict(found.records)
            return
        for record in found.records:
            assert ring is not None
            try:
                press = press_in(unseal(ring, _place(record.number), record.sealed))
                self._kept[record.number] = Entry(record.number, *press)
                self._key_ids.add(key_id_of(record.sealed))
            except (KeysUnavailable, Malformed) as error:
                log.critical("refused press unreadable", number=record.number, error=str(error))
                self._unread[record.number] = record.sealed
        self._on_disk = self._kept

    def standing(self) -> list[Entry]:
        """Return the presses, oldest first."""
        return [self._kept[number] for number in sorted(self._kept)]

    def keep(self, number: int, trigger: Trigger, incident_id: str) -> Deferred[None]:
        """Keep a press; fires once it is on the disk, or fails with `Unavailable`: then it is not kept."""
        entry = self._numbered(self._kept, Entry(number, trigger, incident_id))
        if len(self._kept) >= MOST and entry.number not in self._kept:
            return _failed(f"{MOST} presses were refused already")

        def with_it(kept: _Kept) -> _Kept:
            ours = self._numbered(kept, entry)
            return {**kept, ours.number: ours}

        return self._write(with_it)

    def has_taken(self, number: int) -> Deferred[None]:
        """See the store take one after all."""
        if number not in self._kept:
            return succeed(None)
        return self._write(lambda kept: {each: entry for each, entry in kept.items() if each != number})

    def stop(self) -> Deferred[None]:
        """Let what is being written end, for a moment at most."""
        self._sealing_again.stopService()
        return within(self._runner.stop(), STOP_WITHIN_S, self._clock).addErrback(lambda _: None)

    async def _seal_again(self) -> None:
        """Write the file anew after a change of keys, so that the old one is needed no more."""
        if not self._kept:
            return
        try:
            if self._key_ids != {self._keys().current.id}:
                await self._write(lambda kept: kept)
        except Unavailable as error:
            log.warning("refused presses not sealed again", error=str(error))

    def _numbered(self, kept: Mapping[int, Entry], entry: Entry) -> Entry:
        """Return a press under a number that is its own here: another journal, begun since, gives the same ones again."""
        return next(
            entry._replace(number=number)
            for number in count(entry.number)
            if number not in self._unread and kept.get(number, entry)[1:] == entry[1:]
        )

    def _keep_for_people(self, why: str) -> None:
        """Give the file a second name, which it keeps when it is written anew."""
        path = self._file.path
        try:
            kept_in = path.with_name(f"{path.name}.{path.stat().st_ino}.damaged")
            if not kept_in.exists():
                os.link(path, kept_in)
        except OSError as error:
            log.critical("refused presses damaged", path=str(path), reason=why, error=str(error))
        else:
            log.critical("refused presses damaged", path=str(path), reason=why, kept_in=str(kept_in))

    def _write(self, change: Callable[[_Kept], _Kept]) -> Deferred[None]:
        written: Deferred[None] = Deferred()

        def done(outcome: str | _Kept) -> None:
            if isinstance(outcome, str):
                written.errback(Unavailable(f"journal: {outcome}"))
            else:
                self._kept = outcome
                written.callback(None)

        self._runner.run(partial(self._put, change), done)
        return written

    def _put(self, change: Callable[[_Kept], _Kept]) -> str | _Kept:
        """Write the file as it is after a change, on the thread; return what it has then, or why it was not written."""
        try:
            kept, ring = change(self._on_disk), self._keys()
            pieces = [header_octets(_NO_JOURNAL, 0)]
            for number, trigger, incident_id in kept.values():
                plain = padded(octets_of(trigger, incident_id), FILLED_TO, b" ")
                pieces.append(record_octets(number, seal_at(ring, _place(number).octets, plain)))
            pieces += [record_octets(*each) for each in self._unread.items()]
            if sum(map(len, pieces)) > LARGEST:
                return f"the refused presses are more than {LARGEST >> 20} MiB"
            self._file.rewrite(b"".join(pieces))
        except Exception as error:  # noqa: BLE001 - a reason for who waits, whatever it is
            return f"{type(error).__name__}: {error}"
        self._on_disk, self._key_ids = kept, {ring.current.id}
        return kept


def _place(number: int) -> Place:
    return Place("journal", "refused", number)


def _failed(why: str) -> Deferred[None]:
    failed: Deferred[None] = Deferred()
    failed.errback(Unavailable(f"journal: {why}"))
    return failed
