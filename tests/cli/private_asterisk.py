"""A private Asterisk that runs for a test, its endpoints on loopback, and settings that name it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from telephony.asterisk.dialplan_files import read_dialplan
from telephony.asterisk.instance import Instance
from telephony.lab.private_check import running
from telephony.lab.trial_far_ends import FarEnds

DIALPLANS = Path(__file__).parents[2] / "dialplans"
SECRET_ENV = "ONETOUCH_OPERATOR_SECRET"


@dataclass(frozen=True)
class Running:
    """Its configuration folder, where its manager interface is, and the operator's secret."""

    etc: Path
    ami_port: int
    secret: str

    def settings(self, config: Path, name: str = "voice-1") -> None:
        """Add it to a settings file."""
        secret = config.with_name("daemons.secret")
        secret.write_text("not used by people at a terminal")
        config.write_text(
            f'{config.read_text()}\n[[carrier.trunk]]\nname = "skt-voice"\n[[carrier.trunk]]\nname = "kt-voice"\n[[asterisk]]\nname = "{name}"\nport = {self.ami_port}\n'
            f'secret = {{ file = "{secret}" }}\n'
        )


@contextmanager
def private_asterisk(
    name: str = "voice-1", extra_modules: str = "", *, has_shipped_manager: bool = False
) -> Iterator[Running]:
    """``has_shipped_manager``: with the rights of dialplans/manager.conf; both its accounts have the one secret."""
    far_ends = FarEnds(
        ["centre-1", "centre-2", "centre-3", "centre-voice", "guardian"], ["skt-voice", "kt-voice"]
    )
    root = Path(tempfile.mkdtemp(prefix="ot-", dir="/tmp"))
    try:
        files = far_ends.files(read_dialplan(DIALPLANS).globals, "")
        if has_shipped_manager:
            shipped = (DIALPLANS / "manager.conf").read_text()
            assert "port = 5038" in shipped
            secret = f"secret = {far_ends.secret}\n"
            files["manager.conf"] = shipped.replace("port = 5038", f"port = {far_ends.ami_port}")
            files |= {"manager.secret.conf": secret, "manager.operator-secret.conf": secret}
        modules = (DIALPLANS / "modules.conf").read_text() + extra_modules
        instance = Instance(root, name, DIALPLANS, {**files, "modules.conf": modules})
        (instance.etc / "globals.local.conf").unlink()
        with running(instance, far_ends.ami_port, far_ends.secret):
            yield Running(instance.etc, far_ends.ami_port, far_ends.secret)
    finally:
        far_ends.close()
        shutil.rmtree(root)
