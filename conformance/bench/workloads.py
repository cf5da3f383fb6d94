"""The workloads, run against one server: load, read, create, update, searches, transactions, mixed."""

from __future__ import annotations

import itertools
import json
import random
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import orjson

from conformance.bench.data import Bodies, Pools, searches, transaction, transactions
from conformance.bench.load import Result, Target, run
from conformance.bench.processes import Usage, usage

NOTHING = Usage(0, 0)


@dataclass(frozen=True, slots=True)
class Measured:
    """One workload: what was sent, and what it cost the server."""

    result: Result
    server_cpu: float
    """CPU seconds of the server during the workload; 0 for a server by URL."""
    server_memory: int
    """Resident bytes at its end."""
    units: int = 1
    """Resources in one request, for loads and transactions."""
    database: Usage = NOTHING
    """Of a database process beside the server: CPU seconds during the workload, resident bytes at its end."""

    def row(self) -> dict[str, object]:
        r = self.result
        return {
            "workload": r.name,
            "requests": r.requests,
            "per_second": round(r.rate, 1),
            "units_per_second": round(r.rate * self.units, 1),
            "p50_ms": round(r.percentile(0.50), 3),
            "p95_ms": round(r.percentile(0.95), 3),
            "p99_ms": round(r.percentile(0.99), 3),
            "failures": r.failures(),
            "server_cpu_us": round(self.server_cpu / max(1, r.requests) * 1e6, 1),
            "database_cpu_us": round(self.database.cpu / max(1, r.requests) * 1e6, 1),
            "generator_cpu_us": round(r.generator_cpu / max(1, r.requests) * 1e6, 1),
            "server_memory_mb": round(self.server_memory / 1e6, 1),
            "database_memory_mb": round(self.database.memory / 1e6, 1),
        }


class Bench:
    """Runs workloads against a target and keeps their rows.   pid: the server's process, None if it is not ours."""

    def __init__(self, target: Target, pid: int | None, *, connections: int, seconds: float) -> None:
        self.target = target
        self.pid = pid
        self.database_pid: int | None = None
        """Of a database process that the server works with and the bench started."""
        self.only: tuple[str, ...] = ()
        """Parts of names: if there are any, other workloads are left out."""
        self.connections = connections
        self.seconds = seconds
        self.pools = Pools()
        self.measured: list[Measured] = []

    def measure(
        self,
        name: str,
        next_request: Callable[[], bytes | None],
        *,
        units: int = 1,
        connections: int | None = None,
        seconds: float | None = None,
        seen: Callable[[int, bytes], None] | None = None,
    ) -> Result:
        if self.only and not any(part in name for part in self.only) and not name.startswith(("load", "trivial")):
            return Result(name)
        before, database = self._usage()
        result = run(
            name,
            self.target,
            next_request,
            connections=connections or self.connections,
            seconds=seconds or self.seconds,
            seen=seen,
        )
        after, database_after = self._usage()
        database = Usage(database_after.cpu - database.cpu, database_after.memory)
        self.measured.append(Measured(result, after.cpu - before.cpu, after.memory, units, database))
        return result

    def _usage(self) -> tuple[Usage, Usage]:
        """Of the server, of its database."""
        server, database = (usage(pid) if pid else Usage(0, 0) for pid in (self.pid, self.database_pid))
        return server, database

    # ------------------------------------------------------------ the workloads

    def load(self, people: int, limit: int | None = None) -> Result:
        """The population in transactions of 100, one after the other: the earlier ones are what the later refer to."""
        bundles: Iterable[bytes] = transactions(people, self.pools)
        if limit is not None:
            bundles = itertools.islice(bundles, limit)
        ready = iter(bundles)

        def next_request() -> bytes | None:
            body = next(ready, None)
            return None if body is None else self.target.request("POST", "", body)

        return self.measure("load, transactions of 100", next_request, units=100, connections=1, seconds=1e9)

    def read(self) -> Result:
        return self.measure("read by id", self.reads())

    def reads(self) -> Callable[[], bytes]:
        pick = random.Random(3).choice
        ids = [(kind, number) for kind, numbers in self.pools.ids.items() for number in numbers]
        requests = [self.target.request("GET", "/{}/{}".format(*pick(ids))) for _ in range(20_000)]
        return itertools.cycle(requests).__next__

    def create(self) -> Result:
        return self.measure("create", self.creates())

    def creates(self) -> Callable[[], bytes]:
        bodies = Bodies(self.pools)
        prepared = [
            self.target.request("POST", "/" + made["resourceType"], orjson.dumps(made))
            for made in (bodies.resource() for _ in range(5_000))
        ]
        return itertools.cycle(prepared).__next__

    def update(self) -> Result:
        bodies = Bodies(self.pools, seed=8)
        ids = self.pools.ids["Observation"]
        pick = random.Random(9).choice
        prepared = []
        for _ in range(5_000):
            number = pick(ids)
            made = {**bodies.observation(), "id": number}
            prepared.append(self.target.request("PUT", f"/Observation/{number}", orjson.dumps(made)))
        return self.measure("update", itertools.cycle(prepared).__next__)

    def transactions(self, entries: int = 100) -> Result:
        bodies = Bodies(self.pools, seed=10)
        prepared = [
            self.target.request("POST", "", transaction([bodies.resource() for _ in range(entries)])) for _ in range(60)
        ]
        return self.measure(
            f"transaction of {entries} creates", itertools.cycle(prepared).__next__, units=entries, connections=8
        )

    def searches(self) -> list[Result]:
        results = []
        for name, path in searches(self.pools).items():
            prepared = [self.target.request("GET", path()) for _ in range(2_000)]
            results.append(self.measure("search: " + name, itertools.cycle(prepared).__next__))
        return results

    def mix(self) -> Result:
        """Create 10 %, read 60 %, update 25 % (read, then put), delete 5 %, by 64 clients."""
        draw = random.Random(12)
        bodies = Bodies(self.pools, seed=13)
        created: list[str] = []
        numbers = self.pools.ids["Observation"]

        def seen(status: int, answer: bytes) -> None:
            if status == 201 and (at := answer.find(b"/Observation/")) > 0:
                created.append(answer[at + 13 : answer.find(b"/", at + 13)].decode())

        def next_request() -> bytes:
            kind = draw.random()
            if kind < 0.10:
                return self.target.request("POST", "/Observation", orjson.dumps(bodies.observation()))
            if kind < 0.35:
                number = draw.choice(numbers)
                body = orjson.dumps({**bodies.observation(), "id": number})
                return self.target.request("PUT", f"/Observation/{number}", body)
            if kind < 0.40 and created:
                return self.target.request("DELETE", f"/Observation/{created.pop(0)}")
            return self.target.request("GET", f"/Observation/{draw.choice(numbers)}")

        return self.measure("mix of create, read, update, delete", next_request, connections=64, seen=seen)


def total(target: Target) -> int:
    """Live resources of the server, by exact counts of the types that the generator makes."""
    count = 0
    for kind in (
        "Observation",
        "Condition",
        "Encounter",
        "MedicationRequest",
        "MedicationDispense",
        "Patient",
        "Claim",
    ):
        with socket.create_connection((target.host, target.port)) as line:
            line.sendall(target.request("GET", f"/{kind}?_summary=count"))
            answer = b""
            while b"}" not in answer:
                answer += line.recv(65536)
            count += int(json.loads(answer[answer.index(b"{") :])["total"])
    return count
