"""`make failover`: the primary of a three-node set killed, paused and cut off under a storm of writes to OneCard.

Starts three `mongod` in a network of their own, OneCard with several workers before them, and clients that write
transactions and read what was acknowledged. In each round the primary is lost one way and comes back. At the end:
everything acknowledged is in the store, no transaction is half there, no version is missing between two others, all
nodes hold the same. Prints the gaps, writes build/failover/NAME.json, exits with 1 on a fault.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import math
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from conformance.bench.database import program
from conformance.bench.load import Target
from conformance.bench.onecard import onecard
from conformance.line import Line, Reply
from conformance.network import Network
from conformance.replica_set import Node, ReplicaSet

WRITERS, READERS = 8, 3
CALM = 40
"""Acknowledged writes before the primary is lost, and behind it until it comes back."""
PATIENCE = 120.0


@dataclass(slots=True)
class Seen:
    """What the clients saw."""

    acknowledged: dict[str, int] = field(default_factory=dict)
    """Type/id -> highest version that was acknowledged."""
    writes: list[float] = field(default_factory=list)
    """When one was acknowledged."""
    reads: list[float] = field(default_factory=list)
    waits: list[tuple[float, float]] = field(default_factory=list)
    """(when it was answered, how long that took) of every request."""
    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def note(self, reply: Reply, sent: float) -> None:
        now = time.monotonic()
        self.waits.append((now, now - sent))
        self.statuses[reply.status] += 1


@dataclass(frozen=True, slots=True)
class Round:
    way: str
    write_gap: float
    """Seconds without an acknowledged write."""
    read_gap: float
    """Seconds without an answered read."""
    longest: float
    """Seconds the slowest answer took."""
    refused: int
    """Answers that were a 503 with Retry-After."""


class Storm:
    """Clients of one server, until `stop`."""

    def __init__(self, target: Target) -> None:
        self.seen = Seen()
        self._target = target
        self._stop = False
        self._tasks = [
            *(asyncio.create_task(self._write(f"w{n}")) for n in range(WRITERS)),
            *(asyncio.create_task(self._read(random.Random(n))) for n in range(READERS)),
        ]

    async def stop(self) -> None:
        self._stop = True
        await asyncio.gather(*self._tasks)

    async def after(self, count: int) -> None:
        """Until so many further writes were acknowledged, and reads answered."""
        goal = len(self.seen.writes) + count, len(self.seen.reads) + count
        deadline = time.monotonic() + PATIENCE
        while len(self.seen.writes) < goal[0] or len(self.seen.reads) < goal[1]:
            if time.monotonic() > deadline or any(task.done() for task in self._tasks):
                raise RuntimeError(f"the storm stands still: {self.seen.statuses}, {self.seen.faults}")
            await asyncio.sleep(0.02)

    async def _write(self, name: str) -> None:
        """Transactions of two new resources and one that all of this client's share."""
        line = self._line()
        for number in itertools.count():
            if self._stop:
                break
            pair, shared = (f"Patient/{name}-{number}", f"Basic/{name}-{number}"), f"Group/{name}"
            reply = await self._ask(line, "POST", "", _transaction((pair[0], shared, pair[1])))
            if reply is None or reply.status == 503:
                continue
            if reply.status != 200:
                self._fault("write", reply)
                continue
            entries = json.loads(reply.body)["entry"]
            version = int(entries[1]["response"]["etag"][3:-1])
            self.seen.acknowledged |= dict.fromkeys(pair, 1) | {shared: version}
            self.seen.writes.append(time.monotonic())
        line.close()

    async def _read(self, chance: random.Random) -> None:
        """What was acknowledged, by id and by search: never an older version, never nothing."""
        line = self._line()
        while not self._stop:
            if not self.seen.acknowledged:
                await asyncio.sleep(0.05)
                continue
            place, version = chance.choice(list(self.seen.acknowledged.items())[-200:])
            search = chance.random() < 0.3
            kind, _, id = place.partition("/")
            reply = await self._ask(line, "GET", f"/{kind}?_id={id}" if search else f"/{place}")
            if reply is None or reply.status == 503:
                continue
            body = json.loads(reply.body)
            found = body.get("entry", [{}])[0].get("resource") if search else body
            if reply.status != 200 or found is None or int(found["meta"]["versionId"]) < version:
                self._fault(f"read of {place} version {version}", reply)
                continue
            self.seen.reads.append(time.monotonic())
        line.close()

    async def _ask(self, line: Line, method: str, path: str, body: bytes | None = None) -> Reply | None:
        sent = time.monotonic()
        try:
            reply = await line.ask(self._target.request(method, path, body))
        except (ConnectionError, TimeoutError) as error:
            self.seen.faults.append(f"{method} {path}: {type(error).__name__}")
            return None
        self.seen.note(reply, sent)
        if reply.status == 503:
            if "retry-after" not in reply.headers:
                self._fault("503 without Retry-After", reply)
            await asyncio.sleep(0.2)
        return reply

    def _fault(self, what: str, reply: Reply) -> None:
        since = time.monotonic() - self.seen.writes[-1] if self.seen.writes else math.inf
        told = f"{reply.status} {reply.body[:300].decode(errors='replace')}"
        self.seen.faults.append(f"{what}, {since:.2f} s after the last acknowledged write: {told}")

    def _line(self) -> Line:
        return Line(self._target.host, self._target.port, patience=PATIENCE)


def _transaction(places: Sequence[str]) -> bytes:
    entries = []
    for place in places:
        kind, _, id = place.partition("/")
        resource: dict[str, Any] = {"resourceType": kind, "id": id}
        if kind == "Group":
            resource |= {"type": "person", "actual": True}
        if kind == "Basic":
            resource |= {"code": {"text": "x"}}
        entries.append({"resource": resource, "request": {"method": "PUT", "url": place}})
    return json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries}).encode()


# ---------------------------------------------------------------- losing the primary


def _killed(node: Node) -> Callable[[], None]:
    node.kill()
    return node.start


def _paused(node: Node) -> Callable[[], None]:
    node.kill(signal.SIGSTOP)
    return lambda: node.kill(signal.SIGCONT)


def _cut_off(node: Node) -> Callable[[], None]:
    assert node.network is not None, "the set has one"
    network = node.network
    network.cut(node.port)
    return lambda: network.join(node.port)


WAYS: dict[str, Callable[[Node], Callable[[], None]]] = {"killed": _killed, "paused": _paused, "cut off": _cut_off}
"""How a primary is lost -> does it, and gives what brings it back."""


async def lose(way: str, nodes: ReplicaSet, storm: Storm) -> Round:
    """One round: the primary is lost, writes and reads go on, it comes back, all is whole."""
    await storm.after(CALM)
    seen, refused = storm.seen, storm.seen.statuses[503]
    primary = await asyncio.to_thread(nodes.primary)
    began = time.monotonic()
    mend = WAYS[way](primary)
    try:
        await storm.after(CALM)
    finally:
        mend()
    ended = time.monotonic()
    await asyncio.to_thread(nodes.wait_for_members)
    await storm.after(CALM)
    longest = max(wait for answered, wait in seen.waits if answered >= began)
    writes, reads = (_gap(times, began - 1, ended) for times in (seen.writes, seen.reads))
    return Round(way, writes, reads, longest, seen.statuses[503] - refused)


def _gap(times: Sequence[float], begin: float, end: float) -> float:
    """The longest time between two of them, within [begin, end]."""
    within = [time for time in times if begin <= time <= end]
    return max((later - earlier for earlier, later in itertools.pairwise(within)), default=end - begin)


# ---------------------------------------------------------------- what must hold afterwards


async def verified(url: str, acknowledged: dict[str, int]) -> tuple[int, list[str]]:
    """(versions in the store, what is wrong with them)"""
    from server.app import build_context
    from server.config import Settings

    ctx = await build_context(Settings(store=url))
    try:
        told = [(f"{v.type}/{v.id}", v.version, v.seq) async for v in ctx.store.changes(0)]
        current = await ctx.store.read_many([(place.split("/")[0], place.split("/")[1]) for place in acknowledged])
    finally:
        await ctx.store.close()
    versions: dict[str, list[int]] = {}
    for place, version, _ in told:
        versions.setdefault(place, []).append(version)
    wrong = [
        f"lost: {place} version {version}"
        for (place, version), now in zip(acknowledged.items(), current, strict=True)
        if max(versions.get(place, [0])) < version or now is None or now.version < version
    ]
    wrong += [
        f"a hole in the versions of {place}"
        for place, found in versions.items()
        if found != [*range(1, len(found) + 1)]
    ]
    pairs = {kind: {p.partition("/")[2] for p in versions if p.startswith(kind)} for kind in ("Patient/", "Basic/")}
    wrong += [f"half a transaction: {id}" for id in pairs["Patient/"] ^ pairs["Basic/"]]
    shared = Counter(id.partition("-")[0] for id in pairs["Patient/"])
    wrong += [f"half a transaction: {name}" for name, n in shared.items() if len(versions[f"Group/{name}"]) != n]
    if len({seq for _, _, seq in told}) != len(told):
        wrong.append("two versions at one place of the commit order")
    return len(told), wrong


def differing(nodes: ReplicaSet, database: str) -> list[str]:
    """Collections that two nodes hold differently."""
    nodes.wait_for_all()
    hashes = [node.ask("dbHash", database=database)["collections"] for node in nodes.nodes]
    return [f"the nodes differ in {name}" for name in hashes[0] if len({each.get(name) for each in hashes}) > 1]


# ---------------------------------------------------------------- the command


@contextlib.contextmanager
def _set_of_three(election_ms: int, oplog_patience: int) -> Iterator[ReplicaSet]:
    folder = Path(tempfile.mkdtemp(prefix="onecard-failover-"))
    network = Network()
    nodes = ReplicaSet(program(), folder / "set", 3, election_ms, network=network, oplog_patience=oplog_patience)
    try:
        yield nodes.start()
    finally:
        nodes.stop()
        network.close()
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Outcome:
    rounds: list[Round]
    seen: Seen
    versions: int
    faults: list[str]


async def storm_over(
    url: str, port: int, nodes: ReplicaSet, ways: Sequence[str], tell: Callable[[Round], None]
) -> Outcome:
    """All rounds against OneCard at `port`, whose store is `url`."""
    storm = Storm(Target("127.0.0.1", port, "/fhir"))
    rounds = []
    try:
        for way in ways:
            rounds.append(await lose(way, nodes, storm))
            tell(rounds[-1])
    finally:
        await storm.stop()
    seen = storm.seen
    versions, wrong = await verified(url, seen.acknowledged)
    wrong += await asyncio.to_thread(differing, nodes, "onecard")
    return Outcome(rounds, seen, versions, [*seen.faults, *wrong])


def run(ways: Sequence[str], args: argparse.Namespace, tell: Callable[[Round], None]) -> Outcome:
    """A set and a server of their own."""
    with _set_of_three(args.election_ms, args.oplog_patience) as nodes:
        url = nodes.url("onecard") + args.options
        with onecard(url, nodes.folder.parent, workers=args.workers) as server:
            return asyncio.run(storm_over(url, server.target.port, nodes, ways, tell))


def main() -> int:
    args = _arguments()
    ways = [way for way, _ in zip(itertools.cycle(args.ways.split(",")), range(args.rounds), strict=False)]
    print(f"{'round':<7}{'primary':<10}{'no write':>10}{'no read':>10}{'slowest':>10}{'503':>6}", flush=True)
    numbers = itertools.count(1)

    def tell(each: Round) -> None:
        times = "".join(f"{value:>9.1f}s" for value in (each.write_gap, each.read_gap, each.longest))
        print(f"{next(numbers):<7}{each.way:<10}{times}{each.refused:>6}", flush=True)

    outcome = run(ways, args, tell)
    for way in dict.fromkeys(ways):
        kept = [each for each in outcome.rounds if each.way == way]
        for what in ("write_gap", "read_gap"):
            values = sorted(getattr(each, what) for each in kept)
            print(f"{way}, {what}: median {values[len(values) // 2]:.1f} s, longest {values[-1]:.1f} s")
    seen = outcome.seen
    print(f"{len(seen.writes):,} transactions acknowledged, {len(seen.reads):,} reads, {outcome.versions:,} versions")
    print(f"statuses {dict(sorted(seen.statuses.items()))}")
    for each in outcome.faults[:20]:
        print(each)
    print(f"{len(outcome.faults)} faults" if outcome.faults else "nothing acknowledged lost, no half transaction")
    place = Path("build/failover")
    place.mkdir(parents=True, exist_ok=True)
    report = {"rounds": [asdict(each) for each in outcome.rounds], "faults": outcome.faults, "statuses": seen.statuses}
    (place / f"{args.name}.json").write_text(json.dumps(report, indent=1), "utf-8")
    return 1 if outcome.faults else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m conformance.failover", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--ways", default=",".join(WAYS), help="in turn; default: killed,paused,cut off")
    parser.add_argument("--election-ms", type=int, default=2000, help="electionTimeoutMillis of the set")
    parser.add_argument("--oplog-patience", type=int, default=1, help="oplogNetworkTimeoutBufferSeconds of the nodes")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--options", default="", help='further options of the store URL, as "&heartbeatFrequencyMS=500"'
    )
    parser.add_argument("--name", default="onecard", help="name of the report")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
