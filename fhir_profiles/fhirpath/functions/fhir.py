"""What FHIR adds to FHIRPath.   https://hl7.org/fhir/R4/fhirpath.html#functions"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fhir_profiles.fhirpath.code import EMPTY, Code, Frame, Types, boolean_code
from fhir_profiles.fhirpath.compiler import Compiler
from fhir_profiles.fhirpath.constants import resource_node
from fhir_profiles.fhirpath.environment import Environment
from fhir_profiles.fhirpath.errors import FhirPathError
from fhir_profiles.fhirpath.functions.filtering import where_code
from fhir_profiles.fhirpath.functions.registry import Function, Table, value_of
from fhir_profiles.fhirpath.references import entry_of, referred_type, resolve_within
from fhir_profiles.fhirpath.syntax import Ast, Binary, Literal, Member
from fhir_profiles.fhirpath.types import SYSTEM, Node, Nodes
from fhir_profiles.fhirpath.values import singleton
from fhir_profiles.narrative import narrative_fault


def reference_text(node: Node) -> str | None:
    """The literal reference of a Reference, canonical or uri."""
    value = node[0].get("reference") if node[0].__class__ is dict else node[0]
    return value if isinstance(value, str) else None


def _resolve(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    compiler.uses_frame = True
    run, resource_types = source.run, compiler.types.resource_types

    def resolve(node: Node, frame: Frame) -> Nodes:
        out: Nodes = []
        for item in run(node, frame):
            text = reference_text(item)
            found = None if text is None else load(text, frame.environment)
            if found is not None:
                out.append(resource_node(found))
        return out

    def told(node: Node, frame: Frame) -> str | None:
        found = run(node, frame)
        return referred_type(found[0][0], resource_types) if len(found) == 1 else None

    return Code(resolve, single=source.single, ordered=source.ordered, referred_type=told)


def load(text: str, environment: Environment) -> dict[str, Any] | None:
    """The resource that a literal reference points to: contained, in the Bundle, or through the environment."""
    root = environment.root if environment.root is not None else environment.resource
    if text[:1] == "#":
        return None if root is None else resolve_within(root, text)
    bundle = environment.bundle
    if bundle is None and root is not None and root.get("resourceType") == "Bundle":
        bundle = root
    found = None if bundle is None else entry_of(bundle, text)
    if found is None and environment.resolve is not None:
        found = environment.resolve(text)
    return found


def _extension(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    """extension(url): the extensions of that url."""
    extensions = compiler.member(source, "extension")
    url = compiler.compile(arguments[0], scope)
    if url.constant is not None and len(url.constant) == 1:
        text = Literal("String", url.constant[0][0])
        return where_code(compiler, extensions, Binary("=", Member(None, "url"), text))
    run, url_run = extensions.run, url.run

    def extension(node: Node, frame: Frame) -> Nodes:
        wanted = value_of(url_run(node, frame), "String", "extension")
        return [item for item in run(node, frame) if item[0].get("url") == wanted] if wanted is not None else EMPTY

    return Code(extension, extensions.types)


def _get_value(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    run = source.run

    def get_value(node: Node, frame: Frame) -> Nodes:
        found = run(node, frame)
        if len(found) != 1 or found[0][0] is None or found[0][1] not in SYSTEM or found[0][0].__class__ is dict:
            return EMPTY
        return [(found[0][0], f"System.{SYSTEM[found[0][1]]}", None)]

    return Code(get_value, single=True)


def _html_checks(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    run = source.run

    def checks(node: Node, frame: Frame) -> bool | None:
        item = singleton(run(node, frame))
        if item is None or not isinstance(item[0], str):
            return None
        return narrative_fault(item[0]) is None

    return boolean_code(checks)


def _asked(name: str, ask: Callable[[Environment, Node, str], bool | None]) -> Table:
    """A function whose answer comes from the environment."""

    def build(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
        compiler.uses_frame = True
        run, argument = source.run, compiler.compile(arguments[0], scope).run

        def asked(node: Node, frame: Frame) -> bool | None:
            item = singleton(run(node, frame))
            url = value_of(argument(node, frame), "String", name)
            if item is None or item[0] is None or url is None:
                return None
            return ask(frame.environment, item, url)

        return boolean_code(asked)

    return {name: Function(1, 1, build)}


def _member_of(environment: Environment, item: Node, url: str) -> bool | None:
    return None if environment.member_of is None else environment.member_of(item[0], item[1], url)


def _conforms_to(environment: Environment, item: Node, url: str) -> bool | None:
    known = None if environment.conforms_to is None else environment.conforms_to(item[0], url)
    if known is None:
        raise FhirPathError("execution", f"the profile {url[:200]!r} is not known")
    return known


def _subsumption(name: str, *, turned: bool) -> Table:
    def build(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
        compiler.uses_frame = True
        run, argument = source.run, compiler.compile(arguments[0], scope).run

        def subsumes(node: Node, frame: Frame) -> bool | None:
            one, other = singleton(run(node, frame)), singleton(argument(node, frame))
            ask = frame.environment.subsumes
            if one is None or other is None or ask is None:
                return None
            return ask(other[0], one[0]) if turned else ask(one[0], other[0])

        return boolean_code(subsumes)

    return {name: Function(1, 1, build)}


def _check_modifiers(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    """checkModifiers(url ...): an error for a modifier extension that is not named."""
    modifiers = compiler.member(source, "modifierExtension").run
    run = source.run
    known = [compiler.compile(tree, scope).run for tree in arguments]

    def check(node: Node, frame: Frame) -> Nodes:
        urls = {value_of(each(node, frame), "String", "checkModifiers") for each in known}
        if any(item[0].get("url") not in urls for item in modifiers(node, frame)):
            raise FhirPathError("execution", "there is a modifier extension that is not understood")
        return run(node, frame)

    return Code(check, source.types, source.single)


FHIR: Table = {
    "resolve": Function(0, 0, _resolve),
    "extension": Function(1, 1, _extension),
    "getValue": Function(0, 0, _get_value),
    "htmlChecks": Function(0, 0, _html_checks),
    "checkModifiers": Function(1, 50, _check_modifiers),
    **_asked("memberOf", _member_of),
    **_asked("conformsTo", _conforms_to),
    **_subsumption("subsumes", turned=False),
    **_subsumption("subsumedBy", turned=True),
}
