"""Resolves host names of far ends: ahead of need, kept while name servers fail, each on its own thread.

A look-up by the system takes as long as the slowest name server of that name likes, 20 s and more. Twisted has ten
threads for all of them: a handful of names whose server hangs would take 112 away. Here every name has a thread of its
own, and dialling waits only for a name that has never been found.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import structlog
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IHostnameResolver, IHostResolution
from zope.interface import implementer  # type: ignore[import-untyped] # zope ships no types

from telephony.alarms import Alarms
from telephony.background import Runner
from telephony.clock import Clock
from telephony.periodic import Periodic

log = structlog.get_logger()

ALARM: Final = "name-not-found"
"""A name of a far end has not been found for some time. About the name; ``kept``: whether addresses are kept."""

REFRESH_S: Final = 20.0
"""Between two look-ups of a name that is not dialled."""
FRESH_S: Final = 2.0
"""A name that was found longer ago is looked up again in the background when it is dialled: the next attempt has the
new addresses."""
WAIT_S: Final = 5.0
"""How long a connection waits for a name that was never found."""
ALARM_AFTER_S: Final = 60.0
"""Three failed look-ups, or one that hangs."""

MOST_ADDRESSES: Final = 16
"""Of one name."""
LARGEST_FILE: Final = 65_536
"""Octets that are read of the addresses of an earlier run."""

Addresses = tuple[str, ...]
"""Literal IPv4 and IPv6 addresses, in the order in which they are to be tried (RFC 6724)."""


def addresses_by_system(name: str) -> Addresses:
    """Ask the system, for as long as it takes. Raises `OSError`, or `ValueError` for what is no name."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))[:MOST_ADDRESSES]


def addresses_within(name: str, seconds: float = WAIT_S) -> Addresses:
    """Ask the system for a person who waits; none when that takes longer, or when there is no such name.

    The question is left behind on a thread of its own, which ends with the process.
    """
    found: list[str] = [name] if is_literal(name) else []

    def ask() -> None:
        with suppress(OSError, ValueError):
            found.extend(addresses_by_system(name))

    if not found:
        asking = threading.Thread(target=ask, name=f"name-{name}", daemon=True)
        asking.start()
        asking.join(seconds)
    return tuple(found)


@dataclass(slots=True)
class _Name:
    """The state of a name. ``found_at`` is `None` until this run has found it: ``addresses`` are of an earlier one."""

    runner: Runner
    addresses: Addresses = ()
    found_at: float | None = None
    asked_at: float | None = None
    """When the look-up began that is under way."""
    sought_since: float = 0.0
    """When it was found last, or first asked for."""
    waiting: list[Callable[[], None]] = field(default_factory=list)


@implementer(IHostnameResolver)
class Names:
    """The addresses of names (``IHostnameResolver``), for every endpoint of the reactor that it is installed on.

    ``thread`` makes a thread of its own for each name; the names are those of the configuration, so neither threads
    nor addresses grow with traffic. ``file`` keeps the addresses across restarts; what it holds is used only for
    names that are asked for, and a look-up replaces it. Names in ``ahead`` are looked up from `start` on, others from
    the first time that they are dialled.
    """

    def __init__(
        self,
        ahead: Iterable[str],
        file: Path,
        *,
        clock: Clock,
        thread: Callable[[str], Runner],
        alarms: Alarms,
        look_up: Callable[[str], Addresses] = addresses_by_system,
    ) -> None:
        self._ahead = tuple(ahead)
        self._file = file
        self._clock = clock
        self._thread = thread
        self._alarms = alarms
        self._look_up = look_up
        self._names: dict[str, _Name] = {}
        self._earlier = read_addresses(file)
        self._filing = thread("names-file")
        self._rounds = Periodic(self._look_after, "look-up of names", every_s=REFRESH_S, clock=clock)

    def start(self) -> None:
        """Look names up, and again every `REFRESH_S`."""
        self.look_ahead(self._ahead)
        self._rounds.startService()

    def look_ahead(self, names: Iterable[str]) -> None:
        """Look these up as well."""
        for name in names:
            if not is_literal(name):
                self._name(name)

    def stop(self) -> None:
        """Look nothing up any more. Threads end by themselves, those that hang with the process."""
        self._rounds.stopService()
        for runner in (self._filing, *(name.runner for name in self._names.values())):
            runner.stop()

    def known(self, host: str) -> Addresses:
        """Return the known addresses of a name at once; for any thread."""
        if is_literal(host):
            return (host,)
        name = self._names.get(host)
        return self._earlier.get(host, ()) if name is None else name.addresses

    def resolveHostName(  # noqa: N802 - Twisted's name and signature
        self,
        resolutionReceiver: Any,  # noqa: N803
        hostName: str,  # noqa: N803
        portNumber: int = 0,  # noqa: N803
        addressTypes: Sequence[type[Any]] | None = None,  # noqa: N803
        transportSemantics: Any = "TCP",  # noqa: N803
    ) -> Any:
        """Give the receiver (``IResolutionReceiver``) the addresses of a name: at once where they are known.

        Addresses that were found once are told for ever, also when they are not found any more. An empty answer comes
        when the look-up has failed, or `WAIT_S` after the question.
        """
        resolution = _Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)

        def tell(addresses: Addresses) -> None:
            for address in addresses:
                kind = IPv6Address if isIPv6Address(address) else IPv4Address
                if addressTypes is None or kind in addressTypes:
                    resolutionReceiver.addressResolved(kind(transportSemantics, address, portNumber))
            resolutionReceiver.resolutionComplete()

        if is_literal(hostName):
            tell((hostName,))
            return resolution
        name = self._name(hostName)
        now = self._clock.seconds()
        if name.found_at is None or now - name.found_at >= FRESH_S:
            self._ask(hostName, name)
        if name.addresses or name.asked_at is None:
            tell(name.addresses)
        else:
            self._wait(name, tell)
        return resolution

    def _wait(self, name: _Name, tell: Callable[[Addresses], None]) -> None:
        def end() -> None:
            name.waiting.remove(end)
            if bound.active():
                bound.cancel()
            tell(name.addresses)

        bound = self._clock.callLater(WAIT_S, end)
        name.waiting.append(end)

    def _name(self, of: str) -> _Name:
        name = self._names.get(of)
        if name is None:
            runner = self._thread(f"name-{of}")
            name = _Name(runner, self._earlier.get(of, ()), sought_since=self._clock.seconds())
            self._names[of] = name
        return name

    async def _look_after(self) -> None:
        """Look every name up again, and say which have not been found for long."""
        now = self._clock.seconds()
        for of, name in self._names.items():
            self._ask(of, name)
            if now - name.sought_since >= ALARM_AFTER_S:
                self._alarms.raise_(ALARM, of, kept=bool(name.addresses))

    def _ask(self, of: str, name: _Name) -> None:
        if name.asked_at is not None:
            return
        name.asked_at = self._clock.seconds()
        look_up = self._look_up

        def work() -> Addresses | None:
            try:
                return look_up(of)
            except Exception as error:  # noqa: BLE001 - the thread must go on after any exception
                log.debug("name not found", name=of, error=f"{type(error).__name__}: {error}")
                return None

        name.runner.run(work, lambda found: self._answered(of, name, found))

    def _answered(self, of: str, name: _Name, found: Addresses | None) -> None:
        name.asked_at = None
        now = self._clock.seconds()
        if found:
            name.found_at = name.sought_since = now
            self._alarms.clear(ALARM, of)
            if found != name.addresses:
                name.addresses = found
                self._keep()
        for tell in tuple(name.waiting):
            tell()

    def _keep(self) -> None:
        """Write the addresses down, on a thread: the disk may hang."""
        kept = {of: list(name.addresses) for of, name in self._names.items() if name.addresses}
        octets = json.dumps(kept, indent=1, sort_keys=True).encode()
        self._filing.run(lambda: _write_whole(self._file, octets), _say_why_not_kept)


def is_literal(host: str) -> bool:
    """Whether the host is an address, which needs no look-up."""
    return isIPAddress(host) or isIPv6Address(host)


def read_addresses(file: Path) -> dict[str, Addresses]:
    """Return the addresses that an earlier run found; none where the file is not there or cannot be believed."""
    try:
        with file.open("rb") as stream:
            raw = json.loads(stream.read(LARGEST_FILE))
        return {
            str(name): tuple(str(ip_address(str(each))) for each in found)[:MOST_ADDRESSES]
            for name, found in raw.items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        log.warning("addresses of an earlier run not used", error=type(error).__name__)
        return {}


def _write_whole(file: Path, octets: bytes) -> str | None:
    """Write a file whole or not at all; return why not."""
    fresh = file.with_suffix(".new")
    try:
        fresh.write_bytes(octets)
        fresh.replace(file)
    except OSError as error:
        return error.strerror or type(error).__name__
    return None


def _say_why_not_kept(why: str | None) -> None:
    if why is not None:
        log.warning("addresses not kept for the next start", error=why)


@implementer(IHostResolution)
class _Resolution:
    """A question (``IHostResolution``)."""

    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        """Change nothing: the answer is of use to the next who asks."""
