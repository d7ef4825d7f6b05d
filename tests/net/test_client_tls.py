"""No impostor: a server with a certificate of the right authority, but not for the name, hears nothing of ours."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
from ipaddress import ip_address

import pytest
import pytest_twisted
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol

import telephony.net.client_tls
from telephony.cli.far_ends import FarEnd, try_one
from telephony.fields import Tls
from telephony.net.client_tls import ClientTls, Impostor, tls_reason, verified_socket, verify_name
from telephony.net.endpoints import client_endpoint
from telephony.net.http.client import HttpClient, HttpFailed

NOW = dt.datetime.now(dt.UTC)
HOUR = dt.timedelta(hours=1)
ADDRESS = x509.IPAddress(ip_address("127.0.0.1"))
IMPOSTORS = {
    "no subjectAltName": None,
    "any name": [x509.DNSName("*")],
    "the address as a name": [x509.DNSName("127.0.0.1")],
    "an e-mail address alone": [x509.RFC822Name("sms@127.0.0.1")],
    "a URI alone": [x509.UniformResourceIdentifier("https://127.0.0.1/")],
    "an empty subjectAltName": [],
    "another address": [x509.IPAddress(ip_address("127.0.0.2"))],
    "a name beside a wildcard of everything": [x509.DNSName("*"), x509.DNSName("smsc.example")],
    "an expired one": [ADDRESS],
    "another authority": [ADDRESS],
}


class Authority:
    def __init__(self, name="authority"):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.certificate = self._builder(self.name, self.key).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        ).sign(self.key, hashes.SHA256())  # fmt: skip

    def _builder(self, subject, key, until=HOUR):
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - 2 * HOUR)
            .not_valid_after(NOW + until)
        )

    def issue(self, names, until=HOUR, common_name="127.0.0.1"):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
        builder = self._builder(subject, key, until)
        if names is not None:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256()), key


class Server:
    """A TLS server on loopback that keeps every octet it can read."""

    def __init__(self, folder, certificate, key):
        folder.mkdir()
        (folder / "own.pem").write_bytes(
            certificate.public_bytes(Encoding.PEM)
            + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / "own.pem")
        self.heard = b""
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.over = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        plain, _ = self.listening.accept()
        plain.settimeout(60)
        try:
            with self.context.wrap_socket(plain, server_side=True) as stream:
                while octets := stream.recv(4096):
                    self.heard += octets
                    if self.heard.endswith(b"\r\n\r\nsecret"):
                        stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except OSError:
            pass  # the client's refusal
        finally:
            self.over.set()

    def close(self):
        self.listening.close()


class Talker(Protocol):
    """Says its password as soon as it is connected, as SMPP and AMI clients do."""

    def __init__(self):
        self.lost = Deferred()

    def connectionMade(self):
        self.transport.write(b"password")

    def connectionLost(self, reason):
        self.lost.callback(tls_reason(reason))


@pytest.fixture
def authority():
    return Authority()


@pytest.fixture
def tls(tmp_path, authority):
    (tmp_path / "ca.pem").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    return Tls(ca_file=tmp_path / "ca.pem")


@pytest.fixture
def serve(tmp_path, authority):
    servers = []

    def made(what):
        signer = Authority() if what == "another authority" else authority
        until = -HOUR if what == "an expired one" else HOUR
        names = IMPOSTORS.get(what, [ADDRESS])
        servers.append(Server(tmp_path / "server", *signer.issue(names, until)))
        return servers[-1]

    yield made
    for server in servers:
        server.close()


def link(port, tls):
    return client_endpoint(reactor, "127.0.0.1", port, timeout_s=60, tls=ClientTls(tls))


async def why_lost(endpoint):
    talker = Talker()
    connecting = endpoint.connect(Factory.forProtocol(lambda: talker))
    return await connecting.addCallbacks(lambda _: talker.lost, tls_reason)


@pytest.mark.parametrize("what", IMPOSTORS)
@pytest_twisted.ensureDeferred
async def test_a_link_tells_an_impostor_nothing(serve, tls, what):
    server = serve(what)

    reason = await why_lost(link(server.port, tls))

    assert reason.startswith("TLS verification failed: ")
    assert server.over.wait(60)
    assert server.heard == b""


@pytest.mark.parametrize("what", IMPOSTORS)
@pytest_twisted.ensureDeferred
async def test_a_report_or_a_question_is_not_posted_to_an_impostor(serve, tls, what):
    server = serve(what)
    client = HttpClient(reactor, tls=tls)

    with pytest.raises(HttpFailed, match="TLS verification failed"):
        await client.post(f"https://127.0.0.1:{server.port}/", b"secret", [], 60)

    assert server.over.wait(60)
    assert server.heard == b""
    await client.close()


@pytest.mark.parametrize("what", IMPOSTORS)
def test_the_check_of_links_refuses_whom_the_daemon_refuses(serve, tls, what):
    server = serve(what)

    told = try_one(FarEnd("SMSC", "skt-1", "127.0.0.1", server.port, tls, 60.0), with_bind=False)

    assert not told.is_fine
    assert told.detail.startswith("TLS: ")
    assert server.over.wait(60)
    assert server.heard == b""


@pytest_twisted.ensureDeferred
async def test_the_right_name_is_spoken_to(serve, tls):
    server = serve("the right one")
    client = HttpClient(reactor, tls=tls)

    answer = await client.post(f"https://127.0.0.1:{server.port}/", b"secret", [], 60)

    assert answer.status == 200
    await client.close()


def test_the_right_name_passes_the_check_of_links(serve, tls):
    server = serve("the right one")

    assert try_one(FarEnd("SMSC", "skt-1", "127.0.0.1", server.port, tls, 60.0), with_bind=False).is_fine


@pytest_twisted.ensureDeferred
async def test_a_fault_of_the_reading_library_is_a_refusal(serve, tls, monkeypatch):
    def falls(*_):
        raise RuntimeError("a defect")

    monkeypatch.setattr(telephony.net.client_tls, "verify_certificate_ip_address", falls)
    server = serve("the right one")

    assert (await why_lost(link(server.port, tls))).startswith("TLS verification failed: ")
    assert server.over.wait(60)
    assert server.heard == b""


@pytest_twisted.ensureDeferred
async def test_the_name_is_asked_for_again_when_the_handshake_is_done(serve, tls, monkeypatch):
    """Were the callback of OpenSSL passed by, nothing would be sent all the same."""
    creator = telephony.net.client_tls._Creator
    monkeypatch.setattr(creator, "_on_certificate", lambda *_: True)
    server = serve("no subjectAltName")

    assert (await why_lost(link(server.port, tls))).startswith("TLS verification failed: ")
    assert server.over.wait(60)
    assert server.heard == b""


def test_a_socket_of_a_command_is_closed_before_it_says_anything(serve, tls):
    server = serve("any name")
    plain = socket.create_connection(("127.0.0.1", server.port), 60)

    with pytest.raises(Impostor):
        verified_socket(plain, tls, "127.0.0.1")

    assert server.over.wait(60)
    assert server.heard == b""


@pytest.mark.parametrize(
    ("pattern", "name", "is_right"),
    [
        ("smsc.skt.example", "smsc.skt.example", True),
        ("SMSC.skt.example", "smsc.SKT.example", True),
        ("*.skt.example", "smsc.skt.example", True),
        ("*.skt.example", "a.b.skt.example", False),
        ("*.skt.example", "skt.example", False),
        ("smsc.kt.example", "smsc.skt.example", False),
        ("xn--vf4b27j.example", "통신.example", False),
    ],
)
def test_a_name_is_matched_by_label(authority, pattern, name, is_right):
    certificate, _ = authority.issue([x509.DNSName(pattern)])
    if is_right:
        verify_name(certificate, name)
    else:
        with pytest.raises(Impostor):
            verify_name(certificate, name)


@given(st.text(max_size=60))
def test_any_name_is_refused_or_taken_and_nothing_else_happens(name):
    certificate, _ = _SOME.issue([x509.DNSName("smsc.skt.example")])
    try:
        verify_name(certificate, name)
    except Impostor:
        return
    assert name.lower().rstrip(".") == "smsc.skt.example"


_SOME = Authority()
