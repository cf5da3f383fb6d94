"""Requests that schemathesis makes from the OpenAPI document: valid ones and ones that break it in every place.

Against `onecard serve` as a process: never a 5xx, an OperationOutcome with every 4xx, nothing stored by what is
refused, and another client that goes on being answered. `make fuzz` sends as many requests as one likes.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from conformance.openapi import openapi
from fhir_profiles.definitions import Definitions
from server.routes import ROUTES
from terminology.service import TerminologyService
from tests import mongod
from tests.cli.serving import serve
from tests.serving import ENGINES

EXAMPLES = 3
"""Of each operation and mode; about 600 requests in all."""
STALL_SECONDS = 5.0
"""Generous: the machine may be busy. A stall is an event loop held by one request."""


@dataclass
class Judge:
    """Sends cases and holds every answer against what FHIR and the issue ask."""

    base: str
    session: requests.Session = field(default_factory=requests.Session)
    statuses: Counter[int] = field(default_factory=Counter)
    newest: str = ""
    """The last version in the store, as last seen."""

    def last_version(self) -> str:
        answer = self.session.get(f"{self.base}/_history?_count=1", timeout=30)
        return str([(entry["fullUrl"], entry["response"]) for entry in answer.json()["entry"]])

    def ask(self, case: Any) -> None:
        answer = case.call(base_url=self.base, session=self.session, timeout=30)
        self.statuses[answer.status_code] += 1
        said = (case.method, case.formatted_path, answer.status_code, answer.content[:400])
        assert answer.status_code < 500, said
        if answer.status_code >= 400 and case.method.upper() != "HEAD":
            assert answer.headers["content-type"][0].startswith("application/fhir+json"), said
            outcome = json.loads(answer.content)
            assert outcome["resourceType"] == "OperationOutcome", said
            assert outcome["issue"][0]["severity"] in ("error", "fatal"), said
        if case.method.upper() not in ("GET", "HEAD"):
            before, self.newest = self.newest, self.last_version()
            assert answer.status_code < 400 or self.newest == before, said


@dataclass
class Heartbeat:
    """Another client, that reads one resource all the time."""

    url: str
    worst: float = 0.0
    """Seconds the slowest answer took."""
    answers: Counter[int] = field(default_factory=Counter)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        session = requests.Session()
        while not self.stop.wait(0.02):
            began = time.monotonic()
            self.answers[session.get(self.url, timeout=60).status_code] += 1
            self.worst = max(self.worst, time.monotonic() - began)
        session.close()


def drive(schema: Any, ask: Callable[[Any], None], examples: int = EXAMPLES) -> None:
    """Every operation of the document, with data that fits it and with data that does not."""
    for found in schema.get_all_operations():
        operation = found.ok()
        bendable = operation.body or operation.query or operation.headers or operation.path_parameters
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE) if bendable else (GenerationMode.POSITIVE,):
            given(case=operation.as_strategy(generation_mode=mode))(
                settings(
                    max_examples=examples,
                    database=None,
                    derandomize=True,
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                )(lambda case: ask(case))
            )()


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi(Definitions(), TerminologyService())


@pytest.fixture(params=["embedded", pytest.param("mongo", marks=pytest.mark.mongo)])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    served = serve(tmp_path, "--open", "--request-log", "off", "--store", ENGINES[request.param](tmp_path))
    yield f"{served.url}/fhir"
    assert served.stop() == 0
    assert served.process.stdout is not None
    served.process.stdout.close()
    mongod.drop_all(tmp_path)


def test_the_document_has_every_row_of_the_routes_table_and_is_always_the_same(document: dict[str, Any]) -> None:
    assert json.dumps(openapi(Definitions(), TerminologyService())) == json.dumps(document)
    shapes = {
        (method.upper(), path.replace("Patient", "[type]").replace("{id}", "[id]").replace("{vid}", "[vid]"))
        for path, methods in document["paths"].items()
        for method in methods
    }
    for route in ROUTES:
        path = f"/{route.path}".replace("[other]", "Observation")
        assert {(route.method, path), (route.method, path.replace("Patient", "[type]"))} & shapes, route


def test_requests_made_from_the_document_are_answered_without_a_5xx_or_a_stall(
    document: dict[str, Any], base: str
) -> None:
    judge = Judge(base)
    heartbeat = Heartbeat(f"{base}/Basic/alive")
    alive = {"resourceType": "Basic", "id": "alive", "code": {"text": "alive"}}
    assert requests.put(heartbeat.url, json=alive, timeout=30).status_code == 201
    judge.newest = judge.last_version()
    beating = threading.Thread(target=heartbeat.run)
    beating.start()
    try:
        drive(schemathesis.openapi.from_dict(document), judge.ask)
    finally:
        heartbeat.stop.set()
        beating.join()
        judge.session.close()
    assert sum(judge.statuses.values()) > 400
    # What it draws depends on what is stored by then: these come every time, 409, 412 and 410 most times.
    assert {200, 201, 400, 404} <= set(judge.statuses), judge.statuses
    assert set(heartbeat.answers) == {200}
    assert heartbeat.worst < STALL_SECONDS


def history() -> dict[str, Any]:
    return {"entry": [{"fullUrl": "x", "response": {"etag": str(Broken.versions)}}]}


class Broken(BaseHTTPRequestHandler):
    """A server that answers every request as its class says."""

    status, media_type, body, stores = 500, "text/plain", b"no", False
    versions = 0

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.endswith("_history?_count=1"):
            status, media_type, body = 200, "application/fhir+json", json.dumps(history()).encode()
        else:
            status, media_type, body = self.status, self.media_type, self.body
            Broken.versions += self.stores
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, *_: Any) -> None:
        """Nothing on stderr."""


OUTCOME = b'{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"invalid"}]}'


@pytest.mark.parametrize(
    ("status", "media_type", "body", "stores", "noticed"),
    [
        (500, "application/fhir+json", OUTCOME, False, True),
        (400, "text/plain", OUTCOME, False, True),
        (400, "application/fhir+json", b'{"resourceType":"Patient"}', False, True),
        (400, "application/fhir+json", OUTCOME, True, True),
        (400, "application/fhir+json", OUTCOME, False, False),
    ],
)
def test_the_harness_can_fail(
    document: dict[str, Any], status: int, media_type: str, body: bytes, stores: bool, noticed: bool
) -> None:
    """A 5xx, a 4xx without an OperationOutcome and a refused write that stored something are noticed."""
    handler = type("Handler", (Broken,), {"status": status, "media_type": media_type, "body": body, "stores": stores})
    some = {path: document["paths"][path] for path in ("/Patient/{id}",)}
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as broken:
        serving = threading.Thread(target=broken.serve_forever)
        serving.start()
        judge = Judge(f"http://127.0.0.1:{broken.server_port}")
        judge.newest = judge.last_version()
        try:
            if noticed:
                with pytest.raises(AssertionError):
                    drive(schemathesis.openapi.from_dict({**document, "paths": some}), judge.ask, 1)
            else:
                drive(schemathesis.openapi.from_dict({**document, "paths": some}), judge.ask, 1)
        finally:
            judge.session.close()
            broken.shutdown()
            serving.join()
