"""Determines the caller's number from what Asterisk and the dialplan have read of an INVITE. Pure."""

from __future__ import annotations

from telephony.domain.values import Msisdn
from telephony.domain.withheld import is_withheld

WITHHELD = Msisdn("", is_e164=False)
_SHORTEST = 7
"""Fewer digits than this are an extension or a short code, whatever plus stands before them."""


def caller_of(shown: str, *, country_code: str, trunk_prefix: str) -> Msisdn:
    """Return the caller: a number in E.164, one that is withheld, or the text that stood in the place of a number.

    ``shown`` is the user part of a URI as Asterisk gives it: ``+8210…;npdi``, ``10…;phone-context=+82``, ``anonymous``.
    """
    user, has_parameters, _ = shown.partition(";")
    # A tel URI is where Msisdn reads phone-context (RFC 3966 section 5.1.5), and RFC 3261 section 19.1.6 makes one of it.
    number = Msisdn.parse(
        f"tel:{shown}" if has_parameters else shown, country_code=country_code, trunk_prefix=trunk_prefix
    )
    if number.is_e164 and len(number.number) >= _SHORTEST:
        return number
    return WITHHELD if is_withheld(user) else Msisdn(user, is_e164=False)
