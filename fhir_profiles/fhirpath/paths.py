"""Plain paths (`name.family`, `contact.name`) as straight accesses of JSON objects, without an item for each step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fhir_profiles.fhirpath.code import EMPTY, Code, Frame, this_code
from fhir_profiles.fhirpath.types import ABSTRACT, Node, Nodes, Step

Walk = Callable[[Any], Any]


def extendable(step: Step) -> bool:
    """Whether the next step can be fused: one type, known and complex."""
    return step.type is not None and not step.primitive and step.type not in ABSTRACT


def path_code(steps: tuple[Step, ...]) -> Code:
    """Code of a path from `$this`; all steps but the last are `extendable`."""
    if not steps:
        return this_code(None)
    *before, last = steps
    single = not any(step.many for step in steps)
    types = frozenset(last.choices.values())
    code = Code(_run(before, last), None if types & set(ABSTRACT) else types, single=single, steps=steps)
    if single and last.key is not None:
        walk = _single_walk(before)
        code.exists = _single_exists(walk, last)
        if last.primitive:
            code.scalar = _single_scalar(walk, last.key)
    elif not before:
        code.exists = _first_exists(last) if last.key is not None else _choice_exists(last)
    return code


def _single_walk(before: list[Step]) -> Walk | None:
    """From the value of `$this` to the object that holds the last step; None for `$this` itself."""
    keys = tuple(step.key for step in before)
    if not keys:
        return None
    if len(keys) == 1:
        key = keys[0]
        return lambda value: value.get(key)

    def walk(value: Any) -> Any:
        for key in keys:
            value = value.get(key)
            if value is None:
                return None
        return value

    return walk


def _parents(before: list[Step]) -> Walk:
    """From the value of `$this` to the list of objects that hold the last step."""
    keys = tuple(step.key for step in before)

    def walk(value: Any) -> list[Any]:
        level = [value]
        for key in keys:
            following: list[Any] = []
            for each in level:
                found = each.get(key)
                if found.__class__ is dict:
                    following.append(found)
                elif found.__class__ is list:
                    following.extend(item for item in found if item.__class__ is dict)
            level = following
        return level

    return walk


def _run(before: list[Step], last: Step) -> Callable[[Node, Frame], Nodes]:
    collect = last.collect
    if not before:

        def run_first(node: Node, frame: Frame) -> Nodes:
            out: Nodes = []
            collect(node[0], out)
            return out

        return run_first
    if not any(step.many for step in before):
        walk = _single_walk(before)
        assert walk is not None

        def run_single(node: Node, frame: Frame) -> Nodes:
            parent = walk(node[0])
            if parent is None:
                return EMPTY
            out: Nodes = []
            collect(parent, out)
            return out

        return run_single
    parents = _parents(before)

    def run(node: Node, frame: Frame) -> Nodes:
        out: Nodes = []
        for parent in parents(node[0]):
            collect(parent, out)
        return out

    return run


def _single_exists(walk: Walk | None, last: Step) -> Callable[[Node, Frame], bool]:
    key = last.key
    if not last.primitive:
        if walk is None:
            return lambda node, frame: node[0].get(key) is not None

        def complex_exists(node: Node, frame: Frame) -> bool:
            parent = walk(node[0])
            return parent is not None and parent.get(key) is not None

        return complex_exists
    sibling = f"_{key}"
    if walk is None:

        def primitive_exists(node: Node, frame: Frame) -> bool:
            parent = node[0]
            return parent.get(key) is not None or parent.get(sibling) is not None

        return primitive_exists

    def nested_exists(node: Node, frame: Frame) -> bool:
        parent = walk(node[0])
        return parent is not None and (parent.get(key) is not None or parent.get(sibling) is not None)

    return nested_exists


def _first_exists(last: Step) -> Callable[[Node, Frame], bool]:
    key, sibling = last.key, f"_{last.key}"
    if last.primitive:
        return lambda node, frame: bool(node[0].get(key)) or bool(node[0].get(sibling))
    return lambda node, frame: bool(node[0].get(key))


def _choice_exists(last: Step) -> Callable[[Node, Frame], bool]:
    """Most resources lack most choices, which the names alone tell."""
    collect = last.collect
    names = frozenset(last.choices) | frozenset("_" + key for key in last.choices)

    def exists(node: Node, frame: Frame) -> bool:
        if names.isdisjoint(node[0]):
            return False
        out: Nodes = []
        collect(node[0], out)
        return bool(out)

    return exists


def _single_scalar(walk: Walk | None, key: str) -> Callable[[Node, Frame], Any]:
    if walk is None:
        return lambda node, frame: node[0].get(key)

    def scalar(node: Node, frame: Frame) -> Any:
        parent = walk(node[0])
        return None if parent is None else parent.get(key)

    return scalar


def following_code(source: Code, step: Step) -> Code:
    """Code of one step from another code, all of whose items have the step's parent type."""
    run, collect = source.run, step.collect

    def follow(node: Node, frame: Frame) -> Nodes:
        out: Nodes = []
        for item in run(node, frame):
            collect(item[0], out)
        return out

    types = frozenset(step.choices.values())
    return Code(
        follow,
        None if types & set(ABSTRACT) else types,
        single=source.single and not step.many,
        ordered=source.ordered,
    )
