"""A profile's snapshot as a tree of what it asks beyond the base definition.   https://hl7.org/fhir/R4/profiling.html

Elements that add nothing, and have nothing below that does, are left out: walking a profile costs what it says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fhir_profiles.definitions import Constraint, Definitions, Element, Slicing, Structure

BY_URL = Slicing((("value", "url"),), "open", False)
"""Extensions are always sliced by url. https://hl7.org/fhir/R4/profiling.html#extensions"""


@dataclass(slots=True)
class ProfileNode:
    element: Element
    base: Element | None
    """The same element without a profile; None where the path leads through a choice."""
    children: dict[str, ProfileNode] = field(default_factory=dict)
    """By element name, without [x]."""
    slices: list[ProfileNode] = field(default_factory=list)
    constraints: tuple[Constraint, ...] = ()
    """Those that the base does not have."""
    asks_of_value: bool = True
    """Whether something is to be asked of each value itself, and not only of their number and of what is below."""
    asks_content: bool = True
    """Whether fixed values, patterns or limits are among that."""
    narrows: bool = True
    """Whether the types are others than the base has."""
    bound: bool = True
    """`binds()`, asked once."""
    needed: bool = False
    """Whether something is wrong where there is no such element at all."""
    kept: dict[tuple[str, str], Any] = field(default_factory=dict)
    """What walks work out of the node once and use again: (what it is, type of the item) to that."""

    @property
    def slicing(self) -> Slicing | None:
        if self.element.slicing is not None:
            return self.element.slicing
        return BY_URL if self.slices and self.element.name in ("extension", "modifierExtension") else None

    def with_slices(self) -> Iterator[ProfileNode]:
        """The node, and those of its slices that must be there."""
        yield self
        for each in self.slices:
            if each.element.min > 0:
                yield from each.with_slices()

    def binds(self) -> bool:
        """Whether the binding is another one than the base has."""
        own = self.element.binding
        return own is not None and (self.base is None or own != self.base.binding)

    def limits(self) -> bool:
        """What `asks_content` is to be."""
        element = self.element
        limits = (element.fixed, element.pattern, element.max_length, element.minimum, element.maximum)
        return any(each is not None for each in limits)

    def asks(self) -> bool:
        """What `asks_of_value` is to be."""
        return bool(self.constraints) or self.binds() or self.limits() or self.other_types()

    def other_types(self) -> bool:
        """What `narrows` is to be."""
        types = self.element.types
        return bool(types) and (self.base is None or types != self.base.types)

    def settle(self) -> None:
        """Answer once what every walk asks; children and slices are in place."""
        self.slices.reverse()
        self.children = dict(reversed(self.children.items()))
        self.asks_content = self.limits()
        self.narrows = self.other_types()
        self.bound = self.binds()
        self.asks_of_value = bool(self.constraints) or self.bound or self.asks_content or self.narrows
        self.needed = self.element.min > 0 or any(each.element.min > 0 for each in self.slices)

    def adds(self) -> bool:
        """Whether the element itself, or something below, asks more than the base."""
        if self.children or self.slices or self.asks():
            return True
        element, base = self.element, self.base
        if base is None:
            return element.min > 0 or element.max == 0
        return (element.min, element.max) != (base.min, base.max)


@dataclass(slots=True)
class ProfileTree:
    structure: Structure
    root: ProfileNode
    by_path: dict[str, ProfileNode]
    """Unsliced nodes, for contentReference."""

    def below(self, node: ProfileNode) -> dict[str, ProfileNode]:
        """Children of a node, those of the element it refers to included."""
        if node.children or node.element.content_reference is None:
            return node.children
        target = self.by_path.get(node.element.content_reference)
        return target.children if target is not None else {}


def base_element(definitions: Definitions, element: Element, parent: ProfileNode | None) -> Element | None:
    """The element without a profile. Inside of a choice it is that of the one type that the profile leaves."""
    try:
        return definitions.element(element.path.replace("[x]", ""))
    except KeyError:
        types = parent.element.types if parent is not None else ()
        return definitions.children(types[0].code).get(element.name) if len(types) == 1 else None


def profile_tree(structure: Structure, definitions: Definitions) -> ProfileTree:
    """Tree of a profile's snapshot."""
    nodes: dict[str, ProfileNode] = {}
    for element in structure.elements:
        base = base_element(definitions, element, nodes.get(element.id.rpartition(".")[0]))
        known = {each.key for each in base.constraints} if base else set()
        added = tuple(each for each in element.constraints if each.key not in known)
        nodes[element.id] = ProfileNode(element, base, constraints=added)
    by_path = {node.element.path: node for node in reversed(nodes.values()) if ":" not in node.element.id}
    root, *others = nodes.items()
    for identity, node in reversed(others):
        _attach(identity, node, nodes)
    for node in nodes.values():
        node.settle()
    return ProfileTree(structure, root[1], by_path)


def _attach(identity: str, node: ProfileNode, nodes: dict[str, ProfileNode]) -> None:
    """Hang a node under its parent or, for a slice, under what is sliced; children come before their parents."""
    parent_id, _, step = identity.rpartition(".")
    name, _, slice_name = step.partition(":")
    if slice_name:
        outer, _, _ = slice_name.rpartition("/")
        sliced = nodes.get(f"{parent_id}.{name}:{outer}" if outer else f"{parent_id}.{name}")
        if sliced is not None:
            sliced.slices.append(node)
        return
    parent = nodes.get(parent_id)
    if parent is not None and node.adds():
        parent.children[name.removesuffix("[x]")] = node
