"""One target measured with all workloads: OneCard, another server, a trivial handler, bare database calls."""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from conformance.bench import limits
from conformance.bench.database import mongod
from conformance.bench.hapi import VERSION, hapi
from conformance.bench.load import Target, repeating, run
from conformance.bench.onecard import onecard
from conformance.bench.processes import disk, family, free_port, pinned, rationed, started, usage
from conformance.bench.workloads import Bench, Measured, creates, reads

Run = dict[str, Any]
"""target, rows, labels, broken; of a server also size, workers and the facts of `report.FACTS`."""
LAST_CORE = (os.cpu_count() or 1) - 1
TURN = 0.5
"""Seconds of each side of a turn."""
WARM_UP = 0.3
"""Seconds of a workload before the processes get a share of a core only."""
HAPI_WARM_UPS = 2
"""Rounds of all workloads before HAPI is measured: its virtual machine compiles what is often run, and only then has
its speed."""
STORES = ("embedded", "mongod")
"""Those that are started here; any other name is the URL of a store."""


@dataclass(frozen=True, slots=True)
class How:
    """What is the same for every target."""

    seconds: float
    """Length of a plain workload."""
    connections: int
    only: tuple[str, ...]
    """Parts of the names of workloads; empty: all."""
    turns: int
    """Against the trivial handler."""
    cache_gb: float
    """Of a mongod that is started here."""
    share: float
    """Of a core that each process of OneCard gets while it is asked, 0..1; 1: all that there is."""


def _run(target: str, measured: list[Measured], **more: Any) -> Run:
    labels = {}
    for each in measured:
        if len(each.result.latencies) > 1:
            labels[each.result.name] = [each.row(label) for label in each.result.latencies]
    return {"target": target, **more, "rows": [each.row() for each in measured], "labels": labels}


# ---------------------------------------------------------------- the limits


def trivial(how: How) -> Run:
    with pinned(LAST_CORE), _trivial_server(0) as (target, pid):
        bench = Bench(target, how.connections, how.seconds, pid)
        bench.measure("GET", repeating([_get(target)]))
        bench.measure("POST", repeating([_post(target)]))
        return _run("trivial aiohttp handler", bench.measured)


@contextlib.contextmanager
def _trivial_server(core: int | None) -> Iterator[tuple[Target, int]]:
    port = free_port()
    with started(["conformance.bench.trivial", str(port)], f"http://127.0.0.1:{port}/fhir/Patient/1", core=core) as it:
        yield Target("127.0.0.1", port, "/fhir"), it.pid


def _get(target: Target) -> bytes:
    return target.request("GET", "/Patient/1")


def _post(target: Target) -> bytes:
    return target.request("POST", "/Patient", b"{" + b" " * 1000 + b"}")


def bare_sqlite(how: How, folder: Path) -> Run:
    return _run("bare SQLite", limits.sqlite(folder, how.seconds / 2))


def bare_mongodb(how: How) -> Run:
    with mongod(cache_gb=how.cache_gb) as database:
        url = database.url + "&w=majority"
        return _run("bare MongoDB", asyncio.run(limits.mongo(url, database.pid, how.seconds / 2)))


# ---------------------------------------------------------------- servers


def of_onecard(how: How, store: str, workers: int, size: int, folder: Path) -> Run:
    """On an empty store: loaded, stopped, weighed, started again, asked.   folder: for its data."""
    facts: Run = {"size": size, "workers": workers}
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(mongod(cache_gb=how.cache_gb)) if store == "mongod" else None
        alone = workers == 1 and how.share == 1
        core = 0 if alone else None
        stack.enter_context(pinned(LAST_CORE if alone else None))
        url = database.url if database else store
        with onecard(url, folder, workers=workers, core=core) as server:
            bench = Bench(server.target, how.connections, how.seconds, server.pid, only=how.only)
            bench.database_pid = database.pid if database else None
            facts["idle_memory_mb"] = round(usage(server.pid).memory / 1e6, 1)
            bench.load(size)
        facts["resources"] = loaded = bench.pools.counts.total()
        if store == "embedded":  # after the stop, which empties the write-ahead log into the file
            facts["disk_bytes_per_resource"] = round(disk(folder / "onecard.db") / loaded, 1)
        elif database:
            facts["database_cache_gb"] = how.cache_gb
            facts["disk_bytes_per_resource"] = round(database.disk() / loaded, 1)
            database.compact()
            facts["disk_bytes_per_resource_compacted"] = round(database.disk() / loaded, 1)
        began = time.perf_counter()
        with onecard(url, folder, workers=workers, core=core) as server:
            facts["start_seconds"] = round(time.perf_counter() - began, 3)
            bench.target, bench.pid = server.target, server.pid
            if how.share < 1:
                facts["share_of_a_core"] = how.share
                replace(bench, seconds=WARM_UP, measured=[], broken={}).all()  # what is read once would take seconds
                stack.enter_context(rationed(family(server.pid), how.share))
            bench.all()
            if how.turns:
                shares = bench.attempt("turn by turn", lambda: _turn_by_turn(bench, core, how.turns))
                facts["turn_by_turn"] = shares or {}
            facts["load_memory_mb"] = round(usage(server.pid).memory / 1e6, 1)
    name = f"OneCard, {store if store in STORES else 'store by URL'}"
    return _run(name, bench.measured, broken=bench.broken, **facts)


def _turn_by_turn(bench: Bench, core: int | None, turns: int) -> dict[str, float]:
    """Requests/s as a share of the trivial handler's, measured in turns of half a second: on a machine that is shared,
    what was measured a minute ago is no yardstick. The median of the turns."""
    with _trivial_server(core) as (trivial, _):
        pairs = {
            "read by id": (repeating([_get(trivial)]), reads(bench)),
            "create": (repeating([_post(trivial)]), creates(bench)),
        }
        found = {}
        for name, (theirs, ours) in pairs.items():
            shares = []
            for _ in range(turns):
                yardstick = run("", trivial, theirs, connections=bench.connections, seconds=TURN).rate
                shares.append(run("", bench.target, ours, connections=bench.connections, seconds=TURN).rate / yardstick)
            found[name] = round(statistics.median(shares), 3)
    return found


def by_url(
    how: How, url: str, size: int, token: str | None, headers: tuple[str, ...], pids: tuple[int | None, int | None]
) -> Run:
    """Another server, running and empty, asked with standard REST only.   pids: of it and of its database, if they are
    on this machine."""
    parts = urlsplit(url)
    target = Target(parts.hostname or "127.0.0.1", parts.port or 80, parts.path.rstrip("/"), token, headers)
    bench = Bench(target, how.connections, how.seconds, pids[0], pids[1], only=how.only)
    bench.load(size)
    facts = {"size": size, "resources": bench.pools.counts.total(), "conditional_references": bench.conditional}
    bench.all()
    return _run(f"server at {target.host}:{target.port}", bench.measured, broken=bench.broken, **facts)


def of_hapi(how: How, size: int) -> Run:
    """HAPI FHIR on an empty database: loaded, weighed, warmed up, asked with standard REST."""
    with hapi() as server:
        bench = Bench(server.target, how.connections, how.seconds, server.pid, server.database_pid, only=how.only)
        facts: Run = {"size": size, "idle_memory_mb": round(usage(server.pid).memory / 1e6, 1)}
        empty = disk(server.data / "base")
        bench.load(size)
        facts["resources"] = loaded = bench.pools.counts.total()
        facts["disk_bytes_per_resource"] = round((disk(server.data / "base") - empty) / loaded, 1)
        for _ in range(HAPI_WARM_UPS):
            replace(bench, measured=[], broken={}).all()
        bench.all()
        facts["load_memory_mb"] = round(usage(server.pid).memory / 1e6, 1)
    return _run(f"HAPI FHIR {VERSION}, PostgreSQL", bench.measured, broken=bench.broken, **facts)
