"""Invariants as predicates: FHIRPath compiled when a node is first checked, skipped where it cannot be broken.

A rule fails when its expression is false. Empty is no failure, nor is an error: what cannot be decided (dates of
different precision, several values where one was meant) is no violation.   https://hl7.org/fhir/R4/conformance-rules.html#constraints
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fhir_profiles.definitions import Constraint, Definitions
from fhir_profiles.fhirpath import Environment, FhirPathError, compile_expression
from fhir_profiles.thai.rules import Native, native
from fhir_profiles.validation.checks import Invariant

Holds = Callable[[Any, Environment], bool]
Shown = Callable[[Any], bool]
"""Whether a value certainly fulfils a rule; False where the expression has to tell."""

CHECKED_ELSEWHERE = frozenset(["ele-1", "ext-1", "ref-1", "txt-1", "txt-2"])
"""By checks.py, references.py and narrative.py, which also say what is wrong."""

KNOWN_GUARDS = {"dom-2": "contained", "dom-3": "contained", "dom-4": "contained", "dom-5": "contained"}
"""Rules that speak of one member only, but look through the whole resource when it is there."""

MISWRITTEN = {"que-7": "operator = 'exists' implies (answer is boolean)"}
"""Rules whose published expression says something else than their text: `Boolean` is System's type, which an `answer`
(FHIR's boolean) never is, so every Questionnaire with `exists` would be refused."""

_WORD = re.compile(r"[A-Za-z_]\w*")
_FAR_SIGHTED = frozenset(["children", "descendants", "repeat", "resolve", "trace", "now", "today"])
"""Functions through which an expression sees more than the members it names."""


class FhirPathInvariants:
    """The invariants of the definitions, through our FHIRPath engine."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions

    def of_node(self, node: str, severity: str) -> tuple[Invariant, ...]:
        """Rules of a type or backbone element, for its objects. Raises: KeyError."""
        return self._compiled(self._definitions.element(node).constraints, node, severity)

    def of_element(self, path: str, start_type: str, severity: str) -> tuple[Invariant, ...]:
        """Rules that an element adds to those of its type (`Organization.telecom`: org-3)."""
        return self._compiled(self._definitions.element(path).constraints, start_type, severity)

    def of_profile(self, profile: str, severity: str) -> tuple[Invariant, ...]:
        """Rules that the profile of a datatype adds (SimpleQuantity: sqty-1)."""
        structure = self._definitions.structure(profile)
        own = {each.key for each in self._definitions.element(structure.type).constraints}
        added = [each for each in structure.elements[0].constraints if each.key not in own]
        return self._compiled(added, structure.type, severity)

    def _compiled(self, constraints: Iterable[Constraint], start_type: str, severity: str) -> tuple[Invariant, ...]:
        return tuple(
            self.compile(each, start_type)
            for each in constraints
            if each.severity == severity and each.expression and each.key not in CHECKED_ELSEWHERE
        )

    def compile(self, constraint: Constraint, start_type: str) -> Invariant:
        """One rule for values of the type. Raises: FhirPathError for an expression that is none."""
        if check := native(constraint.key, constraint.expression):
            return _decided_in_python(constraint, check, self._definitions)
        holds = predicate(constraint, self._definitions, start_type)
        if shown := self._shown(constraint):
            holds = _unless(shown, holds)
        guard = self._guard(constraint, start_type, holds)
        text = MISWRITTEN.get(constraint.key, constraint.expression or "")
        return Invariant(constraint.key, constraint.severity, constraint.human, guard, holds, None, text)

    def _shown(self, constraint: Constraint) -> Shown | None:
        """What shows for nearly all values that the rule holds, if it is the published one."""
        for (node, key), shown in _SHOWN.items():
            if key == constraint.key:
                published = {each.key: each.expression for each in self._definitions.element(node).constraints}
                return shown if constraint.expression == published[key] else None
        return None

    def _guard(self, constraint: Constraint, node: str, holds: Holds) -> frozenset[str] | None:
        """Members without which the rule is fulfilled: those it names, if it holds for an object without them."""
        if known := KNOWN_GUARDS.get(constraint.key):
            return frozenset([known])
        words = set(_WORD.findall(constraint.expression or ""))
        if words & _FAR_SIGHTED or self._definitions.is_primitive(node) or node.startswith("System."):
            return None
        is_resource = self._definitions.type_kinds.get(node) == "resource"
        if not is_resource and ("%resource" in constraint.expression or "%rootResource" in constraint.expression):  # type: ignore[operator]
            return None
        nothing: dict[str, Any] = {"resourceType": node} if is_resource else {}
        if not holds(nothing, Environment(resource=nothing, root=nothing)):
            return None
        named = [each.name for each in self._definitions.properties(node).values() if each.element.name in words]
        return frozenset(named) | {"_" + each for each in named}


def _decided_in_python(constraint: Constraint, check: Native, definitions: Definitions) -> Invariant:
    """One of the Thai rules (`thai/rules.py`)."""

    def places(value: Any) -> Sequence[tuple[str | int, ...]]:
        return check(value, definitions)

    def holds(value: Any, environment: Environment) -> bool:
        return not places(value)

    text = constraint.expression or ""
    return Invariant(constraint.key, constraint.severity, constraint.human, None, holds, places, text)


def predicate(constraint: Constraint, definitions: Definitions, start_type: str) -> Holds:
    """Whether a value fulfils the rule."""
    text = MISWRITTEN.get(constraint.key, constraint.expression or "")
    expression = compile_expression(text, definitions, start_type)

    def holds(value: Any, environment: Environment) -> bool:
        try:
            return expression.truth(value, environment) is not False
        except FhirPathError:
            return True

    return holds


def _unless(shown: Shown, evaluated: Holds) -> Holds:
    def holds(value: Any, environment: Environment) -> bool:
        return shown(value) or evaluated(value, environment)

    return holds


# --- what shows without an evaluation ---------------------------------------------------------------------------------


def _begins_before_it_ends(period: Any) -> bool:
    """per-1, where both are written alike: to the same precision and in the same zone, so that they sort as texts."""
    start, end = period.get("start"), period.get("end")
    if start.__class__ is not str or end.__class__ is not str or len(start) != len(end) or start > end:
        return False
    return len(start) <= len("2024-01-01") or start[-6:] == end[-6:] or start[-1] == end[-1] == "Z"


def _all_contained_are_referred_to(resource: Any) -> bool:
    """dom-3, where a Reference below the resource means each of them, as nearly always; the expression goes through the
    whole resource four times for each."""
    sought = set()
    for each in resource.get("contained", ()):
        local = each.get("id") if each.__class__ is dict else None
        if local.__class__ is not str:
            return False
        sought.add("#" + local)
    left: list[Any] = list(resource.values())
    while left:
        value = left.pop()
        if value.__class__ is dict:
            reference = value.get("reference")
            if reference.__class__ is str:
                sought.discard(reference)
                if not sought:
                    return True
            left.extend(value.values())
        elif value.__class__ is list:
            left.extend(value)
    return False


_SHOWN: dict[tuple[str, str], Shown] = {
    ("DomainResource", "dom-3"): _all_contained_are_referred_to,
    ("Period", "per-1"): _begins_before_it_ends,
}
"""By the node that publishes the rule and its key."""
