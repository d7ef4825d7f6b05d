"""Drills and calls for the menu ring no 112, misspelt knobs are named, and the daemon's settings say the same. Needs no Asterisk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from telephony.asterisk.dialplan.files import read_dialplan
from telephony.asterisk.dialplan.knobs import check_knobs, names_read
from telephony.asterisk.dialplan.numbers import Site, Trunk, at_home, check_against, check_numbers
from tests.asterisk.dialplan.test_files import DIALPLANS

GLOBALS = """\
[globals]
SOS_DRILL = 1129
SOS_SERVICE = 1588112
SOS_COUNTRY = 82
SOS_UTC_OFFSET = 32400
"""
PLAN = """\
[from-skt]
exten => _[+*#0-9]!,1,Gosub(sos-entry,s,1(skt,${FILTER(0-9+*#,${EXTEN})},no-rtp))
[sos-entry]
exten => s,1,GotoIf($[${FIELDNUM(SOS_DRILL,&,${ARG2})} > 0]?drill)
 same => n,GotoIf($["${SOS_COUNTRY}${SOS_UTC_OFFSET}${SOS_SERVICE}" = "x"]?service)
 same => n,Gosub(sos,s,1(${ARG1},${ARG2},${ARG3}))
 same => n(drill),Gosub(sos-drill,s,1(${ARG1},${ARG2}))
 same => n(service),Goto(service,s,1)
[sos]
exten => s,1,Dial(${SOS_ROUTE_${SOS_N}},${SOS_ROUTE_${SOS_N}_SECONDS})
[sos-drill]
exten => s,1,Answer()
[service]
exten => s,1,Answer()
"""
STRAIGHT = "[from-kt]\nexten => _[+*#0-9]!,1,Gosub(sos,s,1(kt,${FILTER(0-9+*#,${EXTEN})},no-rtp))\n"
"""A trunk that leads to the held key without looking at the number."""
DRILL_OF_ITS_OWN = "exten => 1129,1,Gosub(sos-drill,s,1(kt,${EXTEN}))\nexten => 1588112,1,Goto(service,s,1)\n"

SKT = Trunk(frozenset({"112"}), frozenset({"1129"}))
SITE = Site({"skt": SKT}, frozenset({"1588112"}), "82", 32400)


@pytest.fixture
def read(tmp_path: Path):
    def read_it(plan: str = PLAN, settings: str = GLOBALS):
        (tmp_path / "extensions.conf").write_text(settings + plan)
        return read_dialplan(tmp_path)

    return read_it


def said(findings):
    return [finding.what for finding in findings]


# -- where numbers lead ------------------------------------------------------------------------------------------------


def test_a_trunk_that_looks_at_the_number_rings_no_112_for_a_drill(read):
    assert said(check_numbers(read())) == []


def test_a_trunk_without_the_drills_number_rings_112_for_a_drill(read):
    found = list(check_numbers(read(PLAN + STRAIGHT)))

    assert said(found) == [
        "1129, the drill's number, dialled on the trunk kt rings 112",
        "1588112, the service number, dialled on the trunk kt rings 112",
    ]
    assert [each.where for each in found] == ["extensions.conf:20"] * 2
    assert "Gosub(sos-entry,s,1(kt,…))" in found[0].write


def test_a_trunk_may_have_an_extension_of_its_own_for_them(read):
    assert said(check_numbers(read(PLAN + STRAIGHT + DRILL_OF_ITS_OWN))) == []


def test_several_numbers_of_a_knob_are_each_looked_at(read):
    plan = PLAN + STRAIGHT + DRILL_OF_ITS_OWN

    found = check_numbers(read(plan, GLOBALS.replace("= 1129", "= 1129&1128")))

    assert said(found) == ["1128, the drill's number, dialled on the trunk kt rings 112"]


# -- knobs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("SOS_DRIL = 1128", "SOS_DRILL"),
        ("SOS_DRILLS = 1128", "SOS_DRILL"),
        ("sos_drill = 1128", "SOS_DRILL"),
        ("SOS_UTCOFFSET = 0", "SOS_UTC_OFFSET"),
        ("SOS_ROUTE_1_SECOND = 6", "SOS_ROUTE_1_SECONDS"),
        ("SOS_ROUT_1 = PJSIP/x", "SOS_ROUTE_1"),
    ],
)
def test_a_misspelt_knob_is_named_with_the_one_that_is_meant(read, written, meant):
    routes = "SOS_ROUTE_1 = PJSIP/112@a\nSOS_ROUTE_1_SECONDS = 6\n"

    (found,) = check_knobs(read(settings=f"{GLOBALS}{routes}{written}\n"))

    name, _, value = written.partition(" = ")
    assert found.what.startswith(f"nothing reads {name}, and {meant} keeps the value")
    assert found.what.endswith(f"did you mean {meant}?")
    assert (found.where, found.write) == ("extensions.conf:8", f"{meant} = {value}")


def test_a_knob_that_is_near_none_is_named_too_and_a_sites_own_global_is_not(read):
    found = check_knobs(read(settings=f"{GLOBALS}SOS_COLOUR_OF_LAMP = red\nOUR_BACKUP = 3\n"))

    assert said(found) == ["nothing reads SOS_COLOUR_OF_LAMP: it is no knob of this dialplan"]


def test_a_knob_that_another_names_is_read(read):
    routes = "VOICE_BASE = /srv\nSOS_ROUTE_1 = ${VOICE_BASE}\n"

    assert said(check_knobs(read(settings=GLOBALS + routes))) == []


def test_a_name_that_is_put_together_in_a_call_is_read_as_any_word():
    read = names_read("Dial(${SOS_ROUTE_${SOS_N}},${SOS_ROUTE_${SOS_N}_SECONDS})")

    assert {"SOS_ROUTE_[0-9A-Za-z]+", "SOS_ROUTE_[0-9A-Za-z]+_SECONDS", "SOS_N"} <= read
    assert names_read("${${X}}${ $[") == {"X"}


# -- the daemon's settings ---------------------------------------------------------------------------------------------


def test_settings_that_say_the_same_have_no_findings(read):
    assert said(check_against(read(), SITE)) == []


@pytest.mark.parametrize(
    ("site", "words"),
    [
        (replace(SITE, country="81"), "SOS_COUNTRY is 82, and [service] country_code says 81"),
        (
            replace(SITE, utc_offset_s=0),
            "SOS_UTC_OFFSET is 32400, and the standard time of [service] timezone says 0",
        ),
        (
            replace(SITE, trunks={"skt": SKT, "lgu": SKT}),
            "there is no context from-lgu: its calls are refused",
        ),
        (
            replace(SITE, trunks={}),
            "the settings have no [[carrier.trunk]] skt: its calls are told to 112 as the first",
        ),
        (
            replace(SITE, service=frozenset()),
            "1588112 is not among recognition.service_numbers of the settings",
        ),
        (
            replace(SITE, trunks={"skt": replace(SKT, sos=frozenset({"112", "01129"}))}),
            "1129 is among sos_numbers of the settings: a held key that dials it is taken for a drill",
        ),
    ],
    ids=["country", "clock", "no context", "no trunk", "service", "held key"],
)
def test_what_the_settings_say_otherwise_is_found(read, site, words):
    (found,) = check_against(read(), site)

    assert words in found.what


@pytest.mark.parametrize("trunk", ["skt", "kt"])
def test_a_test_number_that_the_dialplan_does_not_know_rings_112(read, trunk):
    """Whether the trunk looks at the number, or tells a drill by extensions of its own."""
    trunks = {"skt": SKT, "kt": SKT} | {trunk: replace(SKT, drill=frozenset({"1129", "+821128"}))}

    (found,) = check_against(read(PLAN + STRAIGHT + DRILL_OF_ITS_OWN), replace(SITE, trunks=trunks))

    assert found.what == (
        f"1128 is among test_numbers of the settings and not in SOS_DRILL: dialled on the trunk {trunk} it rings 112"
    )
    assert found.write == "SOS_DRILL = 1129&1128 in globals.local.conf"


def test_a_test_number_with_an_extension_of_its_own_rings_no_112(read):
    plan = PLAN + STRAIGHT + DRILL_OF_ITS_OWN + "exten => 1128,1,Gosub(sos-drill,s,1(kt,${EXTEN}))\n"
    trunks = {"skt": SKT, "kt": replace(SKT, drill=frozenset({"1128"}))}

    assert said(check_against(read(plan), replace(SITE, trunks=trunks))) == []


def test_a_service_number_that_the_dialplan_does_not_know_rings_112(read):
    (found,) = check_against(read(), replace(SITE, service=frozenset({"1588112", "1588113"})))

    assert found.what == (
        "1588113 is among service_numbers of the settings and not in SOS_SERVICE: dialled on the trunk skt it rings 112"
    )


@pytest.mark.parametrize("number", ["1129", "01129", "821129", "+821129", "00821129"])
def test_a_number_is_compared_as_it_is_dialled_at_home(number):
    assert at_home(number, "82") == "1129"


def test_the_dialplans_as_they_are_have_no_findings():
    dialplan = read_dialplan(DIALPLANS)

    assert said(check_knobs(dialplan)) == []
    assert said(check_numbers(dialplan)) == []
    assert dialplan.globals
