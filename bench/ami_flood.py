"""Floods a daemon with AMI events: every press among them must be reported.

    python bench/ami_flood.py               10,000 events a second for 20 s, 40 presses a second among them
    python bench/ami_flood.py --rate 20000 --seconds 10 --json FILE

The manager interface is simulated on a socket (events as Asterisk 16 writes them, real order and keys); the daemon runs on
core 0 with everything on, all else on core 1. The flood is made of a busy server's events about other calls:
Newstate, NewConnectedLine, DialBegin, Newchannel and Hangup of other channels. One event in a thousand is cut in two by a
caller (``%0d%0a`` in a number).
"""

from __future__ import annotations

import argparse
import os
import random
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from daemon_process import ROOT, SETTINGS, DaemonProcess, result_line
from surroundings import Surroundings, print_table, quantile, save

BATCH_S = 0.01
AHEAD_OCTETS = 1 << 20
"""Octets that may wait for the daemon to read before the flood pauses; a real Asterisk would cut the link instead."""
SETTLED_WITHIN_S = 60.0
TRUNK = """
[[carrier.trunk]]
name = "skt-voice"
"""
VOICE = """
[[asterisk]]
name = "voice-1"
port = {port}
secret = {{file = "{secret}"}}
"""
CHANNEL = (
    "Privilege: {privilege},all\r\nTimestamp: 1795465253.150749\r\nSystemName: voice-1\r\nChannel: {channel}\r\n"
    "ChannelState: 4\r\nChannelStateDesc: Ring\r\nCallerIDNum: {number}\r\nCallerIDName: <unknown>\r\n"
    "ConnectedLineNum: <unknown>\r\nConnectedLineName: <unknown>\r\nLanguage: en\r\nAccountCode: \r\n"
    "Context: {context}\r\nExten: 112\r\nPriority: 1\r\nUniqueid: {uniqueid}\r\nLinkedid: {uniqueid}\r\n"
    "ChanVariable: SOS_ID=\r\n"
)
NOISE = ("Newstate", "NewConnectedLine", "DialBegin", "Newchannel", "Hangup")


def event(kind: str, number: str, count: int, context: str, more: str = "") -> bytes:
    """Return an event of a channel as Asterisk writes it."""
    privilege = "user" if kind == "UserEvent" else "call"
    about = CHANNEL.format(
        privilege=privilege, channel=f"PJSIP/skt-voice-{count:08x}", number=number, context=context,
        uniqueid=f"voice-1-{int(time.time())}.{count}",
    )  # fmt: skip
    return f"Event: {kind}\r\n{about}{more}\r\n".encode()


def press(caller: str, count: int) -> bytes:
    """Return the events of a held key, up to the dialplan's word."""
    said = f"UserEvent: SOSCall\r\nStage: start\r\nSOSID: x\r\nTrunk: skt-voice\r\nDialled: 112\r\nCaller: {caller}\r\n"
    said += f"Token: {count:045d}\r\nSilence: no-rtp\r\nSIPCallID: {count}@127.0.0.1\r\n"
    return event("Newchannel", caller, count, "from-skt-voice") + event(
        "UserEvent", caller, count, "sos", said
    )


class FloodedDaemon(DaemonProcess):
    """``onetouch serve`` with a trunk and an Asterisk, on core 0."""

    def __init__(self, folder: Path, *, smsc: int, psap: int, ami: int) -> None:
        self.folder = folder
        self.config = folder / "onetouch.toml"
        settings = SETTINGS.format(
            folder=folder, state=folder / "state", smsc=smsc, psap=psap, level="info", interval=3600, lbs=TRUNK, more="",
        )  # fmt: skip
        self.config.write_text(settings + VOICE.format(port=ami, secret=folder / "secret"))
        command = [sys.executable, "-m", "telephony", "serve", "--config", str(self.config)]
        self.process = subprocess.Popen(
            ["taskset", "-c", "0", *command], cwd=ROOT, stderr=(folder / "stderr").open("wb")
        )


class Flood:
    """The manager interface, on one socket."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.link: socket.socket | None = None
        self.out = bytearray()
        self._in = b""
        self.is_up = False
        self.connections = 0
        around.selector.register(self.listener, selectors.EVENT_READ, self._connected)

    def _connected(self) -> None:
        link, _ = self.listener.accept()
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.setblocking(False)
        self.link, self._in, self.is_up = link, b"", False
        self.out[:] = b"Asterisk Call Manager/5.0.4\r\n"
        self.connections += 1
        self._around.selector.register(link, selectors.EVENT_READ, self._read)
        self.write()

    def _read(self) -> None:
        assert self.link is not None
        data = self.link.recv(1 << 16)
        if not data:
            self._around.selector.unregister(self.link)
            self.link.close()
            self.link = None
            return
        *actions, self._in = (self._in + data).split(b"\r\n\r\n")
        for action in actions:
            self._answer(dict(line.split(": ", 1) for line in action.decode().split("\r\n")))
        self.write()

    def _answer(self, action: dict[str, str]) -> None:
        name, mine = action["Action"], f"ActionID: {action['ActionID']}\r\n"
        more = "Challenge: 1\r\n" if name == "Challenge" else "Value: \r\n" if name == "Getvar" else ""
        if name == "CoreShowChannels":
            more = "EventList: start\r\n"
        self.out += f"Response: Success\r\n{mine}{more}\r\n".encode()
        if name == "Login":
            self.out += b"Event: FullyBooted\r\nPrivilege: system,all\r\nStatus: Fully Booted\r\n\r\n"
        elif name == "CoreShowChannels":
            self.out += f"Event: CoreShowChannelsComplete\r\n{mine}EventList: Complete\r\n\r\n".encode()
            self.is_up = True

    def write(self) -> None:
        """Write as much as the daemon takes now."""
        if self.link is not None and self.out:
            try:
                del self.out[: self.link.send(self.out)]
            except BlockingIOError:
                return


def flood(rate: int, presses: int, seconds: float) -> dict[str, Any]:
    """Flood a daemon; return the results."""
    folder = Path(tempfile.mkdtemp(prefix="onetouch-bench-", dir=os.environ.get("BENCH_DIR")))
    around = Surroundings()
    server = Flood(around)
    (folder / "secret").write_text("lab-only")
    port = around.port
    daemon = FloodedDaemon(
        folder, smsc=port(around.smsc), psap=port(around.psap), ami=int(server.listener.getsockname()[1])
    )
    chance = random.Random(112)
    try:
        around.until(lambda: server.is_up, 30)
        sent = number = 0
        callers: set[str] = set()
        cpu, start = daemon.cpu_s, time.perf_counter()
        while (now := time.perf_counter() - start) < seconds:
            due = int(now * rate)
            while sent < due and len(server.out) < AHEAD_OCTETS:
                if sent * presses // rate > number:
                    caller = f"8210{20_000_000 + number:08d}"
                    callers.add(caller)
                    around.caller_sent[caller] = time.perf_counter()
                    server.out += press(f"0{caller[2:]}", 1_000_000 + number)
                    number += 1
                    sent += 2
                    continue
                forged = "1\r\n\r\nEvent: Hangup\r\nX" if sent % 1000 == 0 else "01099990000"
                server.out += event(chance.choice(NOISE), forged, sent, "from-112")
                sent += 1
            server.write()
            around.turn(BATCH_S)
        until = time.perf_counter() + SETTLED_WITHIN_S
        while (server.out or around.caller_sent) and time.perf_counter() < until:
            server.write()
            around.turn(BATCH_S)
        latest_s = time.perf_counter() - start - seconds
        return result_line(
            f"{rate} events/s for {seconds:g} s",
            sent=sent, reached_a_second=round(sent / (seconds + max(latest_s, 0))), presses=len(callers), told=len(around.report_latency),
            alert_p50_ms=quantile(around.report_latency, 0.5), alert_p99=quantile(around.report_latency, 0.99),
            alert_max=quantile(around.report_latency, 1.0), connections=server.connections,
            cpu_us_per_event=round((daemon.cpu_s - cpu) / sent * 1e6, 1), rss_mib=round(daemon.rss_mib, 1),
        )  # fmt: skip
    finally:
        daemon.stop()
        shutil.rmtree(folder)


def main() -> None:
    """Measure."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--rate", type=int, default=10_000)
    arguments.add_argument("--presses", type=int, default=40, help="a second, among the events")
    arguments.add_argument("--seconds", type=float, default=20.0)
    arguments.add_argument("--json", help="write the result here")
    chosen = arguments.parse_args()
    row = flood(chosen.rate, chosen.presses, chosen.seconds)
    load = os.getloadavg()[0]
    print_table(f"AMI flood (load {load:.1f})", [row])
    save({"flood": row, "load": load, "cores": os.cpu_count()}, chosen.json)


if __name__ == "__main__":
    main()
