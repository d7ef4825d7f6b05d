"""Who is deleted is taken out of their incidents too: closed ones at once, others when 112 has been told that they are."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, select, update

from telephony.domain.delivery import PENDING
from telephony.domain.facts import CALLER, Fact, FactKind, GuardianState
from telephony.domain.people.person import Device
from telephony.domain.people.person_fact import person_fact
from telephony.domain.values import Msisdn
from telephony.store.engines import open_engines
from telephony.store.fact_rows import FactRow, fact_of, from_data, to_data
from telephony.store.people import Registry
from telephony.store.people_erasing import fold_back
from telephony.store.retention.runs import Read, Write, forget
from telephony.store.retention.withdrawn import WithdrawnFacts
from telephony.store.schema import delivery, fact, incident, metadata, withdrawn
from telephony.store.sealing import keys_of
from tests.doubles import NOON, keys, press, without_fsync
from tests.store.ledger import Ledger, call_fact
from tests.store.people_drafts import pupil

KIM, SECOND, LEE = "821012345678", "821055550000", "821022222222"
SECRETS = ("김하늘0", "어머니", "8210*****01", "천식", "mostly at school", "학교 뒤에 있어요")
HOUR = timedelta(hours=1)


class Record:
    """Incidents of a registered person by two phones, and of somebody else, each with facts about people."""

    def __init__(self, engine: Engine) -> None:
        self.ledger = Ledger(engine)
        self.registry = Registry(keys)
        devices = (Device(Msisdn(KIM), "skt"), Device(Msisdn(SECOND), "skt", "u-relief"))
        self.ledger.transact(self.registry.enrol, [pupil(devices=devices)], NOON)
        for caller in (KIM, SECOND, LEE):
            self.ledger.record(press(caller))
            person = self.ledger.transact(self.registry.find, Msisdn(KIM))
            turn = {"phone": "8210*****01", "relation": "어머니", "round": "1", "by": "sms"}
            self.ledger.tell(
                person_fact(person, Msisdn(caller), NOON),
                from_data(FactKind.SCORE, CALLER, NOON, {"score": "80", "reasons": "mostly at school"}),
                from_data(FactKind.GUARDIAN, "1", NOON, {"state": GuardianState.CONFIRMED, **turn}),
                from_data(
                    FactKind.GUARDIAN,
                    "1.1",
                    NOON,
                    {"state": GuardianState.WORDS, "words": "학교 뒤에 있어요", **turn},
                ),
                call_fact(),
                incident_id=f"sos-{caller}",
            )

    def close(self, caller: str, *, owes: bool = False) -> None:
        self.ledger.close(f"sos-{caller}")
        if not owes:
            self.acknowledge(caller)

    def acknowledge(self, caller: str) -> None:
        key = self.ledger.key_of(caller)
        of_this = (delivery.c.incident_key == key, delivery.c.state == PENDING)
        self.ledger.transact(
            lambda connection: connection.execute(update(delivery).where(*of_this).values(state="delivered"))
        )

    def withdraw(self) -> None:
        assert self.ledger.transact(self.registry.delete, Msisdn(KIM))

    def facts(self, caller: str) -> list[Fact]:
        def read(connection):
            wanted = (
                select(fact).where(fact.c.incident_key == self.ledger.key_of(caller)).order_by(fact.c.number)
            )
            rows = connection.execute(wanted).all()
            return [fact_of(keys_of(connection), FactRow(*row)) for row in rows]

        found: list[Fact] = self.ledger.transact(read)
        return found

    def says(self, caller: str) -> str:
        return " ".join(text for each in self.facts(caller) for text in to_data(each).values())

    def run(self, now) -> int:
        """One run of the retention."""
        run, result = forget(WithdrawnFacts(), now), None
        try:
            while True:
                step = run.send(result)
                result = self.ledger.transact(step.work) if isinstance(step, Read | Write) else None
        except StopIteration as end:
            return end.value.deleted

    def survey(self, now):
        return self.ledger.transact(WithdrawnFacts().survey, now, HOUR)

    def marked(self) -> int:
        return len(self.ledger.transact(lambda connection: connection.execute(select(withdrawn)).all()))


@pytest.fixture
def record(engines: tuple[Engine, Engine]) -> Record:
    return Record(engines[0])


def test_closed_incidents_of_all_their_phones_lose_the_person_at_once_and_nobody_elses(record: Record):
    record.close(KIM)
    record.close(SECOND)
    record.close(LEE)
    assert all(secret in record.says(KIM) for secret in SECRETS)

    record.withdraw()

    for caller in (KIM, SECOND):
        assert not any(secret in record.says(caller) for secret in SECRETS)
        assert [dict(to_data(each)) for each in record.facts(caller)[:4]] == [
            {"registered": "withdrawn"},
            {},
            {"state": GuardianState.CONFIRMED, "round": "1", "by": "sms"},
            {"state": GuardianState.WORDS, "round": "1", "by": "sms"},
        ]
        assert record.facts(caller)[4] == call_fact(), "the emergency stays on record"
    assert all(secret in record.says(LEE) for secret in SECRETS)


def test_an_open_incident_keeps_what_112_needs_until_it_is_closed_and_112_has_heard_so(record: Record):
    record.withdraw()
    assert record.run(NOON + 9 * HOUR) == 0
    assert all(secret in record.says(KIM) for secret in SECRETS)

    record.close(KIM, owes=True)
    assert record.run(NOON + 9 * HOUR) == 0
    assert (record.survey(NOON + 9 * HOUR).held, record.survey(NOON + 9 * HOUR).overdue) == (1, 0)
    assert all(secret in record.says(KIM) for secret in SECRETS)

    record.acknowledge(KIM)
    assert record.survey(NOON + 9 * HOUR).late == 1
    assert record.run(NOON + 9 * HOUR) == 1

    assert not any(secret in record.says(KIM) for secret in SECRETS)
    assert all(secret in record.says(SECOND) for secret in SECRETS), "it is open"
    assert record.marked() == 1


def test_what_guardians_said_just_after_a_withdrawal_goes_with_the_next_run(record: Record):
    record.close(KIM)
    record.close(SECOND)
    record.withdraw()
    record.ledger.tell(from_data(FactKind.GUARDIAN, "2", NOON, {"state": "released", "relation": "어머니"}))

    assert record.run(NOON + HOUR / 2) == 0
    assert record.run(NOON + 2 * HOUR) == 2

    assert "어머니" not in record.says(KIM)
    assert record.marked() == 0


def test_a_mark_goes_with_an_incident_that_is_deleted(record: Record):
    record.withdraw()
    record.ledger.transact(
        lambda connection: [connection.execute(table.delete()) for table in (fact, delivery, incident)]
    )

    assert record.run(NOON) == 2
    assert record.marked() == 0


def test_nothing_of_it_is_left_in_the_file(tmp_path):
    writing, _ = open_engines(f"sqlite:///{tmp_path}/store.sqlite", keys)
    without_fsync(writing)
    metadata.create_all(writing)
    record = Record(writing)
    record.close(KIM)
    rows = [
        row for row in record.ledger.bare_rows("fact") if row["incident_key"] == record.ledger.key_of(KIM)
    ]
    marks = [bytes(row["sealed"]) for row in rows if row["kind"] != "call"]
    stays = [bytes(row["sealed"]) for row in rows if row["kind"] == "call"]

    record.withdraw()

    with writing.connect() as connection:
        assert fold_back(connection)
    octets = b"".join(path.read_bytes() for path in tmp_path.glob("store.sqlite*"))
    assert not any(mark in octets for mark in marks)
    assert all(mark in octets for mark in stays), "the search finds what is there"
    writing.dispose()
