"""Records and headers of the journal: what a cut, a changed octet or rubbish leaves of a segment."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.journal.records import (
    HEADER_OCTETS,
    JOURNAL_ID_OCTETS,
    LARGEST_SEALED,
    RECORD_OVERHEAD,
    SLOT_AT,
    Found,
    Record,
    header_in,
    header_octets,
    record_octets,
    records_in,
    slot_octets,
)

JOURNAL = bytes(range(JOURNAL_ID_OCTETS))
HEADER = header_octets(JOURNAL, 7)
MARK = record_octets(1, b"")[:4]
NUMBERS = st.integers(0, 2**64 - 1)
SEALED = st.binary(max_size=40) | st.binary(max_size=8).map(lambda octets: octets + MARK + octets)
"""Now and then with what looks like the beginning of a record."""
RECORDS = st.lists(st.builds(Record, NUMBERS, SEALED), max_size=5)


def segment(records: list[Record], zeros: int = 64) -> bytes:
    return HEADER + b"".join(record_octets(*record) for record in records) + bytes(zeros)


THREE = [Record(5, b"first" + MARK), Record(6, b"\0\0second\0\0"), Record(2**40 + 7, b"third")]


@given(RECORDS, st.integers(0, 200))
def test_what_was_written_is_read(records: list[Record], zeros: int):
    assert records_in(segment(records, zeros)) == Found(records, 0, is_torn=False)


def test_an_empty_record_and_the_largest_are_read():
    records = [Record(1, b""), Record(2, bytes(LARGEST_SEALED)), Record(3, b"\xff" * LARGEST_SEALED)]

    assert records_in(segment(records)) == Found(records, 0, is_torn=False)


def test_a_press_larger_than_a_record_may_be_is_not_written():
    with pytest.raises(ValueError, match="larger"):
        record_octets(1, bytes(LARGEST_SEALED + 1))


def test_a_segment_cut_at_any_octet_gives_the_records_that_lie_whole_before_the_cut():
    whole = segment(THREE, zeros=0)
    ends = [HEADER_OCTETS]
    for record in THREE:
        ends.append(ends[-1] + RECORD_OVERHEAD + len(record.sealed))

    for cut in range(len(whole) + 1):
        found = records_in(whole[:cut])

        left = sum(end <= cut for end in ends[1:])
        assert found.records == THREE[:left], cut
        assert found.damaged == 0, cut
        assert found.is_torn == bool(whole[ends[left] : cut].strip(b"\0")), cut


def test_a_write_that_came_to_an_end_anywhere_leaves_a_torn_record_before_zeros():
    whole = segment(THREE, zeros=0)
    begins = len(whole) - RECORD_OVERHEAD - len(THREE[-1].sealed)

    for cut in range(begins + 1, len(whole)):
        assert records_in(whole[:cut] + bytes(len(whole) - cut + 64)) == Found(THREE[:-1], 0, is_torn=True), (
            cut
        )


@pytest.mark.parametrize("change", [0x01, 0x80, 0xFF])
def test_one_changed_octet_costs_the_record_that_it_is_in_and_no_other(change: int):
    whole = segment(THREE)
    owners = [
        number
        for number, record in enumerate(THREE)
        for _ in range(RECORD_OVERHEAD + len(record.sealed))
    ]  # fmt: skip

    for at, owner in enumerate(owners, HEADER_OCTETS):
        octets = bytearray(whole)
        octets[at] ^= change

        found = records_in(bytes(octets))

        is_last = owner == len(THREE) - 1
        assert found.records == [each for number, each in enumerate(THREE) if number != owner], at
        assert found.damaged == (0 if is_last else 1), at
        assert found.is_torn == is_last, at


def test_a_bad_block_costs_the_records_in_it():
    records = [Record(number, bytes([number]) * 300) for number in range(1, 20)]
    whole = bytearray(segment(records))
    begins = (len(whole) // 2) & ~511
    whole[begins : begins + 512] = bytes(512)

    found = records_in(bytes(whole))

    size = RECORD_OVERHEAD + 300
    hit = range((begins - HEADER_OCTETS) // size, (begins + 511 - HEADER_OCTETS) // size + 1)
    assert found.records == [record for index, record in enumerate(records) if index not in hit]
    assert (found.damaged, found.is_torn) == (1, False)


@given(
    st.binary(max_size=2000)
    | st.lists(st.sampled_from([MARK, b"\0", b"\xff", HEADER]), max_size=400).map(b"".join)
)
def test_rubbish_is_read_without_an_error(octets: bytes):
    header_in(octets)

    assert records_in(octets).records == []
    assert records_in(HEADER + octets).records == []


@given(RECORDS, st.binary(max_size=64).filter(lambda octets: MARK not in octets), RECORDS)
def test_rubbish_between_records_is_counted_once_and_passed_over(
    before: list[Record], rubbish: bytes, after: list[Record]
):
    octets = segment(before, 0) + rubbish + b"".join(record_octets(*record) for record in after)

    found = records_in(octets)

    assert found.records == before + after
    assert found.damaged == (1 if rubbish and after else 0)
    assert found.is_torn == (not after and bool(rubbish.strip(b"\0")))


def test_a_record_within_the_sealed_octets_of_another_is_none():
    inner = record_octets(99, b"forged")
    octets = segment([Record(1, inner + b"end"), Record(2, b"second")])

    assert [record.number for record in records_in(octets).records] == [1, 2]


def test_a_record_within_the_sealed_octets_of_a_damaged_one_is_none_either():
    octets = bytearray(
        segment([Record(1, b"x" + record_octets(99, b"forged") + b"end"), Record(2, b"second")])
    )
    octets[HEADER_OCTETS + RECORD_OVERHEAD] ^= 1

    assert records_in(bytes(octets)) == Found([Record(2, b"second")], 1, is_torn=False)


@pytest.mark.parametrize("length", [LARGEST_SEALED + 1, 2**31, 2**32 - 1])
def test_a_length_that_was_never_written_is_not_believed(length: int):
    head = bytearray(record_octets(1, b"abc"))
    head[4:8] = length.to_bytes(4, "big")

    assert records_in(HEADER + bytes(head) + record_octets(2, b"two")).records == [Record(2, b"two")]


@pytest.mark.parametrize(
    "filling",
    [
        MARK,
        MARK + (200_000).to_bytes(4, "big"),
        record_octets(1, b"\1" * 200_000)[:RECORD_OVERHEAD],
        record_octets(1, b""),
        b"\xf0",
    ],
    ids=["marks", "marks-with-lengths", "heads", "records", "half-marks"],
)
def test_the_time_to_read_a_hostile_segment_grows_with_its_length_alone(filling: bytes):
    small, large = (HEADER + filling * (octets // len(filling)) for octets in (1 << 20, 4 << 20))

    def seconds(octets: bytes) -> float:
        begun = time.thread_time()
        records_in(octets)
        return time.thread_time() - begun

    seconds(small)
    # The least of three: what else this process collects or pages in is no matter of the segment.
    taken = min(seconds(large) for _ in range(3))
    assert taken < 3.0
    assert taken < 16 * max(seconds(small), 0.001)


@given(st.binary(min_size=JOURNAL_ID_OCTETS, max_size=JOURNAL_ID_OCTETS), NUMBERS)
def test_a_header_is_read_as_it_was_written(journal: bytes, taken_up: int):
    octets = header_octets(journal, taken_up)

    header = header_in(octets + b"rest")

    assert len(octets) == HEADER_OCTETS
    assert header is not None
    assert (header.journal, header.taken_up, header.is_slot_sound) == (journal, taken_up, True)


def test_the_slot_is_overwritten_where_it_stands():
    octets = bytearray(HEADER)
    octets[SLOT_AT : SLOT_AT + len(slot_octets(0))] = slot_octets(2**50)

    header = header_in(bytes(octets))

    assert header is not None
    assert (header.journal, header.taken_up) == (JOURNAL, 2**50)


def test_a_changed_octet_of_the_slot_costs_the_number_and_one_before_it_the_header():
    for at in range(SLOT_AT + len(slot_octets(0))):
        octets = bytearray(HEADER)
        octets[at] ^= 0x10

        header = header_in(bytes(octets))

        if at < SLOT_AT:
            assert header is None, at
        else:
            assert header is not None, at
            assert (header.journal, header.taken_up, header.is_slot_sound) == (JOURNAL, 0, False), at


@pytest.mark.parametrize("octets", [b"", HEADER[:-1], bytes(HEADER_OCTETS), bytes(4096)], ids=len)
def test_what_does_not_begin_with_a_header_has_none(octets: bytes):
    assert header_in(octets) is None
