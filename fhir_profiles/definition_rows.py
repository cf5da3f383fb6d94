"""What the definitions say, as rows: elements, structures, search parameters, operations.

Made from the resources of `r4.zip`, which are boiled down, or from those that others have written.
https://hl7.org/fhir/R4/elementdefinition.html https://hl7.org/fhir/R4/structuredefinition.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

CORE = "http://hl7.org/fhir/StructureDefinition/"


class ElementType(NamedTuple):
    code: str
    """FHIR type: `code`, `HumanName`, `Reference`; `System.String` ... for the value of a primitive type."""
    profiles: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    """targetProfile: canonical urls of what a Reference or canonical may point to."""
    aggregation: tuple[str, ...] = ()


class Binding(NamedTuple):
    strength: str
    """required extensible preferred example"""
    value_set: str | None
    """Canonical with version, as written: `http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1`."""
    maximum: str | None = None


class Constraint(NamedTuple):
    key: str
    severity: str
    """error warning"""
    human: str
    expression: str | None
    best_practice: bool = False
    human_th: str | None = None
    """`human` in Thai, from its translation extension."""


class Slicing(NamedTuple):
    discriminators: tuple[tuple[str, str], ...]
    """(type, path): ("value", "url"), ("pattern", "code") ..."""
    rules: str
    """open closed openAtEnd"""
    ordered: bool


@dataclass(frozen=True, slots=True)
class Element:
    """One ElementDefinition.   https://hl7.org/fhir/R4/elementdefinition.html"""

    id: str
    path: str
    name: str
    """Last step of the path, without `[x]`: `deceased`, `family`; FHIRPath's name of it."""
    min: int
    max: int | None
    """None is `*`."""
    types: tuple[ElementType, ...]
    is_array: bool
    """Is a JSON array: the base definition allows more than one, whatever a profile narrows it to."""
    is_choice: bool
    """The path ends in `[x]`."""
    content_reference: str | None
    """Path of the element whose definition this one shares: `Bundle.link`."""
    slice_name: str | None
    short: str
    is_summary: bool
    is_modifier: bool
    must_support: bool
    representation: tuple[str, ...]
    """xmlAttr xhtml ..."""
    binding: Binding | None
    constraints: tuple[Constraint, ...]
    """Without ele-1 and ext-1, which hold for every element."""
    slicing: Slicing | None
    fixed: Any
    pattern: Any
    """Value of fixed[x] / pattern[x], else None."""
    minimum: Any
    maximum: Any
    """Value of minValue[x] / maxValue[x], else None."""
    max_length: int | None
    base_path: str


class Property(NamedTuple):
    """One member that the JSON object of a type may have."""

    name: str
    """In JSON: `valueQuantity`."""
    element: Element
    type: str
    """To go on with `properties(type)`: `HumanName`, `code`, `Patient.contact`, `Resource`, `System.String`."""
    type_row: ElementType | None
    """The row of `element.types` behind it; None for an element shared by contentReference."""


@dataclass(frozen=True, slots=True)
class Structure:
    """One StructureDefinition with its snapshot."""

    url: str
    id: str
    name: str
    kind: str
    """primitive-type complex-type resource"""
    type: str
    """`Patient`, `Quantity`: the type that is defined or constrained."""
    abstract: bool
    derivation: str
    """specialization constraint"""
    base: str | None
    elements: tuple[Element, ...]
    """Snapshot, in order, slices included."""
    differential: tuple[dict[str, Any], ...]
    """ElementDefinitions as they are in JSON."""
    contexts: tuple[tuple[str, str], ...]
    """Of an extension: (type, expression), such as ("element", "Patient.name")."""
    context_invariants: tuple[str, ...] = ()
    """Of an extension: FHIRPath that must be true of the element that holds it."""


class SearchComponent(NamedTuple):
    definition: str
    expression: str


class SearchParameter(NamedTuple):
    """https://hl7.org/fhir/R4/searchparameter.html"""

    url: str
    code: str
    type: str
    """number date string token reference composite quantity uri special"""
    base: tuple[str, ...]
    expression: str | None
    target: tuple[str, ...] = ()
    modifiers: tuple[str, ...] = ()
    comparators: tuple[str, ...] = ()
    multiple_or: bool | None = None
    multiple_and: bool | None = None
    """None: not said, which allows both."""
    chain: tuple[str, ...] = ()
    components: tuple[SearchComponent, ...] = ()
    xpath_usage: str = "normal"


class OperationParameter(NamedTuple):
    name: str
    use: str
    min: int
    max: int | None
    type: str | None
    search_type: str | None
    targets: tuple[str, ...]
    parts: tuple[OperationParameter, ...]
    documentation: str


class Operation(NamedTuple):
    """https://hl7.org/fhir/R4/operationdefinition.html"""

    id: str
    url: str
    name: str
    code: str
    """Without the dollar: `everything`."""
    resources: tuple[str, ...]
    system: bool
    type: bool
    instance: bool
    affects_state: bool
    parameters: tuple[OperationParameter, ...]


def _types(rows: Iterable[Mapping[str, Any]]) -> tuple[ElementType, ...]:
    return tuple(
        ElementType(
            row["code"],
            tuple(row.get("profile", ())),
            tuple(row.get("targetProfile", ())),
            tuple(row.get("aggregation", ())),
        )
        for row in rows
    )


def _starting(row: Mapping[str, Any], prefix: str) -> Any:
    return next((value for key, value in row.items() if key.startswith(prefix)), None)


def _upper(text: str) -> int | None:
    return None if text == "*" else int(text)


def _extension_value(row: Mapping[str, Any], url: str) -> Any:
    for extension in row.get("extension", ()):
        if extension.get("url") == url:
            return _starting(extension, "value")
    return None


def _binding(row: Mapping[str, Any]) -> Binding:
    maximum = row.get("maxValueSet") or _extension_value(row, CORE + "elementdefinition-maxValueSet")
    return Binding(row["strength"], row.get("valueSet"), maximum)


def _constraint(row: Mapping[str, Any]) -> Constraint:
    best = bool(row.get("bestPractice") or _extension_value(row, CORE + "elementdefinition-bestpractice"))
    thai = _translated(row["_human"]) if "_human" in row else None
    return Constraint(row["key"], row["severity"], row.get("human", ""), row.get("expression"), best, thai)


def _translated(sibling: Mapping[str, Any]) -> str | None:
    """The Thai text in the `_name` object of a text.   https://hl7.org/fhir/R4/extension-translation.html"""
    for extension in sibling.get("extension", ()):
        parts = {each.get("url"): _starting(each, "value") for each in extension.get("extension", ())}
        if extension.get("url") == CORE + "translation" and parts.get("lang") == "th":
            return parts.get("content")
    return None


def _slicing(row: Mapping[str, Any]) -> Slicing:
    discriminators = tuple((each["type"], each["path"]) for each in row.get("discriminator", ()))
    return Slicing(discriminators, row.get("rules", "open"), row.get("ordered", False))


def element_from(row: Mapping[str, Any]) -> Element:
    """Element of one ElementDefinition of a snapshot (as the resource has it, or boiled down)."""
    path: str = row["path"]
    name = path.rpartition(".")[2]
    base = row.get("base", row)
    reference = row.get("contentReference")
    return Element(
        id=row.get("id", path),
        path=path,
        name=name.removesuffix("[x]"),
        min=row.get("min", 0),
        max=_upper(row.get("max", "*")),
        types=_types(row.get("type", ())),
        is_array=base.get("max", "1") not in ("0", "1"),
        is_choice=name.endswith("[x]"),
        content_reference=reference.rpartition("#")[2] if reference else None,
        slice_name=row.get("sliceName"),
        short=row.get("short", ""),
        is_summary=row.get("isSummary", False),
        is_modifier=row.get("isModifier", False),
        must_support=row.get("mustSupport", False),
        representation=tuple(row.get("representation", ())),
        binding=_binding(row["binding"]) if "binding" in row else None,
        constraints=tuple(
            _constraint(each) for each in row.get("constraint", ()) if each["key"] not in ("ele-1", "ext-1")
        ),
        slicing=_slicing(row["slicing"]) if "slicing" in row else None,
        fixed=_starting(row, "fixed"),
        pattern=_starting(row, "pattern"),
        minimum=_starting(row, "minValue"),
        maximum=_starting(row, "maxValue"),
        max_length=row.get("maxLength"),
        base_path=base.get("path", path),
    )


def structure_from(resource: Mapping[str, Any]) -> Structure:
    """Structure of a StructureDefinition that has a snapshot."""
    return Structure(
        url=resource["url"],
        id=resource.get("id", resource["url"].rpartition("/")[2]),
        name=resource.get("name", ""),
        kind=resource["kind"],
        type=resource["type"],
        abstract=resource.get("abstract", False),
        derivation=resource.get("derivation", "specialization"),
        base=resource.get("baseDefinition"),
        elements=tuple(element_from(row) for row in resource["snapshot"]["element"]),
        differential=tuple(resource.get("differential", {}).get("element", ())),
        contexts=tuple((each["type"], each["expression"]) for each in resource.get("context", ())),
        context_invariants=tuple(resource.get("contextInvariant", ())),
    )


def search_parameter_from(resource: Mapping[str, Any]) -> SearchParameter:
    """Row of a SearchParameter resource."""
    return SearchParameter(
        url=resource["url"],
        code=resource["code"],
        type=resource["type"],
        base=tuple(resource["base"]),
        expression=resource.get("expression"),
        target=tuple(resource.get("target", ())),
        modifiers=tuple(resource.get("modifier", ())),
        comparators=tuple(resource.get("comparator", ())),
        multiple_or=resource.get("multipleOr"),
        multiple_and=resource.get("multipleAnd"),
        chain=tuple(resource.get("chain", ())),
        components=tuple(
            SearchComponent(each["definition"], each["expression"]) for each in resource.get("component", ())
        ),
        xpath_usage=resource.get("xpathUsage", "normal"),
    )


def _operation_parameter(row: Mapping[str, Any]) -> OperationParameter:
    return OperationParameter(
        row["name"],
        row["use"],
        row["min"],
        _upper(row["max"]),
        row.get("type"),
        row.get("searchType"),
        tuple(row.get("targetProfile", ())),
        tuple(_operation_parameter(each) for each in row.get("part", ())),
        row.get("documentation", ""),
    )


def operation_from(resource: Mapping[str, Any]) -> Operation:
    """Row of an OperationDefinition resource."""
    return Operation(
        id=resource.get("id", resource["code"]),
        url=resource["url"],
        name=resource["name"],
        code=resource["code"],
        resources=tuple(resource.get("resource", ())),
        system=resource.get("system", False),
        type=resource.get("type", False),
        instance=resource.get("instance", False),
        affects_state=resource.get("affectsState", False),
        parameters=tuple(_operation_parameter(each) for each in resource.get("parameter", ())),
    )
