"""docs/cap.md and the code say the same: the document names what can be sent to 112, and nothing that cannot."""

from __future__ import annotations

import re
import types
import typing
from collections import Counter
from collections.abc import Iterable
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path

import pytest

from telephony.asterisk.dialplan.trunks import SILENCES
from telephony.domain.facts import (
    AcknowledgedFact,
    ArrivedFact,
    Became,
    Because,
    CallFact,
    CallState,
    CentreStatus,
    CentreStatusFact,
    ConsentState,
    DeviceFact,
    DispatchedFact,
    EndedBy,
    Fact,
    FalseAlarmFact,
    GuardianFact,
    GuardianNumber,
    GuardianState,
    GuardianWay,
    KnockFact,
    Leg,
    LegState,
    NoteFact,
    NotReached,
    PersonFact,
    Reach,
    ReachFact,
    ReasonCode,
    Registered,
    SaidByInvite,
    ScoreFact,
    SilenceFact,
    SilenceState,
    ToldByVoiceFact,
    UnknownFact,
)
from telephony.domain.position import Position
from telephony.domain.report import EarlierReport, Report, ReportKind, UpdateReason
from telephony.domain.values import Msisdn
from telephony.psap.cap import encode
from telephony.psap.parameters import Document, Parameter, Type
from telephony.psap.wording import ENGLISH, KOREAN
from tests.doubles import KST
from tests.psap.test_heartbeat import HEARTBEAT, ILL, WELL, received

TEXT = (Path(__file__).parents[2] / "docs" / "cap.md").read_text(encoding="utf-8")
AT = datetime(2026, 11, 23, 6, 5, 2, tzinfo=UTC)
NUMBER = Msisdn("821012345678")
FACTS: tuple[Fact, ...] = (
    CallFact(
        "voice-1/1.1", AT, CallState.ENDED, "skt-a", "112", "sos-1", "sos-2", "no-rtp", "a.wav", "x@y",
        (Leg("112-1", LegState.BUSY, 3, 2),), "112-1", AT, AT, AT, 42, EndedBy.CALLER, "486 Busy Here",
        SaidByInvite("450-05-1-2", "3GPP-E-UTRAN-FDD", "https://lis/1", "<https://x>"),
    ),
    KnockFact("voice-1/1.1/1", AT, "11", 2, "cannot-speak", {"en": "cannot speak"}),
    SilenceFact(AT, SilenceState.LIFTED, "desk 7"),
    GuardianFact(1, AT, GuardianState.WORDS, 1, GuardianWay.SMS, "mother", "8210******78", "on my way", 1),
    PersonFact(
        AT, Registered.YES, "Kim", date(2015, 3, 2), "phone", "skt", "ko", "asthma", "Seoul", "none", "school",
        (GuardianNumber("mother", NUMBER),), ("mother, adult, SMS, 2026-11-23",), "1.jpg", ConsentState.VALID, ("sos-3",),
    ),
    ScoreFact(AT, 65, (Because(ReasonCode.FALSE_ALARMS, 2),)),
    FalseAlarmFact(1, AT, "SMS", "in a bag", AT),
    AcknowledgedFact(AT, "desk 7", AT),
    DispatchedFact(1, AT, "unit 12", "desk 7", AT, AT),
    ArrivedFact(1, AT, "unit 12", "desk 7", AT),
    NoteFact(1, AT, "back door is open", "desk 7", AT),
    CentreStatusFact("1f", AT, CentreStatus.CALL_BACK, Became.REFUSED, AT, "desk 7", "unit 12", "2e", "silence holds"),
    ToldByVoiceFact(AT, "Kim", "desk 4", AT),
    ReachFact(AT, Reach.NOT_ANSWERING, NotReached.ABSENT, AT),
    DeviceFact(AT, 14, AT),
)  # fmt: skip
"""One of each kind, with everything that can be known."""
MEASURED = Position(37.5, 127.0, 30.0, 67.0, "cell", "lbs:skt", AT, AT, 61.4)
UNAGED = Position(37.5, 127.0, 30.0, 67.0, "cell", "lbs:skt", None, AT)
EVERYTHING = Report(
    "sos-1-2", ReportKind.UPDATE, "sos-1", 2, (EarlierReport("sos-1-1", AT),), AT + timedelta(seconds=9), False, NUMBER, "skt", "sms",
    "112", AT, 2, AT, ("help",), MEASURED, ("shortened",), "found safe", FACTS, (UpdateReason.CALL,), MEASURED, MEASURED, AT,
)  # fmt: skip
REPORTS = (
    EVERYTHING,
    replace(EVERYTHING, kind=ReportKind.ALERT, earlier=(), position=UNAGED, newest=UNAGED, sharpest=UNAGED),
    replace(EVERYTHING, kind=ReportKind.CLOSING),
    replace(EVERYTHING, kind=ReportKind.CLOSING, close_reason="false alarm"),
    replace(EVERYTHING, msisdn=Msisdn("", is_e164=False)),
    replace(EVERYTHING, msisdn=Msisdn("BANK", is_e164=False)),
)
SENT = [encode(each, sender="a", addresses="b", language="en", zone=UTC).decode() for each in REPORTS]

_, _, _AFTER = TEXT.partition("\n## Parameters\n")
PARAMETERS = dict(re.findall(r"^\| `([^`]+)` \| (.*) \|$", _AFTER.partition("\n## ")[0], re.MULTILINE))
del PARAMETERS["valueName"]  # the table's own heading
"""Of each row of the table, the name and what stands beside it."""

WORDS: dict[str, tuple[Iterable[str], set[str]]] = {
    "incident-state": (
        re.findall("<valueName>incident-state</valueName><value>(.*?)<", "".join(SENT)),
        set(),
    ),
    "update-reason": (UpdateReason, set()),
    "trigger-source": (ENGLISH.ways, set()),
    "location-source": ({"lbs:", *ENGLISH.sources}, set()),
    "location-method": (ENGLISH.methods, set()),
    "call-state": (CallState, set()),
    "call-legs": (LegState, {"; ", "112-1 no answer 6 s (3 times); 112-2 connected"}),
    "call-silence": (SILENCES, set()),
    "call-ended-by": (EndedBy, set()),
    "silence": (SilenceState, set()),
    "guardian-state": (GuardianState, set()),
    "guardian-by": (GuardianWay, set()),
    # Who withdrew is never told: the fact is taken out of what is still to be sent.
    "person-registered": (set(Registered) - {Registered.WITHDRAWN}, set()),
    "person-device": (ENGLISH.facts.caller.devices, set()),
    "person-language": (ENGLISH.facts.caller.languages, set()),
    "person-consent": (ConsentState, set()),
    "accident-reasons": (ReasonCode, {";", "code", "code=number"}),
    "phone-reach": (Reach, set()),
    "phone-reach-why": (NotReached, set()),
    "label": (ENGLISH.labels, set()),
}
"""Of each parameter with words of its own: those that can be sent, and what else its row has between backticks."""


def test_every_time_of_a_report_carries_the_offset_of_its_zone():
    document = encode(EVERYTHING, sender="a", addresses="b", language="en", zone=KST).decode()

    times = re.findall(r"<value>(\d{4}-\d\d-\d\d[T ][^<]*)</value>", document)
    assert len(times) > 10
    assert [each for each in times if not each.endswith("+09:00")] == []


def test_each_kind_of_fact_is_here_with_everything_that_can_be_known():
    kinds = set(typing.get_args(Fact)) - {UnknownFact}

    assert {type(each) for each in FACTS} == kinds
    for fact in FACTS:
        empty = [each.name for each in fields(fact) if not getattr(fact, each.name)]
        assert empty == [], (
            f"{type(fact).__name__} without {empty}: fill it, so that what it sends is looked at"
        )


def test_the_document_names_every_parameter_that_can_be_sent_and_no_other():
    sent = {name for report in SENT for name in re.findall("<valueName>(.*?)</valueName>", report)}

    assert set(PARAMETERS) == sent


def listed(document):
    return [each.value for each in Parameter if each.value.document is document]


def test_the_list_for_programs_is_the_table_of_the_document():
    assert [each.name for each in listed(Document.REPORT)] == list(PARAMETERS)


def test_the_list_for_programs_has_the_words_that_can_be_sent():
    told = {each.name: set(each.values) for each in listed(Document.REPORT)}

    for name, (sendable, _) in WORDS.items():
        # What came of a leg stands within a sentence.
        assert told[name] == (set() if name == "call-legs" else {str(each) for each in sendable}), name
    unchecked = {name for name, values in told.items() if values} - set(WORDS)
    assert {name: told[name] for name in unchecked if "location" not in name} == {"caller": {"withheld"}}
    for name in unchecked - {"caller"}:
        assert told[name] == told.get(name.partition("-")[2], {"unknown"}), name


def test_every_parameter_is_explained_in_both_languages_and_once():
    meanings = [each.value for each in Parameter]

    assert len({each.name for each in meanings}) == len(meanings)
    for each in meanings:
        assert each.en
        assert re.search("[가-힣]", each.ko), each.name
        assert (each.type is Type.WORD) <= bool(each.values), each.name


TIME = r"\d{4}-\d\d-\d\d%s\d\d:\d\d:\d\d[+-]\d\d:\d\d"
SHAPES = {
    Type.NUMBER: r"-?\d+(\.\d+)?",
    Type.TIME: TIME % "T",
    Type.SPOKEN_TIME: TIME % " ",
    Type.DATE: r"\d{4}-\d\d-\d\d",
    Type.CIRCLE: r"-?\d+\.\d{6},-?\d+\.\d{6} \d+\.\d{3}",
    Type.TEL: r"tel:\+\d+",
    Type.URIS: r"\S+( \S+)*",
    Type.CODES: r"[a-z-]+(=\d+)?(;[a-z-]+(=\d+)?)*",
}


def test_what_is_sent_has_the_type_that_the_list_says_and_repeats_only_where_it_says_so():
    """Of each report here, and of heartbeats."""
    meanings = {each.value_name: each.value for each in Parameter}
    heartbeats = [received(replace(HEARTBEAT, state=each)).raw.decode() for each in (WELL, ILL)]
    for report in (*SENT, *heartbeats):
        found = re.findall("<valueName>(.*?)</valueName><value>(.*?)</value>", report)
        for name, value in found:
            meaning = meanings[name]
            shape = SHAPES.get(meaning.type)
            assert shape is None or re.fullmatch(shape, value), (name, value)
            if meaning.type is Type.WORD and not meaning.is_open:
                assert value in meaning.values, (name, value)
        several = {name for name, count in Counter(name for name, _ in found).items() if count > 1}
        assert {name for name in several if not meanings[name].repeats} == set()


def test_the_document_names_every_parameter_of_a_heartbeat_and_no_other():
    _, _, after = TEXT.partition("\n## Heartbeats\n")
    named = set(re.findall(r"^\| `([^`]+)` \| .* \|$", after.partition("\n## ")[0], re.MULTILINE)) - {
        "valueName"
    }

    assert named == set(received(replace(HEARTBEAT, state=ILL)).parameters)
    assert named == {each.name for each in listed(Document.HEARTBEAT)}


@pytest.mark.parametrize(("state", "language"), [(WELL, "ko"), (ILL, "en")])
def test_the_heartbeats_of_the_document_are_what_the_code_sends(state, language):
    sent = received(replace(HEARTBEAT, state=state), language).raw.decode()

    assert f"```xml\n{sent}```\n" in TEXT


@pytest.mark.parametrize("name", WORDS)
def test_the_document_names_every_word_of_a_parameter_and_no_other(name):
    sendable, beside = WORDS[name]

    named = set(re.findall("`([^`]+)`", PARAMETERS[name])) - beside

    assert named == {str(each) for each in sendable}


def enums_of(kind, seen=frozenset()):
    """Every type of state that a value of this type can hold."""
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        yield kind
    elif isinstance(kind, types.UnionType) or typing.get_origin(kind) is not None:
        for each in typing.get_args(kind):
            yield from enums_of(each, seen)
    elif is_dataclass(kind) and kind not in seen:
        for each in typing.get_type_hints(kind).values():
            yield from enums_of(each, seen | {kind})


def test_every_type_of_state_that_a_fact_can_hold_is_compared():
    compared = {each for sendable, _ in WORDS.values() if isinstance(sendable, type) for each in [sendable]}

    # The last two are of what centres send us, which is not told to them.
    assert set(enums_of(Fact)) - {Registered, CentreStatus, Became} == compared - {UpdateReason}


def test_both_languages_have_words_for_the_same():
    assert set(KOREAN.labels) == set(ENGLISH.labels)
    assert set(KOREAN.ways) == set(ENGLISH.ways)
    assert set(KOREAN.methods) == set(ENGLISH.methods)
    assert set(KOREAN.sources) == set(ENGLISH.sources)


def test_the_table_of_reports_has_what_is_sent():
    table = TEXT.partition("\n## The kinds of report\n")[2].partition("\n* ")[0]
    rows = [line.split("|")[2:-1] for line in table.splitlines() if line.startswith("| ")][2:]
    told = {(row[0].split(",")[0].strip(), *(cell.strip() for cell in row[1:])) for row in rows}

    sent = {
        tuple(
            re.findall(f"<{name}>(.*?)</{name}>", report)[0]
            for name in ("msgType", "urgency", "responseType", "certainty")
        )
        for report in SENT
    }

    assert told == sent
