"""Counters in shared memory."""

from __future__ import annotations

import os

from server.observability.metrics import _SLOTS, BOUNDS, REGION_BYTES, Metrics, process, shared


def lines(metrics: Metrics) -> list[str]:
    return metrics.exposition({"store_bytes": 5}, {"Patient": 2}).decode().splitlines()


def test_every_worker_shows_the_sum_of_all() -> None:
    memory = shared(3)
    first, second = Metrics(memory, 0), Metrics(memory, 1)
    first.record("read", "GET", 200, 0.001)
    second.record("read", "GET", 200, 0.3)
    second.record("create", "POST", 201, 0.002)
    second.in_flight(4)
    for metrics in (first, second):
        shown = lines(metrics)
        assert 'onecard_request_seconds_count{route="read",method="GET",status="200"} 2' in shown
        assert 'onecard_request_seconds_sum{route="read",method="GET",status="200"} 0.301000' in shown
        assert 'onecard_request_seconds_bucket{route="read",method="GET",status="200",le="0.001"} 1' in shown
        assert 'onecard_request_seconds_count{route="create",method="POST",status="201"} 1' in shown
        assert "onecard_requests_in_flight 4" in shown
        assert "onecard_store_bytes 5" in shown
        assert 'onecard_resources{type="Patient"} 2' in shown


def test_a_worker_that_is_started_again_goes_on_counting() -> None:
    memory = shared(1)
    Metrics(memory, 0).record("read", "GET", 200, 0.001)
    again = Metrics(memory, 0)
    again.record("read", "GET", 200, 0.001)
    again.record("vread", "GET", 404, 9.0)
    assert 'onecard_request_seconds_count{route="read",method="GET",status="200"} 2' in lines(again)
    assert 'onecard_request_seconds_bucket{route="vread",method="GET",status="404",le="5.0"} 0' in lines(again)


def test_buckets_are_cumulative_and_bounds_included() -> None:
    metrics = Metrics()
    for bound in BOUNDS:
        metrics.record("read", "GET", 200, bound)
    counts = [int(line.rpartition(" ")[2]) for line in lines(metrics) if "_bucket" in line]
    assert counts == [*range(1, len(BOUNDS) + 1), len(BOUNDS)]


def test_a_flood_of_labels_does_not_grow() -> None:
    memory = shared(2)
    metrics, neighbour = Metrics(memory, 0), Metrics(memory, 1)
    for i in range(_SLOTS + 50):
        metrics.record(f"label-{i}", "GET", 200, 0.001)
    metrics.record("x" * 500, "GET", 200, 0.001)
    assert len(memory) == 2 * REGION_BYTES
    neighbour.record("read", "GET", 200, 0.001)
    shown = [line for line in lines(metrics) if "_count" in line]
    assert len(shown) == _SLOTS + 1
    assert sum(int(line.rpartition(" ")[2]) for line in shown) == _SLOTS + 52


def test_a_process_has_cpu_time_and_memory() -> None:
    found = process(os.getpid())
    assert found is not None
    assert found.cpu_seconds > 0
    assert found.resident_bytes > 1_000_000
    assert process(2**22 + 1) is None
