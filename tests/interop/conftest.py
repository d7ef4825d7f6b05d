"""The house of the scenarios, and the far ends that are not ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.interop.node_process import NodeProcess
from tests.scenarios.conftest import house  # noqa: F401 - the fixture itself


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Callable[[str], NodeProcess]]:
    """Start scripts of this folder; they end with the test."""
    running: list[NodeProcess] = []

    def start(script: str) -> NodeProcess:
        running.append(NodeProcess(script, tmp_path))
        return running[-1]

    yield start
    for process in running:
        process.end()
