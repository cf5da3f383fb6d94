"""Several workers on one store of either engine, over HTTP: killed, racing, reading what others just wrote."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from conformance.bench.load import Target
from conformance.bench.processes import family
from conformance.line import Line
from server.app import build_context
from server.config import Settings
from server.store.embedded import EmbeddedStore
from tests import mongod
from tests.cli.serving import Served
from tests.serving import ENGINES

Start = Callable[..., Served]


@pytest.fixture(params=["embedded", pytest.param("mongo", marks=pytest.mark.mongo)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    yield ENGINES[request.param](tmp_path)
    mongod.drop_all(tmp_path)


@pytest.fixture
def start(serve_onecard: Start, place: str) -> Start:
    """`onecard serve` with these arguments, on a fresh store of each engine."""
    return partial(serve_onecard, "--store", place)


KILLS = int(os.environ.get("KILLS") or 8)
CLIENTS = 12


def put(resource_type: str, id: str, **more: Any) -> dict[str, Any]:
    """A transaction's entry."""
    resource = {"resourceType": resource_type, "id": id, **more}
    return {"resource": resource, "request": {"method": "PUT", "url": f"{resource_type}/{id}"}}


class Asking:
    """Requests to one server, each client with a connection of its own."""

    def __init__(self, served: Served) -> None:
        self.port = served.port
        self.target = Target("127.0.0.1", served.port, "/fhir")

    def line(self) -> Line:
        return Line("127.0.0.1", self.port)

    def transaction(self, entries: Sequence[dict[str, Any]]) -> bytes:
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}
        return self.target.request("POST", "", json.dumps(bundle).encode())

    def put(self, id: str, **more: Any) -> bytes:
        body = json.dumps({"resourceType": "Patient", "id": id, **more}).encode()
        return self.target.request("PUT", f"/Patient/{id}", body)

    def get(self, path: str) -> bytes:
        return self.target.request("GET", path)


async def storm(asking: Asking, name: str, acknowledged: list[str], until: asyncio.Event) -> None:
    """Transactions of three resources, one of them shared, until the event; what was acknowledged is noted."""
    line, n = asking.line(), 0
    while not until.is_set():
        n += 1
        id = f"{name}-{n}"
        shared = put("Patient", f"shared-{name}", multipleBirthInteger=n)
        pair = [put("Basic", id, code={"text": "x"}), put("Patient", id, active=True)]
        try:
            reply = await line.ask(asking.transaction([pair[0], shared, pair[1]]))
        except ConnectionError:  # the worker was killed: the outcome is unknown
            await asyncio.sleep(0.02)
            continue
        if reply.status == 503 and "retry-after" in reply.headers:  # a cluster that waits for a dead worker to be gone
            continue
        assert reply.status == 200, (reply.status, reply.body[:300])
        acknowledged.append(id)
    line.close()


async def kill_workers(pid: int, acknowledged: list[str], chance: random.Random) -> None:
    """kill -9 of one worker after the other, each in the midst of acknowledged writes."""
    for _ in range(KILLS):
        before = len(acknowledged)
        while len(acknowledged) < before + 20:  # noqa: ASYNC110 - polling is what an outsider can do
            await asyncio.sleep(0.02)
        await asyncio.sleep(chance.uniform(0.0, 0.1))
        os.kill(chance.choice(family(pid)[1:]), signal.SIGKILL)


async def versions(url: str) -> AsyncIterator[tuple[str, str]]:
    """(type, id) of every version in a store that is sound, in commit order."""
    ctx = await build_context(Settings(store=url))
    try:
        if isinstance(ctx.store, EmbeddedStore):
            assert await ctx.store.verify() == []
        async for version in ctx.store.changes(0):
            yield version.type, version.id
    finally:
        await ctx.store.close()


async def test_workers_killed_in_a_storm_lose_nothing_acknowledged_and_leave_no_half_transaction(
    start: Start, place: str, tmp_path: Path
) -> None:
    served = start("--workers", "3")
    asking, until = Asking(served), asyncio.Event()
    acknowledged: list[str] = []
    clients = [asyncio.create_task(storm(asking, f"c{n}", acknowledged, until)) for n in range(CLIENTS)]
    try:
        async with asyncio.timeout(15 * KILLS):
            await kill_workers(served.process.pid, acknowledged, random.Random(5))
    finally:
        until.set()
        await asyncio.gather(*clients)
    assert served.stop() == 0, (tmp_path / "stderr.txt").read_text()
    stored = Counter([version async for version in versions(place)])
    basics = {id for kind, id in stored if kind == "Basic"}
    patients = {id for kind, id in stored if kind == "Patient" and not id.startswith("shared-")}
    assert len(acknowledged) > KILLS * 20
    assert basics >= set(acknowledged)
    assert patients == basics
    by_client = Counter(id.partition("-")[0] for id in basics)
    assert {f"shared-{name}": count for name, count in by_client.items()} == {
        id: count for (_, id), count in stored.items() if id.startswith("shared-")
    }


async def test_what_one_worker_has_just_written_another_reads_and_finds(start: Start) -> None:
    served = start("--workers", "3")
    asking = Asking(served)
    writer, reader = asking.line(), asking.line()
    for n in range(60):
        birth = f"{1900 + n}-01-01"
        written = await writer.ask(asking.put("p", birthDate=birth), anew=True)
        read = await reader.ask(asking.get("/Patient/p"), anew=True)
        found = await reader.ask(asking.get(f"/Patient?birthdate={birth}&_elements=id"), anew=True)
        assert (read.status, read.headers["etag"]) == (200, written.headers["etag"])
        assert [entry["resource"]["id"] for entry in json.loads(found.body)["entry"]] == ["p"]
    assert len(served.workers()) == 3  # they took turns
    writer.close()
    reader.close()


async def poll(asking: Asking, seen: set[str], until: Callable[[], bool]) -> None:
    """As a subscriber without a subscription: again and again what is new since the last instant that was seen."""
    line, since = asking.line(), "2000-01-01T00:00:00Z"
    while True:
        last_round = until()
        page: str | None = f"/_history?_since={since.replace('+', '%2B')}&_count=50"
        newest = since
        while page:
            bundle = json.loads((await line.ask(asking.get(page), anew=True)).body)
            entries = bundle.get("entry", [])
            seen.update(f"{entry['resource']['id']}/{entry['resource']['meta']['versionId']}" for entry in entries)
            newest = max([newest, *(entry["resource"]["meta"]["lastUpdated"] for entry in entries)])
            following = [link["url"] for link in bundle["link"] if link["relation"] == "next"]
            page = following[0].partition("/fhir")[2] if following else None
        since = newest
        if last_round:
            line.close()
            return


async def write(asking: Asking, name: str, count: int) -> list[str]:
    line, made = asking.line(), []
    for n in range(count):
        reply = await line.ask(asking.put(f"{name}-{n % 5}", multipleBirthInteger=n), anew=n % 10 == 0)
        assert reply.status in (200, 201)
        made.append(f"{name}-{n % 5}/{json.loads(reply.body)['meta']['versionId']}")
    line.close()
    return made


async def test_a_poller_by_since_beside_four_writing_workers_misses_nothing(start: Start) -> None:
    asking = Asking(start("--workers", "4"))
    writing = asyncio.gather(*(write(asking, f"w{n}", 100) for n in range(4)))
    seen: set[str] = set()
    await poll(asking, seen, writing.done)
    written = {version for versions in await writing for version in versions}
    assert len(written) == 400
    assert seen == written


async def test_transactions_that_touch_the_same_resources_in_opposite_order_both_end(start: Start) -> None:
    asking = Asking(start("--workers", "2"))

    async def client(order: Sequence[str]) -> None:
        line = asking.line()
        for n in range(25):
            entries = [put("Patient", id, multipleBirthInteger=n) for id in order]
            assert (await line.ask(asking.transaction(entries), anew=n % 5 == 0)).status == 200
        line.close()

    await asyncio.gather(*(client(order) for order in (("a", "b"), ("b", "a")) * 2))
    line = asking.line()
    for id in ("a", "b"):
        assert (await line.ask(asking.get(f"/Patient/{id}"))).headers["etag"] == 'W/"100"'
    line.close()


async def test_a_hundred_concurrent_updates_of_several_workers_are_a_hundred_versions(start: Start) -> None:
    asking = Asking(start("--workers", "3"))
    lines = [asking.line() for _ in range(20)]

    async def client(line: Line) -> list[str]:
        replies = [await line.ask(asking.put("p", active=True)) for _ in range(5)]
        assert {reply.status for reply in replies} <= {200, 201}
        return [reply.headers["etag"] for reply in replies]

    tags = [tag for tags in await asyncio.gather(*map(client, lines)) for tag in tags]
    assert sorted(tags) == sorted(f'W/"{n}"' for n in range(1, 101))
    for line in lines:
        line.close()


def tagged(code: str) -> dict[str, Any]:
    return {"tag": [{"system": "urn:t", "code": code}]}


async def test_updates_of_a_labelled_resource_by_several_workers_are_all_taken_and_keep_every_tag(start: Start) -> None:
    """None names a version, so none is refused, though each has to begin anew when a tag came in between."""
    asking = Asking(start("--workers", "3"))
    lines = [asking.line() for _ in range(16)]
    await lines[0].ask(asking.put("p", meta=tagged("first")))

    async def client(number: int, line: Line) -> list[int]:
        requests = [asking.put("p", meta=tagged(f"{number}-{n}"), active=bool(n % 2)) for n in range(5)]
        return [(await line.ask(request)).status for request in requests]

    answers = await asyncio.gather(*(client(number, line) for number, line in enumerate(lines)))
    assert {status for statuses in answers for status in statuses} == {200}
    stored = json.loads((await lines[0].ask(asking.get("/Patient/p"))).body)
    assert (stored["meta"]["versionId"], len(stored["meta"]["tag"])) == ("81", 81)
    for line in lines:
        line.close()


async def test_labels_that_one_worker_changed_another_finds_and_shows(start: Start) -> None:
    served = start("--workers", "3")
    asking = Asking(served)
    line = asking.line()
    await line.ask(asking.put("p"))
    for n in range(20):
        meta = {"name": "meta", "valueMeta": tagged(f"t{n}")}
        body = json.dumps({"resourceType": "Parameters", "parameter": [meta]}).encode()
        added = await line.ask(asking.target.request("POST", "/Patient/p/$meta-add", body), anew=True)
        read = await line.ask(asking.get("/Patient/p"), anew=True)
        found = await line.ask(asking.get(f"/Patient?_tag=urn:t%7Ct{n}"), anew=True)
        assert (added.status, read.headers["etag"]) == (200, 'W/"1"')
        assert len(json.loads(read.body)["meta"]["tag"]) == n + 1
        assert [entry["resource"] for entry in json.loads(found.body)["entry"]] == [json.loads(read.body)]
    assert len(served.workers()) == 3  # they took turns
    line.close()


async def test_fifty_conditional_creates_of_several_workers_make_one_resource(start: Start) -> None:
    """Also when the same criterion is worded differently."""
    served = start("--workers", "4")
    asking = Asking(served)
    body = {"resourceType": "Patient", "identifier": [{"system": "https://example.org/hn", "value": "1"}]}
    data = json.dumps(body).encode()
    wordings = (
        "identifier=https://example.org/hn|1",
        "identifier=https%3A%2F%2Fexample.org%2Fhn%7C1&_format=json",
        "identifier=1",
        "identifier=https://example.org/other|9,https://example.org/hn|1",
    )

    async def create(n: int) -> tuple[int, str]:
        line = asking.line()
        plain = asking.target.request("POST", "/Patient", data)
        header = f"If-None-Exist: {wordings[n % len(wordings)]}\r\n".encode()
        reply = await line.ask(plain.replace(b"Content-Type", header + b"Content-Type", 1))
        line.close()
        return reply.status, reply.headers["location"].split("/Patient/")[1].partition("/")[0]

    answers = await asyncio.gather(*(create(n) for n in range(50)))
    assert len(served.workers()) == 4  # all of them were asked
    assert Counter(status for status, _ in answers) == {201: 1, 200: 49}
    assert len({id for _, id in answers}) == 1
