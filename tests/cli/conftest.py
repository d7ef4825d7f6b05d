"""A settings file with an empty store beside it, and the command run in this process."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from telephony.cli import onetouch

SETTINGS = """
[service]
state_dir = "{folder}"
[recognition]
sos_numbers = ["112"]
[[carrier]]
name = "skt"
[[carrier.smpp]]
name = "skt-1"
host = "127.0.0.1"
port = {smsc}
system_id = "onetouch"
[carrier.lbs]
url = "http://127.0.0.1:{lbs}/"
client_id = "onetouch"
[[psap]]
name = "centre"
addresses = "centre"
[[psap.channel]]
name = "centre-a"
url = "http://127.0.0.1:{psap}/"
"""


def settings_file(folder: Path, *, smsc: int = 1, lbs: int = 1, psap: int = 1) -> Path:
    path = folder / "onetouch.toml"
    path.write_text(SETTINGS.format(folder=folder, smsc=smsc, lbs=lbs, psap=psap))
    return path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return settings_file(tmp_path)


@pytest.fixture
def make_config(tmp_path: Path):
    """A settings file whose far ends are at these ports."""
    return lambda **ports: settings_file(tmp_path, **ports)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch):
    """Run the command as a person does, into a pipe; gives its exit code and output."""
    monkeypatch.delenv("COLUMNS", raising=False)

    def invoke(*arguments: object, stdin: bytes | None = None) -> Result:
        result = CliRunner().invoke(onetouch, [str(each) for each in arguments], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke
