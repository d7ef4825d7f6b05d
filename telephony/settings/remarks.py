"""What is allowed but probably not meant: said once at start and by ``onetouch check``, never a reason to stop.

Among it are faults of one way alone, such as a certificate that has expired: a daemon starts with them, for the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from telephony.asterisk.settings import AsteriskServer
from telephony.net.places import is_loopback
from telephony.settings.clear_links import clear_links
from telephony.settings.exposed_files import exposed_files
from telephony.settings.faults import Fault, Weight
from telephony.settings.keys import Path
from telephony.settings.loading import Loaded
from telephony.settings.model import Carrier, Settings
from telephony.settings.tls_files import tls_dates

Said = tuple[Path, str, str]
"""Where, what is said of it, what to write or do instead."""

DEAD_LINK_WITHIN_S = 20.0
"""A link that died silently is to be found within this time."""

EVERYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - looked for, not listened at


def remarks(loaded: Loaded, now: datetime | None = None) -> list[Fault]:
    """Return remarks, and faults that keep no daemon from starting, in the order of the files."""
    settings, places = loaded
    said = [places.fault(*each, Weight.REMARK) for each in _remarks(settings)]
    said += [places.fault(*each) for each in exposed_files(settings, places.raw)]
    said += [places.fault(*each) for each in tls_dates(places.raw, now or datetime.now(UTC))]
    return sorted(said, key=lambda each: (each.file != str(places.main), each.file, each.line or 0))


def _remarks(settings: Settings) -> Iterator[Said]:
    for index, carrier in enumerate(settings.carrier):
        yield from _carrier(
            ("carrier", index), carrier, has_others=any(each.lbs for each in settings.carrier)
        )
        yield from _ussd(("carrier", index), carrier, settings)
    yield from clear_links(settings)
    server = settings.smpp_server
    if server is not None and not any(carrier.peer for carrier in settings.carrier):
        yield ("smpp_server",), "nobody can bind: no carrier has a peer", "add a [[carrier.peer]]"
    if server is not None:
        yield from _dead_link(("smpp_server",), server.enquire_link_s, server.enquire_response_s)
    yield from _voice(settings)


def _carrier(at: Path, carrier: Carrier, *, has_others: bool) -> Iterator[Said]:
    if carrier.lbs is None:
        problem = (
            "its phones are located by the other carriers' services only"
            if has_others
            else "no phone is located, for no carrier has a location service"
        )
        yield at, problem, "add its own, [carrier.lbs]"
    for index, link in enumerate(carrier.smpp):
        yield from _dead_link((*at, "smpp", index), link.enquire_link_s, link.enquire_response_s)


def _ussd(at: Path, carrier: Carrier, settings: Settings) -> Iterator[Said]:
    if settings.recognition_for(carrier.name).ussd_codes:
        for index, link in enumerate(carrier.smpp):
            if link.bind == "receiver":
                problem = "a USSD code dialled there gets no closing text, and the phone shows an error"
                yield (*at, "smpp", index, "bind"), problem, 'write bind = "transceiver"'


def _voice(settings: Settings) -> Iterator[Said]:
    has_trunks = any(carrier.trunk for carrier in settings.carrier)
    calls_somebody = bool(settings.guardians.listed) or any(psap.voice_channels for psap in settings.psap)
    if settings.asterisk and not has_trunks and not calls_somebody:
        problem = "no call is ever heard of: no carrier has a trunk"
        yield ("asterisk",), problem, "add a [[carrier.trunk]]"
    if settings.web is None:
        for index, carrier in enumerate(settings.carrier):
            if carrier.trunk:
                problem = "the location URL that 112 gets with each call leads nowhere"
                yield ("carrier", index, "trunk"), problem, "add a table [web]"
                break
    for index, server in enumerate(settings.asterisk):
        yield from _asterisk(("asterisk", index), server)
    yield from _service_menu(settings)


def _asterisk(at: Path, server: AsteriskServer) -> Iterator[Said]:
    if server.recordings is None and not is_loopback(server.host):
        problem = (
            "its recordings are not seen from here: they stay plain, and outside retention, the audit chain and "
            "`onetouch people own`"
        )
        yield (
            at,
            problem,
            "mount its folder read-write and name it in recordings, or run a daemon on that machine",
        )
    needed_s = server.ping_s + server.ping_timeout_s
    if needed_s > DEAD_LINK_WITHIN_S:
        yield at, *_late(needed_s, "ping_s + ping_timeout_s")


def _service_menu(settings: Settings) -> Iterator[Said]:
    menu, listed = settings.service_menu, settings.recognition.service_numbers
    numbers = [number for number in listed if not number.startswith(("*", "#"))]
    is_called = settings.sms is None or any(carrier.trunk for carrier in settings.carrier)
    service_numbers: Path = ("recognition", "service_numbers")
    if menu is None and numbers and is_called:
        problem = "whoever dials them is told that the menu has failed"
        yield service_numbers, problem, "add a table [service_menu]"
    if len(numbers) < len(listed) and settings.sms is None:
        yield service_numbers, "the USSD menu cannot ask any guardian to agree", "add a table [sms]"
    if menu is not None and not numbers:
        problem = "a call for the menu on a carrier's trunk is reported to 112 as an emergency"
        yield ("service_menu",), problem, "write its number into recognition.service_numbers"
    if menu is not None and menu.interface in EVERYWHERE:
        problem = f"FastAGI has no authentication, and {menu.interface} is every network of this machine"
        yield ("service_menu", "interface"), problem, "write one address"


def _dead_link(at: Path, enquire_link_s: float, enquire_response_s: float) -> Iterator[Said]:
    needed_s = enquire_link_s + 2 * enquire_response_s
    if needed_s > DEAD_LINK_WITHIN_S:
        yield at, *_late(needed_s, "enquire_link_s + 2 x enquire_response_s")


def _late(needed_s: float, sum_of: str) -> tuple[str, str]:
    problem = f"a dead link is found after {needed_s:g} s ({sum_of})"
    return problem, f"write less, so that it is found within {DEAD_LINK_WITHIN_S:g} s"
