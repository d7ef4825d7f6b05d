"""State machine of one dialogue of the USSD menu: its screens, and the inputs that lead from one to another.

The machine is pure: each input returns the effects that its caller performs, in order. It knows no words, no page
lengths, no store. One row of `TABLE` is one arrow of ``docs/state-machines/ussd-menu.svg``; an input that has no row in
a state changes nothing there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import Final, Protocol

from automat import TypeMachineBuilder

from telephony.domain.people.person import Language
from telephony.net.tables import Row, always, inputs_of, machine


class Screen(Enum):
    """Screens that a phone shows and answers."""

    MAIN = "main"
    NAME = "name"
    BIRTH = "birth date"
    MINOR = "guardian of a minor"
    SUMMARY = "summary of a registration"
    GUARDIANS = "guardians"
    PHONE = "a guardian's number"
    RELATION = "a guardian's relation"
    ADD = "summary of a guardian"
    REMOVE = "which guardian to remove"
    SURE_TO_REMOVE = "sure to remove"
    TEST = "test"
    CANCEL = "sure to cancel"
    ANSWER = "the answer to what was asked"


class Note(Enum):
    """A sentence before a screen."""

    LOST = "begun again after a time-out or a restart"
    TRY_AGAIN = "could not be done now"
    NOT_UNDERSTOOD = "what was typed has no meaning here"


class Ending(Enum):
    """Why a dialogue ends with a text of ours."""

    BYE = "left"
    ANSWER = "the answer to what was asked"


@dataclass(frozen=True, slots=True)
class Show:
    """Show a screen, with a sentence before it, and wait for an answer."""

    screen: Screen
    note: Note | None = None


@dataclass(frozen=True, slots=True)
class End:
    """Show a last text."""

    ending: Ending


class Action(Enum):
    """A request to the enrolment desk; its answer is `Menu.done`, or `Menu.failed`."""

    REGISTER = "register"
    LIST = "list the guardians"
    ADD = "add a guardian"
    REMOVE = "remove a guardian"
    MY_DATA = "tell what is kept"
    TEST = "test"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Do:
    """Do something with what is in the memory."""

    action: Action


Effect = Show | End | Do
Effects = tuple[Effect, ...]


@dataclass
class Memory:
    """The words typed so far in a dialogue, and its language."""

    language: Language
    name: str = field(default="", repr=False)
    birth: date | None = field(default=None, repr=False)
    guardian: str = field(default="", repr=False)
    """The number of a minor's guardian, in E.164 digits."""
    phone: str = field(default="", repr=False)
    relation: str = field(default="", repr=False)
    place: int = 0
    answer: str = field(default="", repr=False)
    """The desk's last answer."""


class Menu(Protocol):
    """The inputs of the machine: the events of a dialogue."""

    def dialled(self) -> Effects:
        """Learn that the service code was dialled."""
        ...

    def resumed(self) -> Effects:
        """Learn that a page was answered that we do not remember."""
        ...

    def language(self) -> Effects:
        """Go on in the other language."""
        ...

    def register(self) -> Effects:
        """Ask for the registration."""
        ...

    def guardians(self) -> Effects:
        """Ask for the guardians."""
        ...

    def my_data(self) -> Effects:
        """Ask what is kept."""
        ...

    def test(self) -> Effects:
        """Ask for a test."""
        ...

    def cancel(self) -> Effects:
        """Ask for the end of the registration."""
        ...

    def list_guardians(self) -> Effects:
        """Ask who the guardians are."""
        ...

    def add(self) -> Effects:
        """Ask for one guardian more."""
        ...

    def remove(self) -> Effects:
        """Ask for one guardian less."""
        ...

    def named(self, name: str) -> Effects:
        """Take a name."""
        ...

    def born(self, birth: date) -> Effects:
        """Take the birth date of an adult."""
        ...

    def born_lately(self, birth: date) -> Effects:
        """Take the birth date of a minor."""
        ...

    def numbered(self, phone: str) -> Effects:
        """Take a guardian's number, in E.164 digits."""
        ...

    def related(self, relation: str) -> Effects:
        """Take what a guardian is to the person."""
        ...

    def placed(self, place: int) -> Effects:
        """Take a guardian's place in the order."""
        ...

    def yes(self) -> Effects:
        """Do what the screen says."""
        ...

    def back(self) -> Effects:
        """Go to where this screen came from."""
        ...

    def not_understood(self) -> Effects:
        """Learn that what was typed has no meaning on this screen."""
        ...

    def done(self, answer: str) -> Effects:
        """Take the desk's answer."""
        ...

    def failed(self) -> Effects:
        """Learn that the desk cannot do it now, or not in time."""
        ...

    def aborted(self) -> Effects:
        """Learn that phone or network ended the dialogue."""
        ...

    def timed_out(self) -> Effects:
        """Learn that no answer has come for too long."""
        ...


NEW: Final = "New"
MAIN: Final = "Main"
NAME: Final = "Name"
BIRTH: Final = "Birth"
MINOR: Final = "Minor"
SUMMARY: Final = "Summary"
SUMMARY_OF_MINOR: Final = "SummaryOfMinor"
REGISTERING: Final = "Registering"
REGISTERING_MINOR: Final = "RegisteringMinor"
GUARDIANS: Final = "Guardians"
LISTING: Final = "Listing"
LISTED: Final = "Listed"
PHONE: Final = "Phone"
RELATION: Final = "Relation"
ADD: Final = "Add"
ADDING: Final = "Adding"
CHOOSING: Final = "Choosing"
REMOVE: Final = "Remove"
SURE_TO_REMOVE: Final = "SureToRemove"
REMOVING: Final = "Removing"
READING: Final = "Reading"
TEST: Final = "Test"
TESTING: Final = "Testing"
CANCEL: Final = "Cancel"
CANCELLING: Final = "Cancelling"
ANSWERED: Final = "Answered"
OVER: Final = "Over"

STATES: Final = (
    NEW, MAIN, NAME, BIRTH, MINOR, SUMMARY, SUMMARY_OF_MINOR, REGISTERING, REGISTERING_MINOR, GUARDIANS, LISTING, LISTED,
    PHONE, RELATION, ADD, ADDING, CHOOSING, REMOVE, SURE_TO_REMOVE, REMOVING, READING, TEST, TESTING, CANCEL, CANCELLING,
    ANSWERED, OVER,
)  # fmt: skip


def _keeping(name: str, *effects: Effect) -> Callable[..., Effects]:
    """Keep the input's argument under this name of the memory."""

    def keep(memory: Memory, value: object) -> Effects:
        setattr(memory, name, value)
        return effects

    return keep


def _born(memory: Memory, birth: date) -> Effects:
    memory.birth, memory.guardian = birth, ""
    return (_SUMMARY,)


def _other_language(memory: Memory) -> Effects:
    memory.language = "en" if memory.language == "ko" else "ko"
    return (_MAIN,)


_MAIN: Final = Show(Screen.MAIN)
_SUMMARY: Final = Show(Screen.SUMMARY)
_GUARDIANS: Final = Show(Screen.GUARDIANS)
_ANSWER: Final = Show(Screen.ANSWER)


def _again(screen: Screen) -> Callable[..., Effects]:
    return always(Show(screen, Note.NOT_UNDERSTOOD))


def _try_again(screen: Screen) -> Callable[..., Effects]:
    return always(Show(screen, Note.TRY_AGAIN))


_ANSWERED: Final = _keeping("answer", _ANSWER)
_LAST_ANSWER: Final = _keeping("answer", End(Ending.ANSWER))

TABLE: Final[tuple[Row[Effect], ...]] = (
    (NEW, Menu.dialled, MAIN, always(_MAIN)),
    (NEW, Menu.resumed, MAIN, always(Show(Screen.MAIN, Note.LOST))),
    (MAIN, Menu.language, MAIN, _other_language),
    (MAIN, Menu.register, NAME, always(Show(Screen.NAME))),
    (MAIN, Menu.guardians, GUARDIANS, always(_GUARDIANS)),
    (MAIN, Menu.my_data, READING, always(Do(Action.MY_DATA))),
    (MAIN, Menu.test, TEST, always(Show(Screen.TEST))),
    (MAIN, Menu.cancel, CANCEL, always(Show(Screen.CANCEL))),
    (MAIN, Menu.back, OVER, always(End(Ending.BYE))),
    (MAIN, Menu.not_understood, MAIN, _again(Screen.MAIN)),
    # 1 Register.
    (NAME, Menu.named, BIRTH, _keeping("name", Show(Screen.BIRTH))),
    (NAME, Menu.back, MAIN, always(_MAIN)),
    (NAME, Menu.not_understood, NAME, _again(Screen.NAME)),
    (BIRTH, Menu.born, SUMMARY, _born),
    (BIRTH, Menu.born_lately, MINOR, _keeping("birth", Show(Screen.MINOR))),
    (BIRTH, Menu.back, NAME, always(Show(Screen.NAME))),
    (BIRTH, Menu.not_understood, BIRTH, _again(Screen.BIRTH)),
    (MINOR, Menu.numbered, SUMMARY_OF_MINOR, _keeping("guardian", _SUMMARY)),
    (MINOR, Menu.back, BIRTH, always(Show(Screen.BIRTH))),
    (MINOR, Menu.not_understood, MINOR, _again(Screen.MINOR)),
    (SUMMARY, Menu.yes, REGISTERING, always(Do(Action.REGISTER))),
    (SUMMARY, Menu.back, BIRTH, always(Show(Screen.BIRTH))),
    (SUMMARY, Menu.not_understood, SUMMARY, _again(Screen.SUMMARY)),
    (SUMMARY_OF_MINOR, Menu.yes, REGISTERING_MINOR, always(Do(Action.REGISTER))),
    (SUMMARY_OF_MINOR, Menu.back, MINOR, always(Show(Screen.MINOR))),
    (SUMMARY_OF_MINOR, Menu.not_understood, SUMMARY_OF_MINOR, _again(Screen.SUMMARY)),
    (REGISTERING, Menu.done, ANSWERED, _ANSWERED),
    (REGISTERING, Menu.failed, SUMMARY, _try_again(Screen.SUMMARY)),
    (REGISTERING_MINOR, Menu.done, ANSWERED, _ANSWERED),
    (REGISTERING_MINOR, Menu.failed, SUMMARY_OF_MINOR, _try_again(Screen.SUMMARY)),
    # 2 Guardians.
    (GUARDIANS, Menu.list_guardians, LISTING, always(Do(Action.LIST))),
    (GUARDIANS, Menu.add, PHONE, always(Show(Screen.PHONE))),
    (GUARDIANS, Menu.remove, CHOOSING, always(Do(Action.LIST))),
    (GUARDIANS, Menu.back, MAIN, always(_MAIN)),
    (GUARDIANS, Menu.not_understood, GUARDIANS, _again(Screen.GUARDIANS)),
    (LISTING, Menu.done, LISTED, _ANSWERED),
    (LISTING, Menu.failed, GUARDIANS, _try_again(Screen.GUARDIANS)),
    (LISTED, Menu.back, GUARDIANS, always(_GUARDIANS)),
    (LISTED, Menu.not_understood, LISTED, _again(Screen.ANSWER)),
    (PHONE, Menu.numbered, RELATION, _keeping("phone", Show(Screen.RELATION))),
    (PHONE, Menu.back, GUARDIANS, always(_GUARDIANS)),
    (PHONE, Menu.not_understood, PHONE, _again(Screen.PHONE)),
    (RELATION, Menu.related, ADD, _keeping("relation", Show(Screen.ADD))),
    (RELATION, Menu.back, PHONE, always(Show(Screen.PHONE))),
    (RELATION, Menu.not_understood, RELATION, _again(Screen.RELATION)),
    (ADD, Menu.yes, ADDING, always(Do(Action.ADD))),
    (ADD, Menu.back, RELATION, always(Show(Screen.RELATION))),
    (ADD, Menu.not_understood, ADD, _again(Screen.ADD)),
    (ADDING, Menu.done, LISTED, _ANSWERED),
    (ADDING, Menu.failed, ADD, _try_again(Screen.ADD)),
    (CHOOSING, Menu.done, REMOVE, _keeping("answer", Show(Screen.REMOVE))),
    (CHOOSING, Menu.failed, GUARDIANS, _try_again(Screen.GUARDIANS)),
    (REMOVE, Menu.placed, SURE_TO_REMOVE, _keeping("place", Show(Screen.SURE_TO_REMOVE))),
    (REMOVE, Menu.back, GUARDIANS, always(_GUARDIANS)),
    (REMOVE, Menu.not_understood, REMOVE, _again(Screen.REMOVE)),
    (SURE_TO_REMOVE, Menu.yes, REMOVING, always(Do(Action.REMOVE))),
    (SURE_TO_REMOVE, Menu.back, REMOVE, always(Show(Screen.REMOVE))),
    (SURE_TO_REMOVE, Menu.not_understood, SURE_TO_REMOVE, _again(Screen.SURE_TO_REMOVE)),
    (REMOVING, Menu.done, LISTED, _ANSWERED),
    (REMOVING, Menu.failed, SURE_TO_REMOVE, _try_again(Screen.SURE_TO_REMOVE)),
    # 3 My data.
    (READING, Menu.done, ANSWERED, _ANSWERED),
    (READING, Menu.failed, MAIN, _try_again(Screen.MAIN)),
    # 4 Test and 5 cancel end the dialogue: the rest comes as a text, or there is nothing left to ask.
    (TEST, Menu.yes, TESTING, always(Do(Action.TEST))),
    (TEST, Menu.back, MAIN, always(_MAIN)),
    (TEST, Menu.not_understood, TEST, _again(Screen.TEST)),
    (TESTING, Menu.done, OVER, _LAST_ANSWER),
    (TESTING, Menu.failed, TEST, _try_again(Screen.TEST)),
    (CANCEL, Menu.yes, CANCELLING, always(Do(Action.CANCEL))),
    (CANCEL, Menu.back, MAIN, always(_MAIN)),
    (CANCEL, Menu.not_understood, CANCEL, _again(Screen.CANCEL)),
    (CANCELLING, Menu.done, OVER, _LAST_ANSWER),
    (CANCELLING, Menu.failed, CANCEL, _try_again(Screen.CANCEL)),
    (ANSWERED, Menu.back, MAIN, always(_MAIN)),
    (ANSWERED, Menu.not_understood, ANSWERED, _again(Screen.ANSWER)),
    # The phone has left: there is no one to show anything to.
    *((state, Menu.aborted, OVER, always()) for state in STATES if state != OVER),
    *((state, Menu.timed_out, OVER, always()) for state in STATES if state != OVER),
)

INPUTS: Final = inputs_of(Menu)

_new_menu: Final = machine(TypeMachineBuilder(Menu, Memory), STATES, TABLE)


def new_menu(memory: Memory) -> Menu:
    """Begin a dialogue; ``memory`` is filled as it goes on."""
    return _new_menu(memory)
