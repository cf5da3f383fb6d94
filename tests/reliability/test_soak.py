"""The soak's harness: it notices growth, and a short run of OneCard is within its limits. Full length: `make soak`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conformance.bench.load import Target
from conformance.bench.processes import free_port, wait_for
from conformance.soak import Sample, Soak, judged
from tests import mongod
from tests.cli.serving import Served
from tests.serving import ENGINES

TIMED = {"p50_ms", "p99_ms"}
"""Measures that the load of the machine decides: `make soak` judges them, no test does."""


@contextmanager
def small_server(kind: str) -> Iterator[tuple[int, int]]:
    """(port, process id)"""
    port = free_port()
    command = [sys.executable, str(Path(__file__).with_name("leaking.py")), str(port), kind]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/", process)  # type: ignore[arg-type]
        yield port, process.pid
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(("kind", "growing"), [("leaks", {"memory_mb", "handles"}), ("sound", set())])
async def test_the_harness_notices_what_grows_and_only_that(kind: str, growing: set[str]) -> None:
    with small_server(kind) as (port, pid):
        soak = Soak(Target("127.0.0.1", port, "/fhir"), pid)
        verdicts = await soak.run(6, 0.25)
    assert {each.measure for each in verdicts if not each.flat} - TIMED == growing, (verdicts, soak.samples[-3:])


@pytest.mark.parametrize("measure", ["memory_mb", "handles", "connections", "p50_ms", "p99_ms"])
def test_a_measure_that_rises_is_found_also_where_it_swings(measure: str) -> None:
    def sample(n: int, rise: float) -> Sample:
        values = {"memory_mb": 100.0, "handles": 40, "connections": 20, "p50_ms": 5.0, "p99_ms": 50.0}
        values[measure] += rise * n + (n % 3)
        return Sample(float(n), requests=1000, **values)  # type: ignore[arg-type]

    def flat(rise: float) -> bool:
        return all(each.flat for each in judged([sample(n, rise) for n in range(60)]))

    assert flat(0.0)
    assert not flat(10.0)


@pytest.mark.parametrize("engine", ["embedded", pytest.param("mongo", marks=pytest.mark.mongo)])
async def test_a_short_soak_of_two_workers_keeps_its_handles_and_connections(
    engine: str, serve_onecard: Callable[..., Served], tmp_path: Path
) -> None:
    served = serve_onecard("--workers", "2", "--store", ENGINES[engine](tmp_path))
    soak = Soak(Target("127.0.0.1", served.port, "/fhir"), served.process.pid)
    verdicts = {each.measure: each for each in await soak.run(20, 0.5)}
    assert sum(soak.statuses.values()) > 200
    assert not [status for status in soak.statuses if status >= 500]
    assert verdicts["handles"].flat, verdicts
    assert verdicts["connections"].flat, verdicts
    assert verdicts["memory_mb"].growth < 100, verdicts  # caches still fill; the full length judges
    assert served.stop() == 0
    mongod.drop_all(tmp_path)
