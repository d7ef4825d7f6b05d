"""The check on a real private Asterisk: every way to break the dialplans is found, with its file and line."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from telephony.asterisk import instance
from telephony.domain.errors import Unavailable
from telephony.lab.trial.check import check_dialplans

DIALPLANS = Path(__file__).parents[2] / "dialplans"
SOS = "onetouch/20-sos.conf"
CARRIERS = "onetouch/10-carriers.conf"


class Copy:
    """A copy of the dialplans that a test breaks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(DIALPLANS, folder, ignore=shutil.ignore_patterns("sounds"))

    def replace(self, file: str, old: str, new: str, *, count: int = 1) -> None:
        text = (self.folder / file).read_text()
        assert old in text, f"{file} no longer says {old!r}"
        (self.folder / file).write_text(text.replace(old, new, count))

    def line_of(self, file: str, words: str) -> str:
        lines = (self.folder / file).read_text().splitlines()
        return f"{file}:{next(number for number, line in enumerate(lines, 1) if words in line)}"


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path / "dialplans")


def found(done):
    return [(finding.where, finding.what) for finding in done.findings]


def is_told(done, where, words):
    assert any(each[0] == where and words in each[1] for each in found(done)), found(done)


def test_the_dialplans_as_they_are_have_no_findings_and_every_call_is_proven():
    done = check_dialplans(DIALPLANS)

    assert found(done) == []
    calls, forms = done.proven[:4], done.proven[4:]
    assert all("nothing audible at the phone" in each and "112 hears the phone" in each for each in calls)
    assert forms[:2] == tuple(
        f"from-{trunk}: 17 of 17 forms of a number go where they belong"
        for trunk in ("skt-voice", "kt-voice")
    )
    assert all("an SBC must rewrite it" in each for each in forms[2:])
    assert any("centre-1 refused" in each and "centre-2 rang" in each for each in done.proven)
    assert done.took_s < 120


LOADED = {
    "a missing bracket": (SOS, "[sos-drill] ", "[sos-drill ", "[sos-drill", "no closing bracket"),
    "a misspelt application": (SOS, " same => n(dial),Set(", " same => n(dial),Sett(", "Sett(", "the application Sett"),
    "a misspelt application within another": (SOS, "?MixMonitor(${SOS_ID}.wav))", "?MixMonitr(${SOS_ID}.wav))", "MixMonitr", "the application MixMonitr"),
    "a word for what is recorded that is none": ("globals.conf", "SOS_RECORD = on", "SOS_RECORD = On", "SOS_RECORD = On", "none of on, from-answer, off"),
    "a recording that no knob stops": (SOS, "same => n(up)", "same => n,MixMonitor(x.wav)\n same => n(up)", "MixMonitor(x", "whatever SOS_RECORD says"),
    "a brace that is not closed": (SOS, "${SOS_UTC_OFFSET}],UTC", "${SOS_UTC_OFFSET],UTC", "SOS_UTC_OFFSET],UTC", "is not closed"),
    "a silence that is none": (CARRIERS, "(skt-voice,,no-rtp)", "(skt-voice,,nortp)", "nortp", "silence 'nortp' is no mode"),
    "no way for unlisted numbers": (CARRIERS, "exten => _[+*#0-9]!,1", "exten => 1588113,1", "[from-skt-voice]", "takes no number that is not listed"),
    "an endpoint without its aor": ("pjsip.conf", "aors = skt-voice", "aors = skt", "aors = skt", "there is no aor skt,"),
    "an endpoint without an identify": ("pjsip.conf", "endpoint = skt-voice", "endpoint = kt-voice", "[skt-voice](carrier)", "has no identify"),
    "media that goes past us": ("pjsip.conf", "\ndirect_media = no", "\ndirect_media = yes", "direct_media = yes", "direct_media = yes"),
    "one address for two trunks": ("pjsip.conf", "match = 192.0.2.20", "match = 192.0.2.10/32", "match = 192.0.2.10/32", "is the address of skt-voice already (pjsip.conf:"),
    "keys of the centre's that no leg stops": ("onetouch/30-112.conf", " same => n,Set(DYNAMIC_FEATURES=sos-keys)\n", "", "[to-112]", "names no DYNAMIC_FEATURES"),
    "a key of the centre's that is handed on": ("features.conf", "key-pound => #,self", "key-pound => #,peer", None, "takes no key # out of the call"),
    "a Goto to nowhere": (SOS, "n,Goto(over)", "n,Goto(ovver)", "Goto(ovver)", "no label ovver"),
    "a sound in sos": (SOS, " same => n(up)", " same => n,Playback(beep)\n same => n(up)", "Playback(beep)", "makes a sound"),
    "a caller's name in an event": (SOS, "Stage: start,", "Stage: start,N: ${CALLERID(name)},", "N: ${", "unfiltered"),
    "func_env": ("modules.conf", "load = func_uri.so", "load = func_env.so\nload = func_uri.so", "func_env.so", "func_env is loaded"),
    "no second route": ("globals.conf", "SOS_ROUTE_2 = PJSIP/112@centre-2", "SOS_ROUTE_2 =", "SOS_ROUTE_2 =", "no route 2"),
    "a module less": ("modules.conf", "load = res_mutestream.so", "", None, "MUTEAUDIO"),
    "a module that is none": ("modules.conf", "load = func_uri.so", "load = func_urj.so", "func_urj", "Asterisk says"),
    "an extension that begins with n": (SOS, "exten => phone,1,Goto(caller,1)", "exten => phone,n,Goto(caller,1)", "phone,n", "Asterisk says"),
}  # fmt: skip

ELSEWHERE = {
    "a module less": (SOS, "MUTEAUDIO(out)=on"),
    "a key of the centre's that is handed on": ("onetouch/30-112.conf", "DYNAMIC_FEATURES"),
}
"""Findings that are told at another place than the one that is broken."""


@pytest.mark.parametrize("broken", LOADED)
def test_what_reading_and_loading_can_tell_is_told(copy, broken):
    file, old, new, at, words = LOADED[broken]
    copy.replace(file, old, new)

    done = check_dialplans(copy.folder, with_calls=False)

    where = copy.line_of(*ELSEWHERE[broken]) if at is None else copy.line_of(file, at)
    is_told(done, where, words)


def test_no_trial_call_is_made_through_half_a_dialplan(copy):
    copy.replace(SOS, "[sos-drill] ", "[sos-drill ")

    done = check_dialplans(copy.folder)

    assert done.proven == ("no trial call: Asterisk did not load what the files say",)


def test_a_missing_bracket_is_one_finding_with_how_much_is_gone(copy):
    copy.replace(SOS, "[sos-drill] ", "[sos-drill ")

    done = check_dialplans(copy.folder, with_calls=False)

    [(where, what)] = found(done)
    assert where == copy.line_of(SOS, "[sos-drill ")
    assert "no closing bracket" in what
    assert re.search(r"; \d+ contexts are gone with it, from onetouch/20-sos.conf:\d+ on$", what)


def test_a_misspelt_application_is_told_with_its_nearest_name(copy):
    copy.replace(SOS, "UserEvent(SOSCall,Stage: end", "UserEvnet(SOSCall,Stage: end")

    [finding] = check_dialplans(copy.folder, with_calls=False).findings

    assert finding.where == copy.line_of(SOS, "UserEvnet")
    assert finding.write.startswith("UserEvent, or if UserEvnet is what you mean, in modules.conf: load = ")


def test_no_trial_call_is_made_where_it_could_write_files(copy):
    copy.replace("modules.conf", "load = func_uri.so", "load = func_env.so\nload = func_uri.so")

    assert check_dialplans(copy.folder).proven == ("no trial call: modules are loaded that must not be",)


def test_an_answer_after_dial_rings_back_at_the_phone(copy):
    copy.replace(SOS, " same => n,Dial(Local/s@sos-up/n,1,gL(1))\n", "")
    copy.replace(SOS, " same => n,Answer()                                ; only", " ; only")
    copy.replace(SOS, " same => n(over),", " same => n(over),Answer()\n same => n,")

    done = check_dialplans(copy.folder)

    is_told(done, copy.line_of(SOS, "gb(to-112^s^1))"), "the phone got 180")
    is_told(
        done,
        copy.line_of(SOS, "G(sos-room^phone^1))"),
        "from-kt-voice 112: the phone got 180",
    )


def test_a_centre_that_can_be_heard_at_the_phone_is_found(copy):
    copy.replace(SOS, " same => n,Set(MUTEAUDIO(out)=on) ", " ;")

    done = check_dialplans(copy.folder)

    is_told(done, copy.line_of(SOS, "gb(to-112^s^1))"), "(the centre's voice)")


def test_a_route_that_is_never_tried_is_found(copy):
    copy.replace(SOS, "${SOS_N} > 3", "${SOS_N} > 1")

    done = check_dialplans(copy.folder)

    assert any("no second one was dialled" in each[1] for each in found(done)), found(done)


def test_an_invite_without_its_headers_is_found(copy):
    copy.replace(SOS, "gb(to-112^s^1))", "g)")

    done = check_dialplans(copy.folder)

    where = copy.line_of(SOS, "SOS_ROUTE_${SOS_N}_SECONDS},g)")
    is_told(done, where, "no X-Incident-ID of this call")
    is_told(done, where, "no Geolocation of this call")


def test_whatever_waits_before_112_is_found_at_the_step_that_waits(copy):
    copy.replace(SOS, " same => n(dial),", " same => n(dial),Wait(3)\n same => n,")
    copy.replace(SOS, "Stage: start,", "Stage: begin,")

    done = check_dialplans(copy.folder)

    is_told(done, copy.line_of(SOS, "Wait(3)"), "112 was not dialled within 1 s")
    assert any("no UserEvent SOSCall with Stage: start" in each[1] for each in found(done))


def test_a_trunk_that_leads_nowhere_is_found(copy):
    carriers = "onetouch/10-carriers.conf"
    text = (copy.folder / carriers).read_text()
    (copy.folder / carriers).write_text(
        text.replace("Gosub(sos-entry,s,1(kt-voice", "Gosub(sos-drill,s,1(kt-voice")
    )

    done = check_dialplans(copy.folder, with_calls=False)

    is_told(done, copy.line_of(carriers, "[from-kt-voice]"), "no number of the trunk kt-voice leads to")


def test_a_trunk_on_which_the_drill_rings_112_is_found_and_so_is_one_that_knows_only_its_plain_number(copy):
    copy.replace(CARRIERS, "Gosub(sos-entry,s,1(skt-voice,", "Gosub(sos,s,1(skt-voice,")
    copy.replace(CARRIERS, "Gosub(sos-entry,s,1(kt-voice,", "Gosub(sos,s,1(kt-voice,")
    exact = "exten => 1129,1,Gosub(sos-drill,s,1(kt-voice,${EXTEN}))\nexten => 1588112,1,Goto(service,s,1)\n"
    copy.replace(CARRIERS, "[from-kt-voice]\n", f"[from-kt-voice]\n{exact}")

    done = check_dialplans(copy.folder)

    skt, kt = (copy.line_of(CARRIERS, f"[from-{trunk}]") for trunk in ("skt-voice", "kt-voice"))
    for number in ("1129", "1129;phone-context=+82", "+821129"):
        is_told(done, skt, f"sip:{number} on the trunk skt-voice goes to 112, and not to the drill")
    is_told(done, skt, "sip:1588112 on the trunk skt-voice goes to 112, and not to the service menu")
    is_told(done, kt, "sip:1129;phone-context=+82 on the trunk kt-voice goes to 112, and not to the drill")
    assert not any("sip:1129 on the trunk kt-voice" in what for _, what in found(done))


def test_a_site_whose_routes_name_addresses_is_called_on_loopback_all_the_same(copy):
    """No trial call leaves the machine."""
    (copy.folder / "globals.local.conf").write_text(
        "SOS_ROUTE_1 = PJSIP/centre-1/sip:112@192.0.2.1:5060\nSOS_ROUTE_2_ANYWAY = PJSIP/centre-2/sip:112@192.0.2.2\n"
    )

    done = check_dialplans(copy.folder)

    assert found(done) == []
    assert "centre-1 rang" in done.proven[0]


def test_where_no_asterisk_is_installed_it_is_said_how_to_install_it(monkeypatch):
    monkeypatch.setattr(instance.shutil, "which", lambda _: None)
    monkeypatch.setattr(instance, "_PROGRAMS", ())

    with pytest.raises(Unavailable, match="apt-get install asterisk"):
        check_dialplans(DIALPLANS)
