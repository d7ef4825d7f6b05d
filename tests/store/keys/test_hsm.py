"""Keys that an HSM wraps: of no use without it, and of use to a running daemon whatever becomes of it."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from telephony.store.crypto import Key, KeyFile, KeyRing, KeysUnavailable, Place
from telephony.store.keys.envelope import Wrapped
from telephony.store.keys.hsm import AGAIN_S, Hsm, HsmFault, HsmTrouble, Opener
from tests.soft_hsm import MODULE, SoftHsm, hanging_module, made

PLACE = Place("person", "sealed", 7)


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftHsm:
    return made(tmp_path / "hsm", monkeypatch)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data.keys"


@pytest.fixture
def wrapped(token: SoftHsm, path: Path) -> KeyFile:
    """A key file that was made under the HSM."""
    hsm = token.hsm()
    key_file = KeyFile(path, hsm=hsm)
    key_file.make(wrapping_key=hsm.make_key())
    return key_file


def secrets_of(ring: KeyRing) -> list[bytes]:
    return [half for key in ring.keys.values() for half in (key.encryption, key.look_up)] + [ring.audit_key]


def is_in(octets: bytes, secret: bytes) -> bool:
    import base64  # noqa: PLC0415

    return secret in octets or base64.b64encode(secret) in octets or secret.hex().encode() in octets


def until(claim: Callable[[], bool]) -> None:
    """Wait for a thread of ours, which nothing else tells of."""
    waiting = threading.Event()
    ends = time.monotonic() + 60
    while not claim():
        assert time.monotonic() < ends
        waiting.wait(0.02)


# -- the file -------------------------------------------------------------------------------------------------------


def test_a_file_that_is_made_under_the_hsm_holds_no_key_and_opens_with_it_alone(
    token: SoftHsm, wrapped: KeyFile, path: Path
):
    ring = wrapped.ring()

    octets = path.read_bytes()
    assert not any(is_in(octets, secret) for secret in secrets_of(ring))
    assert path.stat().st_mode & 0o777 == 0o600
    assert secrets_of(KeyFile(path, hsm=token.hsm()).ring()) == secrets_of(ring)
    with pytest.raises(KeysUnavailable, match=r'wrapped by the HSM token "sos-1": say in store\.key_hsm'):
        KeyFile(path).ring()


def test_the_wrapping_key_never_leaves_the_hsm(token: SoftHsm, wrapped: KeyFile):
    wrapped.ring()

    (key,) = token.hsm().wrapping_keys()

    assert (key.id, key.can_leave) == (wrapped.wrapped.key_id, False)


def test_with_an_hsm_no_file_in_plain_is_made_by_itself(token: SoftHsm, path: Path):
    with pytest.raises(KeysUnavailable, match="onetouch keys init --hsm"):
        KeyFile(path, hsm=token.hsm()).make()

    assert not path.exists()


def test_a_file_that_moves_in_leaves_no_copy_in_plain_and_can_move_out(
    token: SoftHsm, path: Path, tmp_path: Path
):
    state = tmp_path / "state"
    state.mkdir()
    plain = KeyFile(path)
    plain.make()
    plain.add()
    ring = plain.ring()
    text = path.read_bytes()
    (state / "data.keys.kept").write_bytes(text)
    path.with_name("data.keys.4711.new").write_bytes(text)  # of a rotation that was killed
    hsm = token.hsm()
    moved = KeyFile(path, hsm=hsm)

    with path.open("rb") as held, path.with_name("data.keys.earlier").open("rb") as earlier:
        moved.move_into_hsm(hsm.make_key(), state)

        assert not held.read().strip(b"\0")
        assert not earlier.read().strip(b"\0")
    files = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert [each for each in files if any(is_in(each.read_bytes(), one) for one in secrets_of(ring))] == []
    assert secrets_of(KeyFile(path, hsm=hsm).ring()) == secrets_of(ring)
    moved.move_out_of_hsm()
    assert path.read_bytes() == text


def test_a_kill_between_the_envelope_and_the_cleaning_is_made_good_by_repeating(
    token: SoftHsm, path: Path, tmp_path: Path
):
    KeyFile(path).make()
    path.with_name("data.keys.earlier").write_bytes(path.read_bytes())
    hsm = token.hsm()
    key_file = KeyFile(path, hsm=hsm)
    ring = key_file.ring()
    text = path.read_bytes()
    path.write_bytes(Wrapped.of(text, hsm, hsm.make_key(), hsm.token).octets)

    key_file.wipe_earlier(tmp_path)

    assert sorted(each.name for each in tmp_path.iterdir() if each.is_file()) == ["data.keys"]
    assert secrets_of(key_file.ring()) == secrets_of(ring)


def test_another_wrapping_key_wraps_the_same_keys(token: SoftHsm, wrapped: KeyFile, tmp_path: Path):
    ring, before = wrapped.ring(), wrapped.wrapped

    wrapped.move_into_hsm(token.hsm().make_key(), tmp_path)

    assert wrapped.wrapped.key_id != before.key_id
    assert secrets_of(KeyFile(wrapped.path, hsm=token.hsm()).ring()) == secrets_of(ring)
    assert len(token.hsm().wrapping_keys()) == 2  # backups need the earlier one


def test_keys_are_added_and_forgotten_in_a_wrapped_file(token: SoftHsm, wrapped: KeyFile):
    old = wrapped.ring().current

    new = wrapped.add()
    assert wrapped.ring().current == new
    assert not is_in(wrapped.path.with_name("data.keys.earlier").read_bytes(), old.encryption)
    wrapped.forget(old.id)

    assert set(KeyFile(wrapped.path, hsm=token.hsm()).ring().keys) == {new.id}


# -- what is wrong with the HSM -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("other", "trouble", "said"),
    [
        ({"pin": lambda: "999999"}, HsmTrouble.PIN, "PinIncorrect"),
        ({"token": "another"}, HsmTrouble.TOKEN, 'tokens that are there: "sos-1"'),
        ({"module": MODULE.with_name("none.so")}, HsmTrouble.MODULE, "No such file"),
        ({"module": Path("/lib/x86_64-linux-gnu/libz.so.1")}, HsmTrouble.MODULE, "C_GetFunctionList"),
        ({"label": "another"}, HsmTrouble.KEY, 'no key "another" with the id'),
    ],
)
def test_what_is_wrong_is_told_by_kind(token: SoftHsm, wrapped: KeyFile, other, trouble, said):
    with pytest.raises(HsmFault, match=said) as caught:
        KeyFile(wrapped.path, hsm=token.hsm(**other)).ring()

    assert caught.value.trouble is trouble


def test_a_pin_that_is_not_there_is_told_by_its_place(token: SoftHsm, wrapped: KeyFile):
    def gone() -> str:
        raise LookupError("provide the file /etc/onetouch/pin: No such file or directory")

    with pytest.raises(HsmFault, match="provide the file /etc/onetouch/pin"):
        KeyFile(wrapped.path, hsm=token.hsm(pin=gone)).ring()


def test_a_module_that_hangs_is_given_up(token: SoftHsm, wrapped: KeyFile, tmp_path: Path):
    hsm = token.hsm(module=hanging_module(tmp_path), timeout_s=0.5)

    with pytest.raises(HsmFault, match=r"no answer within 0\.5 s") as caught:
        KeyFile(wrapped.path, hsm=hsm).ring()

    assert caught.value.trouble is HsmTrouble.LATE


# -- a daemon that runs ---------------------------------------------------------------------------------------------


def in_a_daemon(path: Path, hsm: Hsm, keep_in: Path) -> KeyFile:
    key_file = KeyFile(path, hsm=hsm, waits=False)
    key_file.first_ring()
    key_file.is_proven_by(lambda _: None, keep_in)
    return key_file


def test_an_hsm_that_is_gone_is_not_missed_while_the_file_stays_as_it_is(
    token: SoftHsm, wrapped: KeyFile, tmp_path: Path
):
    used = in_a_daemon(wrapped.path, token.hsm(), tmp_path)
    token.go()

    ring = used.ring()

    key_id, sealed = ring.seal(PLACE, b"secret")
    assert ring.open(PLACE, key_id, sealed) == b"secret"
    assert used.trouble is None


def test_a_file_that_changes_while_the_hsm_is_gone_is_told_and_used_when_it_is_back(
    token: SoftHsm, wrapped: KeyFile, tmp_path: Path
):
    used = in_a_daemon(wrapped.path, token.hsm(), tmp_path / "hsm")
    before = used.ring()
    added = wrapped.add()
    token.go()

    assert used.ring() is before  # and asks
    until(lambda: used.ring() is before and used.trouble is not None)

    assert "the HSM (token)" in used.trouble
    kept = (tmp_path / "hsm" / "data.keys.kept").read_bytes()
    assert not any(is_in(kept, secret) for secret in secrets_of(before))
    token.come_back()
    until(lambda: used.ring().current == added)
    assert used.trouble is None
    assert not (tmp_path / "hsm" / "data.keys.kept").exists()


def test_a_wrapped_file_that_vanishes_is_written_again_as_it_was(
    token: SoftHsm, wrapped: KeyFile, tmp_path: Path
):
    used = in_a_daemon(wrapped.path, token.hsm(), tmp_path)
    octets = wrapped.path.read_bytes()
    token.go()
    wrapped.path.unlink()

    used.ring()

    assert wrapped.path.read_bytes() == octets


def test_a_module_that_hangs_at_a_re_read_holds_nobody_up(token: SoftHsm, wrapped: KeyFile, tmp_path: Path):
    link = tmp_path / "module.so"
    link.symlink_to(MODULE)
    used = in_a_daemon(wrapped.path, token.hsm(module=link, timeout_s=8.0), tmp_path / "hsm")
    before = used.ring()
    added = wrapped.add()
    link.unlink()
    link.symlink_to(hanging_module(tmp_path))

    begun = time.monotonic()
    for _ in range(100):
        assert used.ring() is before
    assert time.monotonic() - begun < 4.0
    until(lambda: used.ring() is before and used.trouble is not None)

    assert "no answer within 8 s" in used.trouble
    link.unlink()
    link.symlink_to(MODULE)
    until(lambda: current_of(used) == added)


def test_keys_that_may_be_forgotten_by_now_seal_nothing_more(
    token: SoftHsm, wrapped: KeyFile, tmp_path: Path
):
    """Else a press is acknowledged that can never be read: the key that it is sealed under is out of the file."""
    used = in_a_daemon(wrapped.path, token.hsm(), tmp_path / "hsm")
    before = used.ring()
    added = wrapped.add()
    wrapped.forget(before.current.id)
    token.go()

    assert used.ring() is before
    later = time.monotonic() + used.taken_up_within_s + 1
    used._monotonic = lambda: later
    with pytest.raises(KeysUnavailable):
        used.ring()
    token.come_back()
    used._monotonic = time.monotonic

    until(lambda: current_of(used) == added)


def current_of(used: KeyFile) -> Key | None:
    """Return the key that is sealed under; none while that cannot be known."""
    try:
        return used.ring().current
    except KeysUnavailable:
        return None


def test_a_start_waits_a_few_seconds_at_most(token: SoftHsm, wrapped: KeyFile, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("telephony.store.keys.file.FIRST_WAIT_S", 0.3)
    used = KeyFile(wrapped.path, hsm=token.hsm(module=hanging_module(tmp_path), timeout_s=30.0), waits=False)

    begun = time.monotonic()
    with pytest.raises(KeysUnavailable, match="has not opened"):
        used.first_ring()
    with pytest.raises(KeysUnavailable, match="has not opened"):
        used.ring()

    assert time.monotonic() - begun < 15.0


# -- one that asks --------------------------------------------------------------------------------------------------


class Software:
    """Wraps as an HSM does, and counts."""

    timeout_s = 1.0

    def __init__(self) -> None:
        self.asked = 0
        self.pin = "1"
        self.fails: HsmTrouble | None = None
        self._key = os.urandom(32)

    def pin_now(self) -> str:
        return self.pin

    def wrap(self, key_id: str, octets: bytes, place: bytes) -> bytes:
        return AESGCM(self._key).encrypt(bytes(12), octets, place + key_id.encode())

    def unwrap(self, key_id: str, octets: bytes, place: bytes) -> bytes:
        self.asked += 1
        if self.fails is not None:
            raise HsmFault(self.fails, "")
        try:
            return AESGCM(self._key).decrypt(bytes(12), octets, place + key_id.encode())
        except InvalidTag:
            raise HsmFault(HsmTrouble.CHANGED, "") from None


class Watch:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def opened_or_fault(opener: Opener, wrapped: Wrapped) -> bytes | HsmTrouble:
    try:
        text = opener.text_of(wrapped, 30.0)
    except HsmFault as error:
        return error.trouble
    assert text is not None
    return text


def test_after_a_failure_the_hsm_is_asked_again_and_after_a_wrong_pin_only_with_another():
    hsm, watch = Software(), Watch()
    envelope = Wrapped.of(b"text", hsm, "aa", "token")
    opener = Opener(hsm, monotonic=watch)  # type: ignore[arg-type]
    hsm.asked, hsm.fails = 0, HsmTrouble.DEVICE
    assert [opened_or_fault(opener, envelope) for _ in range(3)] == [HsmTrouble.DEVICE] * 3
    assert hsm.asked == 1

    hsm.fails = HsmTrouble.PIN
    watch.now += AGAIN_S
    with pytest.raises(HsmFault):  # what it said last, while it is asked
        opener.text_of(envelope, 0.0)
    until(lambda: hsm.asked == 2)
    for _ in range(5):
        watch.now += 10 * AGAIN_S
        assert opened_or_fault(opener, envelope) is HsmTrouble.PIN
    other = Wrapped.of(b"other", Software(), "bb", "token")
    assert opened_or_fault(opener, other) is HsmTrouble.PIN
    assert hsm.asked == 2

    hsm.fails, hsm.pin = None, "2"
    assert opened_or_fault(opener, envelope) == b"text"
    assert opened_or_fault(opener, envelope) == b"text"
    assert hsm.asked == 3


ENVELOPE = Wrapped.of(b"the text of a key file", SOFTWARE := Software(), "c0ffee", "token")


@given(st.sampled_from(["data_key", "sealed", "wrapping_key"]), st.integers(0, 10_000), st.integers(1, 255))
def test_any_changed_octet_of_the_envelope_is_noticed(name, at, flip):
    plain = json.loads(ENVELOPE.octets)
    text = bytearray(plain[name].encode())
    text[at % len(text)] = 0x30 + (text[at % len(text)] + flip) % 10
    plain[name] = text.decode()
    try:
        changed = Wrapped.read(plain)
    except (ValueError, KeyError, TypeError):
        return
    if changed == ENVELOPE:
        return

    with pytest.raises(KeysUnavailable):
        changed.opened(SOFTWARE)


JSON = st.none() | st.integers() | st.text(max_size=10) | st.lists(st.integers(), max_size=3)


@given(st.fixed_dictionaries({"format": st.just(2), "token": JSON, "wrapping_key": JSON, "data_key": JSON, "sealed": JSON}))  # fmt: skip
def test_an_envelope_of_any_other_shape_is_no_key_file(tmp_path_factory, plain):
    path = tmp_path_factory.getbasetemp() / "shape.keys"
    path.write_text(json.dumps(plain))
    path.chmod(0o600)

    with pytest.raises(KeysUnavailable):
        KeyFile(path).ring()
