"""What the lab's screen tells of the daemon's log."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.lab.stage.daemon_log import DaemonLog, at, entry_of
from telephony.lab.stage.daemon_words import WORDS, entry_in_words
from telephony.lab.stage.lines import Who

RETRY = {
    "event": "will retry",
    "level": "warning",
    "channel": "seoul-a",
    "kind": "alert",
    "attempt": 2,
    "reason": "503",
}
VALUES = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text())


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (RETRY, (Who.ONETOUCH, "112 lacks the alert (attempt 2): 503")),
        ({**RETRY, "channel": "locate:skt"}, None),
        ({**RETRY, "event": "delivered", "level": "info", "attempt": 1}, None),
        (
            {**RETRY, "event": "delivered", "level": "info", "attempt": 5},
            (Who.ONETOUCH, "112 has the alert, by seoul-a, at attempt 5"),
        ),
        (
            {**RETRY, "event": "delivered", "level": "info", "attempt": 1, "channel": "seoul-b"},
            (Who.ONETOUCH, "112 has the alert, by seoul-b, at attempt 1"),
        ),
        (
            {"event": "alarm", "level": "error", "alarm": "link-down", "about": "skt-1", "reason": "refused"},
            (Who.ALARM, "link-down (skt-1): refused"),
        ),
        (
            {"event": "alarm over", "level": "warning", "alarm": "disk-low", "about": "/tmp/lab/state"},
            (Who.ALARM, "over: disk-low (state)"),
        ),
        ({"event": "drill over", "level": "info", "is_passed": False}, (Who.ONETOUCH, "the drill FAILED")),
        ({"event": "caller looked up", "level": "info"}, None),
        (
            {"event": "never heard of", "level": "error", "error": "why"},
            (Who.ONETOUCH, "never heard of: why"),
        ),
    ],
)
def test_the_screen_tells_what_a_person_at_it_wants_to_know(entry, told):
    assert entry_in_words(entry, "en") == told


@given(
    language=st.sampled_from(["ko", "en"]),
    event=st.sampled_from(
        [*WORDS["en"].events, "alarm", "alarm over", "drill over", "will retry", "delivered", "x"]
    ),
    facts=st.dictionaries(
        st.sampled_from(["level", "channel", "kind", "attempt", "reason", "about", "is_passed"]), VALUES
    ),
)
def test_any_line_is_told_or_passed_over(language, event, facts):
    told = entry_in_words({**facts, "event": event}, language)

    assert told is None or told[1]


def test_both_languages_tell_the_same_events():
    assert WORDS["en"].events.keys() == WORDS["ko"].events.keys()


def test_a_log_is_read_line_by_line_however_it_is_cut_and_is_kept_as_it_came(tmp_path):
    lines = [json.dumps({"event": event, "가": "나"}, ensure_ascii=False) for event in ("one", "two")]
    octets = "\n".join([lines[0], "Traceback (most recent call last):", lines[1], ""]).encode()
    for cut in range(len(octets)):
        file = tmp_path / str(cut)
        log, heard = DaemonLog(file), []
        log.on_entry(lambda entry: heard.append(entry["event"]))  # noqa: B023 - called within the loop

        log.take(octets[:cut])
        log.take(octets[cut:])

        assert heard == ["one", "two"]
        assert file.read_bytes() == octets


def test_the_line_of_a_process_that_was_killed_in_it_does_not_spoil_the_next(tmp_path):
    log, heard = DaemonLog(tmp_path / "log"), []
    log.on_entry(heard.append)

    log.take(b'{"event": "cut o')
    log.break_off()
    log.take(b'{"event": "started"}\n')

    assert heard == [{"event": "started"}]


@given(st.binary())
def test_any_line_is_read_or_is_none(line):
    entry = entry_of(line)

    assert entry is None or isinstance(at(entry), float | None)
