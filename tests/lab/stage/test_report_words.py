"""What the lab's desk reads in a report."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.lab.centre.psap import ReceivedReport
from telephony.lab.stage.report_words import radius_m, report_in_words

CAP = """<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><status>{status}</status><msgType>{kind}</msgType>
<info>{parameters}<area>{circle}</area></info></alert>"""
PARAMETER = "<parameter><valueName>{}</valueName><value>{}</value></parameter>"


def report(kind="Update", *, circle="", status="Actual", **parameters):
    """Return a report with these parameters, their names written with underscores."""
    written = "".join(PARAMETER.format(name.replace("_", "-"), value) for name, value in parameters.items())
    place = f"<circle>{circle}</circle>" if circle else ""
    return ReceivedReport(
        0.0, "key", CAP.format(status=status, kind=kind, parameters=written, circle=place).encode()
    )


@pytest.mark.parametrize(
    ("received", "english", "korean"),
    [
        (
            report("Alert", trigger_source="sms"),
            "Alert: key held (SMS); place not known yet",
            "신고: 키를 길게 누름(문자); 위치는 아직 모름",
        ),
        (
            report(update_reason="position", circle="37.566300,126.977900 0.576"),
            "Update: within 576 m of 37.5663,126.9779",
            "갱신: 37.5663,126.9779 반경 576 m 이내",
        ),
        (
            report(update_reason="person", person_name="김하나", person_birth_date="2015-03-02"),
            "Update: she is 김하나, 2015-03-02",
            "갱신: 신고자: 김하나, 2015-03-02",
        ),
        (
            report(update_reason="person", person_registered="no"),
            "Update: the number is not registered",
            "갱신: 등록되지 않은 번호",
        ),
        (
            report(update_reason="guardian", guardian="1", guardian_state="confirmed"),
            "Update: guardian 1 confirmed",
            "갱신: 보호자 1: 확인함",
        ),
        (
            report(update_reason="knock", knock="11", knock_meaning="cannot-speak"),
            "Update: taps in the call: cannot-speak",
            "갱신: 통화 중 두드림: cannot-speak",
        ),
        (report(update_reason="pressed-again"), "Update: pressed again", "갱신: 다시 누름"),
        (
            report(incident_state="closed", close_reason="found safe", status="Test"),
            "(drill) Update: closed: found safe",
            "(훈련) 갱신: 종료: found safe",
        ),
        (
            report(update_reason="of-a-newer-release"),
            "Update: of-a-newer-release",
            "갱신: of-a-newer-release",
        ),
    ],
)
def test_a_report_is_told_by_what_is_new_in_it(received, english, korean):
    assert report_in_words(received, "en") == english
    assert report_in_words(received, "ko") == korean


@given(st.text(st.characters(codec="utf-8")))
def test_any_circle_is_read_or_is_none(circle):
    escaped = circle.replace("&", "").replace("<", "")

    assert isinstance(radius_m(report(circle=escaped)), int | None)


@given(st.binary())
def test_any_octets_are_told(octets):
    assert report_in_words(ReceivedReport(0.0, "", octets), "ko")
