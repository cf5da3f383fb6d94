"""Which slice an item belongs to.   https://hl7.org/fhir/R4/profiling.html#discriminator"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from typing import Any

from fhir_profiles.definitions import Element, ElementType
from fhir_profiles.fhirpath.environment import Environment
from fhir_profiles.fhirpath.values import deep_equal
from fhir_profiles.terminology_protocol import Terminology
from fhir_profiles.validation.bindings import codings_of
from fhir_profiles.validation.items import Item, Items, fits_pattern
from fhir_profiles.validation.profile_tree import ProfileNode, ProfileTree

_STEP = re.compile(r"\$this|(resolve)\(\)|ofType\(([A-Za-z]+)\)|extension\('([^']*)'\)|([A-Za-z]\w*)(?:\[x\])?")

Trees = Callable[[str], "ProfileTree | None"]
"""Tree of a profile by its canonical url; None if it is not known."""
TypeOf = Callable[[str], "str | None"]
Quick = Callable[[Any], bool]
Conforms = Callable[[str, Item], bool]


@lru_cache(maxsize=1000)
def steps_of(path: str) -> tuple[tuple[str, str], ...]:
    """(kind, argument) per step: ("name", "coding"), ("resolve", ""), ("extension", url), ("ofType", "Quantity")."""
    steps = []
    for found in _STEP.finditer(path):
        resolve, of_type, extension, name = found.groups()
        if resolve:
            steps.append(("resolve", ""))
        elif of_type:
            steps.append(("ofType", of_type))
        elif extension is not None:
            steps.append(("extension", extension))
        elif name:
            steps.append(("name", name))
    return tuple(steps)


class Discriminators:
    """Decides whether an item has what a slice's discriminators ask."""

    def __init__(
        self,
        items: Items,
        terminology: Terminology,
        type_of: TypeOf,
        trees: Trees,
        conforms: Conforms,
        environment: Environment,
    ) -> None:
        self._items = items
        self._type_of = type_of
        self._terminology = terminology
        self._trees = trees
        self._conforms = conforms
        self._environment = environment

    def matches(self, node: ProfileNode, item: Item, discriminators: Sequence[tuple[str, str]]) -> bool:
        """Whether the item is in the slice `node`."""
        tests = node.kept.get(("tests", ""))
        if tests is None:
            tests = node.kept["tests", ""] = [(*each, self.quick(*each, node)) for each in discriminators]
        decided = False
        for kind, path, quick in tests:
            answer = quick(item.value) if quick is not None else self._answer(kind, path, node, item)
            if answer is False:
                return False
            decided = decided or answer is True
        return decided

    def quick(self, kind: str, path: str, node: ProfileNode) -> Quick | None:
        """The same as `_answer` for the usual slices, which are told apart by one plain value or pattern; None for the
        others."""
        if kind not in ("value", "pattern"):
            return None
        steps = steps_of(path)
        for length in range(1, len(steps)):
            if any(each.element.is_choice for each in self._nodes([node], steps[:length])):
                return None
        asked = [each for each in self._nodes([node], steps) if self.is_specific(each)]
        made = [self._test(each) for each in asked]
        tests = [test for test in made if test is not None]
        if not asked or len(tests) < len(made) or any(step not in ("name", "extension") for step, _ in steps):
            return None
        is_choice = asked[0].element.is_choice
        if is_choice and not steps:
            return None
        last = steps[-1][1] if is_choice else None
        return partial(_passes, steps[:-1] if is_choice else steps, last, tests)

    def _test(self, node: ProfileNode) -> Quick | None:
        """The same as `satisfies`, of plain JSON; None where that cannot be told from it alone."""
        element = node.element
        if element.fixed is not None and not isinstance(element.fixed, str):
            return None
        if node.bound and element.binding is not None and element.binding.strength == "required":
            return None
        below = []
        for name, child in node.children.items():
            for each in child.with_slices():
                if self.is_specific(each):
                    test = self._test(each)
                    if test is None or each.element.is_choice:
                        return None
                    below.append((name, test, each.element.min > 0))
        return partial(_satisfies, element.fixed, element.pattern, below)

    def _answer(self, kind: str, path: str, node: ProfileNode, item: Item) -> bool | None:
        """None: the slice says nothing about what is at the path."""
        steps = steps_of(path)
        nodes = self._nodes([node], steps)
        found = self._found([item], steps)
        if kind == "exists":
            return _exists(nodes, bool(found))
        if kind == "type":
            return self.has_type(node, steps, found)
        if kind == "profile":
            return self._has_profile(node, steps, found)
        asked = [each for each in nodes if self.is_specific(each)]
        if not asked:
            return None
        return all(any(self.satisfies(each, one) for one in found) for each in asked)

    # --- walking both sides -----------------------------------------------------------------------------------------

    def _nodes(self, nodes: Iterable[ProfileNode], steps: Sequence[tuple[str, str]]) -> list[ProfileNode]:
        current = list(nodes)
        for kind, argument in steps:
            if kind == "name":
                current = [each for one in current for child in self._children(one, argument) for each in child]
            elif kind == "extension":
                children = [each for one in current for child in self._children(one, "extension") for each in child]
                current = [each for each in children if self._is_extension(each, argument)]
            elif kind == "resolve":
                current = [root for one in current for root in self._targets(one.element)]
        return current

    def _children(self, node: ProfileNode, name: str) -> Iterable[list[ProfileNode]]:
        child = node.children.get(name)
        if child is not None:
            yield list(child.with_slices())
        for row in node.element.types:
            for profile in row.profiles:
                tree = self._trees(profile)
                if tree is not None and name in tree.root.children:
                    yield list(tree.root.children[name].with_slices())

    def _is_extension(self, node: ProfileNode, url: str) -> bool:
        return any(url in row.profiles for row in node.element.types)

    def _targets(self, element: Element) -> list[ProfileNode]:
        trees = [self._trees(profile) for row in element.types for profile in row.targets]
        return [tree.root for tree in trees if tree is not None]

    def _found(self, items: Iterable[Item], steps: Sequence[tuple[str, str]]) -> list[Item]:
        current = list(items)
        for kind, argument in steps:
            if kind == "name":
                current = [each for one in current for each in self._items.below(one, argument)]
            elif kind == "extension":
                below = [each for one in current for each in self._items.below(one, "extension")]
                current = [each for each in below if each.value.get("url") == argument]
            elif kind == "ofType":
                current = [each for each in current if each.type == argument]
            else:
                resolved = [self._items.resolved(each, self._environment) for each in current]
                current = [each for each in resolved if each is not None]
        return current

    # --- what a slice asks ------------------------------------------------------------------------------------------

    def is_specific(self, node: ProfileNode) -> bool:
        """Whether the element, or one below it, has a value that tells slices apart."""
        element = node.element
        if element.fixed is not None or element.pattern is not None:
            return True
        if element.binding is not None and element.binding.strength == "required" and node.binds():
            return True
        return any(self.is_specific(each) for child in node.children.values() for each in child.with_slices())

    def satisfies(self, node: ProfileNode, item: Item) -> bool:
        """Whether the item has the fixed values, patterns and codes of the node."""
        element = node.element
        if element.fixed is not None and not deep_equal(item.value, element.fixed):
            return False
        if element.pattern is not None and not fits_pattern(item.value, element.pattern):
            return False
        if node.binds() and not self._is_bound(node, item):
            return False
        for name, child in node.children.items():
            for each in child.with_slices():
                if self.is_specific(each):
                    below = self._items.below(item, name)
                    if (below or each.element.min > 0) and not any(self.satisfies(each, one) for one in below):
                        return False
        return True

    def _is_bound(self, node: ProfileNode, item: Item) -> bool:
        binding = node.element.binding
        if binding is None or binding.strength != "required" or binding.value_set is None or item.value is None:
            return True
        codings = codings_of(item.value, item.type)
        checks = [self._terminology.validate_code(binding.value_set, system, code) for system, code, _ in codings]
        return any(each.verdict != "no" for each in checks)

    def _rows(self, node: ProfileNode, steps: Sequence[tuple[str, str]]) -> tuple[list[ElementType], bool]:
        """(type rows of the elements at the path, whether what they point to is meant)"""
        resolved = bool(steps) and steps[-1][0] == "resolve"
        nodes = self._nodes([node], steps[:-1] if resolved else steps)
        return [row for each in nodes for row in each.element.types], resolved

    def has_type(self, node: ProfileNode, steps: Sequence[tuple[str, str]], found: Sequence[Item]) -> bool | None:
        rows, resolved = self._rows(node, steps)
        types = (
            {self._type_of(target) for row in rows for target in row.targets} if resolved else {r.code for r in rows}
        )
        if not types:
            return None
        return any(each.type in types or "." in each.type for each in found)

    def _has_profile(self, node: ProfileNode, steps: Sequence[tuple[str, str]], found: Sequence[Item]) -> bool | None:
        rows, resolved = self._rows(node, steps)
        profiles = [profile for row in rows for profile in (row.targets if resolved else row.profiles)]
        if not profiles:
            return None
        return any(self._conforms(profile, each) for profile in profiles for each in found if each.value is not None)


def _satisfies(fixed: str | None, pattern: Any, below: Sequence[tuple[str, Quick, bool]], value: Any) -> bool:
    if fixed is not None and value != fixed:
        return False
    if pattern is not None and not fits_pattern(value, pattern):
        return False
    for name, test, is_required in below:
        found = value.get(name) if value.__class__ is dict else None
        if found is None:
            if is_required:
                return False
        elif not (any(map(test, found)) if found.__class__ is list else test(found)):
            return False
    return True


def _passes(steps: Sequence[tuple[str, str]], choice: str | None, tests: Sequence[Quick], value: Any) -> bool:
    """Whether each of the tests holds for something at the steps; `choice`: a last step that has several JSON names."""
    current = [value]
    for kind, argument in steps:
        following: list[Any] = []
        for each in current:
            if each.__class__ is not dict:
                continue
            if kind == "extension":
                following += [one for one in each.get("extension", ()) if one.get("url") == argument]
            elif (found := each.get(argument)) is not None:
                following += found if found.__class__ is list else [found]
        current = following
    if choice is not None:
        objects = [each for each in current if each.__class__ is dict]
        current = [one for each in objects for name, one in each.items() if _is_of_choice(name, choice)]
    return all(any(map(test, current)) for test in tests)


def _is_of_choice(name: str, choice: str) -> bool:
    return name.startswith(choice) and name[len(choice) : len(choice) + 1].isupper()


def _exists(nodes: Sequence[ProfileNode], present: bool) -> bool | None:
    for node in nodes:
        if node.element.max == 0:
            return not present
        if node.element.min > 0:
            return present
    return None
