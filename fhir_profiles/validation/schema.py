"""pydantic-core schemas made from StructureDefinitions: one typed dict per type and backbone element.

Three schemas of a type exist, each built when it is first needed:
- STRICT says what JSON may hold; nearly every resource meets nothing else.
- LENIENT is for resources where a primitive has extensions instead of a value (`"_status": {...}` alone, `null` in an
  array beside an extension): STRICT's complaint was found to be excused, the rest is still to be asked.
- ADVICE has the warnings: invariants of that severity and bindings that do not require.
https://hl7.org/fhir/R4/json.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from threading import Lock
from typing import Any, Protocol

from pydantic_core import CoreSchema, SchemaValidator, core_schema

from fhir_profiles.definitions import Definitions, Property
from fhir_profiles.fhirpath.environment import Environment
from fhir_profiles.narrative import narrative_fault
from fhir_profiles.terminology_protocol import Terminology
from fhir_profiles.validation.bindings import STRING_TYPES, binding_check, maximum_check
from fhir_profiles.validation.checks import (
    Invariant,
    Invariants,
    NodeCheck,
    broken,
    has_any,
    has_content,
    has_extension,
    value_check,
)
from fhir_profiles.validation.primitives import primitive_schema
from fhir_profiles.validation.problems import Problem, raised
from fhir_profiles.validation.references import reference_check, target_types

Dispatch = Callable[[Any, Any], Any]
"""(value, info): validates an Extension or a resource with a schema of its own."""


SIBLING = "_"
"""Name of the schema of the objects beside primitives."""


class Mode(Enum):
    STRICT = "strict"
    LENIENT = "lenient"
    ADVICE = "advice"


class ElementInvariants(Invariants, Protocol):
    """Adds to `Invariants` the rules that an element puts on its value beyond those of its type."""

    def of_element(self, path: str, start_type: str, severity: str) -> tuple[Invariant, ...]:
        """Of `Organization.telecom`: org-3."""

    def of_profile(self, profile: str, severity: str) -> tuple[Invariant, ...]:
        """Of a datatype's profile: SimpleQuantity's sqty-1."""


class SchemaBuilder:
    """Makes the SchemaValidator of a type. Extensions, contained resources and entries are handed to `dispatch`, so
    that no type's schema carries those of all others."""

    def __init__(
        self,
        definitions: Definitions,
        terminology: Terminology,
        invariants: ElementInvariants,
        dispatch: Mapping[str, Dispatch],
        mode: Mode,
    ) -> None:
        self._definitions = definitions
        self._terminology = terminology
        self._invariants = invariants
        self._dispatch = dispatch
        self._lenient = mode is not Mode.STRICT
        self._severity = "warning" if mode is Mode.ADVICE else "error"
        self._done: dict[str, CoreSchema] = {}
        self._wanted: list[str] = []
        self._one_at_a_time = Lock()
        """Large resources are checked on threads (server/interactions/storing.py)."""

    def build(self, type_name: str) -> SchemaValidator:
        """Validator of a resource type or a datatype. Raises: KeyError."""
        with self._one_at_a_time:
            self._done, self._wanted = {}, [type_name]
            return self._validator(core_schema.definition_reference_schema(type_name))

    def value(self, each: Property) -> SchemaValidator:
        """Validator of one value of a primitive member, with all that the element asks of it."""
        with self._one_at_a_time:
            self._done, self._wanted = {}, []
            return self._validator(self._value(each))

    def _validator(self, schema: CoreSchema) -> SchemaValidator:
        """Of the schema, with the nodes that it and they refer to."""
        while self._wanted:
            node = self._wanted.pop()
            if node not in self._done:
                self._done[node] = self._node(node)
        return SchemaValidator(core_schema.definitions_schema(schema, list(self._done.values())))

    # --- nodes --------------------------------------------------------------------------------------------------

    def _ref(self, node: str) -> CoreSchema:
        if node not in self._done:
            self._wanted.append(node)
        return core_schema.definition_reference_schema(node)

    def _node(self, node: str) -> CoreSchema:
        if self._definitions.is_primitive(node) or node.startswith("System."):
            schema = primitive_schema(node)
            return {**schema, "ref": node}
        fields = {}
        for each in self._definitions.properties(node).values():
            fields.update(self._fields(each))
        if self._definitions.type_kinds.get(node) == "resource":
            fields["resourceType"] = core_schema.typed_dict_field(core_schema.literal_schema([node]))
        check = NodeCheck(self._definitions, node, self._invariants, self._severity)
        if node == "Reference" or not check.needed:
            return core_schema.typed_dict_schema(fields, extra_behavior="forbid", strict=True, ref=node)
        table = core_schema.typed_dict_schema(fields, extra_behavior="forbid", strict=True)
        if check.only_asks_for_content:
            return core_schema.no_info_after_validator_function(has_content, table, ref=node)
        return core_schema.with_info_after_validator_function(check, table, ref=node)

    # --- members ------------------------------------------------------------------------------------------------

    def _fields(self, each: Property) -> dict[str, core_schema.TypedDictField]:
        element = each.element
        primitive = self._definitions.is_primitive(each.type)
        value = self._value(each)
        if element.is_array:
            item = core_schema.nullable_schema(value) if primitive and self._lenient else value
            value = core_schema.list_schema(item, min_length=max(1, element.min), max_length=element.max, strict=True)
        has_sibling = primitive and "xmlAttr" not in element.representation
        required = element.min > 0 and not element.is_choice and not (has_sibling and self._lenient)
        fields = {each.name: core_schema.typed_dict_field(value, required=required)}
        if has_sibling:
            fields["_" + each.name] = core_schema.typed_dict_field(self._sibling(element.is_array), required=False)
        return fields

    def _sibling(self, is_array: bool) -> CoreSchema:
        """Schema of `_name`: the id and extensions of a primitive."""
        if SIBLING not in self._done:
            fields = {name: each for row in self._extras() for name, each in self._fields(row).items()}
            table = core_schema.typed_dict_schema(fields, extra_behavior="forbid", strict=True)
            check = has_any if self._lenient else has_extension
            self._done[SIBLING] = core_schema.no_info_after_validator_function(check, table, ref=SIBLING)
        sibling: CoreSchema = core_schema.definition_reference_schema(SIBLING)
        if not is_array:
            return sibling
        several = core_schema.list_schema(core_schema.nullable_schema(sibling), min_length=1, strict=True)
        return core_schema.no_info_after_validator_function(_something, several)

    def _extras(self) -> list[Property]:
        return list(self._definitions.properties("Element").values())

    def _value(self, each: Property) -> CoreSchema:
        """Schema of one value: its type, then what the element asks beyond it."""
        if each.type in self._dispatch:
            name = "contained" if each.name == "contained" else each.type
            return core_schema.with_info_plain_validator_function(self._dispatch[name])
        literal = self._literal(each)
        schema = literal if literal is not None else self._ref(each.type)
        checks = [] if literal is not None else self.binding_checks(each)
        if each.type == "xhtml" and self._severity == "error":
            checks.append(_narrative)
        if checks:
            schema = core_schema.no_info_after_validator_function(value_check(checks), schema)
        if each.type == "Reference" and self._severity == "error":
            schema = core_schema.with_info_after_validator_function(self._reference(each), schema)
        if invariants := self.element_invariants(each):
            schema = core_schema.with_info_after_validator_function(_invariants_check(invariants), schema)
        return schema

    def _literal(self, each: Property) -> CoreSchema | None:
        binding = each.element.binding
        if binding is None or binding.strength != "required" or binding.value_set is None:
            return None
        if each.type not in STRING_TYPES:
            return None
        codes = self._terminology.codes_of(binding.value_set)
        return core_schema.literal_schema(sorted({code.code for code in codes})) if codes else None

    def binding_checks(self, each: Property) -> list[Callable[[Any], Problem | None]]:
        """What bindings ask of a value that is no code of an enumerated value set."""
        binding = each.element.binding
        if binding is None:
            return []
        checks = []
        if (binding.strength == "required") == (self._severity == "error"):
            checks.append(binding_check(self._terminology, binding, each.type))
        if self._severity == "error":
            checks.append(maximum_check(self._terminology, binding, each.type))
        return [check for check in checks if check is not None]

    def _reference(self, each: Property) -> Callable[[Any, Any], Any]:
        targets = each.type_row.targets if each.type_row else ()
        check = reference_check(target_types(targets, self._definitions.type_of), self._definitions.resource_types)

        def checked(value: Any, info: Any) -> Any:
            problem = check(value, info.context)
            if problem is not None:
                raise raised([problem])
            return value

        return checked

    def element_invariants(self, each: Property) -> tuple[Invariant, ...]:
        """Rules that an element, or the profile of its type, puts on its value."""
        found: tuple[Invariant, ...] = ()
        if each.type != each.element.path and each.element.content_reference is None and each.type != "xhtml":
            found = self._invariants.of_element(each.element.path, each.type, self._severity)
        for profile in each.type_row.profiles if each.type_row else ():
            if self._definitions.has_structure(profile) and not self._definitions.is_a(each.type, "Resource"):
                found += self._invariants.of_profile(profile, self._severity)
        return found


def _narrative(div: str) -> Problem | None:
    fault = narrative_fault(div)
    return Problem("error", "invariant", fault) if fault else None


def _something(values: list[Any]) -> list[Any]:
    if not any(values):
        raise raised([Problem("error", "structure", "an array of nulls was found, expected at least one object")])
    return values


def _invariants_check(invariants: tuple[Invariant, ...]) -> Callable[[Any, Any], Any]:
    def check(value: Any, info: Any) -> Any:
        environment: Environment = info.context
        problems = [broken(each) for each in invariants if not each.holds(value, environment)]
        if problems:
            raise raised(problems)
        return value

    return check
