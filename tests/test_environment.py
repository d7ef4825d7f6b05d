"""``bin/onetouch`` in a checkout that belongs to somebody else."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOBODY = 65534


@pytest.fixture
def checkout():
    """What `bin/onetouch` reads before it makes an environment, in a folder that only its owner may write to."""
    with tempfile.TemporaryDirectory(prefix="onetouch-", dir="/tmp") as folder:
        for name in ("bin", "requirements"):
            shutil.copytree(ROOT / name, Path(folder, name))
        for name in ("setup.cfg", "pyproject.toml"):
            shutil.copy(ROOT / name, folder)
        Path(folder).chmod(0o555)
        yield Path(folder)
        Path(folder).chmod(0o755)


def as_somebody_else(checkout: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    who = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
    return subprocess.run(
        [checkout / "bin" / "onetouch", "--version"],
        env={"PATH": os.defpath, **environment}, capture_output=True, text=True, timeout=60, check=False, **who,
    )  # fmt: skip


def test_a_checkout_that_is_not_ours_to_write_says_in_one_line_what_to_do(checkout):
    done = as_somebody_else(checkout)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"onetouch: your account may not write in {checkout}, where the Python environment is made and kept up to date. "
        f"Name a folder of your own, ONETOUCH_VENV=$HOME/.cache/onetouch-venv {checkout}/bin/onetouch, "
        f"or have its owner run {checkout}/bin/onetouch once.\n"
    )


def test_a_folder_for_the_environment_that_is_not_ours_either_is_said_by_its_name(checkout):
    done = as_somebody_else(checkout, ONETOUCH_VENV="/proc/somewhere/venv")

    assert done.returncode == 1
    assert "your account may not write in /proc/somewhere, where" in done.stderr
