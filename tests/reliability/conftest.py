"""`serve_onecard(...)`: `onecard serve` as a process, killed after the test if it still runs; stderr.txt is its log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.serving import Served, serve


@pytest.fixture
def serve_onecard(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    running: list[Served] = []
    log = (tmp_path / "stderr.txt").open("w")

    def start(*arguments: str) -> Served:
        running.append(serve(tmp_path, "--open", "--request-log", "off", *arguments, log=log))
        return running[-1]

    yield start
    for served in running:
        if served.process.poll() is None:
            served.process.kill()
        served.process.wait()
        assert served.process.stdout is not None
        served.process.stdout.close()
    log.close()
