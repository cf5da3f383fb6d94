"""Rules of one object that cardinalities and formats do not say: choices, emptiness, invariants.

Each node type (`Patient`, `Patient.contact`, `Period`) has one `NodeCheck`, which pydantic-core calls with the object
after its members were found correct.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from pydantic_core import PydanticCustomError

from fhir_profiles.definitions import Definitions
from fhir_profiles.fhirpath.environment import Environment
from fhir_profiles.validation.problems import EMPTY, ONLY_ID, Problem, raised


class Invariant(NamedTuple):
    key: str
    severity: str
    human: str
    guard: frozenset[str] | None
    """Without any of these members the object cannot break the rule; None: always look."""
    holds: Callable[[Any, Environment], bool]
    places: Callable[[Any], Sequence[tuple[str | int, ...]]] | None = None
    """Where below the value a rule that is decided in Python is broken; it is asked instead of `holds`."""
    expression: str = ""
    """FHIRPath, as it is evaluated."""


class Invariants(Protocol):
    """Where the invariants of a node come from: `invariants.py`, through our FHIRPath."""

    def of_node(self, node: str, severity: str) -> tuple[Invariant, ...]:
        """Those that the object of that type must fulfil."""


class Choice(NamedTuple):
    """A `value[x]`: at most one of its members may be there."""

    name: str
    members: frozenset[str]
    """JSON names, with their `_` siblings."""
    required: bool
    types: str


def choices_of(definitions: Definitions, node: str) -> tuple[Choice, ...]:
    found: dict[str, list[str]] = {}
    for each in definitions.properties(node).values():
        if each.element.is_choice:
            found.setdefault(each.element.name, []).append(each.name)
    children = definitions.children(node)
    return tuple(
        Choice(
            name,
            frozenset(members) | {"_" + each for each in members},
            children[name].min > 0,
            ", ".join(sorted(members)),
        )
        for name, members in found.items()
    )


def _needs_content(definitions: Definitions, node: str) -> bool:
    """ele-1: an element has a value or children; what has a required member need not be asked."""
    if definitions.type_kinds.get(node) == "resource":
        return False
    return not any(each.min > 0 and not each.is_choice for each in definitions.children(node).values())


class NodeCheck:
    """What to ask of every object of one node type; `severity` says which invariants: error or warning."""

    def __init__(self, definitions: Definitions, node: str, invariants: Invariants, severity: str) -> None:
        self._node = node
        self._severity = severity
        self._source = invariants
        self._invariants: tuple[Invariant, ...] | None = None
        errors = severity == "error"
        self.choices = choices_of(definitions, node) if errors else ()
        self.needs_content = errors and _needs_content(definitions, node)
        self._is_extension = errors and node == "Extension"
        self._contains = errors and "contained" in definitions.properties(node)
        self.has_invariants = any(
            each.severity == severity for each in definitions.element(node).constraints if each.expression
        )
        self.needed = bool(self.choices or self.needs_content or self.has_invariants)
        self.only_asks_for_content = self.needs_content and not (self.choices or self.has_invariants)

    def structural(self, value: Mapping[str, Any]) -> list[Problem]:
        """Problems that show in the names of the members alone; for objects that are otherwise wrong too."""
        if self.needs_content and len(value) == ("id" in value):
            return [EMPTY]
        problems: list[Problem] = []
        for choice in self.choices:
            found = choice.members.intersection(value)
            if len(found) > 1 and len({name.removeprefix("_") for name in found}) > 1:
                listed = ", ".join(sorted(found))
                text = f"{listed} were found together, expected at most one {choice.name}[x]"
                problems.append(Problem("error", "structure", text, (min(found),)))
            elif not found and choice.required:
                problems.append(Problem("error", "required", f"nothing was found, expected one of {choice.types}"))
        if self._is_extension and ("extension" in value) == any(name.lstrip("_").startswith("value") for name in value):
            problems.append(
                Problem("error", "invariant", "expected either extensions or a value, and not both (ext-1)")
            )
        if self._contains and "contained" in value:
            problems += repeated_ids(value["contained"])
        return problems

    def problems(self, value: Mapping[str, Any], environment: Environment) -> list[Problem]:
        """Everything that is wrong with an object whose members are right."""
        invariants = self._invariants
        if invariants is None:
            invariants = self._invariants = (
                self._source.of_node(self._node, self._severity) if self.has_invariants else ()
            )
        problems = self.structural(value) if self.choices or self.needs_content or self._contains else []
        for invariant in invariants:
            guard = invariant.guard
            if (guard is None or not guard.isdisjoint(value)) and not invariant.holds(value, environment):
                problems.append(broken(invariant))
        return problems

    def __call__(self, value: dict[str, Any], info: Any) -> dict[str, Any]:
        problems = self.problems(value, info.context)
        if problems:
            raise raised(problems)
        return value


def repeated_ids(contained: Any) -> list[Problem]:
    """Within a resource `#id` means one thing.   https://hl7.org/fhir/R4/references.html#contained"""
    if not isinstance(contained, list) or len(contained) < 2:
        return []
    problems, met = [], set()
    for index, each in enumerate(contained):
        local = each.get("id") if isinstance(each, dict) else None
        if isinstance(local, str) and local in met:
            text = "an id was found that another contained resource has, expected one of its own"
            problems.append(Problem("error", "duplicate", text, ("contained", index, "id")))
        met.add(str(local))
    return problems


def has_content(value: dict[str, Any]) -> dict[str, Any]:
    """ele-1 for objects of which nothing else is to be asked."""
    if len(value) == ("id" in value):
        raise raised([EMPTY])
    return value


def has_any(value: dict[str, Any]) -> dict[str, Any]:
    """An object is never empty."""
    if not value:
        raise raised([EMPTY])
    return value


def has_extension(value: dict[str, Any]) -> dict[str, Any]:
    """ele-1 beside a primitive: an id alone is enough only if the primitive has its value, which the caller knows."""
    if "extension" not in value:
        raise PydanticCustomError(ONLY_ID, "no extension") if value else raised([EMPTY])
    return value


def broken(invariant: Invariant) -> Problem:
    return Problem(invariant.severity, "invariant", f"{invariant.human} ({invariant.key})")


def value_check(checks: Iterable[Callable[[Any], Problem | None]]) -> Callable[[Any], Any]:
    """Validator function of checks that look at a value alone."""
    each_check: Sequence[Callable[[Any], Problem | None]] = tuple(checks)

    def check(value: Any) -> Any:
        problems = [problem for one in each_check if (problem := one(value)) is not None]
        if problems:
            raise raised(problems)
        return value

    return check
