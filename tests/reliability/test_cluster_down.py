"""A cluster that fails: each row of the routes table that needs the store answers 503 with Retry-After.

One real node: first every command is answered with a failure in passing, then the node is killed. Afterwards everything
is answered as before.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from conformance.replica_set import ReplicaSet
from server.dispatch import Route
from server.routes import ROUTES
from server.store.mongo.driver import APP_NAME
from tests.mongod import harmed
from tests.nickname import nickname_parameter
from tests.serving import Answer, Clock, Ids, Running, run_server
from tests.spec.people import bundle, entry, identifier, observation, patient, reference

pytestmark = [
    pytest.mark.mongo,
    # PyMongo 4.20 leaves the socket of a connection to a dead node open when its client is closed meanwhile.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

COMMANDS = ["find", "aggregate", "getMore", "insert", "update", "delete", "findAndModify", "count", "dbStats"]
"""Whatever the store asks, but for what the driver says to nodes by itself."""
PRIMARY_STEPPED_DOWN = 189
SITE = {"/health/live": 200, "/health/ready": 503, "/metrics": 503}
JSON_PATCH = {"Content-Type": "application/json-patch+json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def node() -> Iterator[ReplicaSet]:
    with harmed() as nodes:
        yield nodes


@pytest.fixture
async def server(node: ReplicaSet, tmp_path: Path) -> AsyncIterator[Running]:
    url = node.url("onecard") + "&serverSelectionTimeoutMS=300&connectTimeoutMS=300"
    running = await run_server(clock=Clock(), ids=Ids(), store=url, data_folder=tmp_path, open=True)
    yield running
    await running.stop()


async def stored(server: Running) -> None:
    resources = [
        patient("1", identifier=identifier("1"), name=[{"use": "nickname", "given": ["Lek"]}]),
        patient("2", identifier=identifier("2"), birthDate="2000-01-01"),
        *(
            observation(
                str(n),
                effectiveDateTime="2026-01-01",
                subject=reference("Patient/1"),
                encounter=reference("Encounter/1"),
            )
            for n in range(4)
        ),
        {
            "resourceType": "Encounter",
            "id": "1",
            "status": "finished",
            "class": {"code": "AMB"},
            "subject": reference("Patient/1"),
        },
        {"resourceType": "CodeSystem", "id": "1", "url": "urn:c", "status": "active", "content": "complete"},
        {"resourceType": "ValueSet", "id": "1", "url": "urn:v", "status": "active"},
        {"resourceType": "ConceptMap", "id": "1", "url": "urn:m", "status": "active"},
        nickname_parameter(),
    ]
    entries = [entry("PUT", f"{each['resourceType']}/{each['id']}", each) for each in resources]
    answer = await server.client.post("", bundle("transaction", *entries))
    assert answer.status == 200, answer.text


class Request(NamedTuple):
    method: str
    path: str
    body: Any = None
    headers: Mapping[str, str] = {}


PATIENT = patient("1", active=True)
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "[type]"): patient(active=True),
    ("PUT", "[type]/[id]"): PATIENT,
    ("PUT", "[type]"): patient(active=True),
    ("PATCH", "[type]/[id]"): [{"op": "add", "path": "/active", "value": True}],
    ("PATCH", "[type]"): [{"op": "add", "path": "/active", "value": True}],
    ("POST", ""): bundle("transaction", entry("PUT", "Patient/1", PATIENT), entry("GET", "Patient/2")),
    ("POST", "$validate"): PATIENT,
    ("POST", "[type]/$validate"): PATIENT,
    ("POST", "[type]/[id]/$validate"): PATIENT,
}
OPERATIONS: dict[str, list[dict[str, Any]]] = {
    "meta-add": [{"name": "meta", "valueMeta": {"tag": [{"system": "urn:t", "code": "a"}]}}],
    "meta-delete": [{"name": "meta", "valueMeta": {"tag": [{"system": "urn:t", "code": "a"}]}}],
    "merge": [
        {"name": "source-patient", "valueReference": {"reference": "Patient/2"}},
        {"name": "target-patient", "valueReference": {"reference": "Patient/1"}},
    ],
    "closure": [{"name": "name", "valueString": "mine"}],
    "expand": [{"name": "url", "valueUri": "urn:v"}],
    "lookup": [{"name": "system", "valueUri": "urn:c"}, {"name": "code", "valueCode": "a"}],
    "subsumes": [
        {"name": "system", "valueUri": "urn:c"},
        {"name": "codeA", "valueCode": "a"},
        {"name": "codeB", "valueCode": "a"},
    ],
    "validate-code": [{"name": "url", "valueUri": "urn:c"}, {"name": "code", "valueCode": "a"}],
    "translate": [
        {"name": "url", "valueUri": "urn:m"},
        {"name": "code", "valueCode": "a"},
        {"name": "system", "valueUri": "urn:c"},
    ],
}


def request_of(route: Route) -> Request:
    """One that this row answers with success, or with what it says of a code that is not there."""
    where = route.path.replace("[type]", "Patient").replace("[id]", "1").replace("[vid]", "1")
    where = where.replace("[other]", "Observation")
    if route.path == "[type]" and route.method in ("PUT", "PATCH", "DELETE"):
        where += "?identifier=1"
    if route.operation == "lastn":
        where += "?patient=Patient/1"
    rows = OPERATIONS.get(route.operation or "", [])
    if rows and route.method == "GET":
        where += "?" + "&".join("=".join(row.values()) for row in rows)
    body = BODIES.get((route.method, route.path))
    if body is None and route.method == "POST":
        body = b"" if where.endswith("_search") else {"resourceType": "Parameters", "parameter": rows}
    headers = JSON_PATCH if route.method == "PATCH" else FORM if where.endswith("_search") else {}
    return Request(route.method, where, body, headers)


def needs_the_store(route: Route) -> bool:
    """All but what a worker knows by itself: the definitions, and the terminology that is in use."""
    of_a_resource = "[id]" in route.path
    alone = {"$validate", "$expand", "$validate-code", "$lookup", "$subsumes", "$translate"}
    return route.path != "metadata" and (of_a_resource or route.path.rpartition("/")[2] not in alone)


async def answers(server: Running, requests: Sequence[Request]) -> list[Answer]:
    """All asked at once."""
    ask = server.client.request
    return await asyncio.gather(*(ask(each.method, each.path, each.body, headers=each.headers) for each in requests))


def told_to_come_again(answer: Answer) -> bool:
    if answer.status != 503 or "Retry-After" not in answer.headers:
        return False
    outcome = answer.json
    return (outcome["resourceType"], outcome["issue"][0]["code"]) == ("OperationOutcome", "transient")


async def following_pages(server: Running) -> list[Request]:
    """The second pages of a search, a sorted one, histories and $everything."""
    found = []
    for path in (
        "Observation?_count=1",
        "Observation?_count=1&_sort=-date",
        "Patient/_history?_count=1",
        "_history?_count=1",
        "Patient/1/$everything?_count=1",
    ):
        links = {each["relation"]: each["url"] for each in (await server.client.get(path)).json["link"]}
        found.append(Request("GET", links["next"]))
    return found


async def test_whatever_needs_a_cluster_that_fails_is_told_to_come_again(server: Running, node: ReplicaSet) -> None:
    await stored(server)
    needing = [request_of(route) for route in ROUTES if needs_the_store(route)]
    alone = [request_of(route) for route in ROUTES if not needs_the_store(route)]
    needing += await following_pages(server)
    [mongod] = node.nodes
    always = {"appName": APP_NAME, "failCommands": COMMANDS, "errorCode": PRIMARY_STEPPED_DOWN}

    for fails, mends in (
        (
            partial(mongod.ask, {"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": always}),
            partial(mongod.ask, {"configureFailPoint": "failCommand", "mode": "off"}),
        ),
        (mongod.kill, partial(_again, node)),
    ):
        fails()
        refused = await answers(server, needing)
        wrong = [
            (*pair[0][:2], pair[1].status)
            for pair in zip(needing, refused, strict=True)
            if not told_to_come_again(pair[1])
        ]
        assert wrong == []
        assert [each.status for each in await answers(server, alone) if each.status >= 500] == []
        batch = await server.client.post("", bundle("batch", entry("GET", "Patient/1"), entry("GET", "Patient")))
        assert [each["response"]["status"][:3] for each in batch.json["entry"]] == ["503", "503"]
        site = {path: (await server.client.get(f"{server.url}{path}")).status for path in SITE}
        assert site == SITE
        mends()
        for _ in range(600):  # until the driver has seen it
            if (await server.client.get("Patient/1")).status == 200:
                break
            await asyncio.sleep(0.1)
        reading = [each for each in needing if each.method == "GET"]
        assert [each.status for each in await answers(server, reading) if each.status >= 500] == []


SEARCHES = (
    "Patient?identifier=1",
    "Patient?_total=accurate&_count=1",
    "Patient?_summary=count&birthdate=lt2100",
    "Observation?patient=Patient/1",
    "Observation?patient=Patient/1&_sort=-date",
    "Observation?code=29463-7",
    "Observation?status=final&_sort=code",
    "Observation?date=ge2020-01-01",
    "Observation?subject:Patient.identifier=1",
    "Patient?_has:Observation:patient:code=29463-7",
    "Patient?given=lek",
    "Patient?given:contains=lek",
    "Patient?gender:missing=true",
    "Observation?code:not=1",
    "Patient?_filter=identifier eq 1 or given eq lek",
    "Patient/1/Observation",
    "Patient?identifier=1&_revinclude=Observation:subject",
    "Patient/1/$everything",
    "Observation/$lastn?patient=Patient/1",
)


async def test_every_kind_of_search_has_a_time_limit_whose_answer_gives_advice(
    server: Running, node: ReplicaSet
) -> None:
    """The node is told that whatever has a limit is over it: what is answered all the same has none."""
    await stored(server)
    over = {"configureFailPoint": "maxTimeAlwaysTimeOut"}
    node.nodes[0].ask(over | {"mode": "alwaysOn"})
    unlimited = []
    for path in SEARCHES:
        answer = await server.client.get(path)
        if (answer.status, answer.json["issue"][0]["code"] if answer.status >= 400 else "") != (403, "too-costly"):
            unlimited.append((path, answer.status, answer.body[:200]))
        elif "name a patient, a code or a date" not in answer.diagnostics:
            unlimited.append((path, answer.diagnostics))
    assert unlimited == []
    assert (await server.client.get("Patient/1")).status == 200
    node.nodes[0].ask(over | {"mode": "off"})
    assert {(await server.client.get(path)).status for path in SEARCHES} == {200}


def _again(node: ReplicaSet) -> None:
    node.nodes[0].start()
    node.wait_for_primary()
