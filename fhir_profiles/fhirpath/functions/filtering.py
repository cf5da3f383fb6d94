"""Filtering and projection, and the loops over items.   http://hl7.org/fhirpath/N1/#filtering-and-projection"""

from __future__ import annotations

from collections.abc import Callable

from fhir_profiles.fhirpath import syntax
from fhir_profiles.fhirpath.code import EMPTY, NOTHING, Code, Frame, Run, Truth, Types, truth_of
from fhir_profiles.fhirpath.compiler import Compiler
from fhir_profiles.fhirpath.errors import FhirPathError
from fhir_profiles.fhirpath.functions.registry import Function, Table
from fhir_profiles.fhirpath.operators import joined_types
from fhir_profiles.fhirpath.parser import CHILDREN
from fhir_profiles.fhirpath.syntax import Ast
from fhir_profiles.fhirpath.type_operations import is_type, of_type
from fhir_profiles.fhirpath.types import Node, Nodes
from fhir_profiles.fhirpath.values import Distinct, singleton

MAX_ITEMS = 100_000
"""Of repeat(), select() and aggregate(): an expression that makes ever more items stops here."""


def mentions(tree: Ast, variable: str) -> bool:
    """Whether the expression reads `$index` or `$total`."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, syntax.Variable) and node.name == variable:
            return True
        children = CHILDREN.get(type(node))
        if children is not None:
            waiting.extend(children(node))
    return False


def indexed(truth: Truth, tree: Ast) -> Callable[[Node, Frame, int], bool | None]:
    """The truth of an item at its `$index`."""
    if not mentions(tree, "index"):
        return lambda item, frame, index: truth(item, frame)

    def at(item: Node, frame: Frame, index: int) -> bool | None:
        outer, frame.index = frame.index, index
        try:
            return truth(item, frame)
        finally:
            frame.index = outer

    return at


def where_code(compiler: Compiler, source: Code, criteria: Ast) -> Code:
    """Code of `source.where(criteria)`."""
    test = compiler.compile(criteria, source.types)
    truth, run = truth_of(test), source.run
    if mentions(criteria, "index"):
        at = indexed(truth, criteria)

        def where_index(node: Node, frame: Frame) -> Nodes:
            return [item for index, item in enumerate(run(node, frame)) if at(item, frame, index)]

        return Code(where_index, source.types, source.single, ordered=source.ordered)

    def where(node: Node, frame: Frame) -> Nodes:
        return [item for item in run(node, frame) if truth(item, frame)]

    def exists(node: Node, frame: Frame) -> bool:
        return any(truth(item, frame) for item in run(node, frame))

    return Code(where, source.types, source.single, exists=exists, ordered=source.ordered)


def _where(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    return where_code(compiler, source, arguments[0])


def _select(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    projection, run = compiler.compile(arguments[0], source.types), source.run
    each = projection.run
    if mentions(arguments[0], "index"):

        def select_index(node: Node, frame: Frame) -> Nodes:
            outer, out = frame.index, list[Node]()
            for index, item in enumerate(run(node, frame)):
                frame.index = index
                out.extend(each(item, frame))
            frame.index = outer
            return out

        return Code(select_index, projection.types, source.single and projection.single)

    def select(node: Node, frame: Frame) -> Nodes:
        out = [found for item in run(node, frame) for found in each(item, frame)]
        if len(out) > MAX_ITEMS:
            raise FhirPathError("execution", f"select() made more than {MAX_ITEMS} items")
        return out

    return Code(
        select,
        projection.types,
        single=source.single and projection.single,
        ordered=source.ordered and projection.ordered,
    )


def _repeat(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    """Items are taken once: http://hl7.org/fhirpath/N1/#repeatprojection-expression-collection"""
    first = compiler.compile(arguments[0], source.types)
    again = compiler.compile(arguments[0], first.types)
    for _ in range(3):  # types that a deeper level adds: Questionnaire.item -> item.item
        if again.types is None or first.types is None or again.types <= first.types:
            break
        first = Code(first.run, first.types | again.types)
        again = compiler.compile(arguments[0], first.types)
    else:
        again = compiler.compile(arguments[0], None)
    run, start, follow = source.run, compiler.compile(arguments[0], source.types).run, again.run

    def repeat(node: Node, frame: Frame) -> Nodes:
        found = Distinct()
        waiting = [item for each in run(node, frame) for item in start(each, frame) if found.add(item)]
        while waiting:
            waiting = [item for each in waiting for item in follow(each, frame) if found.add(item)]
            if len(found.items) > MAX_ITEMS:
                raise FhirPathError("execution", f"repeat() found more than {MAX_ITEMS} items")
        return found.items

    return Code(repeat, joined_types(first, again))


def _of_type(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    return of_type(compiler, source, specifier(arguments[0]))


def _as(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    return of_type(compiler, source, specifier(arguments[0]), single=True)


def _is(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    return is_type(compiler, source, specifier(arguments[0]))


def specifier(tree: Ast) -> str:
    """The type name that an argument is: `Quantity`, `FHIR.Patient`."""
    match tree:
        case syntax.Member(None, name):
            return name
        case syntax.Member(syntax.Member(None, namespace), name):
            return f"{namespace}.{name}"
    raise FhirPathError("semantic", "the name of a type was expected")


def _aggregate(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    """http://hl7.org/fhirpath/N1/#aggregates"""
    compiler.uses_frame = True
    run, step = source.run, compiler.compile(arguments[0], source.types).run
    start = compiler.compile(arguments[1], scope).run if len(arguments) > 1 else None

    def aggregate(node: Node, frame: Frame) -> Nodes:
        total = start(node, frame) if start is not None else EMPTY
        outer_total, outer_index = frame.total, frame.index
        for index, item in enumerate(run(node, frame)):
            frame.total, frame.index = total, index
            total = step(item, frame)
            if len(total) > MAX_ITEMS:
                raise FhirPathError("execution", f"aggregate() made more than {MAX_ITEMS} items")
        frame.total, frame.index = outer_total, outer_index
        return total

    return Code(aggregate)


def _iif(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    """http://hl7.org/fhirpath/N1/#iifcriterion-expression-true-result-collection-otherwise-result-collection-collection"""
    inner = source.types
    criterion = compiler.compile(arguments[0], inner)
    if compiler.strict and ((criterion.kinds and "Boolean" not in criterion.kinds) or _surely_many(criterion)):
        raise FhirPathError("semantic", "the criterion of iif() must be one Boolean")
    run, truth = source.run, truth_of(criterion)
    yes = compiler.compile(arguments[1], inner)
    no = compiler.compile(arguments[2], inner) if len(arguments) > 2 else None
    yes_run: Run = yes.run
    no_run: Run | None = no.run if no is not None else None

    def iif(node: Node, frame: Frame) -> Nodes:
        this = singleton(run(node, frame)) or NOTHING
        if truth(this, frame):
            return yes_run(this, frame)
        return no_run(this, frame) if no_run is not None else EMPTY

    types = yes.types if no is None else joined_types(yes, no)
    return Code(iif, types, single=yes.single and (no is None or no.single))


def _surely_many(code: Code) -> bool:
    return code.constant is not None and len(code.constant) > 1


def _trace(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    """Values go to the environment's trace, if it has one.   http://hl7.org/fhirpath/N1/#utility-functions"""
    name = compiler.compile(arguments[0], scope)
    label = name.constant[0][0] if name.constant else ""
    projection = compiler.compile(arguments[1], source.types) if len(arguments) > 1 else None
    run = source.run

    def traced(node: Node, frame: Frame) -> Nodes:
        found = run(node, frame)
        # Invariants use trace(); an evaluation without a frame has nobody who listens.
        listener = frame.given.trace if frame is not None and frame.given is not None else None
        if listener is not None:
            shown = found if projection is None else [each for item in found for each in projection.run(item, frame)]
            listener(str(label), [value for value, _, _ in shown])
        return found

    return Code(traced, source.types, source.single, ordered=source.ordered, distinct=source.distinct)


FILTERING: Table = {
    "where": Function(1, 1, _where),
    "select": Function(1, 1, _select),
    "repeat": Function(1, 1, _repeat),
    "ofType": Function(1, 1, _of_type),
    "as": Function(1, 1, _as),
    "is": Function(1, 1, _is),
    "aggregate": Function(1, 2, _aggregate),
    "iif": Function(2, 3, _iif),
    "trace": Function(1, 2, _trace),
}
