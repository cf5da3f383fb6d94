"""One thing that is wrong with a resource or a request: the row of an OperationOutcome."""

from __future__ import annotations

from typing import NamedTuple


class Issue(NamedTuple):
    """https://hl7.org/fhir/R4/operationoutcome.html"""

    severity: str
    """fatal error warning information"""
    code: str
    """IssueType: structure, required, value, invariant, code-invalid, invalid, not-found ..."""
    diagnostics: str
    """What was found and what was expected, in English; quotes at most 40 characters of a value, none of a person's."""
    expression: str | None = None
    """FHIRPath of the element: `Patient.contact[0].gender`."""
    details_th: str | None = None
    """The same in Thai, where a person at a desk is to act on it."""
