"""Sums a press up in about ten lines: what 112 knew and when, what her phone heard, where the reports are."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from telephony.lab.centre.psap import ReceivedReport
from telephony.lab.stage.house import Language
from telephony.lab.stage.lines import WIDTH, fitted, padded, wrapped
from telephony.lab.stage.one_call import Heard
from telephony.lab.stage.one_press import PressReport
from telephony.lab.stage.report_words import WORDS as REPORT_WORDS
from telephony.lab.stage.report_words import first, radius_m, where
from telephony.lab.stage.timeline import in_lines, since_ms

_LABEL_WIDTH: Final = 31
_SECOND_MS: Final = 1000


@dataclass(frozen=True, slots=True)
class CardWords:
    """One language; braces are filled below."""

    heading: str
    no_incident: str
    pressed: str
    who: str
    place: str
    call: str
    centre_hears: str
    centre_deaf: str
    guardian: str
    by_text: str
    phone_heard: str
    nothing: str
    texts: str
    audible: str
    phone_showed: str
    reports: str
    all_valid: str
    invalid: str
    after: str
    never: str
    good: str
    failed: str
    folder: str
    report: str


WORDS: Mapping[Language, CardWords] = MappingProxyType(
    {
        "en": CardWords(
            heading="Incident {incident}",
            no_incident="No incident",
            pressed="112 knew that a key was held",
            who="112 knew who presses",
            place="112 knew where",
            call="112's telephone was answered",
            centre_hears="the desk hears her phone",
            centre_deaf="the desk DOES NOT HEAR her phone",
            guardian="her guardian was told",
            by_text="by text",
            phone_heard="her phone heard",
            nothing="nothing: no text, no ring, no sound",
            texts="{count} TEXTS",
            audible="{packets} AUDIBLE PACKETS, {rings} RINGS",
            phone_showed="her phone showed",
            reports="reports at 112",
            all_valid="{count}, each valid CAP 1.2",
            invalid="{count}, NOT VALID: {invalid}",
            after="after {time}",
            never="NEVER",
            good="GOOD: 112 acknowledged the alert and an update with her position.",
            failed="FAILED: {what}",
            folder="All of it as 112 received it: {folder}",
            report="--- {name} ---",
        ),
        "ko": CardWords(
            heading="신고 {incident}",
            no_incident="신고 없음",
            pressed="112가 키 누름을 앎",
            who="112가 신고자를 앎",
            place="112가 위치를 앎",
            call="112 전화가 받음",
            centre_hears="상황실에 신고자 쪽 소리가 들림",
            centre_deaf="상황실에 소리가 들리지 않음",
            guardian="보호자에게 알림",
            by_text="문자로",
            phone_heard="신고자 전화기에 난 소리",
            nothing="없음: 문자도 벨도 소리도 없음",
            texts="문자 {count}건",
            audible="들리는 패킷 {packets}개, 벨 {rings}회",
            phone_showed="신고자 전화기에 표시",
            reports="112에 들어온 보고",
            all_valid="{count}건, 모두 올바른 CAP 1.2",
            invalid="{count}건, 잘못된 것 {invalid}건",
            after="{time} 뒤",
            never="끝내 모름",
            good="정상: 112가 신고와 위치 갱신을 받았다고 확인했습니다.",
            failed="실패: {what}",
            folder="112가 받은 그대로의 보고: {folder}",
            report="--- {name} ---",
        ),
    }
)


def in_words(result: PressReport, language: Language, folder: Path, *, with_xml: bool) -> str:
    """Return the timeline, the reports where they are asked for, and the card; the last line names the folder."""
    words = WORDS[language]
    heading = words.heading.format(incident=result.incident) if result.incident else words.no_incident
    lines = [heading, *in_lines(result.timeline, language), ""]
    if with_xml:
        for name, report in named(result.reports):
            lines += [words.report.format(name=name), report.raw.decode("utf-8", "replace"), ""]
    lines += _card(result, words, language)
    return "\n".join([*lines, words.folder.format(folder=folder)])


def keep_reports(result: PressReport) -> Path:
    """Write every report, octet by octet, into a new folder of this user alone; return the folder."""
    folder = Path(tempfile.mkdtemp(prefix="onetouch-reports-"))
    for name, report in named(result.reports):
        (folder / name).write_bytes(report.raw)
    return folder


def named(reports: list[ReceivedReport]) -> Iterator[tuple[str, ReceivedReport]]:
    """Return each report with the name of its file."""
    for number, report in enumerate(reports, 1):
        kind = report.msg_type.lower() if report.msg_type.isalpha() else "report"
        yield f"{number:02}-{kind}.xml", report


def _card(result: PressReport, words: CardWords, language: Language) -> Iterator[str]:
    reports = result.reports
    located = {report.circle: report for report in reversed(reports) if radius_m(report) is not None}
    places = [report for report in reports if report in located.values()]
    alert = next((report for report in reports if report.msg_type == "Alert"), None)
    known = next((report for report in reports if first(report, "person-registered")), None)
    yield _row(words.pressed, _when(alert, result, words))
    if known is not None:
        who = first(known, "person-name") or REPORT_WORDS[language].unregistered
        yield _row(words.who, f"{_when(known, result, words)}: {who}")
    for report in dict.fromkeys((places[0], places[-1])) if places else [None]:
        place = "" if report is None else f": {where(report, language)}"
        yield _row(words.place, _when(report, result, words) + place)
    if result.guardian_told_ms is not None:
        yield _row(words.guardian, f"{_after(result.guardian_told_ms, words)}, {words.by_text}")
    if result.audio:
        hears = Heard(**result.audio).centre_hears_the_phone
        yield _row(words.call, words.centre_hears if hears else words.centre_deaf)
    if result.shown is not None:
        yield _row(words.phone_showed, f"“{result.shown}”")
    yield _row(words.phone_heard, _heard(result, words))
    invalid = sum(not report.is_valid for report in reports)
    counted = words.invalid if invalid else words.all_valid
    yield _row(words.reports, counted.format(count=len(reports), invalid=invalid))
    if result.is_ok:
        yield words.good
    for what in result.missing:
        yield from wrapped(words.failed.format(what=what), WIDTH)


def _heard(result: PressReport, words: CardWords) -> str:
    heard = Heard(**result.audio) if result.audio else None
    if heard is not None and (heard.phone_audible_packets or heard.phone_ringing_responses):
        return words.audible.format(packets=heard.phone_audible_packets, rings=heard.phone_ringing_responses)
    return words.texts.format(count=len(result.texts_to_her)) if result.texts_to_her else words.nothing


def _row(label: str, said: str) -> str:
    return fitted(f"{padded(f'  {label}', _LABEL_WIDTH)} {said}", WIDTH)


def _when(report: ReceivedReport | None, result: PressReport, words: CardWords) -> str:
    return words.never if report is None else _after(since_ms(report.at, result.pressed_at), words)


def _after(ms: float, words: CardWords) -> str:
    return words.after.format(time=f"{ms:.0f} ms" if ms < _SECOND_MS else f"{ms / 1000:.2f} s")
