"""What a check finds: a Problem, carried to the outside as a pydantic-core error so that it gets its location."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic_core import PydanticCustomError

from fhir_profiles.fhirpath.environment import Environment

PROBLEMS = "fhir"
"""Error type of a PydanticCustomError that carries Problems."""

ONLY_ID = "only_id"
"""Error type for the object beside a primitive that holds no extension."""


@dataclass(slots=True)
class Run(Environment):
    """What the checks of one validation share: FHIRPath's surroundings, and what was met on the way."""

    known_extensions: list[str] = field(default_factory=list)
    """Urls of the extensions whose definitions are here."""


class Problem(NamedTuple):
    severity: str
    """error warning information"""
    code: str
    """IssueType"""
    diagnostics: str
    below: tuple[str | int, ...] = ()
    """Location below the object that was checked: ("status",)."""
    found: Any = None
    """The value to quote where that is allowed; None for nothing."""
    details_th: str | None = None
    """The same in Thai, of rules that have it."""


EMPTY = Problem("error", "structure", "an empty object was found, expected at least one member besides id (ele-1)")


def raised(problems: Sequence[Problem]) -> PydanticCustomError:
    """The error to raise from a validator function."""
    return PydanticCustomError(PROBLEMS, "broken rule", {"problems": tuple(problems)})
