"""A registrar's import as the registrar sees it: headings, faults together, who would change; Korean and English."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from telephony.cli.people_import_report import MOST_CHANGES, MOST_FAULTS, Faults
from telephony.domain.people.draft import FIELDS
from telephony.domain.people.keywords import is_hangul
from telephony.domain.people.problems import Fault, Problem
from telephony.domain.people.row_faults import reason, remedy
from telephony.people_files.headers import Heading
from telephony.settings import load

HEAD = "이름,생년월일,전화번호,통신사,주소,보호자 관계,보호자 전화번호\n"
CONSENT = ("--by", "한국초", "--means", "서면", "--on", "2026-03-02")


def child(n: int, number: str = "", carrier: str = "SKT", address: str = "", guardian: str = "") -> str:
    number = number or f"010-1234-{n:04}"
    return f"김하늘{n},2015-03-02,{number},{carrier},{address},어머니,{guardian or f'010-9876-{n:04}'}\n"


@pytest.fixture
def people(run, config: Path):
    """``onetouch people …`` on a store that is there; the settings' language is Korean."""
    run("db", "upgrade", "--config", config)
    return lambda command, *arguments: run("people", command, "--config", config, *arguments)


@pytest.fixture
def table(tmp_path):
    """Write a CSV file of these rows."""

    def write(*rows: str, head: str = HEAD) -> Path:
        path = tmp_path / f"class-{len(list(tmp_path.iterdir()))}.csv"
        path.write_text(head + "".join(rows))
        return path

    return write


def test_forty_rows_with_the_same_fault_are_told_once_with_their_count_and_the_first_lines(people, table):
    rows = [child(n, carrier="엘지") for n in range(40)] + [child(41, number="없음")]

    result = people("import", table(*rows), *CONSENT)

    assert result.exit_code == 3
    assert result.output.splitlines() == [
        "제목 행: 1행",
        "2, 3, 4, 5, 6행 외 35행, 통신사: 설정에 없는 통신사입니다 (40행)",
        "    → skt 가운데 하나를 쓰거나 비우세요",
        "42행, 전화번호: 전화번호가 아닙니다",
        "    → 010-1234-5678이나 +82 10-1234-5678처럼 쓰세요",
        "추가 0, 변경 0, 그대로 0, 잘못된 행 41",
    ]


def test_in_english_it_says_the_same(people, table):
    result = people(
        "import", table(*[child(n, carrier="엘지") for n in range(7)]), *CONSENT, "--language", "en"
    )

    assert result.output.splitlines() == [
        "headings: line 1",
        "lines 2, 3, 4, 5, 6 and 2 more, 통신사: is not a carrier of the settings (7 rows)",
        "    → write one of skt, or leave it empty",
        "added 0, changed 0, unchanged 0, bad rows 7",
    ]


def test_numbers_that_stand_twice_are_one_fault_that_names_both_lines(people, table):
    rows = [child(1), child(1), child(2), child(3, number="010-1234-0002")]

    result = people("import", table(*rows), *CONSENT, "--dry-run")

    assert "3 (=2), 5 (=4)행, 전화번호: 같은 번호가 앞 행에 이미 있습니다 (2행)" in result.output


def test_of_many_kinds_of_faults_the_most_frequent_are_told():
    found = Faults(Heading({}, (), ()), "ko")
    for kind in range(MOST_FAULTS + 3):
        for line in range(kind + 1):
            found.add(line, (Fault("name", Problem.TOO_LONG, kind),))

    told = list(found.told())

    assert "외 18행" in told[0]
    assert told[-1] == "그 밖에 3가지. --report 파일에 모두 적습니다"


def test_the_report_of_bad_rows_is_in_korean_and_can_be_corrected_and_imported(people, table, tmp_path):
    report = tmp_path / "bad.csv"
    people("import", table(child(1), child(2, carrier="엘지")), *CONSENT, "--report", report)

    with report.open(encoding="utf-8-sig", newline="") as file:
        head, row = list(csv.reader(file))
    assert head[-4:] == ["행", "열", "이유", "쓸 것"]
    assert row[-4:] == ["3", "통신사", "설정에 없는 통신사입니다", "skt 가운데 하나를 쓰거나 비우세요"]

    report.write_text(report.read_text(encoding="utf-8-sig").replace("엘지", "SKT"))
    again = people("import", report, *CONSENT)
    assert "쓰지 않는 열: 행, 열, 이유, 쓸 것" in again.output
    assert "추가 1" in again.output


def test_a_dry_run_says_who_would_change_in_which_field_and_no_value(people, table):
    people("import", table(child(1, address="서울", carrier=""), child(2), child(3)), *CONSENT)
    rows = [child(1, address="부산"), child(2, address="대전"), child(3), child(4)]

    result = people("import", table(*rows), *CONSENT, "--dry-run")

    assert result.output.splitlines() == [
        "제목 행: 1행",
        "바뀔 사람 2명:",
        "  2행 김○○○: 통신사(새로), 주소(바뀜)",
        "  3행 김○○○: 주소(새로)",
        "항목별: 통신사(새로) 1명, 주소(바뀜) 1명, 주소(새로) 1명",
        "시험 실행, 아무것도 쓰지 않음: 추가 1, 변경 2, 그대로 1, 잘못된 행 0",
    ]
    assert people("count").output == "3\n"


def test_a_dry_run_leaves_every_file_as_it_was_where_nobody_is_registered(people, table, config):
    file = table(child(1), child(2, carrier="엘지"))
    state = load(config).service.state_dir

    def octets():
        # SQLite makes and removes its own two beside the store when it is opened to be read.
        return {
            each: each.read_bytes() for each in state.rglob("*") if not each.name.endswith(("-wal", "-shm"))
        }

    before = octets()
    assert "추가 1" in people("import", file, *CONSENT, "--dry-run").output
    assert octets() == before

    people("import", file, *CONSENT)
    assert octets() != before


def test_other_guardians_and_another_consent_are_changes_too(people, table):
    people("import", table(child(1)), *CONSENT)

    result = people(
        "import",
        table(child(1, guardian="010-5555-0001")),
        "--by",
        "한국초",
        "--means",
        "전화",
        "--dry-run",
        "--language",
        "en",
    )

    assert "guardian1_phone(changed), consent_means(changed), consent_date(changed)" in result.output
    assert "5555" not in result.output


def test_of_many_who_would_change_some_are_named_and_all_counted(people, table):
    many = MOST_CHANGES + 5
    people("import", table(*[child(n) for n in range(many)]), *CONSENT)

    result = people("import", table(*[child(n, address="부산") for n in range(many)]), *CONSENT, "--dry-run")

    assert f"바뀔 사람 {many}명:" in result.output
    assert "  외 5명" in result.output
    assert f"항목별: 주소(새로) {many}명" in result.output


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--by", "한국초"), "--means"),
        (("--means", "서면"), "--by"),
        (("--by", "a", "--means", "b", "--on", "2999-01-01"), "future"),
        (("--by", "a", "--means", "b", "--on", "3/2"), "does not match"),
    ],
)
def test_half_a_consent_or_a_day_that_is_none_is_refused(people, table, options, told):
    result = people("import", table(child(1)), *options)

    assert result.exit_code == 2
    assert told in result.output


def test_what_a_file_says_of_means_is_enough_beside_who_agreed(people, table):
    head = HEAD.replace("\n", ",동의방법\n")
    row = child(1).replace("\n", ",서면\n")

    assert "추가 1" in people("import", table(row, head=head), "--by", "한국초").output


def test_a_file_that_cannot_be_used_is_told_in_korean(people, table):
    result = people("import", table(head="이름,전화번호\n"))

    assert result.exit_code == 1
    assert "제목 행(1행)에 열이 빠졌습니다. 더하세요: 생년월일" in result.output


@pytest.mark.parametrize("problem", Problem)
@pytest.mark.parametrize("field", [*FIELDS, "guardian_phone"])
def test_every_fault_of_a_row_has_its_words_in_korean(problem, field):
    fault = Fault(field, problem, 19, ("kt", "skt"))

    for said in (reason(fault, "ko"), remedy(fault, "ko")):
        assert is_hangul(said)
        assert not set("{}") & set(said)
