"""When it is over, each guardian who was told reads that once, and no one else does."""

from __future__ import annotations

from datetime import timedelta

import pytest
from twisted.internet import task

from telephony.domain import silence
from telephony.domain.delivery import GUARDIANS_RELEASED, Delivered, Delivery, Errand, Rejected, Retry
from telephony.domain.errors import Malformed, Refused, Unavailable
from telephony.domain.facts import GuardianState
from telephony.domain.guardians.guardian import Guardian
from telephony.domain.guardians.turns import Turn
from telephony.services.guardians.release import GIVE_UP_S, GuardianReleaseChannel
from tests.awaiting import result_of
from tests.doubles import NOON
from tests.services.guardians.test_rounds import CHILD, MOTHER, SEOUL, UNCLE, Book, Record, Texts


class Phones(Texts):
    """A texter that is given no way to tell of receipts: those of a release are not waited for."""

    async def send(self, message, on_state=None):
        assert on_state is None
        return await super().send(message, lambda _: None)


class House:
    def __init__(self, *told, guardians=(MOTHER, UNCLE), texts=True):
        self.clock = task.Clock()
        self.clock.advance(NOON.timestamp())
        self.record = Record(self.clock)
        self.book = Book({CHILD.number: guardians})
        self.texts = Phones()
        self.is_silent = False
        for guardian, place, state in told:
            self.record.kept.append(("sos-1", Turn(guardian, place, 1).fact(state, NOON)))
        self.channel = GuardianReleaseChannel(
            self.book, self.texts if texts else None, self.record, may_reach=self.may_reach, zone=SEOUL, clock=self.clock
        )  # fmt: skip

    async def may_reach(self, phone, output):
        assert phone == CHILD
        return silence.Silenced(f"silence holds: {output.value}") if self.is_silent else None

    def attempt(self, content=Errand(CHILD, "skt", NOON)):  # noqa: B008 - frozen
        delivery = Delivery(
            1, "sos-1", GUARDIANS_RELEASED, 0, GUARDIANS_RELEASED, {}, NOON, 1, content=content
        )
        return result_of(self.channel.deliver(delivery))


def test_those_who_were_told_read_that_it_is_over():
    house = House((MOTHER, 1, GuardianState.TEXTED), (UNCLE, 2, GuardianState.CALLING))
    house.book.name = "김하늘"

    assert house.attempt() == Delivered("2 told")
    assert house.texts.to == [MOTHER.phone.number, UNCLE.phone.number]
    assert (
        house.texts.sent[0].text
        == "[112신고 종료] 김하늘 12:00 SOS 신고가 종료되었습니다. 답장은 필요 없습니다."
    )
    assert not house.texts.sent[0].is_urgent


def test_who_was_not_told_reads_nothing():
    house = House((MOTHER, 1, GuardianState.TEXT_DELIVERED), (UNCLE, 2, GuardianState.FAILED))

    assert house.attempt() == Delivered("1 told")
    assert house.texts.to == [MOTHER.phone.number]
    assert House().attempt() == Delivered("no guardian was told")


def test_nobody_reads_it_twice():
    house = House((MOTHER, 1, GuardianState.TEXTED), (UNCLE, 2, GuardianState.TEXTED))
    house.texts.errors[UNCLE.phone.number] = Unavailable("no bind")
    assert house.attempt() == Retry("1 of 2 could not be told yet")
    house.texts.errors.clear()

    assert house.attempt() == Delivered("1 told")
    assert house.attempt() == Delivered("no guardian was told")
    assert house.texts.to == [MOTHER.phone.number, UNCLE.phone.number]


@pytest.mark.parametrize("error", [Refused("silence holds"), Malformed("a landline")])
def test_a_phone_that_no_text_can_go_to_holds_up_nobody(error):
    house = House((MOTHER, 1, GuardianState.CALLING), (UNCLE, 2, GuardianState.TEXTED))
    house.texts.errors[MOTHER.phone.number] = error

    assert house.attempt() == Delivered("2 told")
    assert house.texts.to == [UNCLE.phone.number]


def test_the_callers_own_phone_reads_nothing():
    house = House((Guardian(CHILD), 1, GuardianState.TEXTED), guardians=[Guardian(CHILD)])

    assert house.attempt() == Delivered("no guardian was told")
    assert house.texts.sent == []


def test_where_the_key_was_pressed_again_nobody_reads_that_it_is_over():
    house = House((MOTHER, 1, GuardianState.TEXTED))
    house.is_silent = True

    assert house.attempt() == Delivered("the key was pressed again; the guardians are told of that")
    assert house.texts.sent == []


def test_it_is_tried_for_a_day():
    house = House((MOTHER, 1, GuardianState.TEXTED))
    house.texts.errors[MOTHER.phone.number] = Unavailable("no bind")
    assert isinstance(house.attempt(), Retry)
    house.clock.advance(timedelta(seconds=GIVE_UP_S + 1).total_seconds())

    assert house.attempt() == Rejected("1 of 1 could not be told that it is over")


def test_trouble_with_the_book_is_tried_again():
    house = House((MOTHER, 1, GuardianState.TEXTED))
    house.book.error = Unavailable("no book")

    assert house.attempt() == Retry("no book")


def test_without_a_way_to_text_there_is_nothing_to_do():
    assert House((MOTHER, 1, GuardianState.CALLING), texts=False).attempt() == Delivered(
        "there is no way to text"
    )


def test_a_delivery_without_an_errand_is_refused():
    assert isinstance(House().attempt(None), Rejected)
