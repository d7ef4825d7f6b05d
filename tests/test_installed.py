"""What is installed from a wheel works without a checkout: the wheel has every file that the commands read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from telephony.shipped import OF_A_SITE, Shipped

pytestmark = pytest.mark.xdist_group("installed")

ROOT = Path(__file__).resolve().parent.parent
BUILT_FROM = ("telephony", "twisted", "config", "dialplans", "packaging", "bin", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")  # fmt: skip
SECRET_OF_THE_SITE = "dialplans/manager.secret.conf"
WITHIN_S = 300


def pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WITHIN_S, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy of the checkout in which a site has written a secret."""
    folder = tmp_path_factory.mktemp("built")
    source = folder / "source"
    source.mkdir()
    for name in BUILT_FROM:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(ROOT / name, source / name)
    (source / SECRET_OF_THE_SITE).write_text("secret = of this site\n")
    pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder, source)
    return next(folder.glob("onetouch-*.whl"))


class Installed:
    """A fresh environment whose dependencies are those of this one, and an empty folder in which its commands run."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.desk = folder / "desk"
        self.desk.mkdir()
        self.environment = folder / "venv"
        venv.create(self.environment)
        pip("--python", self.environment / "bin" / "python", "install", "--no-deps", "--no-index", wheel)
        packages = next(self.environment.glob("lib/python*/site-packages"))
        # A folder that a .pth file names brings no .pth files of its own, and so not the editable checkout.
        (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.environment / "bin" / program, *arguments],
            cwd=self.desk, env={"PATH": os.defpath, "HOME": str(self.desk), "LANG": "C.UTF-8"},
            capture_output=True, text=True, timeout=WITHIN_S, check=False,
        )  # fmt: skip


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Installed:
    return Installed(tmp_path_factory.mktemp("installed"), wheel)


def files_below(folder: Path) -> set[str]:
    """Their paths from the folder, those behind links too."""
    return {
        str(Path(place, name).relative_to(folder))
        for place, _, names in os.walk(folder, followlinks=True)
        for name in names
        if not name.endswith((".pyc", "dropin.cache", *OF_A_SITE))
    }


def test_the_wheel_holds_the_code_and_every_file_it_reads_and_nothing_of_the_site(wheel):
    """The folders at the top of the checkout are counted themselves: a link that is lost is a folder that is missing."""
    wanted = {f"telephony/{each}" for each in files_below(ROOT / "telephony")}
    wanted |= {f"twisted/{each}" for each in files_below(ROOT / "twisted")}
    for name in (Shipped.SETTINGS, Shipped.DIALPLANS, Shipped.PACKAGING):
        wanted |= {f"telephony/shipped/{name}/{each}" for each in files_below(ROOT / name)}

    held = {each for each in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in each}

    assert held == wanted
    assert {"telephony/shipped/bin/asterisk", "telephony/shipped/dialplans/sounds/ko/report.ulaw"} < held


def test_an_installed_command_imports_what_was_installed_and_tells_every_subcommand(installed):
    told = installed.run("onetouch", "--help")
    where = installed.run("python", "-c", "import telephony; print(telephony.__file__)")

    assert told.returncode == 0, told.stderr
    assert "  dialplan " in told.stdout
    assert Path(where.stdout.strip()).is_relative_to(installed.environment)


def test_an_installed_engineer_gets_samples_out_that_check_finds_right_and_a_store_is_made(installed):
    written = installed.run("onetouch", "config", "write", "samples")
    checked = installed.run("onetouch", "check", "--config", "samples/onetouch.toml")
    upgraded = installed.run("onetouch", "db", "upgrade", "--config", "samples/onetouch.toml")

    assert written.stdout.splitlines()[-1] == "next: onetouch check --config samples/onetouch.toml"
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "samples/onetouch.toml: no faults" in checked.stdout
    assert upgraded.returncode == 0, upgraded.stderr
    assert (installed.desk / ".state" / "onetouch.sqlite").exists()
    assert (installed.desk / "samples/packaging/onetouch.service").exists()


def test_an_installed_engineer_gets_dialplans_out_that_asterisk_loads(installed):
    written = installed.run("onetouch", "dialplan", "write", "dp")
    checked = installed.run("onetouch", "dialplan", "check", "--no-calls", "--dialplans", "dp")

    assert written.returncode == 0, written.stderr
    assert checked.returncode == 0, checked.stdout
    assert checked.stdout.splitlines()[-2].startswith("no findings; ")
    assert files_below(installed.desk / "dp") == files_below(ROOT / "dialplans")


def test_an_installed_lab_takes_a_press_all_the_way(installed):
    pressed = installed.run("onetouch", "lab", "--press", "sms")

    assert pressed.returncode == 0, pressed.stdout + pressed.stderr
