"""The workloads, each by name, run against one server: `WORKLOADS` is the table that bench and docs read."""

from __future__ import annotations

import itertools
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from random import Random
from typing import NamedTuple, TypeVar

import orjson

from conformance.bench import synthea
from conformance.bench.crud import Mix, location, rounds
from conformance.bench.data import SEED, Bodies, Pools, noted, searches, transaction
from conformance.bench.load import Answer, Call, Result, Script, Target, once, repeating, run
from conformance.bench.processes import Usage, usage
from conformance.bench.synthea import Synthea
from conformance.bench.synthea.parts import Resource
from conformance.bench.thirty import Thirty

T = TypeVar("T")
NOTHING = Usage(0, 0)
CREATED = re.compile(rb'"location":"(?:[^"]*/)?([A-Za-z]+)/([A-Za-z0-9.-]{1,64})/_history')
"""`Type`, `id` in the entries of an answer to a transaction; servers may write whole URLs."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One workload: what was sent, and what it cost server and database."""

    result: Result
    server: Usage = NOTHING
    """CPU seconds during the workload, resident bytes at its end; nothing for a server by URL."""
    database: Usage = NOTHING

    def row(self, label: str | None = None) -> dict[str, object]:
        """Of all calls, or of those with a label."""
        r = self.result
        timed = len(r.latencies.get(label, ())) if label is not None else sum(map(len, r.latencies.values()))
        each = 1e6 / max(1, r.requests)
        shares = (
            {}
            if label is not None
            else {
                "per_second": round(r.rate, 1),
                "units_per_second": round(r.units / r.seconds, 1) if r.seconds else 0.0,
                "server_cpu_us": round(self.server.cpu * each, 1),
                "database_cpu_us": round(self.database.cpu * each, 1),
                "generator_cpu_us": round(r.generator_cpu * each, 1),
                "server_memory_mb": round(self.server.memory / 1e6, 1),
                "database_memory_mb": round(self.database.memory / 1e6, 1),
                "kb_an_answer": round(r.bytes_read / 1000 / max(1, r.requests), 1),
            }
        )
        return {
            "workload": r.name if label is None else label,
            "requests": r.requests if label is None else timed,
            **shares,
            "p50_ms": round(r.percentile(0.50, label), 3),
            "p95_ms": round(r.percentile(0.95, label), 3),
            "p99_ms": round(r.percentile(0.99, label), 3),
            "refused": r.refused.total() if label is None else r.refused[label],
            "failed": r.failed.total() if label is None else r.failed[label],
            **({"complaint": r.complaint} if label is None and r.complaint else {}),
        }


@dataclass(slots=True)
class Bench:
    """Runs workloads against a target and keeps what they showed."""

    target: Target
    connections: int
    seconds: float
    pid: int | None = None
    """The server's process; None if it is not ours."""
    database_pid: int | None = None
    prepared: int = 5_000
    """Different requests of a workload, made before it is measured."""
    only: tuple[str, ...] = ()
    """Parts of names: the other workloads are left out. The load is always done."""
    pools: Pools = field(default_factory=Pools)
    measured: list[Measured] = field(default_factory=list)
    patients: int = 0
    """Records loaded; the next to ingest has this number."""
    broken: dict[str, str] = field(default_factory=dict)
    """What could not be measured, and why."""
    conditional: bool = True
    """References to places are conditional, as Synthea writes them; False after a server refused those."""

    def measure(
        self, name: str, script: Callable[[], Script], *, connections: int | None = None, seconds: float | None = None
    ) -> Result:
        before = [usage(pid) if pid else NOTHING for pid in (self.pid, self.database_pid)]
        result = run(
            name, self.target, script, connections=connections or self.connections, seconds=seconds or self.seconds
        )
        after = [usage(pid) if pid else NOTHING for pid in (self.pid, self.database_pid)]
        spent = [Usage(b.cpu - a.cpu, b.memory) for a, b in zip(before, after, strict=True)]
        self.measured.append(Measured(result, *spent))
        return result

    def all(self) -> None:
        for name, workload in WORKLOADS.items():
            if not self.only or any(part in name for part in self.only):
                self.attempt(name, partial(self._run, name, workload))

    def _run(self, name: str, workload: Workload) -> Result:
        return self.measure(
            name, workload.script(self), connections=workload.connections, seconds=workload.seconds(self)
        )

    def attempt(self, name: str, work: Callable[[], T]) -> T | None:
        """None if it breaks: whatever it is, the others are measured."""
        try:
            return work()
        except Exception as error:
            self.broken[name] = f"{type(error).__name__}: {error}"
            return None

    # ------------------------------------------------------------ the load

    def load(self, resources: int) -> Result:
        """Places, then whole records until there are as many resources; fills the pools with what was made."""
        source = Synthea(SEED)
        first = source.places()
        self._post_places(first)
        calls = self._records(resources - len(first))
        return self.measure("load", calls, connections=8, seconds=1e9)

    def _post_places(self, places: list[Resource]) -> None:
        call = Call(self.target.request("POST", "", synthea.transaction(places)), units=len(places))
        told = run(
            "places", self.target, once([call], lambda answer: self._noted(places, answer)), connections=1, seconds=1e9
        )
        if not self.pools.ids["Practitioner"]:
            answered = ", ".join(map(str, told.statuses)) or "nothing"
            raise RuntimeError(f"the server did not take the places in a transaction: {answered}")

    def _noted(self, resources: list[Resource], answer: Answer) -> None:
        for resource, (kind, made) in zip(resources, CREATED.findall(answer.data), strict=False):
            if resource["resourceType"] == kind.decode():
                noted({**resource, "id": made.decode()}, self.pools)

    def source(self) -> Synthea:
        return Synthea(SEED) if self.conditional else Synthea(SEED, self._literal)

    def _literal(self, kind: str, number: int) -> str:
        known = self.pools.ids[kind]
        return f"{kind}/{known[number % len(known)]}"

    def _records(self, resources: int) -> Callable[[], Script]:
        made = itertools.count()
        left = [resources]

        def script() -> Script:
            while left[0] > 0:
                record = self.source().patient(next(made))
                left[0] -= len(record)
                self.patients += 1
                answer = yield self.bundle(record)
                if self.conditional and 400 <= answer.status < 500:
                    self.conditional = False
                    answer = yield self.bundle(self.source().patient(self.patients))
                self._noted(record, answer)

        return script

    def bundle(self, record: list[Resource]) -> Call:
        return Call(self.target.request("POST", "", synthea.transaction(record)), units=len(record))


# ---------------------------------------------------------------- the table

Prepared = Callable[[Bench], Callable[[], Script]]


class Workload(NamedTuple):
    script: Prepared
    connections: int | None = None
    """Clients at once; None: what the bench was told."""
    times: float = 1.0
    """How much longer than others."""

    def seconds(self, bench: Bench) -> float:
        return bench.seconds * self.times


@cache
def _templates() -> list[Resource]:
    return list(Synthea(SEED + 1).resources(2_000))


def reads(bench: Bench) -> Callable[[], Script]:
    pick = Random(3).choice
    ids = [(kind, number) for kind, numbers in bench.pools.ids.items() for number in numbers]
    return repeating(bench.target.request("GET", "/{}/{}".format(*pick(ids))) for _ in range(bench.prepared))


def creates(bench: Bench) -> Callable[[], Script]:
    bodies = Bodies(bench.pools, templates=_templates())
    made = (bodies.resource() for _ in range(bench.prepared))
    return repeating(bench.target.request("POST", "/" + each["resourceType"], orjson.dumps(each)) for each in made)


def updates(bench: Bench) -> Callable[[], Script]:
    bodies, pick = Bodies(bench.pools, seed=8, templates=_templates()), Random(9).choice
    prepared = []
    for _ in range(bench.prepared):
        number = pick(bench.pools.ids["Observation"])
        body = orjson.dumps({**bodies.observation(), "id": number})
        prepared.append(bench.target.request("PUT", f"/Observation/{number}", body))
    return repeating(prepared)


def transactions(bench: Bench, entries: int = 100) -> Callable[[], Script]:
    bodies = Bodies(bench.pools, seed=10, templates=_templates())
    made = (transaction([bodies.resource() for _ in range(entries)]) for _ in range(60))
    return repeating((bench.target.request("POST", "", body) for body in made), units=entries)


def ingest(bench: Bench) -> Callable[[], Script]:
    """Whole records, each once: made before, so that their making costs nothing while it is measured."""
    source, first = bench.source(), bench.patients
    made = [bench.bundle(source.patient(first + number)) for number in range(max(12, int(40 * bench.seconds)))]
    bench.patients += len(made)
    return once(made)


def everything(bench: Bench) -> Callable[[], Script]:
    patients = bench.pools.ids["Patient"]
    return repeating(bench.target.request("GET", f"/Patient/{each}/$everything?_count=200") for each in patients)


def fresh(bench: Bench) -> Callable[[], Script]:
    """Half of the clients create; the others read what was created last, on connections of their own."""
    bodies = Bodies(bench.pools, seed=16, templates=_templates())
    number, made = itertools.count(), deque[str](maxlen=1000)

    def script() -> Script:
        if next(number) % 2 == 0:
            while True:
                body = orjson.dumps(bodies.observation())
                answer = yield Call(bench.target.request("POST", "/Observation", body), "create")
                if found := location(answer):
                    made.append(found)
        while True:
            path = made.pop() if made else f"Observation/{bench.pools.ids['Observation'][0]}"
            yield Call(bench.target.request("GET", f"/{path}"), "read")

    return script


def _search(name: str) -> Workload:
    def prepared(bench: Bench) -> Callable[[], Script]:
        path = searches(bench.pools)[name]
        return repeating(bench.target.request("GET", path()) for _ in range(bench.prepared))

    return Workload(prepared)


FIRST_PAGES = tuple(searches(Pools()))
WORKLOADS: dict[str, Workload] = {
    "read by id": Workload(reads),
    **{f"search: {name}": _search(name) for name in FIRST_PAGES},
    "$everything, pages of 200": Workload(everything, 16),
    "create": Workload(creates),
    "update": Workload(updates),
    "transaction of 100 creates": Workload(transactions, 8),
    "mix of create, read, update, delete": Workload(lambda bench: Mix(bench.target, bench.pools).script, 64, 2),
    "round of 36 requests": Workload(lambda bench: rounds(bench.target), 64, 2),
    "the 30 searches": Workload(lambda bench: Thirty(bench.target, bench.pools).script, 64, 4),
    "ingest of patient records": Workload(ingest, 8, 3),
    "read what another client just created": Workload(fresh, 32),
}
