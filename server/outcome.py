"""OperationOutcome of everything that can go wrong: the one mapping.   https://hl7.org/fhir/R4/operationoutcome.html

A `FhirError` brings its status and issues; what a store raises is looked up in `STORE_ANSWERS`; whatever else comes
is a bug and answers 500 with the request id only: no trace, no message of the exception, no data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson

from fhir_profiles.issue import Issue
from fhir_profiles.json_reading import ReadError
from server.errors import FhirError
from server.messages import FhirResponse
from server.store import contract


class StoreAnswer(NamedTuple):
    status: int
    code: str
    diagnostics: str | None
    """None: the text of the exception, which a store writes for the sender."""
    retry_after: bool = False


# Looked up along the class's ancestors, so a new leaf without a row gets its parent's answer.
STORE_ANSWERS: Mapping[type[contract.StoreError], StoreAnswer] = {
    contract.VersionConflict: StoreAnswer(412, "conflict", None),
    contract.ConditionFailed: StoreAnswer(
        412, "conflict", "Another request changed what this one depends on; repeat it."
    ),
    contract.LabelsChanged: StoreAnswer(409, "conflict", None),
    contract.ResourceTooLarge: StoreAnswer(413, "too-long", None),
    contract.CommitRefused: StoreAnswer(409, "conflict", None),
    contract.StoreUnavailable: StoreAnswer(
        503,
        "transient",
        "The store did not answer. If this was a write its outcome is unknown: repeat it with the same ids.",
        retry_after=True,
    ),
    contract.StoreFull: StoreAnswer(
        507, "no-store", "The store cannot write (disk full or read-only). Nothing was stored."
    ),
    contract.QueryTooCostly: StoreAnswer(403, "too-costly", None),
    contract.StoreInUse: StoreAnswer(503, "exception", "Other processes have the store open; see the server's log."),
    contract.StoreRefused: StoreAnswer(503, "exception", "The store refused to work; see the server's log."),
    contract.StoreError: StoreAnswer(500, "exception", "The store failed; see the server's log."),
}

# A failed condition says more when its kind is known.
CONDITION_ANSWERS: Mapping[type[Any], StoreAnswer] = {
    contract.Matches: STORE_ANSWERS[contract.ConditionFailed],
    contract.Exists: StoreAnswer(
        409, "conflict", "Referential integrity: a resource that this one refers to does not exist."
    ),
    contract.Unreferenced: StoreAnswer(
        409, "conflict", "Referential integrity: other resources still refer to this one."
    ),
}


def operation_outcome(issues: Iterable[Issue]) -> dict[str, Any]:
    """{"resourceType": "OperationOutcome", "issue": [{severity, code, details?, diagnostics, expression?}]}"""
    return {"resourceType": "OperationOutcome", "issue": [_row(issue) for issue in issues]}


def outcome_response(status: int, issues: Iterable[Issue], headers: Mapping[str, str] | None = None) -> FhirResponse:
    outcome = operation_outcome(issues)
    return FhirResponse(status, dict(headers or {}), body=orjson.dumps(outcome), resource=outcome)


def response_of(error: BaseException, request_id: str) -> FhirResponse:
    """Answer to the sender for whatever a handler raised."""
    if isinstance(error, FhirError):
        return outcome_response(error.status, error.issues, error.headers)
    if isinstance(error, ReadError):
        return outcome_response(400, error.issues)
    if isinstance(error, contract.StoreError):
        answer = store_answer(error)
        headers = {"Retry-After": "1"} if answer.retry_after else {}
        issue = Issue("error", answer.code, answer.diagnostics or str(error))
        return outcome_response(answer.status, [issue], headers)
    text = f"Internal error; the server's log has it under request {request_id}."
    return outcome_response(500, [Issue("fatal", "exception", text)])


def store_answer(error: contract.StoreError) -> StoreAnswer:
    if isinstance(error, contract.ConditionFailed):
        return CONDITION_ANSWERS[type(error.condition)]
    return next(STORE_ANSWERS[kind] for kind in type(error).__mro__ if kind in STORE_ANSWERS)


def _row(issue: Issue) -> dict[str, Any]:
    row: dict[str, Any] = {"severity": issue.severity, "code": issue.code}
    if issue.details_th is not None:
        row["details"] = {"text": issue.details_th}
    row["diagnostics"] = issue.diagnostics
    if issue.expression is not None:
        row["expression"] = [issue.expression]
    return row
