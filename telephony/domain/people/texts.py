"""The texts sent to people who sign up by phone, in Korean and English. Pure.

Of somebody else's number the last digits alone are shown: a text may have gone to a wrong number.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, unique
from typing import Final, NamedTuple

from telephony.domain.people.person import GuardianEntry, Language, Person
from telephony.domain.values import Msisdn

SHOWN_DIGITS: Final = 4
LONGEST_NAME: Final = 20


class Words(NamedTuple):
    """The words of a text in both languages, with the same facts in braces."""

    korean: str
    english: str


@unique
class Text(Enum):
    """A text; its value is its `Words`, so that none can be without."""

    HELP = Words(
        (
            "등록 이름 생년월일 (미성년은 보호자번호)\n보호자 번호 관계\n보호자 삭제 순서\n변경 항목 내용\n"
            "내정보, 시험, 해지\n예: 등록 홍길동 20150302 01012345678"
        ),
        (
            "REGISTER name birth-date (a minor: guardian's number)\nGUARDIAN number relation\n"
            "GUARDIAN REMOVE place\nCHANGE field value\nMYDATA, TEST, CANCEL\n"
            "E.g. REGISTER Hong Gildong 20150302 01012345678"
        ),
    )
    # A question to the phone that asks: the network does not vouch for the sender of an SMS.
    CODE_TO_REGISTER = Words(
        "{name}님 등록: 맞으면 {code} 답장. 아니면 무시하세요.",
        "Sign up {name}? Reply {code}. If you did not ask, ignore this.",
    )
    CODE_TO_ASK_AGAIN = Words(
        "보호자(끝번호 {digits})가 아직 답하지 않았습니다. 다시 물으려면 {code} 답장. 아니면 무시하세요.",
        "The guardian ending in {digits} has not replied yet. To ask again, reply {code}. If not, ignore this.",
    )
    # The question whose reply is a consent: what is kept, for what, how long, that it may be refused, and health, location and others apart.
    # A change of what they say is another version: `telephony.domain.people.consent_items.CONSENT_TEXT`.
    CONSENT_OWN = Words(
        (
            "{name}님 등록: 맞으면 {code} 답장, 아니면 무시하세요. 답장은 다음에 대한 동의입니다.\n"
            "1 개인정보(필수) 이름 생년월일 번호 주소 보호자: 112에 신원 확인\n"
            "2 건강정보 의료·가족 메모: 구조\n"
            "3 위치정보 SOS 때만: 구조\n"
            "4 제3자 제공 SOS 사실을 보호자에게: 보호\n"
            "보관: 해지까지. 거절해도 SOS는 112에 닿습니다. 일부만: 동의 {code} 1 3"
        ),
        (
            "Sign up {name}? Reply {code}. If you did not ask, ignore this. Your reply agrees to:\n"
            "1 Personal data (needed): name, birth date, number, address, guardians, so that 112 knows who you are\n"
            "2 Health: medical and family notes, for rescue\n"
            "3 Location: only on an SOS, for rescue\n"
            "4 Third parties: guardians are told of an SOS, to protect you\n"
            "Kept until you cancel. You may refuse: an SOS still reaches 112. Some only: AGREE {code} 1 3"
        ),
    )
    CODE_TO_ADD_GUARDIAN = Words(
        "보호자 추가(끝번호 {digits}): 맞으면 {code} 답장. 아니면 무시하세요.",
        "Add the guardian ending in {digits}? Reply {code}. If you did not ask, ignore this.",
    )
    CODE_TO_REMOVE_GUARDIAN = Words(
        "보호자 삭제(끝번호 {digits}): 맞으면 {code} 답장. 아니면 무시하세요.",
        "Remove the guardian ending in {digits}? Reply {code}. If you did not ask, ignore this.",
    )
    CODE_TO_CHANGE = Words(
        "등록 내용 변경: 맞으면 {code} 답장. 아니면 무시하세요.",
        "Change your data? Reply {code}. If you did not ask, ignore this.",
    )
    CODE_TO_CHANGE_NUMBER = Words(
        "번호 변경(새 끝번호 {digits}): 맞으면 {code} 답장. 아니면 무시하세요.",
        "Move to the number ending in {digits}? Reply {code}. If you did not ask, ignore this.",
    )
    CODE_TO_CANCEL = Words(
        "{name}님 해지: 모든 정보가 지워집니다. 맞으면 {code} 답장. 아니면 무시하세요.",
        "Cancel {name}? Everything is deleted. Reply {code}. If you did not ask, ignore this.",
    )
    # A question to another phone.
    ASK_CONSENT = Words(
        (
            "{name}님(끝번호 {digits}) SOS 등록에 {age}세 이상 부모·후견인의 동의를 요청합니다.\n"
            "1 개인정보(필수) 이름 생년월일 번호 주소 보호자: 112에 신원 확인\n"
            "2 건강정보 의료·가족 메모: 구조\n"
            "3 위치정보 SOS 때만: 구조\n"
            "4 제3자 제공 SOS 사실을 다른 보호자에게: 보호\n"
            "보관: 해지까지. 거절해도 SOS는 112에 닿습니다.\n"
            "답장(관계·성인): 동의 {code} 어머니 성인 / 일부: 동의 {code} 1 3 어머니 성인 / 거절 {code}"
        ),
        (
            "{name} (number ending in {digits}) asks a parent or legal guardian aged {age} or over to agree to the SOS "
            "service.\n"
            "1 Personal data (needed): name, birth date, number, address, guardians, so that 112 knows who it is\n"
            "2 Health: medical and family notes, for rescue\n"
            "3 Location: only on an SOS, for rescue\n"
            "4 Third parties: other guardians are told of an SOS, for protection\n"
            "Kept until cancelled. You may refuse: an SOS still reaches 112.\n"
            "Reply who you are: AGREE {code} MOTHER ADULT, some: AGREE {code} 1 3 MOTHER ADULT, or REFUSE {code}."
        ),
    )
    ASK_GUARDIAN = Words(
        (
            "{name}님(끝번호 {digits})이 귀하를 SOS 보호자로 지정했습니다. SOS를 알려 드리려고 번호와 관계를 해지까지 보관합니다. "
            "동의: 동의 {code} / 거절(삭제): 거절 {code} 답장"
        ),
        (
            "{name} (number ending in {digits}) names you as SOS guardian. To tell you of an SOS, your number and relation "
            "are kept until it is cancelled. Reply AGREE {code}, or REFUSE {code} and they are deleted."
        ),
    )
    ASK_GUARDIAN_OF_A_MINOR = Words(
        (
            "{name}님(끝번호 {digits})이 귀하를 SOS 보호자로 지정했습니다. SOS를 알려 드리려고 번호와 관계를 해지까지 보관합니다. "
            "동의: 동의 {code} ({age}세 이상 부모·후견인이면: 동의 {code} 어머니 성인) / 거절(삭제): 거절 {code} 답장"
        ),
        (
            "{name} (number ending in {digits}) names you as SOS guardian. To tell you of an SOS, your number and relation "
            "are kept until it is cancelled. Reply AGREE {code} (a parent or legal guardian aged {age} or over: AGREE {code} "
            "MOTHER ADULT), or REFUSE {code} and they are deleted."
        ),
    )
    ASK_NUMBER = Words(
        "{name}님의 SOS 등록을 이 번호로 옮깁니다. 맞으면 {code} 답장. 아니면 무시하세요.",
        "{name}'s SOS registration moves to this number. Reply {code}. If it is not you, ignore this.",
    )
    # The same question, once more, before its time is over.
    REMIND_CONSENT = Words(
        "{name}님 SOS 등록 동의를 기다립니다. 동의 {code} 어머니 성인, 거절 {code}",
        "{name} still waits for your consent to the SOS service. Reply AGREE {code} MOTHER ADULT, or REFUSE {code}.",
    )
    REMIND_GUARDIAN = Words(
        "{name}님 SOS 보호자 지정에 답장해 주세요. 동의 {code} 또는 거절 {code}",
        "{name} still waits for your reply as SOS guardian. Reply AGREE {code}, or REFUSE {code}.",
    )
    # The outcome, to the person who asked.
    REGISTERED = Words(
        "{name}님, 등록되었습니다. '시험'을 보내면 112까지 연결을 시험합니다.",
        "{name}, you are signed up. Send TEST to try the way to 112.",
    )
    REGISTERED_GUARDIAN_ASKED = Words(
        "{name}님, 등록되었습니다. 보호자(끝번호 {digits})는 답장으로 동의해야 추가됩니다.",
        "{name}, you are signed up. The guardian ending in {digits} counts once they agree by reply.",
    )
    CONSENT_ASKED = Words(
        "보호자(끝번호 {digits})께 동의를 물었습니다. 보호자가 답장하면 등록됩니다.",
        "We asked the guardian ending in {digits}. You are signed up once they agree by reply.",
    )
    GUARDIAN_ASKED = Words(
        "보호자(끝번호 {digits})께 물었습니다. 답장으로 동의하면 추가됩니다.",
        "We asked the guardian ending in {digits}. They count once they agree by reply.",
    )
    NUMBER_ASKED = Words(
        "새 번호(끝번호 {digits})로 문자를 보냈습니다. 그 번호로 답장하면 바뀝니다.",
        "We sent a text to the number ending in {digits}. It counts once that phone replies.",
    )
    GUARDIAN_REMOVED = Words(
        "보호자(끝번호 {digits})를 삭제했습니다.",
        "The guardian ending in {digits} is removed.",
    )
    CHANGED = Words("변경되었습니다.", "Your data are changed.")
    CANCELLED = Words(
        "{name}님이 해지되었고 모든 정보를 지웠습니다. 위급할 때 SOS는 여전히 112에 닿습니다.",
        "{name} is cancelled and all data are deleted. An SOS still reaches 112.",
    )
    CONSENTED = Words(
        "고맙습니다. {name}님이 등록되었고 귀하는 보호자입니다. 그만두려면 '해지'를 보내세요.",
        "Thank you. {name} is signed up and you are the guardian. Send CANCEL to end it.",
    )
    GUARDIAN_AGREED = Words(
        "고맙습니다. {name}님의 보호자가 되셨습니다.",
        "Thank you. You are a guardian of {name}.",
    )
    DECLINED = Words("거절하셨습니다. 더 보내지 않습니다.", "You refused. Nothing more will be sent.")
    MOVED = Words(
        "{name}님의 등록이 이 번호로 바뀌었습니다.", "{name}'s registration is now with this number."
    )
    TEST_BEGUN = Words(
        "시험을 시작했습니다. 결과를 문자로 알려 드립니다.",
        "The test has begun. You get its result by text.",
    )
    # The outcome, to somebody else whom it concerns.
    TOLD_REGISTERED = Words(
        "{name}님, 보호자가 동의하여 등록되었습니다. 원치 않으면 '해지'를 보내세요.",
        "{name}, your guardian agreed and you are signed up. Send CANCEL if you do not want it.",
    )
    TOLD_GUARDIAN_AGREED = Words(
        "보호자(끝번호 {digits})가 동의하여 추가되었습니다.",
        "The guardian ending in {digits} agreed and counts now.",
    )
    TOLD_DECLINED = Words("끝번호 {digits}님이 거절했습니다.", "The person ending in {digits} refused.")
    TOLD_CANCELLED = Words(
        "{name}님의 SOS 등록이 해지되고 정보가 지워졌습니다.",
        "{name}'s SOS registration is cancelled and the data are deleted.",
    )
    TOLD_MOVED = Words(
        "{name}님의 등록이 끝번호 {digits}로 옮겨졌습니다.",
        "{name}'s registration moved to the number ending in {digits}.",
    )
    # Why not.
    NOT_REGISTERED = Words(
        "등록되지 않은 번호입니다. 예: 등록 홍길동 19900302",
        "This number is not signed up. E.g. REGISTER Hong Gildong 19900302",
    )
    GUARDIAN_AWAITED = Words(
        "아직 등록 전입니다. 보호자(끝번호 {digits})의 답장을 기다립니다. 다시 물으려면 등록 문자를 다시 보내세요.",
        "You are not signed up yet: the guardian ending in {digits} has not replied. To ask again, sign up once more.",
    )
    NOT_OPEN = Words(
        "아직 이 번호의 등록 기간이 아닙니다. 위급할 때 SOS는 등록 없이도 112에 닿습니다.",
        "Sign-up is not open for this number yet. An SOS reaches 112 without it.",
    )
    SURE_TO_CANCEL = Words(
        "모든 정보가 지워집니다. 정말 해지할까요?",
        "Everything is deleted. Are you sure?",
    )
    WHICH_WARD = Words(
        "누구를 해지할까요? 예: 해지 01012345678",
        "Whom do you want to cancel? E.g. CANCEL 01012345678",
    )
    NO_SUCH_GUARDIAN = Words(
        "그런 보호자가 없습니다. '보호자'를 보내 순서를 확인하세요.",
        "There is no such guardian. Send GUARDIAN to see their places.",
    )
    GUARDIAN_KNOWN = Words("이미 등록된 보호자입니다.", "That guardian is on the list already.")
    TOO_MANY_GUARDIANS = Words("보호자가 너무 많습니다.", "There are too many guardians already.")
    LAST_GUARDIAN = Words(
        "미성년자에게는 동의한 보호자가 한 명 이상 있어야 합니다.",
        "A minor needs at least one guardian who agreed.",
    )
    NUMBER_TAKEN = Words("이미 등록된 번호입니다.", "That number is signed up already.")
    TOO_MANY_QUESTIONS = Words(
        "그 번호에는 답을 기다리는 문자가 많습니다. 나중에 다시 해 주세요.",
        "That phone has many questions to answer already. Try again later.",
    )
    UNKNOWN_FIELD = Words(
        "바꿀 수 있는 것: 이름, 주소, 언어, 번호, 통신사. 예: 변경 주소 서울시 종로구 1",
        "You can change: name, address, language, number, carrier. E.g. CHANGE ADDRESS 1 Jongno, Seoul",
    )
    WRONG_CODE = Words(
        "번호가 다릅니다. {left}번 더 보낼 수 있습니다.",
        "Wrong code. You can try {left} more time(s).",
    )
    CODE_ENDED = Words(
        "번호가 다섯 번 달라 하루 동안 문자로 바꿀 수 없습니다. SOS는 그대로 112에 닿습니다.",
        "Wrong five times: nothing can be changed by text for a day. Your SOS still reaches 112.",
    )
    STANDING_NEEDED = Words(
        (
            "관계와 성인임을 받은 번호와 함께 보내세요. 예: 동의 123456 어머니 성인. {age}세 이상 부모·후견인의 동의만 효력이 있습니다. "
            "아니면 거절과 번호를 보내세요."
        ),
        (
            "Say who you are, with the six digits. E.g. AGREE 123456 MOTHER ADULT. Only a parent or legal guardian aged {age} "
            "or over may agree. If you are not, reply REFUSE and the digits."
        ),
    )
    GUARDIAN_NOT_OF_AGE = Words(
        "{age}세 미만은 미성년자를 위해 동의할 수 없습니다. 다른 보호자를 지정해 주세요.",
        "Who is under {age} cannot agree for a minor. Another guardian has to be named.",
    )
    CODE_NEEDED = Words(
        "받은 여섯 자리 번호도 보내세요. 예: 동의 123456",
        "Send the six digits too. E.g. AGREE 123456",
    )
    NOTHING_AWAITED = Words(
        "기다리는 답장이 없습니다. '도움말'을 보내 보세요.",
        "No reply is awaited from you. Send HELP.",
    )
    LATER = Words(
        "문자가 많아 지금은 답하지 못합니다. 나중에 다시 보내 주세요. SOS는 그대로 112에 닿습니다.",
        "Too many texts: we cannot answer now. Please send it again later. Your SOS still reaches 112.",
    )
    UNREADABLE = Words(
        "등록 내용을 읽을 수 없습니다. 고객센터에 문의하세요.",
        "Your data cannot be read. Please ask our service.",
    )
    # Drills.
    TEST_PASSED = Words(
        "[시험] 112까지 {seconds}초, 정상입니다.",
        "TEST: 112 reached in {seconds} s, all is well.",
    )
    TEST_FAILED = Words(
        "[시험] 112에 닿지 못했습니다. 담당자가 확인합니다. 위급하면 112로 전화하세요.",
        "TEST: 112 was not reached. Our staff is looking into it. In an emergency call 112.",
    )


def say(text: Text, language: Language, **facts: str) -> str:
    """Return a text with its facts; a name is cut where it is long."""
    if "name" in facts:
        facts["name"] = facts["name"][:LONGEST_NAME]
    words = text.value
    return (words.korean if language == "ko" else words.english).format(**facts)


def last_digits(phone: Msisdn) -> str:
    """Return the digits by which somebody knows a number again."""
    return phone.number[-SHOWN_DIGITS:]


def guardian_list(guardians: Sequence[GuardianEntry], language: Language) -> str:
    """List the guardians in their order."""
    if not guardians:
        return "보호자가 없습니다." if language == "ko" else "There is no guardian."
    waiting = "(동의 대기)" if language == "ko" else "(has not agreed yet)"
    lines = [
        " ".join(
            part
            for part in (
                f"{place}.",
                each.relation,
                f"…{last_digits(each.phone)}",
                "" if each.is_confirmed else waiting,
            )
            if part
        )
        for place, each in enumerate(guardians, start=1)
    ]
    return "\n".join(lines)


def own_data(person: Person, language: Language) -> str:
    """Tell somebody what is kept about them. Medical and family notes are named, not told: a text is read by others."""
    is_korean = language == "ko"
    texts = person.texts
    lines = [person.name, person.birth_date.isoformat()]
    lines += [
        f"…{last_digits(device.number)}{f' {device.carrier}' if device.carrier else ''}"
        for device in person.devices
    ]
    lines += [
        f"{ko if is_korean else en}: {texts[name]}"
        for name, ko, en in (
            ("address", "주소", "address"),
            ("school", "학교", "school"),
            ("cohort", "그룹", "group"),
            ("language", "언어", "language"),
        )
        if texts.get(name)
    ]
    kept = [
        ko if is_korean else en
        for name, ko, en in (
            ("medical", "의료정보", "medical notes"),
            ("family", "가족사항", "family notes"),
            ("photo", "사진", "photo"),
        )
        if texts.get(name)
    ]
    if kept:
        lines.append(f"{'보관 중' if is_korean else 'also kept'}: {', '.join(kept)}")
    consent = person.consent
    agreed = "동의" if is_korean else "consent"
    lines.append(f"{agreed}: {consent.at.date().isoformat()} {consent.means}")
    lines.append(guardian_list(person.guardians, language))
    return "\n".join(lines)
