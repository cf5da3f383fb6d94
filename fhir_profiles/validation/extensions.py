"""Extensions against their definitions: content, and where they may stand.

https://hl7.org/fhir/R4/defining-extensions.html#context
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from fhir_profiles.definitions import Definitions, Property, Structure
from fhir_profiles.fhirpath import FhirPathError, compile_expression
from fhir_profiles.validation.conformance import Finding, Walk
from fhir_profiles.validation.issues import Location
from fhir_profiles.validation.items import Item
from fhir_profiles.validation.problems import Problem


class Holder(NamedTuple):
    """An element that has extensions."""

    value: Any
    """The object with the extensions; for a primitive its `_name` object."""
    node: str
    """Its type or path: `HumanName`, `Patient.contact`, `date`."""
    property: Property | None
    """What it is of its parent; None for a resource."""
    path: str
    """From the resource, without indexes: `Patient.name.family`."""
    location: Location
    root: dict[str, Any]
    """The resource it belongs to."""


def holders(item: Item, definitions: Definitions) -> Iterable[Holder]:
    """Every object with an extension whose definition is here, outer ones first."""
    found = list(_places(item.value, item.location, definitions.is_known_extension))
    found.sort(key=len)
    for location in found:
        yield _holder(item, location[len(item.location) :], definitions)


def _places(value: Any, place: Location, is_known: Callable[[Any], bool]) -> Iterator[Location]:
    """Where such objects are; looks at names alone, because hardly any member is one."""
    for name, member in value.items():
        kind = member.__class__
        if kind is list:
            is_extension = name == "extension" or name == "modifierExtension"
            if is_extension and any(each.__class__ is dict and is_known(each.get("url")) for each in member):
                yield place
            for index, each in enumerate(member):
                if each.__class__ is dict:
                    yield from _places(each, (*place, name, index), is_known)
        elif kind is dict:
            yield from _places(member, (*place, name), is_known)


def _holder(item: Item, steps: Location, definitions: Definitions) -> Holder:
    holder = Holder(item.value, item.type, None, item.type, item.location, item.value)
    taken = 0
    while taken < len(steps):
        name = str(steps[taken])
        index = steps[taken + 1] if taken + 1 < len(steps) else None
        taken += 2 if isinstance(index, int) else 1
        member = holder.value[name]
        value = member[index] if isinstance(index, int) else member
        place = item.location + steps[:taken]
        node = "Element" if definitions.is_primitive(holder.node) else holder.node
        property_ = definitions.properties(node)[name.removeprefix("_")]
        if property_.type == "Resource":
            kind = value["resourceType"]
            holder = Holder(value, kind, None, kind, place, value)
        else:
            path = f"{holder.path}.{property_.element.name}"
            holder = Holder(value, property_.type, property_, path, place, holder.root)
    return holder


def check_extensions(walk: Walk, item: Item, definitions: Definitions) -> list[Finding]:
    """What is wrong with where extensions stand; their content goes to the walk's own findings."""
    findings: list[Finding] = []
    for holder in holders(item, definitions):
        for name in ("extension", "modifierExtension"):
            for index, extension in enumerate(holder.value.get(name, ())):
                url = extension.get("url")
                if not definitions.is_known_extension(url):
                    continue
                location = (*holder.location, name, index)
                walk.check(url, Item(extension, "Extension", location))
                fault = misplaced(definitions.structure(url), holder, name, definitions)
                if fault is not None:
                    findings.append((location, Problem("error", "structure", fault)))
    return findings


def misplaced(structure: Structure, holder: Holder, name: str, definitions: Definitions) -> str | None:
    if structure.elements[0].is_modifier != (name == "modifierExtension"):
        expected = "modifierExtension" if structure.elements[0].is_modifier else "extension"
        return f"the extension {structure.id} must stand in {expected}"
    if not structure.contexts or any(_fits(context, holder, definitions) for context in structure.contexts):
        return None
    allowed = ", ".join(sorted({expression for _, expression in structure.contexts}))
    return f"the extension {structure.id} may not stand here; allowed are {allowed}"


def _fits(context: tuple[str, str], holder: Holder, definitions: Definitions) -> bool:
    kind, expression = context
    if kind == "element":
        return expression.replace("[x]", "") in _names(holder, definitions)
    if kind == "extension":
        return holder.node == "Extension" and holder.value.get("url") == expression
    try:
        found = compile_expression(expression, definitions).evaluate(holder.root)
    except FhirPathError:
        return True  # a context that cannot be evaluated forbids nothing
    return any(each is holder.value for each in found)


def _names(holder: Holder, definitions: Definitions) -> set[str]:
    """All names under which a definition may speak of the element."""
    names = {holder.path, holder.node}
    if holder.property is not None:
        names.add(holder.property.element.path.replace("[x]", ""))
        names.add(holder.property.element.base_path.replace("[x]", ""))
    if "." in holder.node:
        names |= {"BackboneElement", "Element"}
        return names
    current: str | None = holder.node
    while current is not None:
        names.add(current)
        current = definitions.base_type(current)
    return names
