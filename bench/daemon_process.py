"""Runs a daemon for a measurement: its settings, its process, its CPU time and memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

SETTINGS = """
[service]
state_dir = "{state}"
[recognition]
sos_numbers = ["112"]
[locating]
interval_s = {interval}
[log]
file = "{folder}/log"
level = "{level}"
{more}
[[carrier]]
name = "skt"
[[carrier.smpp]]
name = "skt-1"
host = "127.0.0.1"
port = {smsc}
system_id = "bench"
{lbs}
[[psap]]
name = "seoul"
addresses = "112.seoul.example"
[[psap.channel]]
name = "seoul-a"
url = "http://127.0.0.1:{psap}/cap"
"""
LBS = """
[carrier.lbs]
url = "http://127.0.0.1:{mlp}/"
client_id = "bench"
"""


class DaemonProcess:
    """``onetouch serve`` on one core, in a folder of its own."""

    def __init__(
        self, folder: Path, *, smsc: int, psap: int, mlp: int | None, core: int | None = 0, level: str = "info",
        interval: float = 3600.0, environment: dict[str, str] | None = None, more: str = "",
    ) -> None:  # fmt: skip
        self.folder = folder
        lbs = LBS.format(mlp=mlp) if mlp is not None else ""
        self.config = folder / "onetouch.toml"
        self.config.write_text(
            SETTINGS.format(
                folder=folder,
                state=folder / "state",
                smsc=smsc,
                psap=psap,
                lbs=lbs,
                level=level,
                interval=interval,
                more=more,
            )
        )
        command = self._command(smsc)
        if core is not None:
            command = ["taskset", "-c", str(core), *command]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | (environment or {}), stderr=(folder / "stderr").open("wb")
        )

    def _command(self, smsc: int) -> list[str]:  # noqa: ARG002 - of those that have no settings
        return [sys.executable, "-m", "telephony", "serve", "--config", str(self.config)]

    @property
    def cpu_s(self) -> float:
        """CPU seconds used so far, user and system."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def rss_mib(self) -> float:
        """Resident memory in MiB."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return float("nan")

    def stop(self) -> None:
        """Stop as an operator would."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def result_line(name: str, **values: Any) -> dict[str, Any]:
    """One row of a result table."""
    return {"what": name, **values}


class PrototypeProcess(DaemonProcess):
    """`bench/prototype.py` in the daemon's place: it answers, and tells nobody."""

    def _command(self, smsc: int) -> list[str]:
        return [sys.executable, str(ROOT / "bench" / "prototype.py"), str(smsc), str(self.folder / "presses")]
