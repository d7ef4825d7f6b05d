"""A trunk that is there by half: each half is found with its file, its line and what to write. Needs no Asterisk."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from telephony.asterisk.dialplan.files import read_dialplan
from telephony.asterisk.dialplan.pjsip_sections import read_sections
from telephony.asterisk.dialplan.trunks import check_trunks
from tests.asterisk.dialplan.test_files import DIALPLANS

PLAN = """\
[from-skt]
exten => 112,1,Gosub(sos,s,1(skt,${EXTEN},no-rtp))
exten => _[+*#0-9A-Za-z]!,1,Gosub(sos,s,1(skt,${FILTER(0-9A-Za-z+*#._\\x2D,${EXTEN})},no-rtp))
[from-112]
exten => _[+*#0-9]!,1,Hangup(21)
"""
PJSIP = """\
[carrier](!)
type = endpoint
direct_media = no
trust_id_inbound = yes
[skt](carrier)
context = from-skt
aors = skt
[skt]
type = aor
[skt]
type = identify
endpoint = skt
match = 192.0.2.10,192.0.2.11
[centre]
type = endpoint
context = from-112
direct_media = no
aors = centre
[centre]
type = aor
"""


@pytest.fixture
def check(tmp_path: Path):
    """Check these two files; gives where, what and what to write."""

    def check_them(plan: str = PLAN, pjsip: str = PJSIP) -> list[tuple[str, str, str]]:
        (tmp_path / "extensions.conf").write_text(plan)
        (tmp_path / "pjsip.conf").write_text(pjsip)
        found = check_trunks(read_dialplan(tmp_path), read_sections(tmp_path))
        return [(finding.where, finding.what, finding.write) for finding in found]

    return check_them


def test_a_trunk_in_full_has_no_findings(check):
    assert check() == []
    assert check_trunks(read_dialplan(DIALPLANS), read_sections(DIALPLANS)) == []


BROKEN = [
    ("aors = skt\n", "", "pjsip.conf:5", "endpoint skt names no aor", "aors = skt"),
    ("[skt]\ntype = aor\n", "", "pjsip.conf:7", "there is no aor skt", "[skt] with type = aor"),
    ("type = identify", "type = acl", "pjsip.conf:5", "endpoint skt has no identify", "type = identify"),
    ("endpoint = skt\n", "endpoint = kt\n", "pjsip.conf:10", "of the endpoint kt, which does not exist", "trunk's name"),
    ("match = 192.0.2.10,192.0.2.11\n", "", "pjsip.conf:10", "identify skt matches nothing", "match ="),
    ("trust_id_inbound = yes\n", "", "pjsip.conf:4", "does not trust P-Asserted-Identity", "trust_id_inbound = yes"),
    ("direct_media = no\ntrust", "trust", "pjsip.conf:4", "endpoint skt: direct_media is not set", "direct_media = no"),
    ("no\ntrust", "yes\ntrust", "pjsip.conf:3", "endpoint skt: direct_media = yes", "direct_media = no"),
]  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN, ids=[what for _, _, _, what, _ in BROKEN])
def test_what_is_missing_in_pjsip_is_found(check, broken):
    old, new, where, what, write = broken
    assert old in PJSIP

    found = check(pjsip=PJSIP.replace(old, new, 1))

    assert any(each[0] == where and what in each[1] and write in each[2] for each in found), found


@pytest.mark.parametrize("match", ["192.0.2.11", "192.0.2.11/32", "198.51.100.7, 192.0.2.10"])
def test_one_address_of_two_trunks_is_found(check, match):
    other = f"[kt](carrier)\naors = skt\n[kt]\ntype = identify\nendpoint = kt\nmatch = {match}\n"

    [(where, what, write)] = check(pjsip=PJSIP + other)

    assert (where, write) == ("pjsip.conf:26", "one address, one trunk")
    assert "is the address of skt already (pjsip.conf:13)" in what


def test_an_address_written_twice_for_one_trunk_is_no_finding(check):
    assert check(pjsip=PJSIP + "[again]\ntype = identify\nendpoint = skt\nmatch = 192.0.2.10\n") == []


@pytest.mark.parametrize("mode", ["nortp", "zero", "", "NO-RTP"])
def test_a_silence_that_is_none_is_found(check, mode):
    plan = PLAN.replace("${EXTEN},no-rtp", f"${{EXTEN}},{mode}", 1)

    [(where, what, write)] = check(plan)

    assert (where, write) == ("extensions.conf:2", "no-rtp or zeros")
    assert f"silence {mode!r} is no mode" in what


def test_a_held_key_without_a_silence_is_found(check):
    [(where, what, _)] = check(PLAN.replace("${EXTEN},no-rtp", "${EXTEN}", 1))

    assert where == "extensions.conf:2"
    assert "silence '' is no mode" in what


@pytest.mark.parametrize("pattern", ["1588112", "_[0-9]!", "_X.", "_[*#0-9]!", "_[+*#0-9]!"])
def test_a_trunk_that_refuses_numbers_is_found(check, pattern):
    [(where, what, write)] = check(PLAN.replace("_[+*#0-9A-Za-z]!", pattern, 1))

    assert where == "extensions.conf:1"
    assert "from-skt takes no number that is not listed" in what
    assert write.startswith("exten => _[+*#0-9]!,1,Gosub(sos-entry,s,1(skt,")


def test_no_mutation_of_the_real_files_breaks_the_check(tmp_path):
    rng = random.Random(4)
    text = (DIALPLANS / "pjsip.conf").read_text()
    (tmp_path / "extensions.conf").write_text(PLAN)
    for _ in range(200):
        at, length = rng.randrange(len(text)), rng.randrange(40)
        broken = text[:at] + "".join(rng.choices("[](),=;!+\n$ak", k=length)) + text[at + length :]
        (tmp_path / "pjsip.conf").write_text(broken)
        check_trunks(read_dialplan(tmp_path), read_sections(tmp_path))
