"""``onetouch check``: faults of the settings, then far ends that cannot be reached."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
import threading
from datetime import timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import make_url

import telephony.cli.check  # noqa: F401 - as it is, before a test changes what it takes from others
from telephony.asterisk.ami.packets import AmiStream, encode_packet
from telephony.lab.ports import free_port
from telephony.smpp.wire.building import build
from telephony.smpp.wire.codec import PduStream, decode_bind
from tests.pem_files import write_pair


class Listener:
    """Takes one connection at a time on loopback and keeps the PDUs it gets; answers as a test says."""

    def __init__(self, answer=None) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.got = []
        self._answer = answer
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                cutter = PduStream()
                while octets := connection.recv(65_536):
                    for pdu in cutter.feed(octets):
                        self.got.append(pdu)
                        if self._answer is not None:
                            connection.sendall(self._answer(pdu))

    def close(self) -> None:
        with contextlib.suppress(OSError):  # closed twice
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class ManagerInterface(Listener):
    """Takes connections as an Asterisk does, and knows one account."""

    def __init__(self, secret: str) -> None:
        self._key = hashlib.md5(f"4711{secret}".encode(), usedforsecurity=False).hexdigest()
        super().__init__()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with (
                connection,
                contextlib.suppress(OSError),
            ):  # a client that only tries the way has gone before the banner came
                connection.sendall(b"Asterisk Call Manager/5.0.4\r\n")
                self._serve_one(connection)

    def _serve_one(self, connection) -> None:
        stream = AmiStream()
        stream.feed(b"no banner comes from this side\r\n")
        while octets := connection.recv(65_536):
            for action in stream.feed(octets):
                self.got.append(action.get("Action"))
                connection.sendall(encode_packet([*self._reply(action), ("ActionID", action.action_id)]))

    def _reply(self, action):
        if action.get("Action") == "Challenge":
            return [("Response", "Success"), ("Challenge", "4711")]
        if (action.get("Username"), action.get("Key")) == ("onetouch", self._key):
            return [("Response", "Success"), ("Message", "Authentication accepted")]
        return [("Response", "Error"), ("Message", "Authentication failed")]


@pytest.fixture
def listen():
    opened = []

    def open_one(answer=None, server=None):
        opened.append(server or Listener(answer))
        return opened[-1]

    yield open_one
    for listener in opened:
        listener.close()


def agree(pdu):
    return build(f"{pdu.name}_resp", pdu.sequence)


def refuse(pdu):
    return build(f"{pdu.name}_resp", pdu.sequence, status=0x0E)


def test_good_settings_give_zero_and_say_so(run, config):
    result = run("check", "--config", config)

    assert result.exit_code == 0
    assert result.output == f"{config}: no faults; 1 carrier, 1 link, 1 centre\n"


def test_every_fault_is_told_on_a_line_and_gives_two(run, config):
    config.write_text(config.read_text().replace("port = 1", "port = 0").replace('"112"', ""))

    result = run("check", "--config", config)

    assert result.exit_code == 2
    told = result.stdout.splitlines()
    assert told[0].startswith(f"{config}:5: recognition.sos_numbers: is empty; write ")
    assert told[1].startswith(f"{config}:11: (link skt-1) port: 0 is not a port number; write ")
    assert len(told) == 2


def with_certificate(config, **dates):
    """Give the link a certificate of these dates, named on line 9."""
    files = config.with_name("own.pem"), config.with_name("own.key")
    write_pair(*files, **dates)
    tls = f'tls = {{client_certificate = "{files[0]}", client_key = "{files[1]}"}}'
    config.write_text(config.read_text().replace("[[carrier.smpp]]", f"[[carrier.smpp]]\n{tls}"))


def test_a_certificate_that_has_expired_gives_two_and_the_far_ends_are_tried_all_the_same(run, config):
    with_certificate(config, ends_in=timedelta(days=-1))

    result = run("check", "--config", config, "--links")

    first, *others = result.stdout.splitlines()
    assert result.exit_code == 2
    assert first.startswith(f"{config}:9: (link skt-1) tls.client_certificate: ")
    assert [": FAILED: Connection refused" in line for line in others] == [True] * 3


def test_a_certificate_that_soon_ends_is_a_remark_and_gives_zero(run, config):
    with_certificate(config, ends_in=timedelta(days=9))

    result = run("check", "--config", config)

    remark, verdict = result.stdout.splitlines()
    assert result.exit_code == 0
    assert remark.startswith(f"{config}:9: remark: (link skt-1) tls.client_certificate: ")
    assert ": no faults; " in verdict


def test_a_person_reads_faults_set_out_at_the_width_of_the_terminal(run, config, monkeypatch):
    monkeypatch.setattr("telephony.cli.told_faults.is_terminal", lambda **_: True)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(config.parent)
    config.write_text(config.read_text().replace("port = 1", "port = 0").replace('"112"', '"112", "[bold]"'))

    result = run("check", "--config", config.name)

    assert result.stdout.splitlines() == [
        "fault onetouch.toml:5 recognition.sos_numbers[1]",
        '    "[bold]" does not fit here',
        "    → write a number in quotes: digits, *, # and +, 24 at most, e.g. sos_numbers",
        '      = ["112"]',
        "fault onetouch.toml:11 (link skt-1) port",
        "    0 is not a port number",
        "    → write a number from 1 to 65535, e.g. port = 2775",
        "2 faults; docs/configuration.md explains every key",
    ]


def test_a_person_reads_far_ends_as_a_table_of_eighty_columns(run, config, monkeypatch):
    monkeypatch.setattr("telephony.cli.check.is_terminal", lambda **_: True)
    monkeypatch.setenv("COLUMNS", "80")

    result = run("check", "--config", config, "--links")

    heading, smsc, *others = result.stdout.splitlines()[1:]
    assert heading.split() == ["what", "name", "where", "result", "ms"]
    assert smsc.split()[:6] == ["SMSC", "skt-1", "127.0.0.1:1", "FAILED", "Connection", "refused"]
    assert all(len(line) <= 80 for line in (heading, smsc, *others))


def test_serve_tells_the_same_faults_and_does_not_start(run, config):
    config.write_text("x = 1")

    result = run("serve", "--config", config)

    assert result.exit_code == 2
    assert "x: is not a key that is known here" in result.stderr


def test_remarks_are_told_and_change_no_exit_code(run, config):
    config.write_text(
        config.read_text().replace('http://127.0.0.1:1/"\nclient', 'http://192.0.2.1/"\nclient')
    )

    result = run("check", "--config", config)

    assert result.exit_code == 0
    assert f"{config}:14: remark: (carrier skt) lbs.url: http:// is not encrypted; write" in result.output


def test_a_journal_that_cannot_be_written_is_a_remark(run, config, tmp_path, monkeypatch):
    assert "remark: journal" not in run("check", "--config", config).output
    journal = tmp_path / "journal"
    journal.mkdir()
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != journal and access(path, mode))

    told = run("check", "--config", config)

    assert told.exit_code == 0
    assert f"remark: journal: {journal} cannot be written by this account" in told.output


def test_a_volume_without_room_for_the_journal_is_a_remark(run, config, tmp_path, monkeypatch):
    journal = tmp_path / "journal"
    journal.mkdir()
    (journal / "0000000001.segment").touch()  # of 4 MiB
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=10 << 8, f_frsize=4096))

    told = run("check", "--config", config)

    assert told.exit_code == 0
    assert (
        f"remark: journal.largest_mib: 64 MiB are wanted, and the volume of {journal} has room for 14 MiB"
        in told.output
    )
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=60 << 8, f_frsize=4096))
    assert "remark: journal" not in run("check", "--config", config).output


def test_segments_that_nothing_takes_up_are_a_remark(run, config, tmp_path):
    with config.open("a") as file:
        file.write('[journal]\nack_after = "store"\n')
    journal = tmp_path / "journal"
    journal.mkdir()
    assert "remark: journal" not in run("check", "--config", config).output
    (journal / "0000000001.segment").touch()

    assert (
        f'{config}:23: remark: journal.ack_after: 1 segments stand in {journal}, and with "store" nothing takes'
        in run("check", "--config", config).output
    )


@pytest.mark.parametrize(
    ("mode", "words"),
    [(0o755, "others may read"), (None, "nothing there is sealed"), (0o700, None)],
    ids=["open", "not there", "private"],
)
def test_a_folder_of_recordings_that_others_may_read_or_we_may_not_is_a_remark(
    run, config, tmp_path, mode, words
):
    folder = tmp_path / "monitor"
    if mode is not None:
        folder.mkdir()
        folder.chmod(mode)
    (tmp_path / "secret").write_text("s3cret")
    server = (
        f'[[asterisk]]\nname = "voice-1"\nsecret = {{file = "{tmp_path}/secret"}}\nrecordings = "{folder}"\n'
    )
    config.write_text(config.read_text() + server)

    result = run("check", "--config", config)

    told = [line for line in result.output.splitlines() if "remark: (Asterisk voice-1) recordings" in line]
    assert result.exit_code == 0
    assert len(told) == (words is not None)
    assert words is None or words in told[0]


def test_endpoints_in_the_clear_are_told_where_their_folder_is_named(run, config, tmp_path):
    (tmp_path / "pjsip.conf").write_text("[centre]\ntype = endpoint\nmedia_encryption = dtls\n")

    told = run("check", "--config", config, "--dialplans", tmp_path)
    untold = run("check", "--config", config)

    assert (told.exit_code, untold.exit_code) == (0, 0)
    assert f"{tmp_path}/pjsip.conf:1: remark: (centre): SIP without TLS" in told.output
    assert "pjsip.conf" not in untold.output


def test_far_ends_that_answer_are_fine_and_get_no_octet(run, make_config, listen):
    smsc, lbs, psap = listen(), listen(), listen()
    config = make_config(smsc=smsc.port, lbs=lbs.port, psap=psap.port)

    result = run("check", "--config", config, "--links")

    assert result.exit_code == 0, result.output
    assert result.output.count("connected") == 3
    assert smsc.got == []


def test_a_far_end_that_cannot_be_reached_gives_one(run, make_config, listen):
    smsc, lbs, psap = listen(), listen(), listen()
    psap.close()
    config = make_config(smsc=smsc.port, lbs=lbs.port, psap=psap.port)

    result = run("check", "--config", config, "--links")

    assert result.exit_code == 1
    lines = result.output.splitlines()[1:]
    assert [": connected, " in line for line in lines] == [True, True, False]
    assert (
        f"{config}:21: (channel centre-a) url 112 127.0.0.1:{psap.port}: FAILED: Connection refused"
        in lines[2]
    )


def test_the_server_of_the_store_is_connected_to_as_the_daemon_does(run, make_config, listen, postgresql_url):
    url = make_url(postgresql_url)
    config = make_config(smsc=listen().port, lbs=listen().port, psap=listen().port)
    good = config.read_text() + f'[store]\nurl = "{postgresql_url}"\n'
    config.write_text(good)

    fine = run("check", "--config", config, "--links")
    config.write_text(good.replace(f"/{url.database}", "/another"))
    wrong = run("check", "--config", config, "--links")

    assert fine.exit_code == 0, fine.output
    assert "connected, PostgreSQL" in " ".join(fine.output.split())
    assert wrong.exit_code == 1
    assert "does not exist" in " ".join(re.sub("[│┃]", " ", wrong.output).split())


def test_a_trial_bind_is_a_transmitter_and_is_taken_back(run, make_config, listen):
    """No press is sent to a transmitter, so none can get stuck in the check."""
    smsc, web = listen(agree), listen()
    config = make_config(smsc=smsc.port, lbs=web.port, psap=web.port)

    result = run("check", "--config", config, "--bind")

    assert result.exit_code == 0, result.output
    assert [pdu.name for pdu in smsc.got] == ["bind_transmitter", "unbind"]
    assert decode_bind(smsc.got[0].command_id, smsc.got[0].body).system_id == "onetouch"


def test_a_refused_bind_is_told_by_its_name(run, make_config, listen):
    smsc, web = listen(refuse), listen()
    config = make_config(smsc=smsc.port, lbs=web.port, psap=web.port)

    result = run("check", "--config", config, "--bind")

    assert result.exit_code == 1
    assert "ESME_RINVPASWD" in result.output


def test_something_that_does_not_speak_smpp_is_told(run, make_config, listen):
    smsc, web = listen(lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n"), listen()
    config = make_config(smsc=smsc.port, lbs=web.port, psap=web.port)

    result = run("check", "--config", config, "--bind")

    assert result.exit_code == 1
    assert "does not speak" in result.output


@pytest.fixture
def with_asterisk(make_config, listen, monkeypatch):
    """Settings that name an Asterisk at a port, everything else answering."""
    monkeypatch.setenv("AMI_SECRET", "correct horse")

    def write(port):
        smsc, web = listen(agree), listen()
        config = make_config(smsc=smsc.port, lbs=web.port, psap=web.port)
        config.write_text(
            config.read_text().replace(
                "[carrier.lbs]", '[[carrier.trunk]]\nname = "skt-voice"\n[carrier.lbs]'
            )
            + f'[web]\n[[asterisk]]\nname = "voice-1"\nport = {port}\nsecret = {{env = "AMI_SECRET"}}\n'
        )
        return config

    return write


def test_an_asterisk_is_connected_to_and_gets_no_octet(run, with_asterisk, listen):
    asterisk = listen(server=ManagerInterface("correct horse"))

    result = run("check", "--config", with_asterisk(asterisk.port), "--links")

    assert result.exit_code == 0, result.output
    assert "1 carrier, 1 link, 1 trunk, 1 Asterisk server, 1 centre" in result.output
    assert result.output.count(": connected, ") == 4
    assert asterisk.got == []


def test_an_asterisk_that_is_not_there_gives_one(run, with_asterisk, listen):
    asterisk = listen()
    asterisk.close()

    result = run("check", "--config", with_asterisk(asterisk.port), "--links")

    assert result.exit_code == 1
    assert "Connection refused" in result.output


def test_a_trial_login_answers_the_challenge_and_is_told(run, with_asterisk, listen):
    asterisk = listen(server=ManagerInterface("correct horse"))

    result = run("check", "--config", with_asterisk(asterisk.port), "--bind")

    assert result.exit_code == 0, result.output
    assert asterisk.got == ["Challenge", "Login"]
    assert "logged in" in result.output


def test_a_refused_login_is_told_in_asterisks_words_without_the_secret(run, with_asterisk, listen):
    asterisk = listen(server=ManagerInterface("another one"))

    result = run("check", "--config", with_asterisk(asterisk.port), "--bind")

    assert result.exit_code == 1
    assert "FAILED" in result.output
    assert "correct horse" not in result.output


def test_something_that_is_no_manager_interface_is_told(run, with_asterisk, listen):
    config = with_asterisk(listen(lambda _: b"").port)
    config.write_text(config.read_text() + "login_timeout_s = 0.2\n")

    result = run("check", "--config", config, "--bind")

    assert result.exit_code == 1
    assert result.output.count("FAILED") == 1


def test_ports_of_ours_are_free_or_taken_and_an_address_of_another_machine_gives_one(
    run, make_config, listen
):
    other, held = listen(), listen()
    config = make_config(smsc=other.port, lbs=other.port, psap=other.port)
    settings = config.read_text()
    ours = '[smpp_server]\ninterface = "{}"\nport = {}\n'

    config.write_text(settings + ours.format("127.0.0.1", free_port()))
    free = run("check", "--config", config, "--links")
    config.write_text(settings + ours.format("127.0.0.1", held.port))
    taken = run("check", "--config", config, "--links")
    config.write_text(settings + ours.format("192.0.2.1", free_port()))
    elsewhere = run("check", "--config", config, "--links")

    assert (free.exit_code, taken.exit_code, elsewhere.exit_code) == (0, 0, 1)
    assert "free" in free.output
    assert "taken: by the daemon" in " ".join(taken.output.split())
    assert "FAILED" in elsewhere.output
