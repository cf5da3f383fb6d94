"""What to read of a resource type: a tree of member names in which paths that parameters share are one.

Members that no parameter asks for cost one look-up. The few expressions that are no plain path stay FHIRPath.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from fhir_profiles.fhirpath import Expression, compile_expression
from server.search.paths import Equals, Path, RefersTo, Step
from server.search.registry import ROW_PARAMETERS, Component, Registered, SearchParameters
from server.search.types import date, near, number, quantity, reference, string, token, uri
from server.search.types.written import Setting
from server.search.values import Index, Reference, Value

Resource = dict[str, Any]
Reader = Callable[[Any, Resource], list[Any]]
"""(element, whole resource) -> values."""


class Node:
    """What to do with an element: read values, and go on with its members."""

    __slots__ = ("alone", "children", "composites", "filters", "takers")

    def __init__(self) -> None:
        self.takers: list[tuple[Reader, list[str]]] = []
        """Reader, and the codes of the parameters that have its values."""
        self.children: dict[str, Node] = {}
        self.filters: list[tuple[Equals, Node]] = []
        self.composites: Composites | None = None
        self.alone: tuple[Reader, list[str]] | None = None
        """The one taker, where reading its values is all there is to do: known when the plan is made."""

    def settle(self) -> None:
        """The plan is made."""
        if len(self.takers) == 1 and not (self.children or self.filters or self.composites):
            self.alone = self.takers[0]
        for node in (*self.children.values(), *(node for _, node in self.filters)):
            node.settle()

    def at(self, path: Path) -> Node:
        """Node of the element that the path leads to, made if it is not there."""
        node = self
        for move in path.moves:
            if isinstance(move, Step):
                node = node.children.setdefault(move.key, Node())
            elif isinstance(move, Equals):
                node = node.filtered(move)
        return node

    def filtered(self, condition: Equals) -> Node:
        for known, node in self.filters:
            if known == condition:
                return node
        node = Node()
        self.filters.append((condition, node))
        return node


Visit = Callable[[Node, Any, Resource, Index], None]


class Composites:
    """The composites of one kind of element. A component that several of them have is read once."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._parts: list[tuple[list[tuple[str, Node]], bool]] = []
        self._known: dict[object, int] = {}
        self._rows: list[tuple[str, tuple[int, ...]]] = []

    def add(self, code: str, parts: list[tuple[object, Node, bool]]) -> None:
        """parts: what identifies a component, its nodes, and whether they start at the resource."""
        numbers = []
        for key, root, from_resource in parts:
            if key not in self._known:
                self._known[key] = len(self._parts)
                self._parts.append((list(root.children.items()), from_resource))
            numbers.append(self._known[key])
        self._rows.append((code, tuple(numbers)))

    def read(self, element: Resource, resource: Resource) -> Iterator[tuple[str, tuple[tuple[Value, ...], ...]]]:
        """Code and components of every composite that has all of them."""
        read: dict[int, tuple[Value, ...]] = {}
        for code, numbers in self._rows:
            for number_ in reversed(numbers):  # the value, often of another type, before the code, nearly always there
                if number_ not in read:
                    read[number_] = self._component(number_, element, resource)
                if not read[number_]:
                    break
            else:
                yield code, tuple(read[number_] for number_ in numbers)

    def _component(self, number_: int, element: Resource, resource: Resource) -> tuple[Value, ...]:
        members, from_resource = self._parts[number_]
        start = resource if from_resource else element
        found: list[Value] = []
        for name, child in members:
            value = start.get(name)
            if value is None:
                continue
            if child.alone is not None and value.__class__ is dict:
                found += child.alone[0](value, resource)
                continue
            values: Index = {}
            for item in value if value.__class__ is list else (value,):
                if item is not None:
                    self._visit(child, item, resource, values)
            found += values.get("", ())
        return tuple(found) if len(found) < 2 else tuple(dict.fromkeys(found))


@dataclass(slots=True)
class Plan:
    root: Node = field(default_factory=Node)
    expressions: list[tuple[str, Expression, Callable[[str], Reader]]] = field(default_factory=list)
    """Code, FHIRPath, and the reader for what it finds by FHIR type."""


class Planner:
    def __init__(self, parameters: SearchParameters, setting: Setting, visit: Visit) -> None:
        self._parameters = parameters
        self._setting = setting
        self._visit = visit
        self._read_reference = reference.reader("Reference", setting)

    def plan(self, resource_type: str) -> Plan:
        plan = Plan()
        known: dict[object, list[str]] = {}
        for code, registered in self._parameters.of(resource_type).items():
            if code in ROW_PARAMETERS or registered.parameter.code != code:
                continue
            for path in registered.paths:
                if registered.components:
                    self._add_composite(plan.root.at(path), code, registered)
                else:
                    self._add(plan.root, path, registered, code, known)
            for text in registered.expressions:
                compiled = compile_expression(text, self._parameters.definitions, resource_type)
                plan.expressions.append((code, compiled, partial(self._reader_of, registered)))
        plan.root.settle()
        return plan

    def _add(self, root: Node, path: Path, registered: Registered, code: str, known: dict[object, list[str]]) -> None:
        """Parameters that read the same from the same element share its values. known: reading -> codes."""
        node = root.at(path)
        key = (id(node), *_reading(registered, path))
        if key not in known:
            known[key] = []
            node.takers.append((self._reader(registered, path), known[key]))
        if code not in known[key]:
            known[key].append(code)

    def _add_composite(self, node: Node, code: str, registered: Registered) -> None:
        if node.composites is None:
            node.composites = Composites(self._visit)
        node.composites.add(code, [self._component(component) for component in registered.components])

    def _component(self, component: Component) -> tuple[object, Node, bool]:
        root = Node()
        known: dict[object, list[str]] = {}
        for path in component.paths:
            self._add(root, path, component.registered, "", known)
        root.settle()
        key = (component.registered.parameter.type, component.paths, component.from_resource)
        return key, root, component.from_resource

    def _reader_of(self, registered: Registered, fhir_type: str) -> Reader:
        if fhir_type.startswith("System."):
            fhir_type = fhir_type[7].lower() + fhir_type[8:]
        return self._reader(registered, Path((), fhir_type))

    def _reader(self, registered: Registered, path: Path) -> Reader:
        fhir_type, setting = path.type, self._setting
        match registered.parameter.type:
            case "token":
                return token.reader(fhir_type, registered.systems.get(path.value_set or ""))
            case "string":
                words = is_family(path)
                return lambda node, _: string.values(node, fhir_type, words=words)
            case "date":
                return lambda node, _: date.values(node, fhir_type, setting)
            case "reference":
                read = self._read_reference if fhir_type == "Reference" else reference.reader(fhir_type, setting)
                return _reference(read, _target(path))
            case "quantity":
                return lambda node, _: quantity.values(node, fhir_type)
            case "number":
                return lambda node, _: number.values(node, fhir_type)
            case "uri":
                return lambda node, _: uri.values(node, fhir_type)
            case _:
                return lambda node, _: near.values(node)


def _reading(registered: Registered, path: Path) -> tuple[object, ...]:
    """What decides how an element is read."""
    system = registered.systems.get(path.value_set or "")
    return registered.parameter.type, path.type, system, _target(path), is_family(path)


def is_family(path: Path) -> bool:
    """The element is a family name, whose words are searched one by one."""
    return bool(path.moves) and path.moves[-1] == Step("family")


def _target(path: Path) -> str | None:
    """Type that references must be to."""
    last = path.moves[-1] if path.moves else None
    return last.type if isinstance(last, RefersTo) else None


# --- references -----------------------------------------------------------------------------------------------------

_REMOTE = re.compile(r"https?://.*/([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?")


def _reference(values_of: Callable[[Any], list[Reference]], target: str | None) -> Reader:
    """target: only references to this type, as far as the reference tells it."""

    def read(node: Any, resource: Resource) -> list[Reference]:
        values = values_of(node)
        if not values:
            return values
        value = values[0]
        if value.url is not None and value.url[:1] == "#":
            type_ = _contained_type(value.url[1:], resource)
            if type_ is None:
                return values if target is None else []
            return [value._replace(url=reference.contained_url(type_))] if target in (None, type_) else []
        if target is None or value.type == target:
            return values
        return values if value.type is None and _stated_type(node, value) == target else []

    return read


def _stated_type(node: Any, value: Reference) -> str | None:
    """Type of a reference to elsewhere: what it says itself, or its URL."""
    stated = node.get("type") if isinstance(node, dict) else None
    if isinstance(stated, str):
        return stated.rpartition("/")[2]
    match = _REMOTE.fullmatch(value.url or "")
    return match[1] if match else None


def _contained_type(id_: str, resource: Resource) -> str | None:
    """Type of a contained resource; the container's own for `#`."""
    found = resource if not id_ else None
    contained = resource.get("contained")
    for each in contained if isinstance(contained, list) else ():
        if id_ and isinstance(each, dict) and each.get("id") == id_:
            found = each
    type_ = found.get("resourceType") if found else None
    return type_ if isinstance(type_, str) else None
