"""Texts of the USSD menu's screens, in Korean and in English. Pure.

One page in Korean holds 80 characters: every screen without a person's own words fits on one, its sentence included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from telephony.domain.people.person import Language
from telephony.ussd.menu import Ending, Memory, Note, Screen

MORE_KEY: Final = "#"
"""Turns to the next page of a long text."""


@dataclass(frozen=True, slots=True)
class Words:
    """The sentences of one language. ``screens`` are formatted with the fields of `Memory`."""

    screens: Mapping[Screen, str]
    keys: Mapping[Screen, str]
    """The line at the end of each page; empty where the screen itself lists what may be pressed."""
    what_to_type: Mapping[Screen, str]
    """Said before the screen once more, when what was typed has no meaning there."""
    lost: str
    try_again: str
    guardian_of_minor: str
    """The line that a minor's summary has more."""
    bye: str
    too_often: str
    more: str
    relations: tuple[str, ...]


_KO: Final = Words(
    screens=MappingProxyType(
        {
            Screen.MAIN: "1 등록\n2 보호자\n3 내 정보\n4 시험\n5 해지\n9 English\n0 끝내기",
            Screen.NAME: "이름을 입력하세요.",
            Screen.BIRTH: "생년월일 8자리를 입력하세요. 예: 20150302",
            Screen.MINOR: "미성년자입니다. 보호자 전화번호를 입력하세요. 예: 01012345678",
            Screen.SUMMARY: "{name}\n{birth}{guardian}\n위 정보를 보관하고 위급할 때 112에 알리는 데 동의합니다.",
            Screen.GUARDIANS: "1 보호자 보기\n2 추가\n3 삭제\n0 뒤로",
            Screen.PHONE: "추가할 보호자의 전화번호를 입력하세요. 예: 01012345678",
            Screen.RELATION: "관계: 1 어머니 2 아버지 3 가족 4 친구\n또는 직접 입력하세요.",
            Screen.ADD: "{phone}\n{relation}\n보호자로 추가할까요? 확인 문자를 보냅니다.",
            Screen.REMOVE: "{answer}\n삭제할 보호자의 순번을 입력하세요.",
            Screen.SURE_TO_REMOVE: "{place}번 보호자를 삭제할까요?",
            Screen.TEST: "112까지 연결을 시험합니다. 출동하지 않으며 결과는 문자로 옵니다.",
            Screen.CANCEL: "등록을 해지하고 모든 정보를 삭제할까요?",
            Screen.ANSWER: "{answer}",
        }
    ),
    keys=MappingProxyType(
        {
            Screen.NAME: "0 뒤로",
            Screen.BIRTH: "0 뒤로",
            Screen.MINOR: "0 뒤로",
            Screen.SUMMARY: "1 예 0 뒤로",
            Screen.PHONE: "0 뒤로",
            Screen.RELATION: "0 뒤로",
            Screen.ADD: "1 예 0 뒤로",
            Screen.REMOVE: "0 뒤로",
            Screen.SURE_TO_REMOVE: "1 예 0 뒤로",
            Screen.TEST: "1 시작 0 뒤로",
            Screen.CANCEL: "1 예 0 아니요",
            Screen.ANSWER: "0 뒤로",
        }
    ),
    what_to_type=MappingProxyType(
        {
            Screen.MAIN: "1~5, 9, 0 중에서 눌러 주세요.",
            Screen.NAME: "이름을 글자로 입력해 주세요.",
            Screen.BIRTH: "날짜를 읽을 수 없습니다. 숫자 8자리로 입력해 주세요.",
            Screen.MINOR: "본인이 아닌 보호자의 전화번호여야 합니다.",
            Screen.SUMMARY: "1 또는 0을 눌러 주세요.",
            Screen.GUARDIANS: "1~3, 0 중에서 눌러 주세요.",
            Screen.PHONE: "본인이 아닌 보호자의 전화번호여야 합니다.",
            Screen.RELATION: "번호나 글자로 입력해 주세요.",
            Screen.ADD: "1 또는 0을 눌러 주세요.",
            Screen.REMOVE: "순번은 1~10 숫자입니다.",
            Screen.SURE_TO_REMOVE: "1 또는 0을 눌러 주세요.",
            Screen.TEST: "1 또는 0을 눌러 주세요.",
            Screen.CANCEL: "1 또는 0을 눌러 주세요.",
            Screen.ANSWER: "0을 눌러 주세요.",
        }
    ),
    lost="시간이 지나 처음부터 시작합니다.",
    try_again="지금 처리하지 못했습니다. 다시 눌러 주세요.",
    guardian_of_minor="\n보호자 {guardian}",
    bye="이용해 주셔서 감사합니다.",
    too_often="입력을 확인하고 다시 걸어 주세요.",
    more="# 다음",
    relations=("어머니", "아버지", "가족", "친구"),
)

_EN: Final = Words(
    screens=MappingProxyType(
        {
            Screen.MAIN: "1 Register\n2 Guardians\n3 My data\n4 Test\n5 Cancel\n9 한국어\n0 End",
            Screen.NAME: "Type your name.",
            Screen.BIRTH: "Type your birth date in 8 digits, e.g. 20150302 for 2 March 2015.",
            Screen.MINOR: "You are a minor: type the telephone number of your guardian, e.g. 01012345678.",
            Screen.SUMMARY: "{name}\n{birth}{guardian}\nI agree that this is kept and told to 112 in an emergency.",
            Screen.GUARDIANS: "1 Show guardians\n2 Add\n3 Remove\n0 Back",
            Screen.PHONE: "Type the telephone number of the new guardian, e.g. 01012345678.",
            Screen.RELATION: "Relation: 1 mother 2 father 3 family 4 friend, or type a word.",
            Screen.ADD: "{phone}\n{relation}\nAdd this guardian? They are asked by text message.",
            Screen.REMOVE: "{answer}\nType the place of the guardian to remove.",
            Screen.SURE_TO_REMOVE: "Remove guardian {place}?",
            Screen.TEST: "Tests the whole way to 112. No car is sent; the result comes as a text message.",
            Screen.CANCEL: "Cancel the registration and delete all your data?",
            Screen.ANSWER: "{answer}",
        }
    ),
    keys=MappingProxyType(
        {
            Screen.NAME: "0 Back",
            Screen.BIRTH: "0 Back",
            Screen.MINOR: "0 Back",
            Screen.SUMMARY: "1 Yes 0 Back",
            Screen.PHONE: "0 Back",
            Screen.RELATION: "0 Back",
            Screen.ADD: "1 Yes 0 Back",
            Screen.REMOVE: "0 Back",
            Screen.SURE_TO_REMOVE: "1 Yes 0 Back",
            Screen.TEST: "1 Start 0 Back",
            Screen.CANCEL: "1 Yes 0 No",
            Screen.ANSWER: "0 Back",
        }
    ),
    what_to_type=MappingProxyType(
        {
            Screen.MAIN: "Type 1-5, 9 or 0.",
            Screen.NAME: "A name has letters.",
            Screen.BIRTH: "That is no date. Year, month, day:",
            Screen.MINOR: "That is not another person's number.",
            Screen.SUMMARY: "Type 1 or 0.",
            Screen.GUARDIANS: "Type 1, 2, 3 or 0.",
            Screen.PHONE: "That is not another person's number.",
            Screen.RELATION: "Type a digit or a word.",
            Screen.ADD: "Type 1 or 0.",
            Screen.REMOVE: "The place is a number from 1 to 10.",
            Screen.SURE_TO_REMOVE: "Type 1 or 0.",
            Screen.TEST: "Type 1 or 0.",
            Screen.CANCEL: "Type 1 or 0.",
            Screen.ANSWER: "Type 0.",
        }
    ),
    lost="Sorry, timed out.",
    try_again="Failed. Try again.",
    guardian_of_minor="\nGuardian {guardian}",
    bye="Thank you.",
    too_often="Please check what you type and dial again.",
    more="# More",
    relations=("mother", "father", "family", "friend"),
)

WORDS: Final[Mapping[Language, Words]] = MappingProxyType({"ko": _KO, "en": _EN})


def text_of(screen: Screen, note: Note | None, memory: Memory) -> str:
    """Return what a screen says, without its keys and however long; a note comes first."""
    words = WORDS[memory.language]
    guardian = words.guardian_of_minor.format(guardian=memory.guardian) if memory.guardian else ""
    text = words.screens[screen].format(
        name=memory.name,
        birth="" if memory.birth is None else memory.birth.isoformat(),
        guardian=guardian,
        phone=memory.phone,
        relation=memory.relation,
        place=memory.place,
        answer=memory.answer,
    )
    if note is None:
        return text
    notes = {
        Note.LOST: words.lost,
        Note.TRY_AGAIN: words.try_again,
        Note.NOT_UNDERSTOOD: words.what_to_type[screen],
    }
    return f"{notes[note]}\n{text}"


def last_text(ending: Ending, memory: Memory) -> str:
    """Return the text that ends a dialogue."""
    return memory.answer if ending is Ending.ANSWER else WORDS[memory.language].bye
