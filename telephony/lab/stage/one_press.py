"""Runs one press through the whole lab and follows it until 112 knows where she is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from twisted.internet.defer import TimeoutError as GaveUp

from telephony.clock import Clock, pause, within
from telephony.domain.delivery import ALERT, UPDATE
from telephony.lab.carrier.text_phones import ShownText
from telephony.lab.carrier.ussd_gateway import Shown, UssdGateway
from telephony.lab.centre.psap import LabPsap, ReceivedReport
from telephony.lab.stage.house import MOTHER, SOS_CODE, SOS_NUMBER, VICTIM, House, Language
from telephony.lab.stage.lines import Who
from telephony.lab.stage.missing_words import WORDS as MISSING
from telephony.lab.stage.timeline import (
    WORDS,
    Moment,
    centre_moments,
    daemon_moments,
    location_moments,
    since_ms,
)
from telephony.smpp.wire.constants import ESME_ROK, STATUS_NAMES
from telephony.store.incidents import Happened, Story

LONGEST_S = 15.0
BETTER_WITHIN_S = 5.0
"""For the accurate position, after the first; it is shown where it comes."""
SETTLED_WITHIN_S = 2.0
TEXT: Mapping[Language, str] = MappingProxyType({"ko": "살려주세요", "en": "help me"})
SHOWN_WITHIN_S = 2.0


@dataclass
class PressReport:
    """How a press went. ``is_ok``: whether 112 acknowledged the alert and an update with a position, in silence."""

    is_ok: bool = False
    incident: str = ""
    timeline: list[Moment] = field(default_factory=list)
    reports: list[ReceivedReport] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    audio: dict[str, Any] = field(default_factory=dict)
    """Of a call: what could be heard at both ends."""
    shown: str | None = None
    """Of a USSD code: what the phone showed at the end."""
    pressed_at: float = 0.0
    texts_to_her: list[str] = field(default_factory=list)
    """What her phone was sent, which must be nothing."""
    guardian_told_ms: float | None = None
    """When her guardian's phone showed the text."""

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object; reports hold the document exactly as the centre received it."""
        return {
            "ok": self.is_ok,
            "incident": self.incident,
            "missing": self.missing,
            **({"audio": self.audio} if self.audio else {}),
            **({"shown": self.shown} if self.shown is not None else {}),
            "texts_to_her": self.texts_to_her,
            "guardian_told_ms": self.guardian_told_ms,
            "timeline": [{"ms": m.ms, "who": m.who, "what": m.what} for m in self.timeline],
            "reports": [
                {
                    "ms": since_ms(report.at, self.pressed_at),
                    "identifier": report.identifier,
                    "msgType": report.msg_type,
                    "valid": report.is_valid,
                    "circle": report.circle,
                    "document": report.raw.decode("utf-8", "replace"),
                }
                for report in self.reports
            ],
        }


class HerPhones:
    """Watches the phones of the two: what reaches hers, and when her guardian's shows a text."""

    def __init__(self, house: House, result: PressReport) -> None:
        self._house, self._result = house, result
        house.smsc.phones.watch = self._take

    def _take(self, shown: ShownText) -> None:
        result = self._result
        if shown.to == VICTIM:
            result.texts_to_her.append(shown.text)
            result.missing.append(MISSING[self._house.language].text_to_her)
        elif shown.to == MOTHER and result.guardian_told_ms is None:
            result.guardian_told_ms = since_ms(self._house.reactor.seconds(), result.pressed_at)


def is_located_update(report: ReceivedReport) -> bool:
    """Whether a report tells 112 where she is."""
    return report.msg_type == "Update" and report.circle is not None


async def one_press(house: House, clock: Clock, by: str = "sms") -> PressReport:
    """Press once (``sms`` or ``ussd``) and follow it until 112 has acknowledged alert and position.

    For at most `LONGEST_S`. A phone that dialled must have shown the text that ends its session.
    """
    words, lacks = WORDS[house.language], MISSING[house.language]
    sent_at = clock.seconds()
    result = PressReport(pressed_at=sent_at)
    HerPhones(house, result)
    if by == "ussd":
        what, sending = words.dials.format(code=SOS_CODE), house.smsc.send_ussd(VICTIM, SOS_CODE)
    else:
        what = words.texts.format(number=SOS_NUMBER, text=TEXT[house.language])
        sending = house.smsc.send_mo(VICTIM, SOS_NUMBER, text=TEXT[house.language])
    moments = [Moment(0.0, Who.PHONE, what)]
    try:
        status = await within(sending, LONGEST_S, clock)
    except GaveUp:
        result.missing.append(lacks.answer)
        return result
    name = STATUS_NAMES.get(status, hex(status))
    answered = words.on_disk if status == ESME_ROK else words.answered
    moments.append(Moment(since_ms(clock.seconds(), sent_at), Who.SMSC, answered.format(status=name)))
    if status != ESME_ROK:
        result.missing.append(lacks.status.format(status=name))
    if by == "ussd":
        moments += await _shown(house, clock, result)
    await _until_located(house, clock, result)
    await tell_the_rest(house, clock, result, moments)
    return result


async def tell_the_rest(
    house: House, clock: Clock, result: PressReport, moments: list[Moment]
) -> Story | None:
    """Wait until what 112 has taken is written down; put the timeline together and judge."""
    told = await story_when_settled(house, clock)
    if told is None:
        result.missing.append(MISSING[house.language].incident)
        return None
    start, language = result.pressed_at, house.language
    kinds, lacks = WORDS[language].kinds, MISSING[language].acknowledgement
    result.incident = told.incident.id
    result.reports = [
        report for centre in (house.psap, house.fallback) for report in centre.of_incident(told.incident.id)
    ]
    result.missing += [lacks.format(kind=kinds.get(kind, kind)) for kind in not_acknowledged(told)]
    told_moments = [
        *moments,
        *daemon_moments(told, start, language),
        *location_moments(house.mlp.requests, start, language),
        *centre_moments(result.reports, start, language),
    ]
    result.timeline = sorted(told_moments, key=lambda moment: moment.ms)
    result.is_ok = not result.missing
    return told


async def _until_located(house: House, clock: Clock, result: PressReport) -> None:
    try:
        await within(house.psap.wait_for(has_located_update), LONGEST_S, clock)
    except GaveUp:
        result.missing.append(MISSING[house.language].position.format(seconds=LONGEST_S))
        return
    await no_longer_than(BETTER_WITHIN_S, house, clock, has_better_position)


async def no_longer_than(
    seconds: float, house: House, clock: Clock, claim: Callable[[LabPsap], bool]
) -> None:
    """Wait for what would be good to show; that it does not come is no failure of the press."""
    end = clock.seconds() + seconds
    while not claim(house.psap) and clock.seconds() < end:
        await pause(clock, 0.02)


def has_better_position(centre: LabPsap) -> bool:
    """Whether 112 has been told of more places than the first."""
    return len({report.circle for report in centre.reports if is_located_update(report)}) > 1


async def _shown(house: House, clock: Clock, result: PressReport) -> list[Moment]:
    lacks = MISSING[house.language]
    shown = await text_shown(house.smsc.ussd, clock)
    if shown is None:
        result.missing.append(lacks.page.format(seconds=SHOWN_WITHIN_S))
        return []
    result.shown = shown.text
    if not shown.ends_session:
        result.missing.append(lacks.end_of_session)
    said = WORDS[house.language].shows.format(text=shown.text)
    return [Moment(since_ms(clock.seconds(), result.pressed_at), Who.PHONE, said)]


async def text_shown(gateway: UssdGateway, clock: Clock, before: int = 0) -> Shown | None:
    """Return the text that a phone shows after so many earlier ones, or ``None`` when none comes in time."""
    until = clock.seconds() + SHOWN_WITHIN_S
    while len(gateway.shown) <= before:
        if clock.seconds() > until:
            return None
        await pause(clock, 0.002)
    return gateway.shown[before]


def has_located_update(centre: LabPsap) -> bool:
    """Whether 112 knows where she is."""
    return any(is_located_update(report) for report in centre.reports)


async def story_when_settled(house: House, clock: Clock) -> Story | None:
    """Return the incident's story once what the centre has taken is written down as delivered."""
    until = clock.seconds() + SETTLED_WITHIN_S
    while True:
        rows = await house.books.incidents(limit=1)
        told = await house.books.story(rows[0].id) if rows else None
        is_settled = told is not None and not told.owed and not not_acknowledged(told)
        if told is not None and (is_settled or clock.seconds() > until):
            return told
        if clock.seconds() > until:
            return None
        await pause(clock, 0.02)


def not_acknowledged(told: Story) -> list[str]:
    """Return the kinds that 112 must have acknowledged and has not: the alert, and an update."""
    delivered = {
        line.facts["kind"]
        for line in told.lines
        if line.kind is Happened.DELIVERED and line.facts["sequence"] > 0
    }
    return [kind for kind in (ALERT, UPDATE) if kind not in delivered]
