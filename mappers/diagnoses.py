"""Encounter.diagnosis out of the Conditions of a visit or stay: what each was there for, and in which rank.

A DIAGNOSIS row makes a Condition that carries its role; the Encounter comes from another row, so whoever stores both
puts them together. https://hl7.org/fhir/R4/encounter-definitions.html#Encounter.diagnosis
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mappers.codes import coding, displays, hl7_coding, system
from mappers.diseases import undotted
from mappers.lens import code_of
from mappers.links import Resource

ROLES = "cs-43plus-encounter-diagnosis-role"


def role(condition: Resource) -> str:
    """DIAGTYPE of a Condition: 1 principal ... 5 external cause; "" where it says none."""
    return next((code for each in condition.get("category", ()) if (code := code_of(each, system(ROLES)))), "")


def encounter_diagnoses(conditions: Iterable[tuple[str, Resource]]) -> list[dict[str, Any]]:
    """Encounter.diagnosis for (reference, Condition): the principal first, then by role and code, ranked from 1."""
    ranked = sorted(conditions, key=lambda pair: (role(pair[1]) or "9", undotted(pair[1].get("code"))))
    found = []
    for rank, (reference, condition) in enumerate(ranked, start=1):
        entry: dict[str, Any] = {"condition": {"reference": reference}, "rank": rank}
        if kind := role(condition):
            codings = [coding(system(ROLES), kind, displays(ROLES).get(kind, ""))]
            if translated := hl7_coding("diagnosis-role", kind):
                codings.append(translated)
            entry["use"] = {"coding": codings}
        found.append(entry)
    return found
