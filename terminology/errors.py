"""What a terminology question can fail with, as data: the server maps `kind` to its own error leaf.

| kind          | the server answers | when |
|---------------|--------------------|------|
| invalid       | 400                | a parameter is missing, of the wrong type, or contradicts another |
| not-found     | 404                | no such code system, value set, concept map or code |
| processing    | 422                | the definition cannot be evaluated: cycle, unknown filter, missing part |
| too-costly    | 403                | the expansion is larger than the limit |
| not-supported | 422                | a parameter or a kind of definition that this server does not do |

https://hl7.org/fhir/R4/terminology-service.html https://hl7.org/fhir/R4/valueset-issue-type.html
"""

from __future__ import annotations

from typing import Literal

from fhir_profiles.issue import Issue

Kind = Literal["invalid", "not-found", "processing", "too-costly", "not-supported"]


class TerminologyError(Exception):
    """Raised by the operations; `issues` are rows of an OperationOutcome, in English, without values of a person."""

    def __init__(self, kind: Kind, diagnostics: str, *, expression: str | None = None) -> None:
        super().__init__(diagnostics)
        self.kind: Kind = kind
        self.issues: tuple[Issue, ...] = (Issue("error", kind, diagnostics, expression),)


class Undecided(TerminologyError):
    """Membership cannot be told: a code system or value set that the definition needs is not loaded."""

    def __init__(self, diagnostics: str) -> None:
        super().__init__("processing", diagnostics)
