"""Settings of a 112 control centre and the channels that lead to it, beside the code that obeys them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, HttpUrl

from telephony.fields import Name, Seconds, Secret, Table, Tls


class CapHttpChannel(Table):
    """``[[psap.channel]]`` with ``kind = "cap-http"``: CAP 1.2 by HTTP(S) POST."""

    kind: Literal["cap-http"] = "cap-http"
    name: Name
    url: HttpUrl
    after_s: Annotated[float, Field(ge=0, le=3600)] = 0.0
    """Used only for reports that no earlier channel has delivered within this time. 0: at once."""
    authorization: Secret | None = None
    """Value of the Authorization header."""
    timeout_s: Seconds = 10.0
    concurrency: Annotated[int, Field(ge=1, le=200)] = 32
    """Reports in flight at once; of one incident never more than one."""
    tls: Tls | None = None


class Psap(Table):
    """One 112 centre: ``[[psap]]``."""

    name: Name
    carriers: tuple[Name, ...] = ()
    """Carriers whose presses go here; empty: every carrier that no other centre lists."""
    sender: Annotated[str, Field(pattern=r"^[^\s,<&]+$")] = "onetouch.example"
    """CAP sender: who we are, domain-like."""
    addresses: Annotated[str, Field(pattern=r"^[^\s,<&]+$")]
    """CAP addresses: who they are (scope is always Private)."""
    language: Literal["ko", "en"] = "ko"
    channel: Annotated[tuple[CapHttpChannel, ...], Field(min_length=1)]
