"""People: who presses, their guardians, drills, and the desk at which they sign up by phone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Final

from telephony.assembly.part import Ground, Part
from telephony.assembly.store import StorePart
from telephony.assembly.voice import Telephones
from telephony.clock import utc_now
from telephony.domain.delivery import GUARDIANS, GUARDIANS_RELEASED, PERSON, TEST_RESULT
from telephony.domain.people.draft import EnrolmentRules
from telephony.domain.ports import AcceptAll
from telephony.services.guardians import ways as guardian_ways
from telephony.services.guardians.book import RegistryGuardians
from telephony.services.guardians.record import GuardianRecord
from telephony.services.guardians.release import GuardianReleaseChannel
from telephony.services.guardians.replies import GuardianReplies
from telephony.services.guardians.rounds import GuardianChannel
from telephony.services.guardians.ways import GuardianWays
from telephony.services.people.desk import EnrolmentDesk
from telephony.services.people.drills import DrillChannel
from telephony.services.people.languages import Languages
from telephony.services.people.reminders import Reminders
from telephony.services.people.replies import Answers
from telephony.services.people.service_texts import ServiceTexts
from telephony.services.silence import SilenceGuard
from telephony.services.spine.traffic import Lane
from telephony.services.weighing import Scales, ScoringRules
from telephony.services.who_presses import Joining, PersonChannel
from telephony.settings import Carrier
from telephony.smpp.texting import BindTexter
from telephony.store.enrolment_steps import Enrolling
from telephony.store.who_presses import who_has

GUARDIANS_AT_ONCE: Final = 20
"""Lines that guardians may take at a time; calls for help and 112's own come by other endpoints."""
RELEASING_TIMEOUT_S: Final = 330.0
"""Of ten guardians each may take as long as every carrier together may for one text."""
DRILLS_AT_ONCE: Final = 8
DRILL_TIMEOUT_S: Final = 120.0
"""Of one result: it may be offered to one carrier after the other."""
JOINING_AT_ONCE: Final = 8
JOINING_TIMEOUT_S: Final = 15.0
"""Reading and writing of one errand; the look-up has a bound of its own."""


class PeoplePart(Part):
    """The work about people beside a press, in lanes behind the reports."""

    def __init__(
        self,
        ground: Ground,
        store: StorePart,
        silence: SilenceGuard,
        texter: BindTexter | None,
        telephones: Telephones,
    ) -> None:
        super().__init__()
        self._ground = ground
        self._settings = settings = ground.settings
        self._store = store
        self._silence = silence
        self._texter = texter
        self._telephones = telephones
        clock = ground.clock
        self.languages = Languages(store.database, store.registry)
        self.answers = Answers(texter, texts_per_day=settings.enrolment.texts_per_day, clock=clock)
        self.guardian_record = GuardianRecord(store.outbox, clock=clock)
        self._listed = settings.guardians.book(
            country_code=settings.service.country_code, trunk_prefix=settings.service.trunk_prefix
        )

    def lanes(self) -> Sequence[Lane]:
        """Return the lanes that the settings want."""
        plan = self._settings.plan
        return [
            *([self._joining_lane()] if plan.joins_people else []),
            *(self._guardian_lanes() if plan.tells_guardians else []),
            *([self._drill_lane()] if plan.answers_tests else []),
        ]

    def _joining_lane(self) -> Lane:
        """Return the lane of the errand that looks up who presses."""
        settings, clock, database = self._settings, self._ground.clock, self._store.database
        scoring = settings.scoring
        scales = None
        if scoring.on:
            rules = ScoringRules(
                scoring.tell_from,
                scoring.nearby_m,
                timedelta(minutes=scoring.nearby_min),
                timedelta(days=settings.retention.history_days),
            )
            scales = Scales(database, rules, zone=self._settings.service.zone, clock=clock)
        channel = PersonChannel(
            partial(database.read_on, self._store.people_reader, who_has, self._store.registry),
            self._store.outbox,
            Joining(tells=settings.people.join, scales=scales),
            listed=self._listed,
            clock=clock,
            alarms=self._ground.alarms,
        )
        return Lane(PERSON, channel, JOINING_AT_ONCE, JOINING_TIMEOUT_S, rank=2)

    def _guardian_lanes(self) -> list[Lane]:
        """Return the lanes that tell guardians, and that tell them when it is over."""
        guardians, clock = self._settings.guardians, self._ground.clock
        texter = self._texter if "sms" in guardians.by else None
        book = RegistryGuardians(self._store.database, self._store.registry, self._listed)
        may_reach = self._silence.may_reach
        ways = GuardianWays(
            texter,
            self._telephones.guardian_calls(may_reach),
            may_reach=may_reach,
            record=self.guardian_record,
            confirm_digit=guardians.confirm_digit,
            zone=self._settings.service.zone,
            clock=clock,
        )
        telling = GuardianChannel(
            book,
            ways,
            self.guardian_record,
            rounds=guardians.rounds,
            pause_s=guardians.pause_s,
            reply_s=guardians.reply_s,
        )
        releasing = GuardianReleaseChannel(
            book,
            texter,
            self.guardian_record,
            may_reach=may_reach,
            zone=self._settings.service.zone,
            clock=clock,
        )
        telling_s = guardian_ways.TEXT_S + self._telephones.guardian_call_s
        return [
            Lane(GUARDIANS, telling, GUARDIANS_AT_ONCE, telling_s, rank=3),
            Lane(GUARDIANS_RELEASED, releasing, GUARDIANS_AT_ONCE, RELEASING_TIMEOUT_S, rank=3),
        ]

    def _drill_lane(self) -> Lane:
        """Return the lane that answers those who tried the key in calm."""
        settings = self._settings
        channel = DrillChannel(
            self._store.outbox,
            self.answers,
            language_of=self.languages.of,
            language=settings.service.language,
            clock=self._ground.clock,
            alarms=self._ground.alarms,
            remembers=settings.scoring.on,
        )
        return Lane(TEST_RESULT, channel, DRILLS_AT_ONCE, DRILL_TIMEOUT_S, rank=3)


class DesksPart(Part):
    """The desks at which people sign up by phone. A text may be a press after all: that goes to ``accept_all``."""

    def __init__(
        self,
        ground: Ground,
        store: StorePart,
        people: PeoplePart,
        texter: BindTexter | None,
        accept_all: AcceptAll,
    ) -> None:
        super().__init__()
        settings, clock = ground.settings, ground.clock
        service, enrolment = settings.service, settings.enrolment
        rules = EnrolmentRules(
            service.country_code,
            service.trunk_prefix,
            service.language,
            _names(settings.carrier),
            utc_now(clock).date(),
            settings.people.adult_age,
            frozenset(enrolment.opens_to),
        )
        self.enrolment = EnrolmentDesk(
            store.database,
            Enrolling(store.registry),
            people.answers,
            rules=rules,
            reply_s=enrolment.reply_h * 3600,
            accept_all=accept_all,
            rng=ground.outside.rng,
            clock=clock,
        )
        self.texts: ServiceTexts | None = None
        """The reader of texts to the service numbers, where we can answer by text."""
        if texter is not None:
            self.texts = ServiceTexts(
                self.enrolment,
                people.answers,
                listeners=[GuardianReplies(people.guardian_record)],
                accept_all=accept_all,
                recognition_for=ground.recognitions.of,
                language_of=people.languages.of,
                language=service.language,
                clock=clock,
            )
            reply_s = enrolment.reply_h * 3600
            self.add(Reminders(store.database, store.registry, people.answers, reply_s=reply_s, clock=clock))

    def know(self, carriers: Sequence[Carrier]) -> None:
        """Keep of who signs up by which of these carriers it was."""
        self.enrolment.know(_names(carriers))


def _names(carriers: Sequence[Carrier]) -> frozenset[str]:
    return frozenset(carrier.name for carrier in carriers)
