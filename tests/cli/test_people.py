"""People from a file into the store and out again, as a registrar enrols a school."""

from __future__ import annotations

import csv
import json
import sqlite3
import stat
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from openpyxl import Workbook

from telephony.domain.audit import (
    CHANGED_PERSON,
    CONSENT_WITHDRAWN,
    DELETED_PERSON,
    IMPORTED_PEOPLE,
    OWN_DATA,
    SAW_PERSON,
)
from telephony.domain.people.person import Refusal
from telephony.domain.values import Msisdn
from telephony.settings import load
from telephony.store.audit import entries
from telephony.store.crypto import KeyFile
from telephony.store.engines import one_transaction, open_engines
from telephony.store.people import Registry

HEAD = "이름,생년월일,휴대폰번호,통신사,보호자 관계,보호자 전화번호,비고\n"
ROWS = [
    "김하늘,2015-03-02,010-1234-0001,SKT,어머니,010-9876-0001,x\n",
    '"이 바다",2014. 5. 6.,1012340002,,아버지,+82 10-9876-0002,\n',
]
CONSENT = ("--by", "한국초", "--means", "서면")


@pytest.fixture
def people(run, config: Path):
    """``onetouch people …`` on a store that is there."""
    run("db", "upgrade", "--config", config)

    def invoke(command: str, *arguments: object, stdin: bytes | None = None):
        if command == "import" and "--language" not in arguments:
            arguments = (*arguments, "--language", "en")
        return run("people", command, "--config", config, *arguments, stdin=stdin)

    return invoke


@pytest.fixture
def chain(config: Path):
    """What the audit chain holds."""

    def read():
        settings = load(config)
        writing, reading = open_engines(settings.database_url, KeyFile(settings.key_file).ring)
        with reading.connect() as connection:
            found = [each.looked for each in entries(connection)]
        writing.dispose()
        reading.dispose()
        return found

    return read


def file_of(folder: Path, octets: bytes, name: str = "class.csv") -> Path:
    path = folder / name
    path.write_bytes(octets)
    return path


TEXT = HEAD + "".join(ROWS)


@pytest.mark.parametrize(
    "octets",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("cp949"),
        TEXT.replace(",", ";").encode(),
        TEXT.replace(",", "\t").encode("utf-16"),
        ("2026학년도 명단,,\n\n" + TEXT).replace("\n", "\r\n").encode(),
    ],
    ids=["utf-8", "utf-8 with mark", "cp949", "semicolon", "utf-16 with tabs", "title above"],
)
def test_csv_is_taken_as_it_is_written_in_korea(people, tmp_path, octets):
    result = people("import", file_of(tmp_path, octets), *CONSENT)

    assert result.exit_code == 0, result.output
    assert "added 2, changed 0, unchanged 0, bad rows 0" in result.output
    assert "ignored columns: 비고" in result.output
    assert people("show", "010-1234-0002").exit_code == 0
    assert people("count").output == "2\n"


def test_the_same_file_again_changes_nothing(people, tmp_path):
    file = file_of(tmp_path, TEXT.encode())
    people("import", file, *CONSENT)

    assert "added 0, changed 0, unchanged 2" in people("import", file, *CONSENT).output


def test_a_dry_run_is_a_look_for_it_tells_who_is_registered(people, tmp_path, chain):
    file = file_of(tmp_path, TEXT.encode())
    people("import", file, *CONSENT)

    assert "unchanged 2" in people("import", file, *CONSENT, "--dry-run").output

    assert [each.what for each in chain()] == ["imported people", "tried an import of people"]


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        (("--reason", "rescue"), "rescue"),
        (("--reason", "order", "--why", "letter 2026-114"), "order: letter 2026-114"),
        (("--why", "Order:letter 2026-114"), "order: letter 2026-114"),
        (("--reason", "order", "--why", "order: letter 2026-114"), "order: letter 2026-114"),
        (("--why", "letter 2026-114"), "letter 2026-114"),
    ],
    ids=["code alone", "code and words", "code before words", "both the same", "words alone"],
)
def test_a_reason_is_words_or_a_code_that_needs_none(people, chain, options, kept):
    assert people("show", "010-1234-0001", "--reveal", *options).exit_code == 1, "no one is registered"

    assert [each.why for each in chain()] == [kept]


@pytest.mark.parametrize(
    "options",
    [
        ("--why", "x"),
        ("--why", "aaaaaaaa"),
        ("--why", "order: x"),
        ("--reason", "order"),
        ("--reason", "order", "--why", "x"),
        ("--reason", "order", "--why", "person: letter 2026-114"),
        ("--reason", "fun", "--why", "letter 2026-114"),
    ],
    ids=["short", "repeated", "short after a code", "code alone", "code and short", "two codes", "no code"],
)
def test_what_is_no_reason_shows_nothing_and_leaves_no_entry(people, chain, options):
    result = people("show", "010-1234-0001", "--reveal", *options)

    assert result.exit_code == 2
    assert chain() == []


def test_the_help_lists_the_codes_in_both_languages(run):
    told = " ".join(run("people", "show", "--help").output.split())

    assert "민원 처리" in told
    assert "a complaint is answered" in told


def test_a_workbook_is_taken_with_its_numbers_and_dates(people, tmp_path):
    book = Workbook()
    sheet = book.active
    sheet.append(HEAD.strip().split(","))
    sheet.append(["김하늘", date(2015, 3, 2), 1012340001, "SKT", "어머니", "010-9876-0001"])
    sheet.append(["=1+1", "2015-03-02", "010-1234-0002", None, "어머니", "010-9876-0001"])
    book.save(tmp_path / "class.xlsx")

    result = people("import", tmp_path / "class.xlsx", *CONSENT)

    assert "added 2" in result.output, result.output
    assert "=1+1" in people("show", "010-1234-0002", "--reveal", "--why", "a test").output
    assert "2015-03-02" in people("show", "010-1234-0001", "--reveal", "--why", "a test").output


BAD = HEAD + "".join(
    [
        ",2015-03-02,010-1234-0001,SKT,어머니,010-9876-0001,\n",
        "가,150302-3123456,010-1234-0003,SKT,어머니,010-9876-0001,\n",
        "나,2015-02-30,010-1234-0004,SKT,어머니,010-9876-0001,\n",
        "다,2015-03-02,1.01E+09,SKT,어머니,010-9876-0001,\n",
        "라,2015-03-02,010-1234-0005,T-Mobile,어머니,010-9876-0001,\n",
        "마,2015-03-02,010-1234-0006,SKT,어머니,,\n",
        "바,2015-03-02,010-1234-0007,SKT,,,\n",
        "사,2015-03-02,010-1234-0008,SKT,어머니,010-1234-0008,\n",
        ROWS[0],
        ROWS[0],
    ]
)
WRONG = [
    ("line 2, 이름: is empty", "write the person's name"),
    ("line 3, 생년월일: is a resident registration number", "2015-03-02"),
    ("line 4, 생년월일: is not a calendar date", "2015-03-02"),
    ("line 5, 휴대폰번호: was rounded by Excel", "format the column as text"),
    ("line 6, 통신사: is not a carrier", "skt"),
    ("line 7, 보호자 전화번호: is empty", "guardian's telephone number"),
    ("line 8, 보호자 전화번호: a person under 19", "guardian who agreed"),
    ("line 9, guardian_phone: a guardian has the person's own number", "guardian's own"),
    ("line 11, 휴대폰번호: the same number stands in line 10", "keep the line"),
]


def test_each_bad_row_is_told_with_line_column_reason_and_what_to_write(people, tmp_path):
    result = people("import", file_of(tmp_path, BAD.encode()), "--report", tmp_path / "bad.csv", *CONSENT)

    assert result.exit_code == 3
    assert "added 1, changed 0, unchanged 0, bad rows 9" in result.output
    lines = result.output.splitlines()
    for problem, remedy in WRONG:
        told = [f"{line}; {below}" for line, below in pairwise(lines)]
        assert any(line.startswith(problem) and remedy in line for line in told), problem
    assert "150302" not in result.output
    assert "1234-0003" not in result.output
    with (tmp_path / "bad.csv").open(encoding="utf-8-sig", newline="") as report:
        rows = list(csv.reader(report))
    assert rows[0][-4:] == ["line", "column", "reason", "what to write"]
    assert [row[-4] for row in rows[1:]] == ["2", "3", "4", "5", "6", "7", "8", "9", "11"]
    assert stat.S_IMODE((tmp_path / "bad.csv").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("octets", "told"),
    [
        (b"", "no row of headings"),
        ("이름,전화번호\n".encode(), "생년월일 or birth_date"),
        ("이름,생년월일,전화번호,주민등록번호\n".encode(), "must not be kept"),
        ("이름,생년월일,전화번호,연락처\n".encode(), "two columns"),
        (b"name,birth date,phone\n" + b"\xff\xfe\xfa" * 9, "line 2 is neither UTF-8 nor cp949"),
        (b"name,birth date,phone\n" + b'"a,' * 90_000, "line 2"),
        (b"PK\x03\x04 no archive", "save the sheet as CSV"),
        (b"\xd0\xcf\x11\xe0 old", "old Excel file"),
    ],
)
def test_a_file_that_cannot_be_used_says_what_to_do(people, tmp_path, octets, told):
    result = people("import", file_of(tmp_path, octets))

    assert result.exit_code == 1
    assert told in result.output


def test_a_dry_run_writes_nothing(people, tmp_path, run, config):
    result = people("import", file_of(tmp_path, BAD.encode()), "--dry-run", *CONSENT)

    assert "dry run, nothing written: added 1, changed 0, unchanged 0, bad rows 9" in result.output
    assert people("count").output == "0\n"
    assert not (tmp_path / "retention.json").exists()


def test_without_consent_nobody_is_enrolled(people, tmp_path):
    result = people("import", file_of(tmp_path, TEXT.encode()))

    assert result.exit_code == 3
    assert "lines 2, 3, consent_by: there is no consent to keeping these data (2 rows)" in result.output


def test_show_masks_and_reveals_only_with_a_reason_that_is_in_the_chain_first(people, tmp_path, chain):
    people("import", file_of(tmp_path, TEXT.encode()), *CONSENT)

    masked = people("show", "-", stdin=b"010-1234-0001\n").output
    assert "김○○" in masked
    assert not any(text in masked for text in ("하늘", "12340001", "98760001", "2015"))
    refused = people("show", "010-1234-0001", "--reveal")
    assert refused.exit_code == 2
    assert "--why" in refused.output
    assert len(chain()) == 2

    revealed = people("show", "010-1234-0001", "--reveal", "--why", "asked by herself").output

    assert "김하늘" in revealed
    assert "+821012340001" in revealed
    assert [(each.what, each.subject.rpartition(": ")[2], each.why) for each in chain()] == [
        (IMPORTED_PEOPLE, "class.csv", "한국초: 서면"),
        (SAW_PERSON, "+821012340001", "masked"),
        (SAW_PERSON, "+821012340001", "asked by herself"),
    ]


def test_a_look_at_somebody_who_is_not_there_is_a_look_too(people, chain):
    assert people("show", "010-1234-0001").exit_code == 1

    assert [each.subject for each in chain()] == ["+821012340001"]


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("show", ("010-1234-0001",)),
        ("show", ("010-1234-0001", "--reveal", "--why", "a test")),
        ("own", ("010-1234-0001", "--why", "a test")),
        ("export", ("out.csv", "--why", "a test")),
    ],
)
def test_nothing_is_shown_where_the_entry_cannot_be_written(
    people, tmp_path, monkeypatch, command, arguments
):
    people("import", file_of(tmp_path, TEXT.encode()), *CONSENT)
    monkeypatch.chdir(tmp_path)
    with sqlite3.connect(tmp_path / "onetouch.sqlite") as connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    connection.close()

    result = people(command, *arguments)

    assert result.exit_code == 1
    assert "nothing is shown, for the audit chain cannot be written" in result.output
    assert "김" not in result.output
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("delete", ("010-1234-0001", "--why", "a test")),
        ("withdraw", ("010-1234-0001", "--by", "her", "--means", "letter")),
        ("change-number", ("010-1234-0001", "010-5555-0001", "--why", "a test")),
        ("change-carrier", ("010-1234-0001", "skt", "--why", "a test")),
    ],
)
def test_nothing_is_changed_where_the_entry_cannot_be_written(people, tmp_path, command, arguments):
    people("import", file_of(tmp_path, TEXT.encode()), *CONSENT)
    with sqlite3.connect(tmp_path / "onetouch.sqlite") as connection:
        before = connection.execute("SELECT * FROM person").fetchall()
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    connection.close()

    assert people(command, *arguments).exit_code == 1

    with sqlite3.connect(tmp_path / "onetouch.sqlite") as connection:
        assert connection.execute("SELECT * FROM person").fetchall() == before
    connection.close()


def test_a_reason_is_asked_for_on_a_terminal(people, tmp_path, monkeypatch, chain):
    people("import", file_of(tmp_path, TEXT.encode()), *CONSENT)
    monkeypatch.setattr("telephony.cli.audited.is_terminal", lambda: True)

    result = people("show", "010-1234-0001", "--reveal", stdin=b"her letter\n")

    assert result.exit_code == 0
    assert chain()[-1].why == "her letter"


def test_an_export_can_be_imported_again_and_makes_no_spreadsheet_calculate(people, tmp_path):
    text = HEAD + "=HYPERLINK(1),2015-03-02,010-1234-0001,SKT,@어머니,010-9876-0001,\n"
    people("import", file_of(tmp_path, text.encode()), *CONSENT)

    people("export", tmp_path / "out.csv", "--why", "a test")

    written = (tmp_path / "out.csv").read_text(encoding="utf-8-sig")
    assert "'=HYPERLINK(1)" in written
    assert "'@어머니" in written
    assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == 0o600
    assert "unchanged 1, bad rows 0" in people("import", tmp_path / "out.csv").output


def test_what_a_registrar_has_on_paper_of_a_guardian_is_taken_as_confirmed_and_recorded_as_such(
    people, tmp_path
):
    """The age group is optional; a guardian without one may be told of a press and consents to nothing later."""
    head = "이름,생년월일,휴대폰번호,보호자1 관계,보호자1 전화번호,보호자1 연령,보호자2 관계,보호자2 전화번호,동의일\n"
    row = "김하늘,2015-03-02,010-1234-0001,어머니,010-9876-0001,성인,삼촌,010-9876-0002,2026-03-02\n"
    file = file_of(tmp_path, (head + row).encode())
    people("import", file, *CONSENT)

    registered = json.loads(people("own", "010-1234-0001", "--json", "--why", "letter").output)["registered"]

    assert [each["says of themselves"] for each in registered["guardians"]] == [
        "mother, adult, papers, 2026-03-02",
        "",
    ]
    assert "mother, adult, papers, 2026-03-02" in people("show", "010-1234-0001").output
    assert "unchanged 1" in people("import", file, *CONSENT).output
    people("export", tmp_path / "out.csv", "--why", "a test")
    assert "unchanged 1, bad rows 0" in people("import", tmp_path / "out.csv").output


@pytest.mark.parametrize(
    ("relation", "age", "words"),
    [("어머니", "예", "is not an age group"), ("삼촌", "성인", "may not consent for a minor")],
)
def test_a_row_whose_guardian_is_no_legal_one_by_its_own_words_is_bad(people, tmp_path, relation, age, words):
    head = "이름,생년월일,휴대폰번호,보호자 관계,보호자 전화번호,보호자 연령\n"
    row = f"김하늘,2015-03-02,010-1234-0001,{relation},010-9876-0001,{age}\n"

    result = people("import", file_of(tmp_path, (head + row).encode()), *CONSENT)

    assert result.exit_code == 3
    assert words in result.output


def test_the_registrar_lists_whom_a_guardian_has_refused(people, config, tmp_path, chain):
    people("import", file_of(tmp_path, TEXT.encode()), *CONSENT)
    settings = load(config)
    writing, reading = open_engines(settings.database_url, KeyFile(settings.key_file).ring)
    refusal = Refusal("0009", "SMS", datetime(2026, 11, 23, tzinfo=UTC))
    with writing.connect() as connection, one_transaction(connection):
        Registry(KeyFile(settings.key_file).ring).change(
            connection,
            Msisdn("821012340001"),
            lambda person: replace(person, refused=(refusal,)),
            refusal.at,
        )
    writing.dispose()
    reading.dispose()

    said = people("refused").output

    assert said.splitlines() == [
        "8210******01  2026-11-23 09:00:00 KST  SMS  1 of 1 guardians agreed, 0 may consent",
        "1 people",
    ]
    assert chain()[-1].why == "masked"
    assert "…0009" in people("own", "010-1234-0001", "--why", "letter").output


def test_a_person_is_deleted_with_a_reason(people, tmp_path, chain):
    people("import", file_of(tmp_path, TEXT.encode()), *CONSENT)

    assert people("delete", "010-1234-0001").exit_code == 2
    assert people("delete", "010-1234-0001", "--why", "enrolled twice").output == "deleted 8210******01\n"

    assert people("show", "010-1234-0001").exit_code == 1
    assert people("delete", "010-1234-0001", "--why", "enrolled twice").exit_code == 1
    assert people("count").output == "1\n"
    assert [each.why for each in chain() if each.what == DELETED_PERSON] == ["enrolled twice"]


def test_a_consent_that_is_withdrawn_takes_the_person_with_it(people, tmp_path, chain):
    people("import", file_of(tmp_path, TEXT.encode()), *CONSENT)

    told = people("withdraw", "010-1234-0001", "--by", "어머니", "--means", "letter of 3 May")

    assert told.output == "withdrawn: 8210******01 is deleted\n"
    assert people("count").output == "1\n"
    assert (chain()[-1].what, chain()[-1].subject, chain()[-1].why) == (
        CONSENT_WITHDRAWN,
        "+821012340001",
        "by 어머니, letter of 3 May",
    )
    assert people("withdraw", "010-1234-0001", "--by", "어머니", "--means", "letter").exit_code == 1


def test_a_number_and_a_carrier_are_changed_and_the_rest_stays(people, tmp_path, chain):
    people("import", file_of(tmp_path, TEXT.encode()), *CONSENT)

    assert people("change-number", "010-1234-0001", "010-5555-0001", "--why", "new SIM").exit_code == 0
    assert people("change-carrier", "010-5555-0001", "skt", "--why", "ported").exit_code == 0

    assert people("show", "010-1234-0001").exit_code == 1
    shown = people("show", "010-5555-0001", "--reveal", "--why", "a test").output
    assert "김하늘" in shown
    assert "+821098760001" in shown
    assert [each.subject for each in chain() if each.what == CHANGED_PERSON] == [
        "+821012340001",
        "+821055550001",
        "+821055550001",
    ]
    assert people("change-number", "010-5555-0001", "010-1234-0002", "--why", "wrong number").exit_code == 1
    assert people("change-number", "010-1234-0009", "010-1234-0008", "--why", "wrong number").exit_code == 1
    assert people("change-carrier", "010-5555-0001", "t-mobile", "--why", "wrong number").exit_code == 2


def test_a_person_is_given_their_own_data_with_every_look_at_them(people, tmp_path, chain):
    people("import", file_of(tmp_path, TEXT.encode()), *CONSENT)
    people("show", "010-1234-0001", "--reveal", "--why", "the unit asked")
    people("show", "010-1234-0002", "--why", "another")

    account = json.loads(people("own", "010-1234-0001", "--json", "--why", "letter").output)
    printed = people("own", "010-1234-0001", "--why", "letter").output

    assert account["registered"]["name"] == "김하늘"
    assert account["registered"]["guardians"][0]["number"] == "+821098760001"
    assert account["registered"]["consent"]["by"] == "한국초"
    assert [look["why"] for look in account["looks"]] == ["the unit asked", "letter"]
    assert account["kept for days"]["positions"] == 30.0
    assert "name: 김하늘" in printed
    assert "why the unit asked" in printed
    assert chain()[-1].what == OWN_DATA
    assert "registered: nothing" in people("own", "010-9999-0001", "--why", "letter").output


def test_a_lost_key_file_is_not_made_again_over_people(people, tmp_path):
    file = file_of(tmp_path, TEXT.encode())
    people("import", file, *CONSENT)
    (tmp_path / "data.keys").unlink()

    result = people("import", file, *CONSENT)

    assert result.exit_code == 1
    assert "bring it back from its backup" in result.output


def test_with_a_look_up_key_of_another_nobody_is_said_to_be_unknown(people, tmp_path, run, config):
    people("import", file_of(tmp_path, TEXT.encode()), *CONSENT)
    path = tmp_path / "data.keys"
    plain = json.loads(path.read_text())
    plain["keys"][0]["look_up"] = plain["audit"]
    path.write_text(json.dumps(plain))

    for shown in (
        people("show", "010-1234-0001"),
        people("count"),
        run("incidents", "list", "--config", config),
    ):
        assert shown.exit_code == 1
        assert "look-up key of key" in shown.output
        assert "is not this store's" in shown.output
    checked = run("db", "check", "--config", config)
    assert checked.exit_code == 1
    assert "look-up key of key" in checked.output


def test_a_key_is_kept_while_the_key_of_incidents_names_cannot_be_resealed(people, tmp_path, run, config):
    (tmp_path / "service.key").write_bytes(b"no key of any kind")
    (old,) = json.loads((tmp_path / "data.keys").read_text())["keys"]

    kept = run("keys", "rotate", "--forget-old", "--config", config)

    assert (
        f"kept key {old['id']}: {tmp_path}/service.key cannot be sealed under the current one" in kept.output
    )
    assert len(json.loads((tmp_path / "data.keys").read_text())["keys"]) == 2
    (tmp_path / "service.key").unlink()
    assert f"forgot key {old['id']}" in run("keys", "rotate", "--forget-old", "--config", config).output


def test_keys_are_made_shown_rotated_and_forgotten(people, tmp_path, run, config):
    assert run("keys", "init", "--config", config).exit_code == 1
    people("import", file_of(tmp_path, TEXT.encode()), *CONSENT)

    rotated = run("keys", "rotate", "--forget-old", "--config", config)

    assert "encrypted again: 2 people" in rotated.output
    assert "forgot key" in rotated.output
    shown = run("keys", "show", "--config", config)
    assert shown.exit_code == 0
    assert len(shown.output.splitlines()) == 1
    assert "2 people" in shown.output
    keys = json.loads((tmp_path / "data.keys").read_text())["keys"]
    assert not any(key["encryption"] in shown.output or key["look_up"] in shown.output for key in keys)
    assert people("show", "010-1234-0001").exit_code == 0
