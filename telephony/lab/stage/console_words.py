"""The words of the lab's prompt in Korean and English: its help, the troubles, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from telephony.lab.stage.house import MENU_CODE, SERVICE_NUMBER, SOS_CODE, Language
from telephony.lab.stage.lines import padded


@dataclass(frozen=True, slots=True)
class ConsoleWords:
    """One language; braces are filled by the console."""

    usages: Mapping[str, str]
    """What can be typed, and what it does, in the order of `help`."""
    troubles: Mapping[str, str]
    """By command: what is so from now on."""
    welcome: str
    closing: str
    kept: str
    unknown: str
    not_a_number: str
    which: str
    closed: str
    refused: str
    empty: str
    row: str
    open: str
    over: str
    drill: str
    not_told: str
    not_located: str
    killed: str
    started: str
    not_started: str
    pressed: str
    texts: str
    dials: str
    types: str
    answered: str
    shows_nothing: str
    no_kind: str
    what_text: str
    no_voice: str
    no_call: str
    is_calling: str
    silent_call: str
    loud_call: str
    taps: str
    presses_digit: str
    calls: str
    hangs_up: str
    waits: str


def help_lines(words: ConsoleWords) -> list[str]:
    """Return what fits one screen: each usage beside its meaning."""
    return [f"  {padded(usage, 30)} {meaning}" for usage, meaning in words.usages.items()]


WORDS: Mapping[Language, ConsoleWords] = MappingProxyType(
    {
        "en": ConsoleWords(
            usages=MappingProxyType(
                {
                    "Enter, press [NUMBER] [TEXT]": "hold the key: an SMS to 112",
                    "call   tap DIGITS   hang": "a silent call to 112, keys in it, its end",
                    "ussd [KIND]": f"dial {SOS_CODE} through a KIND of gateway",
                    "ussd menu   ussd ANSWER": f"the menu {MENU_CODE}, and what is typed into it",
                    "sms [NUMBER] TEXT": f"a text to the service number {SERVICE_NUMBER}",
                    "test": "a drill: she texts TEST to the service number",
                    "guardian 1": "her guardian answers 1 (or other words)",
                    "list": "the incidents, the newest first",
                    "close ID|last [REASON]": "close one as 112 would; a beginning will do",
                    "psap down|hang|ok": "112 is down, takes nothing, is well",
                    "psap slow [S]|refuse [STATUS]": "112 answers late, or with an error",
                    "lbs late [S]|never|ok": "the location server is late, silent, well",
                    "lbs rubbish|zero|arc|unknown": "it answers so, for every phone",
                    "smsc drop|unbind|redeliver": "the link breaks, ends; the last press again",
                    "smsc silent|refuse|ok": "it answers nothing; lets no bind in; is well",
                    "disk full|ok": "the kernel refuses each write of the daemon",
                    "kill": "kill -9 of the daemon's process; a new one",
                    "wait S": "the next command after so many seconds",
                    "help   quit (Ctrl-D)": "say this; end",
                }
            ),
            troubles=MappingProxyType(
                {
                    "psap down": "112 refuses connections now",
                    "psap hang": "112 takes nothing and never answers now",
                    "psap slow": "112 acknowledges {value:g} s late now",
                    "psap refuse": "112 refuses now: it answers {value}",
                    "psap ok": "112 is well again",
                    "lbs late": "the location server answers {value:g} s late now",
                    "lbs never": "the location server never answers now",
                    "lbs rubbish": "the location server answers what is no XML now",
                    "lbs zero": "the location server answers 0,0 now",
                    "lbs arc": "the location server answers with an arc now",
                    "lbs unknown": "the location server knows no number now",
                    "lbs ok": "the location server is well again",
                    "smsc drop": "the SMSC breaks the link",
                    "smsc unbind": "the SMSC unbinds",
                    "smsc silent": "the SMSC stays connected and answers nothing now",
                    "smsc redeliver": "the SMSC delivers the last message once more",
                    "smsc refuse": "the SMSC refuses binds now: ESME_RALYBND",
                    "smsc ok": "the SMSC lets binds in again",
                    "disk full": "the disk takes nothing now: each write fails",
                    "disk ok": "the disk takes writes again",
                }
            ),
            welcome="""\
The lab is open: the daemon runs as process {pid}, between simulators.
  SMSC             127.0.0.1:{smsc}   SMPP 3.4
  location server  127.0.0.1:{mlp}   MLP
  112 centre       127.0.0.1:{psap}   CAP 1.2 by HTTP, second URL on {fallback}
  her phone        {victim}, SOS number {sos}; her guardian {mother}
Look on from another terminal:
  onetouch tail -f {log}
  onetouch incidents list --config {config}
Press Enter to hold the key. Type help for the rest, quit to end.""",
            closing="The daemon is stopped, then the lab.",
            kept="The log and the store are kept in {folder}",
            unknown="{word!r} is no word of this prompt; type help",
            not_a_number="{word!r} is not a number",
            which="which one? close last, or the beginning of an id; `list` shows them",
            closed="closed {incident}",
            refused="not closed: {reason}",
            empty="no incident yet; press Enter",
            row="{id}  {state:<6}  presses {presses}, 112 {told}, place {located}",
            open="open",
            over="closed",
            drill="{state} (drill)",
            not_told="NOT TOLD",
            not_located="unknown",
            killed="process {pid} is killed: kill -9",
            started="process {pid} is bound {seconds:.1f} s after the kill",
            not_started="{error}. `disk ok`, then `kill` starts it again",
            pressed="{number} holds the key: an SMS to {to}, “{text}”",
            texts="{number} texts {to}: “{text}”",
            dials="dials {code}",
            types="types “{text}”",
            answered="deliver_sm of {number} answered {status}",
            shows_nothing="shows nothing",
            no_kind="{word!r}: no page waits for an answer, and it is none of {kinds}",
            what_text="what does the text say? sms TEXT",
            no_voice="no Asterisk on this machine: end, install it with bin/asterisk, start again",
            no_call="no call stands; `call` makes one",
            is_calling="a call stands; `hang` ends it",
            silent_call="heard nothing: {packets} RTP packets, 0 audible, no ring",
            loud_call="MADE A SOUND: {audible} of {packets} packets, or it rang",
            taps="taps {digits}",
            presses_digit="presses {digit} in the call",
            calls="holds the key: a call to {number}",
            hangs_up="hangs up",
            waits="waits {seconds:g} s",
        ),
        "ko": ConsoleWords(
            usages=MappingProxyType(
                {
                    "Enter, press [번호] [내용]": "키를 길게 누름: 112로 문자",
                    "call   tap 숫자   hang": "112로 무음 전화, 통화 중 두드림, 끊기",
                    "ussd [종류]": f"그 종류의 게이트웨이로 {SOS_CODE} 다이얼",
                    "ussd menu   ussd 답": f"메뉴 {MENU_CODE} 열기, 메뉴에 입력하기",
                    "sms [번호] 내용": f"서비스 번호 {SERVICE_NUMBER}로 문자",
                    "test": "훈련: 서비스 번호로 '시험' 문자",
                    "guardian 1": "보호자가 1로(또는 다른 말로) 답장",
                    "list": "신고 목록, 최근 것부터",
                    "close ID|last [사유]": "112처럼 종료; ID는 앞부분만 써도 됨",
                    "psap down|hang|ok": "112 연결 거부, 무응답, 정상",
                    "psap slow [초]|refuse [상태]": "112가 늦게, 또는 오류로 응답",
                    "lbs late [초]|never|ok": "위치 서버가 늦음, 무응답, 정상",
                    "lbs rubbish|zero|arc|unknown": "모든 전화기에 그런 위치로 응답",
                    "smsc drop|unbind|redeliver": "링크 끊김, 종료; 마지막 문자 재전송",
                    "smsc silent|refuse|ok": "응답 없음, 바인드 거부, 정상",
                    "disk full|ok": "커널이 데몬의 파일 쓰기를 모두 거부함",
                    "kill": "데몬 프로세스를 kill -9 하고 새로 시작",
                    "wait 초": "그만큼 뒤에 다음 명령",
                    "help   quit (Ctrl-D)": "이 도움말; 끝내기",
                }
            ),
            troubles=MappingProxyType(
                {
                    "psap down": "이제 112가 연결을 거부함",
                    "psap hang": "이제 112가 아무것도 받지 않고 응답도 없음",
                    "psap slow": "이제 112가 {value:g}초 늦게 수신을 확인함",
                    "psap refuse": "이제 112가 거부함: {value} 응답",
                    "psap ok": "112가 다시 정상",
                    "lbs late": "이제 위치 서버가 {value:g}초 늦게 응답함",
                    "lbs never": "이제 위치 서버가 응답하지 않음",
                    "lbs rubbish": "이제 위치 서버가 XML이 아닌 것으로 응답함",
                    "lbs zero": "이제 위치 서버가 0,0으로 응답함",
                    "lbs arc": "이제 위치 서버가 호(arc)로 응답함",
                    "lbs unknown": "이제 위치 서버가 어떤 번호도 모름",
                    "lbs ok": "위치 서버가 다시 정상",
                    "smsc drop": "SMSC가 링크를 끊음",
                    "smsc unbind": "SMSC가 unbind 함",
                    "smsc silent": "이제 SMSC가 연결된 채 아무 응답도 하지 않음",
                    "smsc redeliver": "SMSC가 마지막 문자를 다시 전달함",
                    "smsc refuse": "이제 SMSC가 바인드를 거부함: ESME_RALYBND",
                    "smsc ok": "SMSC가 다시 바인드를 받음",
                    "disk full": "이제 디스크에 아무것도 쓰이지 않음: 쓰기가 모두 실패",
                    "disk ok": "디스크에 다시 쓸 수 있음",
                }
            ),
            welcome="""\
실험실이 열렸습니다. 데몬은 프로세스 {pid}, 주위는 모두 시뮬레이터입니다.
  SMSC             127.0.0.1:{smsc}   SMPP 3.4
  위치 서버        127.0.0.1:{mlp}   MLP
  112 상황실       127.0.0.1:{psap}   HTTP로 CAP 1.2, 두 번째 URL은 {fallback}
  신고자 전화기    {victim}, SOS 번호 {sos}; 보호자 {mother}
다른 터미널에서 함께 보기:
  onetouch tail -f {log}
  onetouch incidents list --config {config}
Enter를 누르면 키를 길게 누른 것입니다. 나머지는 help, 끝내려면 quit.""",
            closing="데몬을 멈춘 다음 실험실을 닫습니다.",
            kept="로그와 저장소가 남아 있는 곳: {folder}",
            unknown="{word!r}: 모르는 명령입니다. help를 입력하세요",
            not_a_number="{word!r}: 숫자가 아닙니다",
            which="어느 신고입니까? close last, 또는 ID의 앞부분; `list`로 볼 수 있음",
            closed="종료함 {incident}",
            refused="종료하지 못함: {reason}",
            empty="아직 신고가 없음; Enter를 누르세요",
            row="{id}  {state}  누름 {presses}회, 112 {told}, 위치 {located}",
            open="진행",
            over="종료",
            drill="{state}(훈련)",
            not_told="못 알림",
            not_located="모름",
            killed="프로세스 {pid} 강제 종료: kill -9",
            started="프로세스 {pid}: 강제 종료 {seconds:.1f}초 뒤에 다시 연결됨",
            not_started="{error}. `disk ok` 다음에 `kill`로 다시 시작",
            pressed="{number} 키를 길게 누름: {to}로 문자 “{text}”",
            texts="{number}에서 {to}로 문자 “{text}”",
            dials="{code} 다이얼",
            types="“{text}” 입력",
            answered="{number}의 deliver_sm에 {status} 응답",
            shows_nothing="아무것도 표시되지 않음",
            no_kind="{word!r}: 답을 기다리는 화면이 없고, 게이트웨이 종류도 아님: {kinds}",
            what_text="문자 내용이 없음: sms 내용",
            no_voice="Asterisk가 없음: 실험실을 끝내고 bin/asterisk로 설치한 뒤 다시 시작",
            no_call="통화가 없음; `call`로 전화하세요",
            is_calling="통화 중; `hang`으로 끊으세요",
            silent_call="아무 소리 없음: RTP 패킷 {packets}개 중 들리는 것 0개, 벨 없음",
            loud_call="소리가 났음: 패킷 {packets}개 중 {audible}개, 또는 벨",
            taps="{digits} 두드림",
            presses_digit="통화에서 {digit} 누름",
            calls="키를 길게 누름: {number}로 전화",
            hangs_up="전화를 끊음",
            waits="{seconds:g}초 기다림",
        ),
    }
)
