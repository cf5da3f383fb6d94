"""`make bench`: OneCard on either engine, a trivial handler, bare database calls, or any FHIR server, in one run.

Says how long it will take, prints the table of each part, and writes build/bench/NAME.json, .md and .svg after each.
A part or workload that breaks is told in its place, the others go on; the exit code is then 1. With one worker the
server has core 0 and the generator the last one; with more the server has all cores and shares them with the generator,
whose own cost is in the table. A mongod has all cores in either case. Another server is asked with standard REST only.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson

from conformance.bench import report, targets
from conformance.bench.data import SEED
from conformance.bench.database import CACHE_GB
from conformance.bench.synthea import Synthea
from conformance.bench.targets import How, Run
from conformance.bench.workloads import WORKLOADS

LOADED_PER_SECOND = {"embedded": 2_000, "mongod": 1_000}
"""Resources, on two cores; any other store or server is taken for the slower."""
HAPI_LOADED_PER_SECOND = 100
IMPORT = [sys.executable, "-m", "conformance.bench.imports", "--people", "80"]
IMPORT_SECONDS = {"embedded": 30, "mongod": 50}
"""The engines it is measured on."""
REPORTS = Path("build/bench")


QUICK = {"sizes": [3_000], "seconds": 1.0, "workers": [1], "store": ["embedded"], "turns": 5}
FULL = {"sizes": [10_000, 100_000], "seconds": 3.0, "workers": [1, 2], "store": ["embedded", "mongod"], "turns": 9}


class Part(NamedTuple):
    name: str
    seconds: float
    """That it will take, about."""
    run: Callable[[], Run]


def main() -> int:
    args = arguments(sys.argv[1:])
    folder = Path(tempfile.mkdtemp(prefix="onecard-bench-"))
    found: dict[str, Any] = {
        "when": time.strftime("%Y-%m-%d %H:%M"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "seconds": args.seconds,
        "connections": args.connections,
        "json_bytes_per_resource": _json_bytes(),
        "runs": [],
    }
    try:
        parts = planned(args, folder)
        told(f"{len(parts)} parts, about {minutes(sum(part.seconds for part in parts))} on two cores that are free")
        for number, part in enumerate(parts, 1):
            told(f"{number} of {len(parts)}: {part.name}, about {minutes(part.seconds)}")
            found["runs"].append(done(part))
            print(report.table(found["runs"][-1]), flush=True)
            files = report.write(found, REPORTS, args.name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for file in files:
        print(file)
    broken = [f"{report.heading(run)}: {name}: {why}" for run in found["runs"] for name, why in run["broken"].items()]
    for each in broken:
        told(f"broken: {each}")
    return 1 if broken else 0


def told(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 90 else f"{seconds:.0f} s"


def done(part: Part) -> Run:
    """What a part showed; of one that breaks, why."""
    try:
        return {"broken": {}, **part.run()}
    except Exception as error:
        why = f"{type(error).__name__}: {error}".strip()
        return {"target": part.name, "rows": [], "labels": {}, "broken": {"the whole part": why}}


# ---------------------------------------------------------------- what is run


def planned(args: argparse.Namespace, folder: Path) -> list[Part]:
    """Every part in its order."""
    how = How(args.seconds, args.connections, args.only, args.turns, args.cache, args.share / 100)
    parts = []
    if not args.no_limits:
        parts.append(Part("trivial aiohttp handler", 2 * how.seconds + 2, partial(targets.trivial, how)))
        parts.append(Part("bare SQLite", 2 * how.seconds + 3, partial(targets.bare_sqlite, how, folder)))
        if "mongod" in args.store and not args.url:
            parts.append(Part("bare MongoDB", 2.5 * how.seconds + 8, partial(targets.bare_mongodb, how)))
    if args.url:
        run = partial(
            targets.by_url, how, args.url, args.sizes[0], args.token, tuple(args.header), (args.pid, args.database_pid)
        )
        return [*parts, Part(f"server at {args.url}", _expected(how, "", args.sizes[0], 0), run)]
    for size, workers, store in args.asked:
        name = f"OneCard, {store}, {workers} worker{'s' if workers > 1 else ''}, {size:,} resources"
        place = folder / f"{len(parts)}"
        run = partial(_in_folder, place, partial(targets.of_onecard, how, store, workers, size, place))
        parts.append(Part(name, _expected(how, store, size, how.turns), run))
    if args.hapi:
        rounds = 1 + targets.HAPI_WARM_UPS
        for size in args.sizes:
            seconds = 60 + size / HAPI_LOADED_PER_SECOND + rounds * _expected(how, "", 0, 0)
            parts.append(Part(f"HAPI FHIR, {size:,} resources", seconds, partial(targets.of_hapi, how, size)))
    if not args.only and not args.no_imports:
        for store, seconds in IMPORT_SECONDS.items():
            if store in args.store:
                parts.append(Part(f"import of the 43 files, {store}", seconds, partial(_imported, store)))
    return parts


def _expected(how: How, store: str, size: int, turns: int) -> float:
    """Seconds: two starts, the load, the workloads with the making of their requests, the turns."""
    load = size / LOADED_PER_SECOND.get(store, min(LOADED_PER_SECOND.values()))
    asked = [each for name, each in WORKLOADS.items() if not how.only or any(part in name for part in how.only)]
    return 6 + load + sum(how.seconds * each.times + 0.3 for each in asked) + turns * 4 * targets.TURN


def _in_folder(folder: Path, run: Callable[[], Run]) -> Run:
    folder.mkdir()
    try:
        return run()
    finally:
        shutil.rmtree(folder)


def _imported(store: str) -> Run:
    """`conformance.bench.imports`, whose report becomes part of this one."""
    command = [*IMPORT, "--store", store]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"{' '.join(command[1:])} ended with {ended.returncode}: {ended.stderr[-2000:]}")
    found = json.loads((REPORTS / "imports.json").read_text())
    return {
        "target": f"import of the 43 files, {store}",
        "rows": [],
        "labels": {},
        "printed": ended.stdout,
        "found": found,
    }


def _json_bytes() -> float:
    """Of a resource as it is loaded, on average."""
    sizes = [len(orjson.dumps(resource)) for resource in Synthea(SEED).resources(5_000)]
    return round(statistics.mean(sizes), 1)


# ---------------------------------------------------------------- the command


def arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m conformance.bench", description=__doc__)
    parser.add_argument("--full", action="store_true", help="both engines, several sizes, one and two workers, longer")
    parser.add_argument(
        "--sizes", "--resources", type=int, nargs="+", help="to load first (3,000; --full 10,000 and 100,000)"
    )
    parser.add_argument("--seconds", type=float, help="length of a plain workload (1; --full 3)")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument(
        "--workers",
        type=int,
        nargs="+",
        help="processes of OneCard (1; --full 1 2); the most of them only from the second size on",
    )
    parser.add_argument("--store", nargs="+", help="embedded, mongod (started here) or a store URL (embedded)")
    parser.add_argument(
        "--cache", type=float, default=CACHE_GB, metavar="GB", help=f"of a mongod started here ({CACHE_GB:g})"
    )
    parser.add_argument(
        "--share",
        type=float,
        default=100,
        metavar="PERCENT",
        help="of a core that each process of OneCard gets at most while it is asked (control groups, as root): whether "
        "more workers do more where the machine is not full",
    )
    parser.add_argument(
        "--hapi", action="store_true", help="HAPI FHIR on PostgreSQL too, built here (needs java, maven, postgresql)"
    )
    parser.add_argument("--url", help="FHIR base of another server to measure, already running and empty")
    parser.add_argument("--header", action="append", default=[], help="further header for --url, 'Name: value'")
    parser.add_argument("--token", help="bearer token for --url")
    parser.add_argument("--pid", type=int, help="process of the server at --url, whose CPU and memory are then told")
    parser.add_argument("--database-pid", type=int, help="the same of its database")
    parser.add_argument("--only", default="", help="only workloads with this in their name, several parted by commas")
    parser.add_argument("--turns", type=int, help="turns against the trivial handler (5; --full 9; 0: none)")
    parser.add_argument("--no-limits", action="store_true", help="leave bare database calls and trivial handler out")
    parser.add_argument("--no-imports", action="store_true", help="leave the import of the 43 files out")
    parser.add_argument("--list", action="store_true", help="print the names of the workloads")
    parser.add_argument("--name", default="onecard", help="name of the report")
    args = parser.parse_args(given)
    if args.list:
        parser.exit(message="\n".join(WORKLOADS) + "\n")
    if not 0 < args.share <= 100:
        parser.error("--share: more than 0, at most 100 percent")
    if args.url and urlsplit(args.url).scheme != "http":
        parser.error("--url: the generator speaks http only; measure behind the TLS proxy")
    defaults = FULL if args.full else QUICK
    for name, value in defaults.items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    args.only = tuple(part for part in args.only.split(",") if part)
    args.asked = list(_asked(args.sizes, args.workers, args.store))
    return args


def _asked(sizes: Sequence[int], workers: Sequence[int], stores: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """(size, workers, store): all numbers of workers at the first size, the most of them at the others; the engines
    one after the other, so that they meet the same machine."""
    for number, size in enumerate(sizes):
        for each in workers if number == 0 else [max(workers)]:
            for store in stores:
                yield size, each, store


if __name__ == "__main__":
    sys.exit(main())
