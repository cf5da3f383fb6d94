"""Official definitions, terminology and one validator, read once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fhir_profiles.definitions import Definitions
from fhir_profiles.issue import Issue
from fhir_profiles.validation import Validator
from terminology.service import TerminologyService

Findings = Callable[..., list[tuple[str, str | None, str]]]


@pytest.fixture(scope="session")
def definitions() -> Definitions:
    return Definitions()


@pytest.fixture(scope="session")
def validator(definitions: Definitions) -> Validator:
    return Validator(definitions, TerminologyService())


@pytest.fixture(scope="session")
def found(validator: Validator) -> Findings:
    """(code, expression, diagnostics) of each issue; `profiles=` and `advice=` as in `Validator.validate`."""

    def found(resource: dict[str, Any], **options: Any) -> list[tuple[str, str | None, str]]:
        issues: list[Issue] = validator.validate(resource, **options)
        return [(issue.code, issue.expression, issue.diagnostics) for issue in issues]

    return found
