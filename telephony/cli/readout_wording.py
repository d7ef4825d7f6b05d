"""Words an incident in sentences to be read into a telephone, in Korean and in English. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import TypeVar

from telephony.cli.spoken import Language, Numbering, clock, dialled, since, spoken
from telephony.domain.facts import (
    AcknowledgedFact,
    ArrivedFact,
    CallFact,
    DispatchedFact,
    Fact,
    FalseAlarmFact,
    GuardianFact,
    GuardianNumber,
    GuardianState,
    KnockFact,
    Newer,
    NoteFact,
    PersonFact,
    Reach,
    ReachFact,
    Registered,
    SilenceFact,
)
from telephony.domain.people.person_fact import age_on
from telephony.domain.position import LAST_KNOWN, Position
from telephony.domain.report import UNREADABLE_NUMBER, Report
from telephony.domain.values import Msisdn
from telephony.psap.fact_wording import fact_lines, is_silence_lifted
from telephony.psap.worded import worded
from telephony.psap.wording import WORDINGS, radius_m
from telephony.store.readout import ReadOut

_SHORTEST_SPOKEN = 7
"""Digits: a shorter number is a short code, and is read as it stands."""
F = TypeVar("F", bound=Fact)


@dataclass(frozen=True, slots=True)
class Sentences:
    """One language. Braces are filled below."""

    language: Language
    emergency: str
    drill: str
    closed: str
    number: str
    withheld: str
    number_unreadable: str
    name: str
    name_and_age: str
    unregistered: str
    registry_unreadable: str
    not_looked_up: str
    pressed: str
    pressed_again: str
    ways: Mapping[str, str]
    place: str
    circle: str
    found: str
    found_some_time: str
    remembered: str
    accuracy_unknown: str
    place_unknown: str
    not_answering: str
    last_answered: str
    never_answered: str
    address: str
    text: str
    medical: str
    school: str
    guardians: str
    guardian_writes: str
    guardian_confirmed: str
    call: str
    knocked: str
    knock_means: str
    acknowledged: str
    dispatched: str
    arrived: str
    noted: str
    do_not_call: str
    silence_lifted: str
    methods: Mapping[str, str]
    north_south: tuple[str, str]
    east_west: tuple[str, str]


KOREAN = Sentences(
    language="ko",
    emergency="원터치 SOS 긴급 신고입니다. 신고자는 말을 할 수 없는 상황일 수 있습니다.",
    drill="훈련입니다. 실제 상황이 아닙니다. 출동하지 마십시오.",
    closed="이 신고는 시스템에서 종료되었습니다. 종료 사유: {reason}",
    number="신고자 전화번호는 {spoken}입니다. ({dialled})",
    withheld="신고자 전화번호는 알 수 없습니다. 발신 번호가 표시되지 않았습니다.",
    number_unreadable="신고자 전화번호를 읽을 수 없습니다. 통신사는 {carrier}입니다.",
    name="신고자 이름은 {name}입니다.",
    name_and_age="신고자 이름은 {name}, 만 {age}세입니다.",
    unregistered="등록되지 않은 번호라 이름은 모릅니다.",
    registry_unreadable="등록 정보를 읽을 수 없습니다. 등록된 사람일 수 있습니다.",
    not_looked_up="이름은 아직 확인되지 않았습니다.",
    pressed="{clock}, {since}에 {way} 신고했습니다.",
    pressed_again="모두 {count}번 눌렀고, 마지막은 {since}입니다.",
    ways=MappingProxyType(
        {
            "sms": "문자로",
            "call": "전화로",
            "ussd": "USSD 코드로",
            "modem": "문자로",
            "app": "112 앱으로",
            "terminal": "U-안심 단말기로",
            "system": "다른 시스템으로",
        }
    ),
    place="위치는 {latitude}도, {longitude}도{circle}입니다.",
    circle=", 반경 {radius}미터 이내",
    found="{method} {since} 위치입니다.",
    found_some_time="{method} 위치이며, 언제 측정했는지는 모릅니다.",
    remembered="이번 신고가 아니라 이전 신고 때의 위치입니다.",
    accuracy_unknown="정확도는 알 수 없습니다.",
    place_unknown="위치는 아직 모릅니다.",
    not_answering="지금은 전화기가 위치 조회에 응답하지 않습니다.",
    last_answered="마지막으로 응답한 것은 {since}입니다.",
    never_answered="신고 후 응답한 적이 없습니다.",
    address="등록된 집 주소는 {text}입니다. 지금 그곳에 있다는 뜻은 아닙니다.",
    text="신고자가 보낸 글: “{text}”",
    medical="의료 정보: {text}",
    school="다니는 학교: {text}",
    guardians="보호자 연락처: {text}",
    guardian_writes="보호자({who})가 문자로 전해 왔습니다: {text}",
    guardian_confirmed="보호자({who})에게 알렸고, 보호자가 확인했습니다.",
    call="신고자의 전화: {state}",
    knocked="신고자가 통화 중에 키를 {taps}번 눌러 답했습니다.",
    knock_means="뜻: {meaning}",
    acknowledged="112에서 {since}에 접수했습니다: {by}",
    dispatched="{since}에 출동했습니다: {unit}",
    arrived="{since}에 현장에 도착했습니다: {unit}",
    noted="112 메모({by}): {words}",
    do_not_call="신고자에게 전화하거나 문자를 보내지 마십시오. 소리가 나면 위험합니다.",
    silence_lifted="무음은 112 요청으로 해제되었습니다.",
    methods=MappingProxyType(
        {
            "cell": "기지국으로 찾은",
            "gnss": "위성으로 찾은",
            "wifi": "와이파이로 찾은",
            "unknown": "찾은 방법을 알 수 없는",
        }
    ),
    north_south=("북위", "남위"),
    east_west=("동경", "서경"),
)

ENGLISH = Sentences(
    language="en",
    emergency="This is an emergency from a one-touch SOS key. The caller may be unable to speak.",
    drill="This is a drill, not an emergency. Do not send anyone.",
    closed="Our system has closed this incident. The reason: {reason}",
    number="The caller's number is: {spoken}. ({dialled})",
    withheld="The caller's number is not known. It was withheld.",
    number_unreadable="The caller's number cannot be read. The carrier is {carrier}.",
    name="The caller's name is {name}.",
    name_and_age="The caller's name is {name}, {age} years old.",
    unregistered="The number is not registered, so the name is not known.",
    registry_unreadable="The registry cannot be read. The caller may be registered all the same.",
    not_looked_up="The name has not been looked up yet.",
    pressed="The key was pressed {clock}, {since}, by {way}.",
    pressed_again="It was pressed {count} times, the last time {since}.",
    ways=MappingProxyType(
        {
            "sms": "text message",
            "call": "telephone call",
            "ussd": "USSD code",
            "modem": "text message",
            "app": "the 112 App",
            "terminal": "a U-Relief terminal",
            "system": "another system",
        }
    ),
    place="The place is {latitude}, {longitude}{circle}.",
    circle=", within {radius} metres",
    found="It was found by {method}, {since}.",
    found_some_time="It was found by {method}; how long ago is not known.",
    remembered="This is where the caller was in an earlier incident.",
    accuracy_unknown="How accurate that is, is not known.",
    place_unknown="The place is not known yet.",
    not_answering="The phone does not answer the location service now.",
    last_answered="It last answered {since}.",
    never_answered="It has not answered since the press.",
    address="The registered home address is {text}. The caller need not be there now.",
    text="The caller wrote: “{text}”",
    medical="Medical notes: {text}",
    school="School: {text}",
    guardians="Guardians: {text}",
    guardian_writes="A guardian ({who}) writes: {text}",
    guardian_confirmed="A guardian ({who}) was told, and has confirmed.",
    call="The caller's telephone call: {state}",
    knocked="In the call the caller answered by tapping keys, {taps} in all.",
    knock_means="That means: {meaning}",
    acknowledged="112 took this incident {since}: {by}",
    dispatched="A unit was sent {since}: {unit}",
    arrived="A unit arrived {since}: {unit}",
    noted="A note of 112 ({by}): {words}",
    do_not_call="Do not call or text the caller. A sound can put the caller in danger.",
    silence_lifted="Silence was lifted because 112 asked for it.",
    methods=MappingProxyType(
        {"cell": "mobile cell", "gnss": "satellite", "wifi": "Wi-Fi", "unknown": "a method not stated"}
    ),
    north_south=("north", "south"),
    east_west=("east", "west"),
)

SENTENCES: Mapping[Language, Sentences] = MappingProxyType({"ko": KOREAN, "en": ENGLISH})


def number_in_words(number: Msisdn, home: Numbering, language: Language) -> str | None:
    """Return a number as it is read aloud, ``None`` where there is none to read."""
    if number.is_withheld or number == UNREADABLE_NUMBER:
        return None
    return spoken(dialled(number, home), language)


def sentences(known: ReadOut, home: Numbering, now: datetime, language: Language) -> Iterator[str]:
    """Return what to read out of an incident, one short line after the other. ``now`` is in the zone that is meant."""
    words, report = SENTENCES[language], known.report
    yield words.drill if report.test else words.emergency
    yield _number(report, words, home)
    # Before anything else, because the listener may dial a number as soon as it is heard.
    yield words.silence_lifted if is_silence_lifted(report) else words.do_not_call
    yield from _person(report, words)
    yield from _press(report, words, now)
    yield from _place(report.position, words, now)
    yield from _reach(report, words, now)
    person = _newest(report, PersonFact)
    if person is not None and person.address:
        yield words.address.format(text=person.address)
    yield from (words.text.format(text=text) for text in report.texts)
    if person is not None:
        yield from _details(person, words, home)
    yield from _events(report, words, now)
    if known.is_closed:
        yield words.closed.format(reason=report.close_reason or "?")


def _number(report: Report, words: Sentences, home: Numbering) -> str:
    if report.msisdn == UNREADABLE_NUMBER:
        return words.number_unreadable.format(carrier=report.carrier)
    if report.msisdn.is_withheld:
        return words.withheld
    grouped = dialled(report.msisdn, home)
    return words.number.format(spoken=spoken(grouped, words.language), dialled=grouped)


def _person(report: Report, words: Sentences) -> Iterator[str]:
    person = _newest(report, PersonFact)
    match None if person is None else person.registered:
        case Registered.YES if person is not None:
            age = None if person.born is None else age_on(report.opened_at.date(), person.born)
            template = words.name if age is None else words.name_and_age
            yield template.format(name=person.name or "?", age=age)
        case Registered.NO:
            yield words.unregistered
        case Registered.UNKNOWN:
            yield words.registry_unreadable
        case _:
            yield words.not_looked_up


def _details(person: PersonFact, words: Sentences, home: Numbering) -> Iterator[str]:
    if person.medical:
        yield words.medical.format(text=person.medical)
    if person.school:
        yield words.school.format(text=person.school)
    if person.guardians:
        spoken_ones = "; ".join(_guardian_number(each, words, home) for each in person.guardians)
        yield words.guardians.format(text=spoken_ones)


def _press(report: Report, words: Sentences, now: datetime) -> Iterator[str]:
    local = report.opened_at.astimezone(now.tzinfo)
    ago = since(report.opened_at, now, words.language)
    way = words.ways.get(report.source, report.source)
    yield words.pressed.format(clock=clock(local, now, words.language), since=ago, way=way)
    if report.press_count > 1:
        ago = since(report.last_press_at, now, words.language)
        yield words.pressed_again.format(count=report.press_count, since=ago)


def _place(position: Position | None, words: Sentences, now: datetime) -> Iterator[str]:
    if position is None:
        yield words.place_unknown
        return
    yield words.place.format(
        latitude=_degrees(position.latitude, words.north_south, words.language),
        longitude=_degrees(position.longitude, words.east_west, words.language),
        circle=""
        if position.uncertainty_m is None
        else words.circle.format(radius=f"{_spoken_radius_m(position):,}"),
    )
    if position.source == LAST_KNOWN:
        yield words.remembered
    if position.uncertainty_m is None:
        yield words.accuracy_unknown
    method = words.methods.get(position.method, position.method)
    if position.fixed_at is None:
        yield words.found_some_time.format(method=method)
    else:
        yield words.found.format(method=method, since=since(position.fixed_at, now, words.language))


def _reach(report: Report, words: Sentences, now: datetime) -> Iterator[str]:
    """Say that the phone is silent, which may be all that is new of it, and since when."""
    reach = _newest(report, ReachFact)
    if reach is None or reach.state is not Reach.NOT_ANSWERING:
        return
    yield words.not_answering
    if reach.last_answered is None:
        yield words.never_answered
    else:
        yield words.last_answered.format(since=since(reach.last_answered, now, words.language))


def _degrees(degrees: float, sides: tuple[str, str], language: Language) -> str:
    """Return a coordinate to a metre or so, with its side of the Earth in words."""
    side, value = sides[degrees < 0], f"{abs(degrees):.5f}"
    return f"{side} {value}" if language == "ko" else f"{value} degrees {side}"


def _spoken_radius_m(position: Position) -> int:
    """Round the radius up to two digits that are easily heard."""
    radius = radius_m(position)
    step = int(10 ** max(0, len(str(radius)) - 2))
    return math.ceil(radius / step) * step


def _events(report: Report, words: Sentences, now: datetime) -> Iterator[str]:
    call = _newest(report, CallFact)
    in_reports = WORDINGS[words.language]
    if call is not None and call.state != Newer():
        yield words.call.format(state=worded(call.state, in_reports.facts.call_states))
    for fact in report.facts:
        if isinstance(fact, KnockFact):
            yield from _knock(fact, words)
        elif isinstance(fact, GuardianFact):
            yield from _guardian(fact, words)
        elif isinstance(fact, AcknowledgedFact):
            ago = since(fact.at, now, words.language)
            yield words.acknowledged.format(by=fact.by or in_reports.facts.somebody, since=ago)
        elif isinstance(fact, DispatchedFact):
            ago = since(fact.at, now, words.language)
            yield words.dispatched.format(unit=fact.unit or fact.subject, since=ago)
        elif isinstance(fact, ArrivedFact):
            ago = since(fact.at, now, words.language)
            yield words.arrived.format(unit=fact.unit or fact.subject, since=ago)
        elif isinstance(fact, NoteFact):
            yield words.noted.format(by=fact.by or in_reports.facts.somebody, words=fact.words)
    told = [fact for fact in report.facts if isinstance(fact, SilenceFact | FalseAlarmFact)]
    yield from fact_lines(replace(report, facts=tuple(told)), in_reports.facts)
    yield from (
        in_reports.remark.format(label=in_reports.labels.get(label, label)) for label in report.labels
    )


def _knock(fact: KnockFact, words: Sentences) -> Iterator[str]:
    yield words.knocked.format(taps=fact.taps)
    if meaning := fact.words.get(words.language) or fact.meaning:
        yield words.knock_means.format(meaning=meaning)


def _guardian(fact: GuardianFact, words: Sentences) -> Iterator[str]:
    who = fact.relation or fact.subject
    if fact.words:
        yield words.guardian_writes.format(who=who, text=fact.words)
    elif fact.state is GuardianState.CONFIRMED:
        yield words.guardian_confirmed.format(who=who)


def _guardian_number(guardian: GuardianNumber, words: Sentences, home: Numbering) -> str:
    """Return a guardian with the number as it is read aloud."""
    written = guardian.phone.international
    digits = written.removeprefix("+")
    if not digits.isdigit() or len(digits) < _SHORTEST_SPOKEN:
        return str(guardian)
    number = Msisdn.parse(written, country_code=home.country_code, trunk_prefix=home.trunk_prefix)
    grouped = dialled(number, home)
    return f"{guardian.relation} {spoken(grouped, words.language)} ({grouped})".strip()


def _newest(report: Report, kind: type[F]) -> F | None:
    """Return the newest fact of a kind."""
    return next((fact for fact in reversed(report.facts) if isinstance(fact, kind)), None)
