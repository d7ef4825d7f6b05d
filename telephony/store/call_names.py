"""The incident that a person means who reads out a call's own name.

The dialplan names each call before anybody knows whose incident it will join; 112 reads that name in the INVITE
(``X-Incident-ID``) and, where the call has joined an earlier incident, as ``call-id`` in the report.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, select

from telephony.store.schema import call, incident

UTC_OFFSET: Final = timedelta(hours=9)
"""The clock that calls are named by: SOS_UTC_OFFSET of the dialplans' globals.conf."""
_NAME = re.compile(
    r"sos-(?P<day>[0-9]{8})-(?P<server>[a-z0-9][a-z0-9-]{0,31})-(?P<time>[0-9]{6})-(?P<count>[0-9]{1,10})"
)
"""``sos-<date>-<systemname>-<time>-<counter>``: 20-sos.conf."""


def incident_named(connection: Connection, name: str) -> str:
    """Give the id of the incident that a call of this name belongs to; the name itself where no call has it.

    A name that is an incident's own id is given back, so whatever asks for an incident may ask here first. Blanks around
    it and capital letters are of whoever copied it.
    """
    name = name.strip().lower()
    if connection.execute(select(incident.c.key).where(incident.c.id == name)).one_or_none() is not None:
        return name
    reference = reference_of(name)
    if reference is None:
        return name
    found = connection.execute(
        select(incident.c.id)
        .join(call, call.c.incident_key == incident.c.key)
        .where(call.c.reference == reference)
    ).scalar_one_or_none()
    return name if found is None else str(found)


def reference_of(name: str) -> str | None:
    """Give the reference of the call that bears this name, ``None`` where no call could.

    It takes the server's systemname for its name in the settings, which they are to have in common.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        local = datetime.strptime(match["day"] + match["time"], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        began = int((local - UTC_OFFSET).timestamp())
    except (ValueError, OverflowError):
        return None
    server = match["server"]
    return f"{server}/{server}-{began}.{match['count']}"
