"""Extensions against their definitions: content, where they may stand, and what must be true of what holds them.

https://hl7.org/fhir/R4/defining-extensions.html#context
https://hl7.org/fhir/R4/structuredefinition-definitions.html#StructureDefinition.contextInvariant
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from fhir_profiles.definitions import Definitions, Property, Structure
from fhir_profiles.fhirpath import Environment, FhirPathError, compile_expression
from fhir_profiles.validation.conformance import Finding, Walk
from fhir_profiles.validation.issues import Location
from fhir_profiles.validation.items import Item
from fhir_profiles.validation.problems import Problem

OCCURRENCES = "http://hl7.org/fhir/StructureDefinition/questionnaire-{}Occurs"
REWRITTEN: dict[tuple[str, str], str | None] = {
    (OCCURRENCES.format("min"), "type!='display' and (required=true or %extension.valueInteger=0)"): (
        "type != 'display' and (required = true or %extension.value = 0)"
    ),
    (OCCURRENCES.format("max"), "type!='display' and (repeats=true or %extension.valueInteger=1)"): (
        "type != 'display' and (repeats = true or %extension.value = 1)"
    ),
    ("http://hl7.org/fhir/StructureDefinition/questionnaire-displayCategory", "type!='display'"): None,
}
"""Published context invariants that say something else than what is meant, by the extension and the expression.
FHIRPath calls a choice by its name without the type. The categories of displayCategory are those of display items, as
in HL7's own guide for questionnaires, so what forbids it there (None) is not asked."""


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
    environment: Environment
    """%resource: the resource it belongs to."""
    primitive: Any = None
    """The value beside the `_name` object."""


def holders(item: Item, definitions: Definitions, environment: Environment) -> Iterable[Holder]:
    """Every object with an extension whose definition is here, outer ones first."""
    found = list(_places(item.value, item.location, definitions.is_known_extension))
    found.sort(key=len)
    for location in found:
        yield _holder(item, location[len(item.location) :], definitions, environment)


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


def _holder(item: Item, steps: Location, definitions: Definitions, environment: Environment) -> Holder:
    holder = Holder(item.value, item.type, None, item.type, item.location, environment)
    taken = 0
    while taken < len(steps):
        name = str(steps[taken])
        index = steps[taken + 1] if taken + 1 < len(steps) else None
        taken += 2 if isinstance(index, int) else 1
        place = item.location + steps[:taken]
        value = _member(holder.value, name, index)
        node = "Element" if definitions.is_primitive(holder.node) else holder.node
        property_ = definitions.properties(node)[name.removeprefix("_")]
        if property_.type == "Resource":
            kind = value["resourceType"]
            holder = Holder(value, kind, None, kind, place, _within(holder.environment, value, name))
        else:
            path = f"{holder.path}.{property_.element.name}"
            primitive = _member(holder.value, name[1:], index) if name.startswith("_") else None
            holder = Holder(value, property_.type, property_, path, place, holder.environment, primitive)
    return holder


def _member(holder: dict[str, Any], name: str, index: str | int | None) -> Any:
    member = holder.get(name)
    if member is None or not isinstance(index, int):
        return member
    return member[index] if index < len(member) else None


def _within(outer: Environment, resource: dict[str, Any], name: str) -> Environment:
    """Surroundings of an inner resource: one that is contained shares those of its container."""
    if name == "contained":
        return replace(outer, resource=resource)
    around = outer.resource
    bundle = around if around is not None and around.get("resourceType") == "Bundle" else outer.bundle
    return replace(outer, resource=resource, root=resource, bundle=bundle)


def check_extensions(walk: Walk, item: Item, definitions: Definitions, environment: Environment) -> list[Finding]:
    """What is wrong with where extensions stand; their content goes to the walk's own findings."""
    findings: list[Finding] = []
    for holder in holders(item, definitions, environment):
        for name in ("extension", "modifierExtension"):
            for index, extension in enumerate(holder.value.get(name, ())):
                url = extension.get("url")
                if not definitions.is_known_extension(url):
                    continue
                location = (*holder.location, name, index)
                walk.check(url, Item(extension, "Extension", location))
                structure = definitions.structure(url)
                fault = misplaced(structure, holder, name, definitions)
                if fault is not None:
                    findings.append((location, Problem("error", "structure", fault)))
                elif structure.context_invariants:
                    broken = broken_invariants(structure, holder, extension, definitions)
                    findings += [(location, Problem("error", "invariant", each)) for each in broken]
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
        found = compile_expression(expression, definitions).items(holder.environment.resource, holder.environment)
    except FhirPathError:
        return True  # a context that cannot be evaluated forbids nothing
    return any(value is holder.value or sibling is holder.value for value, _, sibling in found)


def broken_invariants(
    structure: Structure, holder: Holder, extension: dict[str, Any], definitions: Definitions
) -> Iterator[str]:
    """Context invariants of the extension that are not true of the element that holds it: "All the rules must be true",
    so an empty result breaks one, unlike an element's invariant. One that cannot be evaluated forbids nothing."""
    is_primitive = definitions.is_primitive(holder.node)
    value, sibling = (holder.primitive, holder.value) if is_primitive else (holder.value, None)
    environment = replace(holder.environment, extension=extension)
    for published in structure.context_invariants:
        text = REWRITTEN.get((structure.url, published), published)
        if text is None:
            continue
        try:
            rule = compile_expression(text, definitions, holder.node)
            is_true = rule.truth(value, environment, fhir_type=holder.node, sibling=sibling)
        except (FhirPathError, KeyError):
            continue
        if is_true is not True:
            yield f"the extension {structure.id} may stand only where this is true: {published}"


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
