"""What is right at sight: one walk over a resource for its type, its profiles and its extensions, without messages.

Nearly all resources are right, and most look like others before them. So each place (a type at a path, under the nodes
of profiles that speak of it) keeps, by the names of an object's members, what is then left to ask: required and
forbidden members, choices, cardinalities and the rules that cannot be broken are decided once for all objects with
these names.

Yes is certain; no means that the whole validation (`schema.py`, `conformance.py`, `extensions.py`) has to judge and say
what is wrong. Entries, `_name` members, contained resources of which a profile speaks and rare forms of slicing are
always left to it.
https://hl7.org/fhir/R4/validation.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pydantic_core import SchemaValidator

from fhir_profiles.definitions import Constraint, Definitions, Element, ElementType, Property
from fhir_profiles.fhirpath.environment import Environment
from fhir_profiles.fhirpath.values import deep_equal
from fhir_profiles.terminology_protocol import Terminology
from fhir_profiles.thai.rules import is_era_rule
from fhir_profiles.validation.bindings import STRING_TYPES, binding_check, maximum_check
from fhir_profiles.validation.checks import Invariant, NodeCheck, repeated_ids
from fhir_profiles.validation.conformance import Profiles, is_type
from fhir_profiles.validation.extensions import Holder, misplaced
from fhir_profiles.validation.invariants import CHECKED_ELSEWHERE, FhirPathInvariants
from fhir_profiles.validation.items import fits_pattern
from fhir_profiles.validation.presence import holds_by_names
from fhir_profiles.validation.primitives import INTEGER_RANGES
from fhir_profiles.validation.problems import Run
from fhir_profiles.validation.profile_tree import ProfileNode, ProfileTree
from fhir_profiles.validation.references import reference_check, target_types
from fhir_profiles.validation.schema import SchemaBuilder
from fhir_profiles.validation.sight_arrays import Bounds, Taken, array_test, choice_test, extensions_test
from fhir_profiles.validation.sight_slices import slices_of
from fhir_profiles.validation.sight_values import (
    REFERENCES_BYTES,
    Memory,
    Test,
    bound,
    christian,
    is_near_sighted,
    known_content,
    literally,
    never,
    plain_reference,
    printable,
    reference_test,
    remembered,
    rule_test,
    whole_number,
)
from fhir_profiles.validation.slicing import Discriminators

MAX_SHAPES = 20_000
"""Shapes and places that are kept; then all are made anew."""
SHAPE_ERRORS = (AttributeError, TypeError, KeyError, IndexError)
_DATES = frozenset(["date", "dateTime", "instant"])
_REPEATED = frozenset(["CodeableConcept", "Coding", "Meta", "Reference"])
"""Types whose very content comes again and again."""

Spoken = tuple[ProfileTree, ProfileNode]
"""A node of a profile, and the tree it belongs to."""


class Place(NamedTuple):
    """A value as far as it is known before it is seen."""

    type: str
    """`Observation`, `Observation.component`, `Quantity`, `code`."""
    path: str
    """From the resource, without indexes and types of choices: `Observation.component.value`."""
    property: Property | None
    """What it is of its parent; None for a resource."""
    spoken: tuple[Spoken, ...] = ()
    """What profiles say of it."""
    url: str = ""
    """Of an extension."""

    def key(self) -> tuple[object, ...]:
        element = self.property.element.path if self.property else ""
        return self.type, self.path, element, tuple(id(node) for _, node in self.spoken), self.url


class Shape(NamedTuple):
    """What is left to ask of an object whose members have certain names."""

    members: tuple[Test, ...]
    """One for each member, in order."""
    rules: tuple[Test, ...]
    """Asked of the whole object, when the members are right."""


UNKNOWN = Shape((), (never,))
"""Of objects that are wrong or that the whole validation has to judge."""


class Sight:
    """Tells of resources that nothing is wrong with them."""

    def __init__(
        self,
        definitions: Definitions,
        terminology: Terminology,
        invariants: FhirPathInvariants,
        profiles: Profiles,
        builder: SchemaBuilder,
    ) -> None:
        self._definitions = definitions
        self._terminology = terminology
        self._invariants = invariants
        self._profiles = profiles
        self._builder = builder
        self._forget()

    def _forget(self) -> None:
        self._generations = (self._definitions.generation, self._terminology.generation)
        self._memory = Memory()
        self._references = Memory(REFERENCES_BYTES)
        self._roots: dict[tuple[str, tuple[str, ...]], Test] = {}
        self._tests: dict[tuple[object, ...], Test] = {}
        self._made = 0
        self._discriminators = Discriminators(
            self._profiles.items,
            self._terminology,
            self._definitions.type_of,
            self._profiles.tree,
            lambda url, item: False,
            Environment(),
        )

    @property
    def kept(self) -> int:
        """Places and shapes that are kept."""
        return self._made

    def is_right(self, type_name: str, resource: Any, run: Run, urls: tuple[str, ...]) -> bool:
        """Whether the resource is certainly right under its type and the profiles `urls`, of which unknown ones ask
        nothing."""
        if self._generations != (self._definitions.generation, self._terminology.generation) or self._made > MAX_SHAPES:
            self._forget()
        key = (type_name, urls)
        test = self._roots.get(key)
        if test is None:
            self._made += 1
            test = self._roots[key] = self._root(type_name, urls)
        try:
            return test(resource, run)
        except SHAPE_ERRORS:
            return False  # what tells slices apart is asked before the items are known to be well-formed

    def _root(self, type_name: str, urls: tuple[str, ...]) -> Test:
        spoken: list[Spoken] = []
        for url in dict.fromkeys(urls):
            wanted = self._definitions.type_of(url)
            if wanted is None:
                continue
            if type_name != wanted and not self._definitions.is_a(type_name, wanted):
                return never
            tree = self._profiles.tree(url)
            if tree is not None:
                spoken.append((tree, tree.root))
        return self._test(Place(type_name, type_name, None, tuple(spoken)))

    # --- one value --------------------------------------------------------------------------------------------------

    def _test(self, place: Place) -> Test:
        key = place.key()
        found = self._tests.get(key)
        if found is None:
            self._made += 1
            found = self._tests[key] = self._made_test(place)
        return found

    def _made_test(self, place: Place) -> Test:
        if place.type == "Resource":
            return never
        if self._definitions.is_primitive(place.type) or place.type.startswith("System."):
            return self._primitive(place)
        if place.type in _REPEATED and place.property is not None and self._looks_at_itself(place):
            if place.type != "Reference":
                return known_content(self._object(place), self._memory)
            test = known_content(self._object(place), self._references)
            if place.spoken or place.property.element.constraints:
                return test
            return plain_reference(test, self._allowed(place)[1])
        return self._object(place)

    def _looks_at_itself(self, place: Place) -> bool:
        """Whether no rule on the value or below it, extensions apart, asks of anything beyond it."""
        assert place.property is not None
        own = place.property.element.constraints
        below = [rule for _, node in place.spoken for rule in _rules_below(node)]
        return all(is_near_sighted(rule.expression) for rule in (*own, *below))

    def _primitive(self, place: Place) -> Test:
        assert place.property is not None
        kind = place.type
        exact = self._exact(place.property)
        asked = self._asked_of_value(place)
        if asked is None:
            return never
        own, rules = place.property.element.constraints, self._rules_of_profiles(place)
        asked += [rule_test(each) for each in rules]
        is_plain = not asked and not own and place.property.element.binding is None
        expressions = [*(each.expression for each in own), *(each.expression for each in rules)]
        near = all(map(is_near_sighted, expressions))
        test = _all_of(exact, asked)
        if kind in _DATES:
            return christian(remembered(test, self._memory) if near else test)
        if kind in INTEGER_RANGES and is_plain:
            return whole_number(test, *INTEGER_RANGES[kind])
        if kind == "decimal" and is_plain:
            return whole_number(test, None, None)
        if kind in ("string", "markdown") and is_plain:
            return printable(test)
        if (kind in STRING_TYPES or kind.startswith("System.")) and near:
            return remembered(test, self._memory)
        return test

    def _exact(self, property_: Property) -> Test:
        """What the base says of a primitive, as the whole validation asks it."""
        schema: SchemaValidator = self._builder.value(property_)

        def test(value: Any, run: Run) -> bool:
            return schema.isinstance_python(value, context=run)

        return test

    def _object(self, place: Place) -> Test:
        shapes: dict[tuple[str, ...], Shape] = {}

        def test(value: Any, run: Run) -> bool:
            if value.__class__ is not dict:
                return False
            names = tuple(value)
            shape = shapes.get(names)
            if shape is None:
                self._made += 1
                shape = shapes[names] = self._shape(place, names)
            for ask, member in zip(shape.members, value.values(), strict=False):
                if not ask(member, run):
                    return False
            for rule in shape.rules:  # noqa: SIM110  a generator would cost as much as the test
                if not rule(value, run):
                    return False
            return True

        return test

    # --- what is asked of a value itself ------------------------------------------------------------------------------

    def _asked_of_value(self, place: Place) -> list[Test] | None:
        """What profiles ask of the value itself, rules and references apart; None for what is left to the whole
        validation."""
        tests: list[Test] = []
        for _, node in place.spoken:
            element = node.element
            if element.minimum is not None or element.maximum is not None:
                return None
            if node.narrows and not self._is_of_type(node, place.type):
                return None
            if node.asks_content:
                tests.append(_content_test(element))
            if node.bound and element.binding is not None and element.binding.strength == "required":
                made = [make(self._terminology, element.binding, place.type) for make in (binding_check, maximum_check)]
                tests += bound(check for check in made if check is not None)
        return tests

    def _is_of_type(self, node: ProfileNode, type_name: str) -> bool:
        own = own_rows(node, type_name)
        if not own:
            return False
        if type_name == "Extension":
            return True  # those that are known are held to their definitions by their urls
        profiles = [profile for row in own for profile in row.profiles if self._profiles.tree(profile) is not None]
        return not (profiles and all(row.profiles for row in own))

    def _rules_of_profiles(self, place: Place) -> list[Invariant]:
        """`christian` has asked the rule about the era of every date."""
        found = []
        for _, node in place.spoken:
            for each in node.constraints:
                if each.severity == "error" and each.expression and each.key not in CHECKED_ELSEWHERE:
                    invariant = (
                        None if is_era_rule(each.key, each.expression) else self._profiles.invariant(each, place.type)
                    )
                    if invariant is not None:
                        found.append(invariant)
        return found

    def _rules(self, place: Place, names: tuple[str, ...]) -> list[Test]:
        """Rules that an object with these names may break."""
        found: list[Invariant] = list(self._invariants.of_node(place.type, "error"))
        if place.property is not None:
            found += self._builder.element_invariants(place.property)
        found += self._rules_of_profiles(place)
        known = {name: each.element.name for name, each in self._definitions.properties(place.type).items()}
        present = {known[name] for name in names if name in known}
        return [
            rule_test(each)
            for each in found
            if (each.guard is None or not each.guard.isdisjoint(names))
            and not holds_by_names(each.expression, place.type, present, frozenset(known.values()))
        ]

    def _reference(self, place: Place) -> Test:
        """What the base and the profiles say about where a Reference points."""
        targets, allowed = self._allowed(place)
        definitions = self._definitions
        types = [target_types(each, definitions.type_of) for each in targets]
        checks = [reference_check(each, definitions.resource_types) for each in types]
        is_followed = any(self._profiles.tree(target) is not None for each in targets[1:] for target in each)
        return reference_test(checks, allowed, is_followed)

    def _allowed(self, place: Place) -> tuple[list[tuple[str, ...]], frozenset[str]]:
        """Target profiles of a Reference, the base's first, and the types that all of them allow."""
        assert place.property is not None
        targets = [place.property.type_row.targets if place.property.type_row else ()]
        targets += [
            tuple(target for row in own_rows(node, "Reference") for target in row.targets)
            for _, node in place.spoken
            if node.narrows
        ]
        allowed = self._definitions.resource_types
        for each in targets:
            types = target_types(each, self._definitions.type_of)
            allowed = allowed & types if types else allowed
        return targets, allowed

    # --- what is below ------------------------------------------------------------------------------------------------

    def _shape(self, place: Place, names: tuple[str, ...]) -> Shape:
        """What is left to ask of objects with these members."""
        spoken = self._spoken_below(place, names) if self._has_right_names(place.type, names) else None
        asked = self._asked_of_value(place)
        if spoken is None or asked is None:
            return UNKNOWN
        properties = self._definitions.properties(place.type)
        members = [
            self._member(place, properties[name], tuple(spoken.get(name, ())))
            if name in properties
            else literally(place.type)
            for name in names
        ]
        if never in members:
            return UNKNOWN
        if place.property is not None:
            asked += bound(self._builder.binding_checks(place.property))
        if place.type == "Reference":
            asked.append(self._reference(place))
        return Shape(tuple(members), (*asked, *self._rules(place, names)))

    def _has_right_names(self, type_name: str, names: tuple[str, ...]) -> bool:
        """Whether the base allows an object with these members, and all of them can be judged here."""
        known = {each.name: each for each in self._definitions.properties(type_name).values()}
        is_resource = self._definitions.type_kinds.get(type_name) == "resource"
        required = {name for name, each in known.items() if each.element.min > 0 and not each.element.is_choice}
        if is_resource:
            required.add("resourceType")
        if not required.issubset(names):
            return False
        if not all(name in known or (is_resource and name == "resourceType") for name in names):
            return False
        check = NodeCheck(self._definitions, type_name, self._invariants, "error")
        return type_name == "Reference" or not check.structural(dict.fromkeys(names))

    def _spoken_below(self, place: Place, names: tuple[str, ...]) -> dict[str, list[Spoken]] | None:
        """What profiles say of the members that are there; None where one is missing, or must not be there."""
        found: dict[str, list[Spoken]] = {}
        for tree, node in place.spoken:
            for name, child in tree.below(node).items():
                members = self._profiles.items.members(place.type, name)
                present = [each for each in members.each if each.name in names]
                if not present:
                    if child.needed:
                        return None
                    continue
                most = child.element.max
                if len(present) > 1 or (most is not None and most < 1):
                    return None
                found.setdefault(present[0].name, []).append((tree, child))
        return found

    def _member(self, parent: Place, property_: Property, spoken: tuple[Spoken, ...]) -> Test:
        element = property_.element
        place = Place(property_.type, f"{parent.path}.{element.name}", property_, spoken)
        sliced = [(tree, node) for tree, node in spoken if node.slices and node.slicing is not None]
        slicings = [slices_of(node, property_, self._discriminators) for _, node in sliced]
        known = [each for each in slicings if each is not None]
        if len(known) < len(slicings):
            return never
        if element.name == "contained":
            return never if spoken else self._contained

        def with_slices(taken: Taken) -> Place:
            inner = [(tree, node.slices[i]) for (tree, node), i in zip(sliced, taken, strict=True) if i >= 0]
            return place._replace(spoken=(*spoken, *inner))

        bounds = _bounds(property_, [node for _, node in spoken])
        if property_.type == "Extension":
            if any(each.member != "url" for each in known):
                return never
            return extensions_test(bounds, known, lambda url, taken: self._extension(parent, with_slices(taken), url))
        if element.is_array:
            repeated = property_.type in _REPEATED and self._looks_at_itself(place)
            return array_test(bounds, known, lambda taken: self._test(with_slices(taken)), repeated)
        if known:
            return choice_test(known, lambda taken: self._test(with_slices(taken)))
        return self._test(place)

    def _contained(self, value: Any, run: Run) -> bool:
        """The test of `contained`, of which no profile speaks: resources of known types that claim no profile."""
        if value.__class__ is not list or not value or repeated_ids(value):
            return False
        for each in value:
            if each.__class__ is not dict or "contained" in each or "profile" in each.get("meta", ()):
                return False
            type_name = each.get("resourceType")
            if type_name not in self._definitions.resource_types:
                return False
            inner = Run(resource=each, root=run.root, bundle=run.bundle, known_extensions=run.known_extensions)
            if not self._test(Place(type_name, type_name, None))(each, inner):
                return False
        return True

    def _extension(self, holder: Place, place: Place, url: str) -> Test:
        """The test of extensions with this url, those of known ones with their definitions."""
        definitions = self._definitions
        spoken = place.spoken
        if definitions.is_known_extension(url):
            if definitions.type_of(url) != "Extension":
                return never
            structure = definitions.structure(url)
            around = Holder({"url": holder.url}, holder.type, holder.property, holder.path, (), Environment())
            assert place.property is not None
            is_plain = not structure.context_invariants and all(
                kind in ("element", "extension") for kind, _ in structure.contexts
            )
            if not is_plain or misplaced(structure, around, place.property.name, definitions) is not None:
                return never
            tree = self._profiles.tree(url)
            spoken = spoken if tree is None else (*spoken, (tree, tree.root))
        return self._test(place._replace(spoken=spoken, url=url))


def own_rows(node: ProfileNode, type_name: str) -> list[ElementType]:
    """Type rows of a profile's element that a value of the type falls under."""
    return [row for row in node.element.types if is_type(type_name, row.code)]


def _rules_below(node: ProfileNode) -> Iterator[Constraint]:
    yield from node.constraints
    for each in (*node.children.values(), *node.slices):
        yield from _rules_below(each)


def _bounds(property_: Property, nodes: Sequence[ProfileNode]) -> Bounds:
    """How many values the base and the profiles allow; an array is never empty."""
    elements = [property_.element, *(node.element for node in nodes)]
    most = [each.max for each in elements if each.max is not None]
    return Bounds(max(1, *(each.min for each in elements)), min(most) if most else None)


def _content_test(element: Element) -> Test:
    """Fixed value, pattern and length."""
    fixed, pattern, most = element.fixed, element.pattern, element.max_length

    def test(value: Any, run: Run) -> bool:
        return (
            (fixed is None or deep_equal(value, fixed))
            and (pattern is None or fits_pattern(value, pattern))
            and (most is None or value.__class__ is not str or len(value) <= most)
        )

    return test


def _all_of(exact: Test, asked: Sequence[Test]) -> Test:
    return (lambda value, run: exact(value, run) and all(each(value, run) for each in asked)) if asked else exact
