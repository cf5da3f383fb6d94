"""Codes against the value sets they are bound to.   https://hl7.org/fhir/R4/terminologies.html#strength"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fhir_profiles.definitions import Binding
from fhir_profiles.terminology_protocol import Terminology
from fhir_profiles.validation.problems import Problem

BindingCheck = Callable[[Any], Problem | None]

SEVERITY = {"required": "error", "extensible": "warning", "preferred": "information"}
"""Of a code outside the value set; example bindings bind nothing."""

STRING_TYPES = frozenset({"code", "string", "uri", "url", "canonical", "id", "markdown", "oid", "uuid"})
CODED_TYPES = STRING_TYPES | {"Coding", "CodeableConcept", "Quantity"}

MAX_LISTED = 12


def codings_of(value: Any, type_code: str) -> Iterable[tuple[str | None, str, str | None]]:
    """(system, code, display) of each code in the value of a coded element."""
    if type_code in STRING_TYPES:
        yield None, value, None
    elif type_code == "CodeableConcept":
        for coding in value.get("coding", ()):
            if isinstance(coding.get("code"), str):
                yield coding.get("system", ""), coding["code"], coding.get("display")
    elif isinstance(value.get("code"), str):
        yield value.get("system", ""), value["code"], value.get("display")


def expected_codes(terminology: Terminology, value_set: str) -> str:
    """The codes of a small value set for a message, else its url."""
    codes = terminology.codes_of(value_set)
    url = value_set.partition("|")[0]
    if codes is None or len(codes) > MAX_LISTED:
        return f"a code of {url}"
    return f"one of {', '.join(sorted({each.code for each in codes}))} ({url})"


def binding_check(terminology: Terminology, binding: Binding, type_code: str) -> BindingCheck | None:
    """Check of one value of a coded element; None if nothing can be broken.
    One coding of the value set is enough for a CodeableConcept; an unknown value set decides nothing."""
    severity = SEVERITY.get(binding.strength)
    value_set = binding.value_set
    if severity is None or value_set is None or type_code not in CODED_TYPES:
        return None

    def check(value: Any) -> Problem | None:
        codings = list(codings_of(value, type_code))
        for system, code, _ in codings:
            if terminology.validate_code(value_set, system, code).verdict != "no":
                return None
        if not codings and (severity != "error" or _quantity_without_unit(value, type_code)):
            return None  # a text alone is what extensible bindings allow
        expected = expected_codes(terminology, value_set)
        found = "no code" if not codings else "a code that is not in the value set"
        text = f"{found} was found, expected {expected}: the binding is {binding.strength}"
        return Problem(severity, "code-invalid", text, (), codings[0][1] if len(codings) == 1 else None)

    return check


def maximum_check(terminology: Terminology, binding: Binding, type_code: str) -> BindingCheck | None:
    """Check against the maximum value set of an extensible or preferred binding."""
    if binding.maximum is None:
        return None
    check = binding_check(terminology, Binding("required", binding.maximum), type_code)

    def check_if_coded(value: Mapping[str, Any]) -> Problem | None:
        return check(value) if check and any(True for _ in codings_of(value, type_code)) else None

    return check_if_coded


def _quantity_without_unit(value: Any, type_code: str) -> bool:
    return type_code == "Quantity" and "code" not in value
