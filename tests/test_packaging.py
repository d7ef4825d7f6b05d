"""The unit and the rule for logrotate fit the daemon: its places, its log, the time that it takes to stop."""

from __future__ import annotations

import configparser
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from telephony.cli import onetouch
from telephony.cli.running import STOP_WITHIN_S
from telephony.settings.model import Service

ROOT = Path(__file__).resolve().parent.parent
INSTALL = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def unit() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(ROOT / "packaging" / "onetouch.service")
    return parser["Service"]


def test_the_unit_runs_a_command_that_there_is_where_the_document_installs_it(unit):
    program, *arguments = shlex.split(unit["ExecStart"])

    assert f"ln -sfn /opt/onetouch/$version/bin/onetouch {program}\n" in INSTALL
    assert (
        f"install -m 0640 -g onetouch /usr/local/share/onetouch/$version/{Path(arguments[-1]).name} "
        in INSTALL
    )
    assert CliRunner().invoke(onetouch, [*arguments, "--help"]).exit_code == 0


def test_the_unit_lets_the_daemon_write_where_its_state_is_by_default(unit):
    assert Path("/var/lib", unit["StateDirectory"]) == Service().state_dir == Path(unit["WorkingDirectory"])


def test_the_unit_waits_longer_than_the_daemon_takes_to_stop(unit):
    assert float(unit["TimeoutStopSec"]) > STOP_WITHIN_S


def test_the_rotated_log_is_the_one_of_the_sample_settings_in_a_folder_that_the_unit_makes(unit):
    rule = (ROOT / "packaging" / "onetouch.logrotate").read_text(encoding="utf-8")
    sample = (ROOT / "config" / "onetouch.toml").read_text(encoding="utf-8")

    rotated = re.search(r"^(/\S+) \{$", rule, re.MULTILINE)

    assert rotated is not None
    assert f'# file = "{rotated[1]}"\n' in sample
    assert Path(rotated[1]).parent == Path("/var/log", unit["LogsDirectory"])
