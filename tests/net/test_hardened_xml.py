"""XML of a stranger must not cost more than it is worth."""

from __future__ import annotations

import time

import pytest

from telephony.domain.errors import Malformed
from telephony.net.xml.hardened import MAX_OCTETS, parse


@pytest.mark.parametrize("blank", [b" ", b"\n", b"\t"])
def test_blanks_without_end_are_passed_over_at_once(blank):
    """Quadratic work would take more than a minute."""
    began = time.monotonic()
    assert parse(b"<a/>".ljust(MAX_OCTETS, blank)).name == "a"
    with pytest.raises(Malformed):
        parse(blank * MAX_OCTETS)
    assert time.monotonic() - began < 5


def test_a_declaration_is_passed_over_and_the_encoding_in_it_believed():
    assert parse('<?xml version="1.0" encoding="EUC-KR"?><a>서울</a>'.encode("euc-kr")).text == "서울"
