"""An import is undone: whom it added goes, whom it changed comes back, and whoever was changed since stays."""

from __future__ import annotations

import re
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from telephony.cli import people_import
from telephony.settings import load
from telephony.store.crypto import KeyFile
from telephony.store.engines import open_engines
from telephony.store.import_undo import KEPT_FOR, undoable

HEAD = "이름,생년월일,전화번호,주소,보호자 관계,보호자 전화번호\n"
CONSENT = ("--by", "한국초", "--means", "서면", "--on", "2026-03-02")
WHY = ("--why", "the wrong class list")
FIRST, SECOND, NEW = "010-1234-0001", "010-1234-0002", "010-1234-0009"


def child(number: str, name: str, address: str = "") -> str:
    return f"{name},2015-03-02,{number},{address},어머니,010-9876-0001\n"


class Registrar:
    """Imports, and takes back."""

    def __init__(self, run, config: Path, folder: Path) -> None:
        self._run, self._config, self._folder = run, config, folder
        run("db", "upgrade", "--config", config)

    def __call__(self, command: str, *arguments: object):
        return self._run("people", command, "--config", self._config, *arguments)

    def imports(self, *rows: str) -> str:
        """Import these rows; give the import's name."""
        file = self._folder / "class.csv"
        file.write_text(HEAD + "".join(rows))
        said = self("import", file, *CONSENT)
        assert said.exit_code == 0, said.output
        return re.findall(r"people undo (\S+)", said.output)[0]

    def undoes(self, name: str, *options: object):
        return self("undo", name, *WHY, *options)

    def address_of(self, number: str) -> str:
        said = self("show", number, "--reveal", "--why", "to look at the address").output
        return next((line.split(maxsplit=1)[1] for line in said.splitlines() if line[:7] == "address"), "")

    @property
    def count(self) -> int:
        return int(self("count").output)

    def kept_rows(self) -> int:
        with sqlite3.connect(load(self._config).database_url.removeprefix("sqlite:///")) as store:
            return int(store.execute("SELECT count(*) FROM awaited_reply").fetchone()[0])


@pytest.fixture
def registrar(run, config: Path, tmp_path: Path) -> Registrar:
    return Registrar(run, config, tmp_path)


def test_whom_an_import_added_goes_and_whom_it_changed_comes_back(registrar, run, config):
    registrar.imports(child(FIRST, "김하늘", "서울"), child(SECOND, "이바다", "서울"))
    name = registrar.imports(child(FIRST, "김하늘", "부산"), child(NEW, "박가람"))
    assert (registrar.count, registrar.address_of(FIRST)) == (3, "부산")

    undone = registrar.undoes(name)

    assert undone.exit_code == 0
    assert undone.output == "삭제 1, 되돌림 1, 이미 없음 0, 그 뒤에 바뀌어 그대로 둠 0\n"
    assert (registrar.count, registrar.address_of(FIRST)) == (2, "서울")
    chain = run("audit", "list", "--config", config, "--why", "to look at the chain").output
    assert f"undid an import of people {name}: the wrong class list" in chain


def test_an_import_is_undone_once(registrar):
    name = registrar.imports(child(FIRST, "김하늘"))
    registrar.undoes(name)

    again = registrar.undoes(name, "--language", "en")

    assert again.exit_code == 1
    assert "is no import that can be undone" in again.output
    assert registrar.kept_rows() == 0


def test_whoever_was_changed_since_stays_and_is_named_by_line(registrar):
    name = registrar.imports(child(FIRST, "김하늘", "서울"), child(SECOND, "이바다", "서울"))
    later = registrar.imports(child(SECOND, "이바다", "부산"))

    undone = registrar.undoes(name)

    assert undone.exit_code == 3
    assert "그 뒤에 바뀌어 그대로 둠: 3행" in undone.output
    assert (registrar.count, registrar.address_of(SECOND)) == (1, "부산")

    registrar.undoes(later)
    assert registrar.undoes(name).exit_code == 0
    assert registrar.count == 0


def test_who_has_another_number_since_stays(registrar):
    name = registrar.imports(child(FIRST, "김하늘"))
    registrar("change-number", FIRST, NEW, "--why", "a new SIM card")

    assert registrar.undoes(name).exit_code == 3
    assert registrar.count == 1


def test_a_second_number_that_an_import_added_goes_again(registrar):
    both = HEAD.replace("\n", ",전화번호2\n")
    registrar.imports(child(FIRST, "김하늘"))
    file = registrar._folder / "two.csv"
    file.write_text(both + child(FIRST, "김하늘").replace("\n", f",{NEW}\n"))
    registrar("import", file, *CONSENT)
    assert registrar.count == 1

    names = [line.split()[0] for line in registrar("undo").output.splitlines()]

    assert registrar.undoes(names[-1]).exit_code == 0
    assert registrar("show", NEW).exit_code == 1
    assert registrar("show", FIRST).exit_code == 0


def test_of_who_is_deleted_since_nothing_is_kept_and_nothing_is_undone(registrar):
    registrar.imports(child(FIRST, "김하늘", "서울"))
    name = registrar.imports(child(FIRST, "김하늘", "부산"), child(NEW, "박가람"))
    assert registrar.kept_rows() == 3

    registrar("delete", FIRST, "--why", "enrolled twice by mistake")

    assert registrar.kept_rows() == 1
    assert registrar.undoes(name).output.startswith("삭제 1, 되돌림 0")


def test_a_dry_run_tells_the_same_and_undoes_nothing(registrar):
    registrar.imports(child(FIRST, "김하늘", "서울"))
    name = registrar.imports(child(FIRST, "김하늘", "부산"), child(NEW, "박가람"))
    rows = registrar.kept_rows()

    tried = registrar.undoes(name, "--dry-run", "--language", "en")

    assert tried.output == (
        "dry run, nothing written: deleted 1, brought back 1, gone already 0, kept, changed since 0\n"
    )
    assert (registrar.count, registrar.address_of(FIRST), registrar.kept_rows()) == (2, "부산", rows)


def test_those_that_can_be_undone_are_listed(registrar):
    assert registrar("undo").output == "되돌릴 수 있는 가져오기가 없습니다\n"

    name = registrar.imports(child(FIRST, "김하늘"), child(SECOND, "이바다"))

    (line,) = registrar("undo").output.splitlines()
    assert re.fullmatch(rf"{name}  \d{{4}}-\d\d-\d\d \d\d:\d\d KST  2행", line)


def test_it_takes_a_reason(registrar):
    name = registrar.imports(child(FIRST, "김하늘"))

    assert registrar("undo", name).exit_code == 2
    assert registrar.count == 1


def test_an_import_that_changed_too_many_cannot_be_undone_and_says_so(registrar, monkeypatch, tmp_path):
    monkeypatch.setattr(people_import, "MOST_ROWS", 2)
    monkeypatch.setattr(people_import, "BATCH", 2)
    file = tmp_path / "town.csv"
    file.write_text(HEAD + "".join(child(f"010-1234-000{n}", f"김{n}") for n in range(7)))

    said = registrar("import", file, *CONSENT)

    assert "추가 7" in said.output
    assert "바뀐 행이 너무 많아 되돌릴 수 없습니다" in said.output
    assert registrar.kept_rows() == 0
    assert "없습니다" in registrar("undo").output


def test_an_import_is_undone_after_a_rotation_of_keys(registrar, run, config):
    registrar.imports(child(FIRST, "김하늘", "서울"))
    name = registrar.imports(child(FIRST, "김하늘", "부산"))
    assert run("keys", "rotate", "--config", config).exit_code == 0

    assert registrar.undoes(name).exit_code == 0
    assert registrar.address_of(FIRST) == "서울"


def test_after_a_week_it_is_over(registrar, config):
    registrar.imports(child(FIRST, "김하늘"))
    settings = load(config)
    writing, reading = open_engines(settings.database_url, KeyFile(settings.key_file).ring)
    now = datetime.now(UTC)

    with reading.connect() as connection:
        assert len(undoable(connection, now + KEPT_FOR - timedelta(minutes=5))) == 1
        assert undoable(connection, now + KEPT_FOR) == []

    writing.dispose()
    reading.dispose()


def test_a_dry_run_of_an_import_keeps_nothing_to_undo(registrar, tmp_path):
    file = tmp_path / "class.csv"
    file.write_text(HEAD + child(FIRST, "김하늘"))

    registrar("import", file, *CONSENT, "--dry-run")

    assert registrar.kept_rows() == 0
    assert registrar.count == 0
