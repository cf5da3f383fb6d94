"""The official FHIR R4 (4.0.1) definitions: types, elements, search parameters, operations, compartments.

Everything is read from `r4.zip` (made by `build_definitions.py`) when it is first asked for, so a start costs some
milliseconds. Definitions of profiles and custom parameters are added as plain resources (`Definitions.add`).
https://hl7.org/fhir/R4/structuredefinition.html https://hl7.org/fhir/R4/elementdefinition.html
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import orjson

from fhir_profiles.definition_rows import (
    CORE,
    Binding,
    Constraint,
    Element,
    ElementType,
    Operation,
    OperationParameter,
    Property,
    SearchComponent,
    SearchParameter,
    Slicing,
    Structure,
    operation_from,
    search_parameter_from,
    structure_from,
)

__all__ = [
    "CORE",
    "Binding",
    "Constraint",
    "Definitions",
    "Element",
    "ElementType",
    "Operation",
    "OperationParameter",
    "Property",
    "SearchComponent",
    "SearchParameter",
    "Slicing",
    "Structure",
    "search_parameter_from",
]

ARCHIVE = Path(__file__).with_name("r4.zip")


class _IndexRow(NamedTuple):
    url: str
    kind: str
    abstract: bool
    type: str
    derivation: str


class DefinitionSource(Protocol):
    """Where StructureDefinitions come from that are made when they are first asked for, and further operations."""

    @property
    def types(self) -> Mapping[str, str]:
        """Canonical url to the type that is defined or constrained; asked for a url that R4 does not have."""

    @property
    def operations(self) -> Sequence[Mapping[str, Any]]:
        """OperationDefinitions that R4 does not have."""

    def read(self, url: str, definitions: Definitions) -> Mapping[str, Any]:
        """The StructureDefinition, with its snapshot."""


class Definitions:
    """The R4 definitions, and those added to them. Lookups are cached; not for writing from several threads."""

    def __init__(self, archive: Path = ARCHIVE) -> None:
        self._archive = zipfile.ZipFile(archive)
        self._index = {name: _IndexRow(*row) for name, row in self._read("index.json").items()}
        self._members = set(self._archive.namelist())
        self._added: dict[str, Mapping[str, Any]] = {}
        self._sources: list[DefinitionSource] = []
        self._added_parameters: list[SearchParameter] = []
        self.generation = 0
        """Grows with every definition that is added, replaced or taken away."""
        self.kept: dict[str, Any] = {}
        """What others work out of these definitions, by their module: it lives as long as the definitions do. (A weak
        dictionary by definitions would not end, because what is kept refers to them.)"""
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

    def is_known_extension(self, url: str | None) -> bool:
        """Whether an extension's definition is here; without reading it."""
        return url in self._extension_urls or url in self._added or url in self._sourced

    def add_source(self, source: DefinitionSource) -> None:
        """Make the definitions of a source known, without reading any."""
        self.generation += 1
        self._sources.append(source)
        self.__dict__.pop("_sourced", None)

    @cached_property
    def _sourced(self) -> Mapping[str, tuple[str, DefinitionSource]]:
        """Canonical url to (type, source)."""
        return {url: (kind, source) for source in self._sources for url, kind in source.types.items()}

    def profiles_of(self, resource_type: str) -> tuple[str, ...]:
        """Canonical urls of the profiles of a resource type that are known besides those of R4 itself."""
        found = {url for url, (kind, _) in self._sourced.items() if kind == resource_type}
        found.update(
            url
            for url, resource in self._added.items()
            if resource["type"] == resource_type and resource.get("derivation") == "constraint"
        )
        return tuple(sorted(found))

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
        if url in self._added or url.removeprefix(CORE) in self._index or url in self._extension_urls:
            return True
        return url in self._sourced

    def type_of(self, name_or_url: str) -> str | None:
        """The type that a type or profile defines or constrains; None if it is not known. Without reading it."""
        url = name_or_url.partition("|")[0]
        if url in self._added:
            added: str = self._added[url]["type"]
            return added
        row = self._index.get(url.removeprefix(CORE))
        if row is not None:
            return row.type
        if url in self._extension_urls:
            return "Extension"
        return self._sourced[url][0] if url in self._sourced else None

    def structure_resource(self, name_or_url: str) -> Mapping[str, Any]:
        """The StructureDefinition itself, without prose; not for changing. Raises: KeyError."""
        url = name_or_url.partition("|")[0]
        if url in self._added:
            return self._added[url]
        name = url.removeprefix(CORE)
        if name in self._index:
            resource: Mapping[str, Any] = self._read(f"StructureDefinition/{name}.json")
            return resource
        if url in self._extension_urls:
            return self._extensions[url]
        return self._sourced[url][1].read(url, self)

    def remove(self, url: str) -> None:
        """Forget an added StructureDefinition; one that R4 or a source has under the url counts again."""
        if self._added.pop(url, None) is not None:
            self.generation += 1
            self._structures.pop(url.removeprefix(CORE), None)

    def add(self, resource: Mapping[str, Any]) -> None:
        """Make a StructureDefinition (with a snapshot) or a SearchParameter known; an equal url is replaced.
        Raises: ValueError for anything else, and for another definition of a type of R4."""
        self.generation += 1
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
        own = (row for source in self._sources for row in source.operations)
        return {row["id"]: operation_from(row) for row in (*self._read("operations.json"), *own)}
