"""What is allowed but probably not meant: said once at start and by ``onetouch check``, never a reason to stop."""

from __future__ import annotations

from collections.abc import Iterator

from telephony.asterisk.settings import AsteriskServer
from telephony.settings.clear_links import clear_links
from telephony.settings.model import Carrier, Settings

DEAD_LINK_WITHIN_S = 20.0
"""A link that died silently is to be found within this time."""

EVERYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - looked for, not listened at


def remarks(settings: Settings) -> list[str]:
    """Give remarks as lines, each with its key."""
    found = [remark for carrier in settings.carrier for remark in _carrier(carrier)]
    found += [remark for carrier in settings.carrier for remark in _ussd(carrier, settings)]
    found += clear_links(settings)
    server = settings.smpp_server
    if server is not None and not any(carrier.peer for carrier in settings.carrier):
        found.append("smpp_server: no carrier has a [[carrier.peer]], so nobody can bind")
    if server is not None:
        found += _dead_link("smpp_server", server.enquire_link_s, server.enquire_response_s)
    return found + list(_voice(settings))


def _carrier(carrier: Carrier) -> Iterator[str]:
    where = f'carrier "{carrier.name}"'
    if carrier.lbs is None:
        yield f"{where}: without [carrier.lbs] its phones are located by the other carriers' services only"
    for link in carrier.smpp:
        yield from _dead_link(f'{where}, link "{link.name}"', link.enquire_link_s, link.enquire_response_s)


def _ussd(carrier: Carrier, settings: Settings) -> Iterator[str]:
    if settings.recognition_for(carrier.name).ussd_codes:
        for link in carrier.smpp:
            if link.bind == "receiver":
                where = f'carrier "{carrier.name}", link "{link.name}"'
                yield (
                    f"{where}: a USSD code dialled there gets no closing text, and the phone shows an error; "
                    'bind = "transceiver" lets the text go back'
                )


def _voice(settings: Settings) -> Iterator[str]:
    has_trunks = any(carrier.trunk for carrier in settings.carrier)
    calls_somebody = bool(settings.guardians.listed) or any(psap.voice for psap in settings.psap)
    if settings.asterisk and not has_trunks and not calls_somebody:
        yield "asterisk: no carrier has a [[carrier.trunk]], so no call is ever heard of"
    if has_trunks and settings.web is None:
        yield "carrier.trunk: without [web] the location URL that 112 gets with each call leads nowhere"
    for server in settings.asterisk:
        yield from _asterisk(server)
    yield from _service_menu(settings)


def _asterisk(server: AsteriskServer) -> Iterator[str]:
    where = f'asterisk "{server.name}"'
    needed_s = server.ping_s + server.ping_timeout_s
    if needed_s > DEAD_LINK_WITHIN_S:
        found_after = f"a dead link is found after {needed_s:g} s (ping_s + ping_timeout_s)"
        yield f"{where}: {found_after}; keep it within {DEAD_LINK_WITHIN_S:g} s"


def _service_menu(settings: Settings) -> Iterator[str]:
    menu, listed = settings.service_menu, settings.recognition.service_numbers
    numbers = [number for number in listed if not number.startswith(("*", "#"))]
    is_called = settings.sms is None or any(carrier.trunk for carrier in settings.carrier)
    if menu is None and numbers and is_called:
        yield "recognition.service_numbers: without [service_menu] whoever dials them is told that the menu has failed"
    if len(numbers) < len(listed) and settings.sms is None:
        yield "recognition.service_numbers: without [sms] the USSD menu cannot ask any guardian to agree"
    if menu is not None and not numbers:
        yield (
            "service_menu: without recognition.service_numbers a call for the menu on a carrier's trunk "
            "is reported to 112 as an emergency"
        )
    if menu is not None and menu.agi_interface in EVERYWHERE:
        yield (
            f"service_menu: FastAGI has no authentication, and {menu.agi_interface} is every network of this machine; "
            "name one address"
        )


def _dead_link(where: str, enquire_link_s: float, enquire_response_s: float) -> list[str]:
    needed_s = enquire_link_s + 2 * enquire_response_s
    if needed_s <= DEAD_LINK_WITHIN_S:
        return []
    found_after = f"a dead link is found after {needed_s:g} s (enquire_link_s + 2 x enquire_response_s)"
    return [f"{where}: {found_after}; keep it within {DEAD_LINK_WITHIN_S:g} s"]
