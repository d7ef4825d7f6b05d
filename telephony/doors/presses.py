"""Takes presses of machines: ``POST /v1/presses``, and later fixes of their devices, ``PUT /v1/presses/<incident>/position``.

A press is answered 201 once it is durable, as every way in answers its sender; one that could not be made durable is answered
503, and 112 has been told of it directly.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from hashlib import blake2b
from http import HTTPStatus
from typing import Final

import structlog

from telephony.clock import Clock, utc_now
from telephony.domain.errors import Malformed, Unavailable
from telephony.domain.facts import DeviceFact
from telephony.domain.ports import AcceptAll
from telephony.domain.position import Position
from telephony.domain.trigger import PARTLY_UNREADABLE_PRESS, Trigger
from telephony.doors.answers import Answer, Code, Done, Problem, Remark
from telephony.doors.json_door import NO_SUCH_PATH, Asked, JsonDoor, not_allowed, unavailable
from telephony.doors.machines import NOT_KNOWN, Machines
from telephony.doors.press_reading import Pressed, Source, read_fix, read_key, read_press
from telephony.remembered import Remembered
from telephony.store.positions import FixKept

log = structlog.get_logger()

INCIDENT_ID: Final = re.compile(r"[a-z0-9-]{1,40}")
DESTINATION: Final = "112"
"""What a press over HTTP has called."""
MOST_REMEMBERED: Final = 20_000
"""Presses whose keys are known here for as long as the process lives; those of open incidents the store knows."""

NOT_DURABLE: Final = unavailable(
    "the press could not be kept; 112 was told of it directly. Send the same request again with the same Idempotency-Key",
    Code.NOT_DURABLE,
)


KeepFix = Callable[[str, str, Position], Awaitable[FixKept]]
"""Keeps a fix of an incident (by its id) that a machine (by its name) has pressed for. May raise `Unavailable`."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """What a machine may press for: the first source and the first carrier stand where it names none, or another."""

    sources: Sequence[Source]
    carriers: Sequence[str]


@dataclass(frozen=True, slots=True)
class Numbering:
    """How numbers and times are read here: the country code, what is dialled before national numbers, the centre's zone."""

    country_code: str
    trunk_prefix: str
    zone: tzinfo


class PressDoor(JsonDoor):
    """The door for presses."""

    def __init__(
        self,
        machines: Machines,
        pressers: Mapping[str, Agreed],
        *,
        accept_all: AcceptAll,
        keep_fix: KeepFix,
        numbering: Numbering,
        clock: Clock,
    ) -> None:
        super().__init__()
        self._machines = machines
        self._pressers = pressers
        self._accept_all = accept_all
        self._keep_fix = keep_fix
        self._numbering = numbering
        self._clock = clock
        self._incidents: Remembered[str, str] = Remembered(MOST_REMEMBERED)
        """By the press's reference: the incident that it was answered with."""

    async def respond(self, asked: Asked) -> Answer:
        """Take a press, or a later fix."""
        match asked.path:
            case []:
                method, take = "POST", self._press
            case [_, "position"]:
                method, take = "PUT", self._fix
            case _:
                return NO_SUCH_PATH
        if asked.method != method:
            return not_allowed(method)
        name = self._machines.of(asked.authorization, asked.host)
        if name is None:
            return NOT_KNOWN
        return await take(asked, name)

    async def _press(self, asked: Asked, name: str) -> Answer:
        now, numbering = utc_now(self._clock), self._numbering
        try:
            key = read_key(asked.idempotency_key)
        except Malformed as error:
            return Problem(HTTPStatus.BAD_REQUEST, Code.KEY_UNREADABLE, str(error))
        try:
            pressed = read_press(
                asked.body, country_code=numbering.country_code, trunk_prefix=numbering.trunk_prefix, now=now
            )
        except Malformed as error:
            log.warning("press of a machine unreadable", presser=name, reason=str(error))
            return Problem(HTTPStatus.BAD_REQUEST, Code.BODY_UNREADABLE, str(error))
        reference = _reference(name, key, pressed)
        source, carrier, remarks = self._allowed(name, pressed)
        known = self._incidents.get(reference)
        if known is not None:
            return _accepted(known, remarks)
        trigger = self._trigger(
            asked, name, pressed, reference=reference, source=source, carrier=carrier, now=now
        )
        (answer,) = await self._accept_all([trigger])
        if isinstance(answer, Unavailable):
            return NOT_DURABLE
        if answer.joined is not None:
            # Of one that only the journal has, the store may say that it has joined another.
            self._incidents[reference] = answer.incident_id
        return _accepted(answer.incident_id, remarks)

    def _allowed(self, name: str, pressed: Pressed) -> tuple[Source, str, Sequence[Remark]]:
        """Return the source and the carrier that the machine may press for, with a remark where it names another."""
        presser, remarks = self._pressers[name], [*pressed.remarks]
        source, carrier = pressed.source or presser.sources[0], pressed.carrier or presser.carriers[0]
        if source not in presser.sources:
            source = presser.sources[0]
            remarks.append(
                Remark("#/source", f'is not agreed with this machine; it was taken for "{source}"')
            )
        if carrier not in presser.carriers:
            carrier = presser.carriers[0]
            remarks.append(
                Remark("#/carrier", f'is not agreed with this machine; it was taken for "{carrier}"')
            )
        return source, carrier, remarks

    def _trigger(
        self,
        asked: Asked,
        name: str,
        pressed: Pressed,
        *,
        reference: str,
        source: Source,
        carrier: str,
        now: datetime,
    ) -> Trigger:
        pressed_at, battery = pressed.pressed_at, pressed.battery_percent
        local = (
            None if pressed_at is None else pressed_at.astimezone(self._numbering.zone).replace(microsecond=0)
        )
        says_something = battery is not None or local is not None
        return Trigger(
            source=source.value,
            connector=name,
            carrier=carrier,
            msisdn=pressed.caller,
            reference=reference,
            received_at=now,
            destination=DESTINATION,
            text=pressed.text,
            encoding=None if pressed.text is None else "utf-8",
            # What could not be read of it is kept as it came.
            raw=asked.body if pressed.has_lost else None,
            position=pressed.position,
            test=pressed.test,
            labels=(PARTLY_UNREADABLE_PRESS,) if pressed.has_lost else (),
            facts=(DeviceFact(now, battery, local),) if says_something else (),
        )

    async def _fix(self, asked: Asked, name: str) -> Answer:
        try:
            position = read_fix(asked.body, utc_now(self._clock))
        except Malformed as error:
            return Problem(HTTPStatus.BAD_REQUEST, Code.BODY_UNREADABLE, str(error))
        if not isinstance(position, Position):
            detail = "this is no fix: see errors for what to write"
            return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, Code.FIELDS_UNREADABLE, detail, position)
        incident_id = asked.path[0]
        is_name = INCIDENT_ID.fullmatch(incident_id) is not None
        match await self._keep_fix(incident_id, name, position) if is_name else FixKept.UNKNOWN:
            case FixKept.KEPT:
                return Done(HTTPStatus.NO_CONTENT)
            case FixKept.CLOSED:
                return Problem(
                    HTTPStatus.GONE,
                    Code.INCIDENT_CLOSED,
                    "the incident is closed: nobody is looking for this phone any more",
                )
            case FixKept.UNKNOWN:
                detail = (
                    "there is no incident of this name that this machine has pressed for: repeat the press under its"
                    " Idempotency-Key, and use the name in the answer"
                )
                return Problem(HTTPStatus.NOT_FOUND, Code.UNKNOWN_INCIDENT, detail)


def _reference(name: str, key: str, pressed: Pressed) -> str:
    """Return the reference of a press: with its caller, so that a machine that uses one key for two people loses neither."""
    caller = blake2b(pressed.caller.number.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{name}:{key}:{caller}"


def _accepted(incident_id: str, remarks: Sequence[Remark]) -> Done:
    body: dict[str, object] = {"incident": incident_id, "position": f"/v1/presses/{incident_id}/position"}
    if remarks:
        body["remarks"] = [each.as_json() for each in remarks]
    return Done(HTTPStatus.CREATED, body)
