"""`make soak SECONDS=3600`: mixed work for as long, and whether memory, handles, connections and latency stay flat.

Starts OneCard as a process on an empty embedded store (`--store mongod`: on a database started for it), or watches one
that runs (--url and --pid). A line is laid through the samples after the warm-up by least squares; what it rises by in
that time must stay within what is allowed. The memory of the database is told and not judged: it fills its cache.
Prints a table, writes build/soak/NAME.json, and exits with 1 if something grew or a request failed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

from conformance.bench.database import mongod
from conformance.bench.load import Target
from conformance.bench.onecard import onecard
from conformance.bench.processes import family, usage
from conformance.line import Line

WARM_UP = 0.4
"""Share of the run in which caches fill and nothing is judged."""
PEOPLE = 400


@dataclass(frozen=True, slots=True)
class Sample:
    """What one interval showed."""

    seconds: float
    """Since the start."""
    memory_mb: float
    handles: int
    """Open file descriptors of the server and its workers."""
    connections: int
    """How many of them are sockets."""
    p50_ms: float
    p99_ms: float
    requests: int
    database_mb: float = 0.0


@dataclass(frozen=True, slots=True)
class Allowed:
    """How much a measure may rise from the warm-up to the end: the larger of the two."""

    share: float
    """Of its level at the end of the warm-up."""
    amount: float


ALLOWED = {
    "memory_mb": Allowed(0.10, 16),
    "handles": Allowed(0.10, 8),
    "connections": Allowed(0.10, 6),
    "p50_ms": Allowed(0.50, 5),
    "p99_ms": Allowed(1.00, 50),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    measure: str
    level: float
    """Where the fitted line begins."""
    growth: float
    """What the fitted line rises by."""
    allowed: float

    @property
    def flat(self) -> bool:
        return self.growth <= self.allowed


def judged(samples: Sequence[Sample]) -> list[Verdict]:
    """A verdict for each measure, from the samples after the warm-up. At least three are needed."""
    kept = samples[int(len(samples) * WARM_UP) :]
    times = [each.seconds for each in kept]
    verdicts = []
    for measure, allowed in ALLOWED.items():
        values = [float(getattr(each, measure)) for each in kept]
        line = statistics.linear_regression(times, values)
        level = line.intercept + line.slope * times[0]
        growth = line.slope * (times[-1] - times[0])
        verdicts.append(Verdict(measure, level, growth, max(allowed.share * level, allowed.amount)))
    return verdicts


def handles(pid: int) -> tuple[int, int]:
    """(open descriptors, sockets among them) of a process and its descendants."""
    count = sockets = 0
    for number in family(pid):
        with contextlib.suppress(OSError):  # ended meanwhile
            for name in os.listdir(f"/proc/{number}/fd"):
                count += 1
                with contextlib.suppress(OSError):
                    sockets += os.readlink(f"/proc/{number}/fd/{name}").startswith("socket:")
    return count, sockets


@dataclass
class Soak:
    target: Target
    pid: int
    connections: int = 16
    rate: float = 0.0
    """Requests a second that are sent at most, by all clients together; 0: each asks again when it was answered."""
    shown: bool = False
    """Each sample is printed as it is taken."""
    database_pid: int | None = None
    samples: list[Sample] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    _latencies: list[float] = field(default_factory=list)

    async def run(self, seconds: float, interval: float) -> list[Verdict]:
        began = time.monotonic()
        work = [asyncio.create_task(self._client(n, began + seconds)) for n in range(self.connections)]
        while (now := time.monotonic() - began) < seconds:
            await asyncio.sleep(min(interval, max(0.0, seconds - now)))
            if self._latencies:
                self.samples.append(self._sample(time.monotonic() - began))
                if self.shown:
                    print(json.dumps(asdict(self.samples[-1])), file=sys.stderr, flush=True)
        await asyncio.gather(*work)
        return judged(self.samples)

    def _sample(self, seconds: float) -> Sample:
        taken, self._latencies = sorted(self._latencies), []
        count, sockets = handles(self.pid)
        middle, late = taken[len(taken) // 2], taken[int(len(taken) * 0.99)]
        memory, database = (usage(pid).memory / 1e6 if pid else 0.0 for pid in (self.pid, self.database_pid))
        return Sample(round(seconds, 2), memory, count, sockets, middle * 1000, late * 1000, len(taken), database)

    async def _client(self, number: int, until: float) -> None:
        line = Line(self.target.host, self.target.port)
        requests, chance = mix(self.target, Random(number)), Random(-number)
        pause = self.connections / self.rate if self.rate else 0.0
        due = time.monotonic() + pause * number / self.connections
        while time.monotonic() < until:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due += pause
            sent = time.monotonic()
            reply = await line.ask(next(requests), anew=chance.random() < 0.01)
            self._latencies.append(time.monotonic() - sent)
            self.statuses[reply.status] += 1
        line.close()


def mix(target: Target, random: Random) -> Iterator[bytes]:
    """Without end: half reads, a fifth searches, the rest updates, creates, deletes, transactions and refused ones."""
    for n in itertools.count():
        id = f"s{random.randrange(PEOPLE)}"
        kind = random.random()
        if kind < 0.5:
            yield target.request("GET", f"/Patient/{id}")
        elif kind < 0.7:
            yield target.request(
                "GET", f"/Patient?identifier=https://example.org/hn|{id}&_sort=-_lastUpdated&_count=10"
            )
        elif kind < 0.85:
            yield target.request("PUT", f"/Patient/{id}", _body(id, n))
        elif kind < 0.9:
            yield target.request("DELETE", f"/Patient/{id}")
        elif kind < 0.95:
            yield target.request("POST", "/Patient", b'{"resourceType":"Patient","surplus":1}')
        else:
            yield target.request("POST", "", _transaction(random, n))


def _patient(id: str, n: int) -> dict[str, Any]:
    identifier = [{"system": "https://example.org/hn", "value": id}]
    return {"resourceType": "Patient", "id": id, "identifier": identifier, "multipleBirthInteger": n}


def _body(id: str, n: int) -> bytes:
    return json.dumps(_patient(id, n)).encode()


def _transaction(random: Random, n: int) -> bytes:
    ids = random.sample(range(PEOPLE), 5)
    entries = [{"resource": _patient(f"s{id}", n), "request": {"method": "PUT", "url": f"Patient/s{id}"}} for id in ids]
    return json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries}).encode()


# ---------------------------------------------------------------- the command


def main() -> int:
    args = _arguments()
    if args.url:
        parts = urlsplit(args.url)
        target = Target(parts.hostname or "", parts.port or 80, parts.path.rstrip("/"), args.token)
        soak = Soak(target, args.pid, args.connections, args.rate, shown=True)
        verdicts = asyncio.run(soak.run(args.seconds, args.seconds / 60))
    else:
        soak, verdicts = _own_server(args)
    _write(args.name, soak, verdicts)
    failed = sum(count for status, count in soak.statuses.items() if status >= 500)
    print(f"{sum(soak.statuses.values())} requests, statuses {dict(sorted(soak.statuses.items()))}, {failed} failed")
    print(f"{'measure':<14}{'level':>12}{'growth':>12}{'allowed':>12}")
    for each in verdicts:
        word = "flat" if each.flat else "GROWS"
        print(f"{each.measure:<14}{each.level:>12.2f}{each.growth:>12.2f}{each.allowed:>12.2f}  {word}")
    return 0 if not failed and all(each.flat for each in verdicts) else 1


def _own_server(args: argparse.Namespace) -> tuple[Soak, list[Verdict]]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="onecard-soak-")))
        database = stack.enter_context(mongod()) if args.store == "mongod" else None
        store = database.url if database else args.store
        server = stack.enter_context(onecard(store, folder, workers=args.workers))
        soak = Soak(server.target, server.pid, args.connections, args.rate, shown=True)
        soak.database_pid = database.pid if database else None
        return soak, asyncio.run(soak.run(args.seconds, args.seconds / 60))


def _write(name: str, soak: Soak, verdicts: Sequence[Verdict]) -> None:
    folder = Path("build/soak")
    folder.mkdir(parents=True, exist_ok=True)
    report = {
        "statuses": soak.statuses,
        "verdicts": [asdict(each) | {"flat": each.flat} for each in verdicts],
        "samples": [asdict(each) for each in soak.samples],
    }
    (folder / f"{name}.json").write_text(json.dumps(report, indent=1), "utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m conformance.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--rate", type=float, default=0.0, help="requests a second at most; default: as many as go")
    parser.add_argument("--store", default="embedded", help="embedded, mongod (started here) or a store URL")
    parser.add_argument("--url", help="FHIR base of a server that runs already; needs --pid")
    parser.add_argument("--pid", type=int, default=0, help="process to watch")
    parser.add_argument("--token", help="bearer token for --url")
    parser.add_argument("--name", default="onecard", help="name of the report")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
