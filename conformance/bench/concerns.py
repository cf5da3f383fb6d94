"""What read and write concerns cost on MongoDB: `python -m conformance.bench.concerns`.

One client, one command at a time, medians; a set of one node and one of three, which are started here and journaled as
in service. A transaction is a registration, a stamp, an insert and the commit, as a group of the store makes it.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from conformance.bench.database import program
from conformance.replica_set import ReplicaSet

TIMES = 400
BODY = b"x" * 600
Ask = Callable[[int], Awaitable[object]]


def asked(client: AsyncMongoClient[dict[str, Any]]) -> dict[str, Ask]:
    """Name -> what is timed."""
    database = client["concerns"]
    plain = database.get_collection("r", write_concern=WriteConcern(1), read_concern=ReadConcern("local"))
    safe = database.get_collection("r", write_concern=WriteConcern("majority"), read_concern=ReadConcern("majority"))
    exact = database.get_collection("r", read_concern=ReadConcern("linearizable"))

    def transaction(write: WriteConcern) -> Ask:
        async def run(n: int) -> None:
            await plain.update_one({"_id": "w"}, {"$currentDate": {"u": {"$type": "timestamp"}}}, upsert=True)
            async with (
                client.start_session(causal_consistency=False) as session,
                await session.start_transaction(ReadConcern("snapshot"), write),
            ):
                stamp = {"$currentDate": {"u": {"$type": "timestamp"}}}
                await database.r.find_one_and_update({"_id": "w"}, stamp, session=session)
                await database.r.insert_one({"_id": f"t{write.document}{n}", "b": BODY}, session=session)

        return run

    async def of_a_moment(n: int) -> None:
        async with client.start_session(snapshot=True) as session:
            await database.r.find_one({"_id": n % TIMES}, session=session)

    return {
        "insert, acknowledged by the primary": lambda n: plain.insert_one({"_id": n, "b": BODY}),
        "insert, by the majority": lambda n: safe.insert_one({"_id": f"s{n}", "b": BODY}),
        "transaction, by the primary": transaction(WriteConcern(1)),
        "transaction, by the majority": transaction(WriteConcern("majority")),
        "read, local": lambda n: plain.find_one({"_id": n % TIMES}),
        "read, majority": lambda n: safe.find_one({"_id": n % TIMES}),
        "read, of one snapshot": of_a_moment,
        "read, linearizable": lambda n: exact.find_one({"_id": n % TIMES}),
    }


async def measured(url: str) -> dict[str, float]:
    """Name -> microseconds."""
    found = {}
    async with AsyncMongoClient[dict[str, Any]](url) as client:
        await client["concerns"].create_collection("r")
        for name, ask in asked(client).items():
            spent = []
            for n in range(TIMES):
                began = time.perf_counter()
                await ask(n)
                spent.append(time.perf_counter() - began)
            found[name] = statistics.median(spent) * 1e6
    return found


def main() -> None:
    tables = []
    for size in (1, 3):
        with tempfile.TemporaryDirectory(prefix="onecard-concerns-") as folder:
            nodes = ReplicaSet(program(), Path(folder) / "set", size=size).start()
            try:
                nodes.wait_for_members()
                tables.append(asyncio.run(measured(nodes.url("concerns"))))
            finally:
                nodes.stop()
    print("| microseconds, median | one node | three nodes |\n|---|---|---|")
    for name in tables[0]:
        print(f"| {name} | " + " | ".join(f"{table[name]:,.0f}" for table in tables) + " |")


if __name__ == "__main__":
    main()
