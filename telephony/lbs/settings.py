"""Settings of a carrier's location service."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, HttpUrl

from telephony.fields import Seconds, Secret, Table, Tls

MlpVersion = Literal["3.0.0", "3.1.0", "3.2.0", "3.3.0", "3.4.0", "3.5.0"]


class Quality(Table):
    """One kind of request: how long the carrier may take and how good the answer should be."""

    resp_timer_s: Annotated[int, Field(ge=1, le=120)]
    hor_acc_m: Annotated[int, Field(ge=1)] | None = None
    budget_s: Seconds
    """Our own bound from connecting to the last octet of the answer."""


class MlpSettings(Table):
    """``[carrier.lbs]`` with ``protocol = "mlp"``."""

    protocol: Literal["mlp"] = "mlp"
    url: HttpUrl
    client_id: str
    password: Secret | None = None
    serviceid: str | None = None
    version: MlpVersion = "3.2.0"
    service: Literal["eme_lir", "slir"] = "eme_lir"
    """``eme_lir`` falls back to ``slir`` by itself where the server answers 108 SERVICE NOT SUPPORTED."""
    requestmode: Literal["ACTIVE", "PASSIVE"] | None = "ACTIVE"
    msisdn_form: Literal["international", "national"] = "international"
    content_type: str = "application/xml; charset=UTF-8"
    assumed_confidence: Annotated[float, Field(gt=0, lt=100)] = 67.0
    """Percent taken where the answer states none (``lev_conf`` absent or 0)."""
    fast: Quality = Quality(resp_timer_s=4, hor_acc_m=500, budget_s=6.0)
    accurate: Quality = Quality(resp_timer_s=25, hor_acc_m=50, budget_s=30.0)
    retryable_results: tuple[int, ...] = (1, 2, 5, 6, 7, 101, 201, 203)
    """Result ids after which the same server is asked again (MLP 3.5 clause 5.4.1)."""
    unknown_subscriber_results: tuple[int, ...] = (4,)
    """Result ids that say: not my number; the other carriers are asked."""
    retry_after_s: Seconds = 5.0
    connections: Annotated[int, Field(ge=1, le=100)] = 32
    tls: Tls | None = None
