"""Imports that are killed: the same import again ends as if nothing had happened."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from server.cli.sample import write_f43
from tests.cli.serving import ONECARD, onecard

WRITTEN = re.compile(rb"([0-9,]+) resources,")
PATIENCE = 120.0


def command(*more: str) -> list[str]:
    return [*ONECARD, "import", "f43", "in.zip", "--json", "--processes", "2", *more]


def started(folder: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(
        command(),
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def wait_for_resources(run: subprocess.Popen[bytes], number: int) -> None:
    """Until the progress bar tells that so many are in the store."""
    assert run.stderr is not None
    told = b""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and (piece := os.read(run.stderr.fileno(), 4096)):
        told = (told + piece)[-4096:]
        found = WRITTEN.findall(told)
        if found and int(found[-1].replace(b",", b"")) >= number:
            return
    raise AssertionError(f"the import ended before {number} resources were written: {told[-300:]!r}")


def content(folder: Path) -> tuple[Counter[str], Counter[str]]:
    """(resources by type, digests of what they say apart from ids) of a store, without Provenances."""
    done = onecard("export", "fhir", "all.ndjson", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    types: Counter[str] = Counter()
    digests: Counter[str] = Counter()
    for line in (folder / "all.ndjson").read_text("utf-8").splitlines():
        resource = json.loads(line)
        if resource["resourceType"] != "Provenance":
            types[resource["resourceType"]] += 1
            text = json.dumps(without_ids(resource), sort_keys=True)
            digests[hashlib.sha256(text.encode()).hexdigest()] += 1
    return types, digests


def without_ids(value: Any) -> Any:
    """Ids are of the store; numbers of a facility stay."""
    if isinstance(value, dict):
        return {name: without_ids(each) for name, each in value.items() if name not in ("id", "meta", "reference")}
    return [without_ids(each) for each in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a zip that was imported without interruption."""
    folder = tmp_path_factory.mktemp("whole")
    write_f43(folder / "in.zip", 40, 5, 2)
    assert onecard(*command()[len(ONECARD) :], cwd=folder).returncode == 0
    return folder


def test_an_import_whose_processes_are_all_killed_ends_like_an_uninterrupted_one(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "in.zip").write_bytes((whole / "in.zip").read_bytes())
    run = started(tmp_path)
    wait_for_resources(run, 500)
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
    done = onecard(*command()[len(ONECARD) :], cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    [report] = json.loads(done.stdout)["imports"]
    assert report["refused"] == 0
    assert content(tmp_path) == content(whole)


def test_a_worker_that_is_killed_ends_the_import_and_nothing_is_lost(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "in.zip").write_bytes((whole / "in.zip").read_bytes())
    run = started(tmp_path)
    wait_for_resources(run, 300)
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    # One of them keeps the shared resources of multiprocessing; a worker has the store open.
    worker = next(
        child
        for child in children
        if any("onecard.db" in os.readlink(link) for link in Path(f"/proc/{child}/fd").iterdir())
    )
    os.kill(int(worker), signal.SIGKILL)
    _, told = run.communicate(timeout=PATIENCE)
    assert run.returncode == 2
    assert b"import the same again" in told
    assert onecard(*command()[len(ONECARD) :], cwd=tmp_path).returncode == 0
    assert content(tmp_path) == content(whole)
