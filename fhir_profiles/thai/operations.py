"""Operations that R4 does not have, as OperationDefinitions of our own."""

from __future__ import annotations

from typing import Any

from fhir_profiles.canonical import CANONICAL


def _parameter(name: str, use: str, kind: str, most: str, told: str, least: int = 0) -> dict[str, Any]:
    return {"name": name, "use": use, "min": least, "max": most, "type": kind, "documentation": told}


_WHOM = "Either the reference, or identifiers that only this Patient has"

MERGE: dict[str, Any] = {
    "resourceType": "OperationDefinition",
    "id": "patient-merge",
    "url": f"{CANONICAL}/OperationDefinition/patient-merge",
    "name": "PatientMerge",
    "title": "Two Patients are one person / รวมผู้ป่วยเป็นคนเดียวกัน",
    "status": "active",
    "kind": "operation",
    "description": "R5's $merge for R4, without `preview` and `result-patient`: what the Patient that stays says is "
    "computed from the registrations of both.   https://hl7.org/fhir/R5/patient-operation-merge.html",
    "affectsState": True,
    "code": "merge",
    "resource": ["Patient"],
    "system": False,
    "type": True,
    "instance": False,
    "parameter": [
        _parameter("source-patient", "in", "Reference", "1", f"Who becomes inactive. {_WHOM}"),
        _parameter("source-patient-identifier", "in", "Identifier", "*", "The same"),
        _parameter("target-patient", "in", "Reference", "1", f"Who stays. {_WHOM}"),
        _parameter("target-patient-identifier", "in", "Identifier", "*", "The same"),
        _parameter("outcome", "out", "OperationOutcome", "1", "What was done", 1),
        _parameter("result", "out", "Patient", "1", "The Patient that stays"),
    ],
}
"""`Patient/$merge`."""
