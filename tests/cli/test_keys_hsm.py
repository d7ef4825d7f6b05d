"""``onetouch keys`` with an HSM: made there, moved in and out, shown, checked. The HSM is a real one in software."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from telephony.cli import seat as seats
from telephony.domain.audit import KEYS_MOVED
from telephony.settings import load
from telephony.settings.key_files import key_file_of
from telephony.store.audit import newest
from telephony.store.crypto import KeyFile
from telephony.store.engines import open_engines
from tests.soft_hsm import PIN, SoftHsm, hanging_module, made

KIM, LEE = 1001, 1002
WHY = ("--why", "the HSM is being replaced by another")


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftHsm:
    return made(tmp_path / "hsm", monkeypatch)


class Office:
    def __init__(self, run, config: Path, token: SoftHsm) -> None:
        self._run, self.config, self.token = run, config, token
        self.plain_settings = config.read_text()
        self.set()

    def set(self, before: str = "", after: str = "", *, more: str = "") -> None:
        """Write the settings, with one thing in them otherwise."""
        self.config.write_text(self.plain_settings + self.token.settings.replace(before, after) + more)

    def onetouch(self, *arguments):
        return self._run(*arguments, "--config", self.config)

    @property
    def file(self) -> Path:
        return load(self.config).key_file

    @property
    def is_wrapped(self) -> bool:
        return json.loads(self.file.read_text())["format"] == 2

    def chain(self) -> list[str]:
        settings = load(self.config)
        writing, reading = open_engines(settings.database_url, key_file_of(settings).ring)
        with reading.connect() as connection:
            told = [
                kept.looked.why
                for kept in newest(connection, datetime.min.replace(tzinfo=UTC))
                if kept.looked.what == KEYS_MOVED
            ]
        writing.dispose()
        reading.dispose()
        return told[::-1]


@pytest.fixture
def office(run, config: Path, token: SoftHsm) -> Office:
    return Office(run, config, token)


def test_a_first_start_with_an_hsm_makes_no_keys_by_itself_and_init_makes_them_there(office):
    refused = office.onetouch("db", "upgrade")
    assert refused.exit_code == 1
    assert "onetouch keys init --hsm" in refused.output
    assert "onetouch keys init --hsm" in office.onetouch("keys", "init").output
    assert not office.file.exists()

    assert office.onetouch("keys", "init", "--hsm").exit_code == 0

    assert office.is_wrapped
    assert office.onetouch("db", "upgrade").exit_code == 0
    (key,) = office.token.hsm().wrapping_keys()
    shown = office.onetouch("keys", "show").output
    assert f'{key.id:<21} wraps the file: "onetouch" in the HSM token "sos-1"' in shown
    assert office.onetouch("keys", "init", "--hsm").exit_code == 1
    assert len(office.token.hsm().wrapping_keys()) == 1


def test_a_file_is_moved_in_given_another_wrapping_key_and_moved_out(office):
    KeyFile(office.file).make()
    assert office.onetouch("db", "upgrade").exit_code == 0
    text = office.file.read_bytes()
    office.file.with_name("data.keys.kept").write_bytes(text)
    assert (
        "the key file is in plain; `onetouch keys move-into-hsm` wraps it" in office.onetouch("check").output
    )
    assert "is not wrapped" in office.onetouch("keys", "rotate", "--hsm").output

    moved = office.onetouch("keys", "move-into-hsm")
    assert moved.exit_code == 0, moved.output
    assert office.is_wrapped
    assert not office.file.with_name("data.keys.kept").exists()
    assert "is wrapped already" in office.onetouch("keys", "move-into-hsm").output
    before = json.loads(office.file.read_text())["wrapping_key"]

    turned = office.onetouch("keys", "rotate", "--hsm")
    assert turned.exit_code == 0, turned.output
    assert f"wrapping key {before} opens backups of before" in turned.output
    assert json.loads(office.file.read_text())["wrapping_key"] != before
    assert office.onetouch("keys", "rotate", "--forget-old").exit_code == 0
    assert office.is_wrapped

    assert office.onetouch("keys", "move-out-of-hsm").exit_code == 0
    assert not office.is_wrapped
    assert office.onetouch("db", "check").exit_code == 0
    assert [each.partition(",")[0] for each in office.chain()] == [
        "onetouch keys move-into-hsm", "onetouch keys rotate --hsm", "onetouch keys move-out-of-hsm",
    ]  # fmt: skip


def test_moving_out_takes_two_where_two_are_asked_for(office, monkeypatch):
    real = seats.seat()
    office.onetouch("keys", "init", "--hsm")
    office.onetouch("db", "upgrade")
    office.set(more="[audit]\nsecond_person = true\n")
    monkeypatch.setattr(seats, "seat", lambda: replace(real, uid=KIM, login_uid=KIM))

    alone = office.onetouch("keys", "move-out-of-hsm")
    assert alone.exit_code == 1
    assert f"onetouch audit approve keys-out --for {KIM}" in alone.output
    assert office.is_wrapped

    monkeypatch.setattr(seats, "seat", lambda: replace(real, uid=LEE, login_uid=LEE))
    assert office.onetouch("audit", "approve", "keys-out", "--for", KIM, *WHY).exit_code == 0
    monkeypatch.setattr(seats, "seat", lambda: replace(real, uid=KIM, login_uid=KIM))
    assert office.onetouch("keys", "move-out-of-hsm").exit_code == 0
    assert not office.is_wrapped


@pytest.mark.parametrize(
    ("before", "after", "key", "said"),
    [
        ('"sos-1"', '"sos-2"', "store.key_hsm.token", 'tokens that are there: "sos-1"'),
        ('key = "onetouch"', 'key = "another"', "store.key_hsm.key", 'no key "another" with the id'),
        ("libsofthsm2.so", "README", "store.key_hsm.module", "there is no file"),
    ],
)
def test_check_names_the_key_that_is_wrong(office, before, after, key, said):
    office.onetouch("keys", "init", "--hsm")
    assert office.onetouch("check").exit_code == 0

    office.set(before, after)
    checked = office.onetouch("check")

    assert checked.exit_code in (1, 2)
    assert f": {key}: " in checked.output
    assert said in checked.output


def test_check_names_a_pin_that_is_wrong_or_not_there_and_repeats_it_nowhere(office):
    office.onetouch("keys", "init", "--hsm")
    office.token.pin_file.write_text("86420\n")
    checked = office.onetouch("check")
    assert checked.exit_code == 1
    assert ": store.key_hsm.pin: the HSM (pin): PinIncorrect" in checked.output
    assert "86420" not in checked.output

    office.token.pin_file.unlink()
    checked = office.onetouch("check")
    assert checked.exit_code == 2
    assert "store.key_hsm.pin: the secret is not there" in checked.output


def test_check_gives_up_on_a_module_that_hangs_and_on_one_that_is_none(office, tmp_path):
    office.onetouch("keys", "init", "--hsm")
    hangs = tmp_path / "module.so"
    hangs.symlink_to("/usr/lib/softhsm/libsofthsm2.so")
    office.set("/usr/lib/softhsm/libsofthsm2.so", str(hangs))
    hangs.unlink()
    hangs.write_text("no library")
    assert ": store.key_hsm.module: the HSM (module)" in office.onetouch("check").output

    hangs.unlink()
    hanging_module(tmp_path).rename(hangs)
    office.config.write_text(office.config.read_text().replace("timeout_s = 20.0", "timeout_s = 0.5"))
    checked = office.onetouch("check")
    assert checked.exit_code == 1
    assert ": store.key_hsm.timeout_s: the HSM (late): no answer within 0.5 s" in checked.output


def test_without_the_settings_of_the_hsm_the_file_says_which_token_it_needs(office):
    office.onetouch("keys", "init", "--hsm")
    office.onetouch("db", "upgrade")
    office.config.write_text(office.plain_settings)

    shown = office.onetouch("keys", "show")

    assert shown.exit_code == 1
    assert 'is wrapped by the HSM token "sos-1": say in store.key_hsm how to reach it' in shown.output
    assert "store.key_hsm is not set" in office.onetouch("keys", "move-into-hsm").output
    assert PIN not in shown.output
