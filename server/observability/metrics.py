"""Counters of requests in memory shared by all workers, shown in Prometheus' text format.

Each worker has a region of its own in one anonymous shared mapping that was made before the workers were: counting is
adding to a number in memory, a scrape of any worker reads all regions, and a worker that is started again goes on with
the numbers of the one before.   https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import mmap
import os
import sys
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
"""Upper bounds of the latency buckets in seconds."""

_SLOTS = 512
_NAME_BYTES = 112
_NUMBERS = len(BOUNDS) + 2  # one bucket more for +Inf, and the sum
_SLOT_BYTES = _NAME_BYTES + 8 * _NUMBERS
_HEAD_BYTES = 64
REGION_BYTES = _HEAD_BYTES + _SLOTS * _SLOT_BYTES

# Numbers in the head of a region.
_PID, _IN_FLIGHT, _REFUSED, _FAILED, _LOG_DROPPED = range(5)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Process(NamedTuple):
    cpu_seconds: float
    resident_bytes: int


def shared(workers: int) -> mmap.mmap:
    return mmap.mmap(-1, workers * REGION_BYTES)


class Metrics:
    """The region of worker number `index`."""

    def __init__(self, memory: mmap.mmap | None = None, index: int = 0) -> None:
        self._memory = memory if memory is not None else shared(1)
        self._start = index * REGION_BYTES
        self._numbers = memoryview(self._memory).cast("d")
        self._head = self._start // 8
        self._places: dict[tuple[str, str, int], int] = {}
        for name, place in _named(self._memory, self._start):
            label, method, status = name.split("|")
            self._places[label, method, int(status)] = place
        self._numbers[self._head + _PID] = os.getpid()
        self._numbers[self._head + _IN_FLIGHT] = 0

    def record(self, label: str, method: str, status: int, seconds: float) -> None:
        """One answered request. Hot path."""
        place = self._places.get((label, method, status))
        if place is None:
            place = self._new_place(label, method, status)
        numbers = self._numbers
        numbers[place + bisect_left(BOUNDS, seconds)] += 1.0
        numbers[place + _NUMBERS - 1] += seconds

    def in_flight(self, count: int) -> None:
        self._numbers[self._head + _IN_FLIGHT] = count

    def refused(self) -> None:
        """A request answered 429 because too many were in flight."""
        self._numbers[self._head + _REFUSED] += 1

    def failed(self) -> None:
        """An exception that nobody expected."""
        self._numbers[self._head + _FAILED] += 1

    def log_dropped(self, lines: int) -> None:
        self._numbers[self._head + _LOG_DROPPED] += lines

    def _new_place(self, label: str, method: str, status: int) -> int:
        key = (label, method, status)
        name = f"{label}|{method}|{status}".encode()
        used = len(set(self._places.values()))
        if used == _SLOTS or len(name) > _NAME_BYTES:
            # Labels come from the routes table and are few; a flood of new ones would be a bug and must not grow.
            self._places[key] = next(iter(self._places.values()))
            return self._places[key]
        offset = self._start + _HEAD_BYTES + used * _SLOT_BYTES
        self._memory[offset : offset + len(name)] = name
        place = self._places[key] = (offset + _NAME_BYTES) // 8
        return place

    def exposition(self, store: Mapping[str, int], resources: Mapping[str, int]) -> bytes:
        """All workers' numbers; `store` are further gauges by name, `resources` live resources by type."""
        lines = [*self._requests(), *self._heads(), *self._processes()]
        for name, value in store.items():
            lines += [f"# TYPE onecard_{name} gauge", f"onecard_{name} {value}"]
        if resources:
            lines.append("# TYPE onecard_resources gauge")
            lines += [f'onecard_resources{{type="{kind}"}} {count}' for kind, count in sorted(resources.items())]
        return ("\n".join(lines) + "\n").encode()

    def _regions(self) -> Iterator[int]:
        for start in range(0, len(self._memory), REGION_BYTES):
            if self._numbers[start // 8 + _PID]:
                yield start

    def _requests(self) -> Iterator[str]:
        totals: dict[str, list[float]] = {}
        for start in self._regions():
            for name, place in _named(self._memory, start):
                row = totals.setdefault(name, [0.0] * _NUMBERS)
                for i, value in enumerate(self._numbers[place : place + _NUMBERS]):
                    row[i] += value
        yield "# HELP onecard_request_seconds Time to answer, by route of the routes table, method and status."
        yield "# TYPE onecard_request_seconds histogram"
        for name, row in sorted(totals.items()):
            label, method, status = name.split("|")
            labels = f'route="{label}",method="{method}",status="{status}"'
            count = 0
            for bound, value in zip([*map(str, BOUNDS), "+Inf"], row, strict=False):
                count += int(value)
                yield f'onecard_request_seconds_bucket{{{labels},le="{bound}"}} {count}'
            yield f"onecard_request_seconds_sum{{{labels}}} {row[-1]:.6f}"
            yield f"onecard_request_seconds_count{{{labels}}} {count}"

    def _heads(self) -> Iterator[str]:
        rows = (
            (_IN_FLIGHT, "onecard_requests_in_flight", "gauge", "Requests at work now."),
            (_REFUSED, "onecard_requests_refused_total", "counter", "Requests answered 429."),
            (_FAILED, "onecard_failures_total", "counter", "Exceptions that nobody expected (500)."),
            (_LOG_DROPPED, "onecard_log_lines_dropped_total", "counter", "Request log lines that nobody took."),
        )
        for place, name, kind, text in rows:
            total = sum(self._numbers[start // 8 + place] for start in self._regions())
            yield f"# HELP {name} {text}"
            yield f"# TYPE {name} {kind}"
            yield f"{name} {int(total)}"

    def _processes(self) -> Iterator[str]:
        found = {pid: process(pid) for pid in (int(self._numbers[start // 8 + _PID]) for start in self._regions())}
        yield "# TYPE onecard_process_cpu_seconds_total counter"
        yield from (
            f'onecard_process_cpu_seconds_total{{pid="{p}"}} {f.cpu_seconds:.2f}' for p, f in found.items() if f
        )
        yield "# TYPE onecard_process_resident_memory_bytes gauge"
        yield from (
            f'onecard_process_resident_memory_bytes{{pid="{p}"}} {f.resident_bytes}' for p, f in found.items() if f
        )


def _named(memory: mmap.mmap, start: int) -> Iterator[tuple[str, int]]:
    """(name, place of its numbers) of the used slots of a region."""
    for offset in range(start + _HEAD_BYTES, start + REGION_BYTES, _SLOT_BYTES):
        name = memory[offset : offset + _NAME_BYTES].rstrip(b"\0")
        if not name:
            return
        yield name.decode(), (offset + _NAME_BYTES) // 8


def process(pid: int) -> Process | None:
    """CPU time and memory of a process; None where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
        return Process(ticks / os.sysconf("SC_CLK_TCK"), int(fields[21]) * os.sysconf("SC_PAGE_SIZE"))
    except (OSError, ValueError, AttributeError):
        pass
    if pid != os.getpid() or sys.platform == "win32":
        return None
    import resource

    usage = resource.getrusage(resource.RUSAGE_SELF)
    # Kilobytes everywhere but on macOS, where it is bytes; the peak, not the present.
    unit = 1 if sys.platform == "darwin" else 1024
    return Process(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit)
