"""``onetouch doctor asterisk`` against a real Asterisk, and against what only pretends to be one."""

from __future__ import annotations

import json
import re
import socket
import threading
import time

import pytest

from telephony.asterisk.operator.blocking_ami import BlockingAmi
from telephony.asterisk.operator.connection import OperatorAmi
from telephony.asterisk.operator.diagnosis import (
    NEEDED_MODULES,
    SOS_CONTEXTS,
    contexts_loaded,
    diagnose,
    judged,
    knocks_heard,
)
from telephony.asterisk.settings import AsteriskServer
from telephony.asterisk.sos.sealed_caller import KEY_FILE
from telephony.domain.errors import Malformed, Refused, Unavailable
from telephony.fields import Secret
from tests.cli.private_asterisk import DIALPLANS, private_asterisk


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


def test_a_healthy_asterisk_is_told_line_by_line_and_gives_zero(run, config, asterisk):
    asterisk.settings(config)

    result = run("doctor", "asterisk", "--config", config, "--json")

    told = [json.loads(line) for line in result.output.splitlines()]
    assert result.exit_code == 0, result.output
    assert all(each["is_fine"] for each in told)
    found = {each["what"]: each["found"] for each in told}
    assert found["systemname"] == "voice-1"
    assert found["calls"] == "0 up"
    assert "from-kt-voice, from-skt-voice" in found["contexts"]
    assert found["journal"] == "written, callers under its key"
    assert "heard are keys sent as telephone-event/8000 or INFO" in found["knocks"]
    assert found["keys"] == "those pressed at the centre end here"
    recorded = [each["found"] for each in told if each["what"] == "recordings"]
    assert recorded[0] == "SOS_RECORD = on"
    assert recorded[1].endswith("/spool/monitor: nobody else may read it")
    assert {"version", "up since", "clock", "endpoint", "modules", "reachable", "login"} <= found.keys()


def test_the_table_says_what_to_do_and_gives_one(run, config, asterisk):
    asterisk.settings(config, name="voice-2")

    result = run("doctor", "asterisk", "--config", config)

    assert result.exit_code == 1
    assert result.output.count("FAILED") == 1
    assert "systemname" in result.output
    assert "modules" not in result.output
    assert re.search(r"^1 finding, (\d+) of \d+ are well; --all shows them$", result.output, re.MULTILINE)


def test_findings_stand_first_and_the_rest_is_shown_on_demand(run, config, asterisk):
    asterisk.settings(config, name="voice-2")

    told = run("doctor", "asterisk", "--config", config, "--all").output
    plain = [
        json.loads(line)["is_fine"]
        for line in run("doctor", "asterisk", "--config", config, "--json").output.splitlines()
    ]

    assert told.index("systemname") < told.index("reachable")
    assert "modules" in told
    assert "--all" not in told
    assert plain == sorted(plain)
    assert plain.count(False) == 1


def test_where_all_is_well_a_line_says_so(run, config, asterisk):
    asterisk.settings(config)

    result = run("doctor", "asterisk", "--config", config)

    assert re.fullmatch(r"no findings, (\d+) of \1 are well; --all shows them\n", result.output)


def test_recordings_that_others_may_read_are_told(run, config, asterisk):
    asterisk.settings(config)
    folder = asterisk.etc.parent / "spool" / "monitor"
    folder.chmod(0o755)

    result = run("doctor", "asterisk", "--config", config, "--json")

    folder.chmod(0o700)
    (told,) = [each for line in result.output.splitlines() if not (each := json.loads(line))["is_fine"]]
    assert (result.exit_code, told["what"]) == (1, "recordings")
    assert told["found"].startswith(f"others may read {folder} (mode 0755")
    assert "UMask=0077" in told["do"]


def test_a_wrong_secret_is_told_as_such(run, config, asterisk):
    asterisk.settings(config)
    config.with_name("daemons.secret").write_text("wrong")

    result = run("doctor", "asterisk", "--config", config, "--json")

    told = [json.loads(line) for line in result.output.splitlines()]
    assert result.exit_code == 1
    assert [each["what"] for each in told] == ["login", "reachable"]
    assert "manager.conf" in told[0]["do"]
    assert "wrong" not in result.output.replace("wrongly", "")


def test_a_secret_that_this_account_may_not_read_is_told(run, config, asterisk):
    asterisk.settings(config)
    config.with_name("daemons.secret").unlink()

    result = run("doctor", "asterisk", "--config", config)

    assert result.exit_code == 2
    assert "daemons.secret" in result.output + result.stderr


def test_settings_without_asterisk_are_told(run, config):
    assert "names no [[asterisk]]" in run("doctor", "asterisk", "--config", config).stderr


def test_a_clock_that_differs_and_a_module_that_must_not_be_there_are_found():
    with private_asterisk(extra_modules="load = func_env.so\nnoload = func_rand.so\n") as running:
        told = diagnose(
            server(running.ami_port, timeout_s=5),
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
    found, do = knocks_heard("skt-voice", mode)

    assert found.startswith("skt-voice: ")
    assert heard in found
    assert (do == "") is is_fine


@pytest.mark.parametrize(
    ("contacts", "found", "is_fine"),
    [
        (["Reachable"], "centre-1: reachable", True),
        (["Reachable", "Unreachable"], "centre-1: unreachable", False),
        (["NonQualified"], "centre-1: there, nobody asks whether it answers (qualify_frequency = 0)", True),
        ([], "centre-1: none, or without a contact, though a route to 112 leads there", False),
    ],
)
def test_an_endpoint_of_112_is_judged_by_its_contacts(contacts, found, is_fine):
    told, do = judged("centre-1", contacts)

    assert (told, do == "") == (found, is_fine)


SHOWN = {"from-skt-voice", "from-old-voice", "from-112", *SOS_CONTEXTS}


def test_a_context_that_the_settings_need_is_missed_and_one_that_only_asterisk_has_is_found():
    told = {found: do for _, found, do in contexts_loaded(SHOWN, ["skt-voice", "lgu-voice"], ["lgu-voice"])}

    assert "dialplan check" in told["not loaded: from-lgu-voice"]
    assert (
        'name = "old-voice"' in told["from-old-voice takes calls, and the settings have no trunk old-voice"]
    )
    assert [do for *_, do in contexts_loaded(SHOWN, ["skt-voice", "old-voice"], ["skt-voice"])] == [""]


def test_a_trunk_without_its_endpoint_is_found(asterisk):
    told = diagnose(server(asterisk.ami_port, timeout_s=5), asterisk.secret, trunks=["lgu-voice", *TRUNKS])

    [wrong] = [each for each in told if each.what == "endpoint" and not each.is_fine]
    assert wrong.found == "lgu-voice: none, though the settings have a [[carrier.trunk]] of this name"
    assert "[lgu-voice] in pjsip.conf" in wrong.do


def test_a_journal_without_a_key_is_told_and_how_to_make_one():
    with private_asterisk(without=(KEY_FILE,)) as running:
        told = diagnose(server(running.ami_port, timeout_s=5), running.secret, trunks=TRUNKS)

    [wrong] = [each for each in told if not each.is_fine]
    assert (wrong.what, wrong.found) == ("journal", "no key: the numbers of callers stand in the clear")
    assert "head -c 12 /dev/urandom | base64" in wrong.do


def test_nobody_there_is_told():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]

    told = diagnose(server(port), "x")

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
def test_a_server_that_does_not_speak_ami_is_reported_in_bounded_time(pretend, pieces, words):
    began = time.monotonic()

    told = diagnose(server(pretend(*pieces)), "x")

    assert words in told[0].found
    assert time.monotonic() - began < 60


def test_octets_that_drip_do_not_hold_it():
    """py-Asterisk's own time-out begins again with every octet."""
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

    told = diagnose(server(listener.getsockname()[1]), "x")

    stop.set()
    thread.join()
    listener.close()
    assert "no answer in time" in told[0].found
    assert time.monotonic() - began < 60


@pytest.fixture
def operator_ami(asterisk):
    with BlockingAmi("127.0.0.1", asterisk.ami_port, "operator", asterisk.secret) as ami:
        yield OperatorAmi(ami, 5.0)


def test_py_asterisk_over_our_connection_gets_the_lines_of_a_command(operator_ami):
    """On its own it keeps the last of the Output lines."""
    lines = operator_ami.Command("core show applications")

    assert len(lines) > 30
    assert any(each.strip().startswith("Dial:") for each in lines)


@pytest.mark.parametrize("value", ["1\r\nAction: Originate", "1\n", "1\r", "1\0"])
def test_py_asterisk_over_our_connection_sends_no_second_action(operator_ami, value):
    with pytest.raises(Malformed):
        operator_ami.Command(value)
    with pytest.raises(Malformed):
        operator_ami.Setvar("PJSIP/x", "A", value)


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
    loaded = (DIALPLANS / "modules.conf").read_text()

    assert [name for name in NEEDED_MODULES if f"load = {name}.so" not in loaded] == []


def test_asterisk_has_no_account_for_people_and_the_daemons_may_run_no_command(asterisk):
    """Any account that may log in may ask who is in a bridge, whatever its rights (Asterisk 16)."""
    accounts = set(re.findall(r"^\[(.+)\]", (DIALPLANS / "manager.conf").read_text(), re.MULTILINE))

    with BlockingAmi("127.0.0.1", asterisk.ami_port, "onetouch", asterisk.secret) as daemon:
        with pytest.raises(Refused):
            daemon.command("core show channels")
        rights_of_nobody = [name for name, what in daemon.action("ListCommands").headers if "<none>" in what]

    assert accounts == {"general", "onetouch"}
    assert {"BridgeInfo", "BridgeDestroy"} <= set(rights_of_nobody)
