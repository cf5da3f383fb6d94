"""Bytes on disk of resources that were made, then all updated once: `python -m conformance.bench.versions`.

`--store mongod` for MongoDB. The hardest case of an incremental store: every document is replaced right after
it was written.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import tempfile
from pathlib import Path

from conformance.bench.data import SEED
from conformance.bench.database import mongod
from conformance.bench.filled import TOGETHER, filled
from conformance.bench.processes import disk
from mappers.population import resources
from server.interactions.storing import commit, prepare


async def made(store: str, size: int, folder: Path, *, updated: bool) -> None:
    """The store of that URL with as many resources, closed; updated: each has two versions."""
    ctx = (await filled(store, size, folder)).ctx
    rest = iter(itertools.islice(resources(size, SEED), size if updated else 0))
    while group := list(itertools.islice(rest, TOGETHER)):
        changed = [{**each, "language": "th"} for each in group]
        await commit(ctx, [prepare(ctx, "", each, each["id"], "PUT").put for each in changed])
    await ctx.store.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m conformance.bench.versions")
    parser.add_argument("--store", choices=("embedded", "mongod"), default="embedded")
    parser.add_argument("--size", type=int, default=10_000)
    args = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="onecard-versions-")))
        database = stack.enter_context(mongod()) if args.store == "mongod" else None
        url = database.url if database else f"sqlite:///{folder}/onecard.db"

        def told(what: str) -> None:
            held = database.disk() if database else disk(folder / "onecard.db")
            print(f"{what}: {held / args.size:,.0f} bytes a resource", flush=True)

        for updated, what in ((False, "made"), (True, "updated once, two versions")):
            asyncio.run(made(url, args.size, folder, updated=updated))
            told(what)
        if database:
            database.compact()
            told("the same compacted")


if __name__ == "__main__":
    main()
