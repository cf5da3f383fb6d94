"""Every workload runs against a server that is known by its URL only."""

from __future__ import annotations

import asyncio
from pathlib import Path

from conformance.bench.limits import sqlite
from conformance.bench.load import Target
from conformance.bench.workloads import WORKLOADS, Bench
from server.clock import now_ms
from server.logical_id import new_id
from tests.serving import run_server

TEXT = ("_content=", "_text=")
"""Searches that are off unless a setting turns them on."""


async def test_every_workload_is_answered(tmp_path: Path) -> None:
    running = await run_server(
        clock=now_ms, ids=new_id, store=f"sqlite:///{tmp_path}/a.db", data_folder=str(tmp_path), open=True
    )
    try:
        bench = Bench(Target(*running.address, "/fhir"), connections=4, seconds=0.02, prepared=20)
        await asyncio.to_thread(bench.load, 400)
        await asyncio.to_thread(bench.all)
    finally:
        await running.stop()
    by_name = {each.result.name: each.result for each in bench.measured}
    assert list(by_name) == ["load", *WORKLOADS]
    assert bench.conditional
    assert bench.pools.counts.total() >= 400
    for name, result in by_name.items():
        assert result.units > 0, name
        assert not result.failed, name
        assert not [label for label in result.refused if not any(part in label for part in TEXT)], name


def test_bare_sqlite_does_what_it_is_timed_for(tmp_path: Path) -> None:
    results = [each.result for each in sqlite(tmp_path, 0.02)]
    assert all(result.requests > 0 for result in results)
    assert [result.units // result.requests for result in results] == [1, 1, 1, 32]
