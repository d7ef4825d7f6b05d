"""The kinds of adapter that the settings may name: one line per adapter, nothing else.

A kind is the pydantic table that its own room declares; the table's ``protocol`` or ``kind`` key tells the kinds
apart. A second kind turns the alias into a union, as channels are one.
"""

from __future__ import annotations

from telephony.lbs.settings import MlpSettings
from telephony.psap.settings import CapHttpChannel, VoiceChannel
from telephony.smpp.settings import EsmeLink, Peer

LinkSettings = EsmeLink
"""Ways in that we open ourselves: ``[[carrier.smpp]]``."""

PeerSettings = Peer
"""Ways in that the carrier opens: ``[[carrier.peer]]``."""

LocatorSettings = MlpSettings
"""Location services: ``[carrier.lbs]``, told apart by ``protocol``."""

ChannelSettings = CapHttpChannel | VoiceChannel
"""Ways out to a 112 centre: ``[[psap.channel]]``, told apart by ``kind``."""
