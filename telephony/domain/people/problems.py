"""The problems that a field of an enrolment can have, each with its wording in both languages. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique
from typing import Final, NamedTuple

_AS_A_DATE: Final = "write it as 2015-03-02"


class Wording(NamedTuple):
    """The words for a problem. ``{figure}`` and ``{choices}`` are those of the `Fault`.

    The sentence begins with the name of the field, or is ``whole`` and names none. In Korean ``{이}`` and ``{을}`` are
    the particles that fit that name. ``remedy`` says, for the import of a file, what to write instead.
    """

    korean: str
    english: str
    remedy: str
    whole: bool = False


@unique
class Problem(Enum):
    """A problem; its value is its `Wording`, so that none can be without words."""

    EMPTY = Wording("{이} 없습니다", "is empty", "write it")
    NOT_TEXT = Wording(
        "에 쓸 수 없는 글자가 있습니다", "holds characters that are not text", "write it again"
    )
    TOO_LONG = Wording("{이} {figure}자를 넘습니다", "has more than {figure} characters", "shorten it")
    RESIDENT_NUMBER_IN_NAME = Wording(
        "에 주민등록번호를 쓰지 마세요", "holds a resident registration number", "write the name alone"
    )
    RESIDENT_NUMBER_IN_TEXT = Wording(
        "에 주민등록번호를 쓰지 마세요", "holds a resident registration number", "take that number out"
    )
    RESIDENT_NUMBER = Wording(
        "에 주민등록번호를 쓰지 마세요",
        "is a resident registration number, which must not be kept",
        "write the birth date alone, as 2015-03-02",
    )
    SAME_NUMBER_AGAIN = Wording(
        "{이} 두 번 쓰였습니다", "is the same number again", "leave one of the two empty"
    )
    SAME_GUARDIAN_AGAIN = Wording(
        "{이} 두 번 쓰였습니다", "is another guardian's number too", "name each guardian once"
    )
    ROUNDED = Wording(
        "{을} 다시 쓰세요",
        "was rounded by Excel",
        "format the column as text, then type the number again",
    )
    NOT_A_NUMBER = Wording(
        "{이} 전화번호가 아닙니다",
        "is not a telephone number",
        "write it as 010-1234-5678 or +82 10-1234-5678",
    )
    TOO_LONG_AGO = Wording("{을} 확인하세요", "is too long ago", _AS_A_DATE)
    NOT_A_DATE = Wording("{이} 날짜가 아닙니다", "is not a date", _AS_A_DATE)
    NO_SUCH_DAY = Wording("{이} 없는 날짜입니다", "is not a calendar date", f"{_AS_A_DATE}: year, month, day")
    IN_THE_FUTURE = Wording("{이} 미래의 날짜입니다", "lies in the future", _AS_A_DATE)
    UNKNOWN_CARRIER = Wording(
        "{을} 알 수 없습니다",
        "is not a carrier of the settings",
        "write one of {choices}, or leave it empty",
    )
    UNKNOWN_DEVICE = Wording(
        "{을} 알 수 없습니다", "is not a kind of device", "write phone or u-relief, or leave it empty"
    )
    UNKNOWN_LANGUAGE = Wording(
        "{을} 알 수 없습니다", "is not a language that we speak", "write ko or en, or leave it empty"
    )
    NOT_ROUNDS = Wording(
        "{을} 알 수 없습니다",
        "is not a number of rounds",
        "write a whole number from 1 to {figure}, or leave it empty",
    )
    UNKNOWN_AGE_GROUP = Wording(
        "{을} 알 수 없습니다", "is not an age group", "write adult or minor, or leave it empty"
    )
    NO_LEGAL_RELATION = Wording(
        "{을} 부모나 후견인으로 쓰세요",
        "may not consent for a minor",
        "write mother, father, parent or legal guardian, or leave the age group empty",
    )
    IN_THE_FILE_ALREADY = Wording(
        "같은 번호가 {figure}번째 줄에 이미 있습니다",
        "the same number stands in line {figure} already",
        "keep the line that is right, or write this person's own number",
        whole=True,
    )
    SOMEBODY_ELSES = Wording(
        "이 번호는 다른 이름과 생년월일로 등록되어 있습니다. 이름이나 생년월일을 확인하세요",
        "the number is registered to a person of another name and birth date",
        "check the number; if it has passed to this person, delete the earlier one first",
        whole=True,
    )
    OF_TWO_PEOPLE = Wording(
        "두 번호가 서로 다른 사람의 것입니다",
        "the two numbers belong to two people who are registered",
        "delete one of them first",
        whole=True,
    )
    TOO_MANY_DEVICES = Wording(
        "기기가 이미 {figure}대입니다",
        "the person has {figure} devices already",
        "delete one of them first",
        whole=True,
    )
    NO_CONSENT = Wording(
        "동의가 끝났습니다. 새로 등록하세요. 예: 등록 홍길동 20150302 01012345678",
        "there is no consent to keeping these data",
        "fill in who agreed and by what means, or name them for the whole file: --by NAME --means TEXT",
        whole=True,
    )
    NO_GUARDIAN = Wording(
        "만 {figure}세 미만은 보호자 번호가 필요합니다. 예: 등록 홍길동 20150302 01012345678",
        "a person under {figure} needs a guardian's consent, and no guardian is named",
        "write the telephone number of the guardian who agreed",
        whole=True,
    )
    OWN_NUMBER = Wording(
        "본인 번호는 보호자가 될 수 없습니다. 보호자의 번호를 쓰세요",
        "a guardian has the person's own number, and that phone must not ring",
        "write the guardian's own number, or leave this guardian out",
        whole=True,
    )


@dataclass(frozen=True, slots=True)
class Fault:
    """A problem of one field; it repeats nothing of what was written.

    ``figure`` is the number that the words name (characters, devices, years, a line), ``choices`` what may be written.
    """

    field: str
    problem: Problem
    figure: int = 0
    choices: tuple[str, ...] = ()
