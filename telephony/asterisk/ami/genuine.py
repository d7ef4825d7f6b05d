"""Tells whether Asterisk alone has written an event, or a caller has injected lines into it. Pure.

The user part of From, of P-Asserted-Identity and of the Request-URI may hold ``%0d%0a``, and Asterisk writes it into
CallerIDNum and Exten as line ends. So a caller can add lines to the events of his own channel, and cut one of them in
two with an event of his own between the halves. He cannot hide it: what he adds stands between keys that Asterisk
writes once, in one order (``ast_manager_build_channel_state_string_prefix``), so one of them comes twice or out of its
order, and an event that he cuts has lost its last keys. A whole event of his own needs all keys of a channel, which
is longer than the 79 octets that a number may have (``AST_CHANNEL_NAME``, ``AST_MAX_EXTENSION``).
"""

from __future__ import annotations

from typing import Final

from telephony.asterisk.ami.packets import Packet

_CHANNEL: Final = [
    "channel", "channelstate", "channelstatedesc", "calleridnum", "calleridname", "connectedlinenum",
    "connectedlinename", "language", "accountcode", "context", "exten", "priority", "uniqueid", "linkedid",
]  # fmt: skip
_DESTINATION: Final = [f"dest{key}" for key in _CHANNEL]
_AFTER_THE_CHANNEL: Final = frozenset({
    "userevent", "stage", "sosid", "trunk", "dialled", "caller", "token", "silence", "sipcallid", "route", "round",
    "status", "cause", "cause-txt", "by", "of", "ticket", "digit", "direction", "dialstatus",
})  # fmt: skip
"""Keys that we read of an event beside those of its channel."""
_ONCE: Final = frozenset({"event", "privilege", *_CHANNEL, *_DESTINATION, *_AFTER_THE_CHANNEL})
_OF_A_CHANNEL: Final = frozenset({
    "Newchannel", "NewCallerid", "UserEvent", "DTMFEnd", "HangupRequest", "Hangup",
})  # fmt: skip
"""Events that we read and that are about one channel."""
_OF_TWO: Final = "DialEnd"
"""About the channel that is dialled, and about the one that dials, where one does."""


def is_genuine(packet: Packet) -> bool:
    """Whether Asterisk alone has written the event; true for a kind that we do not read."""
    kind = packet.event
    if not kind:
        return False  # the second half of an event that was cut
    if kind not in _OF_A_CHANNEL and kind != _OF_TWO:
        return True
    keys = [key.lower() for key, _ in packet.headers]
    once = [key for key in keys if key in _ONCE]
    if once[:2] != ["event", "privilege"] or len(set(once)) != len(once):
        return False
    channel = [key for key in once[2:] if key not in _AFTER_THE_CHANNEL]
    whole = (_DESTINATION, _CHANNEL + _DESTINATION) if kind == _OF_TWO else (_CHANNEL,)
    return channel in whole and once[2 : 2 + len(channel)] == channel
