"""Links in the clear and doors without a list are remarks of ``onetouch check``; on loopback and under TLS none is."""

from __future__ import annotations

from pathlib import Path

import pytest

from telephony.settings import load_with_places, remarks
from tests.pem_files import write_pair

SETTINGS = """
[service]
state_dir = "{folder}/state"
[recognition]
sos_numbers = ["112"]
{store}
{more}
[[carrier]]
name = "skt"
[[carrier.smpp]]
name = "skt-1"
host = "{smsc}"
system_id = "onetouch"
{link}
{peer}
[carrier.lbs]
url = "{lbs}"
client_id = "onetouch"
[[psap]]
name = "centre"
addresses = "centre"
[[psap.channel]]
name = "centre-a"
url = "{centre}"
"""
HERE = {
    "smsc": "127.0.0.1",
    "lbs": "http://localhost:9210/",
    "centre": "http://[::1]:8112/",
    "link": "",
    "peer": "",
    "more": "",
    "store": "",
}
PEER = (
    '[[carrier.peer]]\nname = "gw"\nsystem_id = "gw"\npassword = {{file = "{folder}/secret"}}\n{addresses}\n'
)
SERVER = '[smpp_server]\ninterface = "{interface}"\n{tls}\n'
ADDRESSES = 'addresses = ["192.0.2.0/28"]'
TLS = 'tls_certificate = "{folder}/server.pem"\ntls_key = "{folder}/server.key"'
ASTERISK = '[[asterisk]]\nname = "voice-1"\nhost = "{host}"\nsecret = {{file = "{folder}/secret"}}\n{tls}\n'
STORE = '[store]\nurl = "postgresql+psycopg://{at}"\n'


OTHERS = ("no carrier has a trunk", "its recordings are not seen from here")


@pytest.fixture
def told(tmp_path, monkeypatch):
    monkeypatch.delenv("PGSSLMODE", raising=False)
    (tmp_path / "secret").write_text("s3cret")
    write_pair(tmp_path / "server.pem", tmp_path / "server.key")

    def tell(**changes: str) -> list[str]:
        file = tmp_path / "onetouch.toml"
        filled = {key: value.replace("FOLDER", str(tmp_path)) for key, value in (HERE | changes).items()}
        file.write_text(SETTINGS.format(folder=tmp_path, **filled))
        lines = map(str, remarks(load_with_places(Path(file))))
        return [line for line in lines if not any(each in line for each in OTHERS)]

    return tell


def server(interface="0.0.0.0", tls="", addresses=ADDRESSES):
    return {
        "more": SERVER.format(interface=interface, tls=tls.format(folder="FOLDER")),
        "peer": PEER.format(folder="FOLDER", addresses=addresses),
    }


def asterisk(host, tls=""):
    return {"more": ASTERISK.format(host=host, tls=tls, folder="FOLDER")}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"smsc": "192.0.2.1", "link": "tls = {}"},
        {"lbs": "https://192.0.2.1/", "centre": "https://192.0.2.2/"},
        server("127.0.0.1", addresses=""),
        server(tls=TLS),
        asterisk("127.0.0.1"),
        asterisk("192.0.2.1", "tls = {}"),
        {"store": STORE.format(at="onetouch@127.0.0.1/onetouch")},
        {"store": STORE.format(at="onetouch@/onetouch?host=/run/postgresql")},
        {"store": STORE.format(at="onetouch@/onetouch?host=127.0.0.1:5432&host=localhost:5433")},
        {"store": STORE.format(at="onetouch@db.example/onetouch?sslmode=verify-full")},
    ],
    ids=[
        "loopback", "smpp tls", "https", "listener on loopback", "listener with tls and lists", "ami on loopback",
        "ami tls", "store on loopback", "store by socket", "stores on loopback", "store proven",
    ],
)  # fmt: skip
def test_what_is_encrypted_or_stays_here_is_no_remark(told, changes):
    assert told(**changes) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"smsc": "192.0.2.1"}, "(link skt-1): SMPP without tls"),
        ({"smsc": "smsc.example"}, "(link skt-1): SMPP without tls"),
        ({"lbs": "http://192.0.2.1/"}, "(carrier skt) lbs.url: http:// is not encrypted"),
        ({"centre": "http://192.0.2.1/"}, "(channel centre-a) url: http:// is not encrypted"),
        (server(), "smpp_server: without tls_certificate"),
        (server(tls=TLS, addresses=""), "(peer gw): without addresses anybody may connect"),
        (asterisk("192.0.2.1"), "(Asterisk voice-1): AMI without tls"),
        ({"more": '[web]\ninterface = "192.0.2.1"\n'}, "web: without tls_certificate"),
        ({"store": STORE.format(at="onetouch@db.example/onetouch")}, "PostgreSQL at db.example"),
        ({"store": STORE.format(at="onetouch@192.0.2.9/onetouch?sslmode=require")}, "PostgreSQL at 192.0.2.9"),
        (
            {"store": STORE.format(at="onetouch@/onetouch?host=127.0.0.1:5432&host=192.0.2.9:5432")},
            "PostgreSQL at 192.0.2.9:5432",
        ),
    ],
    ids=[
        "smpp", "smpp by name", "lbs", "centre", "listener", "no list", "ami", "web", "store", "store encrypted only",
        "one of two stores",
    ],
)  # fmt: skip
def test_what_others_may_read_or_come_in_by_is_one_remark(told, changes, words):
    (remark,) = told(**changes)
    assert words in remark


def test_sslmode_of_the_environment_counts(told, monkeypatch):
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert told(store=STORE.format(at="onetouch@db.example/onetouch")) == []
