"""pydantic-core's errors as Issues: R4 IssueType, what was found, what was expected, FHIRPath of the element.

Values are quoted up to 40 characters, never under elements that identify a person.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from pydantic_core import ErrorDetails, ValidationError

from fhir_profiles.definitions import Definitions, Property
from fhir_profiles.issue import Issue
from fhir_profiles.terminology_protocol import Terminology
from fhir_profiles.validation.bindings import expected_codes
from fhir_profiles.validation.primitives import EXPECTED
from fhir_profiles.validation.problems import EMPTY, ONLY_ID, PROBLEMS, Problem

PRIVATE = frozenset(["identifier", "name", "telecom", "address", "contact", "photo", "birthDate"])
"""Elements whose values are never quoted."""
MAX_QUOTE = 40

Location = tuple[str | int, ...]

_ELEMENT_NAME = re.compile(r"_?[A-Za-z][A-Za-z0-9]{0,63}\Z")


class Place(NamedTuple):
    """Where a location leads: the element, its FHIRPath, and the object around it."""

    expression: str
    property: Property | None
    """None for the resource itself and for what FHIR does not know."""
    node: str
    """Type of the value there; of the parent for an unknown member."""
    parent: Any
    """JSON object that holds the member (for an item of an array: that holds the array)."""
    private: bool


def place_of(resource: Mapping[str, Any], location: Location, definitions: Definitions) -> Place:
    """Follow a location through the resource."""
    start = resource.get("resourceType")
    node = start if isinstance(start, str) and start in definitions.resource_types else "Resource"
    expression: str = node
    current: Any = resource
    parent: Any = resource
    found: Property | None = None
    private = False
    for step in location:
        if isinstance(step, int):
            expression += f"[{step}]"
            current = current[step] if isinstance(current, list) and step < len(current) else None
            continue
        parent = current
        node = _entered(node, current, definitions)
        known = definitions.properties(node).get(step.removeprefix("_"))
        current = current.get(step) if isinstance(current, dict) else None
        if known is None:
            shown = f".{step}" if _ELEMENT_NAME.match(step) and step != "resourceType" else ""
            return Place(expression + shown, None, node, parent, private)
        found = known
        private = private or known.element.name in PRIVATE
        expression += "." + known.element.name
        node = "Element" if step.startswith("_") else known.type
    return Place(expression, found, node, parent, private)


def _entered(node: str, value: Any, definitions: Definitions) -> str:
    """A node typed Resource is the type its value says."""
    if node == "Resource" and isinstance(value, dict):
        named = value.get("resourceType")
        if isinstance(named, str) and named in definitions.resource_types:
            return named
    return node


def quoted(value: Any, *, private: bool = False) -> str:
    """What was found, for a message."""
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    if private:
        return {str: "a string", bool: "a boolean"}.get(type(value), "a number")
    if isinstance(value, str):
        short = value if len(value) <= MAX_QUOTE else value[:MAX_QUOTE] + "..."
        return json.dumps(short, ensure_ascii=False).replace("\x7f", "")
    text = json.dumps(value) if isinstance(value, bool) else str(value)
    return text if len(text) <= MAX_QUOTE else text[:MAX_QUOTE] + "..."


class Explainer:
    """Turns a ValidationError of a resource into Issues."""

    def __init__(self, definitions: Definitions, terminology: Terminology) -> None:
        self._definitions = definitions
        self._terminology = terminology

    def explain(
        self, error: ValidationError, resource: Mapping[str, Any], excused: Callable[[Place, ErrorDetails], bool]
    ) -> Iterable[tuple[Location, Issue]]:
        """(location, issue) per problem, in order, without those that `excused` accepts."""
        for detail in error.errors(include_url=False):
            location: Location = detail["loc"]
            if detail["type"] == PROBLEMS:
                for problem in detail["ctx"]["problems"]:
                    yield location, self.issue(problem, resource, location)
                continue
            place = place_of(resource, location, self._definitions)
            if not excused(place, detail):
                code, text = self._text(detail, place)
                yield location, Issue("error", code, text, place.expression)

    def issue(self, problem: Problem, resource: Mapping[str, Any], location: Location) -> Issue:
        """Issue of a Problem found at the location."""
        place = place_of(resource, location + problem.below, self._definitions)
        text = problem.diagnostics
        if problem.found is not None and not place.private:
            text = f"{text}; found {quoted(problem.found)}"
        return Issue(problem.severity, problem.code, text, place.expression, problem.details_th)

    def _text(self, detail: ErrorDetails, place: Place) -> tuple[str, str]:
        """(IssueType, diagnostics)"""
        kind = detail["type"]
        own = _TEXTS.get(kind)
        if own is not None:
            return own(self, detail, place)
        expected = self._expected(place)
        found = quoted(detail["input"], private=place.private or place.node == "xhtml")
        value = detail["input"]
        wrong_json = value is None or isinstance(value, (dict, list))
        return ("structure" if wrong_json else "value"), f"{found} was found, expected {expected}"

    def _expected(self, place: Place) -> str:
        if place.node in EXPECTED:
            return EXPECTED[place.node]
        return f"an object of type {place.node}"

    def missing(self, _detail: ErrorDetails, place: Place) -> tuple[str, str]:
        element = place.property.element if place.property else None
        short = f" ({element.short})" if element and element.short else ""
        name = "resourceType" if element is None else element.name
        return "required", f"nothing was found, expected {name}{short}: it is required"

    def unknown(self, detail: ErrorDetails, place: Place) -> tuple[str, str]:
        name = str(detail["loc"][-1])
        if not _ELEMENT_NAME.match(name):
            return "structure", f"{place.node} has no such element"
        known = self._definitions.properties(place.node)
        near = difflib.get_close_matches(name, list(known)[:100], n=1)
        advice = f"; did you mean '{near[0]}'?" if near else ""
        return "structure", f"{place.node} has no element '{name}'{advice}"

    def literal(self, detail: ErrorDetails, place: Place) -> tuple[str, str]:
        value = detail["input"]
        found = quoted(value, private=place.private)
        if place.property is None:
            return "value", f"{found} was found, expected {detail['ctx']['expected']}"
        binding = place.property.element.binding
        expected = expected_codes(self._terminology, binding.value_set) if binding and binding.value_set else "a code"
        code = "code-invalid" if isinstance(value, str) else "structure"
        return code, f"{found} was found, expected {expected}"

    def not_array(self, detail: ErrorDetails, place: Place) -> tuple[str, str]:
        found = quoted(detail["input"], private=place.private)
        return "structure", f"{found} was found, expected an array: the element may repeat"

    def empty_array(self, detail: ErrorDetails, place: Place) -> tuple[str, str]:
        least = detail["ctx"]["min_length"]
        if not detail["input"]:
            return "structure", "an empty array was found, expected at least one item"
        return "required", f"{len(detail['input'])} items were found, expected at least {least}"

    def long_array(self, detail: ErrorDetails, place: Place) -> tuple[str, str]:
        return "structure", f"{len(detail['input'])} items were found, expected at most {detail['ctx']['max_length']}"

    def not_object(self, detail: ErrorDetails, place: Place) -> tuple[str, str]:
        found = quoted(detail["input"], private=place.private)
        return "structure", f"{found} was found, expected an object of type {place.node}"


def _only_id(_explainer: Explainer, _detail: ErrorDetails, _place: Place) -> tuple[str, str]:
    return EMPTY.code, EMPTY.diagnostics


_Text = Callable[[Explainer, ErrorDetails, Place], tuple[str, str]]

_TEXTS: dict[str, _Text] = {
    "missing": Explainer.missing,
    "extra_forbidden": Explainer.unknown,
    "invalid_key": Explainer.unknown,
    "literal_error": Explainer.literal,
    "list_type": Explainer.not_array,
    "too_short": Explainer.empty_array,
    "too_long": Explainer.long_array,
    "dict_type": Explainer.not_object,
    ONLY_ID: _only_id,
}


def excused_by_extension(place: Place, detail: ErrorDetails) -> bool:
    """Whether a primitive may lack its value because its `_` sibling has extensions, or the sibling extensions because
    there is a value.   https://hl7.org/fhir/R4/json.html#primitive"""
    if place.property is None or not isinstance(place.parent, dict):
        return False
    last = detail["loc"][-1]
    if detail["type"] == ONLY_ID:
        return _at(place.parent.get(place.property.name), last) is not None
    sibling = place.parent.get("_" + place.property.name)
    if detail["type"] == "missing":
        return isinstance(sibling, (dict, list))
    if detail["input"] is not None or not isinstance(last, int) or not isinstance(sibling, list):
        return False
    beside = _at(sibling, last)
    return isinstance(beside, dict) and "extension" in beside


def _at(value: Any, step: str | int) -> Any:
    """The item of an array, or the value itself where it is no array."""
    if not isinstance(value, list):
        return value
    return value[step] if isinstance(step, int) and step < len(value) else None
