"""Who looked at what is personal, or changed it: an entry of the audit chain."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

SAW_PERSON = "saw a person"
SAW_PEOPLE = "saw people"
SAW_INCIDENT = "saw an incident"
SAW_INCIDENTS = "saw the list of incidents"
REVEALED_INCIDENT = "saw an incident unmasked"
SAW_POSITION = "saw a position"
SAW_CALLS = "saw calls"
SAW_AUDIT = "saw the audit chain"
CLOSED_INCIDENT = "closed an incident"
GAVE_ORDER = "gave an order about a call"
CHANGED_PERSON = "changed a person"
IMPORTED_PEOPLE = "imported people"
DELETED_PERSON = "deleted a person"
OWN_DATA = "gave a person their own data"
CONSENT_WITHDRAWN = "withdrew a consent"
READ_OUT = "read an incident out"
TOLD_112 = "told 112 by voice"
MARKED_FALSE = "marked a false alarm"
KEYS_ROTATED = "rotated keys"
FORGOTTEN = "deleted what was over its time"
"""By the retention job; the subject tells the kind of data, ``why`` how much and up to when."""


@dataclass(frozen=True, slots=True)
class Looked:
    """One entry. ``who`` is an account, or a part of ours that acted by itself (``retention``, ``112 by token``).

    ``subject`` is what was looked at: the id of an incident, or a number in E.164; the store keeps it encrypted.
    ``at`` is aware, UTC.
    """

    who: str
    what: str
    subject: str = field(repr=False)
    why: str = field(repr=False)
    at: datetime
