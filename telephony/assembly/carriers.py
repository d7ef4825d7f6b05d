"""The carriers: SMPP links that we open or that they open, USSD dialogues, and the texts that leave by the links."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed

from telephony.assembly.far_ends import far_end, secret_reading
from telephony.assembly.part import CANNOT_BE_MADE, Ground, Part, Taken
from telephony.assembly.people import DesksPart, PeoplePart
from telephony.background import run_in_background
from telephony.control.messages import FarEnd, FarEndKind, RetryAnswer
from telephony.domain.people.person import Language
from telephony.domain.ports import AcceptAll
from telephony.services.silence import SilenceGuard
from telephony.settings import Carrier, Settings
from telephony.smpp.client import Esme
from telephony.smpp.gatekeeper import Gatekeeper
from telephony.smpp.receipt_book import ReceiptBook
from telephony.smpp.request_book import RequestBook
from telephony.smpp.server import ABOUT as SERVER
from telephony.smpp.server import PeerOfCarrier, SmppServer, peer_server
from telephony.smpp.settings import Dialect, EsmeLink, Server
from telephony.smpp.texting import BindTexter, TextWay
from telephony.smpp.wire.text_request import Numbering, numbering_of
from telephony.ussd.dialogues import Dialogues
from telephony.ussd.menus import MenuRules, OpenMenus
from telephony.ussd.pages import PLAIN_PAGE, UCS2_PAGE
from telephony.ussd.profiles import PROFILES


def texter_of(ground: Ground, silence: SilenceGuard) -> BindTexter | None:
    """Return the sender of our texts, where the settings say from which number."""
    settings, outside = ground.settings, ground.outside
    if settings.sms is None:
        return None

    def numbering() -> Numbering:
        # No text of ours may go to a number that people dial to reach us, as the settings have it now.
        return numbering_of(
            settings.service.country_code, settings.service.trunk_prefix, ground.recognitions.dialled
        )

    return BindTexter(
        ground.text_ways,
        silence,
        sms=settings.sms,
        numbering=numbering,
        clock=outside.reactor,
        rng=outside.rng,
    )


@dataclass(frozen=True, slots=True)
class _Wiring:
    """What the links of a carrier share, whichever come and go."""

    carrier: str
    dialect: Dialect
    receipts: ReceiptBook
    requests: RequestBook
    ussd: Dialogues
    links: dict[str, tuple[EsmeLink, Esme]] = field(default_factory=dict)
    """By name: the settings that each was made of, and the link."""
    sending: list[Esme] = field(default_factory=list)
    """Of them, those that texts of ours leave by."""


class CarriersPart(Part):
    """All SMPP links of all carriers."""

    def __init__(
        self,
        ground: Ground,
        people: PeoplePart,
        desks: DesksPart,
        silence: SilenceGuard,
        accept_all: AcceptAll,
    ) -> None:
        super().__init__()
        self._ground = ground
        self._settings = settings = ground.settings
        self._people = people
        self._desks = desks
        self._silence = silence
        self._accept_all = accept_all
        self._service = None if desks.texts is None else desks.texts.take
        self._wirings: dict[str, _Wiring] = {}
        self._server: SmppServer | None = None
        peers = [peer for carrier in settings.carrier for peer in self._add_links(carrier)]
        if settings.smpp_server is not None:
            self._add_server(settings.smpp_server, peers)

    def recognise(self) -> None:
        """Go by the tables of numbers and words as they are now."""
        for carrier, wiring in self._wirings.items():
            for _, esme in wiring.links.values():
                esme.desk.recognition = self._ground.recognitions.of(carrier)

    def take(self, settings: Settings) -> Taken:
        """Take new carriers, and new and changed links in, and let links go that are gone; no other is touched.

        Of those that stay, and of the gateways, the passwords are read again; a link that waits is tried with another one.
        """
        taken = Taken()
        for carrier in settings.carrier:
            wiring = self._wirings.get(carrier.name) or self._wire(carrier)
            for name in wiring.links.keys() - {link.name for link in carrier.smpp}:
                self._ground.observer.forget(name)
                self._let_go(wiring, name)
            for link in carrier.smpp:
                self._take_link(wiring, link, taken)
        gate = None if self._server is None else self._server.gate
        if isinstance(gate, Gatekeeper):
            try:
                taken.secrets += gate.read_passwords_again()
            except CANNOT_BE_MADE as error:
                taken.refused[SERVER] = str(error)
        self._settings = settings
        return taken

    def _take_link(self, wiring: _Wiring, link: EsmeLink, taken: Taken) -> None:
        settings, esme = wiring.links.get(link.name, (None, None))
        if esme is not None and settings == link:
            if taken.reread(link.name, esme.read_again):
                esme.retry()
            return
        try:
            fresh = self._esme(wiring, link)
        except CANNOT_BE_MADE as error:
            taken.refused[link.name] = str(error)
            return
        ended = self._let_go(wiring, link.name)
        self._hold(wiring, link, fresh)
        run_in_background(self._begin_after(ended, wiring, link.name, fresh), "changing a link")

    async def _begin_after(self, ended: Deferred[Any], wiring: _Wiring, name: str, esme: Esme) -> None:
        """Bind when the link before it has unbound: a carrier counts binds."""
        await ended
        if self.running and wiring.links.get(name, (None, None))[1] is esme:
            self.add(esme)

    def _let_go(self, wiring: _Wiring, name: str) -> Deferred[Any]:
        """End a link, if there is one of this name; fires when it has unbound."""
        _, esme = wiring.links.pop(name, (None, None))
        if esme is None:
            return succeed(None)
        if esme in wiring.sending:
            wiring.sending.remove(esme)
        # One that has not begun yet, because another unbinds, has no parent.
        return succeed(None) if esme.parent is None else maybeDeferred(esme.disownServiceParent)

    def far_ends(self) -> Sequence[FarEnd]:
        """Return the links and the gateways."""
        return [each for carrier in self._settings.carrier for each in self._far_ends_of(carrier)]

    def _far_ends_of(self, carrier: Carrier) -> Iterator[FarEnd]:
        clock = self._ground.clock
        for link in carrier.smpp:
            known = self._wirings[carrier.name].links.get(link.name)
            if known is not None:
                yield far_end(clock, FarEndKind.SMPP, link.name, carrier.name, known[1].standing)
        if self._server is not None:
            for peer in carrier.peer:
                standing, binds = self._server.standing(peer.name)
                yield far_end(clock, FarEndKind.PEER, peer.name, carrier.name, standing, binds=binds)

    def retry(self, name: str) -> RetryAnswer | None:
        """Bind now, with the password as its place has it now."""
        links = {name: esme for wiring in self._wirings.values() for name, (_, esme) in wiring.links.items()}
        esme = links.get(name)
        if esme is None:
            return None
        reading = secret_reading(esme.read_again())
        return RetryAnswer(name=name, retried=esme.retry(), secret=reading)

    def _add_links(self, carrier: Carrier) -> list[PeerOfCarrier]:
        """Add the links that we bind to; return the peers that bind to us."""
        wiring = self._wire(carrier)
        for link in carrier.smpp:
            esme = self._esme(wiring, link)
            self._hold(wiring, link, esme)
            self.add(esme)
        recognition = self._ground.recognitions.of(carrier.name)
        return [
            PeerOfCarrier(
                peer,
                carrier.name,
                carrier.dialect,
                recognition,
                wiring.receipts,
                wiring.requests,
                wiring.ussd,
            )
            for peer in carrier.peer
        ]

    def _wire(self, carrier: Carrier) -> _Wiring:
        """Make what the links of a carrier share, and let texts of ours leave by them."""
        receipts = ReceiptBook(
            clock=self._ground.clock,
            id_base=carrier.dialect.receipt_id_base,
            sender="" if self._settings.sms is None else self._settings.sms.sender,
        )
        requests = RequestBook(carrier.dialect.repeat_window_s)
        wiring = _Wiring(carrier.name, carrier.dialect, receipts, requests, self._dialogues(carrier))
        self._wirings[carrier.name] = wiring
        self._ground.text_ways.append(TextWay(carrier.name, carrier.dialect, wiring.sending))
        return wiring

    def _esme(self, wiring: _Wiring, link: EsmeLink) -> Esme:
        """Make a link; nothing is opened before it is added."""
        return Esme(
            link,
            carrier=wiring.carrier,
            dialect=wiring.dialect,
            recognition=self._ground.recognitions.of(wiring.carrier),
            accept_all=self._accept_all,
            receipts=wiring.receipts,
            requests=wiring.requests,
            reactor=self._ground.clock,
            rng=self._ground.outside.rng,
            observer=self._ground.observer,
            alarms=self._ground.alarms,
            ussd=wiring.ussd,
            service=self._service,
        )

    def _hold(self, wiring: _Wiring, link: EsmeLink, esme: Esme) -> None:
        wiring.links[link.name] = (link, esme)
        if link.bind != "receiver":
            wiring.sending.append(esme)
        self._ground.observer.watch(link.name)

    def _dialogues(self, carrier: Carrier) -> Dialogues:
        """Return the USSD rules of a carrier: one memory for all its links, since a repeat may come by another."""
        own, texts = carrier.ussd, self._settings.ussd
        language = own.language or self._settings.service.language
        return Dialogues(
            PROFILES[own.profile],
            closing_text=texts.closing_ko if language == "ko" else texts.closing_en,
            neutral_texts=texts.neutral_texts,
            session_s=own.session_s,
            code_tlv=own.code_tlv,
            menus=self._menus(carrier, language),
        )

    def _menus(self, carrier: Carrier, language: Language) -> OpenMenus:
        """Return the menus of a carrier's phones; they open where its recognition has a service code."""
        service, packs = self._settings.service, carrier.dialect.default_alphabet == "gsm0338-packed"
        rules = MenuRules(
            language,
            carrier.ussd.session_s,
            self._settings.people.adult_age,
            service.country_code,
            service.trunk_prefix,
            UCS2_PAGE if packs else PLAIN_PAGE,
        )
        return OpenMenus(
            self._desks.enrolment, self._silence, self._people.languages.of, rules, clock=self._ground.clock
        )

    def _add_server(self, settings: Server, peers: list[PeerOfCarrier]) -> None:
        self._server = peer_server(
            settings,
            peers,
            accept_all=self._accept_all,
            reactor=self._ground.clock,
            rng=self._ground.outside.rng,
            observer=self._ground.observer,
            alarms=self._ground.alarms,
            service=self._service,
        )
        self.add(self._server)
