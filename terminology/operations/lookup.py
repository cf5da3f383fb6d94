"""CodeSystem/$lookup.   https://hl7.org/fhir/R4/codesystem-operation-lookup.html"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from terminology.concept import Concept, Designation, Json
from terminology.errors import TerminologyError
from terminology.operations.parameters import Coded, Parameters, answer, row
from terminology.service import TerminologyService
from terminology.system import CodeSystem

ALLOWED = frozenset({"code", "system", "version", "coding", "date", "displayLanguage", "property"})
MOST_CHILDREN = 1000
LINKED = {"parent": "valueCode", "child": "valueCode", "subsumedBy": "valueCode"}
STATED = frozenset({"url", "name", "version", "display", "code", "system"})
"""Properties that the answer always has in parameters of their own."""


def lookup(service: TerminologyService, parameters: Json) -> Json:
    """Parameters name, version, display, abstract, designation*, property*: all that is known, or what `property` asks.

    Raises: TerminologyError (not-found) for an unknown system or code."""
    given = Parameters(parameters, ALLOWED)
    (coded,) = given.coded(concept=False)
    system = system_of(service, coded)
    concept = system.find(coded.code)
    if concept is None:
        raise TerminologyError("not-found", f"the code system {system.url} has no code {coded.code[:40]}")
    asked = frozenset(given.texts("property"))
    language = given.text("displayLanguage")
    designations: Iterator[Json] = iter(())
    if not asked or asked & {"designation", "designations"} or any(name.startswith("lang.") for name in asked):
        designations = (designation_row(d) for d in concept.designations if wanted_language(d, asked))
    return answer(
        row("name", "String", system.name),
        row("version", "String", system.version),
        row("display", "String", concept.display_in(language) or concept.code),
        row("abstract", "Boolean", concept.abstract),
        *designations,
        *(property_row(*item) for item in properties(system, concept) if not asked or item[0] in asked),
    )


def system_of(service: TerminologyService, coded: Coded) -> CodeSystem:
    """The code system that the coding names. Raises: TerminologyError (invalid, not-found)."""
    if coded.system is None:
        raise TerminologyError("invalid", "the code system is missing: give system with code, or a coding with system")
    system = service.library.code_system(coded.system, coded.version)
    if system is None:
        version = f" version {coded.version}" if coded.version else ""
        raise TerminologyError("not-found", f"the code system {coded.system}{version} is not here")
    return system


def wanted_language(designation: Designation, asked: frozenset[str]) -> bool:
    languages = {name.removeprefix("lang.") for name in asked if name.startswith("lang.")}
    return not languages or bool(asked & {"designation", "designations"}) or designation.language in languages


def designation_row(designation: Designation) -> Json:
    parts = (
        row("language", "Code", designation.language),
        row("use", "Coding", designation.use),
        row("value", "String", designation.value),
    )
    return {"name": "designation", "part": [part for part in parts if part is not None]}


def properties(system: CodeSystem, concept: Concept) -> Iterator[tuple[str, str, object, str | None]]:
    """Code, value[x] name, value and description of each property; parents and children with their display."""
    if concept.definition is not None:
        yield "definition", "valueString", concept.definition, None
    if not any(p.code == "inactive" for p in concept.properties):
        yield "inactive", "valueBoolean", concept.inactive, None
    for item in concept.properties:
        if item.code not in LINKED and item.code not in STATED:
            yield item.code, item.type, item.value, None
    for code in concept.parents:
        parent = system.find(code)
        yield "parent", "valueCode", code, parent.display if parent else None
    for child in islice(system.children(concept.code), MOST_CHILDREN):
        yield "child", "valueCode", child.code, child.display


def property_row(code: str, value_name: str, value: object, description: str | None) -> Json:
    parts: list[Json] = [{"name": "code", "valueCode": code}, {"name": "value", value_name: value}]
    if description:
        parts.append({"name": "description", "valueString": description})
    return {"name": "property", "part": parts}
