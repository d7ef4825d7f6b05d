"""The faults of an enrolment in the words of whoever wrote it: one short sentence, Korean or English.

`draft_of` and `merged` say them in English, for whoever runs an import.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from telephony.domain.people import Fault, Language

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

_OF_A_FIELD: Final = tuple(
    (re.compile(problem), words)
    for problem, words in (
        ("is empty", "{이} 없습니다"),
        ("holds a resident registration number", "에 주민등록번호를 쓰지 마세요"),
        ("is a resident registration number, which must not be kept", "에 주민등록번호를 쓰지 마세요"),
        ("holds characters that are no text", "에 쓸 수 없는 글자가 있습니다"),
        (r"has more than ([0-9]+) characters", "{이} {0}자를 넘습니다"),
        ("is the same number again", "{이} 두 번 쓰였습니다"),
        ("is another guardian's number too", "{이} 두 번 쓰였습니다"),
        ("Excel has rounded the number", "{을} 다시 쓰세요"),
        ("is not a telephone number", "{이} 전화번호가 아닙니다"),
        ("is too long ago", "{을} 확인하세요"),
        ("is not a date", "{이} 날짜가 아닙니다"),
        ("is a day that there is not", "{이} 없는 날짜입니다"),
        ("lies in the future", "{이} 미래의 날짜입니다"),
        ("is not a carrier of the settings", "{을} 알 수 없습니다"),
        ("is not a kind of device", "{을} 알 수 없습니다"),
        ("is not a language that we speak", "{을} 알 수 없습니다"),
        ("is not a number of rounds", "{을} 알 수 없습니다"),
    )
)
"""What follows the name of the field; ``{이}`` and ``{을}`` are the particles that fit it."""
_WHOLE: Final = tuple(
    (re.compile(problem), words)
    for problem, words in (
        (
            "the number is registered to a person of another name and birth date",
            "이 번호는 다른 이름과 생년월일로 등록되어 있습니다. 이름이나 생년월일을 확인하세요",
        ),
        (
            "the two numbers belong to two people who are registered",
            "두 번호가 서로 다른 사람의 것입니다",
        ),
        (r"the person has ([0-9]+) devices already", "기기가 이미 {0}대입니다"),
        (
            "nobody has agreed that these data are kept",
            "동의가 끝났습니다. 새로 등록하세요. 예: 등록 홍길동 20150302 01012345678",
        ),
        (
            r"a person under ([0-9]+) needs a guardian's consent, and no guardian is named",
            "만 {0}세 미만은 보호자 번호가 필요합니다. 예: 등록 홍길동 20150302 01012345678",
        ),
        (
            "a guardian has the person's own number, and that phone must not ring",
            "본인 번호는 보호자가 될 수 없습니다. 보호자의 번호를 쓰세요",
        ),
    )
)
_FIRST_SYLLABLE, _LAST_SYLLABLE, _FINALS = 0xAC00, 0xD7A3, 28


def sentences(faults: Sequence[Fault], language: Language) -> str:
    """Say what to correct, one sentence for each fault, without what was written."""
    said = _in_korean if language == "ko" else _in_english
    return " ".join(dict.fromkeys(said(fault) for fault in faults))


def _in_english(fault: Fault) -> str:
    name, example = _FIELDS.get(fault.field), _EXAMPLES.get(fault.field)
    if name is None or any(pattern.fullmatch(fault.problem) for pattern, _ in _WHOLE):
        return f"{fault.problem[:1].upper()}{fault.problem[1:]}."
    return f"The {name[1]} {fault.problem}{'' if example is None else f' ({example[1]})'}."


def _in_korean(fault: Fault) -> str:
    for pattern, words in _WHOLE:
        if (match := pattern.fullmatch(fault.problem)) is not None:
            return words.format(*match.groups()) + "."
    name = _FIELDS.get(fault.field, ("내용", ""))[0]
    example = _EXAMPLES.get(fault.field)
    shown = "" if example is None else f" ({example[0]})"
    for pattern, words in _OF_A_FIELD:
        if (match := pattern.fullmatch(fault.problem)) is not None:
            particles = _particles(name)
            return f"{name}{words.format(*match.groups(), **particles)}{shown}."
    return f"{name}{_particles(name)['을']} 확인하세요{shown}."


def _particles(word: str) -> dict[str, str]:
    """Give the particles of subject and object: they differ by whether the word's last syllable is closed."""
    last = ord(word[-1])
    is_closed = _FIRST_SYLLABLE <= last <= _LAST_SYLLABLE and (last - _FIRST_SYLLABLE) % _FINALS != 0
    return {"이": "이", "을": "을"} if is_closed else {"이": "가", "을": "를"}
