"""Identifiers, concepts and times as the records write them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Any, TypeVar

from conformance.bench.synthea import codes

Resource = dict[str, Any]
T = TypeVar("T")

VISITS = 45.6
"""Of a patient, on average."""
PLACES = 40
PRACTITIONERS = 100
SYNTHEA = "https://github.com/synthetichealth/synthea"
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
EASTERN = timezone(timedelta(hours=-5))
UNTIL = datetime(2026, 1, 1, tzinfo=EASTERN)
YEARS = 10

Place = Callable[[str, int], str]
"""Type and number of a place or practitioner to what is written in `reference`."""


def uuid_of(rng: Random) -> str:
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def name_of(rng: Random) -> tuple[str, str]:
    """Family and given name with a number each, as Synthea writes them."""
    return f"{rng.choice(codes.FAMILIES)}{rng.randrange(1000)}", f"{rng.choice(codes.GIVEN)}{rng.randrange(1000)}"


def concept(system: str, code: str, display: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}


def quantity(rng: Random, unit: str, mean: float, deviation: float) -> dict[str, Any]:
    value = round(max(mean / 5, rng.gauss(mean, deviation)), 1)
    return {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}


def drawn(rng: Random, table: Sequence[T]) -> T:
    """The first ones often, the last ones seldom."""
    return table[int(len(table) * rng.random() ** 2)]


def several(rng: Random, mean: float) -> int:
    """0, 1, 2 or 3, of this mean (up to 1.5)."""
    return sum(rng.random() < mean / 3 for _ in range(3))


def moment(when: datetime) -> str:
    return when.isoformat(timespec="seconds")


def instant(when: datetime) -> str:
    return when.isoformat(timespec="milliseconds")
