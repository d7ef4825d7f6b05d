"""What people read who sign up by phone, in Korean and English. Pure.

Of somebody else's number the last digits alone are shown: a text may have gone to a wrong number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from telephony.domain.people import GuardianEntry, Language, Person
from telephony.domain.values import Msisdn

SHOWN_DIGITS: Final = 4
LONGEST_NAME: Final = 20

_TEXTS: Final[dict[str, tuple[str, str]]] = {
    "help": (
        (
            "등록 이름 생년월일 (미성년은 보호자번호)\n보호자 번호 관계\n보호자 삭제 순서\n변경 항목 내용\n"
            "내정보, 시험, 해지\n예: 등록 홍길동 20150302 01012345678"
        ),
        (
            "REGISTER name birth-date (a minor: guardian's number)\nGUARDIAN number relation\n"
            "GUARDIAN REMOVE place\nCHANGE field value\nMYDATA, TEST, CANCEL\n"
            "E.g. REGISTER Hong Gildong 20150302 01012345678"
        ),
    ),
    # A question to the phone that asks: the network does not vouch for the sender of an SMS.
    "code: register": (
        "{name}님 등록: 맞으면 {code} 답장. 아니면 무시하세요.",
        "Sign up {name}? Reply {code}. If you did not ask, ignore this.",
    ),
    # Whose reply is a consent: what is kept, for what, how long, that it may be refused, and health, location and others apart.
    # A change of what they say is another version: `telephony.domain.consent_items.CONSENT_TEXT`.
    "consent: own": (
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
    ),
    "code: add guardian": (
        "보호자 추가(끝번호 {digits}): 맞으면 {code} 답장. 아니면 무시하세요.",
        "Add the guardian ending in {digits}? Reply {code}. If you did not ask, ignore this.",
    ),
    "code: remove guardian": (
        "보호자 삭제(끝번호 {digits}): 맞으면 {code} 답장. 아니면 무시하세요.",
        "Remove the guardian ending in {digits}? Reply {code}. If you did not ask, ignore this.",
    ),
    "code: change": (
        "등록 내용 변경: 맞으면 {code} 답장. 아니면 무시하세요.",
        "Change your data? Reply {code}. If you did not ask, ignore this.",
    ),
    "code: change number": (
        "번호 변경(새 끝번호 {digits}): 맞으면 {code} 답장. 아니면 무시하세요.",
        "Move to the number ending in {digits}? Reply {code}. If you did not ask, ignore this.",
    ),
    "code: cancel": (
        "{name}님 해지: 모든 정보가 지워집니다. 맞으면 {code} 답장. 아니면 무시하세요.",
        "Cancel {name}? Everything is deleted. Reply {code}. If you did not ask, ignore this.",
    ),
    # A question to another phone.
    "ask consent": (
        (
            "{name}님(끝번호 {digits})이 SOS 등록에 보호자 동의를 요청합니다.\n"
            "1 개인정보(필수) 이름 생년월일 번호 주소 보호자: 112에 신원 확인\n"
            "2 건강정보 의료·가족 메모: 구조\n"
            "3 위치정보 SOS 때만: 구조\n"
            "4 제3자 제공 SOS 사실을 다른 보호자에게: 보호\n"
            "보관: 해지까지. 거절해도 SOS는 112에 닿습니다.\n"
            "모두: 동의 {code} / 일부: 동의 {code} 1 3 / 거절: 거절 {code} 답장"
        ),
        (
            "{name} (number ending in {digits}) asks for your consent, as guardian, to sign up for the SOS service.\n"
            "1 Personal data (needed): name, birth date, number, address, guardians, so that 112 knows who it is\n"
            "2 Health: medical and family notes, for rescue\n"
            "3 Location: only on an SOS, for rescue\n"
            "4 Third parties: other guardians are told of an SOS, for protection\n"
            "Kept until cancelled. You may refuse: an SOS still reaches 112.\n"
            "Reply AGREE {code} to all, AGREE {code} 1 3 to some, or REFUSE {code}."
        ),
    ),
    "ask guardian": (
        "{name}님(끝번호 {digits})이 귀하를 SOS 보호자로 지정했습니다. 동의: 동의 {code} / 거절: 거절 {code} 답장",
        "{name} (number ending in {digits}) names you as SOS guardian. Reply AGREE {code} or REFUSE {code}.",
    ),
    "ask number": (
        "{name}님의 SOS 등록 번호를 이 번호로 바꿉니다. 맞으면 {code} 답장. 아니면 무시하세요.",
        "{name}'s SOS registration moves to this number. Reply {code}. If it is not you, ignore this.",
    ),
    # What came of it, to whoever asked.
    "registered": (
        "{name}님, 등록되었습니다. '시험'을 보내면 112까지 연결을 시험합니다.",
        "{name}, you are signed up. Send TEST to try the way to 112.",
    ),
    "registered, guardian asked": (
        "{name}님, 등록되었습니다. 보호자(끝번호 {digits})는 답장으로 동의해야 추가됩니다.",
        "{name}, you are signed up. The guardian ending in {digits} counts once they agree by reply.",
    ),
    "consent asked": (
        "보호자(끝번호 {digits})께 동의를 물었습니다. 보호자가 답장하면 등록됩니다.",
        "We asked the guardian ending in {digits}. You are signed up once they agree by reply.",
    ),
    "guardian asked": (
        "보호자(끝번호 {digits})께 물었습니다. 답장으로 동의하면 추가됩니다.",
        "We asked the guardian ending in {digits}. They count once they agree by reply.",
    ),
    "number asked": (
        "새 번호(끝번호 {digits})로 문자를 보냈습니다. 그 번호로 답장하면 바뀝니다.",
        "We sent a text to the number ending in {digits}. It counts once that phone replies.",
    ),
    "guardian removed": (
        "보호자(끝번호 {digits})를 삭제했습니다.",
        "The guardian ending in {digits} is removed.",
    ),
    "changed": ("변경되었습니다.", "Your data are changed."),
    "cancelled": (
        "{name}님이 해지되었고 모든 정보를 지웠습니다. 위급할 때 SOS는 여전히 112에 닿습니다.",
        "{name} is cancelled and all data are deleted. An SOS still reaches 112.",
    ),
    "consented": (
        "고맙습니다. {name}님이 등록되었고 귀하는 보호자입니다. 그만두려면 '해지'를 보내세요.",
        "Thank you. {name} is signed up and you are the guardian. Send CANCEL to end it.",
    ),
    "guardian agreed": (
        "고맙습니다. {name}님의 보호자가 되셨습니다.",
        "Thank you. You are a guardian of {name}.",
    ),
    "declined": ("거절하셨습니다. 더 보내지 않습니다.", "You refused. Nothing more will be sent."),
    "moved": ("{name}님의 등록이 이 번호로 바뀌었습니다.", "{name}'s registration is now with this number."),
    "test begun": (
        "시험을 시작했습니다. 결과를 문자로 알려 드립니다.",
        "The test has begun. You get its result by text.",
    ),
    # What came of it, to somebody else whom it concerns.
    "told: registered": (
        "{name}님, 보호자가 동의하여 등록되었습니다. 원치 않으면 '해지'를 보내세요.",
        "{name}, your guardian agreed and you are signed up. Send CANCEL if you do not want it.",
    ),
    "told: guardian agreed": (
        "보호자(끝번호 {digits})가 동의하여 추가되었습니다.",
        "The guardian ending in {digits} agreed and counts now.",
    ),
    "told: declined": ("끝번호 {digits}님이 거절했습니다.", "The person ending in {digits} refused."),
    "told: cancelled": (
        "{name}님의 SOS 등록이 해지되고 정보가 지워졌습니다.",
        "{name}'s SOS registration is cancelled and the data are deleted.",
    ),
    "told: moved": (
        "{name}님의 등록이 끝번호 {digits}로 옮겨졌습니다.",
        "{name}'s registration moved to the number ending in {digits}.",
    ),
    # Why not.
    "not registered": (
        "등록되지 않은 번호입니다. 예: 등록 홍길동 19900302",
        "This number is not signed up. E.g. REGISTER Hong Gildong 19900302",
    ),
    "not open": (
        "아직 이 번호의 등록 기간이 아닙니다. 위급할 때 SOS는 등록 없이도 112에 닿습니다.",
        "Sign-up is not open for this number yet. An SOS reaches 112 without it.",
    ),
    "sure to cancel": (
        "모든 정보가 지워집니다. 정말 해지할까요?",
        "Everything is deleted. Are you sure?",
    ),
    "which ward": (
        "누구를 해지할까요? 예: 해지 01012345678",
        "Whom do you want to cancel? E.g. CANCEL 01012345678",
    ),
    "no such guardian": (
        "그런 보호자가 없습니다. '보호자'를 보내 순서를 확인하세요.",
        "There is no such guardian. Send GUARDIAN to see their places.",
    ),
    "guardian known": ("이미 등록된 보호자입니다.", "That guardian is on the list already."),
    "too many guardians": ("보호자가 너무 많습니다.", "There are too many guardians already."),
    "last guardian": (
        "미성년자에게는 동의한 보호자가 한 명 이상 있어야 합니다.",
        "A minor needs at least one guardian who agreed.",
    ),
    "number taken": ("이미 등록된 번호입니다.", "That number is signed up already."),
    "too many questions": (
        "그 번호에는 답을 기다리는 문자가 많습니다. 나중에 다시 해 주세요.",
        "That phone has many questions to answer already. Try again later.",
    ),
    "unknown field": (
        "바꿀 수 있는 것: 이름, 주소, 언어, 번호, 통신사. 예: 변경 주소 서울시 종로구 1",
        "You can change: name, address, language, number, carrier. E.g. CHANGE ADDRESS 1 Jongno, Seoul",
    ),
    "wrong code": (
        "번호가 다릅니다. {left}번 더 보낼 수 있습니다.",
        "Wrong code. You can try {left} more time(s).",
    ),
    "code ended": (
        "번호가 다섯 번 달라 하루 동안 문자로 바꿀 수 없습니다. SOS는 그대로 112에 닿습니다.",
        "Wrong five times: nothing can be changed by text for a day. Your SOS still reaches 112.",
    ),
    "code needed": (
        "받은 여섯 자리 번호도 보내세요. 예: 동의 123456",
        "Send the six digits too. E.g. AGREE 123456",
    ),
    "nothing awaited": (
        "기다리는 답장이 없습니다. '도움말'을 보내 보세요.",
        "No reply is awaited from you. Send HELP.",
    ),
    "unreadable": (
        "등록 내용을 읽을 수 없습니다. 고객센터에 문의하세요.",
        "Your data cannot be read. Please ask our service.",
    ),
    # Drills.
    "test passed": (
        "[시험] 112까지 {seconds}초, 정상입니다.",
        "TEST: 112 reached in {seconds} s, all is well.",
    ),
    "test failed": (
        "[시험] 112에 닿지 못했습니다. 담당자가 확인합니다. 위급하면 112로 전화하세요.",
        "TEST: 112 was not reached. Our staff is looking into it. In an emergency call 112.",
    ),
}


def say(key: str, language: Language, **facts: str) -> str:
    """Give a text by its key; a name is cut where it is long."""
    if "name" in facts:
        facts["name"] = facts["name"][:LONGEST_NAME]
    return _TEXTS[key][0 if language == "ko" else 1].format(**facts)


def last_digits(phone: Msisdn) -> str:
    """Give the digits by which somebody knows a number again."""
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
