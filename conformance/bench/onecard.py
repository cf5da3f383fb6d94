"""OneCard as a process of its own, for whoever measures or tries it from outside."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from conformance.bench.load import Target
from conformance.bench.processes import free_port, started


class Running(NamedTuple):
    target: Target
    pid: int


@contextlib.contextmanager
def onecard(store: str, folder: Path, *, workers: int = 1, core: int | None = None) -> Iterator[Running]:
    """In open mode on a free port, ready to answer; ended by its process id afterwards.

    store: URL, or "embedded" for a file in the folder.
    folder: its data folder, which is there.
    core: where it runs; None: on all."""
    url = f"sqlite:///{folder}/onecard.db" if store == "embedded" else store
    port = free_port()
    command = ["server.cli", "serve", "--open", "--port", str(port), "--workers", str(workers)]
    command += ["--store", url, "--data-folder", str(folder), "--request-log", "off"]
    with started(command, f"http://127.0.0.1:{port}/health/ready", core=core) as process:
        yield Running(Target("127.0.0.1", port, "/fhir"), process.pid)
