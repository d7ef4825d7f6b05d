"""The settings of USSD: a text that betrays the press is a fault, and so is one that no phone can show."""

from __future__ import annotations

import pytest

from telephony.settings.loading import Loaded
from telephony.settings.model import Settings
from telephony.settings.places import Places
from telephony.settings.remarks import remarks
from telephony.settings.ussd_checks import ussd_findings

PSAP = {"name": "seoul", "addresses": "112", "channel": [{"name": "a", "url": "https://192.0.2.1/cap"}]}


def faults(raw):
    return [(".".join(map(str, at)), problem) for at, problem, _ in ussd_findings(raw)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Help is coming", '"help"'),
        ("112 신고가 접수되었습니다", '"112"'),
        ("긴급 요청 완료", '"긴급"'),
        ("a" * 183, "183 characters of GSM 7 bit"),
        ("가" * 81, "81 characters of UCS2"),
    ],
)
def test_a_text_that_betrays_or_does_not_fit_is_a_fault(text, problem):
    ((at, said),) = faults({"ussd": {"closing_ko": text}})

    assert at == "ussd.closing_ko"
    assert problem in said


@pytest.mark.parametrize(
    "raw", [{}, {"ussd": 1}, {"ussd": {"closing_ko": 1, "other": "help"}}, {"carrier": [1]}]
)
def test_whatever_else_is_wrong_is_said_by_others(raw):
    assert faults(raw) == []


def test_a_code_may_not_be_a_drill_too_not_even_without_its_signs():
    own = {"recognition": {"ussd_codes": ["*113#"], "test_numbers": ["113"]}}
    raw = {"recognition": {"ussd_codes": ["*112#", "*115#"], "test_numbers": ["*112#"]}, "carrier": [{}, own]}

    assert [at for at, _ in faults(raw)] == ["recognition.ussd_codes.0", "carrier.1.recognition.ussd_codes.0"]


def settings(**link):
    smpp = {"name": "skt-1", "host": "192.0.2.10", "system_id": "x", **link}
    own = {"name": "kt", "smpp": [{**smpp, "name": "kt-1"}], "recognition": {"ussd_codes": ["*113#"]}}
    return Settings.model_validate(
        {
            "recognition": {"sos_numbers": ["112"], "ussd_codes": ["*112#"]},
            "carrier": [{"name": "skt", "smpp": [smpp]}, own],
            "psap": [PSAP],
        }
    )


def test_a_carrier_may_have_codes_of_its_own():
    both = settings()

    assert both.recognition_for("skt").ussd_codes == {"*112#"}
    assert both.recognition_for("kt").ussd_codes == {"*113#"}


def test_a_receiver_on_which_codes_are_dialled_is_remarked():
    def told(both):
        return [each for each in remarks(Loaded(both, Places())) if "USSD" in str(each)]

    assert told(settings()) == []
    assert [each.key for each in told(settings(bind="receiver"))] == [
        "carrier[0].smpp[0].bind",
        "carrier[1].smpp[0].bind",
    ]


@pytest.mark.parametrize("code", ["*112", "112#", "*#", "*1a#", ""])
def test_a_code_is_written_as_it_is_dialled(code):
    with pytest.raises(ValueError, match="ussd_codes"):
        Settings.model_validate({"recognition": {"sos_numbers": ["112"], "ussd_codes": [code]}})
