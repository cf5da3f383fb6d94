"""Where the result of a FHIRPath stands in the JSON, so that it can be changed there.

FHIRPath Patch needs places, not values: two equal names are two places. The paths of a patch select elements, by
name, index and filters; the filters themselves are any FHIRPath. https://hl7.org/fhir/R4/fhirpatch.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fhir_profiles.fhirpath import FhirPathError, parse
from fhir_profiles.fhirpath.code import Frame, truth_of
from fhir_profiles.fhirpath.environment import Environment
from fhir_profiles.fhirpath.expression import SHAPE_ERRORS
from fhir_profiles.fhirpath.functions import check_arguments
from fhir_profiles.fhirpath.functions.filtering import specifier
from fhir_profiles.fhirpath.syntax import Ast, Binary, Call, Indexer, Literal, Member, TypeOperation, Variable
from fhir_profiles.fhirpath.terms import compiler_of
from fhir_profiles.fhirpath.types import ABSTRACT, Node, Step, TypeSystem


@dataclass(frozen=True, slots=True)
class Place:
    """One element of the resource."""

    node: Node
    """Value, type and sibling."""
    holder: dict[str, Any] | None = None
    """The JSON object that has it as a member; None for the resource itself."""
    key: str = ""
    """Name of the member: `valueQuantity`."""
    index: int | None = None
    """In an array."""
    parent: Place | None = None

    @property
    def object(self) -> dict[str, Any] | None:
        """The JSON object whose members are the children; None for a primitive."""
        value = self.node[0]
        return value if isinstance(value, dict) else None


class NotAPlace(Exception):
    """The path computes something instead of selecting elements."""


class Locator:
    """Finds the places of paths in one resource."""

    def __init__(self, resource: dict[str, Any], types: TypeSystem) -> None:
        self.types = types
        self.root = Place((resource, str(resource.get("resourceType", "")), None))

    def find(self, path: str) -> list[Place]:
        """Places of a path.   Raises: FhirPathError, NotAPlace."""
        return self.of(parse(path))

    def of(self, tree: Ast) -> list[Place]:
        match tree:
            case Variable("this"):
                return [self.root]
            case Member(None, name) if name[:1].isupper():
                return [self.root] if self.types.is_a(self.root.node[1], name) else []
            case Member(None, name):
                return self.children(self.root, name)
            case Member(of, name) if of is not None:
                return [child for place in self.of(of) for child in self.children(place, name)]
            case Indexer(of, Literal("Integer", int(index))):
                return self.of(of)[index : index + 1]
            case TypeOperation("as", operand, name):
                return self._of_type(self.of(operand), name)
            case Call(of, name, arguments) if name in _FUNCTIONS:
                check_arguments(name, len(arguments))
                return _FUNCTIONS[name](self, self.of(of) if of is not None else [self.root], arguments)
        raise NotAPlace

    def step(self, place: Place, name: str) -> Step | None:
        """How the place's type has a child of that name."""
        return self.types.steps(place.node[1]).get(name)

    def children(self, place: Place, name: str) -> list[Place]:
        step = self.step(place, name)
        holder = place.object if place.object is not None else place.node[2]
        if step is None or not isinstance(holder, dict):
            return []
        found: list[Place] = []
        for key, fhir_type in step.choices.items():
            value, sibling = holder.get(key), holder.get("_" + key)
            if not isinstance(value, list) and not isinstance(sibling, list):
                if value is not None or sibling is not None:
                    found.append(Place(_node(value, fhir_type, sibling), holder, key, None, place))
                continue
            values = value if isinstance(value, list) else []
            siblings = sibling if isinstance(sibling, list) else []
            for index in range(max(len(values), len(siblings))):
                each = values[index] if index < len(values) else None
                other = siblings[index] if index < len(siblings) else None
                if each is not None or other is not None:
                    found.append(Place(_node(each, fhir_type, other), holder, key, index, place))
        return found

    def _of_type(self, places: list[Place], name: str) -> list[Place]:
        wanted = self.types.qualified(name)
        if wanted is None:
            raise FhirPathError("semantic", f"there is no type {name!r}")
        return [each for each in places if self.types.is_a(each.node[1], wanted)]

    def where(self, places: list[Place], criteria: Ast) -> list[Place]:
        compiler = compiler_of(self.types, strict=False)
        truth = truth_of(compiler.compile(criteria, None))
        root = self.root.node
        frame = Frame(root, Environment(root[0], root[0]))
        found = []
        try:
            for frame.index, place in enumerate(places):
                if truth(place.node, frame):
                    found.append(place)
        except SHAPE_ERRORS as error:
            raise FhirPathError("execution", "an element does not have the structure of its type") from error
        return found


def _node(value: Any, fhir_type: str, sibling: Any) -> Node:
    if fhir_type in ABSTRACT and isinstance(value, dict):
        fhir_type = str(value.get("resourceType", fhir_type))
    return (value, fhir_type, sibling)


def _count(arguments: tuple[Ast, ...]) -> int:
    match arguments:
        case (Literal("Integer", int(count)),):
            return count
    raise NotAPlace


def _single(locator: Locator, places: list[Place], arguments: tuple[Ast, ...]) -> list[Place]:
    if len(places) > 1:
        raise FhirPathError("execution", "single() found several elements")
    return places


def _extension(locator: Locator, places: list[Place], arguments: tuple[Ast, ...]) -> list[Place]:
    extensions = [child for place in places for child in locator.children(place, "extension")]
    return locator.where(extensions, Binary("=", Member(None, "url"), arguments[0]))


_FUNCTIONS: dict[str, Callable[[Locator, list[Place], tuple[Ast, ...]], list[Place]]] = {
    "where": lambda locator, places, arguments: locator.where(places, arguments[0]),
    "ofType": lambda locator, places, arguments: locator._of_type(places, specifier(arguments[0])),
    "as": lambda locator, places, arguments: locator._of_type(places, specifier(arguments[0])),
    "extension": _extension,
    "first": lambda locator, places, arguments: places[:1],
    "last": lambda locator, places, arguments: places[-1:],
    "tail": lambda locator, places, arguments: places[1:],
    "skip": lambda locator, places, arguments: places[_count(arguments) :],
    "take": lambda locator, places, arguments: places[: _count(arguments)],
    "single": _single,
}
