"""What the compilation of an expression knows and does wherever it is: types, members, refusals.

Where the types are known, a path is a chain of dict accesses; a branch that cannot match the start type
(`Practitioner.name` of a Patient) disappears.   http://hl7.org/fhirpath/N1/#type-safety-and-strict-evaluation
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fhir_profiles.fhirpath import syntax
from fhir_profiles.fhirpath.code import Code, Frame, Types, empty_code
from fhir_profiles.fhirpath.errors import FhirPathError
from fhir_profiles.fhirpath.paths import extendable, following_code, path_code
from fhir_profiles.fhirpath.types import ABSTRACT, SYSTEM, Node, Nodes, Step, TypeSystem

Terms = Mapping[type, Callable[["Compiler", Any, Types], Code]]
"""What makes the code of each kind of syntax tree."""


class Compiler:
    """Compiles one expression."""

    def __init__(self, types: TypeSystem, terms: Terms, *, strict: bool) -> None:
        self.types = types
        self._terms = terms
        self.strict = strict
        """Refuse what cannot mean anything: unknown elements, `as` of several items, skip() of unordered items."""
        self.uses_frame = False
        """Whether an evaluation needs a Frame."""

    def refuse(self, message: str) -> Code:
        """Empty, or an error when strict."""
        if self.strict:
            raise FhirPathError("semantic", message)
        return empty_code()

    def compile(self, tree: syntax.Ast, scope: Types) -> Code:
        """Code of a tree; `scope` are the types of `$this`."""
        return self._terms[type(tree)](self, tree, scope)

    def member(self, of: Code, name: str) -> Code:
        """Code of `of.name`."""
        if of.types is None:
            return self._unknown_member(of, name)
        found = {each: step for each in of.types if (step := self.types.steps(each).get(name)) is not None}
        if not found and not any(each in SYSTEM for each in of.types):
            return self.refuse(f"{' or '.join(sorted(of.types))} has no element {name!r}") if of.types else empty_code()
        if len(of.types) == 1:
            (only,) = of.types
            step = found.get(only)
            if step is not None and not self.types.is_primitive(only) and only not in ABSTRACT:
                return self._extended(of, step)
        return self._unknown_member(of, name, found)

    def _extended(self, of: Code, step: Step) -> Code:
        if of.steps is not None and (not of.steps or extendable(of.steps[-1])):
            return path_code((*of.steps, step))
        return following_code(of, step)

    def _unknown_member(self, of: Code, name: str, found: dict[str, Step] | None = None) -> Code:
        run, child = of.run, self.child_of

        def follow(node: Node, frame: Frame) -> Nodes:
            out: Nodes = []
            for item in run(node, frame):
                child(item, name, out)
            return out

        if found is None:
            return Code(follow, None, ordered=of.ordered)
        types = {fhir_type for step in found.values() for fhir_type in step.choices.values()}
        types |= {f"System.{SYSTEM[each]}" for each in of.types or () if name == "value" and each in SYSTEM}
        single = of.single and not any(step.many for step in found.values())
        return Code(follow, None if types & set(ABSTRACT) else frozenset(types), single=single, ordered=of.ordered)

    def child_of(self, item: Node, name: str, out: Nodes) -> None:
        """Appends the children of that name; those of a primitive are in its sibling."""
        value, fhir_type, sibling = item
        if value.__class__ is dict:
            step = self.types.steps(fhir_type).get(name)
            if step is not None:
                step.collect(value, out)
        elif name == "value":
            if value is not None and fhir_type in SYSTEM and fhir_type[:7] != "System.":
                out.append((value, f"System.{SYSTEM[fhir_type]}", None))
        elif sibling.__class__ is dict:
            step = self.types.steps(fhir_type).get(name)
            if step is not None:
                step.collect(sibling, out)
        elif hasattr(value, "reflected"):
            value.reflected(name, out)
