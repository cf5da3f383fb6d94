"""PatchError: why a patch cannot be applied."""

from __future__ import annotations

from typing import Literal

from fhir_profiles.issue import Issue

Kind = Literal["malformed", "unprocessable"]


class PatchError(Exception):
    """A patch that is none (malformed: 400), or that does not fit the resource (unprocessable: 422).

    `issues` has one Issue whose diagnostics name the operation by its number from 0, and never quote the resource."""

    def __init__(
        self, kind: Kind, diagnostics: str, *, operation: int | None = None, expression: str | None = None
    ) -> None:
        text = diagnostics if operation is None else f"operation {operation}: {diagnostics}"
        super().__init__(text)
        self.kind: Kind = kind
        self.operation = operation
        code = "structure" if kind == "malformed" else "processing"
        self.issues = (Issue("error", code, text, expression),)
