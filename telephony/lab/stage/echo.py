"""Tells what happens in the open lab while it happens, each event on a line, in milliseconds since the key was held."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from telephony.lab.carrier.mlp_answers import MlpRequest
from telephony.lab.carrier.text_phones import ShownText
from telephony.lab.centre.http_server import LabResponse
from telephony.lab.centre.psap import ReceivedReport
from telephony.lab.phones.answerer import LabOperator
from telephony.lab.stage import daemon_log
from telephony.lab.stage.daemon_words import entry_in_words
from telephony.lab.stage.house import ACCURATE_AFTER_S, MOTHER, VICTIM, House, Language
from telephony.lab.stage.lines import Who, timed, timed_in_full
from telephony.lab.stage.report_words import first, report_in_words
from telephony.lab.stage.timeline import named, question_in_words, since_ms
from telephony.sparingly import Sparingly

_TEL = "tel:+"
_REFUSALS = 300
SAID_AGAIN_AFTER_S = 10.0
"""A loop of the daemon that fails says so several times a second, in the same words."""


@dataclass(frozen=True, slots=True)
class EchoWords:
    """One language; braces are filled below."""

    refuses: str
    silent: str
    hangs_up: str
    heartbeat: str
    heartbeat_missing: str
    late: str
    again: str
    shows: str
    other_shows: str
    rings: str
    answered: str
    over: str
    guardian_rings: str
    guardian_answered: str
    guardian_over: str


WORDS: Mapping[Language, EchoWords] = MappingProxyType(
    {
        "en": EchoWords(
            refuses="refuses ({status}). {what}",
            silent="takes nothing and does not answer. {what}",
            hangs_up="hangs up. {what}",
            heartbeat="heartbeats come, one every {seconds:g} s",
            heartbeat_missing="neither a heartbeat nor a report for three intervals",
            late="answers {seconds:.1f} s later. {what}",
            again="once more: {what}",
            shows="shows “{text}”",
            other_shows="{number} shows “{text}”",
            rings="telephone of route {number} rings",
            answered="telephone of route {number} is answered",
            over="call on route {number} is over",
            guardian_rings="her guardian's phone rings",
            guardian_answered="her guardian answers the call",
            guardian_over="the call to her guardian is over",
        ),
        "ko": EchoWords(
            refuses="거부({status}). {what}",
            silent="받지 않고 응답도 없음. {what}",
            hangs_up="연결을 끊음. {what}",
            heartbeat="연결 확인이 {seconds:g}초마다 들어옴",
            heartbeat_missing="연결 확인도 보고도 세 주기 동안 오지 않음",
            late="{seconds:.1f}초 뒤에 응답. {what}",
            again="다시 옴: {what}",
            shows="화면 표시 “{text}”",
            other_shows="{number} 화면 표시 “{text}”",
            rings="경로 {number} 전화가 울림",
            answered="경로 {number} 전화를 받음",
            over="경로 {number} 통화 끝남",
            guardian_rings="보호자 전화가 울림",
            guardian_answered="보호자가 전화를 받음",
            guardian_over="보호자 통화 끝남",
        ),
    }
)


class Stopwatch:
    """Milliseconds since the latest press of the phone that an event is about; of any phone where that is not known."""

    def __init__(self) -> None:
        self._pressed: dict[str, float] = {}
        self._caller_of: dict[str, str] = {}
        self._latest: float | None = None

    def press(self, number: str, at: float) -> None:
        """Note that a phone's key is held."""
        self._pressed[number] = self._latest = at

    def belongs(self, incident: str, number: str) -> None:
        """Note whose incident it is."""
        self._caller_of[incident] = number

    def ms(self, at: float, incident: str = "") -> float | None:
        """Return the milliseconds; ``None`` before the press."""
        start = self._pressed.get(self._caller_of.get(incident, ""), self._latest)
        return None if start is None or at < start else since_ms(at, start)


class Echo:
    """Watches every simulator of a house and the daemon's log. ``say`` gets lines that fit ``width()`` columns."""

    def __init__(self, house: House, say: Callable[[str], None], width: Callable[[], int]) -> None:
        self._house = house
        self._say, self._width = say, width
        self._words, self._language = WORDS[house.language], house.language
        self._taken: set[tuple[Who, str]] = set()
        self._beating: set[Who] = set()
        """The URLs of 112 at which heartbeats come."""
        self._states: dict[object, str] = {}
        self._sparingly = Sparingly(house.reactor.seconds, SAID_AGAIN_AFTER_S)
        self.stopwatch = Stopwatch()
        for who, centre in ((Who.CENTRE, house.psap), (Who.SECOND_URL, house.fallback)):
            centre.watch = partial(self._report, who)
            centre.warn = partial(self._is_silent, who)
        house.mlp.watch = self._question
        house.smsc.phones.watch = self._text
        house.log.on_entry(self._entry)

    def tell(self, who: Who, what: str, *, at: float | None = None, incident: str = "") -> None:
        """Tell one event, now or of that time."""
        moment = self._house.reactor.seconds() if at is None else at
        ms = self.stopwatch.ms(moment, incident)
        self._say(timed(ms, named(who, self._language), what, width=self._width()))

    def tell_in_full(self, who: Who, what: str) -> None:
        """Tell what somebody reads: all of it."""
        ms = self.stopwatch.ms(self._house.reactor.seconds())
        for line in timed_in_full(ms, named(who, self._language), what, width=self._width()):
            self._say(line)

    def watch_telephone(self, operator: LabOperator, route: int | None) -> None:
        """Watch a telephone of 112 by its route, or that of her guardian (``None``)."""
        words = self._words
        who = Who.GUARDIAN if route is None else Who.CENTRE
        rings, answered, over = (
            (words.guardian_rings, words.guardian_answered, words.guardian_over)
            if route is None
            else (words.rings, words.answered, words.over)
        )

        def look(watched: LabOperator) -> bool:
            for call in watched.calls:
                said = over if call.is_over else answered if call.is_up else rings
                if self._states.get(call) != said:
                    self._states[call] = said
                    self.tell(who, said.format(number=route))
            return False

        operator.wait_for(look)

    def _heartbeat(self, who: Who, heartbeat: ReceivedReport, answer: LabResponse) -> None:
        """Tell the first one, and the first after a silence: they come for as long as the lab stands."""
        is_taken = not answer.never and not answer.close_instead and answer.status < _REFUSALS
        if is_taken and who not in self._beating:
            self._beating.add(who)
            every_s = heartbeat.heartbeat_interval_s or 0.0
            self.tell(who, self._words.heartbeat.format(seconds=every_s), at=heartbeat.at)

    def _is_silent(self, who: Who, _: str) -> None:
        self._beating.discard(who)
        self.tell(who, self._words.heartbeat_missing)

    def _report(self, who: Who, report: ReceivedReport, answer: LabResponse) -> None:
        if report.is_heartbeat:
            self._heartbeat(who, report, answer)
            return
        words, what = self._words, report_in_words(report, self._language)
        self.stopwatch.belongs(report.incident, first(report, "callback").removeprefix(_TEL))
        if answer.never:
            what = words.silent.format(what=what)
        elif answer.close_instead:
            what = words.hangs_up.format(what=what)
        elif answer.status >= _REFUSALS:
            what = words.refuses.format(status=answer.status, what=what)
        else:
            is_known = (who, report.identifier) in self._taken
            self._taken.add((who, report.identifier))
            what = words.again.format(what=what) if is_known else what
            if answer.delay_s:
                what = words.late.format(what=what, seconds=answer.delay_s)
        self.tell(who, what, at=report.at, incident=report.incident)

    def _question(self, asked: MlpRequest, answer: LabResponse) -> None:
        words, what = self._words, question_in_words(asked, self._language)
        if answer.never:
            what = words.silent.format(what=what)
        elif answer.delay_s > ACCURATE_AFTER_S:
            what = words.late.format(what=what, seconds=answer.delay_s)
        self.tell(Who.LBS, what, at=asked.at)

    def _text(self, shown: ShownText) -> None:
        if shown.to in (MOTHER, VICTIM):
            who = Who.GUARDIAN if shown.to == MOTHER else Who.PHONE
            self.tell_in_full(who, self._words.shows.format(text=shown.text))
        else:
            self.tell_in_full(Who.PHONE, self._words.other_shows.format(number=shown.to, text=shown.text))

    def _entry(self, entry: daemon_log.Entry) -> None:
        told = entry_in_words(entry, self._language)
        if told is not None and self._sparingly.take_turn(str(told)):
            self.tell(*told, at=daemon_log.at(entry), incident=str(entry.get("incident", "")))
