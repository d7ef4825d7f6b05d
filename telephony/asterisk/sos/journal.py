"""Reads the dialplan's journal of SOS calls (20-sos.conf). Pure: text of Asterisk's global variables to calls.

A daemon that was away reads it for calls that came and went meanwhile. A slot holds the newest notes of those calls
whose number (the counter of the Uniqueid) leaves the same remainder, one behind the other, each with ``~`` before it:

    ~uniqueid|trunk|dialled|caller|token|silence|SIP Call-ID|~uniqueid|…|SIP Call-ID|1795465005

The last field is the Unix time of the call's end; empty while the call stands. A slot is cut at its front. The caller
is sealed (`telephony.asterisk.sos.sealed_caller`), and only a digest of the token is noted: the variables tell neither
to anyone who reads them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from telephony.asterisk.sos.sealed_caller import MARK, open_caller
from telephony.asterisk.sos.sos_call import LONGEST_TEXT, SosCall, began_at, digest_said, is_uniqueid
from telephony.domain.facts import CallState

JOURNAL_SLOTS: Final = 1021
"""SOS_JOURNAL_0 … A prime: the counter goes on by 4 or so with every call, and by 4 it would meet only every fourth of
1024 slots."""
SLOT_CHARACTERS: Final = 1000
"""What the dialplan keeps in a slot. ``Getvar`` of the manager interface answers with 1,023 (``action_getvar``)."""
MOST_NOTES: Final = 10_000
"""Notes that the journal can hold: none is shorter than a token's digest and a Uniqueid."""

_MARK = "~"
_FIELDS = 8
_UNIX_TIME = re.compile("[0-9]{1,10}")
"""Until the year 2286."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The calls of a slot, oldest note first. ``is_cut``: there were notes before them, which are gone."""

    calls: tuple[SosCall, ...] = ()
    is_cut: bool = False


def is_sealed(text: str) -> bool:
    """Whether a slot or a note holds a number that can only be read with the key."""
    return f"|{MARK}" in text


def read_slot(server: str, text: str, key: str = "") -> Slot:
    """Read one slot; total. Anything that is not a note is skipped, and so is the rest of one that was cut."""
    front, mark, notes = text.partition(_MARK)
    if not mark:
        # A dialplan of before there were several notes in a slot.
        notes = front
    calls = {}
    for note in notes.split(_MARK):
        call = read_note(server, note, key)
        if call is not None:
            calls[call.uniqueid] = call  # the last one says the newest: how it ended
    return Slot(tuple(calls.values()), is_cut=bool(mark) and len(text) >= SLOT_CHARACTERS)


def read_note(server: str, note: str, key: str = "") -> SosCall | None:
    """Read one note; ``None`` for what is none. A number that the key does not open is left out, and said to be."""
    parts = [part[:LONGEST_TEXT] for part in note.split("|")]
    if len(parts) != _FIELDS or not is_uniqueid(parts[0]):
        return None
    uniqueid, trunk, dialled, caller, token, silence, sip_call_id, ended = parts
    number = open_caller(caller, key)
    call = SosCall(
        server, uniqueid, "", trunk, dialled, number or "", began_at(uniqueid), digest_said(token), silence, sip_call_id,
        is_said=True, is_caller_sealed=number is None,
    )  # fmt: skip
    if _UNIX_TIME.fullmatch(ended):
        call.ended = datetime.fromtimestamp(int(ended), UTC)
        call.state = CallState.ENDED
    return call
