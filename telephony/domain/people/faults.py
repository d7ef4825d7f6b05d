"""Words for the faults of an enrolment: a sentence for the person who signs up, a reason and a remedy for an import."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from telephony.domain.people.person import Language
from telephony.domain.people.problems import Fault, Problem

_FIELDS: Final = {
    "name": ("이름", "name"),
    "birth_date": ("생년월일", "birth date"),
    "number": ("전화번호", "telephone number"),
    "number2": ("두 번째 전화번호", "second telephone number"),
    "carrier": ("통신사", "carrier"),
    "address": ("주소", "address"),
    "language": ("언어", "language"),
    "guardian_phone": ("보호자 전화번호", "guardian's number"),
    "guardian1_phone": ("보호자 전화번호", "guardian's number"),
    "guardian1_relation": ("관계", "relation"),
}
_EXAMPLES: Final = {
    "name": ("예: 홍길동", "e.g. Hong Gildong"),
    "birth_date": ("예: 20150302", "e.g. 20150302"),
    "number": ("예: 010-1234-5678", "e.g. 010-1234-5678"),
    "number2": ("예: 010-1234-5678", "e.g. 010-1234-5678"),
    "guardian_phone": ("보호자 본인의 번호를 쓰세요. 예: 010-1234-5678", "e.g. 010-1234-5678"),
    "guardian1_phone": ("예: 010-1234-5678", "e.g. 010-1234-5678"),
    "language": ("한국어 또는 영어", "ko or en"),
}
_GUARDIAN: Final = "write the guardian's telephone number"
_CONSENT: Final = "write who agreed and by what means, e.g. a paper form, or neither of them"
_TO_FILL_IN: Final = {
    "name": "write the person's name",
    "birth_date": "write it as 2015-03-02",
    "number": "write the telephone number, e.g. 010-1234-5678",
    "guardian1_phone": _GUARDIAN,
    "guardian2_phone": _GUARDIAN,
    "guardian3_phone": _GUARDIAN,
    "guardian4_phone": _GUARDIAN,
    "consent_by": _CONSENT,
    "consent_means": _CONSENT,
}
"""What to write into a field that is empty."""

_FIRST_SYLLABLE, _LAST_SYLLABLE, _FINALS = 0xAC00, 0xD7A3, 28


def sentences(faults: Sequence[Fault], language: Language) -> str:
    """Say what to correct, one sentence for each fault, without what was written."""
    said = _in_korean if language == "ko" else _in_english
    return " ".join(dict.fromkeys(said(fault) for fault in faults))


def reason(fault: Fault) -> str:
    """Return the problem in English, as it stands behind the name of a column."""
    return fault.problem.value.english.format(figure=fault.figure)


def remedy(fault: Fault) -> str:
    """Return what to write instead, in English."""
    if fault.problem is Problem.EMPTY and fault.field in _TO_FILL_IN:
        return _TO_FILL_IN[fault.field]
    return fault.problem.value.remedy.format(figure=fault.figure, choices=", ".join(fault.choices))


def _in_english(fault: Fault) -> str:
    name, example = _FIELDS.get(fault.field), _EXAMPLES.get(fault.field)
    problem = reason(fault)
    if name is None or fault.problem.value.whole:
        return f"{problem[:1].upper()}{problem[1:]}."
    return f"The {name[1]} {problem}{'' if example is None else f' ({example[1]})'}."


def _in_korean(fault: Fault) -> str:
    words = fault.problem.value
    if words.whole:
        return f"{words.korean.format(figure=fault.figure)}."
    name = _FIELDS.get(fault.field, ("내용", ""))[0]
    example = _EXAMPLES.get(fault.field)
    shown = "" if example is None else f" ({example[0]})"
    return f"{name}{words.korean.format(figure=fault.figure, **_particles(name))}{shown}."


def _particles(word: str) -> dict[str, str]:
    """Return the particles of subject and object: they differ by whether the word's last syllable is closed."""
    last = ord(word[-1])
    is_closed = _FIRST_SYLLABLE <= last <= _LAST_SYLLABLE and (last - _FIRST_SYLLABLE) % _FINALS != 0
    return {"이": "이", "을": "을"} if is_closed else {"이": "가", "을": "를"}
