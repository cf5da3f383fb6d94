"""One resource that meets each demand of the Thai profiles, and one that breaks it: slices, cardinalities, patterns,
bindings, targets, types, rules."""

from __future__ import annotations

import pytest

from fhir_profiles.thai import profile_url
from fhir_profiles.validation import Validator
from tests.unit.fhir_profiles.thai.demands import DEFINITIONS, HANDLED, SOURCES, TERMINOLOGY, Case, cases

VALIDATOR = Validator(DEFINITIONS, TERMINOLOGY)
CASES = list(cases())


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_what_meets_a_demand_is_accepted_and_what_breaks_it_is_told_where(case: Case) -> None:
    profile = profile_url(case.profile)
    assert VALIDATOR.validate(case.good, profiles=[profile]) == []
    issues = VALIDATOR.validate(case.bad, profiles=[profile], advice=case.severity == "warning")
    told = [each for each in issues if each.expression == case.place and case.profile in each.diagnostics]
    assert {each.severity for each in told} == {case.severity}, issues
    if case.severity == "warning":
        assert VALIDATOR.validate(case.bad, profiles=[profile]) == []  # and does not stop a write


def test_every_profile_and_every_kind_of_demand_has_cases() -> None:
    assert {case.profile for case in CASES} == set(SOURCES)
    said = {member for source in SOURCES.values() for says in source.get("elements", {}).values() for member in says}
    assert said <= HANDLED
    assert set().union(*SOURCES.values()) <= {
        "type", "title", "thai", "text", "base", "identifiers", "names", "codings", "extensions", "elements", "rules",
    }  # fmt: skip
    assert len({case.id for case in CASES}) == len(CASES) > 250


def test_without_the_profile_a_breach_is_none() -> None:
    """The cases tell of the profiles, not of R4: most are accepted by R4 alone."""
    of_profile = [case for case in CASES if VALIDATOR.validate(case.bad) == []]
    assert len(of_profile) > 0.9 * len(CASES)
