"""Nothing of ours reaches a phone past the silence policy: every way out is known, and asks first.

`REVIEWED` names every place in the source that can make a phone ring, sound or show something, and where the policy
is asked for it. A place that is not on the list fails here, and so does one whose question has gone. What each way out
does while silence holds is tried below, one after the other.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from twisted.internet import task
from twisted.internet.defer import CancelledError, Deferred

from telephony.asterisk.dialplan.files import read_dialplan
from telephony.asterisk.dialplan.targets import steps_within
from telephony.asterisk.sos.control import CallControl
from telephony.asterisk.spoken.guardian_calls import SpokenGuardianCalls
from telephony.domain.delivery import (
    CALL_BACK,
    CALL_CONTROL,
    LIFT_SILENCE,
    Delivery,
    Errand,
    Rejected,
)
from telephony.domain.errors import Refused
from telephony.domain.guardians.guardian import Guardian
from telephony.domain.guardians.spoken_call import CallOutcome, End, Standing
from telephony.domain.recognition import Recognition
from telephony.domain.silence import Output
from telephony.domain.text_message import TextMessage
from telephony.domain.ussd import UssdMenu, UssdMessage
from telephony.domain.values import Msisdn
from telephony.services.calls import CallLedger
from telephony.services.silence import SilenceGuard
from telephony.smpp.settings import Dialect, Sms
from telephony.smpp.texting import BindTexter, TextWay
from telephony.smpp.wire.constants import SUBMIT_SM
from telephony.smpp.wire.text_request import numbering_of
from telephony.store.engines import open_engines
from telephony.store.orders import set_silence
from telephony.store.schema import metadata
from telephony.ussd.dialogues import Dialogues
from telephony.ussd.menus import MenuRules, OpenMenus
from telephony.ussd.profiles import PROFILES
from tests.asterisk.telephone import Telephone
from tests.awaiting import result_of
from tests.doubles import NOON, ONE_CENTRE, database, keys, outbox, press, without_fsync
from tests.outputs import ASKS, ROOT, Act, acts, always_asks, functions, is_asked_before, name_of, sources
from tests.smpp.people import House
from tests.smpp.wires import Wires
from tests.store.ledger import Ledger


@dataclass(frozen=True)
class Asked:
    """The function in which the policy is asked, on every way to a call named ``act``.

    ``by`` names what asks: the policy and its guard themselves, or functions of the same file that do so on every way.
    """

    file: str
    function: str
    act: str
    by: tuple[str, ...] = ()
    output: Output | None = None

    def is_act(self, call: ast.Call) -> bool:
        """Whether a call is the act."""
        return name_of(call) == self.act


@dataclass(frozen=True)
class Conduit:
    """Hands on what its callers give it: they are on this list themselves."""

    of: str


@dataclass(frozen=True)
class NoCallersPhone:
    """Leads to no phone of a caller, or only to one that asks for it, and why."""

    why: str


TEXT = Asked("telephony/smpp/texting.py", "BindTexter._submit", "submit", by=("_ask",), output=Output.MESSAGE)
CLOSING = Asked("telephony/ussd/dialogues.py", "Dialogues._reply", "_ending", output=Output.USSD_CLOSING_TEXT)
PAGE = Asked("telephony/ussd/dialogues.py", "Dialogues.turn", "_page", output=Output.USSD_TEXT)
RINGING = Asked(
    "telephony/asterisk/sos/control.py", "CallControl._ring_back", "_call_back", output=Output.CALL_BACK
)
VOICE = Asked(
    "telephony/asterisk/sos/control.py", "CallControl._on_calls", "_on_call", output=Output.CENTRE_VOICE
)
GUARDIAN = Asked(
    "telephony/asterisk/spoken/guardian_calls.py", "SpokenGuardianCalls.call", "call", output=Output.CALL_BACK
)

Verdict = tuple[Asked, ...] | Conduit | NoCallersPhone

REVIEWED: dict[Act, Verdict] = {
    # SMPP: texts, and USSD.
    Act("telephony/smpp/texting.py", "BindTexter._submit", "submit"): (TEXT,),
    Act("telephony/smpp/client.py", "Esme.submit", "build *"): Conduit("submit"),
    Act("telephony/smpp/client.py", "Esme.submit", "submit"): Conduit("submit"),
    Act("telephony/smpp/esme.py", "EsmeConnection.submit", "submit"): Conduit("submit"),
    Act("telephony/smpp/smsc.py", "SmscConnection.submit", "submit"): Conduit("submit"),
    Act("telephony/smpp/submitting.py", "Submitter._pump", "window.send"): Conduit("submit"),
    Act("telephony/smpp/wire/ussd.py", "reply_pdu", "build *"): Conduit("reply_pdu"),
    Act("telephony/smpp/ussd_desk.py", "UssdDesk._send", "reply_pdu"): Conduit("UssdReply"),
    Act("telephony/smpp/ussd_desk.py", "UssdDesk._send", "submit"): Conduit("UssdReply"),
    Act("telephony/ussd/dialogues.py", "Dialogues._ending", "UssdReply"): (CLOSING, PAGE),
    Act("telephony/ussd/dialogues.py", "Dialogues._page", "UssdReply"): (PAGE,),
    # Asterisk: calls, and the way of sound into calls.
    Act("telephony/asterisk/sos/control.py", "CallControl._ring_back", "ring"): (RINGING,),
    Act("telephony/assembly/voice.py", "Telephones.lanes", "ring"): Conduit("ring"),
    Act("telephony/asterisk/sos/call_back.py", "CallBack.ring", "action Originate"): Conduit("ring"),
    Act("telephony/asterisk/sos/control.py", "_set", "action Setvar"): (VOICE,),
    Act("telephony/asterisk/spoken/guardian_calls.py", "SpokenGuardianCalls.call", "call"): (GUARDIAN,),
    Act("telephony/services/guardians/ways.py", "GuardianWays._called", "call"): Conduit("call"),
    Act("telephony/asterisk/spoken/outgoing.py", "OutgoingCalls._place", "action Originate"): Conduit("call"),
    Act("telephony/asterisk/spoken/outgoing.py", "_set", "action Setvar"): Conduit("call"),
    Act("telephony/asterisk/spoken/outgoing.py", "_let_go", "action Redirect"): Conduit("call"),
    Act("telephony/asterisk/ami/client.py", "AmiClient.action", "action *"): Conduit("action"),
    Act("telephony/asterisk/ami/client.py", "AmiClient.listing", "action *"): Conduit("action"),
    Act("telephony/asterisk/ami/actions.py", "Actions._send", "encode_action"): Conduit("action"),
    Act("telephony/asterisk/ami/actions.py", "Actions.send_unawaited", "encode_action"): Conduit("action"),
    Act("telephony/asterisk/operator/blocking_ami.py", "BlockingAmi.send", "encode_action"): Conduit(
        "action"
    ),
    Act(
        "telephony/asterisk/operator/blocking_ami.py", "BlockingAmi.command", "action Command"
    ): NoCallersPhone("an operator's terminal: it reads, and reloads the dialplan"),
    Act("telephony/asterisk/spoken/voice_sender.py", "VoiceSender._speak", "call"): NoCallersPhone(
        "the telephone of a 112 centre, by its number in the settings"
    ),
    Act("telephony/asterisk/menu/service_menu.py", "_Voice.say", "stream_file"): NoCallersPhone(
        "a caller who has dialled the service number and waits for its voice; an SOS number never leads there"
    ),
    Act("telephony/asterisk/menu/agi_server.py", "Agi._command", "encode_command"): Conduit("stream_file"),
    Act("telephony/net/http/client.py", "HttpClient.post", "submit"): NoCallersPhone("an HTTP request"),
}

DIALPLAN = {
    ("sos", "Dial"): "to 112, and to sos-up by which her call is answered; nothing of it is heard by her",
    ("sos", "Answer"): "her own call",
    ("sos-up", "Answer"): "her own call",
    ("sos-drill", "Answer"): "her own call, a drill",
    ("sos-room", "ConfBridge"): "her call and the centre's, muted towards her until silence is lifted",
    ("sos-room-left", "ChannelRedirect"): "her own call, on to the next route",
    ("sos-callback", "Dial"): "to 112, from her phone that has answered the call-back",
    ("guardian", "Playback"): "a guardian, who has answered",
    ("spoken", "Read"): "a guardian or 112, who have answered",
    ("service", "Answer"): "a caller who has dialled the service number",
    ("service", "AGI"): "the menu of the service number",
    ("service", "Playback"): "a caller who has dialled the service number",
}
"""What in our dialplan can ring, answer or sound, by context and application."""
AUDIBLE = frozenset({
    "AGI", "Answer", "BackGround", "Background", "Bridge", "BridgeAdd", "ChanSpy", "ChannelRedirect", "ConfBridge",
    "Dial", "Dictate", "ExternalIVR", "Festival", "FollowMe", "MessageSend", "Milliwatt", "MusicOnHold", "Originate",
    "Page", "Park", "Pickup", "PlayTones", "Playback", "Playtones", "Progress", "Queue", "Read", "Record", "RetryDial",
    "Ringing", "SayAlpha", "SayDigits", "SayNumber", "SayPhonetic", "SendDTMF", "SendImage", "SendText", "SendURL",
    "StartMusicOnHold", "Transfer", "VoiceMail",
})  # fmt: skip


def faults(texts: dict[str, str], reviewed: dict[Act, Verdict]) -> list[str]:
    """Say what of these sources can reach a phone and is not known to ask."""
    found = acts(texts)
    said = [
        f"{act.file}: {act.function} does {act.primitive!r}: it can reach a phone. Ask the silence policy "
        "before it, and write it on the list"
        for act in sorted(found - reviewed.keys())
    ]
    said += [f"{act.file}: {act.function} does {act.primitive!r} no more" for act in reviewed.keys() - found]
    for asked in {each for verdict in reviewed.values() if isinstance(verdict, tuple) for each in verdict}:
        said += _unasked(texts, asked)
    return said


def _unasked(texts: dict[str, str], asked: Asked) -> list[str]:
    known = functions(texts[asked.file])
    here = f"{asked.file}: {asked.function}"
    if asked.function not in known:
        return [f"{here} is not there"]
    said = []
    if not is_asked_before(known[asked.function], {*ASKS, *asked.by}, asked.is_act):
        said.append(f"{here} does {asked.act!r} without asking the silence policy on every way to it")
    owner = asked.function.rpartition(".")[0]
    for asker in asked.by:
        function = known.get(f"{owner}.{asker}")
        if function is None or not always_asks(function, ASKS):
            said.append(f"{here} asks by {asker}, which does not ask the silence policy on every way")
    names = {name_of(call) for call in ast.walk(known[asked.function]) if isinstance(call, ast.Call)}
    if asked.output is not None and f"Output.{asked.output.name}" not in _output_names(known, asked):
        said.append(f"{here} does not ask about {asked.output.name}; it calls {', '.join(sorted(names))}")
    return said


def _output_names(known: dict, asked: Asked) -> set[str]:
    owner = asked.function.rpartition(".")[0]
    looked_at = [asked.function, *(f"{owner}.{asker}" for asker in asked.by)]
    return {
        ast.unparse(node)
        for name in looked_at
        if name in known
        for node in ast.walk(known[name])
        if isinstance(node, ast.Attribute)
    }


def test_every_way_to_a_phone_is_known_and_asks_the_policy():
    assert faults(sources(), REVIEWED) == []


def test_every_kind_of_output_is_asked_about_somewhere():
    asked = {each.output for verdict in REVIEWED.values() if isinstance(verdict, tuple) for each in verdict}

    assert asked == set(Output)


def test_what_hands_on_leads_to_something_that_is_on_the_list():
    primitives = {act.primitive for act in REVIEWED} | {"action"}

    for verdict in REVIEWED.values():
        if isinstance(verdict, Conduit):
            assert verdict.of in primitives


SNEAKY = {
    "a text past the texter": (
        "telephony/services/guardians/rounds.py",
        "\nasync def sneak(esme):\n    await esme.submit(destination_addr='821012345678')\n",
    ),
    "a PDU of its own": (
        "telephony/services/watch.py",
        "\ndef sneak(link):\n    link.write(build('submit_sm', 1))\n",
    ),
    "data_sm": ("telephony/psap/client.py", "\ndef sneak(link):\n    return build('data_sm', 1)\n"),
    "a request that the source does not name": (
        "telephony/smpp/link.py", "\ndef sneak(command):\n    return build(command, 1)\n",
    ),
    "a call": (
        "telephony/asterisk/sos/followed_server.py",
        "\nasync def sneak(client):\n    await client.action('Originate', [('Channel', 'PJSIP/1@skt')])\n",
    ),
    "a way for sound": (
        "telephony/asterisk/sos/followed_server.py",
        "\nasync def sneak(client):\n    await client.action('Setvar', [('Variable', 'MUTEAUDIO(out)')])\n",
    ),
    "an action that the source does not name": (
        "telephony/asterisk/sos/follower.py", "\nasync def sneak(client, name):\n    await client.action(name)\n",
    ),
    "py-Asterisk's own": (
        "telephony/asterisk/operator/diagnosis.py", "\ndef sneak(line):\n    line.Redirect('PJSIP/skt-1')\n",
    ),
    "an octet on the manager's wire": (
        "telephony/asterisk/sos/follower.py", "\ndef sneak(wire):\n    wire.write(encode_action('Originate', '1'))\n",
    ),
    "a USSD page": ("telephony/ussd/pages.py", "\ndef sneak():\n    return UssdReply('Hello')\n"),
    "her phone rung": (
        "telephony/services/calls.py", "\nasync def sneak(call_back):\n    await call_back.ring('+8210', 'skt', 'sos-1')\n",
    ),
    "a spoken call": (
        "telephony/asterisk/spoken/voice_sender.py", "\nasync def sneak(self):\n    await self._calls.call('PJSIP/1@skt', 's', {})\n",
    ),
    "a prompt": ("telephony/asterisk/sos/follower.py", "\nasync def sneak(agi):\n    await agi.stream_file('hello', '')\n"),
    "a modem": ("telephony/services/watch.py", "\nimport serial\n"),
    "the command line": (
        "telephony/cli/doctor.py", "\nLINE = 'channel originate PJSIP/1@skt application Playback hello'\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", SNEAKY)
def test_a_sneaky_way_out_is_found_and_named(what):
    file, lines = SNEAKY[what]
    texts = sources()
    texts[file] += lines

    (said,) = faults(texts, REVIEWED)

    assert said.startswith(f"{file}: ")
    assert "Ask the silence policy" in said


FORGOTTEN = {
    "not asked at all": ("        await self._ask(message)\n        await bind", "        await bind"),
    "asked afterwards": (
        "        await self._ask(message)\n        await bind.submit(on_receipt=tally.heard, gives_way=True, **fields)\n",
        "        await bind.submit(on_receipt=tally.heard, gives_way=True, **fields)\n        await self._ask(message)\n",
    ),
    "asked on one way only": (
        "        await self._ask(message)\n        await bind",
        "        if message.is_urgent:\n            await self._ask(message)\n        await bind",
    ),
    "skipped in a hurry": (
        "        await self._ask(message)\n        await bind",
        "        message.is_urgent or await self._ask(message)\n        await bind",
    ),
    "asked by somebody who does not ask": (
        "            refused = await self._guard.may_reach(",
        "            refused = await self._guard.is_fine(",
    ),
    "asked, and the answer not looked at": (
        "            refused = await self._guard.may_reach(message.to, Output.MESSAGE, message.text)",
        "            await self._guard.may_reach(message.to, Output.MESSAGE, message.text); refused = None",
    ),
    "asked about something else": ("Output.MESSAGE", "Output.USSD_CLOSING_TEXT"),
    "not asked for the kinds that do not matter": (
        "        try:\n            refused = await self._guard",
        "        if message.is_urgent:\n            return\n        try:\n            refused = await self._guard",
    ),
}


@pytest.mark.parametrize("how", FORGOTTEN)
def test_a_question_that_was_forgotten_is_found(how):
    texts = sources()
    before, after = FORGOTTEN[how]
    assert texts[TEXT.file].count(before) == 1
    texts[TEXT.file] = texts[TEXT.file].replace(before, after)

    said = faults(texts, REVIEWED)

    assert said
    assert all(each.startswith(f"{TEXT.file}: BindTexter._submit") for each in said)


def test_the_service_uses_nothing_of_the_lab_where_everything_may_reach_a_phone():
    users = {
        file
        for file, text in sources().items()
        for node in ast.walk(ast.parse(text))
        if (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("telephony.lab"))
        or (isinstance(node, ast.Import) and any(each.name.startswith("telephony.lab") for each in node.names))
    }  # fmt: skip

    assert {file for file in users if not file.startswith("telephony/cli/")} == set()


def test_every_application_of_the_dialplan_that_can_be_heard_is_known():
    plan = read_dialplan(Path(ROOT) / "dialplans")
    found = {
        (step.context, step.application)
        for outer in plan.steps
        for step in steps_within(outer)
        if step.application in AUDIBLE and step.file.startswith("onetouch/")
    }

    assert found == DIALPLAN.keys()


# What each way out does while silence holds.

HERS = Msisdn("821012345678")
ID = "sos-821012345678"


class Street:
    """She has pressed; her phone is the one that everything would reach."""

    def __init__(self, tmp_path):
        self.engines = open_engines(f"sqlite:///{tmp_path}/store.sqlite", keys)
        without_fsync(self.engines[0])
        metadata.create_all(self.engines[0])
        self.store = Ledger(self.engines[0])
        self.database = database(*self.engines)
        self.guard = SilenceGuard(self.database)
        self.ledger = CallLedger(outbox(self.database, ONE_CENTRE, []), clock=task.Clock())
        self.rung: list[str] = []

    def press(self):
        self.store.record(press(HERS.number))

    def lift(self):
        assert self.store.transact(set_silence, ONE_CENTRE, ID, True, "desk 7", NOON) is None

    def send_text(self) -> int:
        """Text her; give how many submit_sm left."""
        wires = Wires()
        house = House(wires)
        peer = house.start_bound()
        texter = BindTexter(
            [TextWay("skt", Dialect(), [house.esme])],
            self.guard,
            sms=Sms(sender="1366"),
            numbering=lambda: numbering_of("82", "0", []),
            clock=wires,
            rng=random.Random(1),
        )
        sending = Deferred.fromCoroutine(texter.send(TextMessage(HERS, "hello")))
        sending.addErrback(lambda failure: failure.trap(Refused, CancelledError))
        wires.pass_time(1)
        left = sum(pdu.command_id == SUBMIT_SM for pdu in peer.heard)
        sending.cancel()
        house.esme.stopService()
        wires.pass_time(10)
        return left

    def call_guardian(self) -> int:
        """Call the guardian whose number is hers; give how many calls were placed."""
        telephone = Telephone(CallOutcome(End.ANSWERED, "1", "pressed 1"))
        calls = SpokenGuardianCalls(
            telephone, self.guard.may_reach, endpoint="guardian", ring_s=5.0, confirm_digit="1"
        )
        result_of(calls.call(Guardian(HERS), Msisdn("821099999999"), all_is_known))
        return len(telephone.called)

    def order(self, kind):
        """Have an order of 112 carried out; give the outcome and what Asterisk was told."""
        told = []

        async def ring(*_):
            told.append("ring")
            return "answered"

        class Manager:
            async def listing(self, _):
                return []

            async def action(self, name, _):
                told.append(name)

        control = CallControl({"voice-1": Manager()}, self.ledger, ring, now=NOON.timestamp)
        delivery = Delivery(
            1, ID, CALL_CONTROL, -1, kind, {"by": "desk 7"}, NOON, 1, content=Errand(HERS, "skt", NOON)
        )
        return result_of(control.deliver(delivery)), told


async def all_is_known():
    return Standing.KNOWN


@pytest.fixture
def street(tmp_path):
    place = Street(tmp_path)
    yield place
    for engine in place.engines:
        engine.dispose()


WAYS: dict[str, Callable[[Street], int]] = {
    "a text": Street.send_text,
    "a guardian's call": Street.call_guardian,
    "a call-back": lambda street: len(street.order(CALL_BACK)[1]),
}


@pytest.mark.parametrize("way", WAYS)
def test_nothing_leaves_while_silence_holds_and_it_does_once_it_is_lifted(street, way):
    street.press()

    assert WAYS[way](street) == 0
    street.lift()
    assert WAYS[way](street) == 1


def test_the_way_for_the_centres_voice_stays_shut(street):
    street.press()

    outcome, told = street.order(LIFT_SILENCE)

    assert isinstance(outcome, Rejected)
    assert told == []
    street.lift()
    assert not isinstance(street.order(LIFT_SILENCE)[0], Rejected)


@pytest.mark.parametrize(
    ("text", "neutral"), [("Help is on its way", True), ("112", True), ("Request completed.", False)]
)
def test_a_ussd_dialogue_ends_with_no_text_but_a_neutral_one_of_the_settings(text, neutral):
    rules = Dialogues(
        PROFILES["generic"],
        closing_text=text,
        neutral_texts=frozenset({text} if neutral else {"Done."}),
        session_s=30.0,
    )

    assert rules._reply(dialled()) is None


def dialled(code="*112#"):
    return UssdMessage(HERS.number, code, "", 1, b"\x00\x02", None, "USSD")


async def korean(_):
    return "ko"


def test_a_phone_that_asks_for_the_menu_while_silence_holds_gets_the_neutral_text_and_no_page(street):
    closing = "Request completed."
    clock = task.Clock()
    clock.advance(NOON.timestamp())
    menus = OpenMenus(None, street.guard, korean, MenuRules(), clock=clock)
    rules = Dialogues(
        PROFILES["generic"],
        closing_text=closing,
        neutral_texts=frozenset({closing}),
        session_s=30.0,
        menus=menus,
    )
    recognition = Recognition(frozenset({"112"}), service_numbers=frozenset({"*1366#"}))

    def shown():
        heard = rules.read(dialled("*1366#"), recognition, clock.seconds())
        assert isinstance(heard, UssdMenu)
        return result_of(rules.turn(heard, press(HERS.number))).reply.text

    street.press()
    assert shown() == closing
    clock.advance(60)
    street.lift()
    assert shown() != closing


def test_a_press_silences_again_a_phone_that_was_reached_before(street):
    street.press()
    street.lift()
    assert street.send_text() == 1
    street.store.close()

    street.store.record(press(HERS.number, reference="again", received_at=NOON + timedelta(hours=1)))

    assert street.send_text() == 0
    assert street.call_guardian() == 0
