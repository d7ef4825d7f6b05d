"""Draws a status: the worst first, for a terminal of 80 columns and 24 rows or for a pipe."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from telephony.cli.status_words import Words, age, clock_time, size
from telephony.control.messages import FarEnd, FarEndKind, HeartbeatLook, InJournal, StandingAlarm, Status
from telephony.control.verdict import Cause, Finding, Level, findings, is_new, level_of
from telephony.net.standing import FarEndState
from telephony.safe_text import one_line

STYLES: Final = {
    Level.OK: "bold white on green",
    Level.WARNING: "bold black on yellow",
    Level.CRITICAL: "bold white on red",
    Level.UNKNOWN: "bold white on magenta",
}
_STATE_STYLES: Final = {
    FarEndState.UP: "green",
    FarEndState.NOT_ASKED: "dim",
    FarEndState.CONNECTING: "yellow",
    FarEndState.STOPPED: "dim",
}
_BAD: Final = "bold red"
_WORST_FIRST: Final = {
    FarEndState.REFUSED: 0,
    FarEndState.FAILING: 1,
    FarEndState.DOWN: 2,
    FarEndState.STOPPED: 3,
    FarEndState.CONNECTING: 4,
}
_KINDS_IN_ORDER: Final = {kind: number for number, kind in enumerate(FarEndKind)}
_SAID_BY_ROWS: Final = frozenset({Cause.FAR_END, Cause.ALARM})
_SAID_BY_STATE: Final = frozenset({"link-down", "channel-failing"})
"""Alarms that say of a far end what its own row says."""
_MIN_ROWS: Final = 3


class Screen:
    """One status in one language and one zone, as lines."""

    def __init__(self, status: Status, words: Words, zone: tzinfo) -> None:
        self._status = status
        self._words = words
        self._zone = zone
        self._now = status.at.astimezone(zone)
        self._found = findings(status)
        self.level = level_of(self._found)

    def lines(self, height: int | None = None) -> list[Text]:
        """Return the lines; where there is a height, far ends that are well give way so that the rest fits."""
        head = [self._title(), *self._headlines()]
        foot = [*self._alarms(), *self._facts()]
        left = None if height is None else max(_MIN_ROWS, height - len(head) - len(foot) - 2)
        return [*head, *self._far_ends(left), *foot]

    def _title(self) -> Text:
        status, words = self._status, self._words
        up = words.up_for.format(
            age=age(words, status.at - status.release.started_at), pid=status.release.pid
        )
        return Text.assemble(
            (f" {words.levels[self.level]} ", STYLES[self.level]),
            f" {status.service}  {self._now:%Y-%m-%d %H:%M:%S %Z}  {up}",
        )

    def _headlines(self) -> Iterator[Text]:
        """Yield what is wrong with the house as a whole; rows and alarms say the rest."""
        for each in self._found:
            if each.cause not in _SAID_BY_ROWS:
                yield self._headline(each)

    def _headline(self, finding: Finding) -> Text:
        oldest = self._status.store.oldest_owed_at or self._status.at
        said = self._words.causes[finding.cause].format(
            about=finding.about, age=age(self._words, self._status.at - oldest)
        )
        return Text(f"! {one_line(said)}", _BAD if finding.level is Level.CRITICAL else "yellow")

    # Far ends.

    def _far_ends(self, most: int | None) -> Iterator[Text]:
        labels = self._words.labels
        ends = sorted(self._status.far_ends, key=self._rank)
        rows = [self._row_of(each) for each in ends]
        head = tuple(labels[name] for name in ("name", "what", "state", "since", "heard"))
        widths = [max(cell_len(row[column]) for row in (head, *rows)) for column in range(len(head))]
        yield Text("  ".join(map(set_cell_size, head, widths)).rstrip(), "bold")
        shown = 0
        for index, (end, row) in enumerate(zip(ends, rows, strict=True)):
            drawn = list(self._drawn(end, row, widths))
            is_last = index == len(ends) - 1
            if most is not None and shown + len(drawn) + (0 if is_last else 1) > most:
                yield self._rest(ends[index:])
                return
            shown += len(drawn)
            yield from drawn

    def _rest(self, ends: list[FarEnd]) -> Text:
        is_well = all(self._rank(each)[0] > max(_WORST_FIRST.values()) for each in ends)
        words = self._words.more_well if is_well else self._words.more
        return Text(words.format(count=len(ends)), "dim" if is_well else _BAD)

    def _rank(self, end: FarEnd) -> tuple[int, int]:
        return _WORST_FIRST.get(end.state, len(_WORST_FIRST)), _KINDS_IN_ORDER[end.kind]

    def _row_of(self, end: FarEnd) -> tuple[str, ...]:
        words, now = self._words, self._status.at
        since = end.since.astimezone(self._zone)
        heard = words.never_heard
        if end.heard_at is not None:
            heard = words.heard.format(age=age(words, now - end.heard_at))
        return (
            end.name,
            f"{words.kinds[end.kind]} {end.of}".rstrip(),
            words.states[end.state],
            words.since.format(at=clock_time(since, self._now), age=age(words, now - end.since)),
            heard,
        )

    def _drawn(self, end: FarEnd, row: tuple[str, ...], widths: list[int]) -> Iterator[Text]:
        name, what, state, since, heard = map(set_cell_size, row, widths)
        style = _STATE_STYLES.get(end.state, "yellow" if is_new(end, self._status) else _BAD)
        yield Text.assemble(f"{name}  {what}  ", (state, style), f"  {since}  {heard}".rstrip())
        remarks = self._remarks(end)
        if remarks:
            yield Text(f"  {one_line('; '.join(remarks))}", "" if end.state is FarEndState.UP else style)

    def _remarks(self, end: FarEnd) -> list[str]:
        words, remarks = self._words, []
        if end.reason:
            remarks.append(end.reason)
        if end.retry_at is not None:
            remarks.append(words.again_in.format(age=age(words, end.retry_at - self._status.at)))
        elif end.kind in (FarEndKind.SMPP, FarEndKind.ASTERISK) and end.reason:
            remarks.append(words.again_now)
        if end.is_caught_up is False and end.state is FarEndState.UP:
            remarks.append(words.comparing)
        if end.binds is not None and end.binds > 1:
            remarks.append(words.binds.format(binds=end.binds))
        if end.heartbeat is not None:
            remarks += self._heartbeat(end.heartbeat)
        return remarks

    def _heartbeat(self, look: HeartbeatLook) -> Iterator[str]:
        words = self._words
        every = age(words, timedelta(seconds=look.every_s))
        if look.taken_at is None:
            yield words.heartbeat_none.format(every=every)
        else:
            yield words.heartbeat.format(every=every, age=age(words, self._status.at - look.taken_at))
        if look.misses:
            yield words.heartbeat_missed.format(misses=look.misses)

    # Alarms and what is true of the whole house.

    def _alarms(self) -> Iterator[Text]:
        status, words = self._status, self._words
        troubled = {each.name for each in status.far_ends if each.state in _WORST_FIRST}
        told = [
            each for each in status.alarms if not (each.alarm in _SAID_BY_STATE and each.about in troubled)
        ]
        if not told:
            return
        yield Text(words.alarms.format(count=len(told) + status.more_alarms), "bold")
        critical = {
            each.about for each in self._found if (each.cause, each.level) == (Cause.ALARM, Level.CRITICAL)
        }
        for each in told:
            yield Text(self._alarm(each), _BAD if f"{each.alarm} {each.about}" in critical else "yellow")
        if status.more_alarms:
            yield Text(words.more_alarms.format(count=status.more_alarms))

    def _alarm(self, alarm: StandingAlarm) -> str:
        words = self._words
        when = words.alarm.format(
            since=self._at(alarm.since), count=alarm.count, last=self._at(alarm.last_at)
        )
        facts = " ".join(f"{key}={value}" for key, value in alarm.facts.items())
        return one_line(f"  {alarm.alarm} {alarm.about}  {when}  {facts}".rstrip())

    def _facts(self) -> Iterator[Text]:
        """Yield a line each for what is owed, the disk, the certificates, the versions."""
        status, words = self._status, self._words
        lines = [("owed", self._owed())]
        if status.journal is not None:
            lines.append(("journal", self._in_journal(status.journal)))
        lines += [("disk", "; ".join(
            words.disk.format(directory=each.directory, free=size(each.free_bytes), size=size(each.size_bytes))
            for each in status.volumes
        ))]  # fmt: skip
        lines += [("certificates", self._certificates()), ("versions", self._versions())]
        width = max(cell_len(words.labels[label]) for label, _ in lines)
        for label, said in lines:
            yield Text.assemble((set_cell_size(words.labels[label], width), "bold"), f"  {one_line(said)}")

    def _owed(self) -> str:
        store, words = self._status.store, self._words
        if not store.is_answering:
            return words.store_silent.format(reason=store.reason)
        owed = words.owed_none
        if store.owed and store.oldest_owed_at is not None:
            oldest = age(words, self._status.at - store.oldest_owed_at)
            owed = words.owed.format(count=store.owed, age=oldest)
        opened = words.open_incidents.format(count=store.open_incidents)
        return words.at_least.format(count=f"{owed}; {opened}") if store.is_more else f"{owed}; {opened}"

    def _in_journal(self, journal: InJournal) -> str:
        if journal.oldest_at is None:
            return self._words.journal_empty
        oldest = age(self._words, self._status.at - journal.oldest_at)
        return self._words.journal.format(count=journal.presses, age=oldest)

    def _certificates(self) -> str:
        words, now = self._words, self._status.at
        said = []
        for each in self._status.certificates:
            if each.expires_at is None:
                said.append(
                    words.certificate_unread.format(
                        setting=each.setting, file=each.file, problem=each.problem
                    )
                )
            elif each.expires_at <= now:
                said.append(
                    words.certificate_over.format(setting=each.setting, age=self._days(now - each.expires_at))
                )
            else:
                said.append(
                    words.certificate.format(setting=each.setting, age=self._days(each.expires_at - now))
                )
        return "; ".join(said) or words.no_certificates

    def _versions(self) -> str:
        release, words = self._status.release, self._words
        schema = in_store = self._status.store.schema_version or release.schema_version
        if in_store != release.schema_version:
            schema = words.other_schema.format(store=in_store, own=release.schema_version)
        return words.versions.format(
            onetouch=release.onetouch,
            python=release.python,
            schema=schema,
            started=self._at(release.started_at),
        )

    def _days(self, how_long: timedelta) -> str:
        return f"{how_long.days}{self._words.units[0]}"

    def _at(self, moment: datetime) -> str:
        return clock_time(moment.astimezone(self._zone), self._now)
