"""A phone and a 112 operator call each other directly: what each could hear and show is measured at both ends."""

from __future__ import annotations

import random
import time

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, gatherResults  # noqa: A004 - what `within` raises

from telephony.clock import within
from telephony.domain.errors import Refused, Unavailable
from telephony.lab.phones.answerer import LabOperator
from telephony.lab.phones.handset import Caller, LabHandset
from telephony.lab.phones.sip import (
    Headers,
    Request,
    Response,
    answer,
    branch_of,
    media_of,
    parse,
    session_description,
)
from telephony.lab.phones.sip_agent import EndedBy
from tests.awaiting import failure_of, is_waiting, result_of
from tests.lab.phones.test_rtp import Wire

HOME = "127.0.0.1"
US, THEM, NETWORK = EndedBy
KIM = Caller("01012345678", "Kim")


class Street:
    """A phone, an operator, and a wire between them. ``sip`` is what went over it, read."""

    def __init__(self, **operator):
        self.wire = Wire()
        self.centre = LabOperator(self.wire, random.Random(1), **{"ring_s": 0.8, **operator})
        self.centre.listen(HOME)
        self.phone = LabHandset(self.wire, random.Random(2), KIM, (HOME, self.centre.port))
        self.phone.listen(HOME)
        self.run = self.wire.run

    @property
    def sip(self):
        ports = (self.phone.port, self.centre.port)
        return [
            (at, source[1] == self.phone.port, parse(datagram))
            for at, source, to, datagram in self.wire.sent
            if source[1] in ports or to[1] in ports
        ]

    def said(self, *, by_phone=None):
        """Methods and statuses in their order."""
        return [
            message.method if isinstance(message, Request) else message.status
            for _, from_phone, message in self.sip
            if by_phone in (None, from_phone)
        ]

    def up(self):
        call = self.phone.call("112")
        self.run(1)
        return call, self.centre.newest

    def inject(self, datagram, *, to=None):
        """Send from a socket that belongs to no phone; give what comes back to it."""
        stranger = Stranger()
        end = self.wire.listenUDP(0, stranger, interface=HOME)
        end.write(
            datagram.octets() if isinstance(datagram, Request | Response) else datagram,
            (HOME, to or self.centre.port),
        )
        self.run(0.1)
        return [parse(each) for each in stranger.came]


class Stranger:
    def __init__(self):
        self.came = []

    def datagramReceived(self, datagram, addr):
        self.came.append(datagram)


def stray(method, *, to="<sip:112@x>", call_id="c", body=b"", branch="z9hG4bKs", cseq=1, more=()):
    headers = [
        ("Via", f"SIP/2.0/UDP x;rport;branch={branch}"), ("From", "<sip:s@x>;tag=s"), ("To", to), ("Call-ID", call_id),
        ("CSeq", f"{cseq} {method}"), *more,
    ]  # fmt: skip
    return Request(method, "sip:112@x", Headers(headers), body)


def within_call(leg, method, *, body=b"", kind="application/sdp", branch="z9hG4bKw", cseq=90):
    """A request of the phone's within the operator's call."""
    to = leg._local
    return stray(
        method, to=to, call_id=leg.call_id, body=body, branch=branch, cseq=cseq, more=[("Content-Type", kind)]
    )


class TestACall:
    def test_rings_is_answered_and_each_hears_the_other(self):
        street = Street()
        call = street.phone.call("112")
        answered = call.answered()
        street.run(0.5)
        assert [(each.status, each.has_media) for each in call.provisionals] == [(180, False)]
        assert call.has_rung
        assert is_waiting(answered)
        street.run(0.5)
        assert result_of(answered) == pytest.approx(0.802, abs=0.001)
        street.run(1)
        assert (street.phone.ears.heard(1000), street.phone.ears.heard(440)) == (True, False)
        assert (street.centre.ears.heard(440), street.centre.ears.heard(1000)) == (True, False)
        assert not call.is_silent
        hung_up = street.phone.hang_up()
        street.run(0.1)
        assert result_of(hung_up) is US
        assert (call.status, street.centre.newest.ended_by) == (200, THEM)
        assert street.said() == ["INVITE", 180, 200, "ACK", "BYE", 200]

    def test_is_over_for_both_when_the_operator_hangs_up(self):
        street = Street()
        call, taken = street.up()
        hung_up = street.centre.hang_up()
        before = call.ears.packets
        street.run(1)
        assert (result_of(hung_up), call.ended_by, taken.ended_by) == (US, THEM, US)
        assert call.ears.packets - before <= 1
        assert result_of(call.ended()) is THEM

    def test_is_silent_at_the_phone_when_nothing_rings_and_nothing_is_said(self):
        for hz in (None, 0):
            street = Street(ring_s=0, tone_hz=hz)
            call, taken = street.up()
            assert (call.provisionals, call.is_silent, call.ears.loud) == ([], True, 0)
            assert call.ears.packets == call.ears.all_zero == (0 if hz is None else 50)
            assert taken.ears.heard(440)

    def test_carries_early_media_before_the_answer(self):
        street = Street(has_early_media=True)
        call = street.phone.call("112")
        street.run(0.5)
        assert [(each.status, each.has_media) for each in call.provisionals] == [(183, True)]
        assert (call.answered_at, call.has_rung, call.ears.heard(1000)) == (None, False, True)
        assert street.centre.ears.heard(440)

    def test_is_not_silent_when_only_the_phone_itself_rings(self):
        street = Street(tone_hz=None)
        call, _ = street.up()
        assert (call.ears.packets, call.has_rung, call.is_silent) == (0, True, False)

    def test_is_not_silent_when_a_voice_comes_without_ringing(self):
        call, _ = Street(ring_s=0).up()
        assert (call.has_rung, call.is_silent) == (False, False)

    def test_goes_on_where_the_contact_says(self):
        street = Street(ring_s=0)
        call = street.phone.call("119")
        street.run(0.1)
        call.hang_up()
        uris = [message.uri for _, from_phone, message in street.sip if from_phone]
        place = f"@{HOME}:{street.centre.port}"
        assert uris == [f"sip:119{place}", f"sip:112{place}", f"sip:112{place}"]

    def test_ends_by_both_when_both_hang_up_at_once(self):
        street = Street()
        call, taken = street.up()
        over = [call.hang_up(), taken.hang_up()]
        street.run(0.1)
        assert [result_of(each) for each in over] == [US, US]
        assert street.said()[-4:] == ["BYE", "BYE", 200, 200]

    def test_carries_digits_both_ways(self):
        street = Street()
        call, taken = street.up()
        tapped, pressed = street.phone.tap("11"), street.centre.press("5")
        street.run(0.5)
        assert result_of(tapped) is result_of(pressed) is None
        assert (taken.ears.digits, call.ears.digits) == ("11", "5")

    def test_tells_the_operator_everything_its_invite_said(self):
        street = Street()
        street.phone.call("1129", headers=[("X-One", "1"), ("X-One", "2")])
        street.run(0.1)
        (invite,) = street.centre.invites
        assert invite.at == pytest.approx(0.001)
        assert invite.source == (HOME, street.phone.port)
        assert invite.request.uri == f"sip:1129@{HOME}:{street.centre.port}"
        assert invite.headers.all("x-one") == ("1", "2")
        assert invite.headers.get("P-Asserted-Identity") == f'"Kim" <sip:01012345678@{HOME}>'
        assert (invite.caller.display, invite.caller.uri) == (
            "Kim",
            f"sip:01012345678@{HOME}:{street.phone.port}",
        )
        assert invite.media.payloads == (0, 101)
        assert invite.body.startswith(b"v=0\r\n")

    def test_claims_of_the_operator_are_told_when_they_come_true(self):
        street = Street()
        asked = street.centre.wait_for(lambda centre: centre.invites)
        taken = street.centre.wait_for(lambda centre: centre.calls and centre.newest.is_up)
        over = street.centre.wait_for(lambda centre: centre.calls and centre.newest.is_over)
        never = street.centre.wait_for(lambda centre: False)
        call = street.phone.call("112")
        street.run(0.5)
        result_of(asked)
        assert is_waiting(taken)
        never.cancel()
        street.run(0.5)
        result_of(taken)
        call.hang_up()
        street.run(0.1)
        result_of(over)
        assert isinstance(failure_of(never), CancelledError)

    def test_a_waiter_who_has_enough_disturbs_nobody(self):
        street = Street()
        call = street.phone.call("112")
        impatient = within(call.answered(), 0.1, street.wire)
        street.run(1)
        assert isinstance(failure_of(impatient), TimeoutError)
        assert call.is_up


class TestWhoACallSaysItIsFrom:
    @pytest.mark.parametrize(
        "display", ["x,Stage: end ${SHELL(id)}", '"\\<sip:a@b>;tag=9', "살려주세요", "", "\x00\x7f\t"]
    )
    def test_a_hostile_name_arrives_as_it_is_and_the_call_is_none_the_worse(self, display):
        street = Street(ring_s=0)
        call = street.phone.call("112", caller=Caller("010", display))
        street.run(0.1)
        assert street.centre.invites[0].caller.display == display
        assert call.is_up

    def test_a_raw_header_is_sent_exactly_as_given(self):
        street = Street(ring_s=0)
        raw = 'Kim "x <sip:a@b>;tag=mine'
        call = street.phone.call(
            "112", caller=Caller("010", raw_from=raw, raw_asserted="rubbish\r\nX-More: 1")
        )
        street.run(0.1)
        assert f"\r\nFrom: {raw}\r\n".encode() in street.wire.sent[0][3]
        assert street.centre.invites[0].headers.get("X-More") == "1"
        assert call.is_up
        street.centre.hang_up()
        street.run(0.1)
        assert call.ended_by is THEM

    def test_nobody_need_assert_anything(self):
        street = Street()
        street.phone.call("112", caller=Caller("010", is_asserted=False))
        street.run(0.1)
        assert street.centre.invites[0].headers.all("P-Asserted-Identity") == ()


class TestGivingUp:
    def test_cancels_a_ringing_call_with_the_branch_of_its_invite(self):
        street = Street()
        call = street.phone.call("112")
        over = street.phone.give_up(0.3)
        street.run(0.5)
        assert result_of(over) is US
        assert (call.status, street.centre.newest.status, street.centre.newest.ended_by) == (487, 487, THEM)
        assert isinstance(failure_of(call.answered()), Refused)
        assert street.said() == ["INVITE", 180, "CANCEL", 200, 487, "ACK"]
        by_phone = [message for _, from_phone, message in street.sip if from_phone]
        assert len({branch_of(each.headers) for each in by_phone}) == 1
        assert [each.cseq for each in by_phone] == [1, 1, 1]
        assert [each.headers.get("To") for each in by_phone[:2]] == [
            f"<sip:112@{HOME}:{street.centre.port}>"
        ] * 2
        assert "tag=" in by_phone[2].headers.get("To")
        street.run(40)
        assert len(street.sip) == 6

    def test_waits_with_the_cancel_for_a_first_response(self):
        street = Street()
        street.wire.loses = lambda datagram: street.wire.seconds() < 0.4
        over = street.phone.call("112").give_up()
        street.run(0.45)
        assert street.said() == ["INVITE"]
        street.run(0.2)
        assert result_of(over) is US
        assert street.said() == ["INVITE", "INVITE", 180, "CANCEL", 200, 487, "ACK"]

    def test_hangs_up_a_call_whose_answer_crossed_the_cancel(self):
        street = Street()
        call = street.phone.call("112")
        street.phone.give_up(0.8015)
        street.run(1)
        assert street.said() == ["INVITE", 180, "CANCEL", 200, 200, "ACK", "BYE", 200] or street.said() == [
            "INVITE", 180, 200, "CANCEL", "ACK", "BYE", 200, 200
        ]  # fmt: skip
        assert (call.ended_by, call.status, street.centre.newest.ended_by) == (US, 200, THEM)

    def test_after_the_answer_is_a_bye(self):
        street = Street(ring_s=0)
        over = street.phone.call("112").give_up(0.3)
        street.run(0.5)
        assert result_of(over) is US
        assert street.said(by_phone=True) == ["INVITE", "ACK", "BYE"]

    def test_on_nobody_ends_with_the_network(self):
        street = Street()
        street.centre.die()
        over = street.phone.call("112").give_up(0.3)
        street.run(32.1)
        assert result_of(over) is NETWORK
        assert street.centre.invites == []

    def test_makes_the_phone_silent_and_deaf_at_once_and_ends_even_if_nobody_agrees(self):
        street = Street(has_early_media=True)
        call = street.phone.call("112")
        street.run(0.5)
        street.centre.die()
        over = call.give_up()
        street.run(0.001)
        said = call.rtp_sent
        street.run(31.9)
        assert said > 20
        assert call.rtp_sent == said
        assert is_waiting(over)
        street.run(0.2)
        assert (result_of(over), call.status) == (NETWORK, 408)
        street.run(33)
        assert street.phone.agent.asked == {}


class TestTheOperator:
    @pytest.mark.parametrize("status", [486, 503])
    def test_refuses(self, status):
        street = Street()
        street.centre.refuse(status)
        call = street.phone.call("112")
        street.run(0.1)
        assert (call.status, call.ended_by, call.ears.packets) == (status, THEM, 0)
        assert str(failure_of(call.answered())).startswith(str(status))
        assert street.said() == ["INVITE", status, "ACK"]
        assert len(street.centre.invites) == 1
        assert street.centre.calls == []
        street.centre.answer_after(0)
        street.phone.call("112")
        street.run(0.1)
        assert street.phone.newest.is_up

    def test_has_so_many_lines_and_is_busy_beyond_them(self):
        street = Street(lines=2, ring_s=0.2)
        calls = [street.phone.call("112") for _ in range(3)]
        street.run(0.5)
        assert [call.status for call in calls] == [200, 200, 486]
        assert (len(street.centre.invites), street.centre.busy_lines) == (3, 2)
        calls[0].hang_up()
        street.run(0.1)
        again = street.phone.call("112")
        street.run(0.5)
        assert again.is_up

    def test_rings_for_ever_until_it_picks_up_after_all(self):
        street = Street()
        street.centre.never_answer()
        call = street.phone.call("112")
        street.run(100)
        assert (call.answered_at, call.is_over) == (None, False)
        street.centre.newest.answer()
        street.run(0.1)
        assert call.is_up

    def test_may_refuse_a_call_that_rings(self):
        street = Street()
        call = street.phone.call("112")
        street.run(0.1)
        over = street.centre.hang_up()
        street.run(1)
        assert (result_of(over), call.status, street.centre.newest.status) == (US, 480, 480)
        street.centre.newest.answer()
        street.centre.newest.refuse()
        assert call.status == 480

    def test_who_is_dead_says_nothing_and_knows_nothing_afterwards(self):
        street = Street()
        call, taken = street.up()
        street.centre.die()
        quiet_from, heard = len(street.wire.sent), call.ears.packets
        street.run(2)
        assert call.ears.packets - heard <= 1
        assert all(source[1] != street.centre.port for _, source, _, _ in street.wire.sent[quiet_from:])
        assert taken.is_over
        assert not call.is_over
        street.centre.come_back()
        call.hang_up()
        street.run(0.1)
        assert call.ended_by is US
        assert street.said()[-2:] == ["BYE", 481]
        street.phone.call("112")
        street.run(1)
        assert street.phone.newest.is_up

    def test_who_died_while_it_rang_cannot_pick_up_any_more(self):
        street = Street()
        call = street.phone.call("112")
        street.run(0.5)
        street.centre.die()
        street.centre.newest.answer()
        street.centre.newest.refuse()
        street.run(2)
        assert street.said() == ["INVITE", 180]
        assert not call.is_over

    def test_hangs_up_after_the_ack_when_it_is_in_a_hurry(self):
        street = Street(ring_s=0)
        street.phone.call("112")
        street.run(0.0015)
        street.centre.hang_up()
        street.run(0.1)
        assert street.said() == ["INVITE", 200, "ACK", "BYE", 200]

    def test_offers_itself_when_the_invite_has_no_offer(self):
        street = Street(ring_s=0)
        ok = street.inject(stray("INVITE"))[-1]
        assert media_of(ok).port == street.centre.newest._rtp.port
        body = session_description(HOME, 4444, 1)
        to = ok.headers.get("To")
        street.inject(
            stray("ACK", to=to, branch="z9hG4bKa", body=body, more=[("Content-Type", "application/sdp")])
        )
        street.run(1)
        assert sum(to == (HOME, 4444) for _, _, to, _ in street.wire.sent) == pytest.approx(55, abs=1)

    @pytest.mark.parametrize(
        "body", [b"v=0\r\n", session_description(HOME, 4, 1).replace(b"AVP 0 101", b"AVP 8 101")]
    )
    def test_has_no_ear_for_what_is_not_pcmu(self, body):
        street = Street()
        (refusal,) = street.inject(stray("INVITE", body=body, more=[("Content-Type", "application/sdp")]))
        assert refusal.status == 488
        assert len(street.centre.invites) == 1

    @pytest.mark.parametrize(
        ("offer", "kept", "answered"),
        [
            (b" RTP/AVP 0 96\r\na=rtpmap:96 telephone-event/8000", 96, 96),
            (b" RTP/AVP 0\r\na=rtpmap:0 PCMU/8000", 101, None),
        ],
    )
    def test_takes_digits_as_they_were_offered_or_not_at_all(self, offer, kept, answered):
        street = Street(ring_s=0)
        body = b"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4444" + offer + b"\r\n"
        ok = street.inject(stray("INVITE", body=body, more=[("Content-Type", "application/sdp")]))[-1]
        assert media_of(ok).digits == answered
        assert street.centre.ears.event_type == kept


class TestWithinACall:
    def test_info_is_answered_and_its_digit_noted(self):
        street = Street()
        _, taken = street.up()
        for number, digit in enumerate(b"1#"):
            info = within_call(
                taken, "INFO", kind="application/dtmf-relay", branch=f"z9hG4bK{number}",
                body=b"Signal=%c\r\nDuration=160\r\n" % digit,
            )  # fmt: skip
            assert street.inject(info)[0].status == 200
        assert street.inject(within_call(taken, "INFO", branch="z9hG4bKx"))[0].status == 200
        assert (taken.info_digits, len(taken.infos)) == ("1#", 3)

    def test_a_new_offer_puts_the_call_on_hold_and_elsewhere(self):
        street = Street()
        call, taken = street.up()
        hold = session_description(HOME, 4444, 1, direction="sendonly")
        ok = street.inject(within_call(taken, "UPDATE", body=hold))[0]
        assert (ok.status, media_of(ok).direction) == (200, "recvonly")
        heard = call.ears.packets
        street.run(1)
        assert call.ears.packets - heard <= 1
        reinvite = within_call(
            taken, "INVITE", body=session_description(HOME, 4444, 1), branch="z9hG4bKr", cseq=91
        )
        assert street.inject(reinvite)[0].status == 200
        street.inject(within_call(taken, "ACK", branch="z9hG4bKra", cseq=91))
        before = len(street.sip)
        street.run(5)
        assert len(street.sip) == before
        assert sum(to == (HOME, 4444) for _, _, to, _ in street.wire.sent) > 200
        assert len(street.centre.invites) == 1

    def test_an_update_that_offers_nothing_changes_nothing(self):
        street = Street()
        call, taken = street.up()
        ok = street.inject(within_call(taken, "UPDATE", kind=""))[0]
        assert (ok.status, ok.body) == (200, b"")
        heard = call.ears.packets
        street.run(1)
        assert call.ears.packets - heard == pytest.approx(50, abs=1)

    def test_an_offer_that_cannot_be_taken_is_refused_and_the_call_goes_on(self):
        street = Street()
        call, taken = street.up()
        assert (
            street.inject(within_call(taken, "INVITE", body=b"v=0\r\n", branch="z9hG4bKr"))[0].status == 488
        )
        street.inject(within_call(taken, "ACK", branch="z9hG4bKr"))
        before = len(street.sip)
        street.run(5)
        assert len(street.sip) == before
        assert call.is_up
        assert taken.is_up

    @pytest.mark.parametrize(("method", "status"), [("OPTIONS", 200), ("REFER", 405)])
    def test_other_requests_are_answered(self, method, status):
        street = Street()
        _, taken = street.up()
        assert street.inject(within_call(taken, method))[0].status == status


class TestOutsideOfCalls:
    @pytest.mark.parametrize(
        ("request_", "status"),
        [
            (stray("OPTIONS"), 200),
            (stray("MESSAGE"), 405),
            (stray("BYE"), 481),
            (stray("CANCEL"), 481),
            (stray("INFO", to="<sip:112@x>;tag=unknown"), 481),
            (stray("INVITE", to="<sip:112@x>;tag=unknown"), 481),
        ],
    )
    def test_a_request_is_answered_once_and_again_when_it_is_repeated(self, request_, status):
        street = Street()
        assert [each.status for each in street.inject(request_)] == [status]
        again = street.inject(request_)
        assert again == [] or again[0].status == status
        assert street.centre.agent.repeats == 1
        assert street.centre.invites == []

    def test_an_ack_is_never_answered(self):
        assert Street().inject(stray("ACK")) == []

    def test_rubbish_is_counted_and_ignored(self):
        street = Street()
        for rubbish in (b"", b"\r\n\r\n", b"\x80\xc8\x00\x06" + bytes(24), b"INVITE sip:a SIP/2.0\r\n\r\n"):
            assert street.inject(rubbish) == []
        late = answer(stray("OPTIONS"), 200, tag="t", source=(HOME, 1))
        assert street.inject(late) == []
        assert (street.centre.agent.rubbish, street.centre.agent.unasked) == (4, 1)
        assert street.up()[0].is_up

    def test_a_phone_in_danger_that_is_called_says_so(self):
        street = Street()
        assert street.inject(stray("INVITE"), to=street.phone.port)[0].status == 486
        assert len(street.phone.incoming) == 1

    def test_everything_is_forgotten_in_time(self):
        street = Street()
        call, _ = street.up()
        call.hang_up()
        street.inject(stray("OPTIONS"))
        street.run(40)
        for agent in (street.phone.agent, street.centre.agent):
            assert (agent.asked, agent._served, agent.legs, agent._timers) == ({}, {}, {}, set())
        assert street.wire.calls == []

    def test_closing_ends_everything_without_a_word(self):
        street = Street()
        call, taken = street.up()
        before = len(street.sip)
        result_of(street.phone.close())
        result_of(street.centre.close())
        assert (call.ended_by, taken.ended_by, len(street.sip)) == (US, US, before)
        street.run(1)
        assert street.wire.calls == []


class TestALossyWire:
    @pytest.mark.parametrize(
        "lost", [b"INVITE ", b"SIP/2.0 180", b"SIP/2.0 200", b"ACK ", b"BYE ", b"SIP/2.0 487", b"CANCEL "]
    )
    @pytest.mark.parametrize("gives_up", [False, True])
    def test_what_is_lost_once_or_twice_is_said_again(self, lost, gives_up):
        street = Street()
        losses = []

        def loses(datagram):
            if datagram.startswith(lost) and len(losses) < 2:
                losses.append(datagram)
                return True
            return False

        street.wire.loses = loses
        if gives_up:
            street.centre.never_answer()
        call = street.phone.call("112")
        over = call.give_up(0.4) if gives_up else call.give_up(6)
        street.run(12)
        assert result_of(over) is US
        assert call.status == (487 if gives_up else 200)
        assert street.centre.newest.ended_by is THEM
        assert len(street.centre.invites) == 1
        settled = len(street.sip)
        street.run(60)
        assert len(street.sip) == settled

    def test_an_invite_to_nobody_is_repeated_at_doubling_intervals_until_timer_b(self):
        street = Street()
        street.centre.die()
        call = street.phone.call("112")
        street.run(31.9)
        assert [at for at, _, _ in street.sip] == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
        assert not call.is_over
        street.run(0.2)
        assert (call.ended_by, call.status) == (NETWORK, 408)
        assert isinstance(failure_of(call.answered()), Unavailable)

    def test_an_answer_that_nobody_acknowledges_is_repeated_and_then_hung_up(self):
        street = Street(ring_s=0)
        street.wire.loses = lambda datagram: datagram.startswith(b"ACK ")
        call = street.phone.call("112")
        street.run(31.9)
        oks = [at for at, from_phone, _ in street.sip if not from_phone]
        assert [round(at - oks[0], 3) for at in oks] == [
            0,
            0.5,
            1.5,
            3.5,
            *(each + 0.5 for each in range(7, 32, 4)),
        ]
        assert street.said(by_phone=True) == ["INVITE"] + ["ACK"] * len(oks)
        street.run(0.2)
        assert (street.centre.newest.ended_by, call.ended_by) == (NETWORK, THEM)

    def test_a_bye_to_nobody_is_repeated_every_four_seconds_at_most(self):
        street = Street()
        call, _ = street.up()
        street.centre.die()
        over = call.hang_up()
        street.run(31)
        byes = [
            at for at, _, message in street.sip if isinstance(message, Request) and message.method == "BYE"
        ]
        assert [round(at - byes[0], 3) for at in byes] == [
            0,
            0.5,
            1.5,
            3.5,
            7.5,
            11.5,
            15.5,
            19.5,
            23.5,
            27.5,
        ]
        assert is_waiting(over)
        last_rtp = max(at for at, source, _, _ in street.wire.sent if source[1] == call._rtp.port)
        assert last_rtp <= byes[0]
        street.run(2)
        assert result_of(over) is US
        street.run(33)
        assert street.phone.agent.asked == {}

    def test_an_answer_is_not_repeated_to_who_hung_up_without_acknowledging_it(self):
        street = Street(ring_s=0)
        street.wire.loses = lambda datagram: datagram.startswith(b"ACK ")
        call = street.phone.call("112")
        street.run(0.1)
        call.hang_up()
        street.run(5)
        assert street.said() == ["INVITE", 200, "ACK", "BYE", 200]

    def test_an_answer_that_comes_too_late_is_hung_up(self):
        street = Street(ring_s=31.8)
        street.wire.loses = lambda datagram: datagram.startswith(b"SIP/2.0") and street.wire.seconds() < 32.1
        call = street.phone.call("112")
        street.run(33)
        assert (call.ended_by, call.answered_at, street.centre.newest.ended_by) == (NETWORK, None, THEM)
        assert street.said()[-4:] == [200, "ACK", "BYE", 200]


class TestOverRealSockets:
    """Loopback UDP, the reactor's clock."""

    def place(self, **operator):
        centre = LabOperator(reactor, random.Random(1), **operator)
        centre.listen(HOME)
        phone = LabHandset(reactor, random.Random(2), KIM, (HOME, centre.port))
        phone.listen("127.0.0.2")
        return phone, centre

    @pytest_twisted.ensureDeferred
    async def test_a_call_rings_talks_knocks_and_ends(self):
        phone, centre = self.place(ring_s=0.05)
        call = phone.call("112")
        await within(call.answered(), 120, reactor)
        heard = [call.hears(lambda e: e.heard(1000)), centre.newest.hears(lambda e: e.heard(440))]
        await within(gatherResults([*heard, phone.tap("1")]), 120, reactor)
        await within(centre.newest.hears(lambda e: e.digits == "1"), 120, reactor)
        assert await within(centre.hang_up(), 120, reactor) is US
        assert await within(call.ended(), 120, reactor) is THEM
        assert [each.status for each in call.provisionals] == [180]
        assert centre.invites[0].source == ("127.0.0.2", phone.port)
        await gatherResults([phone.close(), centre.close()])

    @pytest_twisted.ensureDeferred
    async def test_giving_up_after_five_milliseconds(self):
        phone, centre = self.place()
        call = phone.call("112")
        assert await within(call.give_up(0.005), 120, reactor) is US
        await within(centre.wait_for(lambda each: each.calls and each.newest.is_over), 120, reactor)
        assert (call.status, centre.newest.status) == (487, 487)
        await gatherResults([phone.close(), centre.close()])

    @pytest_twisted.ensureDeferred
    async def test_ten_calls_at_once_are_easy(self):
        phone, centre = self.place(ring_s=0, lines=10)
        began, cpu = time.monotonic(), time.process_time()
        calls = [phone.call("112") for _ in range(10)]
        await within(gatherResults([call.answered() for call in calls]), 120, reactor)
        hears = [leg.hears(lambda e: e.packets >= 25) for leg in (*calls, *centre.calls)]
        await within(gatherResults(hears), 120, reactor)
        share = (time.process_time() - cpu) / (time.monotonic() - began)
        assert all(call.ears.heard(1000) for call in calls)
        assert all(taken.ears.heard(440) for taken in centre.calls)
        assert share < 0.8
        over: Deferred = gatherResults([call.hang_up() for call in calls])
        await within(over, 120, reactor)
        await gatherResults([phone.close(), centre.close()])


def test_a_request_within_a_call_is_answered_and_one_that_is_not_ends_the_call():
    street = Street()
    call, centre = street.up()

    key = call.inform("5")
    street.run(0.1)
    assert result_of(key).status == 200
    assert centre.info_digits == "5"
    street.centre.die()
    unanswered = call.ask("INFO", headers=[("Content-Type", "text/plain")], body=b"x")
    street.run(31)
    assert call.is_up
    street.run(34)

    assert isinstance(failure_of(unanswered), Unavailable)
    assert call.ended_by is US
