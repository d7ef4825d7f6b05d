"""The card at the end of a press."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from telephony.lab.stage.card import in_words, keep_reports
from telephony.lab.stage.lines import Who
from telephony.lab.stage.one_press import PressReport
from telephony.lab.stage.timeline import Moment
from tests.lab.stage.test_report_words import report


def pressed(**differs) -> PressReport:
    """A press that went well, but for what differs."""
    reports = [
        report("Alert", trigger_source="sms"),
        report(update_reason="person", person_registered="yes", person_name="김하나"),
        report(update_reason="position", person_registered="yes", circle="37.5663,126.9779 0.576"),
        report(update_reason="position", person_registered="yes", circle="37.5663,126.9779 0.023"),
        report(update_reason="guardian", person_registered="yes", circle="37.5663,126.9779 0.023"),
    ]
    for number, each in enumerate(reports):
        object.__setattr__(each, "at", 100.0 + number)
    facts = {
        "is_ok": True,
        "incident": "sos-20261201-yk8v4bcscy",
        "reports": reports,
        "timeline": [Moment(0.0, Who.PHONE, "holds the key")],
        "pressed_at": 99.5,
        "guardian_told_ms": 81.0,
    }
    return PressReport(**facts | differs)


def lines_of(result, language, tmp_path, *, with_xml=False):
    return in_words(result, language, tmp_path, with_xml=with_xml).splitlines()


def test_the_card_says_what_112_knew_and_when_and_what_her_phone_heard(tmp_path):
    _, _, _, *card = lines_of(pressed(), "en", tmp_path)

    assert [" ".join(line.split()) for line in card] == [
        "112 knew that a key was held after 500 ms",
        "112 knew who presses after 1.50 s: 김하나",
        "112 knew where after 2.50 s: within 576 m of 37.5663,126.9779",
        "112 knew where after 3.50 s: within 23 m of 37.5663,126.9779",
        "her guardian was told after 81 ms, by text",
        "her phone heard nothing: no text, no ring, no sound",
        "reports at 112 5, NOT VALID: 5",
        "GOOD: 112 acknowledged the alert and an update with her position.",
        f"All of it as 112 received it: {tmp_path}",
    ]


def test_a_press_that_failed_says_what_is_missing_and_what_her_phone_was_sent(tmp_path):
    failed = pressed(
        is_ok=False, reports=[], missing=["112 has not acknowledged the alert"], texts_to_her=["hello"]
    )
    told = "\n".join(lines_of(failed, "en", tmp_path))

    assert "FAILED: 112 has not acknowledged the alert" in told
    assert "112 knew where NEVER" in " ".join(told.split())
    assert "1 TEXTS" in told
    assert "GOOD" not in told


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize(
    "audio",
    [
        {},
        {
            "phone_packets": 300, "phone_audible_packets": 0, "phone_ringing_responses": 0,
            "centre_packets": 300, "centre_hears_the_phone": True, "recording_octets": 9,
        },
    ],
    ids=["text", "call"],
)  # fmt: skip
def test_the_card_has_about_ten_lines_of_80_columns(language, audio, tmp_path):
    told = lines_of(pressed(audio=audio, shown="요청이 처리되었습니다."), language, tmp_path)

    assert len(told) - 3 <= 11
    assert max(map(cell_len, told[:-1])) <= 80


def test_the_documents_are_shown_on_demand_alone_and_lie_in_a_folder_octet_by_octet(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    result = pressed()

    folder = keep_reports(result)

    assert "<alert" not in "\n".join(lines_of(result, "en", folder))
    assert "<alert" in "\n".join(lines_of(result, "en", folder, with_xml=True))
    files = sorted(folder.iterdir())
    assert [file.name for file in files][:2] == ["01-alert.xml", "02-update.xml"]
    assert [file.read_bytes() for file in files] == [each.raw for each in result.reports]
    assert folder.stat().st_mode & 0o777 == 0o700
