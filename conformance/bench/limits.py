"""What the databases give by themselves: bare calls of SQLite and MongoDB with the bytes that OneCard is given.

Nothing is parsed, checked or indexed but one number, no HTTP: a server on top can only be slower. Read by primary key,
durable inserts one by one and 32 together, the ten newest of a patient by an index. One thread; the driver's own cost
is part of it, as it would be of a server's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import orjson

from conformance.bench.data import SEED
from conformance.bench.load import Answer, Call, Result
from conformance.bench.processes import Usage, usage
from conformance.bench.synthea import Synthea
from conformance.bench.workloads import NOTHING, Measured
from server.store.embedded.driver import connect as connect_sqlite
from server.store.mongo.driver import Binary
from server.store.mongo.driver import connect as connect_mongo

ROWS = 5_000
TOGETHER = 32
IN_FLIGHT = 16
"""Calls of MongoDB at once."""


def bodies() -> list[tuple[str, int, bytes]]:
    """(id, number of the patient, JSON) of ROWS resources."""
    found: list[tuple[str, int, bytes]] = []
    for resource in Synthea(SEED).resources(ROWS):
        found.append((resource["id"], len(found) // 600, orjson.dumps(resource)))
    return found[:ROWS]


def sqlite(folder: Path, seconds: float) -> list[Measured]:
    rows, rng = bodies(), Random(3)
    with closing(connect_sqlite(folder / "limit.db", create=True)) as db:
        db.execute("CREATE TABLE r (id TEXT PRIMARY KEY, patient INT, n INTEGER, body BLOB) WITHOUT ROWID")
        db.execute("CREATE INDEX p ON r (patient, n DESC)")
        with db:
            db.executemany("INSERT INTO r VALUES (?, ?, ?, ?)", [(i, p, n, b) for n, (i, p, b) in enumerate(rows)])
        fresh = _fresh(rows)

        def insert(count: int) -> None:
            with db:
                db.executemany("INSERT INTO r VALUES (?, ?, ?, ?)", [next(fresh) for _ in range(count)])

        def read() -> object:
            return db.execute("SELECT body FROM r WHERE id = ?", (rng.choice(rows)[0],)).fetchall()

        def ten() -> object:
            patient = (rng.choice(rows)[1],)
            return db.execute("SELECT body FROM r WHERE patient = ? ORDER BY n DESC LIMIT 10", patient).fetchall()

        return [
            _timed("read by primary key", read, seconds),
            _timed("find ten by an index", ten, seconds),
            _timed("insert, each durable", lambda: insert(1), seconds),
            _timed(f"insert, {TOGETHER} durable together", lambda: insert(TOGETHER), seconds, TOGETHER),
        ]


def _fresh(rows: list[tuple[str, int, bytes]]) -> Iterator[tuple[str, int, int, bytes]]:
    number = ROWS
    while True:
        for name, patient, body in rows:
            number += 1
            yield f"{number:012x}-{name}", patient, number, body


def _timed(name: str, work: Callable[[], object], seconds: float, units: int = 1) -> Measured:
    result, call = Result(name), Call(b"", units=units)
    began, cpu = time.perf_counter(), time.process_time()
    before, now = began, began
    while now < began + seconds:
        work()
        now = time.perf_counter()
        result.note(call, Answer(200, b""), now - before)
        before = now
    result.seconds = now - began
    return Measured(result, Usage(time.process_time() - cpu, 0))


async def mongo(url: str, pid: int, seconds: float) -> list[Measured]:
    """pid: of the mongod, whose CPU is told."""
    rows, rng = bodies(), Random(3)
    client, name = connect_mongo(url)
    try:
        await client.drop_database(name)
        collection = client[name]["limit"]
        await collection.create_index([("patient", 1), ("n", -1)])
        await collection.insert_many(
            [{"_id": i, "patient": p, "n": n, "body": Binary(b)} for n, (i, p, b) in enumerate(rows)]
        )
        fresh = _fresh(rows)

        def documents(count: int) -> list[dict[str, object]]:
            made = (next(fresh) for _ in range(count))
            return [{"_id": i, "patient": p, "n": n, "body": Binary(b)} for i, p, n, b in made]

        async def read() -> None:
            await collection.find_one({"_id": rng.choice(rows)[0]})

        async def read_several() -> None:
            await collection.find({"_id": {"$in": [each[0] for each in rng.sample(rows, TOGETHER)]}}).to_list()

        async def ten() -> None:
            found = collection.find({"patient": rng.choice(rows)[1]})
            await found.sort([("patient", 1), ("n", -1)]).limit(10).to_list()

        async def insert() -> None:
            await collection.insert_one(documents(1)[0])

        async def insert_several() -> None:
            await collection.insert_many(documents(TOGETHER))

        return [
            await _in_flight("read by primary key", read, seconds, pid),
            await _in_flight(f"read {TOGETHER} by primary key", read_several, seconds, pid, TOGETHER),
            await _in_flight("find ten by an index", ten, seconds, pid),
            await _in_flight("insert, each durable", insert, seconds, pid),
            await _in_flight(f"insert, {TOGETHER} durable together", insert_several, seconds, pid, TOGETHER),
        ]
    finally:
        await client.drop_database(name)
        await client.close()


async def _in_flight(
    name: str, work: Callable[[], Awaitable[None]], seconds: float, pid: int, units: int = 1
) -> Measured:
    result, call = Result(name), Call(b"", units=units)
    before = usage(pid) if pid else NOTHING
    began, cpu = time.perf_counter(), time.process_time()

    async def client() -> None:
        asked = time.perf_counter()
        while asked < began + seconds:
            await work()
            now = time.perf_counter()
            result.note(call, Answer(200, b""), now - asked)
            asked = now

    await asyncio.gather(*(client() for _ in range(IN_FLIGHT)))
    result.seconds = time.perf_counter() - began
    after = usage(pid) if pid else NOTHING
    return Measured(result, Usage(time.process_time() - cpu, 0), Usage(after.cpu - before.cpu, after.memory))
