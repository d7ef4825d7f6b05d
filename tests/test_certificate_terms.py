"""Until when the certificates of the settings are good, and which cannot be read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from telephony.settings import Needs, load
from telephony.settings.certificates import terms

TODAY = datetime(2026, 11, 30, tzinfo=UTC)
SETTINGS = """
[service]
state_dir = "{folder}"
[recognition]
sos_numbers = ["112"]
[smpp_server]
port = 2776
tls_certificate = "{folder}/server.pem"
tls_key = "{folder}/server.key"
[[carrier]]
name = "skt"
[[carrier.smpp]]
name = "skt-1"
host = "127.0.0.1"
system_id = "onetouch"
tls = {{ca_file = "{folder}/ca.pem"}}
[[psap]]
name = "seoul"
addresses = "seoul"
[[psap.channel]]
name = "seoul-a"
url = "https://127.0.0.1:8112/"
tls = {{client_certificate = "{folder}/client.pem", client_key = "{folder}/client.key"}}
"""


def certificate(days: int) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "onetouch")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(TODAY - timedelta(days=400))
        .not_valid_after(TODAY + timedelta(days=days))
        .sign(key, SHA256())
    )
    return made.public_bytes(Encoding.PEM)


@pytest.fixture
def settings(tmp_path):
    path = tmp_path / "onetouch.toml"
    path.write_text(SETTINGS.format(folder=tmp_path))
    (tmp_path / "server.pem").write_bytes(certificate(90) + certificate(20))
    (tmp_path / "ca.pem").write_bytes(certificate(-5) + certificate(700))
    (tmp_path / "client.pem").write_bytes(b"no certificate")
    return load(path, Needs.TABLES)


def test_our_own_is_good_for_as_long_as_its_chain_and_authorities_as_long_as_one_of_them(settings):
    found = {each.setting: each for each in terms(settings)}

    assert found["smpp_server, tls_certificate"].expires_at == TODAY + timedelta(days=20)
    assert found["link skt-1, ca_file"].expires_at == TODAY + timedelta(days=700)


def test_what_cannot_be_read_stands_first_and_says_why(settings):
    first = terms(settings)[0]

    assert (first.setting, first.expires_at) == ("channel seoul-a, client_certificate", None)
    assert first.problem == "holds no certificate in PEM form"
    first.file.unlink()
    assert terms(settings)[0].problem == "No such file or directory"
