"""TLS files and secrets that the settings name: every kind of mistake is told at its line, and no secret with it."""

from __future__ import annotations

import base64
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from telephony.settings import Weight, load_with_places, remarks
from tests.pem_files import certificate, key_pem, new_key, pem
from tests.test_settings import House

LINK_LINE = 13
"""Of the table that a test gives to the link skt-1."""
DAY = timedelta(days=1)


class TlsHouse(House):
    """A house whose link has TLS files beside the settings: ``ca.pem``, ``own.pem`` and ``own.key``, good ones."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.own = new_key()
        self.put("ca.pem", pem(certificate("authority")))
        self.put("own.pem", pem(certificate("onetouch", key=self.own)))
        self.put("own.key", key_pem(self.own))
        at = str(folder)
        tls = f'ca_file = "{at}/ca.pem", client_certificate = "{at}/own.pem", client_key = "{at}/own.key"'
        self.replace('host = "127.0.0.1"', f'tls = {{{tls}}}\nhost = "127.0.0.1"')

    def put(self, name: str, octets: bytes) -> None:
        path = self.folder / name
        path.write_bytes(octets)
        path.chmod(0o600)


@pytest.fixture
def house(tmp_path):
    return TlsHouse(tmp_path)


def told(house) -> list[str]:
    """Return remarks and faults that keep no daemon from starting, from the line on."""
    return [line.removeprefix(f"{house.folder}/onetouch.toml:") for line in house.remarks()]


def rsa_key(bits):
    return rsa.generate_private_key(public_exponent=65_537, key_size=bits)


def test_good_files_are_not_spoken_of(house):
    assert told(house) == []


@pytest.mark.parametrize(
    ("file", "make", "key", "words"),
    [
        ("ca.pem", lambda _: b"", "ca_file", ("holds no certificate in PEM form", "BEGIN CERTIFICATE")),
        ("ca.pem", lambda _: certificate("a").public_bytes(Encoding.DER), "ca_file", ("in DER form", "openssl x509 -inform DER")),
        ("ca.pem", lambda house: key_pem(house.own), "ca_file", ("holds a key and no certificate",)),
        ("ca.pem", lambda _: pem(certificate("a"))[:200] + b"\n-----END CERTIFICATE-----\n", "ca_file", ("that is damaged",)),
        ("own.pem", lambda _: b"hello", "client_certificate", ("holds no certificate in PEM form",)),
        ("own.key", lambda _: b"", "client_key", ("holds no key in PEM form",)),
        ("own.key", lambda _: pem(certificate("a")), "client_key", ("holds a certificate and no key",)),
        ("own.key", lambda house: key_pem(house.own, b"hunter2"), "client_key", ("under a passphrase", "openssl pkey")),
        ("own.key", lambda house: key_pem(house.own)[:60] + b"\n-----END PRIVATE KEY-----\n", "client_key", ("damaged",)),
        ("own.key", lambda _: key_pem(new_key()), "client_key", ("belongs to another certificate", "CN=onetouch")),
        (
            "own.pem",
            lambda house: pem(certificate("intermediate"), certificate("onetouch", key=house.own)),
            "client_key",
            ("belongs to certificate 2 of the file", "put the own certificate first"),
        ),
    ],
    ids=[
        "no authority", "der", "key for authority", "damaged", "no certificate", "no key", "certificate for key", "passphrase",
        "damaged key", "another's key", "chain first",
    ],
)  # fmt: skip
def test_a_file_that_no_handshake_can_use_is_a_fault_of_its_link(house, file, make, key, words):
    house.put(file, make(house))

    [(at, said)] = house.faults().items()

    assert at == f"carrier[0].smpp[0].tls.{key}"
    assert all(each in said for each in words), said
    assert f"onetouch.toml:{LINK_LINE}: (link skt-1) tls.{key}: " in house.refusal()


def test_a_key_that_openssl_finds_too_weak_is_a_fault(house):
    weak = rsa_key(1024)
    house.put("own.pem", pem(certificate("onetouch", key=weak)))
    house.put("own.key", key_pem(weak))

    assert "OpenSSL refuses the pair" in house.faults()["carrier[0].smpp[0].tls.client_key"]


def test_a_server_of_ours_is_looked_at_as_well(house):
    pair = house.folder / "web.pem", house.folder / "own.key"
    pair[0].write_bytes(pem(certificate("web")))
    house.add(f'[web]\ntls_certificate = "{pair[0]}"\ntls_key = "{pair[1]}"\n')

    assert "belongs to another certificate" in house.faults()["web.tls_key"]


def test_the_files_of_postgresql_stand_in_its_address_and_are_looked_at_as_well(house):
    at, postgresql = house.folder, "postgresql+psycopg://onetouch@127.0.0.1/onetouch?sslmode=verify-full"
    house.put("other.key", key_pem(new_key()))
    files = f"&sslrootcert={at}/none.pem&sslcert={at}/own.pem&sslkey={at}/other.key"
    house.replace("[recognition]", f'[store]\nurl = "{postgresql}{files}"\n[recognition]')

    faults = house.faults()

    assert list(faults) == ["store.url.sslrootcert", "store.url.sslkey"]
    assert "cannot be read (No such file or directory)" in faults["store.url.sslrootcert"]
    assert "belongs to another certificate" in faults["store.url.sslkey"]
    assert "onetouch.toml:6: store.url.sslkey: " in house.refusal()

    house.replace(files, "&sslrootcert=system")
    assert told(house) == []


@pytest.mark.parametrize("url", ["//u:hunter2@h/d", "//u@h/d?password=hunter2"])
def test_a_password_in_the_address_of_the_store_is_a_fault_that_does_not_repeat_it(house, url):
    house.replace("[recognition]", f'[store]\nurl = "postgresql+psycopg:{url}"\n[recognition]')

    faults = house.faults()

    assert list(faults) == ["store.url"]
    assert "holds a password; take it out and add password = {env" in faults["store.url"]
    assert "hunter2" not in str(faults)


@pytest.mark.parametrize(
    ("ends_in", "begins_in", "weight", "words"),
    [
        (-3 * DAY, -9 * DAY, Weight.FAULT, "expired on"),
        (9 * DAY, 3 * DAY, Weight.FAULT, "is not valid before"),
        (timedelta(hours=5), -9 * DAY, Weight.REMARK, "within a day"),
        (DAY + timedelta(hours=5), -9 * DAY, Weight.REMARK, "in 1 day;"),
        (29 * DAY, -9 * DAY, Weight.REMARK, "in 28 days;"),
        (31 * DAY, -9 * DAY, None, ""),
    ],
    ids=["expired", "not yet", "today", "tomorrow", "soon", "later"],
)
def test_dates_are_told_and_keep_no_daemon_from_starting(house, ends_in, begins_in, weight, words):
    dates = {"ends_in": ends_in, "begins_in": begins_in}
    house.put("own.pem", pem(certificate("onetouch", key=house.own, **dates)))

    said = remarks(load_with_places(house.file("onetouch.toml", house.text)))

    assert [each.weight for each in said] == ([] if weight is None else [weight])
    for each in said:
        assert (each.line, each.table, each.within) == (LINK_LINE, "link skt-1", "tls.client_certificate")
        assert words in f"{each.problem};"


def test_the_chain_behind_a_certificate_must_last_too(house):
    chain = certificate("onetouch", key=house.own), certificate("intermediate", ends_in=-DAY)
    house.put("own.pem", pem(*chain))

    [line] = told(house)

    assert "CN=intermediate expired on" in line


def test_of_authorities_that_follow_each_other_the_last_one_counts(house):
    house.put("ca.pem", pem(certificate("former", ends_in=-DAY), certificate("next")))
    lasting = told(house)
    house.put("ca.pem", pem(certificate("former", ends_in=-DAY), certificate("next", ends_in=-DAY)))
    [ended] = told(house)

    assert lasting == []
    assert f"{LINK_LINE}: (link skt-1) tls.ca_file: " in ended


def test_an_authority_with_an_odd_serial_number_is_taken_as_openssl_takes_it(house):
    """Trust stores of systems hold such roots; the library warns of them, and a warning is an error here."""
    odd = (
        certificate("authority", serial=1)
        .public_bytes(Encoding.DER)
        .replace(b"\x02\x01\x01", b"\x02\x01\x00", 1)
    )
    octets = base64.encodebytes(odd)
    house.put("ca.pem", b"-----BEGIN CERTIFICATE-----\n" + octets + b"-----END CERTIFICATE-----\n")

    assert told(house) == []


@pytest.mark.parametrize("octets", ["", "\n", " \t\n"])
def test_an_empty_secret_is_a_fault_wherever_it_lies(house, monkeypatch, octets):
    file = house.file("secret", octets)
    monkeypatch.setenv("EMPTY", octets)
    house.replace('system_id = "onetouch"', 'system_id = "onetouch"\npassword = {env = "EMPTY"}')
    house.replace('client_id = "onetouch"', f'client_id = "onetouch"\npassword = {{file = "{file}"}}')

    assert house.faults() == {
        "carrier[0].smpp[0].password": "the secret is empty; put it into the environment variable EMPTY",
        "carrier[0].lbs.password": f"the secret is empty; put it into the file {file}",
    }


@pytest.mark.parametrize("user", ["user:hunter2", "hunter2", ":hunter2"])
def test_a_user_in_a_url_is_a_fault_that_does_not_repeat_it(house, user):
    house.replace("http://127.0.0.1:9210/", f"https://{user}@127.0.0.1:9210/")
    house.replace("http://127.0.0.1:8112/", f"https://{user}@127.0.0.1:8112/cap?mail=a@b")

    faults = house.faults()

    assert list(faults) == ["carrier[0].lbs.url", "psap[0].channel[0].url"]
    assert all("holds a user or a password, which is not sent" in each for each in faults.values())
    assert "password = {env" in faults["carrier[0].lbs.url"]
    assert "authorization = {env" in faults["psap[0].channel[0].url"]
    assert "hunter2" not in str(faults)


def test_an_at_sign_further_on_in_a_url_is_no_user(house):
    house.replace("http://127.0.0.1:8112/", "http://127.0.0.1:8112/cap?mail=a@b")

    assert told(house) == []


@pytest.fixture
def open_folder():
    """A folder that every account may go through, which a test's own folder is not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_files_of_secrets_that_every_account_may_read_are_remarks(open_folder):
    house = TlsHouse(open_folder)
    (open_folder / "secret").write_text("s3cret")
    secret = f'password = {{file = "{open_folder}/secret"}}'
    house.replace('client_id = "onetouch"', f'client_id = "onetouch"\n{secret}')
    assert [line.partition(": ")[0] for line in told(house)] == ["19"]

    (open_folder / "own.key").chmod(0o644)
    key, password = told(house)

    assert key == (
        f"{LINK_LINE}: remark: (link skt-1) tls.client_key: every account of this machine may read "
        f'"{open_folder}/own.key"; chmod o= {open_folder}/own.key'
    )
    assert password.startswith("19: remark: (carrier skt) lbs.password.file: ")
    assert "s3cret" not in password
    open_folder.chmod(0o750)
    assert told(house) == [], "nobody else comes to the files"


def test_a_key_file_that_others_may_read_is_a_fault_for_no_daemon_takes_it(house):
    (house.folder / "state").mkdir()
    file = house.folder / "state/data.keys"
    file.write_text("")
    file.chmod(0o640)

    [line] = told(house)

    assert line.startswith("3: service.state_dir: others may read the key file ")
    assert line.endswith(f"chmod 600 {file}")
