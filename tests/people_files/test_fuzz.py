"""Files of people, mutated and random: rows, faults of rows, or one clear sentence; in little time and memory."""

from __future__ import annotations

import io
import os
import random
import re
import tracemalloc
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from telephony.domain.errors import Malformed
from telephony.domain.people.draft import FIELDS, EnrolmentRules, draft_of
from telephony.domain.people.faults import reason, remedy
from telephony.domain.people.person import Draft
from telephony.people_files.reading import EnrolmentFile, Entry

SEED = int(os.environ.get("ONETOUCH_FUZZ_SEED", "20110419"))
"""Fixed, so that a run can be repeated; set the variable to look elsewhere."""
RULES = EnrolmentRules(carriers=frozenset({"skt", "kt"}), today=date(2026, 11, 23))
HEAD = "이름,생년월일,전화번호,통신사,주소,보호자 관계,보호자 전화번호,동의자,동의방법\n"
TABLE = HEAD + "".join(
    f'"김하늘{n}",2015-03-0{n % 9 + 1},010-1234-{n:04},SKT,"서울, 종로구",어머니,010-9876-{n:04},박보호,서면\n'
    for n in range(12)
)
TEMPTING = (
    b"\x00",
    b'"',
    b"\n",
    b"\r",
    b",",
    b";",
    b"\t",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"=",
    b"PK\x03\x04",
)
"""Octets on which readers of tables turn: quotation marks, ends of lines, delimiters, byte-order marks, a surrogate."""
PRIVATE = ("김하늘", "1234", "9876", "종로", "박보호")


def workbook() -> bytes:
    book = Workbook()
    sheet = book.active
    for line in TABLE.splitlines():
        sheet.append(line.replace('"', "").replace("서울, ", "서울 ").split(","))
    octets = io.BytesIO()
    book.save(octets)
    return octets.getvalue()


def mutated(octets: bytes, rng: random.Random) -> bytes:
    """Cut, repeat, overwrite or insert somewhere, up to four times."""
    changed = bytearray(octets)
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(changed) + 1)
        how = rng.randrange(5)
        if how == 0:
            del changed[place : place + rng.randint(1, 30)]
        elif how == 1:
            changed[place:place] = changed[place : place + rng.randint(1, 200)]
        elif how == 2:
            changed[place : place + 1] = bytes([rng.randrange(256)])
        elif how == 3:
            changed[place:place] = rng.choice(TEMPTING)
        else:
            del changed[place:]
    return bytes(changed)


def read(path: Path) -> list[Entry] | str:
    """Read a file whole; gives its entries, or the one sentence that was said."""
    try:
        return list(EnrolmentFile(path, RULES).entries())
    except Malformed as error:
        return str(error)


def is_sound(found: list[Entry] | str) -> bool:
    """Whether whatever came is a draft or faults that repeat nothing of what was written."""
    if isinstance(found, str):
        return bool(found) and not any(word in found for word in PRIVATE)
    return all(
        (entry.draft is None) == bool(entry.faults)
        and not any(
            word in said
            for each in entry.faults
            for said in (reason(each), remedy(each))
            for word in PRIVATE[:1]
        )
        for entry in found
    )


def mutations(octets: bytes, cases: int) -> Iterator[bytes]:
    rng = random.Random(SEED)
    for _ in range(cases):
        yield mutated(octets, rng)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16"])
def test_a_mutated_csv_gives_rows_or_a_sentence(tmp_path, encoding):
    path = tmp_path / "people.csv"
    whole = TABLE.encode(encoding)
    path.write_bytes(whole)
    assert len([entry for entry in read(path) if entry.draft]) == 12
    for octets in mutations(whole, 600):
        path.write_bytes(octets)
        assert is_sound(read(path)), octets


def test_a_mutated_workbook_gives_rows_or_a_sentence(tmp_path):
    path = tmp_path / "people.xlsx"
    whole = workbook()
    path.write_bytes(whole)
    assert len([entry for entry in read(path) if entry.draft]) == 12
    for octets in mutations(whole, 150):
        path.write_bytes(octets)
        assert is_sound(read(path)), octets[:100]


def test_a_workbook_with_mutated_parts_gives_rows_or_a_sentence(tmp_path):
    path, rng = tmp_path / "people.xlsx", random.Random(SEED)
    with zipfile.ZipFile(io.BytesIO(workbook())) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for _ in range(150):
        spoilt = rng.choice(sorted(parts))
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, octets in parts.items():
                archive.writestr(name, mutated(octets, rng) if name == spoilt else octets)
        assert is_sound(read(path)), spoilt


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=2_000))
def test_any_octets_give_rows_or_a_sentence(tmp_path, octets):
    path = tmp_path / "anything"
    path.write_bytes(octets)

    assert is_sound(read(path))


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), st.text(max_size=60)))
def test_any_texts_in_the_fields_are_a_person_or_faults_of_those_fields(texts):
    found = draft_of(texts, RULES)

    if not isinstance(found, Draft):
        assert found
        assert {fault.field for fault in found} <= set(FIELDS)


def test_a_line_without_end_is_refused_in_little_memory(tmp_path):
    path = tmp_path / "people.csv"
    path.write_bytes(HEAD.encode() + b"x" * (32 << 20))

    tracemalloc.start()
    try:
        said = read(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert isinstance(said, str)
    assert re.search("line 2 has more than", said)
    assert peak < 8 << 20


def test_a_workbook_that_unpacks_to_more_than_memory_holds_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "people.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", b"<Types/>")
        with archive.open("xl/sharedStrings.xml", "w") as part:
            part.write(b"<sst>")
            for _ in range(65):
                part.write(b" " * (1 << 20))

    assert read(path) == "the workbook is too large to be read; save the sheet as CSV UTF-8 and import that"


def test_entities_are_refused_before_anything_is_read(tmp_path):
    path = tmp_path / "people.xlsx"
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><Types>&b;</Types>'
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", bomb)

    assert (
        read(path)
        == "the workbook was not written by a spreadsheet; save the sheet as CSV UTF-8 and import that"
    )
