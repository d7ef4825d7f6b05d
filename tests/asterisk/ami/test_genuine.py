"""Events as Asterisk writes them, and those that a caller has written into."""

from __future__ import annotations

import pytest

from telephony.asterisk.ami.genuine import is_genuine
from telephony.asterisk.ami.packets import AmiStream, Packet, encode_packet
from tests.asterisk.sos_events import CAPTURED, Held, captured, packet

HELD = Held(7)
VICTIM = Held(1).uniqueid
EVENTS = [HELD.arrives(), HELD.starts(), HELD.is_answered(), HELD.taps("5"), *HELD.hangs_up()]
FORGED = [
    f"1\r\nUniqueid: {VICTIM}",
    f"1\r\nuniqueid: {VICTIM}",
    f"1\r\nLinkedid: {VICTIM}\r\nChannel: PJSIP/x",
    "1\r\nEvent: Hangup",
    "1\r\nPrivilege: x",
    "1\r\nCause: 16\r\nStage: end\r\nDigit: 1\r\nDialStatus: ANSWER",
    f"1\r\n\r\nEvent: Hangup\r\nUniqueid: {VICTIM}\r\n",
    f"1\r\n\r\nEvent: Hangup\r\nPrivilege: call,all\r\nUniqueid: {VICTIM}\r\n\r\n",
    f"1\r\n\r\nEvent: Hangup\r\nPrivilege: call,all\r\nUniqueid: {VICTIM}",
    "1\r\n\r\n",
    "1\r\n",
]


def on_the_wire(event, key, text):
    """Let Asterisk write a value as it is, and give what we read."""
    octets = encode_packet([(name, "@@" if name == key else value) for name, value in event.headers])
    stream = AmiStream(expects_banner=False)
    return stream.feed(octets.replace(b"@@", text.encode()) + encode_packet([("Event", "Next")]))


def test_every_captured_event_is_genuine():
    events = [each for file in CAPTURED.glob("*.jsonl") for each in captured(file.stem)]

    assert len(events) > 100
    assert [each for each in events if not is_genuine(each)] == []


@pytest.mark.parametrize("text", FORGED, ids=range(len(FORGED)))
@pytest.mark.parametrize("key", ["CallerIDNum", "Exten"])
@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.get("Stage") or event.event)
def test_lines_in_a_number_make_no_event_that_is_believed(event, key, text):
    """None of what is read as genuine names the victim, and nothing of the forger's channel is believed by halves."""
    *found, following = on_the_wire(event, key, text)

    believed = [
        each for each in found if is_genuine(each) and each.headers[0][1] in {e.event for e in EVENTS}
    ]
    assert believed == []
    assert following.event == "Next"


@pytest.mark.parametrize("text", ["1\nUniqueid: x\n\nEvent: Hangup\n\n", "1\rUniqueid: x\r\r", "1\0"])
def test_a_bare_line_feed_or_carriage_return_is_part_of_the_number(text):
    event, _ = on_the_wire(HELD.arrives(), "CallerIDNum", text)

    assert is_genuine(event)
    assert event.get("Uniqueid") == HELD.uniqueid
    assert event.get("CallerIDNum").startswith("1\\x")


@pytest.mark.parametrize(
    "missing", ["Privilege", "Channel", "CallerIDNum", "Context", "Uniqueid", "Linkedid"]
)
def test_an_event_without_one_of_asterisks_own_keys_is_not_believed(missing):
    headers = [(key, value) for key, value in HELD.arrives().headers if key != missing]

    assert not is_genuine(Packet(tuple(headers)))


def test_keys_that_asterisk_may_add_one_day_harm_nothing():
    headers = list(HELD.starts().headers)
    for place in (2, 5, 12, len(headers)):
        headers.insert(place, ("TenantID", "x"))

    assert is_genuine(Packet(tuple(headers)))


def test_a_dial_by_nobody_names_the_dialled_channel_alone():
    headers = [
        each for each in HELD.is_answered().headers if each[0] == "Privilege" or each[0].startswith("D")
    ]

    assert is_genuine(Packet((("Event", "DialEnd"), *headers)))


def test_events_that_this_house_does_not_read_are_no_matter():
    assert is_genuine(packet(Event="Newstate", Uniqueid="x"))
    assert not is_genuine(packet(CallerIDName="x", Event="Newstate"))
