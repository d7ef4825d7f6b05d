"""Says in Korean and English what a press lacked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from telephony.lab.stage.house import Language


@dataclass(frozen=True, slots=True)
class MissingWords:
    """One language; braces are filled where a press is judged."""

    answer: str
    status: str
    position: str
    incident: str
    acknowledgement: str
    text_to_her: str
    page: str
    end_of_session: str
    end_of_call: str
    silence: str
    hearing: str
    name_in_invite: str


WORDS: Mapping[Language, MissingWords] = MappingProxyType(
    {
        "en": MissingWords(
            answer="the SMSC got no answer to its deliver_sm",
            status="the SMSC was answered {status}",
            position="112 got no update with a position within {seconds:.0f} s",
            incident="the store knows no incident",
            acknowledgement="112 has not acknowledged the {kind}",
            text_to_her="a text was sent to her phone",
            page="the phone showed nothing within {seconds:.0f} s",
            end_of_session="the text did not end the session",
            end_of_call="the call did not come to its end: {error}",
            silence="the phone made a sound",
            hearing="the centre did not hear the phone's {hz} Hz",
            name_in_invite="the INVITE names incident {name}",
        ),
        "ko": MissingWords(
            answer="SMSC가 deliver_sm에 대한 응답을 받지 못함",
            status="SMSC가 받은 응답: {status}",
            position="{seconds:.0f}초 안에 위치가 담긴 갱신이 112에 가지 않음",
            incident="저장소에 신고가 없음",
            acknowledgement="112가 {kind} 수신을 확인하지 않음",
            text_to_her="신고자 전화기로 문자가 감",
            page="{seconds:.0f}초 안에 전화기에 아무것도 표시되지 않음",
            end_of_session="표시된 문구가 세션을 끝내지 않음",
            end_of_call="통화가 끝까지 가지 못함: {error}",
            silence="신고자 전화기에서 소리가 남",
            hearing="상황실에 신고자 쪽 {hz} Hz가 들리지 않음",
            name_in_invite="INVITE의 신고 이름이 다름: {name}",
        ),
    }
)
