"""The lines of the control socket: read as they were written, and anything else is `Malformed`."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.control.messages import (
    LONGEST_ANSWER,
    LONGEST_REQUEST,
    AskRetry,
    AskStatus,
    CertificateTerm,
    FarEnd,
    FarEndKind,
    InJournal,
    Refusal,
    RetryAnswer,
    SecretReading,
    StandingAlarm,
    Status,
    StoreLook,
    Volume,
    decode_answer,
    decode_request,
    encode,
)
from telephony.domain.errors import Malformed
from telephony.net.standing import FarEndState, Retried
from tests.control.statuses import status

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
MAYBE = st.none() | MOMENTS
COUNTS = st.integers(0, 2**53)
FAR_ENDS = st.builds(
    FarEnd, kind=st.sampled_from(FarEndKind), name=TEXTS, of=TEXTS, state=st.sampled_from(FarEndState),
    since=MOMENTS, heard_at=MAYBE, retry_at=MAYBE, reason=TEXTS, binds=st.none() | COUNTS,
    is_caught_up=st.none() | st.booleans(),
)  # fmt: skip
FACTS = (
    TEXTS
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.none()
)
ALARMS = st.builds(
    StandingAlarm, alarm=TEXTS, about=TEXTS, since=MOMENTS, last_at=MOMENTS, count=COUNTS,
    facts=st.dictionaries(TEXTS, FACTS, max_size=4),
)  # fmt: skip
STORES = st.builds(
    StoreLook, is_answering=st.booleans(), reason=TEXTS, owed=COUNTS, oldest_owed_at=MAYBE, open_incidents=COUNTS,
    is_more=st.booleans(), schema_version=st.none() | TEXTS,
)  # fmt: skip
VOLUMES = st.builds(
    Volume, directory=TEXTS, size_bytes=COUNTS, free_bytes=COUNTS, is_low=st.booleans(), is_full=st.booleans()
)
CERTIFICATES = st.builds(CertificateTerm, setting=TEXTS, file=TEXTS, expires_at=MAYBE, problem=TEXTS)
STATUSES = st.builds(
    Status, at=MOMENTS, service=TEXTS, release=st.just(status().release),
    far_ends=st.lists(FAR_ENDS, max_size=3).map(tuple), alarms=st.lists(ALARMS, max_size=3).map(tuple),
    more_alarms=COUNTS, store=STORES, journal=st.none() | st.builds(InJournal, presses=COUNTS, oldest_at=MAYBE), volumes=st.lists(VOLUMES, max_size=2).map(tuple),
    certificates=st.lists(CERTIFICATES, max_size=2).map(tuple),
)  # fmt: skip
ANSWERS = (
    STATUSES
    | st.builds(
        RetryAnswer, name=TEXTS, retried=st.sampled_from(Retried), secret=st.sampled_from(SecretReading)
    )
    | st.builds(Refusal, refused=TEXTS)
)
REQUESTS = st.builds(AskStatus) | st.builds(AskRetry, name=TEXTS)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
)


@given(REQUESTS)
def test_a_request_is_read_as_it_was_written(request_):
    line = encode(request_)

    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode_request(line) == decode_request(line[:-1]) == request_


@given(ANSWERS)
def test_an_answer_is_read_as_it_was_written(answer):
    line = encode(answer)

    assert line.count(b"\n") == 1
    assert decode_answer(line) == answer


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")))
def test_whatever_comes_is_a_message_or_malformed(octets):
    for decode in (decode_request, decode_answer):
        try:
            decode(octets)
        except Malformed as error:
            assert str(error)  # noqa: PT017 - that it is raised at all is not the claim


@given(STATUSES, st.data())
def test_an_answer_that_was_cut_off_is_malformed(answer, data):
    line = encode(answer)
    whole = len(line) - 1

    with pytest.raises(Malformed):
        decode_answer(line[: data.draw(st.integers(0, whole - 1))])


@pytest.mark.parametrize(
    "octets",
    [
        b"[" * 100_000,
        b'{"want": "retry", "name": "' + b"a" * 65 + b'"}',
        b'{"want": "retry"}',
        b'{"want": "reboot"}',
        b'{"want": "status"' + b" " * LONGEST_REQUEST + b"}",
    ],
)
def test_what_is_no_request_is_refused(octets):
    with pytest.raises(Malformed):
        decode_request(octets)


def test_numbers_that_no_program_reads_are_refused():
    nan = encode(status()).replace(b'"size_bytes":42949672960', b'"size_bytes":NaN')

    with pytest.raises(Malformed):
        decode_answer(nan)
    with pytest.raises(Malformed):
        decode_answer(b" " * (LONGEST_ANSWER + 1))


def test_a_reader_passes_over_the_keys_of_a_newer_release():
    known = status()
    newer = json.loads(encode(known)) | {"moon": "full"}

    assert decode_answer(json.dumps(newer).encode()) == known
