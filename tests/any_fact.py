"""Facts of every kind, as Hypothesis draws them."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone
from enum import StrEnum

from hypothesis import strategies as st

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
    FalseAlarmFact,
    GuardianFact,
    GuardianNumber,
    GuardianState,
    GuardianWay,
    KnockFact,
    Leg,
    LegState,
    Newer,
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
from telephony.domain.values import Msisdn

TEXTS = st.text(max_size=8)
"""Without halves of surrogate pairs: what both databases keep as it is, but for NUL."""
PLAIN = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
WORDS = st.text(st.sampled_from("abcdefgh"), min_size=1, max_size=6).map(lambda word: f"x-{word}")
COUNTS = st.integers(0, 10**9)
PLACES = st.integers(1, 10**6)
AT = st.datetimes(timezones=st.just(UTC))
SECONDS = st.datetimes(
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=9))])
).map(lambda moment: moment.replace(microsecond=0))  # fmt: skip
MILLISECONDS = AT.map(lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000))


def states(kinds: type[StrEnum]) -> st.SearchStrategy[StrEnum | Newer]:
    """Those of this release, and one of a newer."""
    return st.sampled_from(kinds) | st.builds(Newer, WORDS)


LEGS = st.builds(
    Leg,
    st.just("112") | st.integers(1, 9).map(lambda number: f"112-{number}"),
    states(LegState),
    st.none() | st.integers(-(10**6), 10**6),
    st.integers(1, 600),
)
CALLS = st.builds(
    CallFact, TEXTS, AT, states(CallState),
    trunk=PLAIN, dialled=PLAIN, incident=PLAIN, second_leg_of=PLAIN, silence=PLAIN, recording=PLAIN, sip_call_id=PLAIN,
    legs=st.lists(LEGS, max_size=3).map(tuple), route=PLAIN, started=st.none() | MILLISECONDS,
    connected=st.none() | MILLISECONDS, ended=st.none() | MILLISECONDS,
    duration_s=st.none() | COUNTS, ended_by=st.none() | states(EndedBy), refused=PLAIN,
    said=st.builds(SaidByInvite, PLAIN, PLAIN, PLAIN, PLAIN),
)  # fmt: skip
KNOCKS = st.builds(
    KnockFact, PLAIN, AT, PLAIN, COUNTS, PLAIN,
    st.dictionaries(st.sampled_from(["ko", "en", "vi"]), PLAIN.filter(bool), max_size=3),
)  # fmt: skip
GUARDIANS = st.builds(
    GuardianFact, PLACES, AT, states(GuardianState), st.none() | PLACES, st.none() | states(GuardianWay), PLAIN, PLAIN, PLAIN,
    st.none() | PLACES,
)  # fmt: skip
NUMBERS = st.from_regex(r"[0-9]{3,15}", fullmatch=True)
GUARDIAN_NUMBERS = st.builds(
    GuardianNumber,
    PLAIN.map(lambda text: text.replace(";", "").strip()),
    st.builds(Msisdn, NUMBERS, is_e164=st.booleans()),
)
PEOPLE = st.builds(
    PersonFact, AT, states(Registered),
    name=PLAIN, born=st.none() | st.dates(), device=PLAIN, carrier=PLAIN, language=PLAIN, medical=PLAIN, address=PLAIN,
    family=PLAIN, school=PLAIN, guardians=st.lists(GUARDIAN_NUMBERS, max_size=3).map(tuple), photo=PLAIN,
    consent=st.none() | states(ConsentState), also=st.lists(WORDS, max_size=3).map(tuple),
)  # fmt: skip
SCORES = st.builds(
    ScoreFact, AT, st.none() | st.integers(5, 95),
    st.lists(st.builds(Because, states(ReasonCode), st.none() | COUNTS), max_size=4).map(tuple),
)  # fmt: skip
FACTS = st.one_of(
    CALLS,
    KNOCKS,
    st.builds(SilenceFact, AT, states(SilenceState), PLAIN),
    GUARDIANS,
    PEOPLE,
    SCORES,
    st.builds(FalseAlarmFact, PLACES | st.just("112"), AT, PLAIN, PLAIN, st.none() | SECONDS),
    st.builds(AcknowledgedFact, AT, PLAIN, st.none() | SECONDS),
    st.builds(DispatchedFact, PLACES, AT, PLAIN, PLAIN, st.none() | SECONDS, st.none() | SECONDS),
    st.builds(ArrivedFact, PLACES, AT, PLAIN, PLAIN, st.none() | SECONDS),
    st.builds(NoteFact, PLACES, AT, PLAIN, PLAIN, st.none() | SECONDS),
    st.builds(
        CentreStatusFact,
        PLAIN,
        AT,
        states(CentreStatus),
        states(Became),
        st.none() | SECONDS,
        PLAIN,
        PLAIN,
        PLAIN,
        PLAIN,
    ),
    st.builds(ToldByVoiceFact, AT, PLAIN, PLAIN, st.none() | SECONDS),
    st.builds(ReachFact, AT, states(Reach), st.none() | states(NotReached), st.none() | SECONDS),
    st.builds(DeviceFact, AT, st.integers(0, 100), st.none() | SECONDS),
    st.builds(DeviceFact, AT, st.none(), SECONDS),
    st.builds(UnknownFact, WORDS, PLAIN, AT, st.dictionaries(PLAIN, PLAIN, max_size=3)),
)
"""One of each kind is drawn as often as one of another."""
