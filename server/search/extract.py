"""A resource to its index values: one walk over the object serves all parameters of its type.

Contained resources have the values of their own type under `#Type.code`, their id under `#Type._id`.
https://hl7.org/fhir/R4/search.html#contained
"""

from __future__ import annotations

from typing import Any

from fhir_profiles.fhirpath import Expression, FhirPathError
from server.search.contained import code_within
from server.search.plan import Node, Plan, Planner, Resource
from server.search.registry import SearchParameters
from server.search.types.written import Setting
from server.search.values import Composite, Index, Token


class Extractor:
    """Index values of resources; plans are made when a type is first met, and anew when parameters change."""

    def __init__(self, parameters: SearchParameters, setting: Setting) -> None:
        self._parameters = parameters
        self._planner = Planner(parameters, setting, _visit)
        self._plans: dict[str, Plan] = {}
        self._generation = parameters.generation

    def extract(self, resource_type: str, resource: Resource) -> Index:
        """`{code: values}`, without `_id` and `_lastUpdated`; no value twice."""
        if self._generation != self._parameters.generation:
            self._plans.clear()
            self._generation = self._parameters.generation
        index: Index = {}
        self._run(self._plan(resource_type), resource, resource, index)
        if "contained" in resource:
            for contained in contained_in(resource):
                self._contained(contained, resource, index)
        for code, values in index.items():
            if len(values) > 1:
                index[code] = list(dict.fromkeys(values))
        return index

    def _plan(self, resource_type: str) -> Plan:
        plan = self._plans.get(resource_type)
        if plan is None:
            plan = self._plans[resource_type] = self._planner.plan(resource_type)
        return plan

    def _run(self, plan: Plan, resource: Resource, container: Resource, index: Index) -> None:
        _visit(plan.root, resource, container, index)
        for code, expression, reader_of in plan.expressions:
            for value, fhir_type in _nodes(expression, resource):
                found = reader_of(fhir_type)(value, container)
                if found:
                    _join(index, code, found)

    def _contained(self, contained: Resource, resource: Resource, index: Index) -> None:
        type_ = contained.get("resourceType")
        if not isinstance(type_, str) or type_ not in self._parameters.resource_types:
            return
        own: Index = {}
        self._run(self._plan(type_), contained, resource, own)
        if isinstance(contained.get("id"), str):
            own["_id"] = [Token(None, contained["id"])]
        for code, values in own.items():
            index.setdefault(code_within(type_, code), []).extend(values)


def contained_in(resource: Resource) -> list[Resource]:
    contained = resource.get("contained")
    return [each for each in contained if isinstance(each, dict)] if isinstance(contained, list) else []


def _nodes(expression: Expression, resource: Resource) -> list[tuple[Any, str]]:
    """What an expression finds; nothing if it fails on this resource, which must not keep it from being stored."""
    try:
        return [(value, type_) for value, type_ in expression.nodes(resource) if isinstance(type_, str)]
    except FhirPathError:
        return []


def _visit(node: Node, element: Any, resource: Resource, index: Index) -> None:
    """Reads an element for all parameters that find it, then its members. The hot path of every write.

    A list of values may be shared by parameters and with readers: see `_Joined`.
    """
    for reader, codes in node.takers:
        values = reader(element, resource)
        if values:
            for code in codes:
                if code in index:
                    _join(index, code, values)
                else:
                    index[code] = values
    if element.__class__ is not dict:
        return
    children = node.children
    if children:
        for key, value in element.items():
            child = children.get(key)
            if child is None:
                continue
            if child.alone is None:
                for item in value if value.__class__ is list else (value,):
                    if item is not None:
                        _visit(child, item, resource, index)
                continue
            reader, codes = child.alone
            for item in value if value.__class__ is list else (value,):
                if item is not None and (values := reader(item, resource)):
                    for code in codes:
                        if code in index:
                            _join(index, code, values)
                        else:
                            index[code] = values
    for condition, inner in node.filters:
        if element.get(condition.key) == condition.value:
            _visit(inner, element, resource, index)
    if node.composites is not None:
        for code, components in node.composites.read(element, resource):
            _join(index, code, [Composite(components)])


class _Joined(list[Any]):
    """Values of one parameter alone, which may be added to: joined to a new list each time, those of a resource of a
    megabyte would take seconds. The end of an extraction makes plain lists of them."""


def _join(index: Index, code: str, values: list[Any]) -> None:
    before = index.get(code)
    if before.__class__ is _Joined:
        before.extend(values)
    else:
        index[code] = _Joined((*before, *values)) if before else values
