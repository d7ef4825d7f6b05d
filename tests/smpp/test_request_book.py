"""A redelivery, or another press: decided by what we answered to the request before it, and by what became of its link."""

from __future__ import annotations

import pytest

from telephony.domain.people.service_text import ServiceText
from telephony.domain.trigger import Repetition
from telephony.domain.values import Msisdn
from telephony.smpp import request_book
from telephony.smpp.request_book import MOST_OPEN, ROUND_TRIP_S, PressRequest, RequestBook, Standing
from tests.doubles import NOON, press

WINDOW_S = 600.0
WITHHELD = press(msisdn=Msisdn("", is_e164=False))


class Carrier:
    """A carrier with two links, whose messages all say the same."""

    def __init__(self) -> None:
        self.book = RequestBook(WINDOW_S)
        self.a, self.b = Standing(), Standing()
        self.now = 1_800_000_000.0
        self.sequence = 0

    def bring(
        self, link: Standing | None = None, *, trigger=None, sequence: int | None = None, **more: float
    ) -> PressRequest:
        link = link or self.a
        self.sequence += 1
        link.heard_at = self.now
        used = self.sequence if sequence is None else sequence
        return self.book.take(trigger or press(reference="words"), link, used, self.now, **more)

    def acknowledged(self, link: Standing | None = None, **more) -> PressRequest:
        request = self.bring(link, **more)
        request.acknowledged(self.now)
        return request

    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    def lose(self, link: Standing) -> None:
        link.is_over = True


@pytest.fixture
def carrier() -> Carrier:
    return Carrier()


def test_the_first_message_with_these_words_is_known_to_the_store_alone(carrier: Carrier):
    request = carrier.bring()

    assert (request.repetition, request.reference) == (Repetition.UNKNOWN, "words")


def test_what_was_acknowledged_on_a_link_that_stands_is_pressed_again(carrier: Carrier):
    carrier.acknowledged()

    again, once_more = carrier.acknowledged(), carrier.acknowledged()

    assert (again.repetition, once_more.repetition) == (Repetition.NONE, Repetition.NONE)
    assert len({"words", again.reference, once_more.reference}) == 3


def test_a_key_pressed_for_hours_is_as_many_presses(carrier: Carrier):
    presses = []
    for _ in range(40):
        presses.append(carrier.acknowledged())
        carrier.pass_time(540)

    assert len({one.reference for one in presses}) == 40


def test_what_was_told_to_come_again_is_a_redelivery_of_the_very_same_press(carrier: Carrier):
    carrier.bring().refused()
    carrier.pass_time(3 * 3600)

    again = carrier.bring(carrier.b)

    assert (again.repetition, again.reference) == (Repetition.REDELIVERY, "words")


def test_a_press_whose_link_fell_before_our_answer_is_redelivered(carrier: Carrier):
    request = carrier.bring()
    carrier.lose(carrier.a)
    request.acknowledged(carrier.now)  # written into nothing

    assert carrier.bring(carrier.b).repetition is Repetition.REDELIVERY


def test_an_answer_around_the_end_of_the_link_may_have_been_lost(carrier: Carrier):
    carrier.acknowledged()
    carrier.a.heard_at = carrier.now + ROUND_TRIP_S / 2
    carrier.lose(carrier.a)
    carrier.pass_time(20)

    again = carrier.bring(carrier.b)

    assert (again.repetition, again.reference) == (Repetition.DOUBTFUL, "words")


def test_a_link_that_spoke_after_our_answer_had_it(carrier: Carrier):
    carrier.acknowledged()
    carrier.a.heard_at = carrier.now + ROUND_TRIP_S
    carrier.lose(carrier.a)
    carrier.pass_time(20)

    assert carrier.bring(carrier.b).repetition is Repetition.NONE


def test_one_lost_answer_makes_one_repeat_doubtful(carrier: Carrier):
    carrier.acknowledged()
    carrier.lose(carrier.a)
    assert carrier.acknowledged(carrier.b).repetition is Repetition.DOUBTFUL
    carrier.pass_time(5)

    assert carrier.bring(carrier.b).repetition is Repetition.NONE


@pytest.mark.parametrize("link", ["a", "b"])
def test_the_same_while_we_have_not_answered_may_be_either(carrier: Carrier, link: str):
    carrier.bring()

    again = carrier.bring(getattr(carrier, link))

    assert (again.repetition, again.reference) == (Repetition.DOUBTFUL, "words")


def test_the_same_request_once_more_is_doubtful_even_where_it_was_acknowledged(carrier: Carrier):
    carrier.acknowledged(sequence=7)

    assert carrier.bring(sequence=7).repetition is Repetition.DOUBTFUL


def test_by_another_link_it_is_doubtful_until_our_answer_must_have_arrived(carrier: Carrier):
    carrier.acknowledged()
    carrier.pass_time(ROUND_TRIP_S / 2)
    assert carrier.acknowledged(carrier.b).repetition is Repetition.DOUBTFUL
    carrier.pass_time(ROUND_TRIP_S)

    assert carrier.bring(carrier.a).repetition is Repetition.NONE


def test_what_is_doubtful_ends_with_the_window_from_the_first_delivery(carrier: Carrier):
    """Counted from the last, a key pressed over a link that always falls would be one press for ever."""
    links = [Standing() for _ in range(4)]
    found = []
    for link in links:
        found.append(carrier.acknowledged(link).repetition)
        carrier.lose(link)
        carrier.pass_time(250)

    assert found == [Repetition.UNKNOWN, Repetition.DOUBTFUL, Repetition.DOUBTFUL, Repetition.NONE]


def test_a_second_press_that_could_not_be_kept_comes_again_as_itself(carrier: Carrier):
    first = carrier.acknowledged()
    second = carrier.bring()
    second.refused()

    again = carrier.bring()

    assert again.repetition is Repetition.REDELIVERY
    assert again.reference == second.reference != first.reference


def test_what_was_doubtful_and_could_not_be_kept_is_doubtful_still(carrier: Carrier):
    carrier.acknowledged()
    carrier.lose(carrier.a)
    carrier.bring(carrier.b).refused()

    assert carrier.bring(carrier.b).repetition is Repetition.DOUBTFUL


def test_each_request_that_was_refused_is_made_up_for_once(carrier: Carrier):
    waiting = [carrier.bring(), carrier.bring(carrier.b)]
    for request in waiting:
        request.refused()

    found = [carrier.acknowledged().repetition for _ in range(3)]

    # The second was doubtful when it came first.
    assert found == [Repetition.REDELIVERY, Repetition.DOUBTFUL, Repetition.NONE]


def test_two_withheld_callers_side_by_side_on_one_link_are_two(carrier: Carrier):
    first, second = carrier.bring(trigger=WITHHELD), carrier.bring(trigger=WITHHELD)

    assert second.repetition is Repetition.NONE
    assert first.reference != second.reference
    second.refused()
    first.acknowledged(carrier.now)
    assert carrier.bring(trigger=WITHHELD).reference == second.reference


def test_a_withheld_caller_by_two_links_at_once_may_be_one(carrier: Carrier):
    carrier.bring(trigger=WITHHELD)

    assert carrier.bring(carrier.b, trigger=WITHHELD).repetition is Repetition.DOUBTFUL


def test_nobody_dials_twice_within_one_dialogue(carrier: Carrier):
    carrier.acknowledged(dialogue_s=30.0)
    carrier.pass_time(10)
    assert carrier.acknowledged(dialogue_s=30.0).repetition is Repetition.DOUBTFUL
    carrier.pass_time(21)

    assert carrier.bring(dialogue_s=30.0).repetition is Repetition.NONE


def test_other_words_are_another_press(carrier: Carrier):
    carrier.bring()

    assert carrier.bring(trigger=press(reference="others")).repetition is Repetition.UNKNOWN


def test_memory_is_bounded_by_count(carrier: Carrier, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(request_book, "MOST", 10)
    for number in range(50):
        carrier.acknowledged(trigger=press(reference=str(number)))

    assert len(carrier.book._presses) == 10
    assert carrier.bring(trigger=press(reference="49")).repetition is Repetition.NONE
    assert carrier.bring(trigger=press(reference="0")).repetition is Repetition.UNKNOWN


def test_no_flood_of_texts_makes_a_press_forgotten(carrier: Carrier, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(request_book, "MOST", 10)
    carrier.acknowledged()

    for number in range(50):
        text = ServiceText(WITHHELD.msisdn, "skt", "skt-1", "1120", None, str(number), NOON)
        carrier.book.take_text(text, carrier.b, number, carrier.now).acknowledged(carrier.now)

    assert len(carrier.book._texts) == 10
    assert carrier.bring().repetition is Repetition.NONE


def test_memory_is_bounded_for_each_message(carrier: Carrier):
    for _ in range(100):
        carrier.bring()

    assert [len(known) for known in carrier.book._presses.values()] == [MOST_OPEN]


def test_memory_is_bounded_by_time(carrier: Carrier):
    carrier.acknowledged()
    carrier.pass_time(request_book.KEPT_S + 1)

    assert carrier.bring().repetition is Repetition.UNKNOWN
    carrier.bring(trigger=press(reference="others"))
    carrier.pass_time(request_book.KEPT_S + 1)
    carrier.bring(trigger=press(reference="more"))
    carrier.bring(trigger=press(reference="still more"))
    assert list(carrier.book._presses) == ["more", "still more"]


def test_a_clock_that_is_set_back_costs_nothing(carrier: Carrier):
    carrier.acknowledged()
    carrier.pass_time(-86_400)

    assert carrier.bring().repetition is Repetition.NONE


def test_a_redelivery_is_as_old_as_its_press(carrier: Carrier):
    carrier.bring().refused()
    carrier.pass_time(400)
    assert carrier.acknowledged().repetition is Repetition.REDELIVERY
    carrier.lose(carrier.a)
    carrier.pass_time(250)

    assert carrier.bring(carrier.b).repetition is Repetition.NONE
