"""The desks of the daemon: whoever signs people up by text reminds their guardians as well."""

from __future__ import annotations

import random

from twisted.internet import task

from telephony.assembly.daemon import Daemon
from telephony.assembly.people import DesksPart
from telephony.assembly.surroundings import Outside
from telephony.services.people.reminders import Reminders
from telephony.settings import load
from tests.doubles import Inline

SETTINGS = """
[service]
state_dir = "{state}"
[recognition]
sos_numbers = ["112"]
service_numbers = ["1120"]
[[carrier]]
name = "skt"
[[carrier.smpp]]
name = "skt-1"
host = "127.0.0.1"
system_id = "onetouch"
[[psap]]
name = "seoul"
addresses = "seoul"
[[psap.channel]]
name = "seoul-a"
url = "http://127.0.0.1:8112/"
"""
SMS = """
[sms]
sender = "1120"
"""


class Reactor(task.Clock):
    """A clock that takes the daemon's look-up of names."""

    def installNameResolver(self, resolver):
        return resolver


def desks(folder, settings) -> DesksPart:
    path = folder / "onetouch.toml"
    path.write_text(settings.format(state=folder / "state"))
    daemon = Daemon(load(path), Outside(Reactor(), random.Random(1), lambda name, threads: Inline()))
    return next(piece for piece in daemon if isinstance(piece, DesksPart))


def test_a_daemon_that_texts_reminds_guardians(tmp_path):
    assert [type(piece) for piece in desks(tmp_path, SETTINGS + SMS)] == [Reminders]


def test_a_daemon_without_texts_reminds_nobody(tmp_path):
    assert list(desks(tmp_path, SETTINGS)) == []
