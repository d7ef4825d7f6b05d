"""A call's own name leads to its incident, and the calls that stand are told with what a desk wants to see."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, update

from telephony.asterisk.sos.sos_call import incident_id
from telephony.store import call_names
from telephony.store.call_names import incident_named, reference_of, references_of
from telephony.store.orders import set_silence
from telephony.store.schema import incident
from telephony.store.standing_calls import standing_calls
from tests.doubles import NINE_HOURS, NOON, ONE_CENTRE, press
from tests.store.ledger import Ledger, call_fact, call_record

ID, LEE = "sos-821012345678", "821022222222"
UNIQUEID = "voice-1-1795464999.12"
NAME = incident_id(UNIQUEID, NINE_HOURS) or ""


@pytest.fixture
def ledger(engines: tuple[Engine, Engine]) -> Ledger:
    ledger = Ledger(engines[0])
    ledger.record(press(), press(LEE))
    return ledger


def test_the_name_of_a_call_that_joined_an_incident_gives_the_incident(ledger: Ledger):
    ledger.call(call_record(reference=f"voice-1/{UNIQUEID}"))

    assert ledger.transact(incident_named, NAME) == ID


def test_an_incidents_own_id_and_what_nobody_knows_are_given_back(ledger: Ledger):
    ledger.call(call_record(reference=f"voice-1/{UNIQUEID}"))

    for name in (
        ID,
        NAME.replace("-12", "-13"),
        "",
        "sos-20269999-voice-1-999999-1",
        "sos-20261123-7k3qwz2m9t",
    ):
        assert ledger.transact(incident_named, name) == name


@given(
    st.from_regex(r"[a-z][a-z0-9-]{0,8}[a-z0-9]", fullmatch=True),
    st.integers(10**9, 4 * 10**9),
    st.integers(0, 10**9),
    st.sampled_from(call_names.OFFSETS),
)
def test_every_name_that_a_call_is_given_leads_back_to_it_by_whatever_clock(server, began, count, offset):
    name = incident_id(f"{server}-{began}.{count}", offset)

    reference = f"{server}/{server}-{began}.{count}"
    assert name is None or (reference_of(name, offset) == reference and reference in references_of(name))


@given(st.text() | st.from_regex(call_names._NAME, fullmatch=True))
def test_reading_a_name_is_total(name):
    assert all("/" in reference for reference in references_of(name))


def test_calls_that_stand_are_told_with_caller_state_and_silence_oldest_first(ledger: Ledger):
    ledger.call(call_record(2), call_fact("arrived", n=2), incident_id=f"sos-{LEE}")
    ledger.call(call_record(1), call_fact("dialling", silence="no-rtp"))
    ledger.call(call_record(1), call_fact("connected", silence="no-rtp", after_s=1))
    ledger.call(call_record(3, ended_at=NOON + timedelta(seconds=9)))
    ledger.call(call_record(4, server="voice-2"))
    ledger.transact(set_silence, ONE_CENTRE, ID, True, "seoul", NOON)

    first, second = ledger.transact(standing_calls, "voice-1")

    assert (first.incident_id, first.reference, first.state, first.silence) == (
        ID,
        "voice-1/1",
        "connected",
        "no-rtp",
    )
    assert first.is_lifted
    assert first.caller is not None
    assert first.caller.masked not in ("", "821012345678")
    assert "caller" not in repr(first)
    assert (second.state, second.silence, second.is_lifted) == ("arrived", "", False)
    assert first.started_at < second.started_at


def test_a_damaged_caller_takes_no_call_off_the_list(ledger: Ledger):
    ledger.call(call_record(1))
    ledger.transact(lambda connection: connection.execute(update(incident).values(sealed=b"damaged")))

    [call] = ledger.transact(standing_calls, "voice-1")

    assert call.caller is None
    assert (call.state, call.trunk) == ("", "skt")
