"""What read and write concerns cost on MongoDB: `python -m conformance.bench.concerns`.

One client, one command at a time, medians; a set of one node and one of three, which are started here and journaled as
in service. A transaction is what a group of the store makes: a registration, a stamp, an insert and the commit.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from conformance.bench.database import program
from conformance.replica_set import ReplicaSet
from server.store.mongo.driver import Client, Session, connect, plain, snapshot, transact

TIMES = 400
BODY = b"x" * 600
TICK = {"$currentDate": {"u": {"$type": "timestamp"}}}
Ask = Callable[[int], Awaitable[object]]


def asked(client: Client, name: str) -> dict[str, Ask]:
    """Name -> what is timed."""
    safe = client[name]["r"]
    quick = plain(safe)

    async def transaction(n: int) -> None:
        async def work(session: Session) -> None:
            await safe.find_one_and_update({"_id": "w"}, TICK, session=session)
            await safe.insert_one({"_id": f"t{n}", "b": BODY}, session=session)

        await quick.update_one({"_id": "w"}, TICK, upsert=True)
        await transact(client, work)

    async def of_a_moment(n: int) -> None:
        async with snapshot(client) as session:
            await safe.find_one({"_id": n % TIMES}, session=session)

    return {
        "insert, acknowledged by the primary": lambda n: quick.insert_one({"_id": n, "b": BODY}),
        "insert, by the majority": lambda n: safe.insert_one({"_id": f"s{n}", "b": BODY}),
        "transaction, by the majority": transaction,
        "read, local": lambda n: quick.find_one({"_id": n % TIMES}),
        "read, majority": lambda n: safe.find_one({"_id": n % TIMES}),
        "read, of one snapshot": of_a_moment,
    }


async def measured(url: str) -> dict[str, float]:
    """Name -> microseconds."""
    found = {}
    client, name = connect(url)
    await client[name].create_collection("r")
    for what, ask in asked(client, name).items():
        spent = []
        for n in range(TIMES):
            began = time.perf_counter()
            await ask(n)
            spent.append(time.perf_counter() - began)
        found[what] = statistics.median(spent) * 1e6
    await client.close()
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
