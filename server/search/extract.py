"""A resource to its index values: one walk over the object serves all parameters of its type.

The plan of a type is a tree of member names in which paths that parameters share are one; members that no parameter
asks for cost one look-up. The few expressions that are no plain path are run as FHIRPath afterwards.
Contained resources have the values of their own type under `#Type.code`, their id under `#Type._id`.
https://hl7.org/fhir/R4/search.html#contained
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import Any

from fhir_profiles.fhirpath import Expression, FhirPathError, compile_expression
from server.search.contained import code_within
from server.search.fold import fold
from server.search.paths import Equals, Path, RefersTo, Step
from server.search.registry import ROW_PARAMETERS, Registered, SearchParameters
from server.search.types import date, near, number, quantity, reference, string, token, uri
from server.search.types.written import Setting
from server.search.values import Composite, Index, Reference, Token, Value

Resource = dict[str, Any]
Reader = Callable[[Any, Resource], list[Any]]
"""(element, whole resource) -> values."""


class _Node:
    """What to do with an element: read values, and go on with its members."""

    __slots__ = ("children", "filters", "takers")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.filters: dict[Equals, _Node] = {}
        self.takers: list[tuple[Reader, list[str]]] = []

    def at(self, path: Path) -> _Node:
        """Node of the element that the path leads to, made if it is not there."""
        node = self
        for move in path.moves:
            if isinstance(move, Step):
                node = node.children.setdefault(move.key, _Node())
            elif isinstance(move, Equals):
                node = node.filters.setdefault(move, _Node())
        return node

    def take(self, key: tuple[Any, ...], reader: Reader, code: str, known: dict[Any, list[str]]) -> None:
        """Parameters that read the same from the same element share the values. known: reading -> its codes."""
        codes = known.get((id(self), *key))
        if codes is None:
            codes = known[(id(self), *key)] = []
            self.takers.append((reader, codes))
        if code not in codes:
            codes.append(code)


class _Plan:
    __slots__ = ("expressions", "root")

    def __init__(self, root: _Node, expressions: list[tuple[str, Expression, Registered]]) -> None:
        self.root = root
        self.expressions = expressions


class Extractor:
    """Index values of resources; plans are made when a type is first met, and anew when parameters change."""

    def __init__(self, parameters: SearchParameters, setting: Setting) -> None:
        self._parameters = parameters
        self._setting = setting
        self._plans: dict[str, _Plan] = {}
        self._generation = parameters.generation

    def extract(self, resource_type: str, resource: Resource) -> Index:
        """`{code: values}`, without `_id` and `_lastUpdated`; no value twice."""
        if self._generation != self._parameters.generation:
            self._plans.clear()
            self._generation = self._parameters.generation
        plan = self._plans.get(resource_type)
        if plan is None:
            plan = self._plans[resource_type] = self._plan(resource_type)
        index: Index = {}
        self._run(plan, resource, resource, index)
        for contained in _contained_in(resource):
            self._contained(contained, resource, index)
        for code, values in index.items():
            if len(values) > 1:
                index[code] = list(dict.fromkeys(values))
        return index

    def _run(self, plan: _Plan, resource: Resource, container: Resource, index: Index) -> None:
        if plan.root.takers:
            _visit(plan.root, resource, container, index)
        else:
            _walk(plan.root, resource, container, index)
        for code, expression, registered in plan.expressions:
            for value, fhir_type in _nodes(expression, resource):
                found = self._reader(registered, Path((), fhir_type))(value, container)
                if found:
                    index.setdefault(code, []).extend(found)

    def _contained(self, contained: Resource, resource: Resource, index: Index) -> None:
        type_ = contained.get("resourceType")
        if not isinstance(type_, str) or type_ not in self._parameters.resource_types:
            return
        plan = self._plans.get(type_)
        if plan is None:
            plan = self._plans[type_] = self._plan(type_)
        own: Index = {}
        self._run(plan, contained, resource, own)
        if isinstance(contained.get("id"), str):
            own["_id"] = [Token(None, contained["id"])]
        for code, values in own.items():
            index.setdefault(code_within(type_, code), []).extend(values)

    # --- plans --------------------------------------------------------------------------------------------------

    def _plan(self, resource_type: str) -> _Plan:
        root = _Node()
        known: dict[Any, list[str]] = {}
        expressions: list[tuple[str, Expression, Registered]] = []
        for code, registered in self._parameters.of(resource_type).items():
            if code in ROW_PARAMETERS or registered.parameter.code != code:
                continue
            for path in registered.paths:
                reader = self._composite(registered) if registered.components else self._reader(registered, path)
                root.at(path).take(self._reading(registered, path), reader, code, known)
            for text in registered.expressions:
                compiled = compile_expression(text, self._parameters.definitions, resource_type)
                expressions.append((code, compiled, registered))
        return _Plan(root, expressions)

    def _reading(self, registered: Registered, path: Path) -> tuple[Any, ...]:
        """What decides how an element is read: equal ones share their values."""
        if registered.components:
            return ("composite", registered.parameter.code)
        last = path.moves[-1] if path.moves else None
        target = last.type if isinstance(last, RefersTo) else None
        return registered.parameter.type, path.type, registered.systems.get(path.value_set or ""), target, _words(path)

    def _reader(self, registered: Registered, path: Path) -> Reader:
        fhir_type, setting = path.type, self._setting
        match registered.parameter.type:
            case "token":
                system = registered.systems.get(path.value_set or "")
                return lambda node, _: token.values(node, fhir_type, system)
            case "string":
                words = _words(path)
                return lambda node, _: string.values(node, fhir_type, words=words)
            case "date":
                return lambda node, _: date.values(node, fhir_type, setting)
            case "reference":
                last = path.moves[-1] if path.moves else None
                return _reference(fhir_type, last.type if isinstance(last, RefersTo) else None, setting)
            case "quantity":
                return lambda node, _: quantity.values(node, fhir_type)
            case "number":
                return lambda node, _: number.values(node, fhir_type)
            case "uri":
                return lambda node, _: uri.values(node, fhir_type)
            case _:
                return lambda node, _: near.values(node)

    def _composite(self, registered: Registered) -> Reader:
        parts: list[tuple[_Node, bool]] = []
        for component in registered.components:
            root = _Node()
            known: dict[Any, list[str]] = {}
            for path in component.paths:
                reader = self._reader(component.registered, path)
                root.at(path).take(self._reading(component.registered, path), reader, "", known)
            parts.append((root, component.from_resource))

        def read(node: Any, resource: Resource) -> list[Composite]:
            found: list[tuple[Value, ...]] = []
            for root, from_resource in parts:
                element = resource if from_resource else node
                values: Index = {}
                if isinstance(element, dict):
                    _walk(root, element, resource, values)
                if not values:
                    return []
                found.append(tuple(dict.fromkeys(values[""])))
            return [Composite(tuple(found))]

        return read


def _contained_in(resource: Resource) -> list[Resource]:
    contained = resource.get("contained")
    return [each for each in contained if isinstance(each, dict)] if isinstance(contained, list) else []


def _nodes(expression: Expression, resource: Resource) -> list[tuple[Any, str]]:
    """What an expression finds; nothing if it fails on this resource, which must not keep it from being stored."""
    try:
        return expression.nodes(resource)
    except FhirPathError:
        return []


def _words(path: Path) -> bool:
    return bool(path.moves) and path.moves[-1] == Step("family")


def _walk(node: _Node, element: Resource, resource: Resource, index: Index) -> None:
    children = node.children
    for key, value in element.items():
        child = children.get(key)
        if child is None:
            continue
        if value.__class__ is list:
            for item in value:
                if item is not None:
                    _visit(child, item, resource, index)
        else:
            _visit(child, value, resource, index)


def _visit(node: _Node, element: Any, resource: Resource, index: Index) -> None:
    for reader, codes in node.takers:
        values = reader(element, resource)
        if values:
            for code in codes:
                if code in index:
                    index[code] += values
                else:
                    index[code] = values.copy()
    if element.__class__ is dict:
        if node.children:
            _walk(node, element, resource, index)
        for condition, inner in node.filters.items():
            if element.get(condition.key) == condition.value:
                _visit(inner, element, resource, index)


# --- references -----------------------------------------------------------------------------------------------------

_REMOTE = re.compile(r"https?://.*/([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?")


def _reference(fhir_type: str, target: str | None, setting: Setting) -> Reader:
    """target: only references to this type, as far as the reference tells it."""

    def read(node: Any, resource: Resource) -> list[Reference]:
        values = reference.values(node, fhir_type, setting)
        if not values:
            return values
        value = values[0]
        if value.url is not None and value.url[:1] == "#":
            type_ = _contained_type(value.url[1:], resource)
            if type_ is None:
                return values if target is None else []
            value = value._replace(url=reference.contained_url(type_))
            values = [value]
            return values if target in (None, type_) else []
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
    if not id_:
        found = resource.get("resourceType")
        return found if isinstance(found, str) else None
    for contained in _contained_in(resource):
        if contained.get("id") == id_:
            type_ = contained.get("resourceType")
            return type_ if isinstance(type_, str) else None
    return None


# --- text -----------------------------------------------------------------------------------------------------------

_INLINE = re.compile(
    r"</?(?:a|abbr|acronym|b|big|cite|code|em|i|q|s|small|span|strong|sub|sup|tt|u|var)(?:\s[^>]*)?/?>"
)
_TAG = re.compile(r"<[^>]*>")
_UNSAID = frozenset({"resourceType", "div", "data"})
"""Members that are no words: narrative is text of its own, and `data` is base64."""


def texts(resource: Resource) -> tuple[str, str]:
    """Folded narrative and folded content (narrative included), values apart by newlines, for `_text`, `_content`."""
    narrative = _narrative(resource)
    said = [narrative] if narrative else []
    said += (folded for text in _strings(resource) if (folded := fold.__wrapped__(text)))
    return narrative, "\n".join(dict.fromkeys(said))


def _narrative(resource: Resource) -> str:
    text = resource.get("text")
    div = text.get("div") if isinstance(text, dict) else None
    if not isinstance(div, str):
        return ""
    return fold.__wrapped__(html.unescape(_TAG.sub(" ", _INLINE.sub("", div))))


def _strings(element: Any) -> Iterator[str]:
    waiting = [element]
    while waiting:
        current = waiting.pop()
        if isinstance(current, str):
            yield current
        elif isinstance(current, dict):
            waiting.extend(_spoken(current))
        elif isinstance(current, list):
            waiting.extend(reversed(current))


def _spoken(element: Resource) -> list[Any]:
    return [value for key, value in reversed(element.items()) if key not in _UNSAID]


def combinations(values: Iterable[Composite]) -> Iterator[tuple[Value, ...]]:
    """Every combination of one value per component: what an engine may index of composites."""
    for value in values:
        yield from product(*value.components)
