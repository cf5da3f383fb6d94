"""Whether a resource conforms to a profile: what the snapshot asks beyond the base definition.

Walks `ProfileTree`s over plain dicts that are known to be structurally right.
https://hl7.org/fhir/R4/profiling.html https://hl7.org/fhir/R4/elementdefinition.html
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from fhir_profiles.definitions import CORE, Constraint, Definitions, ElementType
from fhir_profiles.fhirpath import FhirPathError
from fhir_profiles.fhirpath.environment import Environment
from fhir_profiles.fhirpath.temporal import compare, read_moment
from fhir_profiles.fhirpath.values import deep_equal, number
from fhir_profiles.json_reading import write_json
from fhir_profiles.terminology_protocol import Terminology
from fhir_profiles.validation.bindings import binding_check, maximum_check
from fhir_profiles.validation.checks import Invariant
from fhir_profiles.validation.invariants import CHECKED_ELSEWHERE, FhirPathInvariants
from fhir_profiles.validation.issues import Location
from fhir_profiles.validation.items import Item, Items, fits_pattern
from fhir_profiles.validation.problems import Problem
from fhir_profiles.validation.profile_tree import ProfileNode, ProfileTree, profile_tree
from fhir_profiles.validation.references import reference_check, target_types
from fhir_profiles.validation.slicing import Discriminators

MAX_NESTED = 12
"""Profiles that lead to profiles, as those of an entry's resource in a Bundle do."""

Finding = tuple[Location, Problem]


class Profiles:
    """The profiles of the definitions as trees, made when first needed; shared by all walks."""

    def __init__(self, definitions: Definitions, terminology: Terminology, invariants: FhirPathInvariants) -> None:
        self.definitions = definitions
        self.terminology = terminology
        self.items = Items(definitions)
        self._invariants = invariants
        self._trees: dict[str, ProfileTree] = {}
        self._found: dict[str, ProfileTree | None] = {}
        self._generation = -1
        self._compiled: dict[tuple[Constraint, str], Invariant | None] = {}

    def tree(self, url: str) -> ProfileTree | None:
        """Tree of a profile, None for one that is not known and for the types themselves, which ask nothing more."""
        if self._generation != self.definitions.generation:
            # What nodes keep may speak of definitions that are others now.
            self._generation = self.definitions.generation
            self._found.clear()
            self._trees.clear()
        if url not in self._found:
            self._found[url] = self._made(url)
        return self._found[url]

    def _made(self, url: str) -> ProfileTree | None:
        if url.removeprefix(CORE) in self.definitions.type_kinds or not self.definitions.has_structure(url):
            return None
        structure = self.definitions.structure(url)
        found = self._trees.get(structure.url)
        if found is None:
            found = self._trees[structure.url] = profile_tree(structure, self.definitions)
        return found

    def invariant(self, constraint: Constraint, start_type: str) -> Invariant | None:
        """Compiled rule; None for an expression that is no FHIRPath."""
        key = (constraint, start_type)
        if key not in self._compiled:
            try:
                self._compiled[key] = self._invariants.compile(constraint, start_type)
            except (FhirPathError, KeyError):
                self._compiled[key] = None
        return self._compiled[key]


class Walk:
    """One resource against one profile after another; `findings` are (location, problem)."""

    def __init__(self, profiles: Profiles, environment: Environment, *, advice: bool, nested: int = 0) -> None:
        self._profiles = profiles
        self._items = profiles.items
        self._environment = environment
        self._advice = advice
        self._nested = nested
        self._tree: ProfileTree | None = None
        self.findings: list[Finding] = []
        self._discriminators = Discriminators(
            self._items,
            profiles.terminology,
            profiles.definitions.type_of,
            profiles.tree,
            self._conforms,
            environment,
        )

    def check(self, url: str, item: Item) -> None:
        """Check an item against a profile. Unknown profiles ask nothing."""
        wanted = self._profiles.definitions.type_of(url)
        if wanted is None:
            return
        outer, self._tree = self._tree, self._profiles.tree(url)
        if item.type != wanted and not self._profiles.definitions.is_a(item.type, wanted):
            self._report(item.location, "structure", f"{item.type} was found, expected {wanted}")
        elif self._tree is not None:
            self._value(self._tree.root, item)
        self._tree = outer

    def _conforms(self, url: str, item: Item) -> bool:
        """Whether the item has no error under the profile."""
        if self._nested >= MAX_NESTED:
            return True
        walk = Walk(self._profiles, self._environment, advice=False, nested=self._nested + 1)
        walk.check(url, item)
        return not walk.findings

    # --- one value ----------------------------------------------------------------------------------------------------

    def _value(self, node: ProfileNode, item: Item) -> None:
        if node.asks_of_value:
            if item.value is not None:
                if node.asks_content:
                    self._fixed(node, item)
                    self._range(node, item)
                if node.bound:
                    self._binding(node, item)
            if node.narrows:
                self._type(node, item)
            if node.constraints:
                self._constraints(node, item)
        if node.children or node.element.content_reference is not None:
            self._children(node, item)

    def _fixed(self, node: ProfileNode, item: Item) -> None:
        fixed, pattern = node.element.fixed, node.element.pattern
        if fixed is not None and not deep_equal(item.value, fixed):
            self._report(item.location, "value", f"expected exactly {_shown(fixed)}", item.value)
        if pattern is not None and not fits_pattern(item.value, pattern):
            self._report(item.location, "value", f"expected at least {_shown(pattern)}", item.value)

    def _report(self, location: Location, code: str, text: str, found: Any = None, severity: str = "error") -> None:
        self._add(location, Problem(severity, code, text, (), found))

    def _add(self, location: Location, problem: Problem | None) -> None:
        if problem is not None and (self._advice or problem.severity == "error"):
            name = f"profile {self._tree.structure.id}: " if self._tree else ""
            self.findings.append((location, problem._replace(diagnostics=name + problem.diagnostics)))

    def _range(self, node: ProfileNode, item: Item) -> None:
        element, value = node.element, item.value
        if element.max_length is not None and isinstance(value, str) and len(value) > element.max_length:
            text = f"{len(value)} characters were found, expected at most {element.max_length}"
            self._report(item.location, "too-long", text)
        if element.minimum is not None and _order(value, element.minimum, item.type) == -1:
            self._report(item.location, "value", f"expected at least {_shown(element.minimum)}", value)
        if element.maximum is not None and _order(value, element.maximum, item.type) == 1:
            self._report(item.location, "value", f"expected at most {_shown(element.maximum)}", value)

    def _binding(self, node: ProfileNode, item: Item) -> None:
        binding = node.element.binding
        if binding is None or (binding.strength != "required" and not self._advice):
            return
        checks = node.kept.get(("binding", item.type))
        if checks is None:
            made = (make(self._profiles.terminology, binding, item.type) for make in (binding_check, maximum_check))
            checks = node.kept["binding", item.type] = [check for check in made if check is not None]
        for check in checks:
            self._add(item.location, check(item.value))

    def _type(self, node: ProfileNode, item: Item) -> None:
        rows = node.element.types
        own = [row for row in rows if is_type(item.type, row.code)]
        if not own:
            expected = ", ".join(sorted({row.code for row in rows}))
            self._report(item.location, "structure", f"{item.type} was found, expected {expected}")
            return
        if item.type == "Reference" and item.value is not None:
            self._targets(node, own, item)
        if item.type == "Extension" and self._nested == 0:
            return  # every extension whose definition is here is held to it anyway (extensions.py)
        profiles = [profile for row in own for profile in row.profiles if self._profiles.tree(profile) is not None]
        if profiles and all(row.profiles for row in own):
            self._any_profile(profiles, item)

    def _targets(self, node: ProfileNode, rows: Sequence[ElementType], item: Item) -> None:
        targets = tuple(target for row in rows for target in row.targets)
        definitions = self._profiles.definitions
        check = node.kept.get(("targets", item.type))
        if check is None:
            types = target_types(targets, definitions.type_of)
            check = reference_check(types, definitions.resource_types) if types else _anything
            node.kept["targets", item.type] = check
        self._add(item.location, check(item.value, self._environment))
        known = [target for target in targets if self._profiles.tree(target) is not None]
        if not known:
            return
        found = self._items.resolved(item, self._environment)
        if found is not None and found.value is not None and known and len(known) == len(targets):
            inner = [target for target in known if definitions.type_of(target) == found.type]
            if inner and not any(self._conforms(target, found) for target in inner):
                self._report(item.location, "structure", f"what it points to conforms to none of {_names(inner)}")

    def _any_profile(self, profiles: Sequence[str], item: Item) -> None:
        """One profile of the type's row must be met; what is wrong is told where there is only one."""
        if self._nested >= MAX_NESTED:
            return
        if len(profiles) > 1:
            if not any(self._conforms(each, item) for each in profiles):
                self._report(item.location, "structure", f"it conforms to none of {_names(profiles)}")
            return
        walk = Walk(self._profiles, self._environment, advice=self._advice, nested=self._nested + 1)
        walk.check(profiles[0], item)
        self.findings += walk.findings

    def _constraints(self, node: ProfileNode, item: Item) -> None:
        rules = node.kept.get(("rules", item.type))
        if rules is None:
            rules = node.kept["rules", item.type] = [
                (each, self._profiles.invariant(each, item.type))
                for each in node.constraints
                if each.expression and each.key not in CHECKED_ELSEWHERE
            ]
        for constraint, invariant in rules:
            if constraint.severity != "error" and not self._advice:
                continue
            if invariant is None:
                text = f"the rule {constraint.key} cannot be evaluated here"
                self._add(item.location, Problem("warning", "not-supported", text))
            elif item.value is None:
                continue
            elif invariant.places is not None:
                for below in invariant.places(item.value):
                    self._broken(constraint, (*item.location, *below))
            elif not invariant.holds(item.value, self._environment):
                self._broken(constraint, item.location)

    def _broken(self, constraint: Constraint, location: Location) -> None:
        text = f"{constraint.human} ({constraint.key})"
        self._add(location, Problem(constraint.severity, "invariant", text, (), None, constraint.human_th))

    # --- what is below ------------------------------------------------------------------------------------------------

    def _children(self, node: ProfileNode, item: Item) -> None:
        plan = node.kept.get(("children", item.type))
        if plan is None:
            assert self._tree is not None
            plan = node.kept["children", item.type] = [
                (name, child, self._items.members(item.type, name)) for name, child in self._tree.below(node).items()
            ]
        holder = item.value if item.value.__class__ is dict else item.sibling or {}
        for name, child, members in plan:
            # Most elements that a profile speaks of are not there: a look at the names is all they cost.
            if not child.needed and holder.keys().isdisjoint(members.by_name.keys()):
                continue
            found = self._items.under(item, members)
            self._count(child, found, item.location, name)
            if child.asks_of_value or child.children or child.element.content_reference is not None:
                for each in found:
                    self._value(child, each)
            if child.slices:
                self._slices(child, found, item.location, name)

    def _count(self, node: ProfileNode, found: Sequence[Item], location: Location, name: str) -> None:
        element = node.element
        what = name if element.slice_name is None else f"{name}:{element.slice_name}"
        if len(found) < element.min:
            text = f"{len(found)} of {what} found, expected at least {element.min}"
            self._report((*location, name), "required", text)
        if element.max is not None and len(found) > element.max:
            text = f"{len(found)} of {what} found, expected at most {element.max}"
            self._report(found[element.max].location, "structure", text)

    def _slices(self, node: ProfileNode, found: Sequence[Item], location: Location, name: str) -> None:
        slicing = node.slicing
        if slicing is None:
            return
        members: list[list[Item]] = [[] for _ in node.slices]
        order: list[int] = []
        for item in found:
            index = self._slice_of(node, item, slicing.discriminators)
            order.append(len(node.slices) if index is None else index)
            if index is not None:
                members[index].append(item)
            elif slicing.rules == "closed":
                self._report(item.location, "structure", f"it fits no slice of {name}, and the slicing is closed")
        if (slicing.ordered or slicing.rules == "openAtEnd") and not _in_order(
            order, len(node.slices), slicing.ordered
        ):
            self._report((*location, name), "structure", f"the slices of {name} are not in the order of the profile")
        for each, items in zip(node.slices, members, strict=True):
            self._count(each, items, location, name)
            for item in items:
                self._value(each, item)
            if each.slices:
                self._slices(each, items, location, name)

    def _slice_of(self, node: ProfileNode, item: Item, discriminators: Sequence[tuple[str, str]]) -> int | None:
        for index, each in enumerate(node.slices):
            if discriminators:
                if self._discriminators.matches(each, item, discriminators):
                    return index
            elif _named_by_type(each, item) or (
                not node.element.is_choice and self._discriminators.satisfies(each, item)
            ):
                return index
        return None


def is_type(actual: str, declared: str) -> bool:
    """Whether a value of a type falls under a type that an element declares."""
    if actual == declared or declared in ("Resource", "BackboneElement", "Element"):
        return True
    return "." not in actual and declared == "DomainResource"


def _anything(value: Any, environment: Environment) -> None:
    """A Reference that may be to any type."""


def _named_by_type(node: ProfileNode, item: Item) -> bool:
    """Slices of a choice without discriminators are named as in JSON: `valueQuantity`."""
    return bool(item.location) and node.element.slice_name == item.location[-1]


def _in_order(order: Sequence[int], unmatched: int, ordered: bool) -> bool:
    if ordered:
        matched = [each for each in order if each != unmatched]
        if matched != sorted(matched):
            return False
    return ordered or all(one != unmatched or other == unmatched for one, other in itertools.pairwise(order))


def _order(value: Any, limit: Any, type_name: str) -> int | None:
    """-1, 0, 1 of value against limit; None where they cannot be compared."""
    if isinstance(value, dict) and isinstance(limit, dict):
        if value.get("code") != limit.get("code") or value.get("system") != limit.get("system"):
            return None
        value, limit = value.get("value"), limit.get("value")
    one, other = number(value), number(limit)
    if one is not None and other is not None:
        return (Decimal(one) > Decimal(other)) - (Decimal(one) < Decimal(other))
    kind = {"date": "Date", "time": "Time"}.get(type_name, "DateTime")
    if isinstance(value, str) and isinstance(limit, str):
        left, right = read_moment(value, kind), read_moment(limit, kind)
        return compare(left, right) if left is not None and right is not None else None
    return None


def _names(urls: Sequence[str]) -> str:
    return ", ".join(url.rpartition("/")[2] for url in urls)


def _shown(expected: Any) -> str:
    """A fixed value or pattern of a profile, which is no one's data."""
    text = write_json(expected).decode()
    return text if len(text) <= 200 else text[:200] + "..."
