"""How searches grow with the store: `python -m conformance.bench.growth [--sizes 10000 100000] [--store mongod]`.

Fills a store of each size with synthetic people and asks all of them in turn for the same first pages, in this process.
Prints Markdown for docs/performance.md and writes build/bench/growth-STORE.json and .svg: the median of a first page in
each store, processor time on the embedded store, elapsed time on MongoDB whose work is done by another process; what an
exact total costs per match, how many matches are within the time limit, and the bytes on disk of a resource.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from conformance.bench.database import CACHE_GB, Database, mongod
from conformance.bench.filled import BUDGETED, FIRST_PAGES, HISTORIES, TOTALS, World, filled
from conformance.bench.plots import lines
from conformance.bench.processes import disk
from conformance.bench.profile import request
from conformance.bench.report import value
from server.boundary import handle
from server.interactions.search import compiled
from server.store.contract import QueryTooCostly

ASKED = 200
"""Requests of each shape."""
COUNTED = 20
Clock = Callable[[], float]


class Asked(NamedTuple):
    """Medians of one shape in one store."""

    first: float
    """Microseconds of a request that was never asked before; infinite where the time limit ended one."""
    again: float
    """Of the same asked for the third time: it has its plan by then."""
    hits: float


async def first_pages(worlds: Sequence[World], shape: str, clock: Clock, asked: int) -> list[Asked]:
    """The stores take turns, so that whatever else the machine does concerns all of them. What a page reads is in
    memory when it is asked for."""
    first: list[list[float]] = [[] for _ in worlds]
    again: list[list[float]] = [[] for _ in worlds]
    hits: list[list[int]] = [[] for _ in worlds]
    urls = [list(dict.fromkeys(world.values.urls(shape, asked))) for world in worlds]
    for turn in range(asked):
        for number, world in enumerate(worlds):
            if turn >= len(urls[number]) or math.inf in first[number]:
                continue
            url = urls[number][turn]
            await handle(world.ctx, request("GET", _alike(url)))
            times = []
            for _ in range(3):
                asking = request("GET", url)
                began = clock()
                response = await handle(world.ctx, asking)
                times.append((clock() - began) * 1e6 if response.status == 200 else math.inf)
            first[number].append(times[0])
            again[number].append(times[2])
            hits[number].append((response.body or b"").count(b'"fullUrl":'))
    return [
        Asked(math.inf if math.inf in each else statistics.median(each), statistics.median(more), statistics.median(of))
        for each, more, of in zip(first, again, hits, strict=True)
    ]


def _alike(url: str) -> str:
    """Another request that reads the same: its plan is not that of the first."""
    path, question, parameters = url.partition("?")
    kept = [each for each in parameters.split("&") if not each.startswith("_count=")]
    return path if not question else f"{path}?{'&'.join([*kept, '_count=9'])}"


async def totals(world: World, shapes: Mapping[str, str], clock: Clock) -> list[dict[str, Any]]:
    """Cost of exact totals; a total that the time limit ended counts as none."""
    found = []
    for name, shape in shapes.items():
        matches, taken, ended = [], [], 0
        for url in world.values.urls(shape, COUNTED):
            query = compiled(world.ctx, request("GET", url)).query
            began = clock()
            try:
                matches.append(await world.ctx.store.count(query))
            except QueryTooCostly:
                ended += 1
            else:
                taken.append((clock() - began) * 1000)
        each = sum(taken) * 1000 / max(1, sum(matches)) if taken else math.nan
        found.append(
            {
                "exact total": name,
                "matches (median)": statistics.median(matches) if matches else math.nan,
                "ms (median)": statistics.median(taken) if taken else math.nan,
                "us a match": each,
                "ended by the time limit": ended,
            }
        )
    return found


def _growing(figures: Sequence[float]) -> list[str]:
    """The figures, and how many times the first the last is."""
    growth = f"{figures[-1] / figures[0]:.1f}" if math.isfinite(figures[-1]) else "ended by the time limit"
    return [*(f"{us:.0f}" for us in figures), growth]


def rows(found: Sequence[dict[str, Any]]) -> str:
    titles = list(found[0])
    text = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    return "\n".join(text + ["| " + " | ".join(value(row[title]) for title in titles) + " |" for row in found])


async def measured(worlds: Sequence[World], clock: Clock, asked: int, only: Sequence[str]) -> dict[str, Any]:
    gc.collect()
    gc.freeze()
    sizes = [world.size for world in worlds]
    report: dict[str, Any] = {"sizes": sizes, "first_pages_us": {}, "asked_again_us": {}}
    for world in worlds:
        each = f"{world.cpu / max(1, world.made) * 1e6:.0f} us of CPU each in this process"
        print(f"{world.size:,} resources, {world.made:,} made and stored in {world.seconds:.0f} s, {each}", flush=True)
    columns = " | ".join(f"{size:,}" for size in sizes)
    print(f"\n| us a first page | hits | {columns} | growth | budget | asked again: {columns} | growth |")
    print("|---|---|" + "---|" * (2 * len(sizes) + 3))
    for name, shape in named(FIRST_PAGES | HISTORIES, only).items():
        asks = await first_pages(worlds, shape, clock, asked)
        report["first_pages_us"][name] = [each.first for each in asks]
        report["asked_again_us"][name] = [each.again for each in asks]
        hits = " / ".join(f"{each.hits:.0f}" for each in (asks[0], asks[-1]))
        cells = [name, hits, *_growing([each.first for each in asks]), "2" if name in BUDGETED else "-"]
        print(f"| {' | '.join([*cells, *_growing([each.again for each in asks])])} |", flush=True)
    report["totals"] = await totals(worlds[-1], named(TOTALS, only), clock)
    if report["totals"]:
        print(f"\nExact totals at {sizes[-1]:,} resources:\n\n{rows(report['totals'])}", flush=True)
    return report


async def main_async(args: argparse.Namespace, folder: Path, database: Database | None) -> dict[str, Any]:
    worlds = []
    for size in args.sizes:
        url = database.named(f"size{size}") if database else f"sqlite:///{folder}/{size}.db"
        worlds.append(await filled(url, size, folder))
    try:
        return await measured(worlds, time.perf_counter if database else time.process_time, args.asked, args.only)
    finally:
        for world in worlds:
            await world.ctx.store.close()


def named(shapes: Mapping[str, str], only: Sequence[str]) -> dict[str, str]:
    return {name: shape for name, shape in shapes.items() if not only or name in only}


def on_disk(size: int, folder: Path, database: Database | None) -> float:
    """Bytes of a resource in the closed store of that size."""
    return (database.disk(f"size{size}") if database else disk(folder / f"{size}.db")) / size


def written(report: dict[str, Any], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.with_suffix(".json").write_text(json.dumps(report, indent=1))
    file.with_suffix(".svg").write_text(lines("microseconds a first page", report["sizes"], report["first_pages_us"]))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m conformance.bench.growth", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--store", choices=("embedded", "mongod"), default="embedded")
    parser.add_argument("--cache", type=float, default=CACHE_GB, metavar="GB", help=f"of the mongod ({CACHE_GB:g})")
    parser.add_argument("--folder", type=Path, help="keep the stores there, and go on with those that are there")
    parser.add_argument("--asked", type=int, default=ASKED, help="requests of each shape and size")
    parser.add_argument(
        "--only", nargs="+", default=[], choices=sorted({*FIRST_PAGES, *HISTORIES, *TOTALS}), metavar="SHAPE"
    )
    args = parser.parse_args()
    with contextlib.ExitStack() as stack:
        made = args.folder or stack.enter_context(tempfile.TemporaryDirectory(prefix="onecard-growth-"))
        folder = Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder / "mongod" if args.folder else None
        database = stack.enter_context(mongod(kept=kept, cache_gb=args.cache)) if args.store == "mongod" else None
        report = asyncio.run(main_async(args, folder, database))
        report["disk_bytes_per_resource"] = [round(on_disk(size, folder, database), 1) for size in args.sizes]
        print("\nBytes on disk a resource: " + ", ".join(map(value, report["disk_bytes_per_resource"])))
        written(report, Path("build/bench") / f"growth-{args.store}")


if __name__ == "__main__":
    main()
