"""The lab as a newcomer meets it: one press with its card, and the prompt on which everything can be tried."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import pytest_twisted
from lxml import etree
from twisted.internet import reactor

from telephony.lab.stage import one_press as pressing
from telephony.lab.stage.house import House
from telephony.lab.stage.one_press import one_press
from tests.scenarios.daemon_process import ROOT
from tests.scenarios.house import PATIENCE_S
from tests.scenarios.open_lab import OpenLab, is_running, lab


@pytest.mark.parametrize(
    ("press", "language", "good", "silent"),
    [
        ("sms", "en", "GOOD:", "nothing: no text, no ring, no sound"),
        ("ussd", "ko", "정상:", "없음: 문자도 벨도 소리도 없음"),
        ("call", "en", "GOOD:", "nothing: no text, no ring, no sound"),
    ],
)
def test_a_press_ends_with_a_card_and_names_the_folder_with_the_reports(
    press, language, good, silent, tmp_path
):
    done = lab("--press", press, "--language", language, TMPDIR=str(tmp_path))

    assert done.returncode == 0, done.stdout + done.stderr
    assert good in done.stdout
    assert silent in done.stdout
    assert "<alert" not in done.stdout
    folder = Path(done.stdout.splitlines()[-1].rpartition(": ")[2])
    assert folder.parent == tmp_path
    reports = sorted(folder.iterdir())
    assert reports[0].name == "01-alert.xml"
    assert [etree.fromstring(each.read_bytes()).tag for each in reports] == [
        "{urn:oasis:names:tc:emergency:cap:1.2}alert"
    ] * len(reports)


def test_machines_get_all_of_it_as_json_and_the_documents_are_printed_on_demand(tmp_path):
    done = lab("--press", "sms", "--json", LANG="ko_KR.UTF-8", LC_ALL="")
    told = json.loads(done.stdout)

    assert done.returncode == 0
    assert told["ok"] is True
    assert told["missing"] == told["texts_to_her"] == []
    assert {"ms", "who", "what"} == told["timeline"][0].keys()
    assert told["reports"][0]["msgType"] == "Alert"
    assert all(each["valid"] and "<language>ko-KR<" in each["document"] for each in told["reports"])
    assert lab("--press", "sms", "--xml", TMPDIR=str(tmp_path)).stdout.count("<alert ") == len(
        told["reports"]
    )


@pytest_twisted.ensureDeferred
async def test_a_press_of_which_112_hears_nothing_has_failed(tmp_path, monkeypatch):
    monkeypatch.setattr(pressing, "LONGEST_S", 1.0)
    house = House(reactor, tmp_path, language="en")
    await house.open()
    try:
        house.psap.refuse()
        result = await one_press(house, reactor)
    finally:
        await house.close()

    assert not result.is_ok
    assert "112 has not acknowledged the alert" in result.missing


def test_a_port_in_use_is_one_sentence_and_exit_code_1():
    with socket.create_server(("127.0.0.1", 2775)):
        done = lab()

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("onetouch lab: port 2775 for the SMSC is in use")
    assert len(done.stderr.splitlines()) == 1


def test_the_line_that_is_typed_stays_whole_while_events_are_told_above_it():
    with OpenLab("--language", "ko") as place:
        place.type("\n")
        place.shows("신고: 키를 길게 누름")
        place.type("guardian 안녕하")
        place.shows("위치는 아직 모름", "반경 576 m", "반경 23 m", "보호자 1: 문자 보냄")
        place.until(lambda: place.screen.typed == "lab> guardian 안녕하")
        place.type("\x17\x15help\n")
        place.shows("이 도움말; 끝내기")
        place.type("\x04")

        assert place.end() == 0
        assert place.screen.wrapped == []
        assert place.modes_now == place.modes
        assert re.search(r"\n +\d+ ms  112 +신고", place.screen.text)


def test_112_in_trouble_is_told_with_each_attempt_until_the_second_url_has_taken_it():
    with OpenLab("--language", "en") as place:
        place.type("psap refuse\npress 821099998888 help\n")
        place.shows(
            "112 refuses now: it answers 503", "refuses (503). Alert", "112 lacks the alert (attempt 2)"
        )
        place.shows("ALARM     channel-failing", "112 URL 2 Alert", "by seoul-b")
        place.type("psap ok\n")
        place.shows("112 is well again", "112 has the alert, by seoul-a")


def test_her_guardian_is_told_and_answers_and_the_desk_closes():
    with OpenLab("--language", "en") as place:
        place.type("list\n")
        place.shows("no incident yet")
        place.type("\n")
        place.shows("guardian  shows “Kim Hana pressed", "112 ", "guardian 1 was texted")
        place.type("guardian 1\n")
        place.shows("guardian 1 confirmed")
        place.type("list\n")
        place.shows("  open    presses 1, 112 +")
        place.type("close sos-nothing\n")
        place.shows("no incident begins with 'sos-nothing'")
        place.type("close sos-\n")
        place.shows("Update: closed: found safe", "is over: 112 has")
        place.type("close\nnonsense\npsap slow never\n")
        place.shows("which one? close last", "'nonsense' is no word", "'never' is not a number")
        place.type("list\n")
        place.shows("  closed  presses 1")


def test_a_drill_a_text_and_the_menu_are_answered_on_the_phone():
    with OpenLab("--language", "en") as place:
        place.type("test\n")
        place.shows("(drill) Alert", "shows “TEST: 112 reached", "the drill passed")
        place.type("sms 821011112222 도움\n")
        place.shows("821011112222 shows “")
        place.type("ussd 1\n")
        place.shows("no page waits for an answer")
        place.type("ussd menu\n")
        place.shows("| 3 My data")
        place.type("ussd 3\n")
        place.shows("| Kim Hana")
        place.type("ussd\n")
        place.shows("Alert: key held (USSD)", "| Request completed.")
        place.type("list\n")
        place.shows("closed (drill)")


def test_a_full_disk_keeps_no_press_from_112_and_what_was_not_on_disk_is_once_there_is_room():
    with OpenLab("--language", "en") as place:
        place.type("disk full\n\n")
        place.shows(
            "the disk takes nothing now", "NOT on disk: 112 is told directly", "answered ESME_RMSGQFUL"
        )
        place.shows("112       Alert: key held (SMS)", "ALARM     store-unavailable")
        place.type("disk ok\n")
        place.shows("the disk takes writes again", "ms: sos-", "Update: she is Kim Hana")


def test_a_daemon_that_was_killed_is_another_process_and_knows_the_incident():
    with OpenLab("--language", "en") as place:
        place.type("\n")
        place.shows("within 23 m")
        place.type("kill\npress 821012345678 quick\n")
        place.shows("is killed: kill -9", "after the kill", "Update: pressed again")
        first, second = place.daemons()

        assert first != second
        assert not is_running(first)
        assert is_running(second)
        place.type("list\n")
        place.shows("presses 2")
        place.type("\x03")
        assert place.end() == 0
        assert not is_running(second)
        assert place.modes_now == place.modes
        events = [json.loads(line)["event"] for line in (place.folder / "log").read_text().splitlines()]
        assert events.count("started") == 2
        assert events.count("stopping") == 1, "who is killed has no time to say so"
        assert events[-1] == "stopped"


def test_neither_the_daemon_nor_asterisk_outlives_a_lab_that_was_killed():
    with OpenLab() as place:
        programs = place.programs()
        assert len(programs) == 2
        place.kill9()

        end = time.monotonic() + PATIENCE_S
        while place.programs():
            assert time.monotonic() < end, f"{programs} run on"
            time.sleep(0.05)


def test_a_call_is_silent_and_its_taps_reach_112():
    with OpenLab("--language", "en") as place:
        place.type("tap 1\n")
        place.shows("no call stands")
        place.type("call\n")
        place.shows("holds the key: a call to 112", "telephone of route 1 is answered", "within 23 m")
        place.type("tap 11\nhang\n")
        place.shows("heard nothing:", "Call: ended; taps in the call")


def test_a_script_is_obeyed_line_by_line_and_each_line_is_repeated():
    done = lab("--free-ports", "--language", "ko", keys="\nwait 1\nlist\npsap down\n")

    assert done.returncode == 0
    assert done.stderr == ""
    lines = [line for line in done.stdout.splitlines() if line.startswith(("lab> ", "  sos-"))]
    assert [line[:8] for line in lines] == ["lab> ", "lab> wai", "lab> lis", "  sos-20", "lab> psa"]
    assert "이제 112가 연결을 거부함" in done.stdout
    shutil.rmtree(done.stdout.splitlines()[-1].rpartition(": ")[2])


_REFUSED = """
import sys
from twisted.internet import reactor
from telephony.lab.stage import command, one_press
class Refused(command.House):
    async def open(self):
        await super().open()
        self.psap.refuse()
        self.fallback.refuse()
command.House, one_press.LONGEST_S = Refused, 1.0
sys.exit(command.press_once(reactor, "sms", language=sys.argv[1]))
"""


@pytest.mark.parametrize(
    ("language", "never", "failed"),
    [
        ("en", "112 knew where                NEVER", "FAILED: 112 has not acknowledged the alert"),
        ("ko", "112가 위치를 앎               끝내 모름", "실패: 112가 신고 수신을 확인하지 않음"),
    ],
)
def test_the_exit_code_says_that_112_did_not_hear_of_a_press(language, never, failed, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", _REFUSED, language], capture_output=True, text=True, check=False, timeout=PATIENCE_S,
        cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip

    assert done.returncode == 1, done.stderr
    assert never in done.stdout
    assert failed in done.stdout
    assert list(Path(done.stdout.splitlines()[-1].rpartition(": ")[2]).iterdir()) == []
