"""Finds the INVITEs of a trunk that never got a channel, from mirrored SIP. Pure; the caller has the clock.

An INVITE and its final response are paired by Call-ID and CSeq. Asterisk reports calls with a channel by its manager
interface; this finds all others: refused, or not answered at all.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from telephony.asterisk.mirror.hep import Address, Mirrored
from telephony.asterisk.sip.carried import Carried, of_invite
from telephony.asterisk.sip.message import SipMessage, read
from telephony.domain.values import Msisdn
from telephony.domain.withheld import is_withheld

WAIT_REFUSED_S: Final = 1.0
"""After a refusal: the manager interface may tell of the call's channel later than the mirror tells of its end."""
WAIT_UNANSWERED_S: Final = 4.0
"""For a final response; Asterisk answers a call for help in milliseconds, and a lost INVITE is repeated three times till then."""
KEPT_S: Final = 120.0
"""How long it is remembered what an INVITE carried, and that a call has a channel."""
MOST_INVITES: Final = 10_000

NOT_ANSWERED: Final = "not answered"
"""The outcome of an INVITE that Asterisk did not answer."""

_ACCEPTED, _REFUSED = 200, 300
_ASKED_AGAIN: Final = frozenset({401, 407})
"""The INVITE is repeated with credentials, under the next CSeq."""
_TAKEN_BACK: Final = 487
"""By the caller; it had a channel before, which the manager interface tells of."""
_MERGED: Final = 482
"""The same INVITE came by two ways, and the other one counts (RFC 3261 section 8.2.2.2)."""

_NOT_OF_A_CALL_ID = re.compile(r"[^0-9A-Za-z]")
_LONGEST_CALL_ID = 100
"""The dialplan's journal keeps 128 characters, signs among them (SOS_SIP of 20-sos.conf)."""
_USER = re.compile(r"(?:[^<]*<)?\s*(?:sips?:|tel:)(?P<user>[^@;:>]*)", re.IGNORECASE)
_DIALLED = re.compile(r"(?:sips?:(?:(?P<user>[^@;:]*)[^@]*@)|tel:(?P<tel>[^;]*)).*", re.IGNORECASE)
_LONGEST = 256


@dataclass(slots=True)
class Invite:
    """One INVITE that a trunk sent. ``answer`` is its final response, ``NOT_ANSWERED`` until there is one."""

    trunk: str
    call_id: str
    sequence: int
    uri: str = field(repr=False)
    caller: str = field(repr=False)
    came_at: datetime
    due_s: float
    carried: Carried = field(repr=False)
    answer: str = NOT_ANSWERED

    @property
    def dialled(self) -> str:
        """The dialled number of a sip or tel URI, or else the whole URI."""
        return dialled(self.uri)


@dataclass(frozen=True, slots=True)
class _Seen:
    """The newest INVITE of a Call-ID: when it came, and what it carried."""

    at_s: float
    sequence: int
    carried: Carried


class Invites:
    """The INVITEs of all trunks that one server mirrors. ``trunk_of`` gives the trunk of an address, or ``None``."""

    def __init__(self, trunk_of: Callable[[Address], str | None]) -> None:
        self._trunk_of = trunk_of
        self._open: OrderedDict[str, Invite] = OrderedDict()
        """By the name of the Call-ID: a further try of the same call takes the place of the one before."""
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._have_channel: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def take(self, mirrored: Mirrored, now_s: float, now: datetime) -> Invite | None:
        """Take one mirrored message; give the INVITE that is new by it."""
        message = read(mirrored.payload)
        if message is None or message.method != "INVITE" or not key_of(message.call_id):
            return None
        if message.status:
            self._answer(message, now_s)
            return None
        trunk = self._trunk_of(mirrored.source)
        if trunk is None or message.is_within_dialog:
            return None
        return self._invite(message, trunk, now_s, now)

    def has_channel(self, call_id: str, now_s: float) -> Carried | None:
        """Take that the manager interface tells of this call; give what its INVITE carried, where it has come."""
        name = key_of(call_id)
        if not name:
            return None
        self._have_channel[name] = now_s
        self._have_channel.move_to_end(name)
        self._open.pop(name, None)
        self._forget(now_s)
        seen = self._seen.get(name)
        return None if seen is None else seen.carried

    def due(self, now_s: float) -> list[Invite]:
        """Return the INVITEs that failed and whose waiting time is over, each once."""
        too_many = len(self._open) - MOST_INVITES
        over = [
            invite
            for number, invite in enumerate(self._open.values())
            if invite.due_s <= now_s or number < too_many
        ]
        for invite in over:
            del self._open[key_of(invite.call_id)]
        return over

    def _invite(self, message: SipMessage, trunk: str, now_s: float, now: datetime) -> Invite | None:
        name = key_of(message.call_id)
        self._forget(now_s)
        seen = self._seen.get(name)
        if seen is not None and message.sequence <= seen.sequence:
            return None  # it was repeated, or came by a second way
        carried = of_invite(message, now)
        self._seen[name] = _Seen(now_s, message.sequence, carried)
        self._seen.move_to_end(name)
        invite = Invite(
            trunk, message.call_id, message.sequence, message.uri, caller_of(message), now, now_s + WAIT_UNANSWERED_S,
            carried,
        )  # fmt: skip
        if name not in self._have_channel:
            self._open[name] = invite
        return invite

    def _answer(self, response: SipMessage, now_s: float) -> None:
        name = key_of(response.call_id)
        invite = self._open.get(name)
        if invite is None or invite.sequence != response.sequence:
            return
        if response.status < _ACCEPTED or response.status == _MERGED:
            return
        if response.status < _REFUSED or response.status in _ASKED_AGAIN or response.status == _TAKEN_BACK:
            del self._open[name]
        elif invite.answer == NOT_ANSWERED:
            why = response.get("warning") or response.get("unsupported")
            said = f"{response.status} {response.reason}" + (f" ({why})" if why else "")
            invite.answer = said[:_LONGEST]
            invite.due_s = now_s + WAIT_REFUSED_S

    def _forget(self, now_s: float) -> None:
        seen, have = self._seen, self._have_channel
        while seen and (len(seen) > MOST_INVITES or next(iter(seen.values())).at_s + KEPT_S < now_s):
            seen.popitem(last=False)
        while have and (len(have) > MOST_INVITES or next(iter(have.values())) + KEPT_S < now_s):
            have.popitem(last=False)


def key_of(call_id: str) -> str:
    """Return the letters and digits of a Call-ID: those alone get through every dialplan."""
    return _NOT_OF_A_CALL_ID.sub("", call_id)[:_LONGEST_CALL_ID]


def caller_of(invite: SipMessage) -> str:
    """Return the caller's number as `Msisdn.parse` reads it: the first asserted one that is a number, or else From's."""
    asserted = [*invite.values("p-asserted-identity"), *invite.values("p-preferred-identity")]
    named = [*asserted, *([invite.get("from")] if invite.get("from") else [])]
    for each in named:
        if Msisdn.parse(each.partition(";tag=")[0]).is_e164:
            return each.partition(";tag=")[0]
    users = [found["user"].strip() for each in named if (found := _USER.match(each)) is not None]
    return next((user for user in users if not is_withheld(user)), "")


def dialled(uri: str) -> str:
    """Return the number of a sip or tel URI; the whole URI where it has none."""
    found = _DIALLED.fullmatch(uri)
    user = "" if found is None else found["user"] or found["tel"] or ""
    return (user or uri)[:_LONGEST]
