"""`make bench`: OneCard on either engine, a trivial handler, bare database calls, or any FHIR server, in one run.

Writes build/bench/NAME.json, .md and .svg and prints the table. With one worker the server has core 0 and the generator
the last one; with more the server has all cores and shares them with the generator, whose own cost is in the table.
A mongod has all cores in either case. Another server is asked with standard REST only.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from conformance.bench import limits, report
from conformance.bench.data import SEED
from conformance.bench.database import Database, mongod
from conformance.bench.load import Target, repeating, run
from conformance.bench.processes import disk, free_port, pinned, started, usage
from conformance.bench.synthea import Synthea
from conformance.bench.workloads import WORKLOADS, Bench, Measured, creates, reads

Run = dict[str, Any]
LAST_CORE = (os.cpu_count() or 1) - 1


def main() -> None:
    args = _arguments()
    found: dict[str, Any] = {
        "when": time.strftime("%Y-%m-%d %H:%M"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "seconds": args.seconds,
        "connections": args.connections,
        "json_bytes_per_resource": _json_bytes(),
        "runs": [],
    }
    folder = Path(tempfile.mkdtemp(prefix="onecard-bench-"))
    try:
        for made in _runs(args, folder):
            found["runs"].append(made)
            print(report.table(made), flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for file in report.write(found, Path("build/bench"), args.name):
        print(file)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m conformance.bench", description=__doc__)
    parser.add_argument("--full", action="store_true", help="both engines, one and two workers, longer")
    parser.add_argument("--resources", type=int, help="to load first, in whole records (3,000; --full 10,000)")
    parser.add_argument("--seconds", type=float, help="length of a plain workload (1; --full 3)")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--workers", type=int, nargs="+", help="processes of OneCard (1; --full 1 2)")
    parser.add_argument("--store", nargs="+", help="embedded, mongod (started here) or a store URL (embedded)")
    parser.add_argument("--url", help="FHIR base of another server to measure, already running and empty")
    parser.add_argument("--header", action="append", default=[], help="further header for --url, 'Name: value'")
    parser.add_argument("--token", help="bearer token for --url")
    parser.add_argument("--only", default="", help="only workloads with this in their name, several parted by commas")
    parser.add_argument("--turns", type=int, help="turns against the trivial handler (5; --full 9; 0: none)")
    parser.add_argument("--no-limits", action="store_true", help="leave bare database calls and trivial handler out")
    parser.add_argument("--list", action="store_true", help="print the names of the workloads")
    parser.add_argument("--name", default="onecard", help="name of the report")
    args = parser.parse_args()
    if args.list:
        parser.exit(message="\n".join(WORKLOADS) + "\n")
    args.resources = args.resources or (10_000 if args.full else 3_000)
    args.seconds = args.seconds or (3.0 if args.full else 1.0)
    args.workers = args.workers or ([1, 2] if args.full else [1])
    args.store = args.store or (["embedded", "mongod"] if args.full else ["embedded"])
    args.turns = args.turns if args.turns is not None else (9 if args.full else 5)
    args.only = tuple(part for part in args.only.split(",") if part)
    return args


def _runs(args: argparse.Namespace, folder: Path) -> Iterator[Run]:
    if not args.no_limits:
        yield _trivial(args)
        yield _run("bare SQLite", limits.sqlite(folder, args.seconds / 2))
    if args.url:
        yield _foreign(args)
        return
    for store in args.store:
        for workers in args.workers:
            with contextlib.ExitStack() as stack:
                database = stack.enter_context(mongod()) if store == "mongod" else None
                if database and not args.no_limits and workers == args.workers[0]:
                    bare = asyncio.run(limits.mongo(database.url + "&w=majority", database.pid, args.seconds / 2))
                    yield _run("bare MongoDB", bare)
                stack.enter_context(pinned(LAST_CORE if workers == 1 else None))
                place = folder / f"{store if store in ('embedded', 'mongod') else 'other'}-{workers}"
                place.mkdir()
                yield _onecard(args, store, workers, database, place)
                shutil.rmtree(place)


def _run(target: str, measured: list[Measured], **more: Any) -> Run:
    labels = {}
    for each in measured:
        if len(each.result.latencies) > 1:
            labels[each.result.name] = [each.row(label) for label in each.result.latencies]
    return {"target": target, **more, "rows": [each.row() for each in measured], "labels": labels}


def _json_bytes() -> float:
    """Of a resource as it is loaded, on average."""
    sizes = [len(orjson.dumps(resource)) for resource in Synthea(SEED).resources(5_000)]
    return round(statistics.mean(sizes), 1)


@contextlib.contextmanager
def _trivial_server(core: int | None) -> Iterator[tuple[Target, int]]:
    port = free_port()
    with started(["conformance.bench.trivial", str(port)], f"http://127.0.0.1:{port}/fhir/Patient/1", core=core) as it:
        yield Target("127.0.0.1", port, "/fhir"), it.pid


def _trivial(args: argparse.Namespace) -> Run:
    with pinned(LAST_CORE), _trivial_server(0) as (target, pid):
        bench = Bench(target, args.connections, args.seconds, pid)
        bench.measure("GET", repeating([_get(target)]))
        bench.measure("POST", repeating([_post(target)]))
        return _run("trivial aiohttp handler", bench.measured)


def _get(target: Target) -> bytes:
    return target.request("GET", "/Patient/1")


def _post(target: Target) -> bytes:
    return target.request("POST", "/Patient", b"{" + b" " * 1000 + b"}")


def _onecard(args: argparse.Namespace, store: str, workers: int, database: Database | None, folder: Path) -> Run:
    url = f"sqlite:///{folder}/onecard.db" if store == "embedded" else database.url if database else store
    port = free_port()
    command = ["server.cli", "serve", "--open", "--port", str(port), "--store", url, "--data-folder", str(folder)]
    command += ["--workers", str(workers), "--request-log", "off"]
    ready = f"http://127.0.0.1:{port}/health/ready"
    core = 0 if workers == 1 else None
    bench = Bench(Target("127.0.0.1", port, "/fhir"), args.connections, args.seconds, only=args.only)
    bench.database_pid = database.pid if database else None
    facts: Run = {"workers": workers}
    with started(command, ready, core=core) as server:
        facts["idle_memory_mb"] = round(usage(server.pid).memory / 1e6, 1)
        bench.pid = server.pid
        bench.load(args.resources)
    facts["resources"] = loaded = bench.pools.counts.total()
    if store == "embedded":  # after the stop, which empties the write-ahead log into the file
        facts["disk_bytes_per_resource"] = round(disk(folder / "onecard.db") / loaded, 1)
    elif database:
        facts["disk_bytes_per_resource"] = round(database.disk() / loaded, 1)
        database.compact()
        facts["disk_bytes_per_resource_compacted"] = round(database.disk() / loaded, 1)
    began = time.perf_counter()
    with started(command, ready, core=core) as server:
        facts["start_seconds"] = round(time.perf_counter() - began, 3)
        bench.pid = server.pid
        bench.all()
        if args.turns:
            facts["turn_by_turn"] = _turn_by_turn(bench, core, args.turns)
        facts["load_memory_mb"] = round(usage(server.pid).memory / 1e6, 1)
    return _run(f"OneCard, {store if store in ('embedded', 'mongod') else 'store by URL'}", bench.measured, **facts)


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
                yardstick = run("", trivial, theirs, connections=bench.connections, seconds=0.5).rate
                shares.append(run("", bench.target, ours, connections=bench.connections, seconds=0.5).rate / yardstick)
            found[name] = round(statistics.median(shares), 3)
    return found


def _foreign(args: argparse.Namespace) -> Run:
    parts = urlsplit(args.url)
    if parts.scheme != "http":
        raise SystemExit("--url: the generator speaks http only; measure behind the TLS proxy")
    target = Target(
        parts.hostname or "127.0.0.1", parts.port or 80, parts.path.rstrip("/"), args.token, tuple(args.header)
    )
    bench = Bench(target, args.connections, args.seconds, only=args.only)
    bench.load(args.resources)
    loaded = bench.pools.counts.total()
    bench.all()
    facts = {"resources": loaded, "conditional_references": bench.conditional}
    return _run(f"server at {parts.hostname}:{parts.port or 80}", bench.measured, **facts)


if __name__ == "__main__":
    main()
