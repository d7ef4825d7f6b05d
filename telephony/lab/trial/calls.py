"""Makes trial calls: tests what becomes of a held key with these dialplans; returns findings and proven sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from telephony.asterisk.ami.packets import Packet
from telephony.asterisk.dialplan.configuration_files import Finding
from telephony.asterisk.dialplan.files import Dialplan, Step
from telephony.asterisk.dialplan.targets import extension, matches, reached, targets
from telephony.domain.location_token import digest_of
from telephony.lab.trial.line import CENTRE_HZ, PHONE_HZ, Call, Leg, TrialLine

SOS: Final = "sos"
"""The context that every held key goes through."""
ENTRY: Final = "from-"
FROM_112: Final = "from-112"

CALLER: Final = "01055501234"
"""A number that is not assigned (555)."""

DIALLED_WITHIN_S: Final = 1.0
SECOND_WITHIN_S: Final = 1.5
RING_S: Final = 0.12
ANSWERED_WITHIN_S: Final = 1.0
TALK_S: Final = 0.3
HEARD_WITHIN_S: Final = 1.5
OVER_WITHIN_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Trial:
    """One call to make: a number of a trunk that leads to 112, and whether the first route is to refuse."""

    trunk: str
    number: str
    entry: Step
    first_refuses: bool

    @property
    def name(self) -> str:
        """Caller and number, with which the sentences begin."""
        return f"{ENTRY}{self.trunk} {self.number}"


def trunks(dialplan: Dialplan) -> list[str]:
    """Return the trunks of the dialplan: the contexts from-<trunk>, but not the centre's own."""
    return [name[len(ENTRY) :] for name in dialplan.contexts if name.startswith(ENTRY) and name != FROM_112]


def trials(dialplan: Dialplan) -> list[Trial]:
    """Plan the calls: every SOS number of every trunk once, and the first of each trunk again with a dead first route."""
    planned: list[Trial] = []
    for trunk in trunks(dialplan):
        numbers = _sos_numbers(dialplan, f"{ENTRY}{trunk}")
        planned += [Trial(trunk, number, entry, first_refuses=False) for number, entry in numbers]
        planned += [Trial(trunk, number, entry, first_refuses=True) for number, entry in numbers[:1]]
    return planned


def without_sos(dialplan: Dialplan) -> Iterator[Finding]:
    """Find trunks of which no number leads to 112."""
    for trunk in trunks(dialplan):
        context = dialplan.contexts[f"{ENTRY}{trunk}"]
        if not _sos_numbers(dialplan, context.name):
            what = f"no number of the trunk {trunk} leads to the context {SOS}: a held key reaches no one"
            write = f"exten => 112,1,Gosub({SOS},s,1({trunk},${{EXTEN}},no-rtp))"
            yield Finding(context.file, context.line, what, write)


def _sos_numbers(dialplan: Dialplan, context: str) -> list[tuple[str, Step]]:
    found: list[tuple[str, Step]] = []
    for exten, steps in dialplan.contexts[context].extensions.items():
        named = {target.context for step in steps for target in targets(step)} - {context}
        number = _sample(dialplan, context, exten)
        if number and SOS in reached(dialplan, named):
            found.append((number, steps[0]))
    return found


def _sample(dialplan: Dialplan, context: str, exten: str) -> str | None:
    """Return a number that this extension takes, and no other of its context; ``None`` where it takes no number."""
    if not exten.startswith("_"):
        return exten if re.fullmatch(r"[+*#0-9]+", exten) else None
    begin = "".join(_sample_of(piece) for piece in re.findall(r"\[[^\]]*\]|.", exten[1:]))
    for number in ("112", *(begin + tail for tail in ("19", "", "19555", "1"))):
        steps = extension(dialplan, dialplan.contexts[context], number)
        if matches(exten, number) and steps is not None and steps[0].exten == exten:
            return number
    return None


def _sample_of(piece: str) -> str:
    if piece in ("!", "."):
        return ""
    return next((digit for digit in "123456789 0*#+" if matches(f"_{piece}", digit)), piece)


def make(trial: Trial, line: TrialLine, dialplan: Dialplan) -> tuple[list[Finding], str]:
    """Make one call; give its findings and what it proved."""
    call = line.dial(trial.trunk, trial.number, CALLER)
    line.wait(lambda: bool(call.legs) or call.is_over, DIALLED_WITHIN_S)
    if trial.first_refuses and call.legs:
        line.refuse(call.legs[0])
        line.wait(lambda: len(call.legs) > 1 or call.is_over, SECOND_WITHIN_S)
    leg = next((each for each in call.legs if not each.is_over), None)
    if leg is not None:
        line.ring(leg)
        # Ringing has its own sounds at the phone: let them come.
        line.wait(lambda: leg.is_over, RING_S)
        line.pick_up(leg)
        line.wait(lambda: call.answered_at is not None, ANSWERED_WITHIN_S)
        line.wait(lambda: leg.ears.heard(PHONE_HZ), HEARD_WITHIN_S)
        line.wait(lambda: leg.is_over, TALK_S)
    was_cut = call.is_over
    line.hang_up(call)
    line.wait(lambda: call.is_over and all(each.is_over for each in call.legs), OVER_WITHIN_S)
    judge = _Judge(trial, call, dialplan)
    findings = list(judge.findings(leg, was_cut=was_cut))
    return findings, judge.proven(leg)


class _Judge:
    """The findings and proofs of a call that is over."""

    def __init__(self, trial: Trial, call: Call, dialplan: Dialplan) -> None:
        self._trial = trial
        self._call = call
        self._dialplan = dialplan
        self._events = [packet for packet in call.events if packet.get("UserEvent") == "SOSCall"]
        self._start = next((packet for packet in self._events if packet.get("Stage") == "start"), None)

    def findings(self, leg: Leg | None, *, was_cut: bool) -> Iterator[Finding]:
        call, trial = self._call, self._trial
        yield from self._of_the_phone()
        if self._start is None:
            yield self._find(
                None,
                "no UserEvent SOSCall with Stage: start: the daemon makes no press of it",
                "the UserEvent of 20-sos.conf, before Answer and Dial",
            )
        else:
            yield from self._of_the_event(self._start)
        if not call.legs:
            told = f"112 was not dialled within {DIALLED_WITHIN_S:g} s"
            if call.refused:
                told += f" (the phone was refused with {call.refused})"
            yield self._find(None, told, "a way from here to Dial(${SOS_TO},…) on which nothing waits")
            return
        for each in call.legs:
            yield from self._of_the_invite(each)
        if trial.first_refuses and leg is None:
            what = f"the first route refused, and no second one was dialled within {SECOND_WITHIN_S:g} s"
            yield self._find(call.legs[0].at, what, "SOS_ROUTE_2 in globals, and Goto(route) after the Dial")
        if leg is not None:
            if not was_cut and not leg.ears.heard(PHONE_HZ):
                yield self._find(
                    leg.at, "112 answered and does not hear the phone", "no MUTEAUDIO(in) on the phone's leg"
                )
            if not leg.is_over:
                what = "the phone hung up and its leg to 112 stays"
                yield self._find(
                    leg.at, what, "Dial() on the phone's own channel, or marked users in the room"
                )

    def _of_the_phone(self) -> Iterator[Finding]:
        call = self._call
        for status, at in call.ringing[:1]:
            what = f"the phone got {status}: it rings back, aloud"
            yield self._find(at, what, "answer before Dial(), no Ringing() and no Progress()")
        if call.answered_at is None and call.legs and not call.ringing:
            yield self._find(
                call.legs[0].at, "the phone was never answered", "Answer(), or the Dial to sos-up"
            )
        ears = call.ears
        if not ears.is_silent:
            voice = " (the centre's voice)" if ears.heard(CENTRE_HZ) else ""
            what = f"RTP that is not silence reached the phone{voice}"
            write = "Set(CHANNEL(tonezone)=silent) and Set(MUTEAUDIO(out)=on) before Answer"
            yield self._find(ears.first_loud_at or ears.first_at, what, write)
        silence = "" if self._start is None else self._start.get("Silence")
        if silence == "no-rtp" and ears.packets and ears.is_silent:
            what = "RTP reached the phone of a trunk with silence no-rtp"
            yield self._find(ears.first_at, what, "Set(MUTEAUDIO(out)=on) before Answer")
        if silence == "zeros" and not ears.packets and call.connected is not None:
            what = "not one RTP packet reached the phone of a trunk with silence zeros: its carrier would cut the call"
            yield self._find(
                call.connected.at, what, "the room of sos-room, and MUTEAUDIO(out)=off before it"
            )

    def _of_the_event(self, start: Packet) -> Iterator[Finding]:
        wanted = {"Trunk": self._trial.trunk, "Dialled": self._trial.number, "Caller": CALLER}
        for key, value in wanted.items():
            if (got := start.get(key)) != value:
                yield self._find(
                    None,
                    f"UserEvent SOSCall says {key}: {got!r}, the call had {value!r}",
                    f"Gosub({SOS},s,1({self._trial.trunk},${{EXTEN}},…))",
                )
        for key in ("SOSID", "TokenDigest"):
            if not start.get(key):
                yield self._find(
                    None, f"UserEvent SOSCall has no {key}", f"{key}: in the UserEvent of 20-sos.conf"
                )

    def _of_the_invite(self, leg: Leg) -> Iterator[Finding]:
        headers = leg.invite.headers
        sos_id = "" if self._start is None else self._start.get("SOSID")
        token = headers.get("geolocation").strip("<>").rpartition("/")[2]
        is_of_this_call = self._start is None or digest_of(token.encode()) == self._start.get("TokenDigest")
        for name, is_there in (
            ("X-Incident-ID", sos_id in headers.get("x-incident-id")),
            ("Geolocation", is_of_this_call),
        ):
            if not is_there or not headers.get(name):
                what = f"the INVITE to {leg.endpoint} carries no {name} of this call"
                yield self._find(leg.at, what, f"b(to-112^s^1) on Dial, and PJSIP_HEADER(add,{name}) there")
        if CALLER not in headers.get("p-asserted-identity") + headers.get("from"):
            what = f"the INVITE to {leg.endpoint} does not carry the caller's number"
            yield self._find(leg.at, what, 'Set(CALLERID(all)="SOS" <${SOS_CALLER}>) before Dial')

    def proven(self, leg: Leg | None) -> str:
        call, words = self._call, []
        for each in call.legs:
            after_ms = (each.at - call.began) * 1000
            words.append(
                f"{each.endpoint} {'rang' if each.is_answered else 'refused'} after {after_ms:.0f} ms"
            )
        if not call.legs:
            words.append("112 was not dialled")
        if leg is not None and leg.ears.heard(PHONE_HZ):
            words.append("112 hears the phone")
        ears = call.ears
        if call.ringing:
            words.append(f"the phone got {call.ringing[0][0]}")
        if ears.is_silent:
            words.append(f"nothing audible at the phone ({ears.packets} RTP packets)")
        else:
            words.append(f"AUDIBLE at the phone ({ears.loud} loud RTP packets)")
        return f"{self._trial.name}: {', '.join(words)}"

    def _find(self, at: float | None, what: str, write: str) -> Finding:
        step = self._step_at(at)
        return step.finding(what, write)

    def _step_at(self, at: float | None) -> Step:
        """Return the step that the phone's channel was in at a moment (``None``: its last); the entry where none is known."""
        found = self._trial.entry
        for packet in self._call.events:
            if packet.event != "Newexten" or not packet.get("Channel").startswith(
                f"PJSIP/{self._trial.trunk}-"
            ):
                continue
            stamp = packet.get("Timestamp")
            if at is not None and stamp.replace(".", "", 1).isdigit() and float(stamp) > at:
                break
            found = (
                self._named(packet.get("Context"), packet.get("Extension"), packet.get("Priority")) or found
            )
        return found

    def _named(self, context: str, exten: str, priority: str) -> Step | None:
        there = self._dialplan.contexts.get(context)
        steps = None if there is None else extension(self._dialplan, there, exten)
        return next((step for step in steps or () if str(step.priority) == priority), None)
