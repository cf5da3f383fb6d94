"""The Synthea-like records: the same for a seed, of Synthea's mix and sizes, whole in themselves."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from conformance.bench import synthea
from conformance.bench.synthea import BYTES, PER_PATIENT, RESOURCES_PER_PATIENT, Synthea

PATIENTS = 60


@pytest.fixture(scope="module")
def records() -> list[list[dict[str, Any]]]:
    return [Synthea(1).patient(number) for number in range(PATIENTS)]


def references(element: Any) -> Iterator[str]:
    if isinstance(element, dict):
        if isinstance(element.get("reference"), str):
            yield element["reference"]
        for each in element.values():
            yield from references(each)
    elif isinstance(element, list):
        for each in element:
            yield from references(each)


def test_a_seed_always_gives_the_same() -> None:
    assert orjson.dumps(Synthea(5).patient(3)) == orjson.dumps(Synthea(5).patient(3))
    assert orjson.dumps(Synthea(5).places()) == orjson.dumps(Synthea(5).places())


def test_another_seed_or_number_gives_another_record() -> None:
    first = orjson.dumps(Synthea(5).patient(3))
    assert first != orjson.dumps(Synthea(6).patient(3))
    assert first != orjson.dumps(Synthea(5).patient(4))


def test_the_mix_is_that_of_the_published_sample(records: list[list[dict[str, Any]]]) -> None:
    # Visits a patient scatter widely, as in the sample; by visit the mix is tight.
    counts = Counter(resource["resourceType"] for record in records for resource in record)
    visits = counts["Encounter"] / synthea.VISITS
    for kind, wanted in PER_PATIENT.items():
        if wanted >= 5:
            assert counts[kind] / visits == pytest.approx(wanted, rel=0.12), kind
    assert counts["Patient"] == PATIENTS
    assert counts.total() / PATIENTS == pytest.approx(RESOURCES_PER_PATIENT, rel=0.3)


def test_resources_are_as_large_as_synthea_writes_them(records: list[list[dict[str, Any]]]) -> None:
    sizes = defaultdict(list)
    for record in records:
        for resource in record:
            sizes[resource["resourceType"]].append(len(orjson.dumps(resource)))
    for kind, wanted in BYTES.items():
        assert statistics.mean(sizes[kind]) == pytest.approx(wanted, rel=0.3), kind


def test_a_record_refers_to_itself_and_to_places_that_exist(records: list[list[dict[str, Any]]]) -> None:
    places = {(each["resourceType"], each["identifier"][0]["value"]) for each in Synthea(1).places()}
    for record in records[:10]:
        own = {f"urn:uuid:{each['id']}" for each in record}
        for reference in references(record):
            if reference.startswith("urn:uuid:"):
                assert reference in own
            elif not reference.startswith("#"):
                kind, _, criteria = reference.partition("?")
                assert (kind, criteria.rpartition("|")[2]) in places


def test_references_to_places_can_be_literal() -> None:
    record = Synthea(1, lambda kind, number: f"{kind}/{number}").patient(0)
    assert not [each for each in references(record) if "?" in each]
    assert any(each.startswith("Practitioner/") for each in references(record))


def test_a_transaction_posts_every_resource_and_makes_places_only_once() -> None:
    bundle = orjson.loads(synthea.transaction([*Synthea(1).places()[:1], *Synthea(1).patient(0)[:2]]))
    first, second, third = (entry["request"] for entry in bundle["entry"])
    assert bundle["type"] == "transaction"
    assert first["ifNoneExist"].startswith("identifier=")
    assert (second["url"], third["url"]) == ("Patient", "Encounter")
    assert "ifNoneExist" not in second
