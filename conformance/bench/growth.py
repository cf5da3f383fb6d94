"""How searches grow with the store: `python -m conformance.bench.growth [--sizes 10000 100000]`.

Fills a store of each size in a temporary folder with synthetic people and asks all of them in turn for the same first
pages, in this process. Printed in Markdown for docs/performance.md: median processor time of a first page in each
store; which index drives each search (`store.explain`); what an exact total costs per match.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import math
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from conformance.bench.data import SEED, Pools, noted
from conformance.bench.profile import request
from mappers.population import resources
from server.app import build_context
from server.boundary import handle
from server.config import Settings
from server.context import Context
from server.interactions.search import compiled
from server.interactions.storing import commit, prepare

TOGETHER = 500
"""Resources of one commit while the store is filled."""
ASKED = 200
"""Requests of each shape."""

FIRST_PAGES = {
    "read by id": "/Observation/{observation}",
    "_id": "/Patient?_id={patient}",
    "identifier": "/Patient?identifier={identifier}",
    "patient": "/Observation?patient=Patient/{patient}&_count=10",
    "patient and code": "/Observation?patient=Patient/{patient}&code={code}&_count=10",
    "patient and code, newest first": "/Observation?patient=Patient/{patient}&code={code}&_sort=-date&_count=10",
    "reference": "/Observation?encounter=Encounter/{encounter}&_count=10",
    "code": "/Observation?code={code}&_count=10",
    "code, newest first": "/Observation?code={code}&_sort=-date&_count=10",
    "code and month": "/Observation?code={code}&date={month}&_count=10",
    "condition code": "/Condition?code={condition}&_count=10",
    "date from": "/Observation?date=ge{date}&_count=10",
    "one day": "/Observation?date={date}&_count=10",
    "day, newest first": "/Observation?date={date}&_sort=-date&_count=10",
    "family name": "/Patient?family={family}&_count=10",
    "part of a name": "/Patient?name:contains={part}&_count=10",
    "birth date": "/Patient?birthdate={born}&_count=10",
    "last changed first": "/Observation?_sort=-_lastUpdated&_count=10",
    "value of a code": "/Observation?code-value-quantity={code}$gt5&_count=10",
    "chain: name of the patient": "/Condition?patient.family={family}&_count=10",
    "_has": "/Patient?_has:Condition:patient:code={condition}&_count=10",
    ":not": "/Observation?category:not=vital-signs&_count=10",
    ":missing": "/Condition?abatement-date:missing=true&_count=10",
}
TOTALS = {
    "code": "/Observation?code={code}",
    "code and month": "/Observation?code={code}&date={month}",
    "date from": "/Observation?date=ge{date}",
    ":not": "/Observation?category:not=vital-signs",
    "chain: name of the patient": "/Condition?patient.family={family}",
    "_has": "/Patient?_has:Condition:patient:code={condition}",
    "_filter": "/Observation?_filter=code eq {code} and date ge {date}",
}


class Values(Pools):
    """Pools, and what else the shapes ask for."""

    def any(self, pick: random.Random) -> dict[str, str]:
        date, family = pick.choice(self.dates), pick.choice(self.families)
        return {
            "observation": pick.choice(self.ids["Observation"]),
            "patient": pick.choice(self.ids["Patient"]),
            "encounter": pick.choice(self.ids["Encounter"]),
            "identifier": pick.choice(self.identifiers),
            "code": pick.choice(self.codes),
            "condition": pick.choice(self.condition_codes),
            "date": date,
            "month": date[:7],
            "family": family,
            "part": family[1:4],
            "born": f"{pick.randrange(1940, 2020)}-{pick.randrange(1, 13):02}",
        }

    def urls(self, shape: str, count: int, seed: int = 5) -> list[str]:
        pick = random.Random(seed)
        found = []
        for _ in range(count):
            values = {name: quote(text, safe="") for name, text in self.any(pick).items()}
            found.append(quote(shape, safe="/?=&{}$:-_").format(**values))
        return found


class World(NamedTuple):
    """One store, and what can be asked of it."""

    ctx: Context
    values: Values


async def filled(folder: Path, size: int) -> World:
    ctx = await build_context(Settings(store=f"sqlite:///{folder}/{size}.db", data_folder=str(folder)))
    values = Values()
    began = time.process_time()
    rest = itertools.islice(resources(size, SEED), size)
    while group := list(itertools.islice(rest, TOGETHER)):
        await commit(ctx, [prepare(ctx, "", noted(each, values), each["id"], "PUT").put for each in group])
    print(f"{size:,} resources; {(time.process_time() - began) / size * 1e6:.0f} us of CPU each to make and store")
    return World(ctx, values)


async def first_pages(worlds: Sequence[World], shape: str) -> list[float]:
    """Median microseconds of processor time of a request in each store; infinite where the time limit ended one.

    The stores take turns, so that whatever else the machine does concerns all of them."""
    taken: list[list[float]] = [[] for _ in worlds]
    urls = [world.values.urls(shape, ASKED) for world in worlds]
    for turn in range(ASKED):
        for each, world, mine in zip(taken, worlds, urls, strict=True):
            if math.inf in each:
                continue
            asked = request("GET", mine[turn])
            began = time.process_time()
            response = await handle(world.ctx, asked)
            each.append((time.process_time() - began) * 1e6 if response.status == 200 else math.inf)
    return [math.inf if math.inf in each else statistics.median(each) for each in taken]


async def totals(ctx: Context, values: Values) -> None:
    print("\n| exact total | matches (median) | ms of CPU (median) | us a match |\n|---|---|---|---|")
    for name, shape in TOTALS.items():
        matches, taken = [], []
        for url in values.urls(shape, 40):
            query = compiled(ctx, request("GET", url)).query
            began = time.process_time()
            matches.append(await ctx.store.count(query))
            taken.append((time.process_time() - began) * 1000)
        each = sum(taken) * 1000 / max(1, sum(matches))
        print(f"| {name} | {statistics.median(matches):.0f} | {statistics.median(taken):.2f} | {each:.2f} |")


async def plans(ctx: Context, values: Values) -> None:
    print("\n| search | driven by | looked up in each hit | order |\n|---|---|---|---|")
    for shape in FIRST_PAGES.values():
        if "?" not in shape:
            continue
        query = compiled(ctx, request("GET", values.urls(shape, 1)[0])).query
        found: Any = await ctx.store.explain(query)
        for each in found["types"]:
            written = shape.removesuffix("&_count=10").replace("|", "\\|")
            print(f"| `{written}` | {each['driver']} | {', '.join(each['probes']) or '-'} | {each['order']} |")


async def main_async(sizes: list[int], folder: Path) -> None:
    worlds = [await filled(folder, size) for size in sizes]
    gc.collect()
    gc.freeze()
    print(f"\n| us of CPU a first page | {' | '.join(f'{size:,}' for size in sizes)} | growth |")
    print("|---|" + "---|" * (len(sizes) + 1))
    for name, shape in FIRST_PAGES.items():
        figures = await first_pages(worlds, shape)
        growth = f"{figures[-1] / figures[0]:.1f}" if math.isfinite(figures[-1]) else "ended by the time limit"
        print(f"| {name} | {' | '.join(f'{us:.0f}' for us in figures)} | {growth} |", flush=True)
    await totals(*worlds[-1])
    await plans(*worlds[-1])
    for world in worlds:
        await world.ctx.store.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m conformance.bench.growth", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="onecard-growth-") as folder:
        asyncio.run(main_async(args.sizes, Path(folder)))


if __name__ == "__main__":
    main()
