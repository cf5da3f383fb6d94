"""JSON Schemas of resource types, made from their StructureDefinitions, for tools that generate requests.

They are bounded trees without references, so that a generator ends: below `depth` levels only what is required is
left. They say what FHIR's JSON form says (types, formats, cardinality, required codes), not its invariants.
https://hl7.org/fhir/R4/json.html https://json-schema.org/draft/2020-12/json-schema-validation
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fhir_profiles.definitions import Definitions, Element, Property
from fhir_profiles.terminology_protocol import Terminology

Schema = dict[str, Any]

_DATE = r"(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"
_INSTANT = rf"{_DATE}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{{1,3}})?(Z|\+07:00)"
_URI = r"(https://example\.org/[a-z0-9]{1,8}|urn:oid:2\.16(\.[1-9][0-9]{0,3}){1,3})"

PRIMITIVES: Mapping[str, Schema] = {
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    "unsignedInt": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
    "positiveInt": {"type": "integer", "minimum": 1, "maximum": 2**31 - 1},
    "decimal": {"type": "number", "minimum": -1e9, "maximum": 1e9},
    "string": {"type": "string", "pattern": r"^[^\x00-\x20]{1,12}$"},
    "markdown": {"type": "string", "pattern": r"^[^\x00-\x20]{1,12}$"},
    "code": {"type": "string", "pattern": r"^[a-z][a-z0-9-]{0,11}$"},
    "id": {"type": "string", "pattern": r"^[A-Za-z0-9.-]{1,64}$"},
    "uri": {"type": "string", "pattern": f"^{_URI}$"},
    "url": {"type": "string", "pattern": f"^{_URI}$"},
    "canonical": {"type": "string", "pattern": f"^{_URI}$"},
    "oid": {"type": "string", "pattern": r"^urn:oid:2\.16(\.[1-9][0-9]{0,3}){1,3}$"},
    "uuid": {"type": "string", "pattern": "^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$"},
    "base64Binary": {"type": "string", "pattern": "^([A-Za-z0-9+/]{4}){1,4}$"},
    "date": {"type": "string", "pattern": f"^{_DATE}$"},
    "dateTime": {"type": "string", "pattern": f"^({_DATE}|{_INSTANT})$"},
    "instant": {"type": "string", "pattern": f"^{_INSTANT}$"},
    "time": {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$"},
    "xhtml": {"const": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'},
}
"""Narrower than FHIR where a wider form would only give a generator more of the same."""

_LEFT_OUT = ("Resource.", "DomainResource.", "Element.", "BackboneElement.")
"""Where elements are defined that every type has: most of what a generator would otherwise spend its time on."""

_SYSTEM_VALUES = {"System.String": "string", "System.Boolean": "boolean", "System.Integer": "integer"}


class JsonSchemas:
    """Schemas of resource types; terminology: gives the codes of required bindings."""

    def __init__(self, definitions: Definitions, terminology: Terminology) -> None:
        self.definitions = definitions
        self.terminology = terminology

    def resource(self, resource_type: str, *, depth: int = 2, id: Schema | None = None) -> Schema:
        """The JSON of a resource.   id: schema of its logical id, which is then required."""
        schema = self._object(resource_type, depth)
        schema["properties"] = {"resourceType": {"const": resource_type}, **schema["properties"]}
        schema["required"] = ["resourceType", *schema["required"]]
        if id is not None:
            schema["properties"]["id"] = id
            schema["required"].append("id")
        return schema

    def _object(self, node: str, depth: int) -> Schema:
        properties: dict[str, Schema] = {}
        required: list[str] = []
        for name, row in self.definitions.properties(node).items():
            first = not any(each.name == row.element.name for each in self._earlier(node, name))
            needed = row.element.min > 0 and first
            if not self._is_own(row) or (depth <= 0 and not needed):
                continue
            if row.element.is_choice and not first:
                continue  # one type of a choice: two of them at once are an error
            properties[name] = self._member(row, depth - 1)
            if needed:
                required.append(name)
        if not properties:  # an object must have something
            own = [each for each in self.definitions.properties(node).items() if self._is_own(each[1])]
            name, row = min(own, key=lambda each: each[1].type not in PRIMITIVES)
            properties[name] = self._member(row, 0)
        return {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
            "minProperties": 1,
        }

    def _is_own(self, row: Property) -> bool:
        return not row.element.base_path.startswith(_LEFT_OUT) and row.type != "Resource"

    def _earlier(self, node: str, name: str) -> list[Element]:
        """Elements of the properties before this one."""
        found: list[Element] = []
        for each, row in self.definitions.properties(node).items():
            if each == name:
                break
            found.append(row.element)
        return found

    def _member(self, row: Property, depth: int) -> Schema:
        value = self._value(row, depth)
        if not row.element.is_array:
            return value
        most = min(row.element.max or 2, 2)
        return {"type": "array", "items": value, "minItems": 1, "maxItems": max(most, 1)}

    def _value(self, row: Property, depth: int) -> Schema:
        if row.type == "Reference" and row.type_row is not None:
            return self._reference(row.type_row.targets)
        name = _SYSTEM_VALUES.get(row.type, row.type)
        if name in PRIMITIVES:
            codes = self._codes(row.element) if name == "code" else ()
            return {"enum": list(codes)} if codes else dict(PRIMITIVES[name])
        return self._object(row.type, depth)

    def _reference(self, targets: tuple[str, ...]) -> Schema:
        names = sorted(url.rpartition("/")[2] for url in targets)
        found = [name for name in names if name in self.definitions.resource_types] or ["Patient"]
        pattern = f"^({'|'.join(found[:3])})/[a-c][1-3]$"
        return {
            "type": "object",
            "properties": {"reference": {"type": "string", "pattern": pattern}},
            "required": ["reference"],
            "additionalProperties": False,
        }

    def _codes(self, element: Element) -> tuple[str, ...]:
        if element.binding is None or element.binding.strength != "required" or not element.binding.value_set:
            return ()
        expanded = self.terminology.expand(element.binding.value_set.partition("|")[0], limit=20)
        return tuple(dict.fromkeys(each.code for each in expanded or ()))
