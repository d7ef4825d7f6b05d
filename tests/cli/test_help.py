"""The command teaches: every subcommand has help with an example, and costs nothing until it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

from telephony.cli import COMMANDS

SUBCOMMANDS = [
    ("lab",),
    ("serve",),
    ("check",),
    ("incidents",),
    ("incidents", "show"),
    ("incidents", "readout"),
    ("incidents", "told"),
    ("calls",),
    ("people",),
    ("people", "import"),
    ("people", "export"),
    ("people", "show"),
    ("people", "delete"),
    ("people", "count"),
    ("people", "own"),
    ("people", "change-number"),
    ("people", "change-carrier"),
    ("people", "withdraw"),
    ("audit",),
    ("audit", "verify"),
    ("audit", "list"),
    ("audit", "approve"),
    ("audit", "retention"),
    ("keys",),
    ("keys", "init"),
    ("keys", "rotate"),
    ("keys", "show"),
    ("dialplan",),
    ("dialplan", "check"),
    ("dialplan", "reload"),
    ("doctor", "asterisk"),
    ("tail",),
    ("db",),
]


@pytest.mark.parametrize("command", SUBCOMMANDS, ids=" ".join)
def test_the_help_of_each_subcommand_shows_an_example(run, command):
    result = run(*command, "--help")

    assert result.exit_code == 0
    assert "Example" in result.output
    assert f"onetouch {' '.join(command)} " in result.output
    # click keeps the lines of an example only where it finds the character \b, and not those two letters.
    assert "\\b" not in result.output


def test_the_first_help_names_every_subcommand(run):
    result = run("--help")

    assert result.exit_code == 0
    assert all(f"  {name} " in result.output for name in COMMANDS)


def test_an_unknown_subcommand_is_refused(run):
    assert run("srve").exit_code == 2


def test_python_dash_m_is_the_same_command():
    done = subprocess.run(
        [sys.executable, "-m", "telephony", "--help"], capture_output=True, text=True, timeout=30, check=True
    )

    assert done.stdout.startswith("Usage: onetouch ")


WHAT_SERVE_LOADS = """
import sys
from telephony.cli.serve import import_structlog_without_rich
import_structlog_without_rich()
import telephony.daemon, telephony.cli.running
print([name for name in sys.modules if name.split(".")[0] in ("rich", "alembic")])
import rich.console
"""


def test_the_daemon_loads_nothing_that_only_people_at_a_terminal_need():
    done = subprocess.run(
        [sys.executable, "-c", WHAT_SERVE_LOADS], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout == "[]\n"
