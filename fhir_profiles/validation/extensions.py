"""Extensions against their definitions: content, and where they may stand.

https://hl7.org/fhir/R4/defining-extensions.html#context
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
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
    """Every object of the resource and of the resources in it, outer ones first."""
    waiting = deque([Holder(item.value, item.type, None, item.type, item.location, item.value)])
    while waiting:
        holder = waiting.popleft()
        yield holder
        waiting.extend(_below(holder, definitions))


def _below(holder: Holder, definitions: Definitions) -> Iterable[Holder]:
    primitive = definitions.is_primitive(holder.node)
    known = definitions.properties("Element" if primitive else holder.node)
    for name, member in holder.value.items():
        is_list = member.__class__ is list
        if not is_list and member.__class__ is not dict:
            continue
        property_ = known[name.removeprefix("_")]
        for index, value in enumerate(member if is_list else (member,)):
            if value.__class__ is dict:
                yield _holder(holder, property_, value, (name, index) if is_list else (name,))


def _holder(outer: Holder, property_: Property, value: dict[str, Any], steps: Location) -> Holder:
    place = outer.location + steps
    if property_.type == "Resource":
        name = value["resourceType"]
        return Holder(value, name, None, name, place, value)
    path = f"{outer.path}.{property_.element.name}"
    return Holder(value, property_.type, property_, path, place, outer.root)


def check_extensions(walk: Walk, item: Item, definitions: Definitions, count: int) -> list[Finding]:
    """`count`: how many known extensions are to be found.
    What is wrong with where extensions stand; their content goes to the walk's own findings."""
    findings: list[Finding] = []
    for holder in holders(item, definitions):
        for name in ("extension", "modifierExtension"):
            for index, extension in enumerate(holder.value.get(name, ())):
                url = extension.get("url")
                if not definitions.is_known_extension(url):
                    continue
                count -= 1
                location = (*holder.location, name, index)
                walk.check(url, Item(extension, "Extension", location))
                fault = _misplaced(definitions.structure(url), holder, name, definitions)
                if fault is not None:
                    findings.append((location, Problem("error", "structure", fault)))
        if count <= 0:
            break
    return findings


def _misplaced(structure: Structure, holder: Holder, name: str, definitions: Definitions) -> str | None:
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
