"""The words that networks write where a number is not shown."""

from __future__ import annotations

import pytest

from telephony.domain.withheld import SOURCES, is_withheld


@pytest.mark.parametrize("word", SOURCES)
def test_every_word_of_the_table_is_known_however_it_is_written(word):
    assert is_withheld(word)
    assert is_withheld(f' "{word.upper()}" ')
    assert is_withheld(word.replace(" ", "-"))


@pytest.mark.parametrize(
    "shown", ["", "0", "0000000000", "+0", "Anonymous", "RESTRICTED", "발신번호 표시제한", "알 수 없음"]
)
def test_what_carriers_were_seen_to_write_is_no_number(shown):
    assert is_withheld(shown)


@pytest.mark.parametrize(
    "shown", ["112", "01012345678", "KAKAO", "alice", "00000001", "anonymous-1", "p" * 65, "-1"]
)
def test_a_number_or_another_name_is_not_withheld(shown):
    assert not is_withheld(shown)
