"""The two CRUD workloads: their proportions, their order, what they send."""

from __future__ import annotations

from collections import Counter

import orjson
import pytest

from conformance.bench.crud import ROUND, TYPES, VERBS, Mix, location, rounds
from conformance.bench.data import Pools
from conformance.bench.load import Answer, Call, Target
from conformance.bench.thirty import THIRTY, Thirty

TARGET = Target("127.0.0.1", 1, "/fhir")


def pools() -> Pools:
    made = Pools()
    for kind in (*TYPES, "Practitioner", "Location"):
        made.ids[kind].offer(kind.lower())
    for pool in (made.families, made.condition_codes, made.procedure_codes):
        pool.offer("http://example.org|a b")
    return made


def created(call: Call, number: int) -> Answer:
    """What a server answers."""
    method, path, _ = call.data.split(b" ", 2)
    if method == b"POST":
        where = f"http://127.0.0.1{path.decode()}/{number}/_history/1"
        return Answer(201, f"HTTP/1.1 201 Created\r\nLocation: {where}\r\nETag: W/1\r\n\r\n{{}}".encode())
    return Answer(200, b'HTTP/1.1 200 OK\r\n\r\n{"resourceType":"Patient","text":{"div":"x"}}')


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (b"HTTP/1.1 201 Created\r\nLocation: http://a/fhir/Patient/1/_history/2\r\n\r\n{}", "Patient/1"),
        (b"HTTP/1.1 201 Created\r\nlocation: Patient/1\r\n\r\n", "Patient/1"),
        (b'HTTP/1.1 200 OK\r\n\r\n{"location: ":1}', ""),
    ],
)
def test_what_was_made_is_read_from_the_location(head: bytes, found: str) -> None:
    assert location(Answer(201, head)) == found


def test_the_mix_has_its_proportions() -> None:
    script = Mix(TARGET, pools()).script()
    call, counts = next(script), Counter[str]()
    for number in range(6_000):
        if not call.leads:
            counts[call.label] += 1
        call = script.send(created(call, number))
    for verb, share in VERBS.items():
        assert counts[verb] / counts.total() == pytest.approx(share / 100, abs=0.02), verb


def test_the_mix_updates_what_it_has_read() -> None:
    script = Mix(TARGET, pools()).script()
    call = next(script)
    while not call.leads:
        call = script.send(created(call, 1))
    following = script.send(created(call, 1))
    assert call.data.split()[1] == following.data.split()[1]
    assert following.data.startswith(b"PUT ")
    body = orjson.loads(following.data.partition(b"\r\n\r\n")[2])
    assert body["meta"]["tag"]
    assert "text" not in body  # a narrative would not say any more what the resource says


def test_a_round_makes_reads_changes_and_deletes_nine_resources() -> None:
    script = rounds(TARGET)()
    call, labels = next(script), []
    for number in range(36):
        labels.append(call.label)
        call = script.send(created(call, number))
    expected = [f"{verb} {kind}" for verb in ("POST", "GET", "PUT") for kind in ROUND]
    assert labels == expected + [f"DELETE {kind}" for kind in reversed(ROUND)]
    assert call.label == "POST Patient"


def test_a_round_refers_to_what_it_made() -> None:
    script = rounds(TARGET)()
    call = next(script)
    bodies = {}
    for number in range(9):
        bodies[call.label.removeprefix("POST ")] = orjson.loads(call.data.partition(b"\r\n\r\n")[2])
        call = script.send(created(call, number))
    assert bodies["Encounter"]["subject"] == {"reference": "Patient/0"}
    assert bodies["Claim"]["prescription"] == {"reference": "MedicationRequest/6"}
    assert bodies["ExplanationOfBenefit"]["claim"] == {"reference": "Claim/7"}
    text = orjson.dumps(bodies)
    assert b"?identifier" not in text
    assert b"urn:uuid" not in text


def test_there_are_thirty_searches_and_each_is_filled() -> None:
    asking = Thirty(TARGET, pools())
    assert len(set(THIRTY)) == len(THIRTY) == 30
    for shape in THIRTY:
        path = asking.path(shape)
        assert "{" not in path
        assert " " not in path
