"""The same over real loopback sockets, in the clear and under TLS."""

from __future__ import annotations

import datetime as dt
import random
from ipaddress import ip_address

import pytest
import pytest_twisted
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from telephony.lab.carrier.smsc import LabSmsc
from telephony.smpp.settings import Server
from tests.smpp.people import House, Witness

CALLER = "821012345678"


class Authority:
    """Makes certificates for a test."""

    def __init__(self, folder, name):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.folder = folder / name
        self.folder.mkdir()
        self.certificate = self._sign(self.name, self.key, is_authority=True, alternative=None)
        self.ca_file = self._write("ca.pem", self.certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name, alternative):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._sign(subject, key, is_authority=False, alternative=alternative)
        return (
            self._write(f"{name}.pem", certificate.public_bytes(serialization.Encoding.PEM)),
            self._write(
                f"{name}.key",
                key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                ),
            ),
        )

    def _sign(self, subject, key, *, is_authority, alternative):
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if alternative is not None:
            builder = builder.add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def _write(self, name, octets):
        path = self.folder / name
        path.write_bytes(octets)
        return path


class Place:
    """A real SMSC on loopback and ESMEs that dial it."""

    def __init__(self):
        self.services = []

    def smsc(self, **settings):
        chosen = Server.model_construct(
            port=0, interface="127.0.0.1", system_id="lab", window=100, **settings
        )
        smsc = LabSmsc(reactor=reactor, rng=random.Random(1), settings=chosen, observer=Witness())
        smsc.startService()
        self.services.append(smsc)
        return smsc

    def house(self, smsc, **link):
        house = House(reactor, port=smsc.port.getHost().port, **link)
        house.esme.startService()
        self.services.append(house.esme)
        return house


@pytest.fixture
def place():
    place = Place()
    yield place
    for service in reversed(place.services):
        pytest_twisted.blockon(service.stopService())


def within(deferred):
    return deferred.addTimeout(120, reactor)


@pytest_twisted.ensureDeferred
async def test_five_hundred_presses_on_two_binds(place):
    smsc = place.smsc()
    houses = [place.house(smsc, name="skt-1"), place.house(smsc, name="skt-2")]
    await within(smsc.when_bound(2))

    for number in range(500):
        smsc.send_mo(CALLER, "112", text=f"help {number}")
    await within(smsc.when_empty())

    texts = [press.text for house in houses for press in house.intake.presses]
    assert sorted(texts) == sorted(f"help {number}" for number in range(500))
    assert all(house.intake.presses for house in houses)
    assert len(houses[0].intake.calls) < len(houses[0].intake.presses)


@pytest_twisted.ensureDeferred
async def test_a_host_may_be_a_name(place):
    smsc = place.smsc()
    place.house(smsc, host="localhost")

    await within(smsc.when_bound())


@pytest_twisted.ensureDeferred
async def test_a_dropped_link_is_bound_again_and_nothing_is_lost(place):
    smsc = place.smsc()
    house = place.house(smsc)
    await within(smsc.when_bound())
    house.intake.hold()
    smsc.send_mo(CALLER, "112", text="help")

    smsc.drop_link()
    house.intake.release()
    await within(smsc.when_empty())

    assert smsc.counts.binds == 2
    assert {press.text for press in house.intake.presses} == {"help"}


@pytest_twisted.ensureDeferred
async def test_our_stop_leaves_in_good_order(place):
    smsc = place.smsc()
    house = place.house(smsc)
    await within(smsc.when_bound())

    await within(house.esme.stopService())

    assert ("down", "sos", "unbound by the peer") in smsc._observer.said
    assert smsc.links == []


class TestTls:
    @pytest.fixture
    def authority(self, tmp_path):
        return Authority(tmp_path, "carrier")

    def serve(self, place, authority, alternative=None):
        certificate, key = authority.issue("smsc", alternative or x509.IPAddress(ip_address("127.0.0.1")))
        return place.smsc(tls_certificate=certificate, tls_key=key)

    @pytest_twisted.ensureDeferred
    async def test_a_verified_link_carries_presses(self, place, authority):
        smsc = self.serve(place, authority)
        house = place.house(smsc, tls={"ca_file": authority.ca_file})
        await within(smsc.when_bound())

        status = await within(smsc.send_mo(CALLER, "112", text="help"))

        assert status == 0
        assert [press.text for press in house.intake.presses] == ["help"]
        await within(house.esme.stopService())
        assert ("down", "sos", "unbound by the peer") in smsc._observer.said

    @pytest_twisted.ensureDeferred
    async def test_the_name_in_the_certificate_may_be_configured(self, place, authority):
        smsc = self.serve(place, authority, x509.DNSName("smsc.carrier.example"))
        place.house(smsc, tls={"ca_file": authority.ca_file, "server_name": "smsc.carrier.example"})

        await within(smsc.when_bound())

    @pytest.mark.parametrize(
        ("fault", "words"),
        [
            ("authority", "certificate verify failed"),
            ("name", "the certificate is not for 127.0.0.1"),
            ("in the clear", ""),
        ],
    )
    @pytest_twisted.ensureDeferred
    async def test_what_cannot_be_verified_gets_no_password(self, place, authority, tmp_path, fault, words):
        if fault == "in the clear":
            smsc = place.smsc()
        else:
            smsc = self.serve(place, authority, x509.DNSName("other.example") if fault == "name" else None)
        trusted = Authority(tmp_path, "somebody-else") if fault == "authority" else authority
        house = place.house(smsc, tls={"ca_file": trusted.ca_file}, bind_timeout_s=2)

        await until(lambda: house.witness.of("unreachable"))

        assert words in house.witness.of("unreachable")[0][2]
        assert smsc.counts.binds == 0
        assert smsc.links == []
        assert not house.esme.is_bound


async def until(claim):
    """Wait on the real clock, in small steps, for at most two minutes."""
    for _ in range(12_000):
        if claim():
            return
        step = Deferred()
        reactor.callLater(0.01, step.callback, None)
        await step
    raise AssertionError("it did not come to pass")
