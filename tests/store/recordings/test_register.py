"""The register of recordings: whose they are, how long they are kept, and that nothing of one is left. Both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from telephony.domain.people.person import Device
from telephony.domain.recording import Record, RecordingState, call_of, is_call_back, is_recording
from telephony.domain.values import Msisdn
from telephony.store.audit import entries
from telephony.store.own_data import own_data
from telephony.store.people import Registry
from telephony.store.recordings.register import (
    forget_rows,
    known_paths,
    listed,
    named,
    over,
    recordings_of_numbers,
    register,
    resealed,
    under_another_key,
)
from telephony.store.retention.recordings import Recordings
from telephony.store.retention.runs import Read, Write, forget
from telephony.store.withdrawn import withdraw_from_incidents
from tests.doubles import NOON, keys, press
from tests.store.ledger import Ledger, call_record
from tests.store.people_drafts import pupil
from tests.store.recording_drafts import HOST, name_of, recording, reference_of

KIM, LEE = "821012345678", "821022222222"
DAY = timedelta(days=1)
PERIOD = 92 * DAY


@pytest.fixture
def ledger(engines):
    """Two callers, each with a call; the second's came into an incident that an SMS had opened."""
    ledger = Ledger(engines[0])
    for n, caller in enumerate((KIM, LEE), 1):
        ledger.record(press(caller))
        ledger.call(call_record(n, reference=reference_of(n)), incident_id=f"sos-{caller}")
    return ledger


def told(ledger, *items):
    assert ledger.transact(register, items) == [None] * len(items)


def run(ledger, kind, now):
    """One run of the retention over a kind."""
    steps, result = forget(kind, now), None
    try:
        while True:
            step = steps.send(result)
            result = ledger.transact(step.work) if isinstance(step, Read | Write) else None
    except StopIteration as end:
        return end.value.deleted


def test_a_recording_belongs_to_the_incident_that_its_call_has_joined_and_to_her_number(ledger):
    told(ledger, recording(1), recording(2))

    first, second = sorted(ledger.transact(listed), key=lambda each: each.name)

    assert (first.incident_id, first.msisdn.number, first.call) == (f"sos-{KIM}", KIM, reference_of(1))
    assert ledger.transact(listed, f"sos-{LEE}") == [second]
    assert ledger.transact(listed, call_of(name_of(2))) == [second], "by the call's own name too"
    assert ledger.transact(named, name_of(1)) == ledger.transact(named, call_of(name_of(1))) == first
    assert ledger.transact(named, "sos-unknown") is None
    assert ledger.transact(recordings_of_numbers, [Msisdn(LEE)]) == [second]
    assert first.length_s == 60


def test_one_whose_call_the_store_does_not_know_is_kept_under_its_name_alone(ledger):
    told(ledger, recording(77))

    (found,) = ledger.transact(listed)

    assert (found.incident_id, found.msisdn.number) == (call_of(name_of(77)), "")


def test_once_more_changes_where_it_is_and_nothing_else(ledger):
    told(ledger, recording(1))
    told(ledger, recording(1, path="/srv/y", key_id=2))

    (found,) = ledger.transact(listed)

    assert (found.path, found.key_id) == ("/srv/y", 2)
    assert ledger.transact(known_paths, "voice-1", HOST) == {"/srv/y"}
    assert ledger.transact(known_paths, "voice-1", "elsewhere") == set()


def test_nothing_of_her_stands_plain_in_the_row(ledger):
    told(ledger, recording(1))

    (row,) = ledger.bare_rows("recording")

    assert KIM.encode() not in b"".join(each for each in row.values() if isinstance(each, bytes))
    assert KIM not in "".join(str(each) for key, each in row.items() if key != "incident_id")


def test_what_is_over_its_time_is_marked_announced_and_counted_until_its_file_is_gone(ledger):
    for incident in (KIM, LEE):
        ledger.close(f"sos-{incident}")
    told(ledger, recording(1), recording(2, ended_at=NOON + 10 * DAY))
    kind, now = Recordings(PERIOD), NOON + PERIOD + DAY

    assert run(ledger, kind, now) == 1

    assert [each.state for each in ledger.transact(listed)] == [RecordingState.OVER, RecordingState.SEALED]
    assert [each.looked.why for each in ledger.transact(lambda c: list(entries(c)))] == [
        f"deleted 1, up to {(NOON + DAY).isoformat()}"
    ]
    survey = ledger.transact(kind.survey, now, timedelta(hours=1))
    assert (survey.kept, survey.overdue, survey.late, survey.since) == (2, 1, 1, NOON)
    ((key, path),) = ledger.transact(lambda c: over(c, "voice-1", HOST, most=9))
    assert path == "/srv/x"
    ledger.transact(forget_rows, [key])
    survey = ledger.transact(kind.survey, now, timedelta(hours=1))
    assert (survey.kept, survey.overdue, survey.late) == (1, 0, 0)
    assert run(ledger, kind, now) == 0


def test_the_recording_of_an_open_incident_is_held_however_old(ledger):
    told(ledger, recording(1))
    kind, now = Recordings(PERIOD), NOON + 10_000 * DAY

    assert run(ledger, kind, now) == 0
    survey = ledger.transact(kind.survey, now, DAY)
    assert (survey.overdue, survey.held) == (0, 1)

    ledger.close(f"sos-{KIM}")
    assert run(ledger, kind, now) == 1


def test_a_row_whose_time_is_not_over_is_never_forgotten(ledger):
    told(ledger, recording(1))
    (row,) = ledger.bare_rows("recording")

    ledger.transact(forget_rows, [row["key"]])

    assert ledger.bare_rows("recording") == [row]


def test_who_withdraws_takes_the_registry_out_of_the_incident_and_the_recording_stays_until_its_time(ledger):
    registry = Registry(keys)
    ledger.transact(registry.enrol, [pupil(devices=(Device(Msisdn(KIM), "skt"),))], NOON)
    told(ledger, recording(1))
    ledger.close(f"sos-{KIM}")

    ledger.transact(withdraw_from_incidents, [Msisdn(KIM)])
    ledger.transact(registry.delete, Msisdn(KIM))

    account = ledger.transact(own_data, registry, Msisdn(KIM))
    assert account.person is None
    assert [each.name for each in account.recordings] == [name_of(1)]


def test_headers_under_another_key_are_found_until_they_are_told_of(ledger):
    current = keys().current.id
    told(ledger, recording(1), recording(2, key_id=current))

    ((key, _),) = ledger.transact(lambda c: under_another_key(c, "voice-1", HOST, most=9))
    ledger.transact(resealed, [(key, current)])

    assert ledger.transact(lambda c: under_another_key(c, "voice-1", HOST, most=9)) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sos-20261123-voice-1-104503-12.wav", True),
        ("sos-20261123-voice-1-104503-12-back-1796021258.wav", True),
        ("sos-20261123--104503-12.wav", True),
        ("sos-20261123-voice-1-104503-12.wav.part", False),
        (".sos-20261123-voice-1-104503-12.wav", False),
        ("sos-20261123-../../etc/passwd.wav", False),
        ("meeting.wav", False),
    ],
)
def test_our_recordings_are_known_by_their_names(name, expected):
    assert is_recording(name) == expected


def test_a_call_back_is_of_the_call_before_it():
    back = "sos-20261123-voice-1-104503-12-back-1796021258.wav"

    assert call_of(back) == call_of(back.replace(".wav", "~2.wav")) == "sos-20261123-voice-1-104503-12"
    assert is_call_back(back)
    assert not is_call_back("sos-20261123-voice-1-104503-12.wav")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("on", Record.ON),
        (" off ", Record.OFF),
        ("from-answer", Record.FROM_ANSWER),
        ("", Record.ON),
        ("Off", Record.ON),
    ],
)
def test_what_is_no_word_of_ours_records_everything_as_the_dialplan_does(value, expected):
    assert Record.of(value) is expected
