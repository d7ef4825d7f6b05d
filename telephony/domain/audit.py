"""An entry of the audit chain: who read or changed personal data."""

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
ACKNOWLEDGED_INCIDENT = "acknowledged an incident"
DISPATCHED_UNIT = "dispatched a unit"
NOTED_ARRIVAL = "noted the arrival of a unit"
NOTED = "noted something for 112"
GAVE_ORDER = "gave an order about a call"
WAS_REFUSED = "was refused an order"
CHANGED_PERSON = "changed a person"
IMPORTED_PEOPLE = "imported people"
TRIED_IMPORT = "tried an import of people"
UNDID_IMPORT = "undid an import of people"
TRIED_UNDO = "tried to undo an import of people"
DELETED_PERSON = "deleted a person"
OWN_DATA = "gave a person their own data"
CONSENT_WITHDRAWN = "withdrew a consent"
READ_OUT = "read an incident out"
TOLD_112 = "told 112 by voice"
MARKED_FALSE = "marked a false alarm"
SAW_RECORDINGS = "saw the list of recordings"
PLAYED_RECORDING = "played a recording"
EXPORTED_RECORDINGS = "exported recordings"
KEYS_ROTATED = "rotated keys"
KEYS_MOVED = "moved keys into or out of the HSM"
APPROVED = "approved an act of another"
FORGOTTEN = "deleted what was over its time"
"""By the retention job; the subject tells the kind of data, ``why`` how much and up to when."""


@dataclass(frozen=True, slots=True)
class Seat:
    """The person who ran a command, and the place, as the kernel and the system's record of logins have them.

    ``uid`` is the process's real uid, ``login_uid`` the one that logged in and that ``sudo`` and ``su`` leave alone.
    ``address`` is where that login came from, ``session`` the kernel's number of it. ``claims`` are what environment
    variables say; the person who runs the command chooses them.
    """

    uid: int
    login_uid: int | None = None
    terminal: str = ""
    host: str = ""
    address: str = ""
    session: int | None = None
    claims: tuple[str, ...] = ()

    @property
    def person_uid(self) -> int:
        """The uid that stands for the person: that of the login, where there was one."""
        return self.uid if self.login_uid is None else self.login_uid


@dataclass(frozen=True, slots=True)
class Looked:
    """One entry. ``who`` is an account, or a part of ours that acted by itself (``retention``, ``112 by token``).

    ``subject`` names the thing that was looked at: the id of an incident, or a number in E.164; the store keeps it encrypted.
    ``at`` is aware, UTC. ``seat`` is None where no command was run, and in entries of earlier versions.
    """

    who: str
    what: str
    subject: str = field(repr=False)
    why: str = field(repr=False)
    at: datetime
    seat: Seat | None = field(default=None, repr=False)
