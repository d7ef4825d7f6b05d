"""``onetouch doctor asterisk`` against a real Asterisk, and against what only pretends to be one."""

from __future__ import annotations

import json
import socket
import threading
import time

import pytest

from telephony.asterisk.blocking_ami import BlockingAmi
from telephony.asterisk.diagnosis import (
    NEEDED_MODULES,
    SOS_CONTEXTS,
    _contexts,
    _endpoints,
    diagnose,
    knocks_heard,
)
from telephony.asterisk.operator_line import OperatorLine
from telephony.asterisk.settings import AsteriskServer
from telephony.domain.errors import Malformed, Refused, Unavailable
from telephony.fields import Secret
from tests.cli.private_asterisk import SECRET_ENV, private_asterisk


@pytest.fixture(scope="module")
def asterisk():
    with private_asterisk() as running:
        yield running


def server(port: int, name: str = "voice-1", timeout_s: float = 0.3) -> AsteriskServer:
    return AsteriskServer(
        name=name,
        port=port,
        secret=Secret(env="X"),
        connect_timeout_s=timeout_s,
        response_timeout_s=timeout_s,
    )


TRUNKS = ["skt-voice", "kt-voice"]
"""Those of the dialplans."""


def by_what(told):
    return {each.what: each for each in told}


@pytest.fixture
def pretend():
    """A server on loopback: writes what a test says, piece by piece, and never answers."""
    opened = []

    def listen(*pieces: bytes, pause_s: float = 0.0) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        opened.append(listener)

        def serve() -> None:
            try:
                connection, _ = listener.accept()
                opened.append(connection)
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(pause_s)
            except OSError:
                return  # the test is over

        threading.Thread(target=serve, daemon=True).start()
        return listener.getsockname()[1]

    yield listen
    for each in opened:
        each.close()


def test_a_healthy_asterisk_is_told_line_by_line_and_gives_zero(run, config, asterisk, monkeypatch):
    asterisk.settings(config)
    monkeypatch.setenv(SECRET_ENV, asterisk.secret)

    result = run("doctor", "asterisk", "--config", config, "--json")

    told = [json.loads(line) for line in result.output.splitlines()]
    assert result.exit_code == 0, result.output
    assert all(each["is_fine"] for each in told)
    found = {each["what"]: each["found"] for each in told}
    assert found["systemname"] == "voice-1"
    assert found["channels"] == "0 up"
    assert "from-kt-voice, from-skt-voice" in found["contexts"]
    assert found["journal"] == "0 calls noted"
    assert "heard are keys sent as telephone-event/8000 or INFO" in found["knocks"]
    assert found["keys"] == "those pressed at the centre end here"
    assert {"version", "up since", "clock", "endpoint", "modules", "reachable", "login"} <= found.keys()


def test_the_table_says_what_to_do_and_gives_one(run, config, asterisk, monkeypatch):
    asterisk.settings(config, name="voice-2")
    monkeypatch.setenv(SECRET_ENV, asterisk.secret)

    result = run("doctor", "asterisk", "--config", config)

    assert result.exit_code == 1
    assert result.output.count("FAILED") == 1
    assert "systemname" in result.output


def test_a_wrong_secret_is_told_as_such(run, config, asterisk, monkeypatch):
    asterisk.settings(config)
    monkeypatch.setenv(SECRET_ENV, "wrong")

    result = run("doctor", "asterisk", "--config", config, "--json")

    told = [json.loads(line) for line in result.output.splitlines()]
    assert result.exit_code == 1
    assert [each["what"] for each in told] == ["reachable", "login"]
    assert "manager.conf" in told[1]["do"]
    assert "wrong" not in result.output.replace("wrongly", "")


def test_without_a_secret_it_is_said_where_to_put_it(run, config, asterisk, monkeypatch):
    asterisk.settings(config)
    monkeypatch.delenv(SECRET_ENV, raising=False)

    result = run("doctor", "asterisk", "--config", config)

    assert result.exit_code == 2
    assert SECRET_ENV in result.stderr


def test_settings_without_asterisk_are_told(run, config):
    assert "names no [[asterisk]]" in run("doctor", "asterisk", "--config", config).stderr


def test_a_clock_that_differs_and_a_module_that_must_not_be_there_are_found():
    with private_asterisk(extra_modules="load = func_env.so\nnoload = func_rand.so\n") as running:
        told = diagnose(
            server(running.ami_port, timeout_s=5),
            "operator",
            running.secret,
            trunks=TRUNKS,
            now=lambda: time.time() - 10,
        )

    wrong = [(each.what, each.found) for each in told if not each.is_fine]
    assert ("modules", "func_env is loaded: a way to files or commands") in wrong
    assert ("modules", "missing: func_rand") in wrong
    assert any(what == "clock" and found.startswith("+10.") for what, found in wrong)
    assert len(wrong) == 3


@pytest.mark.parametrize(
    ("mode", "heard", "is_fine"),
    [
        ("rfc4733", "heard are keys sent as telephone-event/8000 or INFO; not those sent as tones", True),
        (
            "auto",
            "or tones where no telephone-event is offered; not those sent as telephone-event/16000",
            True,
        ),
        ("inband", "heard are keys sent as tones or INFO; not those sent as telephone-events", False),
        ("none", "heard are keys sent as INFO; not those sent as telephone-event or tones", False),
    ],
)
def test_it_is_told_in_which_forms_a_trunks_keys_are_heard(mode, heard, is_fine):
    lines = [" direct_media                       : false", f" dtmf_mode                          : {mode}"]

    [(what, found, do)] = knocks_heard("skt-voice", lines)

    assert what == "knocks"
    assert found.startswith("skt-voice: ")
    assert heard in found
    assert (do == "") is is_fine


ENDPOINTS = """\
 Endpoint:  <Endpoint/CID.....................................>  <State.....>  <Channels.>
 Endpoint:  centre-1                                             Unavailable   0 of inf
      Contact:  centre-1/sip:127.0.0.1:25901               4e8d210857 Unavail         nan
 Endpoint:  centre-2                                             Not in use    0 of inf
      Contact:  centre-2/sip:127.0.0.1:25902               b0fe248857 Avail         1.250
 Endpoint:  skt-voice                                            Unavailable   0 of inf
""".splitlines()


def test_an_endpoint_that_does_not_answer_options_is_found():
    told = list(_endpoints(ENDPOINTS, ["skt-voice"]))

    assert [found for _, found, _ in told] == [
        "centre-1: unreachable",
        "centre-2: reachable",
        "skt-voice: calls us only",
    ]
    assert [bool(do) for _, _, do in told] == [True, False, False]


SHOWN = (
    """\
[ Context 'from-skt-voice' created by 'pbx_config' ]
[ Context 'from-old-voice' created by 'pbx_config' ]
[ Context 'from-112' created by 'pbx_config' ]
""".splitlines()
    + [f"[ Context '{name}' created by 'pbx_config' ]" for name in SOS_CONTEXTS]
)


def test_a_trunk_of_the_settings_without_endpoint_or_context_is_found_and_one_that_only_asterisk_has():
    endpoints = {found: do for _, found, do in _endpoints(ENDPOINTS, ["skt-voice", "lgu-voice"])}
    contexts = {found: do for _, found, do in _contexts(SHOWN, ["skt-voice", "lgu-voice"], ["lgu-voice"])}

    said = "lgu-voice: none, though the settings have a [[carrier.trunk]] of this name"
    assert "[lgu-voice] in pjsip.conf" in endpoints[said]
    assert "dialplan check" in contexts["not loaded: from-lgu-voice"]
    assert (
        'name = "old-voice"'
        in contexts["from-old-voice takes calls, and the settings have no trunk old-voice"]
    )
    assert [do for _, _, do in _contexts(SHOWN, ["skt-voice", "old-voice"], ["skt-voice"])] == [""]


def test_nobody_there_is_told():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]

    told = diagnose(server(port), "operator", "x")

    assert [each.what for each in told] == ["reachable"]
    assert "start Asterisk" in told[0].do


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ((), "no answer in time"),
        ((b"Asterisk Call Manager/5.0.2\r\n",), "no answer in time"),
        ((b"HTTP/1.1 400 Bad Request\r\n\r\n",), "no answer in time"),
        ((b"x" * 70_000,), "longer than"),
    ],
)
def test_whoever_does_not_speak_ami_is_told_in_bounded_time(pretend, pieces, words):
    began = time.monotonic()

    told = diagnose(server(pretend(*pieces)), "operator", "x")

    assert words in told[0].found
    assert time.monotonic() - began < 60


def test_octets_that_drip_do_not_hold_it():
    """py-Asterisk's own time-out begins anew with every octet."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def drip() -> None:
        connection, _ = listener.accept()
        with connection:
            while not stop.wait(0.02):
                connection.sendall(b"A")

    thread = threading.Thread(target=drip)
    thread.start()
    began = time.monotonic()

    told = diagnose(server(listener.getsockname()[1]), "operator", "x")

    stop.set()
    thread.join()
    listener.close()
    assert "no answer in time" in told[0].found
    assert time.monotonic() - began < 60


@pytest.fixture
def line(asterisk):
    with BlockingAmi("127.0.0.1", asterisk.ami_port, "operator", asterisk.secret) as ami:
        yield OperatorLine(ami, 5.0)


def test_py_asterisk_over_our_connection_gets_the_lines_of_a_command(line):
    """On its own it keeps the last of the Output lines."""
    lines = line.Command("core show applications")

    assert len(lines) > 30
    assert any(each.strip().startswith("Dial:") for each in lines)


@pytest.mark.parametrize("value", ["1\r\nAction: Originate", "1\n", "1\r", "1\0"])
def test_py_asterisk_over_our_connection_sends_no_second_action(line, value):
    with pytest.raises(Malformed):
        line.Command(value)
    with pytest.raises(Malformed):
        line.Setvar("PJSIP/x", "A", value)


def test_the_connection_tells_refusals_lists_and_events_apart(asterisk):
    with BlockingAmi("127.0.0.1", asterisk.ami_port, "operator", asterisk.secret) as ami:
        with pytest.raises(Refused):
            ami.action("NoSuchAction")
        assert ami.listing("CoreShowChannels") == []
        assert ami.take_events() is not None
        ami.action("Logoff")
        with pytest.raises(Unavailable):
            ami.action("Ping")


def test_a_module_that_is_needed_is_one_that_our_dialplans_load():
    from tests.cli.private_asterisk import DIALPLANS  # noqa: PLC0415 - one constant

    loaded = (DIALPLANS / "modules.conf").read_text()

    assert [name for name in NEEDED_MODULES if f"load = {name}.so" not in loaded] == []


def test_the_shipped_account_of_people_at_a_terminal_is_enough_for_the_doctor_and_hears_no_call():
    """A SOSCall event tells who calls and the token of the incident."""
    call = (("Channel", "Local/s@sos-up/n"), ("Application", "Wait"), ("Data", "600"), ("Async", "true"))
    with private_asterisk(has_shipped_manager=True) as asterisk:

        def logged_in(name: str) -> BlockingAmi:
            return BlockingAmi("127.0.0.1", asterisk.ami_port, name, asterisk.secret)

        told = diagnose(server(asterisk.ami_port, timeout_s=5), "operator", asterisk.secret, trunks=TRUNKS)
        with logged_in("operator") as ami, logged_in("onetouch") as daemon:
            daemon.action("Originate", call)
            until = time.monotonic() + 60
            while "Newchannel" not in (each.event for each in daemon.take_events()):
                assert time.monotonic() < until
                daemon.action("Ping")
            # What is queued for a session leaves before the answer to its next action.
            for _ in range(2):
                ami.action("Ping")
            heard = {each.event for each in ami.take_events()}

    assert [each.found for each in told if not each.is_fine] == []
    assert heard == {"FullyBooted"}
