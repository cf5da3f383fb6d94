"""The same random history of writes on both engines: every answer is the same, and so is what is found afterwards.

Both servers have the same clock and count their ids alike, so answers are compared as they are, but for the port, the
sealed position in links of pages, and the number of a request. `EXAMPLES=1000 pytest FILE` draws more histories.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

from tests import mongod
from tests.serving import ENGINES, Answer, Clock, Ids, Running, run_server

pytestmark = pytest.mark.mongo

EXAMPLES = int(os.environ.get("EXAMPLES") or 15)
LENGTH = 25
PATIENTS = ("p1", "p2", "p3", "p4")
OBSERVATIONS = ("o1", "o2", "o3")
HN = "https://example.org/hn"
VALUES = ("1", "2", "3")
UNCOMPARED = {"date", "x-request-id", "content-length", "server-timing"}
JSON_PATCH, MERGE_PATCH = "application/json-patch+json", "application/merge-patch+json"


class Step(NamedTuple):
    method: str
    path: str
    body: Any = None
    headers: dict[str, str] = {}


# ---------------------------------------------------------------- drawing


def patient(random: Random, id: str | None = None) -> dict[str, Any]:
    made: dict[str, Any] = {"resourceType": "Patient", "active": random.random() < 0.5}
    if id is not None:
        made["id"] = id
    if random.random() < 0.8:
        made["identifier"] = [{"system": HN, "value": random.choice(VALUES)}]
    if random.random() < 0.5:
        made["birthDate"] = random.choice(("1980", "1980-05", "1980-05-17", "2001-01-01"))
    if random.random() < 0.5:
        made["name"] = [{"family": random.choice(("ใจดี", "Jaidee", "Ångström")), "given": ["Somchai"]}]
    if random.random() < 0.2:
        made["meta"] = {"tag": [{"system": "https://example.org/tag", "code": random.choice("ab")}]}
    if random.random() < 0.05:
        made["surplus"] = 1
    return made


def observation(random: Random, id: str | None = None, subject: str | None = None) -> dict[str, Any]:
    made: dict[str, Any] = {
        "resourceType": "Observation",
        "status": random.choice(("final", "amended")),
        "code": {"coding": [{"system": "http://loinc.org", "code": random.choice(("8867-4", "8480-6"))}]},
        "subject": {"reference": subject or f"Patient/{random.choice(PATIENTS)}"},
        "effectiveDateTime": f"2026-0{random.randint(1, 9)}-01",
        "valueQuantity": {"value": random.randint(50, 150), "unit": "/min"},
    }
    return made | ({"id": id} if id is not None else {})


def criteria(random: Random) -> str:
    return random.choice(
        (
            f"identifier={HN}|{random.choice(VALUES)}",
            f"identifier={random.choice(VALUES)}",
            f"identifier={HN}|{random.choice(VALUES)},{HN}|9",
            f"birthdate=1980&identifier={HN}|{random.choice(VALUES)}",
            "birthdate=2001-01-01",
            f"_id={random.choice(PATIENTS)}",
        )
    )


def guard(random: Random) -> dict[str, str]:
    return {"If-Match": f'W/"{random.randint(1, 4)}"'} if random.random() < 0.3 else {}


def simple(random: Random) -> Step:
    """One write of a single resource."""
    id, kind = random.choice(PATIENTS), random.random()
    if kind < 0.12:
        return Step("POST", "Patient", patient(random))
    if kind < 0.24:
        return Step("POST", "Patient", patient(random), {"If-None-Exist": criteria(random)})
    if kind < 0.42:
        return Step("PUT", f"Patient/{id}", patient(random, id), guard(random))
    if kind < 0.5:
        return Step("PUT", f"Patient?{criteria(random)}", patient(random))
    if kind < 0.62:
        made = random.choice(OBSERVATIONS)
        return Step("PUT", f"Observation/{made}", observation(random, made))
    if kind < 0.7:
        patch = [{"op": random.choice(("add", "replace")), "path": "/active", "value": random.random() < 0.5}]
        return Step("PATCH", f"Patient/{id}", patch, {"Content-Type": JSON_PATCH, **guard(random)})
    if kind < 0.76:
        return Step("PATCH", f"Patient?{criteria(random)}", {"gender": "other"}, {"Content-Type": MERGE_PATCH})
    if kind < 0.86:
        return Step("DELETE", random.choice((f"Patient/{id}", f"Observation/{random.choice(OBSERVATIONS)}")))
    if kind < 0.91:
        return Step("DELETE", f"Patient?{criteria(random)}")
    if kind < 0.93:
        return merge(random)
    tag = {"tag": [{"system": "https://example.org/tag", "code": random.choice("ab")}]}
    meta = {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": tag}]}
    return Step("POST", f"Patient/{id}/{random.choice(('$meta-add', '$meta-delete'))}", meta)


def merge(random: Random) -> Step:
    which = zip(("source-patient", "target-patient"), random.sample(PATIENTS, 2), strict=True)
    rows = [{"name": name, "valueReference": {"reference": f"Patient/{id}"}} for name, id in which]
    return Step("POST", "Patient/$merge", {"resourceType": "Parameters", "parameter": rows})


def fhirpath_patch(random: Random) -> dict[str, Any]:
    """An entry of a bundle."""
    parts = {"type": "valueCode", "path": "valueString", "name": "valueString", "value": "valueBoolean"}
    values = ("add", "Patient", "active", random.random() < 0.5)
    part = [{"name": name, key: value} for (name, key), value in zip(parts.items(), values, strict=True)]
    where = random.choice((f"Patient/{random.choice(PATIENTS)}", f"Patient?{criteria(random)}"))
    patch = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": part}]}
    return {"resource": patch, "request": {"method": "PATCH", "url": where}}


def entry(random: Random) -> dict[str, Any]:
    step = simple(random)
    while step.path.partition("?")[0].endswith(("$meta-add", "$meta-delete", "$merge")) or step.method == "PATCH":
        step = simple(random)
    names = {"If-Match": "ifMatch", "If-None-Exist": "ifNoneExist"}
    request = {"method": step.method, "url": step.path} | {names[name]: value for name, value in step.headers.items()}
    return {"request": request} | ({"resource": step.body} if step.body is not None else {})


def bundle(random: Random) -> Step:
    entries = [entry(random) for _ in range(random.randint(1, 4))]
    if random.random() < 0.4:
        urn = "urn:uuid:0b4d2f9e-5d43-4a7c-9c3c-0d6f4a4b9d10"
        made = {"fullUrl": urn, "resource": patient(random), "request": {"method": "POST", "url": "Patient"}}
        refers = {"resource": observation(random, subject=urn), "request": {"method": "POST", "url": "Observation"}}
        entries += [made, refers]
    if random.random() < 0.2:
        found = f"Patient?identifier={HN}|{random.choice(VALUES)}"  # a conditional reference
        refers = observation(random, subject=found)
        entries.append({"resource": refers, "request": {"method": "POST", "url": "Observation"}})
    if random.random() < 0.2:
        entries.append(fhirpath_patch(random))
    if random.random() < 0.3:
        entries.append({"request": {"method": "GET", "url": f"Patient?{criteria(random)}"}})
    kind = random.choice(("batch", "transaction", "transaction"))
    if kind == "batch":  # its entries run beside one another: only one that depends on nothing else is the same twice
        entries = [entries[0], {"request": {"method": "GET", "url": "Patient/nobody"}}]
    return Step("POST", "", {"resourceType": "Bundle", "type": kind, "entry": entries})


def question(random: Random) -> Step:
    return random.choice(
        (
            Step("GET", f"Patient/{random.choice(PATIENTS)}"),
            Step("GET", f"Patient/{random.choice(PATIENTS)}/_history/{random.randint(1, 3)}"),
            Step("GET", f"Patient/{random.choice(PATIENTS)}", headers={"If-None-Match": 'W/"2"'}),
            Step("GET", f"Patient/{random.choice(PATIENTS)}/$meta"),
            Step("GET", random.choice(AFTERWARDS)),
        )
    )


AFTERWARDS = (
    "_history?_count=1000",
    "Patient/_history",
    "Patient/p1/_history",
    "Patient?_sort=_lastUpdated,_id",
    "Patient?_sort=-birthdate&_count=3",
    "Patient?_count=2&_total=accurate",
    f"Patient?identifier={HN}|1",
    "Patient?name=jaidee",
    "Patient?name:contains=chai",
    "Patient?_tag=https://example.org/tag|a",
    "Patient?birthdate=ge1980-05&_revinclude=Observation:subject",
    "Patient?_has:Observation:subject:code=8867-4",
    "Observation?subject:Patient.identifier=1&_include=Observation:subject",
    "Observation?code=http://loinc.org|8867-4&date=ge2026-03&_sort=-date",
    "Observation?value-quantity=gt100",
    "Observation?code:not=http://loinc.org|8867-4",
    "Patient?gender:missing=true&_summary=count",
    "Patient/$meta",
    "Patient/p1/$everything",
    "Patient/p2/$everything?_count=2",
    "Patient/p3/$everything?start=2026-03&_type=Observation",
    "Patient/$everything?_count=4",
    "Observation/$lastn?patient=Patient/p1&max=2",
    "Patient/p1/Observation?_sort=date&_count=2",
    "Patient/p2/*",
    "?_type=Patient,Observation&_count=5",
    "Observation?_count=3&_sort=-date",
    "Observation?patient=p1&_sort=-_lastUpdated&_count=2",
    "Patient?_sort=family,-birthdate&_count=2&_elements=name",
    "Patient/_history?_count=4",
    "_history?_since=2025-11-24T01:01:00Z&_count=7",
    "Patient/p1/_history?_at=2025-11-24T01:02:00Z",
    "Patient?_filter=birthdate ge 1980-05 or active eq true",
    "Observation?patient.identifier=1&code:not=8867-4&_total=accurate&_count=1",
    "Patient?identifier=1&_revinclude=Observation:subject&_summary=true",
    "Patient?_id=p1,p2,p9&active:not=true",
    "Observation?date=eq2026-05-01,lt2026-02",
)
PAGES = 12
"""So many are turned at most."""


def history(random: Random) -> list[Step]:
    steps = []
    for _ in range(LENGTH):
        kind = random.random()
        steps.append(simple(random) if kind < 0.6 else bundle(random) if kind < 0.8 else question(random))
    return [*steps, *(Step("GET", path) for path in AFTERWARDS)]


# ---------------------------------------------------------------- comparing


def _next(answer: Answer) -> str | None:
    links = answer.json.get("link", ()) if answer.body.startswith(b"{") else ()
    return next((each["url"] for each in links if each["relation"] == "next"), None)


async def pages(server: Running, step: Step) -> list[Answer]:
    """The answer and, of a page, those that follow."""
    found = [await server.client.request(step.method, step.path, step.body, headers=step.headers)]
    while len(found) < PAGES and (url := _next(found[-1])) is not None:
        found.append(await server.client.get(url))
    return found


def joined(answers: Sequence[Answer], base: str) -> list[tuple[int, dict[str, str], Any]]:
    """As they are compared. Where versions of one instant stand is free, so pages of a history are compared as one."""
    found = [comparable(each, base) for each in answers]
    first = found[0][2]
    if len(found) == 1 or first["type"] != "history":
        return found
    every = [entry for _, _, content in found for entry in content["entry"]]
    return [(found[0][0], found[0][1], first | {"entry": sorted(every, key=_instant)})]


def comparable(answer: Answer, base: str) -> tuple[int, dict[str, str], Any]:
    def mapped(text: str) -> str:
        text = text.replace(base, "BASE")
        text = re.sub(r"(_cursor=)[^&\"]+", r"\1...", text)
        text = re.sub(r"still referred to by [^\"]+", "still referred to by ...", text)  # which few are named is free
        return re.sub(r"under request \w+", "under request ...", text)

    headers = {name.lower(): mapped(value) for name, value in answer.headers.items()}
    kept = {name: value for name, value in headers.items() if name not in UNCOMPARED}
    body = mapped(answer.text)
    content = json.loads(body) if body.startswith("{") else body
    if isinstance(content, dict) and content.get("type") == "history":  # the order within one instant is free
        content["entry"] = sorted(content.get("entry", ()), key=_instant)
    return answer.status, kept, content


def _instant(entry: dict[str, Any]) -> tuple[str, str, str]:
    return entry["response"]["lastModified"], entry["fullUrl"], entry["response"]["etag"]


def difference(one: Any, other: Any, place: str = "") -> str:
    """Where two answers differ first, and what each says there."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        pairs = [(name, one[name], other[name]) for name in one]
    elif isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)) and len(one) == len(other):
        pairs = [(str(number), *pair) for number, pair in enumerate(zip(one, other, strict=True))]
    else:
        return f"{place}: {str(one)[:1500]} != {str(other)[:1500]}"
    return next((difference(a, b, f"{place}/{name}") for name, a, b in pairs if a != b), "nowhere")


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[list[tuple[Running, Clock]]]:
    running = []
    for engine, url in ENGINES.items():
        folder = tmp_path / engine
        folder.mkdir()
        clock = Clock()
        store = url(folder)
        running.append((await run_server(clock=clock, ids=Ids(), store=store, data_folder=folder, open=True), clock))
    yield running
    for server, _ in running:
        await server.stop()
    mongod.drop_all(tmp_path)


async def asked(both: list[tuple[Running, Clock]], step: Step) -> list[list[tuple[int, dict[str, str], Any]]]:
    answers = []
    for server, clock in both:
        clock.advance(1000)
        answers.append(joined(await pages(server, step), server.url))
    return answers


async def test_both_engines_answer_the_same_history_of_writes_alike(both: list[tuple[Running, Clock]]) -> None:
    """All histories follow one another on the same two stores: later ones meet what earlier ones left."""
    statuses: Counter[int] = Counter()
    turned = 0
    for seed in range(EXAMPLES):
        for number, step in enumerate(history(Random(seed))):
            one, other = await asked(both, step)
            assert one == other, f"history {seed}, step {number}: {step}\n{difference(one, other)}"
            assert max(status for status, _, _ in one) < 500, one
            statuses.update(status for status, _, _ in one)
            turned += len(one) - 1
    if EXAMPLES >= 15:
        assert turned > 400
        assert statuses.keys() >= {200, 201, 204, 400, 404, 409, 410, 412, 422}, statuses


async def test_the_comparison_notices_a_difference(both: list[tuple[Running, Clock]]) -> None:
    made = {"resourceType": "Patient", "id": "p1", "active": True}
    one, other = await asked(both, Step("PUT", "Patient/p1", made))
    assert one == other
    await both[1][0].client.put("Patient/p1", made | {"active": False})
    one, other = await asked(both, Step("GET", "Patient/p1"))
    assert one != other
    assert one[0][0] == other[0][0] == 200
