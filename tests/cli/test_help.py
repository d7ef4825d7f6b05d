"""The command teaches: every subcommand has help with an example, and costs nothing until it is used."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from telephony.cli import COMMANDS, onetouch


def commands(command, path=()):
    """Every command below one, with its path; groups too."""
    context = click.Context(command)
    for name in command.list_commands(context) if isinstance(command, click.Group) else ():
        each = command.get_command(context, name)
        yield (*path, name), each
        yield from commands(each, (*path, name))


ALL = list(commands(onetouch))


@pytest.mark.parametrize("command", [path for path, _ in ALL], ids=" ".join)
def test_the_help_of_each_command_shows_an_example(run, command):
    result = run(*command, "--help")

    assert result.exit_code == 0
    assert "Example" in result.output
    assert f"onetouch {' '.join(command)} " in result.output
    # click keeps the lines of an example only where it finds the character \b, and not those two letters.
    assert "\\b" not in result.output


@pytest.mark.parametrize(
    "command", [path for path, each in ALL if not isinstance(each, click.Group)], ids=" ".join
)
def test_the_help_of_each_command_tells_its_exit_codes(run, command):
    told = " ".join(run(*command, "--help").output.split())

    assert re.search(r"Exit codes( of --press)?: 0 ", told)


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
import telephony.assembly.daemon, telephony.cli.running
print([name for name in sys.modules if name.split(".")[0] in ("rich", "alembic")])
import rich.console
"""


def test_the_daemon_loads_nothing_that_only_people_at_a_terminal_need():
    done = subprocess.run(
        [sys.executable, "-c", WHAT_SERVE_LOADS], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout == "[]\n"


def completed(*words):
    """What the shell would be offered at the end of these words."""
    environment = {
        **os.environ,
        "_ONETOUCH_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("onetouch", *words)),
        "COMP_CWORD": str(len(words)),
    }
    program = "import telephony.cli; telephony.cli.main()"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("inc",), ["incidents"]),
        (("incidents", "di"), ["dispatch"]),
        (("incidents", "list", "--o"), ["--open", "--owed"]),
        (("incidents", "list", "--state", "ack"), ["acknowledged"]),
    ],
)
def test_the_shell_completes_commands_options_and_states(words, offered):
    assert completed(*words) == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_each_shell_is_printed(shell):
    done = subprocess.run(
        [sys.executable, "-c", "import telephony.cli; telephony.cli.main()"],
        env={**os.environ, "_ONETOUCH_COMPLETE": f"{shell}_source"},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip

    assert "_ONETOUCH_COMPLETE" in done.stdout
    assert "onetouch" in done.stdout


def test_there_is_a_man_page_for_every_command(run, tmp_path):
    result = run("manual", tmp_path)

    pages = {page.name for page in tmp_path.iterdir()}
    assert pages == {"onetouch.1", *(f"onetouch-{'-'.join(path)}.1" for path, _ in ALL)}
    assert result.output == f"written into {tmp_path}: {len(pages)} man pages\n"


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_a_man_page_reads_like_the_help(run, tmp_path):
    run("manual", tmp_path)

    done = subprocess.run(
        ["groff", "-man", "-Tascii", "-ww", "-P-cbou", Path(tmp_path, "onetouch-calls-lift.1")],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip

    assert done.stderr == ""
    assert "onetouch-calls-lift - Lift silence" in done.stdout
    assert '         onetouch calls lift last --by "seoul, desk 4"\n' in done.stdout
    assert "-h, --help" in done.stdout
    assert "onetouch-calls(1)" in done.stdout
