"""`make fuzz N=1000000`: so many requests drawn from the routes and definitions, without a 5xx or a stall.

Starts OneCard as a process on an empty embedded store (`--store mongod`: on a database started for it; or takes a
server by --url), sends the requests over many
connections and holds every answer against the rules of the tests: no 5xx, an OperationOutcome with every 4xx, an answer
at all. Another client asks all the time; its slowest answer is reported. `--seed S --only I` prints request I again.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote, urlsplit

from tqdm import tqdm

from conformance.bench.database import mongod
from conformance.bench.load import Target
from conformance.bench.onecard import onecard
from conformance.drawing import HOSTILE, Drawing
from conformance.line import Broken, Line, Reply
from fhir_profiles.definitions import Definitions
from server.dispatch import Route
from server.routes import ROUTES
from server.wire.media import FHIR_JSON, FORM, PATCH_TYPES
from terminology.service import TerminologyService

STALL_SECONDS = 30.0
"""No answer for so long is a stall; also when the machine is busy."""
MOST_FAULTS = 20
"""After so many the run ends."""

_IDS = ("a1", "a2", "b1", "b2", "c3", "x" * 65, "a_b", "%2e%2e", "")
_VALUES = (
    "a", "สม", "2020", "ge2020-01", "2020-13", "1.5", "lt5|http://unitsofmeasure.org|kg", "http://loinc.org|a", "|",
    ",", "a,b", "Patient/a1", "a$b", "$", "\\", "true", "", "13.7|100.5|5|km", "*", "Patient:organization", "5", "'",
    "-_lastUpdated", "99999999999", "\u0000", "🦄",
)  # fmt: skip
_RESULTS = (
    "_count", "_sort", "_include", "_revinclude", "_summary", "_elements", "_total", "_has:Observation:patient:code",
    "_filter", "_since", "_at", "_cursor", "_format", "_type", "_tag", "_list", "_text", "x",
)  # fmt: skip
_MODIFIERS = ("", "", "", ":exact", ":missing", ":not", ":in", ":above", ":of-type", ":text", ":Patient", ":x")
_HEADERS = (
    ("If-Match", 'W/"1"'), ("If-Match", "x"), ("If-None-Match", "*"), ("If-None-Exist", "_id=a1"),
    ("Prefer", "return=minimal"), ("Prefer", "handling=strict"), ("If-Modified-Since", "x"), ("Accept", "a/b"),
    ("Accept", "text/html"), ("Accept", "*/*"),
)  # fmt: skip


_PLAIN = tuple(row for row in ROUTES if row.interaction in ("create", "update", "read", "search-type", "transaction"))
"""Rows that are drawn more often: what clients do most."""


class Requests:
    """The requests of a seed: number -> bytes."""

    def __init__(self, target: Target, seed: int) -> None:
        self.target = target
        self.seed = seed
        self.definitions = Definitions()
        self.drawing = Drawing(self.definitions, TerminologyService())

    def request(self, number: int) -> bytes:
        random = Random(f"{self.seed}/{number}")
        route = random.choice(ROUTES if random.random() < 0.6 else _PLAIN)
        kind = route.path.partition("/")[0]
        if kind not in self.definitions.resource_types:
            kind = random.choice(self.drawing.types) if random.random() < 0.5 else "Patient"
        id = random.choice(_IDS if random.random() < 0.2 else _IDS[:5])
        path = "/" + "/".join(self._segments(random, route, kind, id))
        if route.path == "[type]" or random.random() < 0.2:
            path += self._query(random, kind)
        body, media_type = self._body(random, route, kind, id)
        data = self.target.request(route.method, path, body, media_type)
        if random.random() < 0.2:
            name, value = random.choice(_HEADERS)
            data = data.replace(b"\r\n\r\n", f"\r\n{name}: {value}\r\n\r\n".encode(), 1)
        return data

    def _segments(self, random: Random, route: Route, kind: str, id: str) -> Iterator[str]:
        for segment in route.path.split("/") if route.path else ():
            if segment == "[type]":
                yield kind
            elif segment == "[other]":
                yield random.choice(self.drawing.types)
            elif segment == "[id]":
                yield id
            elif segment == "[vid]":
                yield random.choice(("1", "2", "99", "x"))
            else:
                yield quote(segment, safe="$*")

    def _query(self, random: Random, kind: str) -> str:
        if random.random() < 0.4:
            return ""
        codes = sorted(self.definitions.search_parameters(kind))
        pairs = []
        for _ in range(random.randint(1, 3)):
            name = (
                random.choice(codes) + random.choice(_MODIFIERS) if random.random() < 0.7 else random.choice(_RESULTS)
            )
            pairs.append(f"{quote(name, safe=':')}={quote(random.choice(_VALUES))}")
        return "?" + "&".join(pairs)

    def _body(self, random: Random, route: Route, kind: str, id: str) -> tuple[bytes | None, str | None]:
        if route.method not in ("POST", "PUT", "PATCH"):
            return None, None
        if random.random() < 0.02:
            return random.randbytes(random.randint(0, 60)), random.choice((FHIR_JSON, "text/plain", FORM))
        if route.path.endswith("_search"):
            return self._query(random, kind)[1:].encode(), FORM
        if route.method == "PATCH":
            return json.dumps(self._patch(random)).encode(), random.choice(sorted(PATCH_TYPES))
        made = self._resource(random, route, kind, id)
        if random.random() < 0.5:
            made = self.drawing.bent(random, made)
        return json.dumps(made).encode(), FHIR_JSON

    def _resource(self, random: Random, route: Route, kind: str, id: str) -> dict[str, Any]:
        if route.interaction == "transaction":
            return self._bundle(random)
        if route.interaction == "operation":
            return self._parameters(random, route.operation or "")
        return self.drawing.resource(random, kind, id)

    def _bundle(self, random: Random) -> dict[str, Any]:
        entries = []
        for _ in range(random.randint(0, 4)):
            kind, id = random.choice(self.drawing.types), random.choice(_IDS[:5])
            method = random.choice(("GET", "POST", "PUT", "DELETE", "PATCH"))
            url = random.choice((kind, f"{kind}/{id}", f"{kind}{self._query(random, kind)}"))
            entry: dict[str, Any] = {"request": {"method": method, "url": url}}
            if method in ("POST", "PUT"):
                entry["resource"] = self.drawing.resource(random, kind, id)
            entries.append(entry)
        return {"resourceType": "Bundle", "type": random.choice(("batch", "transaction")), "entry": entries}

    def _parameters(self, random: Random, code: str) -> dict[str, Any]:
        rows = [row for each in self.definitions.operations.values() if each.code == code for row in each.parameters]
        made = []
        for _ in range(random.randint(0, 3)):
            name = random.choice(rows).name if rows else "x"
            value = random.choice(("valueString", "valueUri", "valueCode", "valueInteger", "valueCoding", "resource"))
            made.append({"name": name, value: random.choice((*_VALUES, *HOSTILE))})
        return {"resourceType": "Parameters", "parameter": made}

    def _patch(self, random: Random) -> Any:
        pointer = random.choice(("/active", "/name/0/text", "/id", "", "/x", "/meta/tag/-", "~2"))
        step = {"op": random.choice(("add", "remove", "replace", "test", "move", "x")), "path": pointer}
        return random.choice(([step | {"value": random.choice(HOSTILE)}], {"active": None}, step, [], HOSTILE[-1]))


def fault(reply: Reply) -> str | None:
    """What is wrong with an answer, whatever was asked."""
    if reply.status >= 500:
        return "a server error"
    if reply.status < 400:
        return None
    if not reply.headers.get("content-type", "").startswith((FHIR_JSON, "text/html")):
        return "a refusal of another content type"
    if reply.headers["content-type"].startswith("text/html") or not reply.body:
        return None  # asked for as a page, or by HEAD
    try:
        outcome = json.loads(reply.body)
        right = outcome["resourceType"] == "OperationOutcome" and outcome["issue"][0]["severity"] in ("error", "fatal")
    except (ValueError, KeyError, TypeError, IndexError):
        right = False
    if not right:
        return "a refusal without an OperationOutcome"
    return None


@dataclass
class Report:
    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[dict[str, Any]] = field(default_factory=list)
    """{number, what, status, request, answer}"""
    heartbeats: int = 0
    worst_heartbeat: float = 0.0
    """Seconds the slowest answer to the other client took."""
    seconds: float = 0.0

    @property
    def requests(self) -> int:
        return sum(self.statuses.values())


class Fuzzing:
    def __init__(self, target: Target, request: Callable[[int], bytes], *, patience: float = STALL_SECONDS) -> None:
        """request: number -> bytes.   patience: seconds without an answer that are a stall."""
        self._target = target
        self._request = request
        self._patience = patience
        self.report = Report()

    async def run(self, count: int, *, connections: int = 16, progress: bool = False) -> Report:
        began = time.monotonic()
        numbers = iter(range(count))
        with tqdm(total=count, disable=not progress, unit="requests") as bar:
            beating = asyncio.create_task(self._beat())
            await asyncio.gather(*(self._client(numbers, bar) for _ in range(connections)))
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
        self.report.seconds = time.monotonic() - began
        return self.report

    async def _client(self, numbers: Iterator[int], bar: Any) -> None:
        line = Line(self._target.host, self._target.port, patience=self._patience)
        for number in numbers:
            if len(self.report.faults) >= MOST_FAULTS:
                break
            data = self._request(number)
            try:
                reply = await line.ask(data)
            except (Broken, TimeoutError) as error:
                self._wrong(number, type(error).__name__, 0, data, b"")
                continue
            self.report.statuses[reply.status] += 1
            if (what := fault(reply)) is not None:
                self._wrong(number, what, reply.status, data, reply.body)
            bar.update()
        line.close()

    def _wrong(self, number: int, what: str, status: int, data: bytes, answer: bytes) -> None:
        shown = {"request": data.decode("utf-8", "replace")[:2000], "answer": answer.decode("utf-8", "replace")[:1000]}
        self.report.faults.append({"number": number, "what": what, "status": status, **shown})

    async def _beat(self) -> None:
        line = Line(self._target.host, self._target.port, patience=self._patience)
        data = self._target.request("GET", "/Patient/heartbeat")
        try:
            while True:
                began = time.monotonic()
                try:
                    await line.ask(data)
                except (Broken, TimeoutError) as error:
                    self._wrong(-1, f"the other client: {type(error).__name__}", 0, data, b"")
                self.report.heartbeats += 1
                self.report.worst_heartbeat = max(self.report.worst_heartbeat, time.monotonic() - began)
                await asyncio.sleep(0.05)
        finally:
            line.close()


def main() -> int:
    args = _arguments()
    if args.only is not None:
        sys.stdout.buffer.write(Requests(Target("127.0.0.1", 8080, "/fhir"), args.seed).request(args.only) + b"\n")
        return 0
    if args.url:
        parts = urlsplit(args.url)
        report = _run(Target(parts.hostname or "", parts.port or 80, parts.path.rstrip("/"), args.token), args)
    else:
        report = _on_own_server(args)
    print(f"{report.requests} requests in {report.seconds:.0f} s, statuses {dict(sorted(report.statuses.items()))}")
    print(f"{report.heartbeats} reads of the other client, the slowest {report.worst_heartbeat * 1000:.0f} ms")
    for each in report.faults:
        print(json.dumps(each, ensure_ascii=False))
    print(f"{len(report.faults)} faults" if report.faults else "no fault")
    return 1 if report.faults else 0


def _on_own_server(args: argparse.Namespace) -> Report:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="onecard-fuzz-")))
        store = stack.enter_context(mongod()).url if args.store == "mongod" else args.store
        return _run(stack.enter_context(onecard(store, folder, workers=args.workers)).target, args)


def _run(target: Target, args: argparse.Namespace) -> Report:
    fuzzing = Fuzzing(target, Requests(target, args.seed).request)
    return asyncio.run(fuzzing.run(args.requests, connections=args.connections, progress=sys.stderr.isatty()))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m conformance.fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=int(os.environ.get("N") or 20_000))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--store", default="embedded", help="embedded, mongod (started here) or a store URL")
    parser.add_argument("--url", help="FHIR base of a server that runs already")
    parser.add_argument("--token", help="bearer token for --url")
    parser.add_argument("--only", type=int, metavar="I", help="print request I of the seed and end")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
