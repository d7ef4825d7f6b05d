"""What the names of far ends lead to on the daemon's machine, and which of their name servers hang."""

from __future__ import annotations

import json
from pathlib import Path

from tests.scenarios.daemon_process import ROOT, DaemonProcess

HANGS_FOR_S = 300.0
"""Longer than any test is patient; a question that comes to an answer meanwhile gets it."""

STAND_IN = '''
"""Stands in for the system's resolver: the machine of the tests has no zones of its own."""

import json, pathlib, socket, time

_ZONES = pathlib.Path({zones!r})
_system = socket.getaddrinfo

def getaddrinfo(host, port, family=0, type=0, proto=0, flags=0):
    name = host.decode() if isinstance(host, bytes) else host
    if not str(name).endswith(".example"):
        return _system(host, port, family, type, proto, flags)
    ends_at = time.monotonic() + {hangs_for_s}
    while (address := json.loads(_ZONES.read_text()).get(name)) == "hangs" and time.monotonic() < ends_at:
        time.sleep(0.5)
    if address == "hangs":
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    if address is None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return _system(address, port, family, type, proto, flags)

socket.getaddrinfo = getaddrinfo
'''


class NameServers:
    """The zones under ``.example`` as a daemon sees them that is started from now on; every verb holds at once."""

    def __init__(self, daemon: DaemonProcess) -> None:
        folder = daemon.folder / "resolver"
        folder.mkdir()
        self._zones = folder / "zones.json"
        self._answers: dict[str, str] = {}
        (folder / "sitecustomize.py").write_text(
            STAND_IN.format(zones=str(self._zones), hangs_for_s=HANGS_FOR_S)
        )
        daemon.environment |= {"PYTHONPATH": f"{folder}:{ROOT}"}
        self._write()

    def lead(self, name: str, address: str = "127.0.0.1") -> None:
        """Answer with an address."""
        self._answers[name] = address
        self._write()

    def hang(self, *names: str) -> None:
        """Leave questions about these names without an answer."""
        self._answers |= dict.fromkeys(names, "hangs")
        self._write()

    def forget(self, *names: str) -> None:
        """Say that there are no such names."""
        for name in names:
            self._answers.pop(name, None)
        self._write()

    def _write(self) -> None:
        fresh: Path = self._zones.with_suffix(".new")
        fresh.write_text(json.dumps(self._answers))
        fresh.rename(self._zones)
