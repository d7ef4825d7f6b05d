"""A private Asterisk that runs for a test, its endpoints on loopback, and settings that name it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from telephony.asterisk.dialplan.files import read_dialplan
from telephony.asterisk.instance import Instance
from telephony.lab.trial.check import running
from telephony.lab.trial.far_ends import FarEnds

DIALPLANS = Path(__file__).parents[2] / "dialplans"


@dataclass(frozen=True)
class Running:
    """Its configuration folder, where its manager interface is, and the secret of the daemon's account."""

    etc: Path
    ami_port: int
    secret: str

    def settings(self, config: Path, name: str = "voice-1") -> None:
        """Add it to a settings file."""
        secret = config.with_name("daemons.secret")
        secret.write_text(self.secret)
        config.write_text(
            f'{with_trunks(config)}\n[[asterisk]]\nname = "{name}"\nport = {self.ami_port}\n'
            f'secret = {{ file = "{secret}" }}\n'
        )


def with_trunks(config: Path) -> str:
    """The text of a settings file with the trunks and the service number of the dialplans."""
    trunks = "".join(f'[[carrier.trunk]]\nname = "{name}"\n' for name in ("skt-voice", "kt-voice"))
    written = config.read_text().replace(
        'sos_numbers = ["112"]', 'sos_numbers = ["112"]\nservice_numbers = ["1588112"]'
    )
    return f"{written}\n{trunks}"


@contextmanager
def private_asterisk(
    name: str = "voice-1", extra_modules: str = "", without: tuple[str, ...] = ()
) -> Iterator[Running]:
    """With the accounts of dialplans/manager.conf, and one of the tests' own (operator) that may do anything.

    ``without`` are files that it has not.
    """
    far_ends = FarEnds(
        ["centre-1", "centre-2", "centre-3", "centre-voice", "guardian"], ["skt-voice", "kt-voice"]
    )
    root = Path(tempfile.mkdtemp(prefix="ot-", dir="/tmp"))
    try:
        files = far_ends.files(read_dialplan(DIALPLANS).globals, "")
        shipped = (DIALPLANS / "manager.conf").read_text()
        assert "port = 5038" in shipped
        shipped = shipped.replace("port = 5038", f"port = {far_ends.ami_port}")
        _, _, own = files["manager.conf"].partition("[operator]")
        files["manager.conf"] = f"{shipped}\n[operator]{own}"
        files["manager.secret.conf"] = f"secret = {far_ends.secret}\n"
        files = {each: content for each, content in files.items() if each not in without}
        modules = (DIALPLANS / "modules.conf").read_text() + extra_modules
        instance = Instance(root, name, DIALPLANS, {**files, "modules.conf": modules})
        (instance.etc / "globals.local.conf").unlink()
        with running(instance, far_ends.ami_port, far_ends.secret):
            yield Running(instance.etc, far_ends.ami_port, far_ends.secret)
    finally:
        far_ends.close()
        shutil.rmtree(root)
