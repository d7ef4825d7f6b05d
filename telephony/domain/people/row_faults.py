"""Words for the faults of a row of a file, in Korean and in English: the reason behind its column, and what to write. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from telephony.domain.people import faults
from telephony.domain.people.person import Language
from telephony.domain.people.problems import Fault, Problem

_AS_A_DATE: Final = "2015-03-02처럼 쓰세요"
_IN_KOREAN: Final[Mapping[Problem, tuple[str, str]]] = {
    Problem.EMPTY: ("비어 있습니다", "채워 쓰세요"),
    Problem.NOT_TEXT: ("쓸 수 없는 글자가 있습니다", "다시 쓰세요"),
    Problem.TOO_LONG: ("{figure}자를 넘습니다", "줄여 쓰세요"),
    Problem.RESIDENT_NUMBER_IN_NAME: ("주민등록번호가 들어 있습니다", "이름만 쓰세요"),
    Problem.RESIDENT_NUMBER_IN_TEXT: ("주민등록번호가 들어 있습니다", "그 번호를 지우세요"),
    Problem.RESIDENT_NUMBER: (
        "주민등록번호입니다. 보관할 수 없습니다",
        "생년월일만 2015-03-02처럼 쓰세요",
    ),
    Problem.SAME_NUMBER_AGAIN: ("같은 번호가 두 번 있습니다", "하나를 비우세요"),
    Problem.SAME_GUARDIAN_AGAIN: ("다른 보호자와 번호가 같습니다", "보호자마다 한 번만 쓰세요"),
    Problem.ROUNDED: (
        "엑셀이 번호를 반올림했습니다",
        "열 서식을 '텍스트'로 바꾸고 번호를 다시 쓰세요",
    ),
    Problem.NOT_A_NUMBER: ("전화번호가 아닙니다", "010-1234-5678이나 +82 10-1234-5678처럼 쓰세요"),
    Problem.TOO_LONG_AGO: ("너무 오래된 날짜입니다", _AS_A_DATE),
    Problem.NOT_A_DATE: ("날짜가 아닙니다", _AS_A_DATE),
    Problem.NO_SUCH_DAY: ("달력에 없는 날짜입니다", f"{_AS_A_DATE} (연, 월, 일)"),
    Problem.IN_THE_FUTURE: ("미래의 날짜입니다", _AS_A_DATE),
    Problem.UNKNOWN_CARRIER: ("설정에 없는 통신사입니다", "{choices} 가운데 하나를 쓰거나 비우세요"),
    Problem.UNKNOWN_DEVICE: ("모르는 기기입니다", "phone이나 u-relief를 쓰거나 비우세요"),
    Problem.UNKNOWN_LANGUAGE: ("모르는 언어입니다", "ko나 en을 쓰거나 비우세요"),
    Problem.NOT_ROUNDS: ("횟수가 아닙니다", "1부터 {figure}까지의 수를 쓰거나 비우세요"),
    Problem.UNKNOWN_AGE_GROUP: ("모르는 연령입니다", "'성인'이나 '미성년'을 쓰거나 비우세요"),
    Problem.NO_LEGAL_RELATION: (
        "미성년자를 위해 동의할 수 없는 관계입니다",
        "어머니, 아버지, 부모, 후견인 가운데 하나를 쓰거나 연령을 비우세요",
    ),
    Problem.IN_THE_FILE_ALREADY: (
        "같은 번호가 {figure}행에 이미 있습니다",
        "맞는 행만 남기거나 이 사람의 번호를 쓰세요",
    ),
    Problem.SOMEBODY_ELSES: (
        "이름과 생년월일이 다른 사람에게 등록된 번호입니다",
        "번호를 확인하세요. 번호를 물려받았다면 먼저 앞사람을 삭제하세요",
    ),
    Problem.OF_TWO_PEOPLE: (
        "두 번호가 등록된 두 사람의 것입니다",
        "먼저 한 사람을 삭제하세요",
    ),
    Problem.TOO_MANY_DEVICES: ("이 사람의 기기가 이미 {figure}대입니다", "먼저 하나를 삭제하세요"),
    Problem.NO_CONSENT: (
        "보관에 대한 동의가 없습니다",
        "동의한 사람과 방법을 쓰거나, 파일 전체에 --by 이름 --means 방법을 주세요",
    ),
    Problem.NO_GUARDIAN: (
        "만 {figure}세 미만인데 동의할 보호자가 없습니다",
        "동의한 보호자의 전화번호를 쓰세요",
    ),
    Problem.OWN_NUMBER: (
        "보호자의 번호가 본인 번호입니다. 그 폰은 울리면 안 됩니다",
        "보호자 본인의 번호를 쓰거나 이 보호자를 빼세요",
    ),
}
_TO_FILL_IN: Final[Mapping[str, str]] = {
    "name": "이름을 쓰세요",
    "birth_date": _AS_A_DATE,
    "number": "010-1234-5678처럼 쓰세요",
    "consent_by": "동의한 사람과 방법을 둘 다 쓰거나 둘 다 비우세요",
    "consent_means": "동의한 사람과 방법을 둘 다 쓰거나 둘 다 비우세요",
}

IN_AN_EARLIER_LINE: Final[Mapping[Language, str]] = {
    "ko": "같은 번호가 앞 행에 이미 있습니다",
    "en": "the same number stands in an earlier line already",
}
"""The reason of `Problem.IN_THE_FILE_ALREADY` for several rows at once."""


def reason(fault: Fault, language: Language) -> str:
    """Return the problem, as it stands behind the name of a column."""
    if language == "en":
        return faults.reason(fault)
    return _IN_KOREAN[fault.problem][0].format(figure=fault.figure)


def remedy(fault: Fault, language: Language) -> str:
    """Return what to write instead."""
    if language == "en":
        return faults.remedy(fault)
    if fault.problem is Problem.EMPTY:
        is_guardian = fault.field.startswith("guardian") and fault.field.endswith("_phone")
        otherwise = "보호자의 전화번호를 쓰세요" if is_guardian else _IN_KOREAN[Problem.EMPTY][1]
        return _TO_FILL_IN.get(fault.field, otherwise)
    return _IN_KOREAN[fault.problem][1].format(figure=fault.figure, choices=", ".join(fault.choices))


assert set(_IN_KOREAN) == set(Problem)
