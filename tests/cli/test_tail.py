"""``onetouch tail``: readable, filtered, and total whatever is in the file."""

from __future__ import annotations

import json
import re
from datetime import UTC

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.cli.following import LONGEST_LINE, followed_lines
from telephony.cli.log_lines import Wanted, entry_of, may_be, other, readable

PRESS = {
    "timestamp": "2026-03-01T12:00:00.250Z",
    "level": "info",
    "event": "press accepted",
    "incident": "sos-20260301-7k3qwz2m9t",
    "carrier": "skt",
    "connector": "skt-1",
    "caller": "8210******78",
}
LINK = {
    "timestamp": "2026-03-01T12:00:01.000Z",
    "level": "warning",
    "event": "link down",
    "link": "kt-2",
    "reason": "closed by peer",
}
LOG = (
    b"\n".join([json.dumps(PRESS).encode(), b"not a log line \xff\x1b[31m", json.dumps(LINK).encode()])
    + b"\n"
)


def test_lines_are_readable_and_rubbish_stays_as_it_is_but_harmless(run):
    result = run("tail", "--utc", stdin=LOG)

    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "12:00:00.250 UTC info     press accepted incident=sos-20260301-7k3qwz2m9t carrier=skt connector=skt-1 caller=8210******78",
        "| not a log line \N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}[31m",
        '12:00:01.000 UTC warning  link down link=kt-2 reason="closed by peer"',
    ]


@pytest.mark.parametrize(
    ("options", "events"),
    [
        (("--incident", "sos-20260301-7k3"), ["press accepted"]),
        (("--incident", "sos-20260302"), []),
        (("--number", "5678"), ["press accepted"]),
        (("--number", "5679"), []),
        (("--carrier", "skt"), ["press accepted"]),
        (("--carrier", "kt"), ["link down"]),
        (("--carrier", "kt-2"), ["link down"]),
        (("--level", "warning"), ["link down"]),
        (("--level", "debug"), ["press accepted", "link down"]),
        (("--level", "warning", "--carrier", "skt"), []),
    ],
)
def test_filters_show_what_was_asked_for_and_no_rubbish(run, tmp_path, options, events):
    file = tmp_path / "log"
    file.write_bytes(LOG)

    shown = run("tail", file, *options).output.splitlines()

    assert len(shown) == len(events)
    assert all(event in line for event, line in zip(events, shown, strict=True))


@pytest.mark.parametrize(
    ("masked", "digits", "answer"),
    [
        ("8210******78", "5678", True),
        ("8210******78", "78", True),
        ("8210******78", "821012345678", True),
        ("8210******78", "0012345678", False),
        ("8210******78", "5677", False),
        ("withheld", "5678", False),
        ("", "5678", False),
        (None, "5678", False),
    ],
)
def test_a_masked_number_is_shown_when_it_may_be_the_one(masked, digits, answer):
    assert may_be(masked, digits) is answer


def test_a_traceback_is_shown_on_lines_of_its_own():
    entry = {"event": "failed", "level": "error", "exception": "Traceback:\n  here\nValueError: x"}

    assert click.unstyle(readable(entry, UTC)).splitlines()[1:] == [
        "    Traceback:",
        "      here",
        "    ValueError: x",
    ]


FORGED = "12:00:02.000 UTC error    incident closed incident=sos-20260301-7k3qwz2m9t"
HOSTILE = (
    {**PRESS, "reason": f"x\n{FORGED}"},
    {**PRESS, "reason": f"x\r{FORGED}"},
    {**PRESS, "reason": f"x\u2028{FORGED}\x85{FORGED}"},
    {**PRESS, "reason": f"\x1b[2K\x1b[1G{FORGED}"},
    {**PRESS, "reason": f"\x9b2K{FORGED}"},
    {**PRESS, "reason": "\u202esos=tnedicni", "what": "\ud800"},
    {**PRESS, f"x\n{FORGED}": "y"},
    {**PRESS, "x incident=sos-20260302-aaaaaaaaaa y": "z"},
    {**PRESS, "x": "y incident=sos-20260302-aaaaaaaaaa"},
    {**PRESS, "x": "y\u3000incident=sos-20260302-aaaaaaaaaa"},
    {**PRESS, "x": 'y" incident=sos-20260302-aaaaaaaaaa "'},
    {**PRESS, "event": "press accepted incident=sos-20260302-aaaaaaaaaa"},
    {**PRESS, "event": f"press accepted\n{FORGED}"},
    {**PRESS, "level": f"info\n{FORGED}"},
    {**PRESS, "level": "error    incident closed incident=sos-20260302-aaaaaaaaaa"},
    {**PRESS, "timestamp": f"T12:00:00\n{FORGED}"},
    {**PRESS, "timestamp": "T12:00:00 error incident=sos-20260302-aaaaaaaaaa"},
    {**PRESS, "x": {"y\n": [f"\n{FORGED}", 1e400]}},
)


@pytest.mark.parametrize("entry", HOSTILE, ids=map(str, range(len(HOSTILE))))
@pytest.mark.parametrize("is_ascii", [True, False], ids=["escaped", "as-it-is"])
def test_no_field_can_forge_a_line_or_a_fact(run, entry, is_ascii):
    line = json.dumps(entry, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")

    shown = run("tail", "--utc", stdin=line + b"\n").output.removesuffix("\n")

    assert shown.splitlines() == [shown]
    facts = re.sub(r'"(?:[^"\\]|\\.)*"', '""', shown)
    assert "sos-20260302" not in facts
    assert "closed" not in facts
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", shown)


@pytest.mark.parametrize(
    "line",
    [FORGED, f"\r{FORGED}", f"x\x85{FORGED}", f"x\u2028{FORGED}", f"\x1b[1A{FORGED}", f"[{FORGED}]"],
    ids=["plain", "return", "next-line", "separator", "escape", "bracket"],
)
def test_what_is_no_log_cannot_pass_for_one(run, line):
    shown = run("tail", "--utc", stdin=line.encode() + b"\n").output.removesuffix("\n")

    assert shown.splitlines() == [shown]
    assert shown.startswith("| ")


def test_a_traceback_cannot_forge_a_line(run):
    entry = {**PRESS, "exception": f"Traceback\n{FORGED}\r{FORGED}\u2028{FORGED}\x1b[1G{FORGED}"}

    first, *others = run("tail", "--utc", stdin=json.dumps(entry).encode() + b"\n").output.splitlines()

    assert first.startswith("12:00:00.250 UTC info     press accepted")
    assert all(line.startswith("    ") for line in others)


OTHER = {**PRESS, "incident": "sos-20260302-8m4rxa3n0v", "event": "delivered"}


@pytest.mark.parametrize(
    ("said", "event"),
    [
        ("7k3q", "press accepted"),
        ("20260302-8", "delivered"),
        ("SOS-20260302", "delivered"),
        ("last", "delivered"),
    ],
)
def test_an_incident_is_named_by_a_beginning_or_as_the_last_of_the_file(run, tmp_path, said, event):
    file = tmp_path / "onetouch.log"
    file.write_bytes(b"\n".join(json.dumps(each).encode() for each in (PRESS, OTHER, LINK)) + b"\n")

    (line,) = run("tail", file, "--incident", said).output.splitlines()

    assert event in line


def test_the_last_incident_of_a_pipe_cannot_be_known(run):
    assert run("tail", "--incident", "last", stdin=LOG).exit_code == 2


def test_times_are_by_the_clock_of_the_settings(run, config):
    config.write_text(config.read_text().replace("[service]", '[service]\ntimezone = "Asia/Tokyo"'))

    assert run("tail", "--config", config, stdin=LOG).output.startswith("21:00:00.250 JST info ")


def test_a_missing_file_is_told_in_a_line(run, tmp_path):
    result = run("tail", tmp_path / "none")

    assert result.exit_code == 1
    assert result.output.endswith("No such file or directory\n")


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from([*PRESS, "exception", "x"]) | st.text(), inner)
    ),
    max_leaves=6,
)
ANY_LINE = st.binary() | ANY_JSON.map(lambda value: json.dumps(value).encode())
FILTERS = st.builds(
    Wanted,
    incident=st.none() | st.just("sos"),
    number=st.none() | st.just("5678"),
    carrier=st.none() | st.just("skt"),
    level=st.none() | st.just("warning"),
)


@settings(deadline=None)
@given(line=ANY_LINE, wanted=FILTERS)
def test_any_line_is_shown_or_not_and_never_steers_the_terminal(line, wanted):
    entry = entry_of(line)
    if entry is not None:
        assert wanted.matches(entry) in (True, False)
        text = click.unstyle(readable(entry, UTC))
    else:
        text = other(line)

    assert not any(character < " " and character != "\n" for character in text)
    assert text.encode()


class Writer:
    """Stands in for sleep: each time the reader waits, the next thing happens to the file."""

    def __init__(self, *happenings) -> None:
        self._happenings = list(happenings)

    def __call__(self, _: float) -> None:
        if not self._happenings:
            raise KeyboardInterrupt
        self._happenings.pop(0)()


def follow(path, *happenings):
    given = []

    def read() -> None:
        for line in followed_lines(path, Writer(*happenings)):
            given.append(line)  # noqa: PERF402 - extend() would lose what came before the interruption

    with pytest.raises(KeyboardInterrupt):
        read()
    return given


def append(path, octets):
    def happen():
        with path.open("ab") as stream:
            stream.write(octets)

    return happen


def test_following_waits_for_the_end_of_a_line(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"one\ntw")

    assert follow(path, append(path, b"o"), append(path, b"\nthree\n")) == [b"one\n", b"two\n", b"three\n"]


def test_following_goes_on_in_the_new_file_after_a_rotation(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"one\n")

    def rotate():
        path.rename(tmp_path / "log.1")

    def begin_again():
        path.write_bytes(b"two\n")

    assert follow(path, rotate, begin_again) == [b"one\n", b"two\n"]


def test_following_goes_on_at_the_beginning_of_a_file_that_was_cut_short(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo\n")

    assert follow(path, lambda: path.write_bytes(b"new\n")) == [b"one\n", b"two\n", b"new\n"]


def test_a_line_without_end_is_given_in_pieces(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"x" * (LONGEST_LINE + 10))

    assert [len(piece) for piece in follow(path, append(path, b"\n"))] == [LONGEST_LINE, 11]
