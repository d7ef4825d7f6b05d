"""Runs one dialogue of the menu: words in, a page or an action out. Pure; bounded in turns and wrong answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from telephony.domain.people.person import Language
from telephony.ussd.menu import Action, Do, Effects, End, Memory, Note, Screen, Show, new_menu
from telephony.ussd.menu_reading import Reading, read
from telephony.ussd.menu_texts import MORE_KEY, WORDS, last_text, text_of
from telephony.ussd.pages import PLAIN_PAGE, pages

MOST_TURNS: Final = 100
MOST_WRONG: Final = 5
"""Wrong answers in a row: a person or a machine is typing what no page asks for."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page for the phone; ``ends``: whether no answer is waited for."""

    text: str = field(repr=False)
    ends: bool


class Conversation:
    """Feeds the state machine with the typed words, and keeps the pages of the screen that it shows."""

    def __init__(self, language: Language, reading: Reading, *, plain_page: int = PLAIN_PAGE) -> None:
        self.memory = Memory(language)
        self._reading = reading
        self._plain_page = plain_page
        self._menu = new_menu(self.memory)
        self._screen: Screen | None = None
        """The screen that the phone shows; none once only the last pages of the dialogue are left."""
        self._pages: tuple[str, ...] = ()
        self._ends = False
        self._turns = 0
        self._wrong = 0

    @property
    def page(self) -> Page:
        """The page that the phone shows, or is to show."""
        return Page(self._pages[0], self._ends and len(self._pages) == 1)

    def begin(self, *, is_lost: bool = False) -> Page:
        """Open the dialogue; ``is_lost``: a page was answered that we do not remember."""
        found = self._follow(self._menu.resumed() if is_lost else self._menu.dialled())
        assert isinstance(found, Page)
        return found

    def hear(self, words: str) -> Page | Action:
        """Take typed words; return the next page, or the action to ask of the desk first."""
        self._turns += 1
        if self._turns > MOST_TURNS:
            return self._leave()
        if words.strip() == MORE_KEY and len(self._pages) > 1:
            self._pages = self._pages[1:]
            return self.page
        if self._screen is None:
            return self._end(WORDS[self.memory.language].bye)
        effects = read(self._screen, words, self.memory, self._reading)(self._menu)
        is_wrong = any(isinstance(each, Show) and each.note is Note.NOT_UNDERSTOOD for each in effects)
        self._wrong = self._wrong + 1 if is_wrong else 0
        return self._leave() if self._wrong >= MOST_WRONG else self._follow(effects)

    def done(self, answer: str) -> Page:
        """Take the desk's answer to an `Action`."""
        return self._settled(self._menu.done(answer))

    def failed(self) -> Page:
        """Learn that the desk cannot do it now."""
        return self._settled(self._menu.failed())

    def aborted(self) -> None:
        """End it, as the phone or the network has done."""
        self._menu.aborted()

    def timed_out(self) -> None:
        """End it, because no answer comes."""
        self._menu.timed_out()

    def _settled(self, effects: Effects) -> Page:
        found = self._follow(effects)
        assert isinstance(found, Page)
        return found

    def _follow(self, effects: Effects) -> Page | Action:
        if not effects:
            # The dialogue was ended meanwhile; this page will not be seen.
            return self.page
        (effect,) = effects
        match effect:
            case Do(action):
                return action
            case End(ending):
                return self._end(last_text(ending, self.memory))
            case Show(screen, note):
                self._screen = screen
                words = WORDS[self.memory.language]
                text = text_of(screen, note, self.memory)
                self._pages = pages(text, words.keys.get(screen, ""), words.more, self._plain_page)
                return self.page

    def _leave(self) -> Page:
        self._menu.aborted()
        return self._end(WORDS[self.memory.language].too_often)

    def _end(self, text: str) -> Page:
        self._screen, self._ends = None, True
        self._pages = pages(text, "", WORDS[self.memory.language].more, self._plain_page)
        return self.page
