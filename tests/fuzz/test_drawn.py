"""Requests drawn from the routes and definitions, resources of every type: a bounded run of `make fuzz`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from conformance.bench.load import Target
from conformance.drawing import Drawing
from conformance.fuzz import MOST_FAULTS, Fuzzing, Requests, fault
from conformance.line import Reply
from fhir_profiles.definitions import Definitions
from fhir_profiles.validation import Validator
from terminology.service import TerminologyService
from tests import mongod
from tests.cli.serving import serve
from tests.serving import ENGINES

COUNT = {"embedded": 4000, "mongo": 2000}
STALL_SECONDS = 5.0
"""Generous: the machine may be busy."""
FHIR = {"content-type": "application/fhir+json;charset=utf-8"}
OUTCOME = b'{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"invalid"}]}'


@pytest.fixture(scope="module")
def drawing() -> Drawing:
    return Drawing(Definitions(), TerminologyService())


def test_resources_of_every_type_are_drawn_and_the_same_number_draws_the_same(drawing: Drawing) -> None:
    validator = Validator(drawing.definitions, TerminologyService())
    sound = bends = 0
    for name in drawing.types:
        made = [drawing.resource(Random(f"{name}{n}"), name, "a1") for n in range(6)]
        assert made == [drawing.resource(Random(f"{name}{n}"), name, "a1") for n in range(6)]
        wrong = [[i for i in validator.validate(each) if i.severity in ("fatal", "error")] for each in made]
        sound += wrong.count([])
        bends += sum(drawing.bent(Random(n), each) != each for n, each in enumerate(made))
    assert len(drawing.types) == 146
    assert bends > 146 * 5
    assert sound > 146 * 6 / 3  # the others break an invariant


@pytest.mark.parametrize("engine", ["embedded", pytest.param("mongo", marks=pytest.mark.mongo)])
async def test_drawn_requests_are_answered_without_a_5xx_or_a_stall(engine: str, tmp_path: Path) -> None:
    store = ("--store", ENGINES[engine](tmp_path))
    served = await asyncio.to_thread(serve, tmp_path, "--open", "--request-log", "off", "--workers", "2", *store)
    try:
        target = Target("127.0.0.1", served.port, "/fhir")
        report = await Fuzzing(target, Requests(target, 11).request).run(COUNT[engine], connections=8)
    finally:
        assert served.stop() == 0
        assert served.process.stdout is not None
        served.process.stdout.close()
        mongod.drop_all(tmp_path)
    assert report.faults == []
    assert report.requests == COUNT[engine]
    assert {200, 201, 204, 400, 404, 405, 409, 412, 415, 422} <= set(report.statuses), report.statuses
    assert report.heartbeats > 5
    assert report.worst_heartbeat < STALL_SECONDS


@pytest.mark.parametrize(
    ("reply", "wrong"),
    [
        (Reply(200, {}, b""), False),
        (Reply(400, FHIR, OUTCOME), False),
        (Reply(400, FHIR, b""), False),
        (Reply(500, FHIR, OUTCOME), True),
        (Reply(501, FHIR, OUTCOME), True),
        (Reply(400, {"content-type": "text/plain"}, OUTCOME), True),
        (Reply(400, {}, OUTCOME), True),
        (Reply(404, FHIR, b"no"), True),
        (Reply(404, FHIR, b'{"resourceType":"OperationOutcome","issue":[]}'), True),
    ],
)
def test_each_fault_of_an_answer_is_noticed(reply: Reply, wrong: bool) -> None:
    assert (fault(reply) is not None) == wrong


Behave = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Le")
    writer.close()


async def failing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    writer.close()


@pytest.mark.parametrize(
    ("behave", "what"), [(silent, "TimeoutError"), (closing, "Broken"), (failing, "a server error")]
)
async def test_a_server_that_stalls_breaks_off_or_fails_is_noticed(behave: Behave, what: str) -> None:
    server = await asyncio.start_server(behave, "127.0.0.1", 0)  # type: ignore[arg-type]
    target = Target("127.0.0.1", server.sockets[0].getsockname()[1], "/fhir")
    fuzzing = Fuzzing(target, lambda number: target.request("GET", f"/Patient/{number}"), patience=0.2)
    report = await fuzzing.run(100, connections=2)
    server.close()
    assert {each["what"] for each in report.faults if each["number"] >= 0} == {what}
    assert MOST_FAULTS <= len(report.faults) <= MOST_FAULTS + 3


def test_a_number_of_a_seed_says_the_same_request_again() -> None:
    requests = Requests(Target("127.0.0.1", 8080, "/fhir"), 3)
    assert [requests.request(n) for n in range(50)] == [requests.request(n) for n in range(50)]
    assert len({requests.request(n).split(b" ", 2)[0] for n in range(200)}) == 5
