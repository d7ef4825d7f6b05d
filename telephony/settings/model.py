"""The tables of the settings file. Those of the protocols are declared beside the code that obeys them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, model_validator
from sqlalchemy import make_url

from telephony.asterisk.settings import AsteriskServer, CarrierTrunk, ServiceMenu, Voice
from telephony.domain.plan import Plan, ReportRoute
from telephony.domain.recognition import Recognition
from telephony.doors.settings import Web
from telephony.fields import Name, Says, Seconds, Secret, Table
from telephony.journal.bounds import Bounds
from telephony.logs import LogSettings
from telephony.plugins import LinkSettings, LocatorSettings, PeerSettings
from telephony.psap.settings import Psap, VoiceChannel
from telephony.services.keeping.disk import MIB, DiskLimits
from telephony.settings.guardians import Guardians
from telephony.smpp.settings import Dialect, Server, Sms
from telephony.store.bounds import hosts_of
from telephony.ussd.settings import CarrierUssd, Ussd

Hours = Annotated[float, Field(gt=0, le=8_760)]
Days = Annotated[float, Field(gt=0, le=36_500)]
Destination = Annotated[
    str,
    Field(pattern=r"^[+*#0-9]{1,24}$"),
    Says("a number in quotes: digits, *, # and +, 24 at most"),
]
"""A number as the carrier sends it: digits, also ``*``, ``#`` and a leading ``+``."""
UssdCode = Annotated[
    str,
    Field(pattern=r"^[*#]{1,2}[0-9]{1,20}(\*[0-9]{1,20})*#$"),
    Says("a code as it is dialled, in quotes: *, digits, #"),
]
"""A code as it is dialled (3GPP TS 22.030 clause 6.5.2)."""


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("is no timezone that is known here") from error
    return name


Timezone = Annotated[str, AfterValidator(_known_zone), Says("the name of a timezone in quotes: Asia/Seoul")]
Word = Annotated[str, Field(min_length=1, max_length=160)]

STORE_FILE = "onetouch.sqlite"
KEY_FILE = "data.keys"
ANCHOR_FILE = "audit.anchors"


class Service(Table):
    """The service's name, place and clock."""

    name: Name = "onetouch"
    country_code: Annotated[
        str,
        Field(pattern=r"^[1-9][0-9]{0,2}$"),
        Says("one to three digits in quotes, without plus or zeros in front"),
    ] = "82"
    """ITU-T E.164 country code, added to national numbers."""
    trunk_prefix: Annotated[str, Field(pattern=r"^[0-9]{0,2}$"), Says("up to two digits in quotes")] = "0"
    """What is dialled before a national number; dropped when the country code is added."""
    language: Literal["ko", "en"] = "ko"
    timezone: Timezone = "Asia/Seoul"
    """IANA name: the clock that people and 112 read, and that incidents are named by."""
    state_dir: Path = Path("/var/lib/onetouch")
    """Where the daemon keeps its own files. A relative path starts at the working directory."""

    @property
    def zone(self) -> ZoneInfo:
        """The clock that people read."""
        return ZoneInfo(self.timezone)

    @property
    def utc_offset(self) -> timedelta:
        """How far standard time is ahead of UTC: calls are named by it, summer and winter (SOS_UTC_OFFSET of the dialplan)."""
        year = datetime.now(UTC).year
        offsets = [datetime(year, month, 1, tzinfo=self.zone).utcoffset() for month in (1, 7)]
        return min(offset for offset in offsets if offset is not None)


class KeyHsm(Table):
    """An HSM whose key wraps the key file, over PKCS#11: ``[store.key_hsm]``."""

    module: Path
    """The vendor's PKCS#11 module, a shared library."""
    token: Annotated[str, Field(min_length=1, max_length=32)]
    """The label of the token (CK_TOKEN_INFO, at most 32 octets)."""
    pin: Secret
    key: Annotated[str, Field(min_length=1, max_length=64)] = "onetouch"
    """The label of the wrapping key."""
    timeout_s: Annotated[float, Field(ge=0.5, le=60)] = 10.0
    """How long one question may take."""


class AckAfter(StrEnum):
    """What a press must be in before its sender is answered."""

    JOURNAL = "journal"
    STORE = "store"


class Store(Table):
    """Where presses, people and all that is owed are kept."""

    url: str | None = None
    """``sqlite:////absolute/path`` or ``postgresql+psycopg://user@host/database``; unset: SQLite in ``state_dir``."""
    password: Secret | None = None
    """Password of the PostgreSQL user; never part of ``url``."""
    commit_budget_s: Seconds = 2.0
    """A press that is not on disk by then goes to 112 directly, and the carrier is told to retry."""
    look_every_s: Seconds = 3600.0
    """Between two looks through the whole SQLite file for damage; the first is 10 s after the start, or so long after it."""
    key_file: Path | None = None
    """The keys that people's data are encrypted under; unset: ``data.keys`` in ``state_dir``."""
    key_hsm: KeyHsm | None = None


class JournalSettings(Table):
    """Where a press is durable first: ``[journal]``, files in ``state_dir/journal``."""

    ack_after: AckAfter = AckAfter.JOURNAL
    """``journal``: a sender is answered once its press is in the journal; ``store``: there is none, and the store is waited for."""
    largest_mib: Annotated[int, Field(ge=16, le=1024)] = 64
    """All its files together: some 2,000 presses a MiB that wait while the store is away."""
    budget_s: Annotated[float, Field(gt=0, le=2.0)] = 0.5
    """A press that is not in the journal by then goes to the store."""

    @property
    def bounds(self) -> Bounds:
        """The same as the journal takes it."""
        return Bounds(self.largest_mib * MIB, self.budget_s)


class People(Table):
    """Those who sign up, and what the law says of them."""

    join: bool = True
    """112 is told who presses, or that the number is not registered, after the first report."""
    adult_age: Annotated[int, Field(ge=14, le=25)] = 19
    """Years; below it a guardian agrees, and that agreement ends on this birthday (Korean Civil Act, article 4)."""


class RecognitionTables(Table):
    """The destinations and words that make a press, and those that make a drill."""

    sos_numbers: Annotated[tuple[Destination, ...], Field(min_length=1)]
    test_numbers: tuple[Destination, ...] = ()
    test_words: tuple[Word, ...] = ()
    ussd_codes: tuple[UssdCode, ...] = ()
    """Codes that are a press when they are dialled: ``*112#``."""
    service_numbers: tuple[Destination, ...] = ()
    """Numbers and USSD codes that are used in calm, for the menu and for keywords: no press."""
    sos_words: tuple[Word, ...] = ("살려주", "살려줘", "도와주세요", "sos")
    """Words by which a text to a service number is a press all the same."""


class CarrierRecognition(Table):
    """The exceptions of one carrier; a key that is not set keeps the general table."""

    sos_numbers: Annotated[tuple[Destination, ...], Field(min_length=1)] | None = None
    test_numbers: tuple[Destination, ...] | None = None
    test_words: tuple[Word, ...] | None = None
    ussd_codes: tuple[UssdCode, ...] | None = None


class IncidentRules(Table):
    """When an incident that was not closed is over."""

    quiet_close_h: Hours = 24.0
    """Hours without a press, a report or an action of the centre."""


class Enrolment(Table):
    """Signing up by SMS and USSD: ``[enrolment]``. It works over the service numbers."""

    reply_h: Annotated[float, Field(gt=0, le=720)] = 72.0
    """How long a reply is waited for; then nothing has happened."""
    texts_per_day: Annotated[int, Field(ge=1, le=1_000)] = 20
    """The most that we send to one phone in 24 hours on somebody's asking."""
    opens_to: tuple[Annotated[str, Field(max_length=40)], ...] = ()
    """Cohorts that may sign up by themselves; empty: everybody."""


class Scoring(Table):
    """The label beside each press: ``[scoring]``. It never delays or drops anything."""

    on: bool = True
    tell_from: Annotated[int, Field(ge=0, le=100)] = 60
    """From this likelihood of an accident on, the label alone is worth an update; below it goes with the next one."""
    nearby_m: Annotated[float, Field(ge=10, le=50_000)] = 500.0
    nearby_min: Annotated[float, Field(ge=1, le=1_440)] = 15.0
    """Presses of other phones within this distance and time make an accident unlikely."""


LONGEST_AFTER_CONSENT_KR_DAYS = 5.0
"""Personal data whose purpose is over are destroyed within five days (Standard Guideline on Personal Information, 10)."""
SHORTEST_AUDIT_KR_DAYS = 730.0
"""Access records are kept two years where sensitive data are handled (Standard of Safety Measures, 8)."""


class Retention(Table):
    """How long each kind of data is kept: ``[retention]``. Days after which it is deleted."""

    profile: Literal["none", "kr"] = "none"
    """``kr``: the law of Korea. Positions go when an incident is closed, and other periods are held to what it says."""
    incident_days: Days = 365.0
    """A closed incident with its presses, facts, calls and reports."""
    position_days: Days = 30.0
    """Positions of a closed incident; the incident itself stays."""
    text_days: Days = 90.0
    """What a caller wrote, and the undecoded octets of it, after the incident is closed."""
    history_days: Days = 180.0
    """Earlier presses, drills and false alarms by which a press is scored."""
    locating_days: Annotated[float, Field(ge=184, le=36_500)] = 365.0
    """The record of each locating, without the place: six months at least."""
    recording_days: Days = 92.0
    """A recording, from the end of its call on: three months."""
    consent_ended_days: Days = 30.0
    """A person whose consent was outgrown and not given again."""
    audit_days: Days = 1_095.0
    """Entries of the audit chain."""
    every_h: Annotated[float, Field(gt=0, le=168)] = 1.0
    """Pause between two runs of the job."""

    @property
    def deletes_positions_at_closing(self) -> bool:
        """Whether positions go as soon as 112 has acknowledged that an incident is closed."""
        return self.profile == "kr"

    @model_validator(mode="before")
    @classmethod
    def _with_defaults_of_the_profile(cls, stated: object) -> object:
        if isinstance(stated, dict) and stated.get("profile") == "kr":
            return {"consent_ended_days": LONGEST_AFTER_CONSENT_KR_DAYS, **stated}
        return stated

    @model_validator(mode="after")
    def _keeps_to_the_profile(self) -> Self:
        if self.profile != "kr":
            return self
        if "position_days" in self.model_fields_set:
            raise ValueError(
                'profile "kr" deletes positions when an incident is closed: take position_days out'
            )
        if self.consent_ended_days > LONGEST_AFTER_CONSENT_KR_DAYS:
            raise ValueError(
                f'profile "kr" keeps no person longer than {LONGEST_AFTER_CONSENT_KR_DAYS:g} days after their consent'
                " ended: lower consent_ended_days, or take it out"
            )
        if self.audit_days < SHORTEST_AUDIT_KR_DAYS:
            raise ValueError(
                f'profile "kr" keeps the audit chain for {SHORTEST_AUDIT_KR_DAYS:g} days at least: raise audit_days'
            )
        return self


class Audit(Table):
    """What a look at personal data takes: ``[audit]``."""

    syslog: str = "/dev/log"
    """The socket of the system log, which is told of each entry before anything is shown; empty: none."""
    anchor_file: Path | None = None
    """A file that is told the same, on this machine or on another's; unset: ``audit.anchors`` in ``state_dir``."""
    unanchored: Literal["refuse", "show"] = "refuse"
    """What a command does where neither of them takes the entry."""
    second_person: bool = False
    """An export of people and a change of keys need the approval of a second account."""


class Locating(Table):
    """How long and how often a phone is looked for."""

    interval_s: Annotated[float, Field(ge=5, le=3_600)] = 30.0
    """Pause between two requests while the incident is open."""
    max_h: Hours = 12.0
    """Requests stop after this time, even when the incident is still open."""
    last_known_max_age_h: Hours = 24.0
    """A fix of an earlier incident is offered as last known up to this age."""


class Relay(Table):
    """How the outbox is emptied."""

    poll_s: Annotated[float, Field(gt=0, le=60)] = 1.0
    """Pause between two looks at an idle outbox; new deliveries are announced without waiting for it."""


class Disk(Table):
    """Room on the volumes of ``state_dir`` and of the log file: ``[disk]``. On a small volume each bound is less."""

    low_mib: Annotated[int, Field(ge=0, le=1_000_000)] = 1_024
    """MiB, at most a quarter of the volume: below it an operator hears of it."""
    low_inodes: Annotated[int, Field(ge=0, le=1_000_000_000)] = 1_000
    """Files that can still be made, at most a quarter of the volume's."""
    reserve_mib: Annotated[int, Field(ge=0, le=100_000)] = 16
    """MiB, at most an eighth of the volume, that are kept for presses and freed when the disk is full. 0: none."""

    @property
    def limits(self) -> DiskLimits:
        """The same in octets."""
        return DiskLimits(self.low_mib * MIB, self.low_inodes, self.reserve_mib * MIB)


class Carrier(Table):
    """One mobile carrier: its links, its location service and its ways."""

    name: Name
    mcc: Annotated[str, Field(pattern=r"^[0-9]{3}$"), Says("three digits in quotes")] = "450"
    mncs: tuple[
        Annotated[str, Field(pattern=r"^[0-9]{2,3}$"), Says("two or three digits in quotes")], ...
    ] = ()
    recognition: CarrierRecognition = CarrierRecognition()
    dialect: Dialect = Dialect()
    ussd: CarrierUssd = CarrierUssd()
    smpp: tuple[LinkSettings, ...] = ()
    peer: tuple[PeerSettings, ...] = ()
    trunk: tuple[CarrierTrunk, ...] = ()
    lbs: LocatorSettings | None = None


class Settings(Table):
    """The whole of the settings, checked."""

    include: tuple[str, ...] = ()
    service: Service = Service()
    store: Store = Store()
    journal: JournalSettings = JournalSettings()
    people: People = People()
    recognition: RecognitionTables
    incident: IncidentRules = IncidentRules()
    locating: Locating = Locating()
    relay: Relay = Relay()
    log: LogSettings = LogSettings()
    disk: Disk = Disk()
    ussd: Ussd = Ussd()
    smpp_server: Server | None = None
    asterisk: tuple[AsteriskServer, ...] = ()
    voice: Voice = Voice()
    service_menu: ServiceMenu | None = None
    guardians: Guardians = Guardians()
    sms: Sms | None = None
    enrolment: Enrolment = Enrolment()
    scoring: Scoring = Scoring()
    retention: Retention = Retention()
    audit: Audit = Audit()
    web: Web | None = None
    carrier: Annotated[tuple[Carrier, ...], Field(min_length=1)]
    psap: Annotated[tuple[Psap, ...], Field(min_length=1)]

    def recognition_for(self, carrier: str) -> Recognition:
        """Return the numbers and words of a carrier by its name; the general ones for a name not listed."""
        general = self.recognition
        own = next((each.recognition for each in self.carrier if each.name == carrier), CarrierRecognition())
        return Recognition(
            sos_numbers=frozenset(general.sos_numbers if own.sos_numbers is None else own.sos_numbers),
            test_numbers=frozenset(general.test_numbers if own.test_numbers is None else own.test_numbers),
            test_words=frozenset(general.test_words if own.test_words is None else own.test_words),
            country_code=self.service.country_code,
            trunk_prefix=self.service.trunk_prefix,
            ussd_codes=frozenset(general.ussd_codes if own.ussd_codes is None else own.ussd_codes),
            service_numbers=frozenset(general.service_numbers),
            sos_words=frozenset(general.sos_words),
        )

    @property
    def plan(self) -> Plan:
        """The plan of who is told: each carrier's centre, and for all others the centre that lists none.

        Without such a centre the first one: an incident in the store may belong to a carrier that is no longer
        in the settings, and it still has to end somewhere.
        """
        routes = {
            centre.name: tuple(
                ReportRoute(each.name, each.after_s, alerts_only=isinstance(each, VoiceChannel))
                for each in centre.channel
            )
            for centre in self.psap
        }
        elsewhere = next((centre for centre in self.psap if not centre.carriers), self.psap[0])
        by_carrier = {carrier: routes[centre.name] for centre in self.psap for carrier in centre.carriers}
        return Plan(
            everywhere_else=routes[elsewhere.name],
            by_carrier=by_carrier,
            tells_guardians=self.tells_guardians,
            can_call=bool(self.asterisk),
            answers_tests=self.sms is not None,
            # The guardians are known once the person is.
            joins_people=self.people.join or self.scoring.on or self.tells_guardians,
        )

    @property
    def far_hosts(self) -> tuple[str, ...]:
        """The hosts that we connect to, names and addresses: those of 112 first."""
        urls = [channel.url for centre in self.psap for channel in centre.data_channels]
        urls += [carrier.lbs.url for carrier in self.carrier if carrier.lbs is not None]
        links = [link.host for carrier in self.carrier for link in carrier.smpp]
        links += [server.host for server in self.asterisk]
        stores = () if self.store.url is None else hosts_of(self.store.url)
        return (*((url.host or "").strip("[]") for url in urls), *links, *stores)

    @property
    def tells_guardians(self) -> bool:
        """Whether there is a way to tell a guardian: a number that we text from, or a line to call by."""
        ways = self.guardians.by
        return ("sms" in ways and self.sms is not None) or ("call" in ways and bool(self.asterisk))

    @property
    def database_url(self) -> str:
        """The store's SQLAlchemy URL, with its password: for the engine alone, never for a log.

        Raises `LookupError` when the password's place has gone since the settings were loaded.
        """
        if self.store.url is None:
            return f"sqlite:///{self.service.state_dir / STORE_FILE}"
        url = make_url(self.store.url)
        if self.store.password is not None:
            url = url.set(password=self.store.password.read())
        return url.render_as_string(hide_password=False)

    @property
    def anchor_file(self) -> Path:
        """Where entries of the audit chain are named."""
        return self.audit.anchor_file or self.service.state_dir / ANCHOR_FILE

    @property
    def key_file(self) -> Path:
        """Where the keys of people's data are."""
        return self.store.key_file or self.service.state_dir / KEY_FILE
