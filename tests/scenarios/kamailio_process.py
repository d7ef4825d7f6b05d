"""A real Kamailio with the sample configuration, between a carrier and the scenario's Asterisk."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from telephony.lab.phones.exchange import SECRET
from telephony.lab.ports import is_free
from tests.scenarios.daemon_process import ROOT

ADDRESS = "127.0.0.4"
PROGRAM = "/usr/sbin/kamailio"


class Kamailio:
    """It stands at `ADDRESS` and takes 127.0.0.2 for KT; everything else is as in ``config/sbc/kamailio.cfg``."""

    def __init__(self, asterisk: int, port: int, mirror: int) -> None:
        self.place = (ADDRESS, port)
        # Below /tmp: its control sockets' paths must be short.
        self._folder = Path(tempfile.mkdtemp(prefix="onetouch-sbc-", dir="/tmp"))
        config = (ROOT / "config/sbc/kamailio.cfg").read_text()
        for sample, ours in (
            ("udp:192.0.2.1:5060", f"udp:{ADDRESS}:{port}"),
            ("127.0.0.1:5080", f"127.0.0.1:{asterisk}"),
            ("127.0.0.1:9060", f"127.0.0.1:{mirror}"),
            ("192.0.2.20", "127.0.0.2"),
            ("children=4", "children=1"),
            ('# modparam("siptrace", "auth_key", "…")', f'modparam("siptrace", "auth_key", "{SECRET}")'),
        ):
            assert sample in config
            config = config.replace(sample, ours)
        file = self._folder / "kamailio.cfg"
        file.write_text(config)
        command = [PROGRAM, "-DD", "-E", "-f", str(file), "-Y", str(self._folder), "-m", "32", "-M", "4"]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, cwd=self._folder, stdout=subprocess.DEVNULL, stderr=log)

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text()

    @property
    def is_open(self) -> bool:
        assert self._process.poll() is None, self.log
        return not is_free(self.place[1], [socket.SOCK_DGRAM])

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder)
