"""``onetouch config write`` and ``onetouch dialplan write``: what comes with this version, and nobody's work written over."""

from __future__ import annotations

import filecmp
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("command", "source"), [("config", "config"), ("dialplan", "dialplans")])
def test_every_file_is_written_as_it_is_and_a_second_time_nothing(run, tmp_path, command, source):
    first = run(command, "write", tmp_path / "new")
    again = run(command, "write", tmp_path / "new")

    compared = filecmp.dircmp(ROOT / source, tmp_path / "new")
    assert (first.exit_code, again.exit_code) == (0, 0), first.output + again.output
    assert (compared.left_only, compared.diff_files) == ([], [])
    assert " files written" in first.output
    assert f"{tmp_path / 'new'}: as it is in this version" in again.output


def test_the_engineer_reads_what_to_do_with_the_dialplans(run, tmp_path):
    written = run("dialplan", "write", tmp_path / "new")

    assert written.output.splitlines()[1:] == [
        f"next, in {tmp_path / 'new' / 'globals.local.conf'}, beside this site's values:",
        f"  VOICE_SOUNDS = {tmp_path / 'new' / 'sounds'}",
        f"then: onetouch dialplan check --dialplans {tmp_path / 'new'}",
    ]


def test_a_file_that_somebody_changed_stays_and_nothing_is_written_beside_it(run, tmp_path):
    changed = tmp_path / "pjsip.conf"
    changed.write_text("; of this site\n")

    refused = run("dialplan", "write", tmp_path)

    assert refused.exit_code == 1
    assert f"{changed} is there already and differs; nothing was written." in refused.output
    assert f"compare: diff -r FOLDER {tmp_path}" in refused.output
    assert [each.name for each in tmp_path.iterdir()] == ["pjsip.conf"]
    assert changed.read_text() == "; of this site\n"


def test_a_folder_that_cannot_be_made_is_one_line(run, tmp_path):
    (tmp_path / "file").touch()

    refused = run("config", "write", tmp_path / "file" / "below")

    assert refused.exit_code == 1
    assert refused.output == f"Error: {tmp_path / 'file' / 'below'}: Not a directory\n"
