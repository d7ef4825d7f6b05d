"""Makes the adapter for each kind of settings: one line per adapter. The kinds are declared in `telephony.plugins`.

A kind of ``[[psap.channel]]`` has a name and a concurrency; a kind of ``[carrier.lbs]`` has a number of connections and
the two budgets. No part of the daemon asks for more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Generic, TypeVar

from telephony.assembly.part import Ground
from telephony.assembly.voice import Telephones
from telephony.domain.ports import HeartbeatSender, Locator, ReportSender
from telephony.fields import Secret
from telephony.lbs.client import MlpLocator
from telephony.lbs.settings import MlpSettings
from telephony.net.http.client import HttpClient
from telephony.psap.client import CapHttpSender
from telephony.psap.settings import CapHttpChannel, Psap, VoiceChannel

T_co = TypeVar("T_co", covariant=True)

ATTEMPT_GRACE_S: Final = 5.0
"""What the relay grants an attempt beyond the channel's own time-out, so that the channel speaks first."""


@dataclass(frozen=True, slots=True)
class Adapter(Generic[T_co]):
    """The object that speaks to one far end, and the function that closes its connections."""

    speaker: T_co
    close: Callable[[], Awaitable[object]]
    read_again: Callable[[], bool | None] = field(default=lambda: None, kw_only=True)
    """Use the secret and the files of TLS as they are now; returns whether the secret is another one, ``None`` without one.

    Raises like the adapter's making; then what was read before stays."""


@dataclass(frozen=True, slots=True)
class ChannelAdapter(Adapter[ReportSender]):
    """What sends reports by one channel."""

    attempt_s: float
    """The relay's bound on one attempt."""
    heartbeats: HeartbeatSender | None = None
    """What sends heartbeats by it; ``None`` where the centre wants none, or cannot have them by this way."""


def _cap_http(channel: CapHttpChannel, psap: Psap, ground: Ground, _: Telephones) -> ChannelAdapter:
    http = HttpClient(ground.clock, tls=channel.tls, connections=channel.concurrency)
    # Heartbeats have a connection of their own: with all of the others busy, an alert would wait for one of them.
    aside = None if psap.heartbeat_s is None else HttpClient(ground.clock, tls=channel.tls, connections=1)
    clients = (http,) if aside is None else (http, aside)
    authorization = None if channel.authorization is None else channel.authorization.read()
    sender = CapHttpSender(
        channel,
        psap,
        http,
        authorization,
        alarms=ground.alarms,
        zone=ground.settings.service.zone,
        heartbeats=aside,
    )

    async def close() -> None:
        for client in clients:
            await client.close()

    return ChannelAdapter(
        sender,
        close,
        channel.timeout_s + ATTEMPT_GRACE_S,
        read_again=partial(_again, clients, channel.authorization, sender.take_authorization),
        heartbeats=None if aside is None else sender,
    )


def _voice(channel: VoiceChannel, psap: Psap, _: Ground, telephones: Telephones) -> ChannelAdapter:
    async def close() -> None:
        """Leave the lines: others speak by them too."""

    return ChannelAdapter(telephones.sender_of(channel, psap), close, telephones.report_s(channel))


def _mlp(lbs: MlpSettings, carrier: str, ground: Ground) -> Adapter[Locator]:
    http = HttpClient(ground.clock, tls=lbs.tls, connections=lbs.connections)
    reader = ground.outside.thread(f"lbs-{carrier}")
    password = None if lbs.password is None else lbs.password.read()

    async def close() -> None:
        await http.close()
        await reader.stop()

    locator = MlpLocator(carrier, lbs, password, http, ground.clock, reader=reader, alarms=ground.alarms)
    return Adapter(locator, close, read_again=partial(_again, (http,), lbs.password, locator.take_password))


def _again(clients: Sequence[HttpClient], secret: Secret | None, take: Callable[[str], bool]) -> bool | None:
    for http in clients:
        http.read_tls_again()
    return None if secret is None else take(secret.read())


CHANNELS: Final[dict[type, Callable[[Any, Psap, Ground, Telephones], ChannelAdapter]]] = {
    CapHttpChannel: _cap_http,
    VoiceChannel: _voice,
}
"""Ways out to a 112 centre: kind of ``[[psap.channel]]`` to what makes its sender."""

LOCATORS: Final[dict[type, Callable[[Any, str, Ground], Adapter[Locator]]]] = {
    MlpSettings: _mlp,
}
"""Location services: kind of ``[carrier.lbs]`` to what makes the locator of a carrier."""


def channel_of(settings: Any, psap: Psap, ground: Ground, telephones: Telephones) -> ChannelAdapter:
    """Return the sender of a centre's channel. Raises `LookupError` for a secret that cannot be read."""
    return CHANNELS[type(settings)](settings, psap, ground, telephones)


def locator_of(settings: Any, carrier: str, ground: Ground) -> Adapter[Locator]:
    """Return the locator of a carrier's location service. Raises `LookupError` for a secret that cannot be read."""
    return LOCATORS[type(settings)](settings, carrier, ground)
