"""Which index drives a search, and what is read for a page of ten: `python -m conformance.bench.plans [--size 20000]`.

For every shape of `filled.PLANNED`, on both engines (`--store embedded` or `mongod` for one): the plan as the store
explains it, and what the database really did for the search, the median of several values. SQLite: rows that its
statements gave to the store, pages of its trees that were visited, steps of its virtual machine. MongoDB: how many
questions were asked, keys and documents that were examined (its profiler).
https://sqlite.org/c3ref/c_trace.html https://www.mongodb.com/docs/manual/reference/database-profiler/
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apsw

from conformance.bench.database import Database, mongod
from conformance.bench.filled import PLANNED, World, filled
from conformance.bench.growth import rows
from conformance.bench.profile import request
from server.boundary import handle
from server.interactions.search import compiled
from server.store.mongo.driver import connect

VALUES = 7
"""Values that each shape is asked with."""
HITS = apsw.SQLITE_DBSTATUS_CACHE_HIT, apsw.SQLITE_DBSTATUS_CACHE_MISS


class Traces:
    """What SQLite does on every connection that is opened from now on."""

    def __init__(self) -> None:
        self._connections: list[apsw.Connection] = []
        self.done: Counter[str] = Counter()
        apsw.connection_hooks.append(self._opened)

    def _opened(self, connection: apsw.Connection) -> None:
        self._connections.append(connection)
        connection.trace_v2(apsw.SQLITE_TRACE_ROW | apsw.SQLITE_TRACE_PROFILE, self._traced)

    def _traced(self, event: dict[str, Any]) -> None:
        if event["code"] == apsw.SQLITE_TRACE_ROW:
            self.done["rows"] += 1
        else:
            self.done["steps"] += event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"]

    def begin(self) -> None:
        self.done.clear()
        self._pages(reset=True)

    def end(self) -> dict[str, int]:
        return {"rows": self.done["rows"], "pages": self._pages(), "steps": self.done["steps"]}

    def _pages(self, *, reset: bool = False) -> int:
        return sum(each.status(kind, reset)[0] for each in self._connections for kind in HITS)


async def embedded(world: World, traces: Traces) -> list[dict[str, Any]]:
    found = []
    for name, shape in _searches():
        read: list[dict[str, int]] = []
        for url in world.values.urls(shape, VALUES):
            traces.begin()
            await _answered(world, url)
            read.append(traces.end())
        plan: Any = await world.ctx.store.explain(compiled(world.ctx, request("GET", url)).query)
        first = plan["types"][0] if plan["types"] else {"driver": "nothing", "probes": [], "order": "-"}
        found.append(
            {
                "search": _written(name, shape),
                "driven by": first["driver"],
                "looked up in each hit": ", ".join(first["probes"]) or "-",
                "order": first["order"],
                **_medians(read),
            }
        )
    return found


async def mongo(world: World, url: str) -> list[dict[str, Any]]:
    client, name = connect(url)
    found = []
    try:
        profiled = client[name]["system.profile"]
        for label, shape in _searches():
            read: list[dict[str, int]] = []
            for asked in world.values.urls(shape, VALUES):
                await client[name].command("profile", 0)
                await profiled.drop()
                await client[name].command("profile", 2)
                await _answered(world, asked)
                await client[name].command("profile", 0)
                done = [each async for each in profiled.find({"ns": {"$ne": f"{name}.system.profile"}})]
                done = [each for each in done if "planSummary" in each]
                keys, documents = (sum(each.get(k, 0) for each in done) for k in ("keysExamined", "docsExamined"))
                read.append({"questions": len(done), "keys": keys, "documents": documents})
            plan: Any = await world.ctx.store.explain(compiled(world.ctx, request("GET", asked)).query)
            found.append(
                {
                    "search": _written(label, shape),
                    "driven by": plan["driver"],
                    "exact": plan["exact"],
                    "sorted": plan["sorted"],
                    **_medians(read),
                }
            )
    finally:
        await client.close()
    return found


def _searches() -> list[tuple[str, str]]:
    return [(name, shape) for name, shape in PLANNED.items() if "?" in shape]


def _written(name: str, shape: str) -> str:
    url = shape.removesuffix("&_count=10").removesuffix("?_count=10")
    return f"{name}: `{url}`"


async def _answered(world: World, url: str) -> None:
    response = await handle(world.ctx, request("GET", url))
    if response.status != 200:
        raise RuntimeError(f"{url}: {response.status} {response.body!r}")


def _medians(read: Sequence[dict[str, int]]) -> dict[str, int]:
    return {name: round(statistics.median(each[name] for each in read)) for name in read[0]}


async def main_async(args: argparse.Namespace, folder: Path, database: Database | None) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    if "embedded" in args.store:
        traces = Traces()
        world = await filled(f"sqlite:///{folder}/plans.db", args.size, folder)
        tables["embedded"] = await embedded(world, traces)
        await world.ctx.store.close()
        print(f"\nEmbedded store, {args.size:,} resources:\n\n{rows(tables['embedded'])}")
    if database:
        world = await filled(database.url, args.size, folder)
        tables["mongod"] = await mongo(world, database.url)
        await world.ctx.store.close()
        print(f"\nMongoDB, {args.size:,} resources:\n\n{rows(tables['mongod'])}")
    return tables


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m conformance.bench.plans", description=__doc__)
    parser.add_argument("--size", type=int, default=20_000)
    parser.add_argument("--store", nargs="+", choices=("embedded", "mongod"), default=["embedded", "mongod"])
    args = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="onecard-plans-")))
        database = stack.enter_context(mongod()) if "mongod" in args.store else None
        tables = asyncio.run(main_async(args, folder, database))
    file = Path("build/bench/plans.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"size": args.size, **tables}, indent=1))


if __name__ == "__main__":
    main()
