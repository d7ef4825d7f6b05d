"""Finds the incident by a call's own name, which a person may read out.

The dialplan names each call before anybody knows whose incident it will join; 112 reads that name in the INVITE
(``X-Incident-ID``) and, where the call has joined an earlier incident, as ``call-id`` in the report.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, select

from telephony.store.schema import call, incident

OFFSETS: Final = tuple(timedelta(minutes=15 * quarter) for quarter in range(-12 * 4, 14 * 4 + 1))
"""Of the clocks that there are. By which a call was named is known to the dialplan (SOS_UTC_OFFSET), and may have changed since."""
_NAME = re.compile(
    r"sos-(?P<day>[0-9]{8})-(?P<server>[a-z0-9][a-z0-9-]{0,31})-(?P<time>[0-9]{6})-(?P<count>[0-9]{1,10})"
)
"""``sos-<date>-<systemname>-<time>-<counter>``: 20-sos.conf."""


def incident_named(connection: Connection, name: str) -> str:
    """Return the id of the incident that a call of this name belongs to; the name itself where no call has it.

    A name that is an incident's own id is given back, so whatever asks for an incident may ask here first. Blanks around
    it and capital letters come from copying, and are ignored.
    """
    name = name.strip().lower()
    if connection.execute(select(incident.c.key).where(incident.c.id == name)).one_or_none() is not None:
        return name
    references = references_of(name)
    if not references:
        return name
    found = (
        connection.execute(
            select(incident.c.id)
            .join(call, call.c.incident_key == incident.c.key)
            .where(call.c.reference.in_(references))
        )
        .scalars()
        .first()
    )
    return name if found is None else str(found)


def references_of(name: str) -> list[str]:
    """Return the references of which one is that of the call that bears this name; none where no call could.

    It takes the server's systemname for its name in the settings, which they are to have in common.
    """
    return [reference for offset in OFFSETS if (reference := reference_of(name, offset)) is not None]


def reference_of(name: str, utc_offset: timedelta) -> str | None:
    """Return the reference of the call that bears this name by a clock so far ahead of UTC; none where no call could."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        local = datetime.strptime(match["day"] + match["time"], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        began = int((local - utc_offset).timestamp())
    except (ValueError, OverflowError):
        return None
    server = match["server"]
    return f"{server}/{server}-{began}.{match['count']}"
