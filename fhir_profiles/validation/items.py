"""The values under an element name, with their types and locations: what profiles count and compare."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any, NamedTuple

from fhir_profiles.definitions import Definitions
from fhir_profiles.fhirpath.environment import Environment
from fhir_profiles.fhirpath.values import deep_equal
from fhir_profiles.validation.issues import Location
from fhir_profiles.validation.references import ABSOLUTE, RELATIVE


class Item(NamedTuple):
    value: Any
    """JSON value; None for a primitive that has only extensions."""
    type: str
    """`Quantity`, `code`, `Patient.contact`, `Patient`."""
    location: Location
    sibling: Any = None
    """The `_name` object of a primitive."""


class _Member(NamedTuple):
    name: str
    sibling: str
    is_array: bool
    type: str


class Members(NamedTuple):
    """What a type may have in JSON under one element name: one member, or one for each type of a choice."""

    each: tuple[_Member, ...]
    by_name: dict[str, _Member]
    """By their names and those of their `_` siblings."""


class Items:
    """Finds items below items."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._named: dict[tuple[str, str], Members] = {}

    def members(self, node: str, name: str) -> Members:
        """What a type may have in JSON under an element name (`value`) or a JSON name (`valueQuantity`)."""
        found = self._named.get((node, name))
        if found is None:
            holder = "Element" if self._definitions.is_primitive(node) else node
            each = tuple(
                _Member(each.name, "_" + each.name, each.element.is_array, each.type)
                for each in self._definitions.properties(holder).values()
                if name in (each.element.name, each.name)
            )
            by_name = {json_name: member for member in each for json_name in (member.name, member.sibling)}
            found = self._named[node, name] = Members(each, by_name)
        return found

    def below(self, item: Item, name: str) -> list[Item]:
        """Items under an element name (`value`) or a JSON name (`valueQuantity`)."""
        return self.under(item, self.members(item.type, name))

    def under(self, item: Item, members: Members) -> list[Item]:
        """Items under members of the item's type."""
        holder = item.value
        if holder.__class__ is not dict:
            holder = item.sibling
            if holder.__class__ is not dict:
                return []
        present = members.each
        if len(present) > 2:
            # Of the types of a choice at most one is there: the names that are there are fewer.
            by_name = members.by_name
            present = tuple(dict.fromkeys(by_name[name] for name in holder if name in by_name))
        found: list[Item] = []
        for member in present:
            value, sibling = holder.get(member.name), holder.get(member.sibling)
            if value is None and sibling is None:
                continue
            location = (*item.location, member.name)
            if member.is_array:
                found += self._repeated(value or [], sibling or [], member.type, location)
            else:
                found.append(Item(value, self._type(member.type, value), location, sibling))
        return found

    def _repeated(self, values: list[Any], siblings: list[Any], type_name: str, location: Location) -> list[Item]:
        if not siblings:
            return [Item(each, self._type(type_name, each), (*location, index)) for index, each in enumerate(values)]
        return [
            Item(value, self._type(type_name, value), (*location, index), sibling)
            for index, (value, sibling) in enumerate(zip_longest(values, siblings))
        ]

    def _type(self, declared: str, value: Any) -> str:
        if declared == "Resource" and isinstance(value, dict):
            return str(value.get("resourceType", declared))
        return declared

    def resolved(self, item: Item, environment: Environment) -> Item | None:
        """What a Reference points to, as far as it is here: contained, an entry of the Bundle, or at least its type.
        The location stays that of the Reference."""
        reference = item.value.get("reference") if isinstance(item.value, dict) else None
        if not isinstance(reference, str) or not reference:
            return None
        found = self._resource(reference, environment)
        if found is not None:
            return Item(found, str(found.get("resourceType", "Resource")), item.location)
        relative = RELATIVE.match(reference)
        return Item(None, relative[1], item.location) if relative else None

    def _resource(self, reference: str, environment: Environment) -> dict[str, Any] | None:
        root = environment.root or {}
        if reference == "#":
            return root
        if reference.startswith("#"):
            return next((each for each in root.get("contained", ()) if each.get("id") == reference[1:]), None)
        suffix = reference if ABSOLUTE.match(reference) else "/" + reference
        for entry in (environment.bundle or {}).get("entry", ()):
            url = entry.get("fullUrl", "")
            if url == reference or (suffix[0] == "/" and url.endswith(suffix)):
                resource = entry.get("resource")
                return resource if isinstance(resource, dict) else None
        return None


def fits_pattern(value: Any, pattern: Any) -> bool:
    """Whether the value has at least what the pattern has.
    https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.pattern_x_"""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(
            key in value and fits_pattern(value[key], each) for key, each in pattern.items()
        )
    if isinstance(pattern, list):
        return isinstance(value, list) and all(any(fits_pattern(each, one) for each in value) for one in pattern)
    return deep_equal(value, pattern)
