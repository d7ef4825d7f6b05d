"""Spoken calls by a real Asterisk: a guardian and a 112 operator hear the prompts, and only a pressed digit confirms."""

from __future__ import annotations

import random
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from telephony.asterisk.ami.client import AmiClient
from telephony.asterisk.ami.packets import Packet
from telephony.asterisk.instance import Instance
from telephony.asterisk.settings import AsteriskServer
from telephony.asterisk.spoken.guardian_calls import SpokenGuardianCalls
from telephony.asterisk.spoken.outgoing import News, OutgoingCalls, dial_string, spoken_variables
from telephony.asterisk.spoken.voice_sender import Dialling, VoiceSender
from telephony.clock import within
from telephony.domain.delivery import GUARDIANS, Again, Delivered, Delivery, Errand, Outcome, Rejected, Retry
from telephony.domain.errors import Unavailable
from telephony.domain.facts import Fact
from telephony.domain.guardians.guardian import Guardian, ListedGuardians
from telephony.domain.guardians.spoken_call import CallOutcome, End, Standing
from telephony.domain.guardians.turns import Turn
from telephony.domain.silence import Output
from telephony.domain.values import Msisdn
from telephony.lab.phones.answerer import LabOperator
from telephony.lab.phones.exchange import NAME, SECRET, Surroundings
from telephony.lab.phones.rtp import SAMPLES, tone
from telephony.lab.phones.sip_agent import EndedBy
from telephony.lab.ports import free_port, free_ports, give_back
from telephony.services.guardians.rounds import GuardianChannel
from telephony.services.guardians.ways import GuardianWays
from telephony.services.spine.reporting import first_report
from telephony.store.fact_rows import to_data
from tests.doubles import NOON, press

ROOT = Path(__file__).resolve().parents[2]
CHILD = Msisdn("821012345678")
MOTHER = Guardian(Msisdn("821011112222"), "ko", "mother")
UNCLE = Guardian(Msisdn("821033334444"), "en")

CUT = slice(400, 880)
"""Of each prompt 60 ms are kept: the voice is real, a test need not hear it out."""
LAST_WORD_HZ, ASKED_HZ, KNOWN_HZ, OVER_HZ = 2_000, 800, 1_250, 1_450
TONES = {"key": LAST_WORD_HZ, "police-asked": ASKED_HZ, "police": KNOWN_HZ, "closed": OVER_HZ}
"""Prompts that are tones: a listener who hears the one that ends every message has heard everything."""
TONE_OCTETS = 1_600
RING_S = 2.0
LONGEST_S = 20.0
AUDIBLE_PACKETS = 15
"""A third of a second of speech."""


class Quiet:
    """An observer of links that needs to know nothing."""

    def __getattr__(self, _: str) -> Any:
        return lambda *_args, **_kwargs: None


class Exchange:
    """A private Asterisk with our dialplans and everything of ours that speaks, on the reactor of the tests."""

    def __init__(self, secret: Path) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="onetouch-spoken-"))
        self.guardian_port, self.centre_port = free_port(), free_port()
        ami, rtp = free_port(), free_ports(200)
        self._audio = rtp
        around = Surroundings(
            sip=free_port(),
            ami=ami,
            rtp=(rtp, rtp + 199),
            centres=(self.centre_port, 0, 0),
            guardians=self.guardian_port,
            agi=9,
            location_url="https://onetouch.example/v1/location",
            sounds=_cut_prompts(self.root / "sounds"),
            globals={"VOICE_TIMES": "2", "VOICE_WAIT": "0.5"},
        )
        self.instance = Instance(self.root / "asterisk", NAME, ROOT / "dialplans", around.files())
        secret.write_text(SECRET)
        self._ready: Deferred[None] = Deferred()
        self.client = AmiClient(
            AsteriskServer.model_validate({"name": NAME, "port": ami, "secret": {"file": secret}}),
            reactor=reactor,
            rng=random.Random(1),
            observer=Quiet(),
            on_event=self._heard,
            on_ready=self._became_ready,
            on_lost=lambda: self.calls.lost(NAME),
        )
        self.calls = OutgoingCalls(
            lambda: [self.client], owner="me", clock=reactor, rng=random.SystemRandom()
        )
        self._asterisk = subprocess.Popen(
            self.instance.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    async def open(self) -> None:
        """Be connected to an Asterisk that has booted."""
        self._ready = Deferred()
        self.client.startService()
        await within(self._ready, 120, reactor)

    async def close(self) -> None:
        await self.client.stopService()
        self._stop()

    def _stop(self) -> None:
        subprocess.run(self.instance.cli("core stop now"), capture_output=True, check=False, timeout=10)
        try:
            self._asterisk.wait(10)
        except subprocess.TimeoutExpired:
            self._asterisk.kill()
            self._asterisk.wait()
        shutil.rmtree(self.root)
        give_back(self._audio, 200)

    def _heard(self, packet: Packet) -> None:
        self.calls.heard(packet)

    def _became_ready(self) -> None:
        if not self._ready.called:
            self._ready.callback(None)


class Record:
    """What is known of the guardians, kept in memory."""

    def __init__(self) -> None:
        self.kept: list[Fact] = []
        self.stands = Standing.KNOWN

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    async def facts(self, _: str) -> Sequence[Fact]:
        return self.kept

    async def does_112_know(self, _: str) -> bool:
        return True

    async def standing(self, _: str) -> Standing:
        return self.stands

    def age_s(self, moment: datetime) -> float:
        return (self.now - moment).total_seconds()

    async def tell(self, _: str, turn: Turn, state: str, by: str = "") -> None:
        self.kept.append(turn.fact(state, self.now, by))


async def anybody(_phone: Msisdn, _output: Output) -> None:
    """No one is in danger but the child."""


class House:
    """A phone that rings for every guardian, an operator of 112, and the channel between them and us."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.phone = _far_end("guardian", exchange.guardian_port)
        self.operator = _far_end("112", exchange.centre_port)
        self.attempts = 0
        calls = SpokenGuardianCalls(
            exchange.calls,
            anybody,
            endpoint="guardian",
            ring_s=RING_S,
            confirm_digit="1",
            caller_id="0215881120",
        )
        self.record = record = Record()
        self._kept = record.kept
        ways = GuardianWays(
            None, calls, may_reach=anybody, record=record, confirm_digit="1", zone=UTC, clock=reactor
        )  # fmt: skip
        book = ListedGuardians({CHILD.number: [MOTHER, UNCLE]})
        self.channel = GuardianChannel(book, ways, record, rounds=1, pause_s=0.0, reply_s=0.0)

    @property
    def facts(self) -> list[tuple[str, str, str]]:
        """Place, state and round of each fact."""
        return [(fact.subject, to_data(fact)["state"], to_data(fact)["round"]) for fact in self._kept]

    def attempt(self) -> Deferred[Outcome]:
        """One claim of the relay."""
        self.attempts += 1
        errand = Errand(CHILD, "skt", NOON)
        delivery = Delivery(1, "sos-1", GUARDIANS, 0, GUARDIANS, {}, NOON, self.attempts, content=errand)
        return soon(Deferred.fromCoroutine(self.channel.deliver(delivery)))

    def call(self, *, talk_s: float = 30.0, news: News | None = None) -> Deferred[CallOutcome]:
        """A long one."""
        return Deferred.fromCoroutine(
            self.exchange.calls.call(
                dial_string(MOTHER.phone.international, "guardian"),
                "guardian",
                spoken_variables(["ko/guardian", "ko/police"] * 30, confirm_digit="1", over="ko/closed"),
                ring_s=RING_S,
                talk_s=talk_s,
                news=news,
            )
        )

    @property
    def dialled(self) -> list[str]:
        """The numbers for which the phone was asked to ring, in order."""
        return [invite.request.uri.partition("@")[0].removeprefix("sip:") for invite in self.phone.invites]

    async def listening(self, who: LabOperator | None = None, *, calls: int = 1, packets: int = 1) -> None:
        """Wait until somebody has picked up and heard some speech, in the first, second … call."""
        far_end = who or self.phone
        await soon(far_end.wait_for(lambda it: len(it.calls) == calls and it.newest.is_up))
        await soon(far_end.newest.hears(lambda ears: ears.loud >= packets))

    async def close(self) -> None:
        for far_end in (self.phone, self.operator):
            await far_end.close()


def press_and_listen_no_more(who: LabOperator, digit: str) -> None:
    """Press a key; Asterisk may hang up before it is quite released."""
    who.press(digit).addErrback(lambda failure: failure.trap(Unavailable))


def soon(waiting: Deferred[Any]) -> Deferred[Any]:
    return within(waiting, LONGEST_S, reactor)


def _far_end(name: str, port: int) -> LabOperator:
    far_end = LabOperator(
        reactor, random.Random(2), name=name, ring_s=0.1, lines=5, pitches=tuple(TONES.values())
    )
    far_end.listen(port=port)
    return far_end


def _sound(hz: int) -> bytes:
    period = tone(hz)[:-SAMPLES]
    return (period * (TONE_OCTETS // len(period) + 1))[:TONE_OCTETS]


def _cut_prompts(folder: Path) -> Path:
    for prompt in (ROOT / "dialplans" / "sounds").glob("*/*.ulaw"):
        copy = folder / prompt.parent.name / prompt.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        hz = TONES.get(prompt.stem)
        copy.write_bytes(prompt.read_bytes()[CUT] if hz is None else _sound(hz))
    return folder


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    place = Exchange(tmp_path_factory.mktemp("spoken") / "secret")
    try:
        pytest_twisted.blockon(Deferred.fromCoroutine(place.open()))
        yield place
    finally:
        pytest_twisted.blockon(Deferred.fromCoroutine(place.close()))


@pytest.fixture
def house(exchange):
    place = House(exchange)
    yield place
    pytest_twisted.blockon(Deferred.fromCoroutine(place.close()))


# Guardians.


async def nobody_knows(_incident_id, _sequence):
    return False


@pytest_twisted.ensureDeferred
async def test_a_guardian_hears_the_message_and_confirms_with_a_digit(house):
    attempt = house.attempt()
    await house.listening(packets=AUDIBLE_PACKETS)
    press_and_listen_no_more(house.phone, "1")

    assert await attempt == Delivered("confirmed by guardian 1 in round 1")
    assert not house.phone.ears.heard(LAST_WORD_HZ), "the digit ends the call at once"
    assert house.facts == [("1", "calling", "1"), ("1", "confirmed", "1")]
    assert house.dialled == ["+821011112222"]
    assert "0215881120" in house.phone.invites[0].caller.uri
    assert await soon(house.phone.newest.ended()) is EndedBy.THEM


@pytest_twisted.ensureDeferred
async def test_a_guardian_hears_that_the_police_have_not_answered_while_112_has_not_acknowledged(house):
    house.record.stands = Standing.ASKED
    await house.attempt()

    assert house.phone.ears.heard(ASKED_HZ)
    assert not house.phone.ears.heard(KNOWN_HZ)


@pytest_twisted.ensureDeferred
async def test_a_guardian_hears_that_112_knows_where_it_acknowledged_while_the_phone_rang(house):
    house.record.stands = Standing.ASKED
    house.phone.answer_after(RING_S - 0.4)
    attempt = house.attempt()
    await soon(house.phone.wait_for(lambda it: len(it.calls) > 0))
    house.record.stands = Standing.KNOWN
    await attempt

    assert house.phone.ears.heard(KNOWN_HZ)
    assert not house.phone.ears.heard(ASKED_HZ)


@pytest_twisted.ensureDeferred
async def test_a_call_that_is_over_in_the_middle_says_so_and_ends(house):
    over: list[None] = []

    async def news() -> dict[str, str] | None:
        return None if over else {}

    calling = house.call(news=news)
    await house.listening(packets=AUDIBLE_PACKETS)
    over.append(None)
    outcome = await soon(calling)

    assert (outcome.end, outcome.digit) == (End.ANSWERED, "")
    assert "message begun 1 times" in outcome.detail
    assert house.phone.ears.heard(OVER_HZ)
    assert await soon(house.phone.newest.ended()) is EndedBy.THEM


@pytest_twisted.ensureDeferred
async def test_a_call_that_is_over_while_it_rings_is_hung_up(house):
    house.phone.never_answer()

    async def is_over() -> None:
        return None

    outcome = await soon(house.call(news=is_over))

    assert (outcome.end, outcome.detail) == (End.NO_ANSWER, "hung up by us while it rang: it was over")
    assert await soon(house.phone.newest.ended()) is EndedBy.THEM


@pytest_twisted.ensureDeferred
async def test_a_guardian_who_presses_and_hangs_up_at_once_has_confirmed(house):
    attempt = house.attempt()
    await house.listening()
    press_and_listen_no_more(house.phone, "1")
    await deferLater(reactor, 0.16, lambda: None)
    await house.phone.hang_up()

    assert await attempt == Delivered("confirmed by guardian 1 in round 1")


@pytest_twisted.ensureDeferred
async def test_without_a_digit_the_next_guardian_is_called(house):
    first = await house.attempt()
    second = house.attempt()
    await house.listening(calls=2)
    press_and_listen_no_more(house.phone, "1")

    assert isinstance(first, Again)
    assert "no digit, message begun 2 times" in first.detail
    assert house.phone.calls[0].ears.heard(LAST_WORD_HZ)
    assert await second == Delivered("confirmed by guardian 2 in round 1")
    assert house.dialled == ["+821011112222", "+821033334444"]
    assert [state for _, state, _ in house.facts] == [
        "calling",
        "answered-unconfirmed",
        "calling",
        "confirmed",
    ]


@pytest_twisted.ensureDeferred
async def test_another_digit_confirms_nothing(house):
    attempt = house.attempt()
    await house.listening()
    press_and_listen_no_more(house.phone, "5")

    outcome = await attempt
    assert isinstance(outcome, Again)
    assert "message begun 2 times" in outcome.detail
    assert house.facts[-1] == ("1", "answered-unconfirmed", "1")


@pytest_twisted.ensureDeferred
async def test_an_answering_machine_never_confirms(house):
    """It answers at once, plays its tone over our message, and hears us out."""
    house.phone.answer_after(0)
    outcomes = [await house.attempt(), await house.attempt()]

    assert outcomes[1] == Rejected("no guardian confirmed in all rounds")
    assert [state for _, state, _ in house.facts if state != "calling"] == ["answered-unconfirmed"] * 2
    assert [await soon(call.ended()) for call in house.phone.calls] == [EndedBy.THEM] * 2
    assert all(call.rtp_sent > 0 for call in house.phone.calls)


@pytest.mark.parametrize(
    ("status", "state"), [(404, "failed"), (480, "no-answer"), (486, "no-answer"), (503, "failed")]
)
@pytest_twisted.ensureDeferred
async def test_a_number_that_cannot_be_reached_moves_on(house, status, state):
    house.phone.refuse(status)
    first = await house.attempt()
    house.phone.answer_after(0.1)
    second = house.attempt()
    await house.listening()
    press_and_listen_no_more(house.phone, "1")

    assert isinstance(first, Again)
    assert house.facts[1] == ("1", state, "1")
    assert await second == Delivered("confirmed by guardian 2 in round 1")


@pytest_twisted.ensureDeferred
async def test_a_phone_that_rings_in_vain_is_given_up(house):
    house.phone.never_answer()

    assert isinstance(await house.attempt(), Again)
    assert house.facts[1] == ("1", "no-answer", "1")
    assert await soon(house.phone.newest.ended()) is EndedBy.THEM


@pytest_twisted.ensureDeferred
async def test_a_phone_that_is_dead_is_given_up(house):
    house.phone.die()

    assert isinstance(await house.attempt(), Again)
    assert house.facts[1] == ("1", "no-answer", "1")


# 112.


@pytest_twisted.ensureDeferred
async def test_the_operator_hears_the_report_again_on_request_and_confirms(house):
    async def nowhere(_: str) -> None:
        return None

    dialling = Dialling("112", "centre-voice", "ko", ring_s=RING_S, confirm_digit="1", repeat_digit="2")
    sender = VoiceSender(dialling, house.exchange.calls, nowhere, nobody_knows, clock=reactor)
    sending = soon(Deferred.fromCoroutine(sender.send(first_report(press(), "sos-1"))))
    await house.listening(house.operator, packets=AUDIBLE_PACKETS)
    await house.operator.press("2")
    await deferLater(reactor, 0.5, lambda: None)
    press_and_listen_no_more(house.operator, "1")
    outcome = await sending

    assert isinstance(outcome, Delivered)
    assert "pressed 1, message begun 2 times" in outcome.detail


@pytest_twisted.ensureDeferred
async def test_an_operator_who_presses_nothing_is_called_again_later(house):
    async def nowhere(_: str) -> None:
        return None

    dialling = Dialling("112", "centre-voice", "ko", ring_s=RING_S, confirm_digit="1", repeat_digit="2")
    sender = VoiceSender(dialling, house.exchange.calls, nowhere, nobody_knows, clock=reactor)

    outcome = await soon(Deferred.fromCoroutine(sender.send(first_report(press(), "sos-1"))))
    assert isinstance(outcome, Retry)
    assert outcome.after_s == 60.0
    assert house.operator.ears.heard(LAST_WORD_HZ), "both parts of a long message are spoken"


# The call itself.


@pytest_twisted.ensureDeferred
async def test_asterisk_itself_ends_a_call_that_takes_too_long(house):
    calling = house.call(talk_s=2.0)
    outcome = await soon(calling)

    assert (outcome.end, outcome.digit) == (End.ANSWERED, "")
    assert "no digit" in outcome.detail
    assert await soon(house.phone.newest.ended()) is EndedBy.THEM


@pytest.mark.parametrize("is_up", [False, True])
@pytest_twisted.ensureDeferred
async def test_a_call_that_is_given_up_is_hung_up(house, is_up):
    if not is_up:
        house.phone.never_answer()
    calling = house.call()
    calling.addErrback(lambda _: None)
    await soon(house.phone.wait_for(lambda it: len(it.calls) > 0 and it.newest.is_up is is_up))
    calling.cancel()

    assert await soon(house.phone.newest.ended()) is EndedBy.THEM


@pytest_twisted.ensureDeferred
async def test_a_lost_connection_is_no_confirmation(house):
    """The guardian presses while no daemon listens: the next one is called, rather than one too few."""
    attempt = house.attempt()
    await house.listening()
    await house.exchange.client.stopService()
    outcome = await attempt
    press_and_listen_no_more(house.phone, "1")
    await soon(house.phone.newest.ended())
    await house.exchange.open()

    assert isinstance(outcome, Again)
    assert "unknown" in outcome.detail
    assert "confirmed" not in [state for _, state, _ in house.facts]
