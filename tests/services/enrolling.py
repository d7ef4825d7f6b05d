"""An enrolment desk over a real store, with a texter that keeps what it was given, and the codes read from its texts."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from twisted.internet import task
from twisted.internet.defer import succeed

from telephony.clock import utc_now
from telephony.domain.errors import Refused, Unavailable
from telephony.domain.incident import Join, Receipt
from telephony.domain.people.draft import EnrolmentRules
from telephony.domain.text_message import OnState, TextMessage
from telephony.domain.trigger import Trigger
from telephony.domain.values import Msisdn
from telephony.services.people.desk import Asking, EnrolmentDesk
from telephony.services.people.languages import Languages
from telephony.services.people.replies import Answers
from telephony.store.audit import entries
from telephony.store.awaited import awaited_from
from telephony.store.engines import one_transaction
from telephony.store.enrolment_steps import Enrolling
from telephony.store.people import Registry
from tests.awaiting import result_of
from tests.doubles import NOON, Inline, database, keys

CHILD = Msisdn("821011110001")
ADULT = Msisdn("821011110002")
MOTHER = Msisdn("821099990001")
FATHER = Msisdn("821099990002")
STRANGER = Msisdn("821066660001")

CHILD_BORN = "20150302"
ADULT_BORN = "1990-03-02"


class Texts:
    """A texter that takes everything, until `refuse` or `fail`."""

    is_ready = True

    def __init__(self) -> None:
        self.sent: list[TextMessage] = []
        self.error: Exception | None = None

    async def send(self, message: TextMessage, on_state: OnState | None = None) -> str:
        if self.error is not None:
            raise self.error
        self.sent.append(message)
        return "skt-1"

    def fail(self) -> None:
        self.error = Unavailable("no bind")

    def refuse(self) -> None:
        self.error = Refused("silence holds")

    def to(self, phone: Msisdn) -> list[str]:
        return [message.text for message in self.sent if message.to == phone]


class Presses:
    """Takes presses as Intake does."""

    def __init__(self) -> None:
        self.taken: list[Trigger] = []
        self.is_down = False

    def __call__(self, triggers: Sequence[Trigger]):
        self.taken += triggers
        answer = Unavailable("store") if self.is_down else Receipt("20261123-0001", Join.FIRST)
        return succeed([answer for _ in triggers])


class Office:
    """The desk and everything around it."""

    def __init__(self, engines, *, texts_per_day=20, opens_to=(), reply_s=72 * 3600.0, seed=7):
        self.writing = engines[0]
        self.clock = task.Clock()
        self.clock.advance(NOON.timestamp())
        self.runner = Inline()
        self.database = database(*engines, runner=self.runner)
        self.registry = Registry(keys)
        self.texts = Texts()
        self.presses = Presses()
        self.answers = Answers(self.texts, texts_per_day=texts_per_day, clock=self.clock)
        self.languages = Languages(self.database, self.registry)
        self.desk = EnrolmentDesk(
            self.database,
            Enrolling(self.registry),
            self.answers,
            rules=EnrolmentRules(carriers=frozenset({"skt", "kt"}), opens_to=frozenset(opens_to)),
            reply_s=reply_s,
            accept_all=self.presses,
            rng=random.Random(seed),
            clock=self.clock,
        )

    def asking(self, phone: Msisdn, by="sms", language="ko", carrier="skt") -> Asking:
        return Asking(phone, carrier, language, by, "skt-1", "ref", NOON)

    def person(self, phone: Msisdn):
        with self.writing.connect() as connection, one_transaction(connection):
            return self.registry.find(connection, phone)

    def audit(self) -> list[tuple[str, str, str]]:
        with self.writing.connect() as connection, one_transaction(connection):
            return [(each.looked.who, each.looked.what, each.looked.why) for each in entries(connection)]

    def waiting_of(self, phone: Msisdn):
        with self.writing.connect() as connection, one_transaction(connection):
            return awaited_from(connection, phone, now=utc_now(self.clock), is_unsent_too=True)

    # What people do.

    def register(self, phone, name="홍길동", birth=ADULT_BORN, guardian="", **how) -> str:
        return self.text_of(self.desk.register(self.asking(phone, **how), name, birth, guardian), phone)

    def text_of(self, asked, phone: Msisdn) -> str:
        """Return what the person reads: the answer, or the question that was texted."""
        return result_of(asked) or self.texts.to(phone)[-1]

    def reply(self, phone, words, **how) -> str | None:
        return result_of(self.desk.reply(self.asking(phone, **how), words))

    def signed_up(self, phone=ADULT, **facts) -> None:
        """Have an adult signed up, by whatever way is the shortest."""
        self.register(phone, by="ussd", **facts)
        assert self.person(phone) is not None

    def child_signed_up(self) -> None:
        self.register(CHILD, birth=CHILD_BORN, guardian=f"{MOTHER.international} 엄마", by="ussd")
        self.reply(MOTHER, f"동의 {code_in(self.texts.to(MOTHER)[-1])} 어머니 성인")
        assert self.person(CHILD) is not None


def code_in(text: str) -> str:
    """Return the six digits that a text asks to be sent back, and none of those by which it tells a number."""
    found = re.findall(r"(?:동의|답장:?|[Rr]eply|AGREE|맞으면|물으려면) ([0-9]{6})", text)
    assert found, text
    return found[0]
