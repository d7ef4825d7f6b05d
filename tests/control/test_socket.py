"""The control socket itself: who may ask, what a dead daemon left, and what somebody who only connects can do."""

from __future__ import annotations

import os
import socket
import stat

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from telephony.alarms import Alarms
from telephony.control import server as server_module
from telephony.control.client import Forbidden, NotRunning, Silent, Unreadable, ask
from telephony.control.messages import AskRetry, AskStatus, Refusal, RetryAnswer, SecretReading
from telephony.control.place import LONGEST_ADDRESS, SOCKET_FILE
from telephony.control.server import ABOUT, MOST_CONNECTIONS, ControlServer
from telephony.net.standing import Retried
from tests.control.statuses import status


class Place:
    """A server in a folder, and what it is asked."""

    def __init__(self, folder):
        self.folder, self.asked, self.alarms = folder, [], Alarms(reactor)
        self.answers = {}
        self.server = ControlServer(
            folder / SOCKET_FILE, answer=self._answer, reactor=reactor, alarms=self.alarms
        )

    async def _answer(self, request):
        self.asked.append(request)
        if isinstance(request, AskRetry):
            return RetryAnswer(name=request.name, retried=Retried.DIALLED, secret=SecretReading.SAME)
        return status()

    def ask(self, request=None, patience_s=20.0):
        return deferToThread(ask, self.folder, request or AskStatus(), patience_s)

    def connect(self, octets=b""):
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        stream.settimeout(20)
        stream.connect(str(self.folder / SOCKET_FILE))
        stream.sendall(octets)
        return stream


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path)
    yield made
    if made.server.running:
        pytest_twisted.blockon(maybeDeferred(made.server.stopService))


async def until(claim):
    for _ in range(2_000):
        if claim():
            return
        await deferLater(reactor, 0.005)
    raise AssertionError("not true in time")


@pytest_twisted.ensureDeferred
async def test_a_question_has_its_answer_and_the_file_is_for_its_owner_alone(place):
    place.server.startService()

    assert await place.ask() == status()
    answer = await place.ask(AskRetry(name="skt-1"))

    assert answer.retried is Retried.DIALLED
    assert place.asked == [AskStatus(), AskRetry(name="skt-1")]
    assert stat.S_IMODE((place.folder / SOCKET_FILE).stat().st_mode) == 0o600
    await place.server.stopService()
    assert not (place.folder / SOCKET_FILE).exists()


@pytest_twisted.ensureDeferred
async def test_the_socket_of_a_dead_daemon_is_replaced(place):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(place.folder / SOCKET_FILE))
    with pytest.raises(NotRunning, match="systemctl start"):
        await place.ask()

    place.server.startService()

    assert await place.ask() == status()


@pytest_twisted.ensureDeferred
async def test_the_socket_of_a_living_one_is_left_alone_and_an_alarm(place):
    place.server.startService()
    second = Place(place.folder)

    second.server.startService()

    (alarm,) = second.alarms.standing()
    assert (alarm.name, alarm.about) == ("not-listening", ABOUT)
    await maybeDeferred(second.server.stopService)
    assert await place.ask() == status()
    assert second.asked == []


@pytest_twisted.ensureDeferred
async def test_a_path_longer_than_a_socket_address_serves_too(tmp_path):
    folder = tmp_path / ("deep" * 30)
    folder.mkdir()
    assert len(str(folder)) > LONGEST_ADDRESS
    place = Place(folder)
    place.server.startService()

    assert await place.ask() == status()

    await place.server.stopService()
    assert list(folder.iterdir()) == []


@pytest_twisted.ensureDeferred
async def test_another_account_is_turned_away_unasked(place, monkeypatch):
    monkeypatch.setattr(server_module, "user_of", lambda _peer: 65_534)
    place.server.startService()

    with pytest.raises((Forbidden, Silent)):
        await place.ask()

    assert place.asked == []


@pytest_twisted.ensureDeferred
async def test_the_kernel_says_who_it_is(place):
    seen = []
    place.server.users = frozenset()
    place.server.turned_away = seen.append
    place.server.startService()

    with pytest.raises((Forbidden, Silent)):
        await place.ask()

    assert seen == [os.geteuid()]


@pytest_twisted.ensureDeferred
async def test_rubbish_is_refused_in_words_and_costs_nothing_else(place):
    place.server.startService()
    stream = place.connect(b"x" * 5_000)

    answer = await deferToThread(stream.recv, 10_000)
    stream.close()

    assert answer.startswith(b'{"refused":"not a request of this release')
    assert await place.ask() == status()
    assert place.asked == [AskStatus()]


@pytest_twisted.ensureDeferred
async def test_who_only_connects_is_cut_off_and_keeps_nobody_out_for_long(place, monkeypatch):
    monkeypatch.setattr(server_module, "LONGEST_S", 0.05)
    place.server.startService()
    idle = [place.connect() for _ in range(MOST_CONNECTIONS)]

    await until(lambda: place.server.connections)
    await until(lambda: not place.server.connections)

    assert await place.ask() == status()
    for stream in idle:
        stream.close()


@pytest_twisted.ensureDeferred
async def test_an_answer_that_fails_is_a_refusal_and_not_silence(place, monkeypatch):
    async def fail(_request):
        raise RuntimeError("a defect")

    place.server.answer = fail
    place.server.startService()

    answer = await place.ask()

    assert isinstance(answer, Refusal)
    assert "defect" not in answer.refused


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_does_not_answer_is_given_up_within_the_patience(place):
    async def never(_request):
        return await Deferred()

    place.server.answer = never
    place.server.startService()

    with pytest.raises(Silent, match="has not answered for"):
        await place.ask(patience_s=0.1)


@pytest_twisted.ensureDeferred
async def test_what_is_no_answer_is_said_to_be_another_release_s(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(str(tmp_path / SOCKET_FILE))
        other.listen()
        asking = deferToThread(ask, tmp_path, AskStatus(), 20.0)
        stream, _ = await deferToThread(other.accept)
        with stream:
            stream.sendall(b'{"status": "good"}\n')
            with pytest.raises(Unreadable, match="restart the daemon"):
                await asking
