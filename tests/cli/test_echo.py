"""Whatever a command says is one safe line for each text, and no command writes past that."""

from __future__ import annotations

import ast
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import telephony.cli
from telephony.cli.echo import SafeErrors, echo

FOLDER = Path(telephony.cli.__file__).parent
COLOURED = {"echo.py", "tail.py"}
"""Those that write themselves: the one function, and the log reader, whose tests try every field."""
OWN_FORMAT = {"audit.py"}
"""Its entries are made safe one by one."""
FORGED = "\n11111111  2026-03-01 12:00:00  root  closed\r\u2028\x1b[1G\u202e"


@pytest.mark.parametrize("file", sorted(each.name for each in FOLDER.glob("*.py")))
def test_no_command_writes_past_the_one_function(file):
    tree = ast.parse((FOLDER / file).read_text())
    calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    past = {
        each
        for each in calls
        if each in ("click.echo", "click.secho", "print", "sys.stdout.write", "sys.stderr.write")
    }

    assert not past or file in COLOURED | OWN_FORMAT


def test_a_text_is_one_line_whatever_is_in_it(capsys):
    echo(f"name {FORGED}", "second", err=True)

    assert capsys.readouterr().err.splitlines() == [
        "name  11111111  2026-03-01 12:00:00  root  closed  \ufffd[1G\ufffd",
        "second",
    ]


@pytest.mark.parametrize("kind", [click.ClickException, click.UsageError, click.BadParameter])
def test_an_error_that_quotes_a_stranger_is_one_line(kind):
    @click.group(cls=SafeErrors)
    def group():
        pass

    @group.command()
    def fail():
        raise kind(f"cannot read {FORGED}")

    said = CliRunner().invoke(group, ["fail"]).output

    assert said.splitlines()[-1].endswith(
        "cannot read  11111111  2026-03-01 12:00:00  root  closed  \ufffd[1G\ufffd"
    )
