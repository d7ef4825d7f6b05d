"""Who is told of an incident, and by which channels."""

from __future__ import annotations

from telephony.domain.plan import Plan, ReportRoute, locating_channel, tracking_channel

PLAN = Plan(
    everywhere_else=(ReportRoute("national"),),
    by_carrier={"skt": (ReportRoute("seoul"), ReportRoute("seoul-sms", 5.0))},
)


def test_a_carrier_that_a_centre_lists_goes_to_that_centre():
    assert [route.channel for route in PLAN.reports("skt")] == ["seoul", "seoul-sms"]


def test_every_other_carrier_goes_to_the_centre_for_everywhere_else():
    assert [route.channel for route in PLAN.reports("nobody-knows")] == ["national"]


def test_each_carrier_is_asked_on_channels_of_its_own():
    channels = {
        channel(carrier)
        for channel in (locating_channel, tracking_channel)
        for carrier in ("skt", "kt", "lgu")
    }

    assert len(channels) == 6
