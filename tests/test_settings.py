"""What the operator wrote becomes settings, or a list of every fault with what to write instead."""

from __future__ import annotations

import random
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from telephony.settings import SettingsFaults, load, load_with_places, remarks
from telephony.settings.model import Service
from tests.pem_files import write_pair

ROOT = Path(__file__).parent.parent

GOOD = """
[service]
state_dir = "{state}"

[recognition]
sos_numbers = ["112"]
test_numbers = ["1129"]

[[carrier]]
name = "skt"
[[carrier.smpp]]
name = "skt-1"
host = "127.0.0.1"
system_id = "onetouch"
[carrier.lbs]
url = "http://127.0.0.1:9210/"
client_id = "onetouch"

[[psap]]
name = "centre"
addresses = "centre"
[[psap.channel]]
name = "centre-a"
url = "http://127.0.0.1:8112/"
"""


class House:
    """A folder with a settings file that a test changes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.text = GOOD.format(state=folder / "state")

    def replace(self, old: str, new: str) -> House:
        assert old in self.text
        self.text = self.text.replace(old, new, 1)
        return self

    def add(self, text: str) -> House:
        self.text += text
        return self

    def file(self, name: str, text: str = "") -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def load(self):
        return load(self.file("onetouch.toml", self.text))

    def remarks(self) -> list[str]:
        return [str(each) for each in remarks(load_with_places(self.file("onetouch.toml", self.text)))]

    def refusal(self) -> str:
        with pytest.raises(SettingsFaults) as caught:
            self.load()
        return str(caught.value)

    def faults(self) -> dict[str, str]:
        """Return problem and advice of each fault, by its key."""
        with pytest.raises(SettingsFaults) as caught:
            self.load()
        return {fault.key: f"{fault.problem}; {fault.instead}" for fault in caught.value.faults}


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def test_a_complete_file_becomes_settings_with_the_defaults_filled_in(house):
    settings = house.load()

    assert settings.carrier[0].smpp[0].port == 2775
    assert settings.store.commit_budget_s == 2.0
    assert settings.database_url == f"sqlite:///{house.folder}/state/onetouch.sqlite"


def test_the_shipped_file_loads_as_it_is_and_gives_no_remark(monkeypatch):
    monkeypatch.chdir(ROOT)

    loaded = load_with_places(Path("config/onetouch.toml"))

    assert remarks(loaded) == []


def test_the_example_of_the_three_carriers_loads_once_its_secrets_are_provided(house, monkeypatch):
    example = (ROOT / "config/carriers.example.toml").read_text()
    for name in (
        "SKT_SMPP_PASSWORD",
        "SKT_LBS_PASSWORD",
        "KT_SMPP_PASSWORD",
        "LGU_SMPP_PASSWORD",
        "LGU_LBS_PASSWORD",
    ):
        monkeypatch.setenv(name, "secret")
    for folder in ("tls", "secrets"):
        (house.folder / folder).mkdir()
        example = example.replace(f"/etc/onetouch/{folder}", str(house.folder / folder))
    for name in ("skt-ca", "kt-ca", "lgu-ca", "onetouch"):
        write_pair(house.folder / f"tls/{name}.pem", house.folder / f"tls/{name}.key")
    house.file("secrets/kt-lbs", "secret\n")
    house.file("carriers.toml", example)
    start, end = house.text.index("[[carrier]]"), house.text.index("[[psap]]")
    house.text = 'include = ["carriers.toml"]\n' + house.text[:start] + house.text[end:]
    house.add(TRUNK.partition("[[carrier.trunk]]")[0] + "[web]\n")

    settings = house.load()

    assert [(carrier.name, carrier.mncs) for carrier in settings.carrier] == [
        ("skt", ("05",)),
        ("kt", ("02", "04", "08")),
        ("lgu", ("06",)),
    ]
    assert all(len({link.host for link in carrier.smpp}) == 2 for carrier in settings.carrier)
    assert "11290" in settings.recognition_for("lgu").sos_numbers
    assert "11290" not in settings.recognition_for("kt").sos_numbers
    assert house.remarks() == []


def test_a_fault_names_the_file_the_key_and_what_to_write_instead(house):
    house.replace('host = "127.0.0.1"', 'host = "127.0.0.1"\nport = "27x5"')

    with pytest.raises(SettingsFaults) as caught:
        house.load()

    assert str(caught.value) == (
        f'{house.folder}/onetouch.toml:14: (link skt-1) port: "27x5" is not a port number; '
        "write a number from 1 to 65535, e.g. port = 2775"
    )


def test_all_faults_are_told_at_once_whatever_their_kind(house):
    """A wrong port in one table does not hide a missing secret in another."""
    house.replace("[service]", '[service]\nnmae = "x"')
    house.replace(
        'system_id = "onetouch"', 'system_id = "onetouch"\nwindow = 0\npassword = {env = "NOT_SET_ANYWHERE"}'
    )
    house.add('[[psap]]\nname = "centre"\naddresses = "a b"\ncarriers = ["sktt"]\nchannel = []\n')

    faults = house.faults()

    assert faults["service.nmae"].endswith("did you mean name?")
    assert faults["carrier[0].smpp[0].window"].startswith(
        "0 is out of range; write a whole number from 1 to 1000"
    )
    assert faults["carrier[0].smpp[0].password"].endswith("set the environment variable NOT_SET_ANYWHERE")
    assert faults["psap[1].name"].startswith('"centre" already stands for another 112 centre')
    assert faults["psap[1].addresses"].startswith('"a b" does not fit here')
    assert faults["psap[1].carriers[0]"].endswith("did you mean skt?")
    assert faults["psap[1].channel"].startswith("is empty; write at least one table [[psap.channel]]")
    assert len(faults) == 7


TRUNK = """
[[asterisk]]
name = "voice-1"
secret = {env = "PATH"}
[[carrier.trunk]]
name = "skt-voice"
"""
KNOCK = """
[[voice.knock]]
meaning = "cannot-speak"
taps = 2
ko = "말을 할 수 없음"
en = "cannot speak"
"""
PHONE = """[[psap.channel]]
kind = "voice"
name = "phone"
"""
ASTERISK = """[[asterisk]]
name = "v"
secret = {env = "PATH"}
"""

ONE_FAULT = [
    ("unknown key", "[recognition]", '[recognition]\nsos_number = "1"', "recognition.sos_number", "did you mean sos_numbers?"),
    ("unknown table", "[recognition]", "[logs]\n[recognition]", "logs", "did you mean log?"),
    ("no SOS number", '["112"]', "[]", "recognition.sos_numbers", "is empty"),
    ("a number without quotes", '["112"]', "[112]", "recognition.sos_numbers[0]", "112 is not a text"),
    ("a drill that is an emergency", '["1129"]', '["112"]', "recognition.test_numbers[0]", "is an SOS number too"),
    ("a missing key", 'host = "127.0.0.1"\n', "", "carrier[0].smpp[0].host", "is missing"),
    ("a truth for a number", 'host = "127.0.0.1"', 'host = "x"\nwindow = true', "carrier[0].smpp[0].window", "true is not a number"),
    ("a fraction", 'host = "127.0.0.1"', 'host = "x"\nwindow = 2.5', "carrier[0].smpp[0].window", "2.5 is not a whole number"),
    ("not a number at all", 'host = "127.0.0.1"', 'host = "x"\nbind_timeout_s = nan', "carrier[0].smpp[0].bind_timeout_s", "out of range"),
    ("a choice", 'host = "127.0.0.1"', 'host = "x"\nbind = "trx"', "carrier[0].smpp[0].bind", '"trx" is not one of the choices'),
    ("a name", 'name = "skt-1"', 'name = "SKT 1"', "carrier[0].smpp[0].name", "lower-case letters"),
    ("one table for a list", "[[carrier.smpp]]", "[carrier.smpp]", "carrier[0].smpp", "[[carrier.smpp]]"),
    ("an address of another kind", "http://127.0.0.1:9210/", "ftp://h/", "carrier[0].lbs.url", "neither http nor https"),
    ("no address", "http://127.0.0.1:9210/", "nowhere", "carrier[0].lbs.url", "is not an address"),
    ("a store of another kind", "[recognition]", '[store]\nurl = "mysql://h/d"\n[recognition]', "store.url", "not a store that we keep"),
    ("no store", "[recognition]", '[store]\nurl = "::"\n[recognition]', "store.url", "not an address of a store"),
    ("a store in memory", "[recognition]", '[store]\nurl = "sqlite://"\n[recognition]', "store.url", "forgets every press"),
    ("a TLS file that is not there", 'host = "127.0.0.1"', 'host = "x"\ntls = {ca_file = "/nowhere.pem"}', "carrier[0].smpp[0].tls.ca_file", "No such file"),
    ("half a certificate", "[recognition]", '[smpp_server]\ntls_key = "/dev/null"\n[recognition]', "smpp_server", "tls_certificate and tls_key together"),
    ("a carrier name twice", "[[psap]]", '[[carrier]]\nname = "skt"\n[[carrier.smpp]]\nname = "b"\nhost = "h"\nsystem_id = "s"\n[[psap]]', "carrier[1].name", "another carrier"),
    ("a link name twice", "[carrier.lbs]", '[[carrier.smpp]]\nname = "skt-1"\nhost = "h"\nsystem_id = "s"\n[carrier.lbs]', "carrier[0].smpp[1].name", "another link"),
    ("a channel name twice", "[[psap.channel]]", '[[psap.channel]]\nname = "centre-a"\nurl = "http://h/"\n[[psap.channel]]', "psap[0].channel[1].name", "another channel"),
    ("a telephone named as a channel", "[[psap.channel]]", ASTERISK + PHONE.replace("phone", "centre-a") + "[[psap.channel]]", "psap[0].channel[1].name", "another channel"),
    ("a telephone and no Asterisk", "[[psap.channel]]", PHONE + "[[psap.channel]]", "psap[0].channel[0]", "no call can be placed: there is no Asterisk; add a table [[asterisk]]"),
    ("a telephone as an earlier release had it", "[[psap.channel]]", PHONE.replace("channel", "voice") + "[[psap.channel]]", "psap[0].voice", 'is what an earlier release called it; write [[psap.channel]] with kind = "voice" instead'),
    ("a centre with a telephone only", 'url = "http://127.0.0.1:8112/"', 'kind = "voice"\n' + ASTERISK, "psap[0].channel", 'has no channel with kind = "cap-http", and a telephone hears of alerts only; write at least one table [[psap.channel]]'),
    ("a kind of channel that is none", "[[psap.channel]]", '[[psap.channel]]\nkind = "fax"', "psap[0].channel[0].kind", '"fax" is not one of the choices; write one of "cap-http", "voice"'),
    ("a kind of channel that is no text", "[[psap.channel]]", "[[psap.channel]]\nkind = [1]", "psap[0].channel[0].kind", 'a list is not one of the choices; write one of "cap-http", "voice"'),
    ("a key of another kind of channel", "[[psap.channel]]", "[[psap.channel]]\nring_s = 20", "psap[0].channel[0].ring_s", "is not a key that is known here"),
    ("a first report that waits for a telephone", 'http://127.0.0.1:8112/"', 'http://127.0.0.1:8112/"\nafter_s = 5\n[[psap.channel]]\nkind = "voice"\nname = "phone"\nafter_s = 0\n' + ASTERISK, "psap[0].channel[0].after_s", "the first report would too"),
    ("no way in", "[[psap]]", '[[carrier]]\nname = "kt"\n[[psap]]', "carrier[1]", "no link, no peer, no trunk and no presser"),
    ("two centres for all", "[[psap]]", '[[psap]]\nname = "b"\naddresses = "b"\n[[psap.channel]]\nname = "b"\nurl = "http://h/"\n[[psap]]', "psap[1].carriers", "already takes every carrier"),
    ("two centres for one", 'addresses = "centre"', 'addresses = "centre"\ncarriers = ["skt", "skt"]', "psap[0].carriers[1]", "already go to another centre"),
    ("a first report that waits", 'http://127.0.0.1:8112/"', 'http://127.0.0.1:8112/"\nafter_s = 5', "psap[0].channel[0].after_s", "the first report would too"),
    ("a peer without a listener", "[carrier.lbs]", '[[carrier.peer]]\nname = "p"\nsystem_id = "p"\npassword = {env = "PATH"}\n[carrier.lbs]', "carrier[0].peer[0]", "add a table [smpp_server]"),
    ("a listener on a port of ours", "[recognition]", "[smpp_server]\nport = 8480\n[web]\n[recognition]", "web.port", "we already listen on port 8480"),
    ("a menu on a port of ours", "[recognition]", "[web]\nport = 4573\n[service_menu]\n[recognition]", "service_menu.port", "we already listen on port 4573"),
    ("a key as an earlier release called it", "[recognition]", "[service_menu]\nagi_port = 4573\n[recognition]", "service_menu.agi_port", "write port instead"),
    ("a timezone that is none", "[service]", '[service]\ntimezone = "Mars/Base"', "service.timezone", "no timezone that is known"),
    ("half a certificate of the web", "[recognition]", '[web]\ntls_certificate = "/dev/null"\n[recognition]', "web", "tls_certificate and tls_key together"),
    ("a trunk without an Asterisk", "[carrier.lbs]", '[[carrier.trunk]]\nname = "skt-voice"\n[carrier.lbs]', "carrier[0].trunk[0]", "add a table [[asterisk]]"),
    ("a trunk named as a link", "[carrier.lbs]", TRUNK.replace("skt-voice", "skt-1") + "[carrier.lbs]", "carrier[0].trunk[0].name", "another link"),
    ("an Asterisk named as a trunk", "[carrier.lbs]", TRUNK.replace("voice-1", "skt-voice") + "[carrier.lbs]", "asterisk[0].name", "another link"),
    ("a systemname that fits into no id", "[carrier.lbs]", TRUNK.replace("voice-1", "a-name-of-13c") + "[carrier.lbs]", "asterisk[0].name", "at most 12 characters"),
    ("an HSM without a token", "[recognition]", '[store.key_hsm]\nmodule = "/dev/null"\npin = {env = "PATH"}\n[recognition]', "store.key_hsm.token", 'e.g. token = "onetouch"'),
    ("an HSM whose module is not there", "[recognition]", '[store.key_hsm]\nmodule = "/none.so"\ntoken = "t"\npin = {env = "PATH"}\n[recognition]', "store.key_hsm.module", "name the vendor's PKCS#11 module"),
    ("an Asterisk without a secret", "[recognition]", '[[asterisk]]\nname = "voice-1"\n[recognition]', "asterisk[0].secret", "is missing"),
    ("a secret of Asterisk that is not there", "[recognition]", '[[asterisk]]\nname = "voice-1"\nsecret = {env = "NOT_SET_ANYWHERE"}\n[recognition]', "asterisk[0].secret", "set the environment variable"),
    ("a menu at an SOS number", '["1129"]', '["1129"]\nservice_numbers = ["112"]', "recognition.service_numbers[0]", "is in sos_numbers too"),
    ("a menu at a number of drills", '["1129"]', '["1129"]\nservice_numbers = ["1588112", "1129"]', "recognition.service_numbers[1]", "is in test_numbers too"),
    ("a menu at the digits of an SOS code", '["1129"]', '["1129"]\nservice_numbers = ["*112#"]', "recognition.service_numbers[0]", 'without its signs is "112", which is a press'),
    ("a sender of texts to whom no one may reply", "[recognition]", '[sms]\nsender = "1366"\n[recognition]', "sms.sender", "is not in recognition.service_numbers"),
    ("guardians and no way to tell them", "[recognition]", '[[guardians.listed]]\nof = "010-1234-5678"\nphone = "010-8765-4321"\n[recognition]', "guardians.listed[0]", "add a table [sms] or [[asterisk]]"),
    ("a knock without keys", "[recognition]", KNOCK.replace("taps = 2", "") + "[recognition]", "voice.knock[0]", "either digits"),
    ("a knock of both kinds", "[recognition]", KNOCK + 'digits = "11"\n[recognition]', "voice.knock[0]", "either digits"),
    ("a knock with two meanings", "[recognition]", 2 * KNOCK + "[recognition]", "voice.knock[1].taps", "has a meaning already"),
    ("digits with two meanings", "[recognition]", 2 * KNOCK.replace("taps = 2", 'digits = "911"') + "[recognition]", "voice.knock[1].digits", "has a meaning already"),
    ("a knock of keys that no phone has", "[recognition]", KNOCK.replace("taps = 2", 'digits = "1E"') + "[recognition]", "voice.knock[0].digits", "does not fit"),
    ("a knock of no key", "[recognition]", KNOCK.replace("2", "0") + "[recognition]", "voice.knock[0].taps", "out of range"),
    ("a gap that no hand keeps", "[recognition]", "[voice]\nknock_gap_s = 0.1\n[recognition]", "voice.knock_gap_s", "out of range"),
    ("a text that no bind carries", 'system_id = "onetouch"', 'system_id = "원터치"', "carrier[0].smpp[0].system_id", "Latin-1"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "key", "words"), [row[1:] for row in ONE_FAULT], ids=[row[0] for row in ONE_FAULT]
)
def test_every_kind_of_fault_is_told_at_its_key(house, old, new, key, words):
    faults = house.replace(old, new).faults()

    assert list(faults) == [key]
    assert words in faults[key]


def test_a_menu_at_the_sos_number_of_one_carrier_is_a_fault(house):
    house.replace('["1129"]', '["1129"]\nservice_numbers = ["1366"]')
    house.replace("[carrier.lbs]", '[carrier.recognition]\nsos_numbers = ["1366"]\n[carrier.lbs]')

    assert "is in sos_numbers too" in house.faults()["recognition.service_numbers[0]"]


def test_a_carrier_may_come_by_telephone_alone(house):
    start, end = house.text.index("[[carrier.smpp]]"), house.text.index("[carrier.lbs]")
    house.text = house.text[:start] + TRUNK + house.text[end:]
    house.replace("[recognition]", KNOCK + "[web]\n[recognition]")
    house.replace('["1129"]', '["1129"]\nservice_numbers = ["1588112"]')

    settings = house.load()

    [server], [trunk] = settings.asterisk, settings.carrier[0].trunk
    assert (server.name, server.host, server.port, server.username) == (
        "voice-1",
        "127.0.0.1",
        5038,
        "onetouch",
    )
    assert (trunk.name, settings.carrier[0].smpp) == ("skt-voice", ())
    assert (settings.voice.knock_gap_s, settings.voice.knock[0].taps) == (1.5, 2)
    assert (settings.web.interface, settings.web.port) == ("127.0.0.1", 8480)
    assert settings.recognition.service_numbers == ("1588112",)


def test_two_listeners_share_no_port_that_neither_has_written(house):
    house.replace("[recognition]", "[smpp_server]\n[web]\n[recognition]")

    settings = house.load()

    assert settings.smpp_server.port != settings.web.port


def test_a_carrier_that_no_centre_takes_is_a_fault(house):
    house.replace(
        "[[psap]]",
        '[[carrier]]\nname = "kt"\n[[carrier.smpp]]\nname = "kt"\nhost = "h"\nsystem_id = "s"\n[[psap]]',
    )
    house.replace('addresses = "centre"', 'addresses = "centre"\ncarriers = ["skt"]')

    assert "no 112 centre takes" in house.faults()["carrier[1]"]


def test_a_password_in_the_file_is_a_fault_that_does_not_repeat_it(house):
    house.replace(
        'system_id = "onetouch"', 'system_id = "onetouch"\npassword = "hunter2"\npasword = "hunter2"'
    )
    house.replace("[recognition]", '[store]\nurl = "postgresql+psycopg://u:hunter2@h/d"\n[recognition]')

    with pytest.raises(SettingsFaults) as caught:
        house.load()

    assert len(caught.value.faults) == 3
    assert "hunter2" not in str(caught.value)
    assert '{env = "NAME"}' in str(caught.value)


def test_a_pin_in_the_file_is_a_fault_that_does_not_repeat_it(house):
    house.replace(
        "[recognition]", '[store.key_hsm]\nmodule = "/dev/null"\ntoken = "t"\npin = "271828"\n[recognition]'
    )

    faults = house.faults()

    assert "the secret's place, pin = {env" in faults["store.key_hsm.pin"]
    assert "271828" not in str(faults)


def test_a_password_too_long_for_smpp_is_a_fault_that_does_not_repeat_it(house, monkeypatch):
    monkeypatch.setenv("LONG", "longer-than-eight")
    house.replace('system_id = "onetouch"', 'system_id = "onetouch"\npassword = {env = "LONG"}')

    [fault] = house.faults().values()

    assert "8 Latin-1 characters at most" in fault
    assert "longer" not in fault


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('[service]\nname = "a\n', "2: column 10"),
        ("a = 1\na = 2\n", "2: column 6"),
        ("[service]\nname =", "2: end of document"),
    ],
)
def test_a_toml_error_is_told_with_line_and_column(house, text, place):
    house.text = text

    with pytest.raises(SettingsFaults, match=f"onetouch.toml:{place}: this is not TOML: "):
        house.load()


def test_a_file_that_is_missing_or_no_text_is_a_fault_and_nothing_else(tmp_path):
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    for name, words in (("none.toml", "No such file"), ("latin.toml", "not UTF-8"), ("", "Is a directory")):
        with pytest.raises(SettingsFaults, match=words):
            load(tmp_path / name)


def test_an_empty_file_lacks_what_is_required(house):
    house.text = ""

    assert {"recognition", "carrier", "psap"} <= set(house.faults())


def test_faults_in_an_included_file_are_told_with_that_file_and_its_own_counting(house):
    house.file(
        "more.toml",
        '[[carrier]]\nname = "kt"\n[[carrier.smpp]]\nname = "skt-1"\nhost = "h"\nsystem_id = "s"\nport = 0\n',
    )
    house.text = 'include = ["more.toml"]\n' + house.text

    with pytest.raises(SettingsFaults) as caught:
        house.load()

    assert {(Path(fault.file).name, fault.key) for fault in caught.value.faults} == {
        ("more.toml", "carrier[0].smpp[0].port"),
        ("more.toml", "carrier[0].smpp[0].name"),
    }


def test_what_an_included_file_that_cannot_be_read_may_hold_is_not_called_missing(house):
    start, end = house.text.index("[[carrier]]"), house.text.index("[[psap]]")
    house.text = 'include = [\n  "none.toml",\n]\n' + house.text[:start] + house.text[end:]

    assert house.refusal() == (
        f"{house.folder}/none.toml: cannot be read (No such file or directory); "
        f"provide it, or take it out of include at {house.folder}/onetouch.toml:2"
    )


def test_an_included_file_holds_carriers_and_centres_only(house):
    house.file("more.toml", '[log]\nlevel = "debug"\n[carrier]\n')
    house.text = 'include = ["more.toml", "none.toml"]\n' + house.text

    faults = house.faults()

    assert "does not belong in an included file" in faults["log"]
    assert "[[carrier]], with two brackets" in faults["carrier"]
    assert "take it out of include" in faults[""]


def test_the_tables_of_a_carrier_replace_the_general_ones_key_by_key(house):
    house.replace("[[carrier.smpp]]", '[carrier.recognition]\nsos_numbers = ["1366"]\n[[carrier.smpp]]')

    settings = house.load()

    own, general = settings.recognition_for("skt"), settings.recognition_for("somebody else")
    assert own.sos_numbers == {"1366"}
    assert own.test_numbers == general.test_numbers == {"1129"}
    assert general.sos_numbers == {"112"}


def test_each_carrier_goes_to_its_centre_and_a_carrier_of_the_past_still_goes_somewhere(house):
    house.replace('addresses = "centre"', 'addresses = "centre"\ncarriers = ["skt"]')

    plan = house.load().plan

    assert [route.channel for route in plan.reports("skt")] == ["centre-a"]
    assert [route.channel for route in plan.reports("gone")] == ["centre-a"]


def test_the_password_of_the_store_is_put_into_its_url_only_when_asked(house, monkeypatch):
    monkeypatch.setenv("STORE_PASSWORD", "p@ss/word")
    house.replace(
        "[recognition]",
        '[store]\nurl = "postgresql+psycopg://onetouch@db/onetouch"\npassword = {env = "STORE_PASSWORD"}\n[recognition]',
    )

    settings = house.load()

    assert settings.database_url == "postgresql+psycopg://onetouch:p%40ss%2Fword@db/onetouch"
    assert "p@ss" not in repr(settings)


def test_a_state_directory_that_cannot_be_made_is_a_fault(house):
    blocked = house.file("a-file")
    house.replace(str(house.folder / "state"), str(blocked / "state"))

    assert "cannot be written to" in house.faults()["service.state_dir"]


def test_a_state_directory_without_the_right_to_write_is_a_fault(house, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)

    assert "install -d -m 700" in house.faults()["service.state_dir"]


def test_what_is_hardly_meant_is_a_remark_and_no_fault(house):
    house.replace("[carrier.lbs]", "[carrier.lbs]\nservice = 'slir'")
    house.replace("http://127.0.0.1:9210/", "http://192.0.2.1:9210/")
    house.replace("http://127.0.0.1:8112/", "http://centre.example/")
    house.replace('host = "127.0.0.1"', 'host = "127.0.0.1"\nenquire_link_s = 30')
    house.replace(
        "[[psap]]",
        '[[carrier]]\nname = "kt"\n[[carrier.smpp]]\nname = "kt-1"\nhost = "h"\nsystem_id = "s"\n[[psap]]',
    )
    house.add("[smpp_server]\n")

    told = "\n".join(house.remarks())

    for words in (
        ":18: remark: (carrier skt) lbs.url: http:// is not encrypted",
        ":32: remark: (channel centre-a) url: http:// is not encrypted",
        ":11: remark: (link skt-1): a dead link is found after 40 s",
        ":21: remark: (carrier kt): its phones are located by the other carriers' services only",
        ":33: remark: smpp_server: nobody can bind: no carrier has a peer; add a [[carrier.peer]]",
    ):
        assert words in told


def test_without_any_location_service_no_other_carrier_is_said_to_locate(house):
    house.replace('[carrier.lbs]\nurl = "http://127.0.0.1:9210/"\nclient_id = "onetouch"\n', "")

    (remark,) = [each for each in house.remarks() if "(carrier skt)" in each]

    assert "no phone is located" in remark


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 70_000) | st.floats() | st.sampled_from(["", "skt", "112", "h:/", "\0", "x" * 50]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "env", "file", "smpp", "url"]), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


@hypothesis_settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32), value=VALUES)
def test_whatever_stands_at_any_place_the_loader_gives_settings_or_faults(tmp_path_factory, seed, value):
    """The loader is total: no shape of input makes anything else come out."""
    rng = random.Random(seed)
    raw = _parsed()
    at = raw
    while True:
        key = rng.choice(list(at) if isinstance(at, dict) else range(len(at)))
        if not isinstance(at[key], (dict, list)) or not at[key] or rng.random() < 0.3:
            at[key] = value
            break
        at = at[key]
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text("")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tomllib.loads", lambda _: raw)
        try:
            faults = remarks(load_with_places(path))
        except SettingsFaults as refused:
            faults = refused.faults
    assert all(fault.problem and fault.instead for fault in faults)


def _parsed():
    return tomllib.loads((ROOT / "config/onetouch.toml").read_text())


def test_the_profile_of_korea_deletes_positions_at_closing_and_has_defaults_of_its_own(house):
    retention = house.add('[retention]\nprofile = "kr"\n').load().retention

    assert retention.deletes_positions_at_closing
    assert (retention.consent_ended_days, retention.audit_days, retention.locating_days) == (5, 1_095, 365)


@pytest.mark.parametrize(
    ("stated", "fault"),
    [
        ("position_days = 1", "take position_days out"),
        ("consent_ended_days = 30", "lower consent_ended_days"),
        ("audit_days = 365", "raise audit_days"),
        ("locating_days = 100", "184"),
    ],
    ids=["position", "consent", "audit", "locating"],
)
def test_what_the_profile_of_korea_does_not_allow_is_a_fault(house, stated, fault):
    assert any(
        fault in each for each in house.add(f'[retention]\nprofile = "kr"\n{stated}\n').faults().values()
    )
    allowed = "" if "locating" in stated else f"[retention]\n{stated}\n"
    house.text = GOOD.format(state=house.folder / "state") + allowed
    assert not house.load().retention.deletes_positions_at_closing


@pytest.mark.parametrize(
    ("timezone", "hours"), [("Asia/Seoul", 9), ("Europe/Berlin", 1), ("America/St_Johns", -3.5), ("Australia/Hobart", 10), ("UTC", 0)]
)  # fmt: skip
def test_calls_are_named_by_standard_time_summer_and_winter(timezone, hours):
    assert Service(timezone=timezone).utc_offset == timedelta(hours=hours)
