"""Who calls, in every form in which a trunk writes it."""

from __future__ import annotations

import pytest

from telephony.asterisk.sos.caller import WITHHELD, caller_of
from telephony.domain.values import Msisdn

KIM = Msisdn("821012345678")


@pytest.mark.parametrize(
    "shown",
    [
        "01012345678", "+821012345678", "821012345678", "00821012345678", "+82-10-1234-5678",
        "+821012345678;npdi", "+821012345678;npdi;rn=+82109999999;cic=+1555", "01012345678;cpc=ordinary",
        "1012345678;phone-context=+82", "01012345678;phone-context=ims.mnc005.mcc450.3gppnetwork.org",
        "+821012345678;phone-context=+1",
    ],
)  # fmt: skip
def test_a_number_is_one_caller_in_every_form(shown):
    assert caller_of(shown, country_code="82", trunk_prefix="0") == KIM


@pytest.mark.parametrize(
    "shown", ["", "anonymous", "Unavailable", "Restricted", "unknown;x=1", "0000000000", "발신번호표시제한"]
)
def test_what_stands_for_a_withheld_number_is_one(shown):
    assert caller_of(shown, country_code="82", trunk_prefix="0") == WITHHELD


@pytest.mark.parametrize("shown", ["1366", "+82", "alice", "010", "2025550123;phone-context=+1"])
def test_what_is_no_number_of_a_person_is_told_as_it_came(shown):
    expected = Msisdn(shown.partition(";")[0], is_e164=False)

    assert caller_of(shown, country_code="82", trunk_prefix="0") == expected
