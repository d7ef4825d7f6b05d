"""Logs: one JSON object a line, nothing personal in it, and never in the way of a press."""

from __future__ import annotations

import datetime as dt
import enum
import io
import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
import unicodedata
import uuid
from pathlib import Path

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.contextvars import bound_contextvars
from twisted.logger import Logger, LogLevel, globalLogPublisher
from twisted.python.failure import Failure

from telephony import logs
from telephony.domain.position import Position
from telephony.domain.values import Msisdn
from telephony.logs.floods import MOST_A_WINDOW
from telephony.logs.foreign import StandardLibrary, observe
from telephony.logs.lines import Encode
from telephony.logs.masking import mask, masked
from telephony.logs.writing import MOST_WAITING, ThreadedOutput, has_room, open_log

NUMBER = "821012345678"
FIX = Position(37.5, 127.0, 30.0, 67.0, "cell", "lbs:skt", dt.datetime.now(dt.UTC), dt.datetime.now(dt.UTC))


def kept(**facts):
    """Return what is kept of one line's facts."""
    return dict(mask(None, "info", {"event": "e", **facts})) | {"event": "e"}


@pytest.fixture
def stream():
    """Configure logging as the daemon does, into memory, and take everything back afterwards."""
    before = structlog.get_config()
    stream = io.StringIO()
    logs.configure(logs.LogSettings(), stream=stream, is_under_twistd=True)
    yield stream
    structlog.configure(**before)
    globalLogPublisher.removeObserver(observe)
    root = logging.getLogger()
    root.handlers = [handler for handler in root.handlers if not isinstance(handler, StandardLibrary)]


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_flood_of_warnings_is_cut_short(stream):
    for _ in range(1_000):
        structlog.get_logger().warning("claim failed", channel="seoul")

    assert len(lines(stream)) == MOST_A_WINDOW


def test_the_thread_of_the_log_sums_up_a_flood(tmp_path):
    summed = threading.Event()
    output = ThreadedOutput(lambda: open_log(tmp_path / "log", None), when_idle=summed.set)

    assert summed.wait(10)
    output.close()


def test_the_log_leaves_room_on_its_volume_and_counts_what_it_does_not_write(tmp_path, monkeypatch):
    room = {"bytes": 10 << 20}

    def volume(_):
        return os.statvfs_result((4096, 4096, 1 << 20, 0, room["bytes"] // 4096, 0, 0, 0, 0, 255))

    monkeypatch.setattr(os, "fstatvfs", volume)
    output = ThreadedOutput(lambda: open_log(tmp_path / "log", None), keep_free=64 << 20)
    output.write('{"event":"one"}', is_urgent=True)
    output.flush(5)
    assert (tmp_path / "log").read_text() == ""

    room["bytes"] = 65 << 20
    output.write('{"event":"two"}', is_urgent=True)
    output.flush(5)
    output.close()

    said = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [(line["event"], line.get("lost_count")) for line in said] == [
        ("two", None),
        ("log lines lost", 1),
    ]


def test_on_a_small_volume_the_log_leaves_an_eighth(tmp_path, monkeypatch):
    small = os.statvfs_result((4096, 4096, 4096, 0, 513, 0, 0, 0, 0, 255))
    monkeypatch.setattr(os, "fstatvfs", lambda _: small)
    with (tmp_path / "log").open("w") as file:
        assert has_room(file.fileno(), 64 << 20)
        small = os.statvfs_result((4096, 4096, 4096, 0, 511, 0, 0, 0, 0, 255))
        assert not has_room(file.fileno(), 64 << 20)


def test_a_pipe_has_no_room_to_be_left():
    reading, writing = os.pipe()
    assert has_room(writing, 1 << 60)
    os.close(reading)
    os.close(writing)


def test_a_line_is_json_with_time_level_and_event_first():
    encode = Encode(now=lambda: 1_772_366_400.25)

    line = encode(None, "info", {"event": "delivered", "attempt": 2, "text_length": None, "ok": True})

    assert line == (
        '{"timestamp":"2026-03-01T12:00:00.250Z","level":"info","priority":6,"event":"delivered",'
        '"attempt":2,"text_length":null,"ok":true}'
    )


@pytest.mark.parametrize(
    ("level", "priority"), [("debug", 7), ("info", 6), ("warning", 4), ("error", 3), ("critical", 2)]
)
def test_each_line_carries_its_syslog_priority_and_to_the_journal_before_it_too(level, priority):
    line = Encode(now=lambda: 0)(None, level, {"event": "e"})

    assert json.loads(line)["priority"] == priority
    assert Encode(now=lambda: 0, is_for_journal=True)(None, level, {"event": "e"}) == f"<{priority}>{line}"


LOGS_TO_STANDARD_ERROR = """
import os, structlog
from telephony import logs
there = os.fstat(2)
os.environ["JOURNAL_STREAM"] = os.environ["NAMED"].format(there=f"{there.st_dev}:{there.st_ino}")
logs.configure(logs.LogSettings(file=os.environ.get("LOG_FILE")))
structlog.get_logger().warning("e")
logs.flush()
"""


@pytest.mark.parametrize(
    ("named", "begins"), [("{there}", "<4>{"), ("1:2", "{"), ("", "{")], ids=["journal", "another", "none"]
)
def test_only_a_standard_error_that_is_the_journals_gets_the_prefix(named, begins):
    done = subprocess.run(
        [sys.executable, "-c", LOGS_TO_STANDARD_ERROR],
        env={**os.environ, "NAMED": named}, stderr=subprocess.PIPE, text=True, timeout=60, check=True,
    )  # fmt: skip

    assert done.stderr.startswith(begins)


def test_a_log_file_gets_no_prefix_also_beside_the_journal(tmp_path):
    file = tmp_path / "log"
    subprocess.run(
        [sys.executable, "-c", LOGS_TO_STANDARD_ERROR],
        env={**os.environ, "NAMED": "{there}", "LOG_FILE": str(file)}, stderr=subprocess.PIPE, timeout=60, check=True,
    )  # fmt: skip

    assert json.loads(file.read_text())["priority"] == 4


def test_a_fact_cannot_pass_itself_off_as_the_time_or_the_level():
    line = json.loads(
        Encode()(None, "error", {"event": "e", "level": "debug", "timestamp": "never", "priority": 7})
    )

    assert (line["level"], line["priority"]) == ("error", 3)
    assert line["timestamp"] != "never"


def test_what_is_bound_to_the_context_is_in_every_line(stream):
    with bound_contextvars(incident="sos-20260301-7k3qwz2m9t"):
        structlog.get_logger().info("delivered", attempt=1)

    [line] = lines(stream)
    assert (line["event"], line["incident"], line["attempt"]) == ("delivered", "sos-20260301-7k3qwz2m9t", 1)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Msisdn(NUMBER), "8210******78"),
        (NUMBER, "8210******78"),
        (f"+{NUMBER}", "8210******78"),
        ("010-1234-5678", "0101*****78"),
        ("010 1234 5678", "0101*****78"),
        ("010.1234.5678", "0101*****78"),
        (f"the number {NUMBER} is not known", "the number 8210******78 is not known"),
        (int(NUMBER), "8210******78"),
        ([Msisdn(NUMBER), NUMBER], ["8210******78", "8210******78"]),
        ({NUMBER: NUMBER}, {"8210******78": "8210******78"}),
        (ValueError(f"no {NUMBER}"), "ValueError: no 8210******78"),
        (b"\x00" * 17, "<17 octets>"),
        (bytearray(3), "<3 octets>"),
        (FIX, "<Position>"),
        (float("nan"), None),
        (float("inf"), None),
        (object(), "<object>"),
        (Path("/tmp/x"), "/tmp/x"),
        (enum.Enum("Colour", "RED").RED, "RED"),
        (enum.StrEnum("State", {"GIVEN_UP": "given-up"}).GIVEN_UP, "given-up"),
        (dt.datetime(2026, 3, 1, tzinfo=dt.UTC), "2026-03-01T00:00:00+00:00"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_a_value_is_kept_only_as_far_as_it_tells_nobody(value, shown):
    assert kept(fact=value)["fact"] == shown


SPELLINGS = (
    "01012345678",
    "010 1234 5678",
    "010-1234-5678",
    "010.1234.5678",
    "010)1234-5678",
    "(010) 1234-5678",
    "(010)1234.5678",
    "010 - 1234 - 5678",
    "010/1234/5678",
    "010_1234_5678",
    "010,1234,5678",
    "010\u00b71234\u00b75678",
    "010\u20131234\u20135678",
    "010\u20111234\u20115678",
    "010\u00a01234\u00a05678",
    "010\u20091234\u30005678",
    "010\u200b1234\u200d5678",
    "\uff10\uff11\uff10\uff0d\uff11\uff12\uff13\uff14\uff0d\uff15\uff16\uff17\uff18",
    "\u0660\u0661\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668",
    "+821012345678",
    "+82 10-1234-5678",
    "+82 (0)10 1234 5678",
    "+82.10.1234.5678",
    "0082 10 1234 5678",
    "tel:+82-10-1234-5678",
    "sip:%2B82%2010%2D1234%2D5678@ims",
)


@pytest.mark.parametrize("number", SPELLINGS, ids=map(str, range(len(SPELLINGS))))
@pytest.mark.parametrize("around", ["{}", "no {} here", "<{}>", "x={};y", "number{}."], ids=range(5))
def test_a_number_is_masked_however_it_is_spelt(number, around):
    shown = masked(around.format(number))

    assert "1234" not in "".join(str(unicodedata.digit(each, each)) for each in shown)
    assert "5678" not in shown
    assert "*****" in shown


@pytest.mark.parametrize("key", ["msisdn", "caller", "phone", "number", "to"])
@pytest.mark.parametrize("text", ["0~1~0~1~2~3~4~5~6~7~8", "a0b1c0d12345678", "12345", "010*1234*5678"])
def test_where_a_number_stands_no_spelling_passes(key, text):
    digits = [each for each in text if each.isdigit()]

    for shown in (kept(**{key: text})[key], kept(fact={key: text})["fact"][key]):
        assert [each for each in shown if each.isdigit()] != digits
        assert "1234567" not in shown


@pytest.mark.parametrize("text", ["8210******78", "withheld", "?", "112", "*****", "0101*****78", ""])
def test_where_a_number_stands_what_is_masked_or_a_short_code_stays(text):
    assert kept(caller=text, fact={"number": text}) == {
        "event": "e",
        "caller": text,
        "fact": {"number": text},
    }


def test_what_could_part_or_steer_a_line_is_escaped_in_it():
    words = "a\u2028b\x85c\x9bd\u202ee\x7ff 살려주세요"

    line = Encode()(None, "info", mask(None, "info", {"event": "e", "reason": words}))

    assert json.loads(line)["reason"] == words
    assert line.splitlines() == [line]
    assert not re.search("[\x7f-\x9f\u2028\u202e]", line)
    assert "살려주세요" in line


@pytest.mark.parametrize(
    "value",
    [
        "192.168.100.200:2775",
        "192.168.100.200 to 10.100.200.30",
        "ports 5060, 5061, 5062",
        "2026-03-01T12:00:00.250Z",
        "sos-20260301-7k3qwz2m9t",
        "report sos-20260301-1234567890-12 of the incident",
        "Connection was refused by other side: 111: Connection refused.",
        "12345678",
        12_345_678,
        37.5,
        True,
        None,
    ],
)
def test_addresses_times_names_of_ours_and_plain_facts_stay_as_they_are(value):
    assert kept(fact=value)["fact"] == value


def test_ids_and_counts_may_be_long():
    facts = {
        "reference": "skt-1:123456789012",
        "delivery": 1234567890,
        "lost_count": 10**12,
        "since_ns": 10**18,
    }

    assert kept(**facts) == {"event": "e", **facts}


def test_a_number_too_large_to_print_costs_no_line():
    assert kept(delivery=10**5000, lost_count=-(10**5000)) == {
        "event": "e",
        "delivery": "<a very large number>",
        "lost_count": "<a very large number>",
    }


def test_coordinates_texts_and_passwords_are_dropped_with_their_keys():
    facts = kept(latitude=37.5, longitude=127.0, text="help", password="x", raw=b"x", channel="a")

    assert facts == {"event": "e", "channel": "a"}
    assert kept(inner={"latitude": 1.5, "ok": 1})["inner"] == {"ok": 1}


def test_an_exception_is_told_as_a_traceback_without_numbers(stream):
    try:
        int(f"no such number {NUMBER}")
    except ValueError as error:
        caught = error
        structlog.get_logger().exception("failed")
    structlog.get_logger().error("failed", exc_info=caught)
    structlog.get_logger().error("failed", exc_info=(ValueError, caught, None))
    structlog.get_logger().error("failed", exc_info=None)

    told = lines(stream)
    assert all("no such number 8210******78" in line["exception"] for line in told[:3])
    assert "exception" not in told[3]
    assert NUMBER not in stream.getvalue()


def test_a_structure_without_end_is_cut_off():
    endless = []
    endless.append(endless)

    assert kept(fact=endless)["fact"] == [[["<list>"]]]


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.just(FIX),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    max_leaves=8,
)


@settings(deadline=None)
@given(facts=st.dictionaries(st.text(), JUNK, max_size=4), event=JUNK)
def test_whatever_is_logged_becomes_one_line_of_strict_json(facts, event):
    line = Encode()(None, "info", mask(None, "info", {**facts, "event": event}))

    octets = line.encode("utf-8", "backslashreplace")
    assert b"\n" not in octets

    def refuse(constant):
        raise AssertionError(constant)

    json.loads(octets, parse_constant=refuse)


@settings(deadline=None)
@given(
    before=st.text(max_size=5),
    digits=st.text("0123456789", min_size=9, max_size=15),
    after=st.text(max_size=5),
)
def test_no_run_of_nine_digits_survives_in_a_text(before, digits, after):
    assert digits not in masked(f"{before} {digits} {after}")


def test_the_level_changes_for_loggers_already_in_use(stream):
    log = structlog.get_logger()
    log.debug("one")
    log.info("two")

    logs.change_level("warning")
    log.info("three")
    log.warning("four")
    logs.change_level("debug")
    log.debug("five")

    assert [line["event"] for line in lines(stream)] == ["two", "four", "five"]


def test_twisted_and_the_standard_library_log_through_ours(stream):
    twisted_log = Logger("some.part")
    twisted_log.info("Starting factory")
    twisted_log.warn("odd {what}", what="thing")
    twisted_log.emit(LogLevel.critical, "it broke", log_failure=Failure(ValueError(f"about {NUMBER}")))
    logging.getLogger("alembic").warning("old %s", "schema")
    StandardLibrary().emit(
        logging.LogRecord("alembic", logging.WARNING, "", 1, "broken %d", ("format",), None)
    )

    odd, failure, library, broken = lines(stream)
    assert (odd["event"], odd["level"], odd["what"], odd["where"]) == (
        "twisted",
        "warning",
        "odd thing",
        "some.part",
    )
    assert (failure["event"], failure["what"]) == ("unhandled failure", "it broke")
    assert "about 8210******78" in failure["exception"]
    assert (library["event"], library["what"], library["where"]) == ("library", "old schema", "alembic")
    assert broken["what"] == "broken %d"


def test_lines_reach_the_file_in_order_and_a_rotated_file_is_left_behind(tmp_path):
    file, old = tmp_path / "log", tmp_path / "log.1"
    output = ThreadedOutput(lambda: open_log(file, None))
    for number in range(1000):
        output.write(str(number), is_urgent=False)
    output.flush(5)

    file.rename(old)
    output.reopen()
    output.write("after the rotation \udc80 시험", is_urgent=True)
    output.close(5)

    assert old.read_text().split() == [str(number) for number in range(1000)]
    assert file.read_text("utf-8") == "after the rotation \\udc80 시험\n"
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_file_that_cannot_be_opened_again_leaves_the_old_one_in_use(tmp_path):
    file = tmp_path / "folder" / "log"
    file.parent.mkdir()
    output = ThreadedOutput(lambda: open_log(file, None))
    file.parent.rename(tmp_path / "moved")

    output.reopen()
    output.write("still here", is_urgent=True)
    output.close(5)

    assert "log file not opened again" in (tmp_path / "moved/log").read_text()
    assert "still here" in (tmp_path / "moved/log").read_text()


def test_a_reader_that_hangs_holds_up_nobody_and_lost_lines_are_counted():
    """A full pipe costs lines, never a press."""
    reading, writing = os.pipe()
    output = ThreadedOutput(lambda: writing)
    line = "x" * 100

    began = time.monotonic()
    for _ in range(MOST_WAITING * 2):
        output.write(line, is_urgent=True)
    assert time.monotonic() - began < 10

    collected = []

    def read_all():
        while octets := os.read(reading, 1 << 20):
            collected.append(octets)

    reader = threading.Thread(target=read_all)
    reader.start()
    output.flush(10)
    output.write("last", is_urgent=True)
    output.close(10)
    os.close(writing)
    reader.join(10)
    os.close(reading)
    *told, last = b"".join(collected).decode().splitlines()
    [lost] = [json.loads(each)["lost_count"] for each in told if each.startswith("{")]
    assert last == "last"
    assert lost + told.count(line) == MOST_WAITING * 2


def test_a_full_disk_costs_lines_that_are_counted_once_there_is_room(tmp_path):
    places = iter(["/dev/full", tmp_path / "log"])
    output = ThreadedOutput(lambda: open_log(next(places), None))
    for number in range(3):
        output.write(str(number), is_urgent=True)
        output.flush(5)

    output.reopen()
    output.write("there is room again", is_urgent=True)
    output.flush(5)
    output.write("and nothing is told twice", is_urgent=True)
    output.close(5)

    first, lost, last = (tmp_path / "log").read_text().splitlines()
    assert (first, last) == ("there is room again", "and nothing is told twice")
    assert (json.loads(lost)["event"], json.loads(lost)["lost_count"]) == ("log lines lost", 3)


def test_a_pipe_nobody_reads_any_more_is_survived():
    reading, writing = os.pipe()
    os.close(reading)
    output = ThreadedOutput(lambda: writing)

    output.write("nobody hears this", is_urgent=True)
    output.close(5)

    os.close(writing)


PROGRAM = """
import structlog
from telephony import logs
logs.configure(logs.LogSettings())
print("on standard output")
structlog.get_logger().info("quiet")
structlog.get_logger().info("said at the very end")
"""


def test_what_was_logged_last_is_written_before_the_process_ends():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=30, check=True
    )

    assert done.stdout == "on standard output\n"
    assert [json.loads(line)["event"] for line in done.stderr.splitlines()] == [
        "quiet",
        "said at the very end",
    ]
