"""CPU of the embedded server without a network: `python -m conformance.bench.profile WORK`.

WORK is transactions (of 100), records (like Synthea's, a transaction each), create, update, read, search, or layers:
the steps of a write and of a search, each by itself.

Requests go through the boundary in this process, into a store in a temporary folder. Printed is processor time per unit
(an entry, a request), the least of several rounds because the machine is shared: of the thread that handles requests,
and of all others, which is the store's writer. `--profile` prints where the time of the first goes, `--profile writer`
that of the second.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import gc
import itertools
import pstats
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from conformance.bench import synthea
from conformance.bench.data import SEED, Bodies, Pools, searches, transaction, transactions
from conformance.bench.synthea import Synthea
from fhir_profiles.json_reading import read_json
from server.access.principal import Principal
from server.app import build_context
from server.boundary import handle
from server.config import Settings
from server.context import Context
from server.interactions.links import Links
from server.interactions.references import local_targets, references_in
from server.interactions.search import compiled
from server.interactions.searchset import Bundle
from server.interactions.storing import body_of
from server.messages import FhirRequest
from server.store.embedded.writer import Writer
from server.wire import target
from server.worker import YOUNG

BASE = "http://127.0.0.1:8080/fhir"
JSON = "application/fhir+json"
WORK = ("transactions", "records", "create", "update", "read", "search", "layers")

Round = Callable[[], Awaitable[int]]
"""Does a round of work, gives its units."""


def request(method: str, url: str, body: bytes = b"", headers: dict[str, str] | None = None) -> FhirRequest:
    parts = urlsplit(url)
    query = target.parameters(parts.query, 100)
    path = tuple(segment for segment in parts.path.split("/") if segment)
    return FhirRequest(method, path, query, headers or {}, BASE, Principal("bench"), media_type=JSON, body=body)


async def answered(ctx: Context, asked: FhirRequest) -> None:
    response = await handle(ctx, asked)
    if response.status not in (200, 201):
        raise RuntimeError(f"{asked.method} {asked.path}: {response.status} {response.body!r}")


async def loaded(ctx: Context, people: int) -> Pools:
    pools = Pools()
    for body in transactions(people, pools):
        await answered(ctx, request("POST", "", body, {"prefer": "return=minimal"}))
    return pools


# ---------------------------------------------------------------- the work


def of_transactions(ctx: Context, pools: Pools) -> Round:
    """Transactions of 100 creates."""
    bodies = Bodies(pools, seed=10)
    prepared = itertools.cycle([transaction([bodies.resource() for _ in range(100)]) for _ in range(20)])

    async def work() -> int:
        for body in itertools.islice(prepared, 10):
            await answered(ctx, request("POST", "", body))
        return 1000

    return work


def of_records(ctx: Context, pools: Pools) -> Round:
    """Transactions of whole records like Synthea's, whose references to places are conditional."""
    source = Synthea(SEED)
    made = (source.patient(number) for number in itertools.count())
    ready: list[bytes] = [synthea.transaction(source.places())]

    async def work() -> int:
        records = list(itertools.islice(made, 4))
        for body in (*ready, *map(synthea.transaction, records)):
            await answered(ctx, request("POST", "", body))
        ready.clear()
        return sum(map(len, records))

    return work


def _of_writes(ctx: Context, made: Sequence[tuple[str, str, bytes]], at_once: int = 32) -> Round:
    """32 clients write at once."""
    prepared = itertools.cycle(made)

    async def work() -> int:
        for _ in range(20):
            several = itertools.islice(prepared, at_once)
            await asyncio.gather(*(answered(ctx, request(*each)) for each in several))
        return 20 * at_once

    return work


def of_creates(ctx: Context, pools: Pools) -> Round:
    bodies = Bodies(pools)
    resources = [bodies.resource() for _ in range(2000)]
    return _of_writes(ctx, [("POST", "/" + each["resourceType"], orjson.dumps(each)) for each in resources])


def of_updates(ctx: Context, pools: Pools) -> Round:
    bodies = Bodies(pools, seed=8)
    ids = random.Random(9).sample(pools.ids["Observation"], 500)
    resources = [{**bodies.observation(), "id": each} for each in ids]
    return _of_writes(ctx, [("PUT", f"/Observation/{each['id']}", orjson.dumps(each)) for each in resources])


def of_reads(ctx: Context, pools: Pools) -> Round:
    pick = random.Random(3).choice
    ids = [f"/{kind}/{number}" for kind, numbers in pools.ids.items() for number in numbers]
    return _of_urls(ctx, iter(lambda: pick(ids), ""))


def _of_urls(ctx: Context, urls: Iterator[str]) -> Round:
    async def work() -> int:
        for url in itertools.islice(urls, 1000):
            await answered(ctx, request("GET", url))
        return 1000

    return work


def rounds(ctx: Context, pools: Pools, work: str) -> dict[str, Round]:
    if work == "search":
        shapes = searches(pools)
        return {f"search: {name}": _of_urls(ctx, iter(shape, "")) for name, shape in shapes.items()}
    makers = {
        "transactions": of_transactions,
        "records": of_records,
        "create": of_creates,
        "update": of_updates,
        "read": of_reads,
    }
    return {work: makers[work](ctx, pools)}


# ---------------------------------------------------------------- layer by layer


def least(work: Callable[[Any], object], things: Sequence[Any], times: int) -> float:
    """Microseconds of processor time for each of the things."""
    found = []
    for _ in range(times):
        began = time.thread_time()
        for each in things:
            work(each)
        found.append((time.thread_time() - began) / len(things) * 1e6)
    return min(found)


def write_layers(ctx: Context, pools: Pools, times: int) -> None:
    """What a write costs before it reaches the store's writer."""
    bodies = Bodies(pools, seed=10)
    written = [orjson.dumps(bodies.resource()) for _ in range(1000)]
    parsed = [read_json(each) for each in written]
    made = [body_of(each, "0123456789abcdef") for each in parsed]
    references = [references_in(each) for each in made]
    links = Links(ctx.definitions, {"urn:uuid:1": "Patient/1"})
    types = ctx.definitions.resource_types
    steps: dict[str, tuple[Callable[[Any], object], Sequence[Any]]] = {
        "parse": (read_json, written),
        "links between entries (transactions)": (lambda each: links.rewrite(each, None), parsed),
        "validate": (ctx.validator.validate, parsed),
        "write the body": (lambda each: body_of(each, "0123456789abcdef"), parsed),
        "find references": (references_in, made),
        "which references are ours": (lambda each: local_targets(each, BASE, types), references),
        "index values": (lambda each: ctx.search.extract(each["resourceType"], each), parsed),
    }
    for name, (work, things) in steps.items():
        print(f"write: {name:40}{least(work, things, times):8.1f}")


async def search_layers(ctx: Context, pools: Pools, times: int, shape: str) -> None:
    urls = [searches(pools)[shape]() for _ in range(500)]
    asked = [request("GET", url) for url in urls]
    plans = [compiled(ctx, each) for each in asked]
    found = [await ctx.store.search(plan.query) for plan in plans]
    bundle = Bundle(ctx, BASE)
    print(f"{shape}: compile {least(lambda each: compiled(ctx, each), asked, times):33.1f}")
    began = time.thread_time()
    for plan in plans:
        await ctx.store.search(plan.query)
    print(f"{shape}: store {(time.thread_time() - began) / len(plans) * 1e6:35.1f}")
    entries = least(lambda hits: [bundle.entry(hit.version, "match") for hit in hits.hits], found, times)
    print(f"{shape}: entries {entries:33.1f}")


# ---------------------------------------------------------------- the measuring


async def measure(name: str, work: Round, times: int) -> None:
    """Microseconds of processor time a unit: on this thread, on the others."""
    await work()
    mine, others = [], []
    for _ in range(times):
        gc.collect()
        whole, own = time.process_time(), time.thread_time()
        units = await work()
        own, whole = time.thread_time() - own, time.process_time() - whole
        mine.append(own / units * 1e6)
        others.append((whole - own) / units * 1e6)
    print(f"{name:40}{min(mine):8.1f}{min(others):8.1f}{min(map(sum, zip(mine, others, strict=True))):8.1f}")


def profiled_writer() -> cProfile.Profile:
    """The profile of the store's writer, from its next group on; made before the store is opened."""
    profile = cProfile.Profile(time.thread_time)
    run = Writer._run

    def profiled(self: Writer) -> None:
        profile.runcall(run, self)

    Writer._run = profiled  # type: ignore[method-assign]
    return profile


async def main_async(args: argparse.Namespace, folder: Path) -> None:
    writer = profiled_writer() if args.profile == "writer" else None
    ctx = await build_context(Settings(store=f"sqlite:///{folder}/onecard.db", data_folder=str(folder)))
    profile = cProfile.Profile(time.thread_time)
    try:
        pools = await loaded(ctx, args.people)
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG, *gc.get_threshold()[1:])  # as in a worker
        if args.work == "layers":
            write_layers(ctx, pools, args.rounds)
            for shape in ("by identifier", "by patient", "code, newest first"):
                await search_layers(ctx, pools, args.rounds, shape)
            return
        print(f"{'us of CPU a unit':40}{'loop':>8}{'writer':>8}{'both':>8}")
        for name, work in rounds(ctx, pools, args.work).items():
            if args.shape in name:
                if args.profile == "loop":
                    await work()
                    profile.enable()
                    await work()
                    profile.disable()
                elif not args.profile:
                    await measure(name, work, args.rounds)
                else:
                    await work()
    finally:
        await ctx.store.close()
    if args.profile:
        pstats.Stats(writer or profile).sort_stats(args.sort).print_stats(args.lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m conformance.bench.profile", description=__doc__)
    parser.add_argument("work", choices=WORK)
    parser.add_argument("--people", type=int, default=5, help="synthetic people to load first")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--shape", default="", help="only searches with this in their name")
    parser.add_argument("--profile", nargs="?", const="loop", choices=("loop", "writer"))
    parser.add_argument("--sort", default="tottime", choices=("tottime", "cumtime"))
    parser.add_argument("--lines", type=int, default=45)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="onecard-profile-") as folder:
        asyncio.run(main_async(args, Path(folder)))


if __name__ == "__main__":
    main()
