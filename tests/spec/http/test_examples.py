"""The official R4 examples, stored and read back.   https://hl7.org/fhir/R4/json.html

The files are those of tests/official/fhir-test-cases (CC0, see LICENSE.txt there).
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fhir_profiles.json_reading import read_json, same_json, write_json
from tests.spec.people import bundle, entry, ids_of

EXAMPLES = Path(__file__).parents[2] / "official" / "fhir-test-cases" / "r4" / "examples"
WRONG = frozenset(
    f"{name}.json"
    for name in (
        "bundle-questionnaire",
        "codesystem-example",
        "devicemetric-example",
        "deviceusestatement-example",
        "medicationrequest0301",
    )
)
"""Examples that break rules; which, and that they are refused, is in tests/official/test_examples.py."""
FILES = sorted(file for file in EXAMPLES.glob("*.json") if file.name not in WRONG)


@pytest.fixture
def start_settings():
    """The examples refer to resources that are not among them, and name versions."""
    return {"referential_integrity": False, "versioned_references": True}


def examples():
    """Every example; those without an id get the name of their file."""
    return [{"id": file.stem, **read_json(file.read_bytes())} for file in FILES]


AS_RESOURCE = {"Accept": "application/fhir+json"}
"""Otherwise a Binary is given as its content."""


def without_versioning(resource):
    """The resource without what the server sets."""
    meta = {name: value for name, value in resource.get("meta", {}).items() if name not in ("versionId", "lastUpdated")}
    rest = {name: value for name, value in resource.items() if name != "meta"}
    return {**rest, "meta": meta} if meta else rest


async def test_every_example_is_stored_and_read_back_equal_to_the_last_digit(fhir):
    assert len(FILES) > 60
    for file, example in zip(FILES, examples(), strict=True):
        where = f"{example['resourceType']}/{example['id']}"
        answer = await fhir.put(where, write_json(example))
        assert answer.status in (200, 201), (file.name, answer.text)
        stored = read_json((await fhir.get(where, headers=AS_RESOURCE)).body)
        assert same_json(without_versioning(stored), without_versioning(example)), file.name


async def test_all_examples_are_stored_by_one_transaction_and_found_by_their_ids(fhir):
    latest = {f"{each['resourceType']}/{each['id']}": json.loads(write_json(each)) for each in examples()}
    entries = [entry("PUT", where, resource) for where, resource in latest.items()]
    answer = await fhir.post("", bundle("transaction", *entries))
    assert answer.status == 200, answer.text[:2000]
    for where in latest:
        kind, _, name = where.partition("/")
        assert ids_of((await fhir.get(f"{kind}?_id={name}")).json) == [name], where


async def test_every_example_survives_a_summary_an_update_and_a_deletion(fhir):
    for example in map(write_json, examples()):
        where = "{resourceType}/{id}".format(**json.loads(example))
        assert (await fhir.put(where, example)).status == 201, where
        summary = await fhir.get(f"{where}?_summary=true", headers=AS_RESOURCE)
        assert summary.json["meta"]["tag"][-1]["code"] == "SUBSETTED"
        assert (await fhir.put(where, example)).status == 200
        assert (await fhir.delete(where)).status == 204
        assert (await fhir.get(where)).status == 410
