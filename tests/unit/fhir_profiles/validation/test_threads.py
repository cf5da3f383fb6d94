"""Large resources are checked on threads, beside those that the event loop checks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fhir_profiles.definitions import Definitions
from fhir_profiles.validation import Validator
from terminology.service import TerminologyService

TYPES = ("Patient", "Timing", "Observation", "Claim", "Specimen", "Encounter", "Task", "Goal", "Basic", "Device")


@pytest.fixture
def often_switched() -> Iterator[None]:
    """Threads take turns as often as the interpreter can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_types_first_met_by_several_threads_at_once_are_checked_as_by_one(often_switched: None) -> None:
    resources: list[dict[str, Any]] = [
        {
            "resourceType": name,
            "language": language,
            "identifier": [{"value": "1"}],
            "contained": [{"resourceType": name}],
        }
        for name in TYPES
        for language in ("th", "en", 3)
    ]
    alone = Validator(Definitions(), TerminologyService())
    expected = [alone.validate(resource) for resource in resources]
    together = Validator(Definitions(), TerminologyService())
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(together.validate, resources)) == expected
