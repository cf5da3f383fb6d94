"""The official FHIR R4 (4.0.1) definitions: types, elements, search parameters, operations, compartments.

Everything is read from `r4.zip` (made by `build_definitions.py`) when it is first asked for, so a start costs some
milliseconds. Definitions of profiles and custom parameters are added as plain resources (`Definitions.add`).
https://hl7.org/fhir/R4/structuredefinition.html https://hl7.org/fhir/R4/elementdefinition.html
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import orjson

CORE = "http://hl7.org/fhir/StructureDefinition/"
ARCHIVE = Path(__file__).with_name("r4.zip")


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
    return Constraint(row["key"], row["severity"], row.get("human", ""), row.get("expression"), best)


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


class _IndexRow(NamedTuple):
    url: str
    kind: str
    abstract: bool
    type: str
    derivation: str


class Definitions:
    """The R4 definitions, and those added to them. Lookups are cached; not for writing from several threads."""

    def __init__(self, archive: Path = ARCHIVE) -> None:
        self._archive = zipfile.ZipFile(archive)
        self._index = {name: _IndexRow(*row) for name, row in self._read("index.json").items()}
        self._members = set(self._archive.namelist())
        self._added: dict[str, Mapping[str, Any]] = {}
        self._added_parameters: list[SearchParameter] = []
        self._structures: dict[str, Structure] = {}
        self._properties: dict[str, Mapping[str, Property]] = {}
        self._children: dict[str, Mapping[str, Element]] = {}
        self._parameters: dict[str, Mapping[str, SearchParameter]] = {}
        self.resource_types: frozenset[str] = frozenset(
            name
            for name, row in self._index.items()
            if row.kind == "resource" and row.derivation == "specialization" and not row.abstract
        )
        """Names of the 146 concrete resource types."""

    def _read(self, member: str) -> Any:
        return orjson.loads(self._archive.read(member))

    # --- types and profiles -------------------------------------------------------------------------------------

    @cached_property
    def type_kinds(self) -> Mapping[str, str]:
        """Type name -> primitive-type | complex-type | resource, abstract types included, profiles not."""
        return {name: row.kind for name, row in self._index.items() if row.derivation == "specialization"}

    @cached_property
    def core_profiles(self) -> tuple[str, ...]:
        """Names of the profiles of the specification itself: `vitalsigns`, `bmi`, `SimpleQuantity` ..."""
        return tuple(sorted(name for name, row in self._index.items() if row.derivation == "constraint"))

    def is_primitive(self, type_name: str) -> bool:
        return self.type_kinds.get(type_name) == "primitive-type"

    def base_type(self, type_name: str) -> str | None:
        """Type this one specialises: Patient -> DomainResource -> Resource, Age -> Quantity; None at the top."""
        base = self.structure(type_name).base
        return base.rpartition("/")[2] if base else None

    def is_a(self, type_name: str, ancestor: str) -> bool:
        """Whether the type is, or specialises, the other one."""
        current: str | None = type_name
        while current is not None and current != ancestor:
            current = self.base_type(current) if current in self.type_kinds else None
        return current is not None

    @cached_property
    def _extensions(self) -> Mapping[str, Mapping[str, Any]]:
        extensions: Mapping[str, Mapping[str, Any]] = self._read("extensions.json")
        return extensions

    @cached_property
    def _extension_urls(self) -> frozenset[str]:
        return frozenset(self._read("extension-urls.json"))

    def is_known_extension(self, url: str) -> bool:
        """Whether an extension's definition is here; without reading it."""
        return url in self._extension_urls or url in self._added

    def structure(self, name_or_url: str) -> Structure:
        """Type or profile by its name (`Patient`, `vitalsigns`) or canonical url (`|version` is ignored); the same
        object until it is replaced. Raises: KeyError."""
        key = name_or_url.partition("|")[0].removeprefix(CORE)
        found = self._structures.get(key)
        if found is None:
            found = self._structures[key] = structure_from(self.structure_resource(name_or_url))
        return found

    def has_structure(self, name_or_url: str) -> bool:
        """Whether `structure` would find it; without reading it."""
        url = name_or_url.partition("|")[0]
        return url in self._added or url.removeprefix(CORE) in self._index or url in self._extension_urls

    def type_of(self, name_or_url: str) -> str | None:
        """The type that a type or profile defines or constrains; None if it is not known. Without reading it."""
        url = name_or_url.partition("|")[0]
        if url in self._added:
            added: str = self._added[url]["type"]
            return added
        row = self._index.get(url.removeprefix(CORE))
        if row is not None:
            return row.type
        return "Extension" if url in self._extension_urls else None

    def structure_resource(self, name_or_url: str) -> Mapping[str, Any]:
        """The StructureDefinition itself, without prose; not for changing. Raises: KeyError."""
        url = name_or_url.partition("|")[0]
        if url in self._added:
            return self._added[url]
        name = url.removeprefix(CORE)
        if name in self._index:
            resource: Mapping[str, Any] = self._read(f"StructureDefinition/{name}.json")
            return resource
        return self._extensions[url]

    def add(self, resource: Mapping[str, Any]) -> None:
        """Make a StructureDefinition (with a snapshot) or a SearchParameter known; an equal url is replaced.
        Raises: ValueError for anything else, and for another definition of a type of R4."""
        if resource["resourceType"] == "StructureDefinition":
            key = resource["url"].removeprefix(CORE)
            if key in self.type_kinds:
                raise ValueError(f"{key} is a type of FHIR R4")
            self._added[resource["url"]] = resource
            self._structures.pop(key, None)
        elif resource["resourceType"] == "SearchParameter":
            parameter = search_parameter_from(resource)
            kept = [each for each in self._added_parameters if each.url != parameter.url]
            self._added_parameters = [*kept, parameter]
            self._parameters.clear()
        else:
            raise ValueError(f"a {resource['resourceType']} defines nothing here")

    # --- elements -----------------------------------------------------------------------------------------------

    def children(self, type_or_path: str) -> Mapping[str, Element]:
        """FHIRPath name -> element: `children("Patient")["deceased"]`, `children("Patient.contact")["gender"]`.
        Inherited ones included; empty for System.* values. Raises: KeyError."""
        found = self._children.get(type_or_path)
        if found is None:
            found = self._children[type_or_path] = self._own_children(type_or_path)
        return found

    def _own_children(self, type_or_path: str) -> Mapping[str, Element]:
        if type_or_path.startswith("System."):
            return {}
        structure = self.structure(type_or_path.partition(".")[0])
        prefix = type_or_path + "."
        depth = prefix.count(".")
        return {
            each.name: each
            for each in structure.elements
            if each.path.startswith(prefix) and each.path.count(".") == depth
        }

    def properties(self, type_or_path: str) -> Mapping[str, Property]:
        """JSON name -> property, choices expanded (`valueQuantity`), `resourceType` and `_name` siblings left out.
        Raises: KeyError for an unknown type."""
        found = self._properties.get(type_or_path)
        if found is None:
            found = self._properties[type_or_path] = {
                each.name: each
                for element in self.children(type_or_path).values()
                for each in self._properties_of(element)
            }
        return found

    def _properties_of(self, element: Element) -> Iterable[Property]:
        if element.content_reference is not None:
            yield Property(element.name, element, element.content_reference, None)
            return
        for row in element.types:
            node = element.path if row.code in ("BackboneElement", "Element") else row.code
            name = element.name + row.code[0].upper() + row.code[1:] if element.is_choice else element.name
            yield Property(name, element, node, row)

    def element(self, path: str) -> Element:
        """Element by a path that may go through types and choices: `Patient.contact.gender`, `Patient.name.family`,
        `Observation.value`, `Observation.valueQuantity.unit`, `Bundle.entry.link.url`. Raises: KeyError."""
        steps = path.split(".")
        node = steps[0]
        for step in steps[1:-1]:
            node = self.properties(node)[step].type
        children = self.children(node)
        if len(steps) == 1:
            return self.structure(node).elements[0]
        last = steps[-1].removesuffix("[x]")
        return children[last] if last in children else self.properties(node)[last].element

    # --- search parameters, compartments, operations ------------------------------------------------------------

    def search_parameters(self, resource_type: str) -> Mapping[str, SearchParameter]:
        """Code -> parameter of a resource type, those of its base types included.
        `Resource` gives what every type has."""
        found = self._parameters.get(resource_type)
        if found is None:
            found = self._parameters[resource_type] = self._own_parameters(resource_type)
        return found

    def _own_parameters(self, resource_type: str) -> Mapping[str, SearchParameter]:
        base = self.base_type(resource_type)
        result = dict(self.search_parameters(base)) if base else {}
        member = f"SearchParameter/{resource_type}.json"
        rows = self._read(member) if member in self._members else ()
        result.update((row["code"], search_parameter_from(row)) for row in rows)
        result.update((each.code, each) for each in self._added_parameters if resource_type in each.base)
        return result

    @cached_property
    def compartment_types(self) -> frozenset[str]:
        """Patient Encounter RelatedPerson Practitioner Device"""
        return frozenset(self._compartments)

    @cached_property
    def _compartments(self) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
        return {
            each["code"]: {
                row["code"]: tuple(row["param"])
                for row in each["resource"]
                if row.get("param", ["{def}"]) != ["{def}"]  # the resource the compartment is of
            }
            for each in self._read("compartments.json")
        }

    def compartment(self, code: str) -> Mapping[str, tuple[str, ...]]:
        """Resource type -> search parameters that put a resource into the compartment (`{"Observation": ("subject",
        "performer")}`), only types that have any; the resource it is of belongs to it too. Raises: KeyError.
        https://hl7.org/fhir/R4/compartmentdefinition.html"""
        return self._compartments[code]

    @cached_property
    def operations(self) -> Mapping[str, Operation]:
        """Id (`Patient-everything`, `Resource-validate`) -> operation."""
        return {row["id"]: operation_from(row) for row in self._read("operations.json")}
