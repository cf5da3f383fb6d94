"""`make bench`: OneCard against a trivial aiohttp handler in one run, or any FHIR server by URL.

Writes build/bench/NAME.json and prints a table. One worker has core 0 and the generator core 1; with --workers N the
server has all cores and shares them with the generator, whose own cost is in the table.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from conformance.bench.database import Database, mongod
from conformance.bench.load import Target, run
from conformance.bench.processes import disk, free_port, started, usage
from conformance.bench.workloads import Bench

TURNS = 9
COLUMNS = (
    "workload",
    "per_second",
    "units_per_second",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "failures",
    "server_cpu_us",
    "database_cpu_us",
    "generator_cpu_us",
    "server_memory_mb",
    "database_memory_mb",
)


def main() -> None:
    args = _arguments()
    if hasattr(os, "sched_setaffinity") and args.workers == 1 and not args.url:
        os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})
    report: dict[str, Any] = {
        "when": time.strftime("%Y-%m-%d %H:%M"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "people": args.people,
        "workers": args.workers,
        "connections": args.connections,
    }
    report["yardstick"] = _yardstick(args)
    report |= _foreign(args) if args.url else _onecard(args)
    report["ratios"] = _ratios(report)
    folder = Path("build/bench")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{args.name}.json").write_text(json.dumps(report, indent=1))
    _print(report)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m conformance.bench", description=__doc__)
    parser.add_argument("--people", type=int, default=30, help="synthetic people to load; about 330 resources each")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each workload")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--url", help="FHIR base of another server to measure, already running and empty")
    parser.add_argument("--token", help="bearer token for --url")
    parser.add_argument(
        "--store",
        help='store URL for OneCard; "mongod" starts one here; default: an embedded one in a temporary folder',
    )
    parser.add_argument("--only", default="", help="only workloads with this in their name, several parted by commas")
    parser.add_argument("--name", default="onecard", help="name of the report")
    return parser.parse_args()


def _yardstick(args: argparse.Namespace) -> list[dict[str, object]]:
    port = free_port()
    with started(["conformance.bench.trivial", str(port)], f"http://127.0.0.1:{port}/fhir/Patient/1", core=0) as server:
        bench = Bench(
            Target("127.0.0.1", port, "/fhir"), server.pid, connections=args.connections, seconds=args.seconds
        )
        get = bench.target.request("GET", "/Patient/1")
        post = bench.target.request("POST", "/Patient", b"{" + b" " * 1000 + b"}")
        bench.measure("trivial handler, GET", lambda: get)
        bench.measure("trivial handler, POST", lambda: post)
        return [m.row() for m in bench.measured]


def _onecard(args: argparse.Namespace) -> dict[str, Any]:
    with mongod() if args.store == "mongod" else contextlib.nullcontext() as database:
        return _served(args, database)


def _served(args: argparse.Namespace, database: Database | None) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(prefix="onecard-bench-"))
    store = database.url if database else args.store or f"sqlite:///{folder}/onecard.db"
    port = free_port()
    command = ["server.cli", "serve", "--open", "--port", str(port), "--store", store, "--data-folder", str(folder)]
    command += ["--workers", str(args.workers), "--request-log", "off"]
    ready = f"http://127.0.0.1:{port}/health/ready"
    core = 0 if args.workers == 1 else None
    bench = Bench(Target("127.0.0.1", port, "/fhir"), None, connections=args.connections, seconds=args.seconds)
    bench.database_pid = database.pid if database else None
    bench.only = tuple(part for part in args.only.split(",") if part)
    report: dict[str, Any] = {}
    try:
        with started(command, ready, core=core) as server:
            report["idle_memory_mb"] = round(usage(server.pid).memory / 1e6, 1)
            bench.pid = server.pid
            bench.load(args.people)
        loaded = sum(map(len, bench.pools.ids.values()))
        report["resources"] = loaded
        if not args.store:  # after the stop, which empties the write-ahead log into the file
            report["disk_bytes_per_resource"] = round(disk(folder / "onecard.db") / loaded, 1)
        elif database:
            report["disk_bytes_per_resource"] = round(_settled(database) / loaded, 1)
            database.compact()
            report["disk_bytes_per_resource_compacted"] = round(_settled(database) / loaded, 1)
        began = time.perf_counter()
        with started(command, ready, core=core) as server:
            report["start_seconds"] = round(time.perf_counter() - began, 3)
            bench.pid = server.pid
            _workloads(bench)
            report["turn_by_turn"] = _turn_by_turn(bench, core)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {**report, "rows": [m.row() for m in bench.measured]}


def _settled(database: Database) -> int:
    """Bytes on disk after a checkpoint."""
    time.sleep(1)
    return database.disk()


def _turn_by_turn(bench: Bench, core: int | None) -> dict[str, float]:
    """Requests/s as a share of the trivial handler's, measured in turns of half a second: on a machine that is shared,
    what was measured a minute ago is no yardstick. The median of the turns."""
    port = free_port()
    with started(["conformance.bench.trivial", str(port)], f"http://127.0.0.1:{port}/fhir/Patient/1", core=core):
        trivial = Target("127.0.0.1", port, "/fhir")
        get = trivial.request("GET", "/Patient/1")
        post = trivial.request("POST", "/Patient", b"{" + b" " * 1000 + b"}")
        pairs = {"read by id": (lambda: get, bench.reads()), "create": (lambda: post, bench.creates())}
        found = {}
        for name, (theirs, ours) in pairs.items():
            shares = []
            for _ in range(TURNS):
                yardstick = run("", trivial, theirs, connections=bench.connections, seconds=0.5).rate
                shares.append(run("", bench.target, ours, connections=bench.connections, seconds=0.5).rate / yardstick)
            found[name] = round(statistics.median(shares), 3)
    return found


def _foreign(args: argparse.Namespace) -> dict[str, Any]:
    parts = urlsplit(args.url)
    target = Target(parts.hostname or "127.0.0.1", parts.port or 80, parts.path.rstrip("/"), args.token)
    bench = Bench(target, None, connections=args.connections, seconds=args.seconds)
    bench.load(args.people)
    _workloads(bench)
    return {"rows": [m.row() for m in bench.measured]}


def _workloads(bench: Bench) -> None:
    bench.read()
    bench.searches()
    bench.create()
    bench.update()
    bench.transactions()
    bench.mix()


def _ratios(report: dict[str, Any]) -> dict[str, float]:
    """Requests per second as a share of the trivial handler's, the figure that carries over between machines."""
    get, post = (float(row["per_second"]) for row in report["yardstick"])
    return {
        str(row["workload"]): round(
            float(row["per_second"]) / (post if str(row["workload"]).split()[0] in ("create", "update") else get), 3
        )
        for row in report["rows"]
    }


def _print(report: dict[str, Any]) -> None:
    rows = [*report["yardstick"], *report["rows"]]
    widths = [max(len(column), *(len(str(row[column])) for row in rows)) for column in COLUMNS]
    print("  ".join(column.ljust(width) for column, width in zip(COLUMNS, widths, strict=True)))
    for row in rows:
        print("  ".join(str(row[column]).ljust(width) for column, width in zip(COLUMNS, widths, strict=True)))
    for name in (
        "start_seconds",
        "idle_memory_mb",
        "resources",
        "disk_bytes_per_resource",
        "disk_bytes_per_resource_compacted",
        "turn_by_turn",
    ):
        if name in report:
            print(f"{name}: {report[name]}")


if __name__ == "__main__":
    main()
