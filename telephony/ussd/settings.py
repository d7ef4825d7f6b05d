"""Settings of USSD: the neutral texts, and the gateway of each carrier."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from telephony.fields import Table
from telephony.ussd.profiles import ProfileName

ClosingText = Annotated[str, Field(min_length=1, max_length=182)]


class Ussd(Table):
    """The text that a phone shows after an SOS code, by language: ``[ussd]``. It must betray nothing."""

    closing_ko: ClosingText = "요청이 처리되었습니다."
    closing_en: ClosingText = "Request completed."

    @property
    def neutral_texts(self) -> frozenset[str]:
        """The only texts that may reach a caller's phone while silence holds."""
        return frozenset({self.closing_ko, self.closing_en})


class CarrierUssd(Table):
    """The USSD gateway of one carrier: ``[carrier.ussd]``."""

    profile: ProfileName = "generic"
    language: Literal["ko", "en"] | None = None
    """Language of the closing text; unset: that of the service."""
    session_s: Annotated[float, Field(gt=0, le=600)] = 30.0
    """How long the gateway waits for our answer; no text is sent later than this."""
    code_tlv: Annotated[int, Field(ge=0, le=65_535)] | None = None
    """Tag of a vendor parameter that holds the dialled code."""
