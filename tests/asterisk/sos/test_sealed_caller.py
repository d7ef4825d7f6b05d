"""The caller in the journal: opened with the key alone, and never a wrong number."""

from __future__ import annotations

import re
from base64 import b64encode

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from hypothesis import example, given
from hypothesis import strategies as st

from telephony.asterisk.sos.journal import is_sealed, read_note
from telephony.asterisk.sos.sealed_caller import KEY_VARIABLE, is_key, open_caller
from tests.asterisk.dialplan.test_files import DIALPLANS
from tests.asterisk.sos_events import SERVER, Held

KEY, OTHER = "AbCdEfGhIjKlMnOp", "0bCdEfGhIjKlMnOp"
numbers = st.text("0123456789+*#", min_size=1, max_size=40)


def sealed(number: str, key: str = KEY, chance: int = 12_345_678) -> str:
    """As Asterisk's AES_ENCRYPT() and 20-sos.conf write it."""
    blocks = []
    for at in range(0, len(number), 8):
        plain = f"{chance + at}{number[at : at + 8]}".encode().ljust(16, b"\0")
        cipher = Cipher(AES(key.encode()), ECB()).encryptor()
        blocks.append(b64encode(cipher.update(plain) + cipher.finalize()).decode()[:22])
    return "=" + "".join(blocks)


def test_what_asterisk_has_sealed_is_opened():
    """Captured: AES_ENCRYPT(AbCdEfGhIjKlMnOp,12345678+8210123) of Asterisk 16.28.0."""
    assert open_caller("=4W2965XG8VMNtZp99Wx1Jg", KEY) == "+8210123"


@given(numbers)
def test_a_number_is_opened_by_its_key_alone(number):
    assert open_caller(sealed(number), KEY) == number
    assert open_caller(sealed(number), OTHER) is None
    assert open_caller(sealed(number), "") is None


def test_two_calls_of_one_number_do_not_look_alike():
    assert sealed("01012345678") != sealed("01012345678", chance=87_654_321)


@given(st.text(max_size=300), st.text(max_size=20))
@example("=", KEY)
@example("=" + "A" * 21 + "é", KEY)
@example("=" + "A" * 22 * 9, KEY)
def test_opening_is_total(text, key):
    found = open_caller(text, key)

    assert found is None or found == text or re.fullmatch("[0-9+*#]+", found)


def test_only_sixteen_signs_of_base64_are_a_key():
    assert is_key(KEY)
    assert not any(is_key(each) for each in ("", KEY[:15], KEY + "x", "AbCdEfGhIjKlMnO,", "AbCdEfGhIjKlMnOé"))


def test_a_note_without_its_key_is_a_call_all_the_same_whose_number_is_said_to_be_missing():
    note = Held(caller=sealed("01012345678")).note()

    with_key, without = read_note(SERVER, note, KEY), read_note(SERVER, note)

    assert is_sealed(note)
    assert (with_key.caller, with_key.is_caller_sealed) == ("01012345678", False)
    assert (without.caller, without.is_caller_sealed) == ("", True)


def test_a_note_of_a_dialplan_of_before_is_read_with_its_number_and_token():
    held = Held()
    note = held.note().replace(held.token_digest, held.token)

    call = read_note(SERVER, note, KEY)

    assert not is_sealed(note)
    assert (call.caller, call.token_digest) == (held.caller, held.token_digest)


def test_the_dialplan_asks_for_the_key_where_the_daemon_does():
    files = [DIALPLANS / "onetouch" / name for name in ("20-sos.conf", "25-second-leg.conf")]

    assert [KEY_VARIABLE in each.read_text() for each in files] == [True, True]
