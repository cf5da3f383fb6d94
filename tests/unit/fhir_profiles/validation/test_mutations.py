"""Resources bent at random never crash the validator, and what is broken is not accepted by a stricter reader.

The oracle is fhir.resources (R4B, whose types here are those of R4): it must accept what we accept.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import jiter
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_profiles.definitions import CORE
from fhir_profiles.json_reading import copy_json, read_json, write_json
from fhir_profiles.validation import Validator
from tests.unit.fhir_profiles.validation.test_vital_signs import blood_pressure

EXAMPLES = Path(__file__).parents[3] / "official" / "fhir-test-cases" / "r4" / "examples"
SEEDS = [
    *(
        read_json((EXAMPLES / f"{name}-example.json").read_bytes())
        for name in ("patient", "observation", "encounter", "condition", "questionnaire", "composition", "parameters")
    ),
    blood_pressure(),
    {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [{"resource": blood_pressure(), "request": {"method": "POST", "url": "Observation"}}],
    },
]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=5),
    st.sampled_from(["#", "Patient/1", "2020", "http://x", jiter.LosslessFloat(b"1.50"), {}, [], [None], {"id": "a"}]),
)
names = st.sampled_from(
    [
        "resourceType",
        "extension",
        "url",
        "contained",
        "reference",
        "value",
        "valueQuantity",
        "id",
        "_id",
        "coding",
        "x",
        "é",
    ]
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        found += places(inner, (*path, step))
    return found


def bend(resource: Any, place: tuple[Any, ...], how: str, value: Any, name: str) -> None:
    """One mutation: another value, a missing member, a further member, or a doubled item."""
    holder = resource
    for step in place[:-1]:
        holder = holder[step]
    last = place[-1]
    value = copy_json(value)
    if how == "replace":
        holder[last] = value
    elif how == "remove":
        del holder[last]
    elif how == "add" and isinstance(holder[last], dict):
        holder[last][name] = value
    elif how == "wrap":
        holder[last] = [holder[last]]
    elif isinstance(holder[last], list) and holder[last]:
        holder[last].append(copy_json(holder[last][0]))


@st.composite
def bent_resources(draw: st.DrawFn) -> Any:
    resource = copy_json(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 4))):
        known = places(resource)
        if known:
            place = draw(st.sampled_from(known))
            how = draw(st.sampled_from(["replace", "remove", "add", "wrap", "double"]))
            bend(resource, place, how, draw(scalars), draw(names))
    return resource


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(bent_resources())
def test_bent_resources_never_crash_the_validator(validator: Validator, resource: Any) -> None:
    for issue in validator.validate(resource, profiles=[CORE + "bp"], advice=True):
        assert issue.severity in ("error", "warning", "information")
        assert issue.diagnostics
        assert len(issue.diagnostics) < 2000


json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=10
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.sampled_from(["Patient", "Bundle", "Parameters", "Observation"]), st.dictionaries(names, json_values, max_size=6)
)
def test_arbitrary_objects_never_crash_the_validator(validator: Validator, name: str, members: dict[str, Any]) -> None:
    validator.validate({**members, "resourceType": name}, advice=True)


ORACLE_TYPES = ["patient", "observation", "encounter", "condition", "questionnaire", "organization", "practitioner"]


def oracle_refuses(resource: dict[str, Any]) -> str | None:
    """Why fhir.resources refuses the resource."""
    module = importlib.import_module(f"fhir.resources.R4B.{resource['resourceType'].lower()}")
    model = getattr(module, resource["resourceType"])
    try:
        model.model_validate(json.loads(write_json(resource)))
    except ValueError as error:
        return str(error)
    return None


@pytest.mark.parametrize("name", ORACLE_TYPES)
def test_the_oracle_accepts_the_examples_that_we_accept(validator: Validator, name: str) -> None:
    resource = read_json((EXAMPLES / f"{name}-example.json").read_bytes())
    assert validator.validate(resource) == []
    assert oracle_refuses(resource) is None


def test_the_oracle_can_refuse() -> None:
    assert oracle_refuses({"resourceType": "Patient", "birthDate": "yesterday"}) is not None


ORACLE_SEEDS = [seed for seed in SEEDS if seed["resourceType"] in ("Patient", "Observation", "Encounter", "Condition")]


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.data())
def test_the_oracle_accepts_what_we_accept(validator: Validator, data: st.DataObject) -> None:
    resource = copy_json(data.draw(st.sampled_from(ORACLE_SEEDS)))
    resource.pop("text", None)
    place = data.draw(st.sampled_from(places(resource)))
    bend(
        resource,
        place,
        data.draw(st.sampled_from(["replace", "remove", "add", "wrap", "double"])),
        data.draw(scalars),
        data.draw(names),
    )
    if isinstance(resource.get("resourceType"), str) and not validator.validate(resource):
        assert oracle_refuses(resource) is None
