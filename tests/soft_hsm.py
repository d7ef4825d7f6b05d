"""An HSM in software: SoftHSM, with a token of the test's own in a folder of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

import pytest

from telephony.store.keys.hsm import Hsm

MODULE: Final = Path("/usr/lib/softhsm/libsofthsm2.so")
TOKEN: Final = "sos-1"
LABEL: Final = "onetouch"
PIN: Final = "271828"


class SoftHsm:
    """The token. It is there as long as its folder is."""

    def __init__(self, folder: Path) -> None:
        self._tokens = folder / "tokens"
        self._aside = folder / "tokens.aside"
        self._tokens.mkdir(parents=True)
        self.configuration = folder / "softhsm2.conf"
        self.configuration.write_text(
            f"directories.tokendir = {self._tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
        )
        self.pin_file = folder / "pin"
        self.pin_file.write_text(f"{PIN}\n")
        subprocess.run(
            ["softhsm2-util", "--init-token", "--free", "--label", TOKEN, "--pin", PIN, "--so-pin", "314159"],
            check=True, capture_output=True, env={**os.environ, **self.environment},
        )  # fmt: skip

    @property
    def environment(self) -> dict[str, str]:
        return {"SOFTHSM2_CONF": str(self.configuration)}

    @property
    def settings(self) -> str:
        """``[store.key_hsm]``."""
        return (
            f'[store.key_hsm]\nmodule = "{MODULE}"\ntoken = "{TOKEN}"\npin = {{file = "{self.pin_file}"}}\n'
            f'key = "{LABEL}"\ntimeout_s = 20.0\n'
        )

    def hsm(self, **other: object) -> Hsm:
        given = {"module": MODULE, "token": TOKEN, "label": LABEL, "pin": self._pin, "timeout_s": 20.0}
        return Hsm(**{**given, **other})  # type: ignore[arg-type]

    def _pin(self) -> str:
        return self.pin_file.read_text().strip()

    def go(self) -> None:
        """Be gone, as a device whose cable was pulled."""
        self._tokens.rename(self._aside)
        self._tokens.mkdir()

    def come_back(self) -> None:
        self._tokens.rmdir()
        self._aside.rename(self._tokens)


def made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> SoftHsm:
    """Make one that this process and its children find."""
    hsm = SoftHsm(folder)
    monkeypatch.setenv(*next(iter(hsm.environment.items())))
    return hsm


def hanging_module(folder: Path) -> Path:
    """A module whose loading never ends: to open a pipe is to wait for its writer."""
    path = folder / "hangs.so"
    os.mkfifo(path)
    return path
