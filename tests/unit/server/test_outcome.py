"""Every failure has an answer, and every answer is a valid OperationOutcome."""

from __future__ import annotations

import inspect

import pytest

from fhir_profiles.definitions import Definitions
from fhir_profiles.issue import Issue
from fhir_profiles.json_reading import ReadError, read_json
from fhir_profiles.validation import Validator
from server import errors
from server.errors import FhirError
from server.outcome import CONDITION_ANSWERS, STORE_ANSWERS, operation_outcome, response_of
from server.search.query import Query
from server.store import contract
from server.store.contract import (
    ConditionFailed,
    Exists,
    LabelsChanged,
    Matches,
    StoreError,
    Unreferenced,
    VersionConflict,
)
from terminology.service import TerminologyService


def leaves(root: type) -> set[type]:
    return {root}.union(*(leaves(each) for each in root.__subclasses__() if each.__module__.startswith("server.")))


@pytest.fixture(scope="module")
def validator() -> Validator:
    return Validator(Definitions(), TerminologyService())


def all_errors() -> list[type[FhirError]]:
    return [
        c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, FhirError) and c is not FhirError
    ]


@pytest.mark.parametrize("kind", all_errors())
def test_every_leaf_of_the_tree_gives_a_valid_outcome(kind: type[FhirError], validator: Validator) -> None:
    response = response_of(kind("what was found", expression="Patient.name[0]"), "r1")
    assert response.status == kind.status >= 400
    assert response.resource is not None
    issue = response.resource["issue"][0]
    assert (issue["code"], issue["diagnostics"], issue["expression"]) == (
        kind.code,
        "what was found",
        ["Patient.name[0]"],
    )
    assert [found for found in validator.validate(response.resource) if found.severity in ("error", "fatal")] == []
    assert read_json(response.body or b"") == response.resource


def test_every_failure_of_a_store_has_a_row() -> None:
    kinds = {c for _, c in inspect.getmembers(contract, inspect.isclass) if issubclass(c, StoreError)}
    assert kinds == set(STORE_ANSWERS)
    assert set(CONDITION_ANSWERS) == {Matches, Exists, Unreferenced}


@pytest.mark.parametrize(
    "kind", [c for c in STORE_ANSWERS if c not in (VersionConflict, LabelsChanged, ConditionFailed)]
)
def test_store_failures_are_answered(kind: type[StoreError], validator: Validator) -> None:
    response = response_of(kind("ask for less"), "r1")
    assert response.status == STORE_ANSWERS[kind].status
    assert response.resource is not None
    assert [found for found in validator.validate(response.resource) if found.severity in ("error", "fatal")] == []


def test_conditions_that_fail_are_told_apart() -> None:
    assert response_of(VersionConflict("Patient", "1", 2, 3), "").status == 412
    assert response_of(ConditionFailed(Exists("Patient", "1")), "").status == 409
    assert response_of(ConditionFailed(Unreferenced("Patient", "1")), "").status == 409
    assert response_of(ConditionFailed(Matches(Query(types=("Patient",)), frozenset())), "").status == 412


def test_what_cannot_be_read_is_400_with_its_issues() -> None:
    response = response_of(ReadError([Issue("error", "structure", "line 1 column 2")]), "")
    assert (response.status, response.resource and response.resource["issue"][0]["code"]) == (400, "structure")


def test_a_bug_says_its_request_id_and_nothing_else() -> None:
    response = response_of(KeyError("1101700203451"), "abc1")
    assert response.status == 500
    assert b"abc1" in (response.body or b"")
    assert b"1101700203451" not in (response.body or b"")
    assert b"KeyError" not in (response.body or b"")


def test_thai_details_stand_beside_the_english_text() -> None:
    outcome = operation_outcome([Issue("error", "invalid", "wrong", None, "ผิด")])
    assert outcome["issue"] == [
        {"severity": "error", "code": "invalid", "details": {"text": "ผิด"}, "diagnostics": "wrong"}
    ]
