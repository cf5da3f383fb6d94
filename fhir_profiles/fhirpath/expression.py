"""FHIRPath expressions, compiled once and evaluated often.   http://hl7.org/fhirpath/N1/

names = compile_expression("Patient.name.given", definitions, "Patient")
names.evaluate(patient)        -> ["Somchai", ...]
names.nodes(patient)           -> [("Somchai", "string"), ...]
compile_expression("name.exists()", definitions, "Patient.contact").truth(contact) -> True
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fhir_profiles.definitions import Definitions
from fhir_profiles.fhirpath.code import Frame, truth_of
from fhir_profiles.fhirpath.environment import Environment
from fhir_profiles.fhirpath.errors import FhirPathError
from fhir_profiles.fhirpath.parser import parse
from fhir_profiles.fhirpath.syntax import Ast
from fhir_profiles.fhirpath.terms import compiler_of
from fhir_profiles.fhirpath.types import ABSTRACT, Node, Nodes, TypeSystem, type_system

SHAPE_ERRORS = (AttributeError, TypeError, ValueError, KeyError, ArithmeticError)
"""What Python raises where a resource does not have the JSON of its type (a text where an object belongs), or numbers
beyond calculation."""

CACHED = 20_000
"""Expressions kept for one set of definitions; the official ones and their start types are some 5000."""


class Expression:
    """One expression for values of one type. Evaluation changes nothing and may run in several threads."""

    __slots__ = ("_code", "_run", "_start", "_truth", "_uses_frame", "text", "tree", "types")

    def __init__(self, text: str, types: TypeSystem, start_type: str | None, *, strict: bool = False) -> None:
        self.text = text
        self.tree: Ast = parse(text)
        scope = types.start_types(start_type)
        compiler = compiler_of(types, strict=strict)
        self._code = compiler.compile(self.tree, scope)
        self._run = self._code.run
        self._truth = truth_of(self._code)
        self._uses_frame = compiler.uses_frame
        self._start = next(iter(scope)) if scope is not None and len(scope) == 1 else None
        self.types: frozenset[str] | None = self._code.types
        """FHIR or System types that the items can have; None where that depends on the data."""

    @property
    def never(self) -> bool:
        """Whether it is empty for every value of the start type: `Practitioner.name` of a Patient."""
        return self._code.constant == []

    def _this(self, value: Any, fhir_type: str | None, sibling: Any) -> Node:
        known = fhir_type or self._start
        if known is None or known in ABSTRACT:
            known = value.get("resourceType", "") if isinstance(value, Mapping) else ""
        return (value, known, sibling)

    def _frame(self, this: Node, environment: Environment | None) -> Frame | None:
        """None where nothing will look at it."""
        if self._uses_frame or (environment is not None and environment.trace is not None):
            return Frame(this, environment)
        return None

    def items(
        self,
        value: Any,
        environment: Environment | None = None,
        *,
        fhir_type: str | None = None,
        sibling: Any = None,
    ) -> Nodes:
        """Items as (value, type, sibling object of a primitive); not for changing. See `evaluate`."""
        this = self._this(value, fhir_type, sibling)
        try:
            return self._run(this, self._frame(this, environment))  # type: ignore[arg-type]
        except SHAPE_ERRORS as error:
            raise self._misshapen() from error

    def _misshapen(self) -> FhirPathError:
        return FhirPathError("execution", f"{self.text[:200]!r} met an element that does not have its type's structure")

    def evaluate(
        self,
        value: Any,
        environment: Environment | None = None,
        *,
        fhir_type: str | None = None,
        sibling: Any = None,
    ) -> list[Any]:
        """Plain values of the collection: dicts, str (dates too), int, bool, LosslessFloat; what is computed may be
        Decimal or `Measure`. A primitive that only has extensions has no value and is left out.

        `value` is a resource, or an element of the start type; `fhir_type` names the type of a choice, `sibling` is
        the `_name` object of a primitive. Raises: FhirPathError."""
        found = self.items(value, environment, fhir_type=fhir_type, sibling=sibling)
        return [each[0] for each in found if each[0] is not None]

    def nodes(self, value: Any, environment: Environment | None = None) -> list[tuple[Any, str]]:
        """(value, FHIR type) of each item that has a value: `("1970-03-30", "date")`, `({...}, "HumanName")`. The type
        of a backbone element is its path, of a computed value `System.Boolean` ... Raises: FhirPathError."""
        return [(each[0], each[1]) for each in self.items(value, environment) if each[0] is not None]

    def truth(
        self,
        value: Any,
        environment: Environment | None = None,
        *,
        fhir_type: str | None = None,
        sibling: Any = None,
    ) -> bool | None:
        """The Boolean of the expression; None where it is empty, which is neither true nor false.
        Raises: FhirPathError, also for several items."""
        this = self._this(value, fhir_type, sibling)
        try:
            return self._truth(this, self._frame(this, environment))  # type: ignore[arg-type]
        except SHAPE_ERRORS as error:
            raise self._misshapen() from error


def compile_expression(
    text: str, definitions: Definitions, start_type: str | None = None, *, strict: bool = False
) -> Expression:
    """The expression for values of a type: a resource or datatype (`Patient`, `HumanName`), an element
    (`Observation.component`, `Observation.effective[x]`), or None for any resource. Compiled once and kept.

    Unknown elements and paths of other types give nothing, unless `strict`; `as` of several items filters like
    ofType(), as the official search parameters and dom-3 expect, unless `strict`.
    Raises: FhirPathError; KeyError for an unknown start type."""
    cache: dict[tuple[str, str | None, bool], Expression] = definitions.kept.setdefault(__name__, {})
    found = cache.get((text, start_type, strict))
    if found is None:
        if len(cache) >= CACHED:
            cache.clear()
        found = Expression(text, type_system(definitions), start_type, strict=strict)
        cache[text, start_type, strict] = found
    return found
