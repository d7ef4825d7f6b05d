"""Takes statuses of 112 centres: ``POST /v1/centre/<name>/status``. Each becomes an order through the one door for orders."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from telephony.clock import Clock, utc_now
from telephony.domain.centre_status import CentreSaid
from telephony.domain.errors import Malformed
from telephony.domain.facts import Became
from telephony.doors.answers import Answer, Code, Done, Problem
from telephony.doors.json_door import NO_SUCH_PATH, Asked, JsonDoor, not_allowed
from telephony.doors.machines import NOT_KNOWN, Machines
from telephony.doors.status_reading import read_status
from telephony.store.centre_statuses import NotTaken, Taken

TakeStatus = Callable[[CentreSaid], Awaitable[Taken | NotTaken]]
"""Carries a status out. May raise `Unavailable`: then it is to be sent again."""

UNKNOWN: Final = Problem(
    HTTPStatus.NOT_FOUND,
    Code.UNKNOWN_INCIDENT,
    "this centre was told of no such incident: write the incident's id, as in the parameter incident of its reports",
)
CLOSED: Final = Problem(
    HTTPStatus.GONE, Code.INCIDENT_CLOSED, "the incident is closed: nothing can be ordered about it any more"
)
ID_REUSED: Final = Problem(
    HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.ID_REUSED,
    "this id stands for another status of the incident: give each status an id of its own, and repeat it unchanged",
)


class CentreDoor(JsonDoor):
    """The door for centres. ``machines`` may be changed: who comes from then on is known by others."""

    def __init__(self, machines: Machines, take: TakeStatus, clock: Clock) -> None:
        super().__init__()
        self.machines = machines
        self._take = take
        self._clock = clock

    async def respond(self, asked: Asked) -> Answer:
        """Take a status."""
        match asked.path:
            case [name, "status"]:
                pass
            case _:
                return NO_SUCH_PATH
        if asked.method != "POST":
            return not_allowed("POST")
        centre = self.machines.of(asked.authorization, asked.host)
        if centre is None:
            return NOT_KNOWN
        if centre != name:
            return Problem(
                HTTPStatus.FORBIDDEN,
                Code.OTHER_CENTRE,
                f"this token is the centre {centre}'s: send to /v1/centre/{centre}/status",
            )
        return await self._take_said(asked.body, centre)

    async def _take_said(self, body: bytes, centre: str) -> Answer:
        try:
            said = read_status(body, centre, utc_now(self._clock))
        except Malformed as error:
            return Problem(HTTPStatus.BAD_REQUEST, Code.BODY_UNREADABLE, str(error))
        if isinstance(said, CentreSaid):
            return _answer(await self._take(said))
        detail = "this is no status: see errors for what to write"
        return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, Code.FIELDS_UNREADABLE, detail, said)


def _answer(taken: Taken | NotTaken) -> Answer:
    match taken:
        case NotTaken.UNKNOWN:
            return UNKNOWN
        case NotTaken.CLOSED:
            return CLOSED
        case NotTaken.ID_REUSED:
            return ID_REUSED
        case Taken(became=Became.REFUSED):
            return Problem(HTTPStatus.CONFLICT, Code.REFUSED, taken.refused)
        case Taken():
            return Done(
                HTTPStatus.OK,
                {
                    "incident": taken.incident_id,
                    "state": taken.state,
                    "silence": "lifted" if taken.is_silence_lifted else "held",
                    "became": taken.became.value,
                },
            )
