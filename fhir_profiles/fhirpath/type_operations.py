"""`is`, `as` and ofType().   http://hl7.org/fhirpath/N1/#types"""

from __future__ import annotations

from collections.abc import Callable

from fhir_profiles.fhirpath.code import Code, Frame, Truth, boolean_code, empty_code, exists_of
from fhir_profiles.fhirpath.compiler import Compiler
from fhir_profiles.fhirpath.errors import FhirPathError
from fhir_profiles.fhirpath.paths import path_code
from fhir_profiles.fhirpath.types import ABSTRACT, Node, Nodes
from fhir_profiles.fhirpath.values import singleton


def known_type(compiler: Compiler, name: str) -> str:
    """The type of a specifier.   Raises: FhirPathError for an unknown one."""
    found = compiler.types.qualified(name)
    if found is None:
        raise FhirPathError("semantic", f"there is no type {name!r}")
    return found


def is_type(compiler: Compiler, source: Code, name: str) -> Code:
    """Code of `source is name`."""
    wanted, is_a = known_type_or_none(compiler, name), compiler.types.is_a
    if wanted is None:
        run = source.run
        return boolean_code(lambda node, frame: None if singleton(run(node, frame)) is None else False)
    if source.referred_type is not None:
        return boolean_code(_refers_to(source, wanted, is_a))
    if source.types is not None and source.single:
        fitting = [is_a(each, wanted) for each in source.types]
        if all(fitting) or not any(fitting):
            answer, exists = bool(fitting) and all(fitting), exists_of(source)
            return boolean_code(lambda node, frame: answer if exists(node, frame) else None)
    run = source.run

    def matches(node: Node, frame: Frame) -> bool | None:
        item = singleton(run(node, frame))
        return None if item is None else is_a(item[1], wanted)

    return boolean_code(matches)


def known_type_or_none(compiler: Compiler, name: str) -> str | None:
    """`is System.Patient` is false rather than an error; an unknown name without namespace is an error."""
    return None if name[:7] == "System." and compiler.types.qualified(name) is None else known_type(compiler, name)


def _refers_to(source: Code, wanted: str, is_a: Callable[[str, str], bool]) -> Truth:
    referred, run = source.referred_type, source.run
    assert referred is not None

    def refers(node: Node, frame: Frame) -> bool | None:
        told = referred(node, frame)
        if told is not None:
            return is_a(told, wanted)
        item = singleton(run(node, frame))
        return None if item is None else is_a(item[1], wanted)

    return refers


def of_type(compiler: Compiler, source: Code, name: str, *, single: bool = False) -> Code:
    """Code of `source.ofType(name)`, or of `source as name` where `single`."""
    wanted, is_a = known_type(compiler, name), compiler.types.is_a
    if source.types is not None and wanted not in ABSTRACT:
        fitting = frozenset(each for each in source.types if is_a(each, wanted))
        if not fitting:
            return empty_code()
        if fitting == source.types and not (single and not source.single):
            return source
        if source.steps and source.steps[-1].key is None:
            return _narrowed(compiler, source, fitting)
    else:
        fitting = frozenset((wanted,))
    run = source.run
    only_one = single and compiler.strict and not source.single

    def matching(node: Node, frame: Frame) -> Nodes:
        found = run(node, frame)
        if only_one:
            singleton(found)
        return [item for item in found if is_a(item[1], wanted)]

    return Code(matching, None if wanted in ABSTRACT else _with_subtypes(compiler, source, fitting), source.single)


def _with_subtypes(compiler: Compiler, source: Code, fitting: frozenset[str]) -> frozenset[str] | None:
    """The narrowed types; not known where the items were not and the type has subtypes."""
    if source.types is not None:
        return fitting
    (wanted,) = fitting
    return fitting if compiler.types.is_resource(wanted) else None


def _narrowed(compiler: Compiler, source: Code, fitting: frozenset[str]) -> Code:
    assert source.steps
    *before, last = source.steps
    choices = {key: fhir_type for key, fhir_type in last.choices.items() if fhir_type in fitting}
    return path_code((*before, last.narrowed(choices, compiler.types.is_primitive)))


def type_operation(compiler: Compiler, operator: str, source: Code, name: str) -> Code:
    """Code of `source is name` or `source as name`."""
    if operator == "is":
        return is_type(compiler, source, name)
    return of_type(compiler, source, name, single=True)
