"""`:above` and `:below` of references: transitive search through a hierarchy such as Location.partof, as chains.
https://hl7.org/fhir/R4/search.html#recursive
"""

from __future__ import annotations

from server.search.query import Chain, Criterion, Has, Ids, Match, Or, Parameter, ReferenceOperand
from server.search.registry import SearchParameters

DEPTH = 6
"""Levels that are followed up or down."""

PARENTS = ("partof", "part-of", "parent")
"""Codes by which a resource refers to the one above it."""

Levels = dict[str, Parameter]


def levels(parameter: Parameter, parameters: SearchParameters) -> Levels:
    """Target types that have a hierarchy, with the parameter that refers to the one above."""
    found: Levels = {}
    for target in parameter.targets:
        for code in PARENTS:
            registered = parameters.find(target, code)
            if registered is not None and target in registered.parameter.targets:
                found[target] = registered.parameter
                break
    return found


def below(parameter: Parameter, operands: tuple[ReferenceOperand, ...], levels: Levels) -> Criterion:
    """Refers to one of the operands, or to what is part of it."""
    direct = Match(parameter, "", operands)
    found: list[Criterion] = [direct]
    for target, parent in levels.items():
        inner: Criterion = Match(parent, "", operands)
        for _ in range(DEPTH):
            found.append(Chain(parameter, target, inner))
            inner = Chain(parent, target, inner)
    return Or(tuple(found))


def above(parameter: Parameter, operands: tuple[ReferenceOperand, ...], levels: Levels) -> Criterion:
    """Refers to one of the operands, or to what it is part of."""
    found: list[Criterion] = [Match(parameter, "", operands)]
    for target, parent in levels.items():
        ids = tuple((target, each.id) for each in operands if each.id is not None and each.type in (None, target))
        if not ids:
            continue
        inner: Criterion = Ids(ids)
        for _ in range(DEPTH):
            inner = Has(target, parent, inner)
            found.append(Chain(parameter, target, inner))
    return Or(tuple(found))
