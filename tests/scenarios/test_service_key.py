"""The key of incidents' names in life: of no use to a thief who has the disk without the key file, and never lost for that."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest_twisted

from telephony.services.keeping.service_key import ServiceKey
from telephony.services.spine.incident_names import IncidentNames
from telephony.smpp.wire.constants import DELIVER_SM, ESME_RMSGQFUL
from telephony.smpp.wire.inbound import reference_of
from telephony.smpp.wire.pdus import Message
from telephony.store.crypto import KeyFile
from telephony.store.sealing import key_id_of
from telephony.store.times import from_us
from tests.doubles import KST
from tests.scenarios.house import HELP, House

UCS2 = 8
FIRST, TRIED = 821073310000, 1_000
"""The numbers that the thief tries: he knows the carrier and what such texts say."""


def state(house: House) -> Path:
    return house.folder / "state"


def service_key(house: House) -> Path:
    return state(house) / "service.key"


def reference(number: str) -> str:
    text = HELP.encode("utf-16-be")
    return reference_of(
        Message(DELIVER_SM, source=number, destination="112", data_coding=UCS2, short_message=text), "skt"
    )


def anything_of_32_octets(folder: Path) -> Iterator[bytes]:
    """Everything in any file that might be a key, but for the file of the keys themselves."""
    tried: set[bytes] = set()
    for file in sorted(folder.rglob("*")):
        if not file.is_file() or file.name.startswith("data.keys"):
            continue
        octets = file.read_bytes().rstrip(b"\0")
        for at in range(len(octets) - 31):
            window = octets[at : at + 32]
            if window.count(0) < 8 and window not in tried:
                tried.add(window)
                yield window


@pytest_twisted.ensureDeferred
async def test_without_the_key_file_all_other_files_give_no_number_by_trying_all(house: House):
    await house.start()
    caller = house.caller()
    await house.accepted_press(caller)
    await house.until(lambda: house.alerts(caller))
    await house.stop()
    ((incident, opened_us),) = house.daemon.rows("SELECT id, opened_at FROM incident")
    opened_at = from_us(opened_us)
    true = IncidentNames(kept_in_the_end(house), KST)
    numbers = [str(FIRST + each) for each in range(TRIED)]
    assert [each for each in numbers if true.name(reference(each), opened_at) == incident] == [caller]

    found = [
        key
        for key in anything_of_32_octets(state(house))
        if IncidentNames(key, KST).name(reference(caller), opened_at) == incident
    ]

    assert found == []


def kept_in_the_end(house: House) -> bytes:
    """The key, as it is read with the key file."""
    key = ServiceKey(state(house), KeyFile(state(house) / "data.keys").ring)
    key.look(is_proven=False)
    return key.octets


@pytest_twisted.ensureDeferred
async def test_a_plain_key_of_an_earlier_release_is_sealed_at_the_start_and_names_as_before(house: House):
    plain = bytes(range(32))
    state(house).mkdir()
    service_key(house).write_bytes(plain)
    await house.start()
    caller = house.caller()
    await house.accepted_press(caller)
    await house.until(lambda: house.alerts(caller))

    await house.until(lambda: plain not in service_key(house).read_bytes())
    await house.kill9()
    await house.start()

    ((incident, opened_us),) = house.daemon.rows("SELECT id, opened_at FROM incident")
    assert IncidentNames(plain, KST).name(reference(caller), from_us(opened_us)) == incident
    assert kept_in_the_end(house) == plain
    assert not house.logged("alarm", alarm="service-key-wrong")


@pytest_twisted.ensureDeferred
async def test_keys_that_are_forgotten_leave_the_key_of_names_readable(house: House):
    await house.start()
    before = kept_in_the_end(house)
    rotation = house.daemon.command("keys", "rotate", "--forget-old", stderr=subprocess.STDOUT)
    await house.until(lambda: rotation.poll() is not None)
    assert "forgot key" in rotation.communicate()[0].decode()

    await house.kill9()

    assert kept_in_the_end(house) == before


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_is_not_there_has_its_key_of_names_sealed_by_the_command(house: House):
    await house.start()
    before, under = kept_in_the_end(house), key_id_of(service_key(house).read_bytes())
    await house.stop()

    rotation = house.daemon.command("keys", "rotate", "--forget-old", stderr=subprocess.STDOUT)
    await house.until(lambda: rotation.poll() is not None)
    assert "forgot key" in rotation.communicate()[0].decode()

    assert key_id_of(service_key(house).read_bytes()) != under
    assert kept_in_the_end(house) == before


@pytest_twisted.ensureDeferred
async def test_one_that_the_start_could_not_open_names_presses_once_its_keys_are_back(house: House):
    await house.start()
    key = kept_in_the_end(house)
    first, second = house.caller(), house.caller()
    await house.accepted_press(first)
    await house.until(lambda: house.alerts(first))
    await house.stop()
    aside = (state(house) / "data.keys").rename(house.folder / "aside")
    sealed = service_key(house).read_bytes()

    await house.start()
    assert await house.soon(house.press(first)) == ESME_RMSGQFUL
    await house.until(lambda: len(house.alerts(first)) == 2)  # told under a name of this process
    assert house.logged("service key not kept")
    aside.rename(state(house) / "data.keys")
    await house.until(lambda: house.logged("service key read at last"), 20)
    await house.accepted_press(second)
    await house.until(lambda: house.alerts(second))

    assert service_key(house).read_bytes() == sealed
    (incident, opened_us) = house.daemon.rows("SELECT id, opened_at FROM incident ORDER BY key DESC")[0]
    assert incident == house.alerts(second)[0].incident
    assert IncidentNames(key, KST).name(reference(second), from_us(opened_us)) == incident
