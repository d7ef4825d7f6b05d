"""Runs the menus that are open on the phones of a carrier, and puts their requests to the enrolment desk.

Before every page the silence guard is asked: a phone whose silence holds is shown the neutral closing text, and its
message is a press. A phone has one USSD dialogue at a time, so a menu is found by its caller; a session id that
differs belongs to an earlier one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, TypeVar

import structlog
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as GaveUp

from telephony.clock import Clock, utc_now, within
from telephony.domain.errors import OnetouchError, Unavailable
from telephony.domain.people.person import Language
from telephony.domain.ports import Guard
from telephony.domain.silence import Output
from telephony.domain.trigger import Trigger
from telephony.domain.ussd import UssdMenu
from telephony.domain.values import Msisdn
from telephony.services.people.desk import Asking, EnrolmentDesk
from telephony.ussd.conversation import Conversation, Page
from telephony.ussd.dialogues import Held
from telephony.ussd.menu import Action
from telephony.ussd.menu_reading import Reading
from telephony.ussd.pages import PLAIN_PAGE

log = structlog.get_logger()

T = TypeVar("T")

MOST_OPEN: Final = 20_000
"""Menus of a carrier; the oldest make room."""
IDLE_S: Final = 600.0
"""No network waits longer for an answer (3GPP TS 29.002 clause 17.1.2: operation timer ml, at most 10 minutes)."""
REPEAT_S: Final = 0.5
"""The same words so soon after a page was sent are a message that comes again: no person reads and types that fast.

Counted from the sending, since a process that is held up learns late that the page was taken: an answer that came
meanwhile would look as if it had come right after.
"""

_MOST_GUARD_S: Final = 2.0
_GUARD_PART: Final = 0.1
_MOST_ACTION_S: Final = 10.0
_ACTION_PART: Final = 0.5
"""Part of the gateway's waiting time within which the questions to the guard and one action are done."""


@dataclass(frozen=True, slots=True)
class MenuRules:
    """The menu's settings. ``session_s`` is how long the gateway waits for our answer, ``plain_page`` is as in `pages`."""

    language: Language = "ko"
    session_s: float = 30.0
    adult_age: int = 19
    country_code: str = "82"
    trunk_prefix: str = "0"
    plain_page: int = PLAIN_PAGE


@dataclass(slots=True)
class _Open:
    """One menu. ``sent_at`` is when the page left that the gateway took, ``None`` while it is under way or was not taken."""

    conversation: Conversation
    session: str
    heard_at: float
    last: bytes
    is_busy: bool = True
    sent_at: float | None = None
    has_failed: bool = False
    is_over: bool = False
    """Its last page has been made; it is kept for a while, to know a message that comes again."""
    turns: int = 0


class OpenMenus:
    """Takes the menus of one carrier further. ``language_of`` gives the language a number is registered with."""

    def __init__(
        self,
        desk: EnrolmentDesk,
        guard: Guard,
        language_of: Callable[[Msisdn], Awaitable[Language | None]],
        rules: MenuRules,
        *,
        clock: Clock,
    ) -> None:
        self._desk = desk
        self._guard = guard
        self._language_of = language_of
        self._rules = rules
        self._clock = clock
        self._guard_s = min(_MOST_GUARD_S, rules.session_s * _GUARD_PART)
        self._action_s = min(_MOST_ACTION_S, rules.session_s * _ACTION_PART)
        self._open: OrderedDict[str, _Open] = OrderedDict()
        """By caller, in the order in which they were last heard."""

    def is_open(self, caller: str, session: str) -> bool:
        """Whether this phone is in a menu."""
        opened = self._find(caller, session)
        return opened is not None and not opened.is_over

    def abort(self, caller: str, session: str) -> None:
        """End the menu of a phone: by phone, network, or because it is about something else now."""
        opened = self._find(caller, session)
        if opened is not None:
            opened.conversation.aborted()
            del self._open[caller]

    def page_shown(self, caller: str, session: str, sent_at: float | None) -> None:
        """Learn when the page was sent; ``None``: it was not taken, and the same message once more gets it once more."""
        opened = self._find(caller, session)
        if opened is not None:
            opened.sent_at = sent_at
            opened.has_failed = sent_at is None

    async def turn(self, menu: UssdMenu, trigger: Trigger) -> Page | Held | None:
        """Take one message further; ``None``: nothing is to be shown. Does not raise."""
        opened = self._find(menu.message.source, menu.session)
        try:
            if opened is not None and self._is_repeat(opened, menu):
                return self._once_more(opened)
            if opened is None or menu.words is None or menu.is_lost:
                return await self._begun(menu, trigger)
            return await self._gone_on(menu, menu.words, trigger, opened)
        except CancelledError:
            raise
        except Exception:
            # Whatever defect we have, the phone waits: it gets the neutral text.
            log.exception("menu could not be shown", connector=trigger.connector)
            self._forget(menu)
            return Held()

    async def may_reach(self, menu: UssdMenu, trigger: Trigger, output: Output) -> Held | None:
        """Ask whether a page may be shown on this phone now; where it may not, its menu is over."""
        try:
            asked = Deferred.fromCoroutine(_awaited(self._guard.may_reach(trigger.msisdn, output)))
            refused = await within(asked, self._guard_s, self._clock)
        except CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - where it is unknown, nothing is shown
            log.warning(
                "menu not shown, silence not known", connector=trigger.connector, error=_reason(error)
            )
            self._forget(menu)
            return Held()
        if refused is None:
            return None
        log.warning(
            "menu asked for during an incident", connector=trigger.connector, caller=trigger.msisdn.masked
        )
        self._forget(menu)
        return Held(is_press=True)

    # -- turns --------------------------------------------------------------------------------------------------

    @staticmethod
    def _once_more(opened: _Open) -> Page | None:
        """Show the page again if the gateway did not take it; the dialogue does not go on."""
        if not opened.has_failed:
            return None
        opened.has_failed = False
        return opened.conversation.page

    async def _begun(self, menu: UssdMenu, trigger: Trigger) -> Page | None:
        opened = self._opened(menu)
        language = opened.conversation.memory.language = await self._language(trigger.msisdn)
        log.info("menu dialled", connector=trigger.connector, caller=trigger.msisdn.masked, language=language)
        return self._settled(menu, opened, opened.conversation.begin(is_lost=menu.is_lost))

    async def _gone_on(
        self, menu: UssdMenu, words: str, trigger: Trigger, opened: _Open
    ) -> Page | Held | None:
        self._heard(menu, opened)
        found = opened.conversation.hear(words)
        if isinstance(found, Action):
            # Nor is anything done for a phone that another person may hold by now.
            held = await self.may_reach(menu, trigger, Output.USSD_TEXT)
            if held is not None:
                return held
            found = await self._acted(found, opened, trigger)
        return self._settled(menu, opened, found)

    def _settled(self, menu: UssdMenu, opened: _Open, page: Page) -> Page | None:
        if self._open.get(menu.message.source) is not opened:
            # The phone has left, or begun again, while guard or desk were asked.
            return None
        opened.is_busy, opened.is_over = False, page.ends
        return page

    # -- the menus there are ----------------------------------------------------------------------------------

    def _find(self, caller: str, session: str) -> _Open | None:
        opened = self._open.get(caller)
        if opened is None or self._clock.seconds() - opened.heard_at > IDLE_S:
            return None
        is_same = not session or not opened.session or session == opened.session
        return opened if is_same else None

    def _opened(self, menu: UssdMenu) -> _Open:
        now = self._clock.seconds()
        while self._open and (
            len(self._open) >= MOST_OPEN or now - next(iter(self._open.values())).heard_at > IDLE_S
        ):
            self._open.popitem(last=False)[1].conversation.timed_out()
        caller = menu.message.source
        self._open.pop(caller, None)
        rules = self._rules
        reading = Reading(
            Msisdn.parse(caller, country_code=rules.country_code, trunk_prefix=rules.trunk_prefix),
            utc_now(self._clock).date(),
            rules.adult_age,
            rules.country_code,
            rules.trunk_prefix,
        )
        conversation = Conversation(rules.language, reading, plain_page=rules.plain_page)
        opened = self._open[caller] = _Open(conversation, menu.session, now, _mark(menu))
        return opened

    def _heard(self, menu: UssdMenu, opened: _Open) -> None:
        opened.heard_at, opened.last = self._clock.seconds(), _mark(menu)
        opened.is_busy, opened.sent_at, opened.has_failed = True, None, False
        opened.turns += 1
        self._open.move_to_end(menu.message.source)

    def _forget(self, menu: UssdMenu) -> None:
        self._open.pop(menu.message.source, None)

    def _is_repeat(self, opened: _Open, menu: UssdMenu) -> bool:
        """Whether the gateway delivers the same message again.

        A phone answers a page after it was shown, and the gateway takes a page only after it has read that the
        message before it was taken. So a message that comes before a page was taken, or too soon after it was sent,
        is no new answer.
        """
        if opened.is_busy and menu.words is not None:
            return True
        if opened.last != _mark(menu):
            return False
        if opened.is_over:
            return self._clock.seconds() - opened.heard_at <= self._rules.session_s and menu.words is not None
        return opened.sent_at is None or self._clock.seconds() - opened.sent_at < REPEAT_S

    # -- what is asked of others --------------------------------------------------------------------------------

    async def _language(self, phone: Msisdn) -> Language:
        try:
            found = await within(
                Deferred.fromCoroutine(_awaited(self._language_of(phone))), self._guard_s, self._clock
            )
        except (Unavailable, GaveUp):
            found = None
        return found or self._rules.language

    async def _acted(self, action: Action, opened: _Open, trigger: Trigger) -> Page:
        asking = self._asking(opened, trigger)
        began = self._clock.seconds()
        try:
            asked = Deferred.fromCoroutine(_awaited(self._ask(action, opened, asking)))
            answer = await within(asked, self._action_s, self._clock)
        except CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - the phone waits, whatever it is
            reason = _reason(error)
            log.warning("menu could not do it", action=action.value, connector=asking.connector, error=reason)
            return opened.conversation.failed()
        took_ms = round((self._clock.seconds() - began) * 1000)
        log.info("menu did it", action=action.value, connector=asking.connector, ms=took_ms)
        return opened.conversation.done(answer)

    def _asking(self, opened: _Open, trigger: Trigger) -> Asking:
        """Say who asks. Two pages that are answered with the same digit are two messages."""
        name = f"{trigger.reference}\0{trigger.received_at.isoformat()}\0{opened.turns}"
        return Asking(
            trigger.msisdn,
            trigger.carrier,
            opened.conversation.memory.language,
            "ussd",
            trigger.connector,
            blake2b(name.encode(), digest_size=12).hexdigest(),
            trigger.received_at,
        )

    def _ask(self, action: Action, opened: _Open, asking: Asking) -> Awaitable[str]:  # noqa: PLR0911 - one arm per action
        desk, typed = self._desk, opened.conversation.memory
        match action:
            case Action.REGISTER:
                birth = "" if typed.birth is None else typed.birth.isoformat()
                return desk.register(asking, typed.name, birth, typed.guardian)
            case Action.LIST:
                return desk.guardians(asking)
            case Action.ADD:
                return desk.add_guardian(asking, typed.phone, typed.relation)
            case Action.REMOVE:
                return desk.remove_guardian(asking, str(typed.place))
            case Action.MY_DATA:
                return desk.my_data(asking)
            case Action.TEST:
                return desk.test(asking)
            case Action.CANCEL:
                return desk.cancel(asking, is_sure=True)


def _mark(menu: UssdMenu) -> bytes:
    """Return what tells a message from the next, as far as a gateway lets us: words, operation and unit."""
    message = menu.message
    key = f"{message.operation}\0{message.session_info!r}\0{message.destination}\0{message.text}"
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _reason(error: BaseException) -> str:
    """Return the reason without anything that was typed: only sentences of ours are repeated."""
    return str(error) if isinstance(error, OnetouchError) else type(error).__name__


async def _awaited(waiting: Awaitable[T]) -> T:
    return await waiting
