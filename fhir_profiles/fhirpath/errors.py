"""FhirPathError: the one thing that parsing, compiling or evaluating FHIRPath raises."""

from __future__ import annotations

from typing import Literal

Phase = Literal["syntax", "semantic", "execution"]


class FhirPathError(Exception):
    """An expression that is not FHIRPath (syntax), cannot mean anything for its type (semantic) or met data for which
    the specification demands an error (execution). The message quotes the expression, never the resource."""

    def __init__(self, phase: Phase, message: str) -> None:
        super().__init__(message)
        self.phase: Phase = phase
