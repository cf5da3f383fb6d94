"""What FHIRPath knows about types: the children of each, subtypes, and the System type behind a FHIR primitive.

A type is named by a string: `Patient`, `HumanName`, `code`, `System.Integer`; the type of a backbone element is its
path, `Patient.contact`. https://hl7.org/fhir/R4/fhirpath.html#types http://hl7.org/fhirpath/N1/#types-and-reflection
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fhir_profiles.definitions import Definitions, Element

Node = tuple[Any, str, Any]
"""One item of a collection: value, type, and for a primitive the object of its `_name` sibling (or None).

Values: dict of a complex type; str, int, bool, LosslessFloat of a FHIR primitive as in JSON, or None where it only has
extensions; of System types str (String, Date, DateTime, Time), int, bool, Decimal, `Measure` (Quantity)."""

Nodes = list[Node]

SYSTEM = {
    "boolean": "Boolean",
    "string": "String",
    "code": "String",
    "id": "String",
    "markdown": "String",
    "uri": "String",
    "url": "String",
    "canonical": "String",
    "oid": "String",
    "uuid": "String",
    "base64Binary": "String",
    "xhtml": "String",
    "integer": "Integer",
    "unsignedInt": "Integer",
    "positiveInt": "Integer",
    "decimal": "Decimal",
    "date": "Date",
    "dateTime": "DateTime",
    "instant": "DateTime",
    "time": "Time",
    "Quantity": "Quantity",
    "SimpleQuantity": "Quantity",
    "MoneyQuantity": "Quantity",
    "Age": "Quantity",
    "Count": "Quantity",
    "Distance": "Quantity",
    "Duration": "Quantity",
    **{
        f"System.{name}": name
        for name in ("Boolean", "String", "Integer", "Decimal", "Date", "DateTime", "Time", "Quantity")
    },
}
"""Type -> System type that it is, or is converted to where an operator asks for one."""

ABSTRACT = ("Resource", "DomainResource")
"""Types of elements that hold any resource: the true type is the value's own resourceType."""


class Step:
    """How one child is found in the JSON of its parent: `name` of `HumanName`s, `value` of eleven types."""

    __slots__ = ("choices", "collect", "key", "many", "name", "primitive", "type")

    def __init__(self, name: str, choices: Mapping[str, str], many: bool, is_primitive: Callable[[str], bool]) -> None:
        self.name = name
        self.choices = dict(choices)
        """JSON name -> type: one, or several of a choice."""
        self.many = many
        first = next(iter(choices))
        self.key = first if len(choices) == 1 else None
        self.type = choices[first] if len(choices) == 1 else None
        """Of a child that is no choice."""
        self.primitive = all(is_primitive(each) for each in choices.values())
        primitives = {key: is_primitive(each) for key, each in self.choices.items()}
        self.collect: Callable[[Any, Nodes], None] = (
            _choice_collector(self.choices, primitives)
            if self.key is None
            else _primitive_collector(first, choices[first])
            if self.primitive
            else _complex_collector(first, choices[first])
        )
        """Appends the children found in the parent's JSON object."""

    def narrowed(self, types: Mapping[str, str], is_primitive: Callable[[str], bool]) -> Step:
        """The same child with some of its choices only."""
        return Step(self.name, types, self.many, is_primitive)


def _complex_collector(key: str, fhir_type: str) -> Callable[[Any, Nodes], None]:
    dynamic = fhir_type in ABSTRACT

    def collect(parent: Any, out: Nodes) -> None:
        found = parent.get(key)
        if found is None:
            return
        for value in found if found.__class__ is list else (found,):
            if value.__class__ is dict:
                out.append((value, value.get("resourceType", fhir_type) if dynamic else fhir_type, None))

    return collect


def primitive_items(found: Any, siblings: Any, fhir_type: str, out: Nodes) -> None:
    """Appends the items of a primitive and its sibling; either may be an array with nulls."""
    if found.__class__ is not list and siblings.__class__ is not list:
        out.append((found, fhir_type, siblings))
        return
    values = found if found.__class__ is list else []
    others = siblings if siblings.__class__ is list else []
    for index in range(max(len(values), len(others))):
        value = values[index] if index < len(values) else None
        other = others[index] if index < len(others) else None
        if value is not None or other is not None:
            out.append((value, fhir_type, other))


def _primitive_collector(key: str, fhir_type: str) -> Callable[[Any, Nodes], None]:
    sibling = "_" + key

    def collect(parent: Any, out: Nodes) -> None:
        found, other = parent.get(key), parent.get(sibling)
        if other is None:
            if found is None:
                return
            if found.__class__ is not list:
                out.append((found, fhir_type, None))
                return
        primitive_items(found, other, fhir_type, out)

    return collect


def _choice_collector(choices: Mapping[str, str], primitives: Mapping[str, bool]) -> Callable[[Any, Nodes], None]:
    names = {key: (key, fhir_type, primitives[key]) for key, fhir_type in choices.items()}
    names.update({"_" + key: (key, fhir_type, True) for key, fhir_type in choices.items() if primitives[key]})
    few = tuple(names) if len(names) <= 4 else None

    def collect(parent: Any, out: Nodes) -> None:
        for key in parent if few is None else few:
            known = names.get(key)
            if known is None:
                continue
            plain, fhir_type, is_primitive = known
            found = parent.get(plain)
            if not is_primitive:
                if found.__class__ is dict:
                    out.append((found, fhir_type, None))
            elif key == plain or found is None:
                other = parent.get("_" + plain)
                if found is not None or other is not None:
                    primitive_items(found, other, fhir_type, out)

    return collect


class TypeSystem:
    """The types of one set of definitions."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._steps: dict[str, dict[str, Step]] = {}
        self._members: dict[str, dict[str, tuple[str, Step]]] = {}
        self._is_a: dict[tuple[str, str], bool] = {}
        self.resource_types = definitions.resource_types

    def is_primitive(self, fhir_type: str) -> bool:
        return fhir_type[:7] == "System." or self._definitions.is_primitive(fhir_type)

    def is_resource(self, name: str) -> bool:
        return self._definitions.type_kinds.get(name) == "resource"

    def exists(self, name: str) -> bool:
        """Whether the name, with or without its namespace, is a type."""
        if name[:7] == "System.":
            return name in SYSTEM
        return name.removeprefix("FHIR.") in self._definitions.type_kinds

    def qualified(self, name: str) -> str | None:
        """The type that a type specifier means: FHIR types first, then System types; None for neither."""
        if name[:7] == "System.":
            return name if name in SYSTEM else None
        plain = name.removeprefix("FHIR.")
        if plain in self._definitions.type_kinds:
            return plain
        system = "System." + plain
        return system if plain == name and system in SYSTEM else None

    def is_a(self, fhir_type: str, ancestor: str) -> bool:
        """Whether the type is the other one or specialises it."""
        if fhir_type == ancestor:
            return True
        known = self._is_a.get((fhir_type, ancestor))
        if known is None:
            known = self._is_a[fhir_type, ancestor] = self._specialises(fhir_type, ancestor)
        return known

    def _specialises(self, fhir_type: str, ancestor: str) -> bool:
        if fhir_type[:7] == "System." or ancestor[:7] == "System.":
            return False
        if "." in fhir_type:
            return ancestor in ("BackboneElement", "Element")
        return fhir_type in self._definitions.type_kinds and self._definitions.is_a(fhir_type, ancestor)

    def steps(self, fhir_type: str) -> Mapping[str, Step]:
        """FHIRPath name -> child of a type; empty for an unknown one."""
        known = self._steps.get(fhir_type)
        if known is None:
            known = self._steps[fhir_type] = self._own_steps(fhir_type)
        return known

    def _own_steps(self, fhir_type: str) -> dict[str, Step]:
        if fhir_type[:7] == "System.":
            return {}
        try:
            children = self._definitions.children(fhir_type)
            properties = self._definitions.properties(fhir_type)
        except KeyError:
            return {}
        keys: dict[str, dict[str, str]] = {}
        for key, each in properties.items():
            keys.setdefault(each.element.name, {})[key] = each.type
        return {
            name: Step(name, keys[name], element.is_array, self.is_primitive)
            for name, element in children.items()
            if keys.get(name)
        }

    def member_steps(self, fhir_type: str) -> Mapping[str, tuple[str, Step]]:
        """Member of the JSON object (`valueQuantity`, `_status`) -> (its name without `_`, child)."""
        known = self._members.get(fhir_type)
        if known is None:
            known = self._members[fhir_type] = {
                name: (key, step)
                for step in self.steps(fhir_type).values()
                for key in step.choices
                for name in (key, "_" + key)
            }
        return known

    def start_types(self, start: str | None) -> frozenset[str] | None:
        """Types that a start such as `Patient`, `Observation.component`, `Observation.effective[x]` or `HumanName`
        may have; None for any. Raises: KeyError."""
        if start is None or start in ABSTRACT:
            return None
        if "." not in start:
            if not self.exists(start):
                raise KeyError(start)
            return frozenset((start,))
        element = self._element(start)
        if element.content_reference is not None:
            return frozenset((element.content_reference,))
        types = frozenset(
            element.path if row.code in ("BackboneElement", "Element") else row.code for row in element.types
        )
        return None if types & set(ABSTRACT) else types

    def _element(self, path: str) -> Element:
        return self._definitions.element(path)


def type_system(definitions: Definitions) -> TypeSystem:
    """The one type system of these definitions."""
    found: TypeSystem | None = definitions.kept.get(__name__)
    if found is None:
        found = definitions.kept[__name__] = TypeSystem(definitions)
    return found
