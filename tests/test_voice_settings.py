"""The tables of voice: the samples that are shipped, the words of their faults, and what is hardly meant."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from telephony.cli.own_ports import TAKEN, own_ports, try_own_ports
from telephony.settings import load_with_places, remarks
from tests.pem_files import write_pair
from tests.test_settings import ROOT, House

VOICE = """
[[asterisk]]
name = "voice-1"
secret = {env = "PATH"}
"""


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_the_commented_samples_of_voice_are_settings_too(monkeypatch, tmp_path):
    """An operator who takes the # away in front of a table gets what the text above it says."""
    monkeypatch.chdir(ROOT)
    secret = tmp_path / "secret"
    secret.write_text("x")
    shipped = Path("config/onetouch.toml").read_text()
    voice = shipped[shipped.index("# --- Voice") : shipped.index("# --- 112 centres")]
    write_pair(tmp_path / "onetouch.pem", tmp_path / "onetouch.key")
    for path in ("secrets/voice-1", "secrets/mirror"):
        shipped = shipped.replace(f"/etc/onetouch/{path}", str(secret))
    shipped = shipped.replace("/etc/onetouch/asterisk-ca.pem", str(tmp_path / "onetouch.pem"))
    for path in ("onetouch.pem", "onetouch.key"):
        shipped = shipped.replace(f"/etc/onetouch/{path}", str(tmp_path / path))
    token = tmp_path / "token"
    token.write_text("0123456789abcdef" * 2)
    shipped = shipped.replace("/etc/onetouch/app-112.token", str(token))
    tables = ("[[carrier.trunk]]", "[[psap.channel]]", "service_numbers", *re.findall(r"# (\[.+\])\n", voice))
    file = tmp_path / "onetouch.toml"
    file.write_text(uncommented(shipped, tables))

    loaded = load_with_places(file)

    settings = loaded.settings
    assert remarks(loaded) == []
    assert [server.name for server in settings.asterisk] == ["voice-1"]
    assert [rule.meaning for rule in settings.voice.knock] == ["cannot-speak", "armed"]
    assert settings.carrier[0].trunk[0].name == "skt-voice"
    assert settings.psap[0].voice_channels[0].name == "112-seoul-phone"
    assert settings.recognition.service_numbers == ("1588112",)
    assert settings.web is not None
    assert [presser.name for presser in settings.web.presser] == ["app-112"]
    assert settings.service_menu is not None
    assert settings.plan.tells_guardians


def uncommented(text: str, starts: tuple[str, ...]) -> str:
    """Take the # away from lines that begin so, and from the keys below those of them that begin a table."""
    lines = []
    is_within = False
    for line in text.splitlines():
        bare = line.removeprefix("# ")
        if bare.startswith("["):
            is_within = line != bare and bare in starts
        is_key = re.match(r"[a-z_]+ = ", bare) is not None
        is_wanted = bare.startswith(starts) or (is_within and is_key)
        lines.append(bare if is_wanted else line)
        is_within = is_within and line != ""
    return "\n".join(lines)


def test_a_secret_or_a_persons_number_in_the_wrong_form_is_not_repeated(house):
    """Faults of a reload go into the log."""
    house.add('[[asterisk]]\nname = "voice-1"\nsecret = "hunter2"\n')
    house.add('[[guardians.listed]]\nof = "call 010-1234-5678"\nphone = "010-8765-4321 (mother)"\n')

    faults = house.faults()

    assert faults["asterisk[0].secret"].startswith("what is written is not the place of a secret; ")
    for key in ("of", "phone"):
        assert "write a telephone number in quotes" in faults[f"guardians.listed[0].{key}"]
    told = " ".join(faults.values())
    assert not [private for private in ("hunter2", "1234-5678", "8765-4321") if private in told]


def test_channels_of_both_kinds_stand_in_one_table_in_any_order(house):
    phone = '[[psap.channel]]\nkind = "voice"\nname = "phone"\nafter_s = 5\n'
    house.replace("[[psap.channel]]", phone + '[[psap.channel]]\nkind = "cap-http"').add(VOICE)

    settings = house.load()

    [centre] = settings.psap
    assert [(each.kind, each.name) for each in centre.channel] == [
        ("voice", "phone"),
        ("cap-http", "centre-a"),
    ]
    assert [each.name for each in centre.data_channels] == ["centre-a"]
    assert [each.number for each in centre.voice_channels] == ["112"]
    assert [(each.channel, each.after_s, each.alerts_only) for each in settings.plan.reports("skt")] == [
        ("phone", 5.0, True),
        ("centre-a", 0.0, False),
    ]


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ('[[asterisk]]\nport = "x"\n', "asterisk[0].port", "e.g. port = 5038"),
        ("[[asterisk]]\nport = 1\n", "asterisk[0].name", 'e.g. name = "voice-1"'),
        ('[web]\nport = "x"\n', "web.port", "e.g. port = 8480"),
        ('[[psap.channel]]\nkind = "voice"\nconfirm_digit = "11"\n', "psap[0].channel[1].confirm_digit", "write one digit in quotes"),
        ('[[psap.channel]]\nkind = "voice"\nname = "a b"\n', "psap[0].channel[1].name", 'e.g. name = "112-seoul-phone"'),
        ('[[psap.channel]]\nname = "a-b"\nurl = "x"\n', "psap[0].channel[1].url", 'e.g. url = "https://192.0.2.30/cap"'),
        ('[[psap.channel]]\nkind = "voice"\nnumber = "1 12"\n', "psap[0].channel[1].number", "digits, perhaps + in front"),
        ('[guardians]\nendpoint = "a/b"\n', "guardians.endpoint", "write an endpoint of pjsip.conf"),
        ('[[voice.knock]]\ndigits = "1a"\n', "voice.knock[0].digits", "A to D, 16 at most"),
        ('[[asterisk]]\nusername = ""\n', "asterisk[0].username", "a text in quotes on one line"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_voice_is_told_in_words_with_an_example(house, text, key, words):
    assert words in house.add(text).faults()[key]


def test_a_mirror_that_knows_no_trunk_by_its_address_is_a_fault_and_a_network_is_read(house):
    house.replace("[carrier.lbs]", TRUNK + "[carrier.lbs]").add(VOICE + "mirror = {port = 9060}\n")
    assert "no trunk has addresses" in house.faults()["asterisk[0].mirror"]

    house.replace(TRUNK, TRUNK + 'addresses = ["192.0.2.7/28", "2001:db8::1"]\n')
    settings = house.load()
    assert settings.carrier[0].trunk[0].addresses == ("192.0.2.0/28", "2001:db8::1/128")
    assert ("own UDP port", "sip-mirror voice-1", 9060) in [
        (port.kind, port.name, port.port) for port in own_ports(settings)
    ]

    house.replace("2001:db8::1", "kt.example")
    assert "addresses" in " ".join(house.faults())


def test_a_port_of_udp_that_somebody_has_is_said_to_be_taken(house):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        trunk = TRUNK + 'addresses = ["192.0.2.7"]\n'
        house.replace("[carrier.lbs]", trunk + "[carrier.lbs]")
        house.add(VOICE + f"mirror = {{port = {other.getsockname()[1]}}}\n")

        (tried,) = [
            each for each in try_own_ports(house.load()) if each.far_end.name.startswith("sip-mirror")
        ]

    assert tried.detail == TAKEN


TRUNK = '[[carrier.trunk]]\nname = "skt-voice"\n'
CLEAR_WEB = "web: without tls_certificate"
NO_MENU = "recognition.service_numbers: whoever dials them is told that the menu has failed; add a table [service_menu]"
NO_SMS = "recognition.service_numbers: the USSD menu cannot ask any guardian to agree; add a table [sms]"
NO_NUMBERS = "service_menu: a call for the menu on a carrier's trunk is reported to 112 as an emergency"


@pytest.mark.parametrize(
    ("trunk", "general", "text", "words"),
    [
        ("", "", VOICE, "asterisk: no call is ever heard of: no carrier has a trunk"),
        ("", "", VOICE + '[[psap.channel]]\nkind = "voice"\nname = "phone"\n', None),
        ("", "", VOICE + '[[guardians.listed]]\nof = "010-1"\nphone = "010-2"\n', None),
        (TRUNK, "", VOICE, "(carrier skt) trunk: the location URL that 112 gets with each call leads nowhere"),
        (TRUNK, "", VOICE + "[web]\n", None),
        (TRUNK, "", VOICE + "[web]\ninterface = '0.0.0.0'\n", CLEAR_WEB),
        (TRUNK, "", VOICE + "host = '192.0.2.1'\nrecordings = '/srv'\n[web]\n", "(Asterisk voice-1): AMI without tls"),
        (TRUNK, "", VOICE + "host = '192.0.2.1'\ntls = {}\n[web]\n", "its recordings are not seen from here"),
        (TRUNK, "", VOICE + "ping_s = 20\n[web]\n", "(Asterisk voice-1): a dead link is found after 25 s"),
        ("", "service_numbers = ['1588112']", "", NO_MENU),
        ("", "service_numbers = ['1588112']", "[sms]\nsender = '1588112'\n", None),
        ("", "service_numbers = ['*1588#']", "", NO_SMS),
        ("", "service_numbers = ['*1588#', '1588112']", "[sms]\nsender = '1588112'\n", None),
        ("", "", "[service_menu]\n", NO_NUMBERS),
        ("", "service_numbers = ['1588112']", "[service_menu]\n", None),
        ("", "service_numbers = ['1588112']", "[service_menu]\ninterface = '0.0.0.0'\n", "FastAGI has no"),
    ],
)  # fmt: skip
def test_voice_that_is_hardly_meant_is_one_remark(house, trunk, general, text, words):
    house.replace("[carrier.lbs]", trunk + "[carrier.lbs]").replace("[[carrier]]", f"{general}\n[[carrier]]")

    told = house.add(text).remarks()

    assert len(told) == (words is not None), told
    assert words is None or words in told[0]
