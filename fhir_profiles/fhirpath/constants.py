"""`%resource`, `%ucum`, ``%`vs-name` `` and the variables of the environment.

http://hl7.org/fhirpath/N1/#environment-variables https://hl7.org/fhir/R4/fhirpath.html#variables
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from jiter import LosslessFloat

from fhir_profiles.fhirpath.code import EMPTY, NOTHING, Code, Frame, constant_code
from fhir_profiles.fhirpath.compiler import Compiler
from fhir_profiles.fhirpath.errors import FhirPathError
from fhir_profiles.fhirpath.types import Node, Nodes
from fhir_profiles.fhirpath.units import Measure

URLS = {
    "ucum": "http://unitsofmeasure.org",
    "sct": "http://snomed.info/sct",
    "loinc": "http://loinc.org",
}
PREFIXES = {
    "vs-": "http://hl7.org/fhir/ValueSet/",
    "ext-": "http://hl7.org/fhir/StructureDefinition/",
    "cs-": "http://hl7.org/fhir/CodeSystem/",
}

_PLAIN_TYPES: dict[type, str] = {
    bool: "System.Boolean",
    int: "System.Integer",
    str: "System.String",
    Decimal: "System.Decimal",
    LosslessFloat: "System.Decimal",
    float: "System.Decimal",
    Measure: "System.Quantity",
}


def resource_node(resource: dict[str, Any]) -> Node:
    return (resource, str(resource.get("resourceType", "")), None)


def plain_nodes(value: Any) -> Nodes:
    """Items of a plain value: a list is a collection, a dict with resourceType a resource."""
    if value is None:
        return EMPTY
    if isinstance(value, list):
        return [node for each in value for node in plain_nodes(each)]
    if isinstance(value, dict):
        return [resource_node(value)]
    known = _PLAIN_TYPES.get(type(value))
    if known is None:
        raise FhirPathError("execution", f"a variable cannot be a {type(value).__name__}")
    return [(value, known, None)]


def constant(compiler: Compiler, name: str) -> Code:
    """Code of `%name`."""
    if name in URLS:
        return constant_code([(URLS[name], "System.String", None)])
    for prefix, base in PREFIXES.items():
        if name.startswith(prefix):
            return constant_code([(base + name.removeprefix(prefix), "System.String", None)])
    compiler.uses_frame = True
    if name in ("resource", "rootResource"):
        root = name == "rootResource"

        def resource(node: Node, frame: Frame) -> Nodes:
            environment = frame.environment
            found = environment.root if root else environment.resource
            return EMPTY if found is None else [resource_node(found)]

        return Code(resource, single=True)
    if name == "context":

        def context(node: Node, frame: Frame) -> Nodes:
            found = frame.environment.context
            if found is not None:
                return [resource_node(found)]
            return EMPTY if frame.this is NOTHING else [frame.this]

        return Code(context, single=True)

    if name == "extension":

        def extension(node: Node, frame: Frame) -> Nodes:
            found = frame.environment.extension
            if found is None:
                raise FhirPathError("execution", "%extension is only known in an extension's context invariants")
            return [(found, "Extension", None)]

        return Code(extension, frozenset({"Extension"}), single=True)

    def variable(node: Node, frame: Frame) -> Nodes:
        variables = frame.environment.variables
        if name not in variables:
            raise FhirPathError("execution", f"%{name} is not defined")
        return plain_nodes(variables[name])

    return Code(variable)
