"""Criteria on contained resources, by the values their containers have of them.
https://hl7.org/fhir/R4/search.html#contained

The index of a container holds the values of all its contained resources of one type together, so with several criteria,
or several contained resources, it tells what may match; `Search.contained` says which contained resources do, each of
which meets all criteria (but for chains, which the container is asked).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from server.search.query import (
    And,
    Chain,
    Criterion,
    Ids,
    Match,
    Missing,
    Not,
    Or,
    Parameter,
    ReferenceOperand,
    TokenOperand,
)
from server.search.types.reference import contained_url

_ID = Parameter("_id", "token", identifying=True)


class NotWithin(Exception):
    """The criterion cannot be asked of contained resources."""


def code_within(resource_type: str, code: str) -> str:
    """Key of a contained resource's parameter in the index of its container."""
    return f"#{resource_type}.{code}"


def within(criterion: Criterion, resource_type: str) -> Criterion:
    """The criterion, of contained resources of this type. Raises: NotWithin."""
    match criterion:
        case Match() | Missing() | Chain():
            parameter = replace(criterion.parameter, code=code_within(resource_type, criterion.parameter.code))
            return replace(criterion, parameter=parameter)
        case Ids(ids):
            parameter = replace(_ID, code=code_within(resource_type, _ID.code))
            return Match(parameter, "", tuple(TokenOperand(None, id_, True) for _, id_ in ids))
        case Not(inner):
            return Not(within(inner, resource_type))
        case And(criteria):
            return And(tuple(within(each, resource_type) for each in criteria))
        case Or(criteria):
            return Or(tuple(within(each, resource_type) for each in criteria))
        case _:
            raise NotWithin


def may_be_within(criterion: Criterion, resource_type: str) -> Criterion:
    """What holds for every container of a contained resource that fulfils the criterion, and perhaps for others: what
    one contained resource lacks another may have. Raises: NotWithin."""
    match criterion:
        case Not(inner):
            within(inner, resource_type)
            return any_within(resource_type)
        case Missing(_, True):
            return any_within(resource_type)
        case And(criteria):
            return And(tuple(may_be_within(each, resource_type) for each in criteria))
        case Or(criteria):
            return Or(tuple(may_be_within(each, resource_type) for each in criteria))
        case _:
            return within(criterion, resource_type)


def needs_confirming(where: Sequence[Criterion]) -> bool:
    """Whether containers that `may_be_within` finds must be looked into: only one positive criterion is met by one
    contained resource for certain."""
    return len(where) > 1 or any(not _is_certain(each) for each in where)


def _is_certain(criterion: Criterion) -> bool:
    if isinstance(criterion, Or):
        return all(map(_is_certain, criterion.criteria))
    return not isinstance(criterion, Not | And) and not (isinstance(criterion, Missing) and criterion.missing)


def any_within(resource_type: str) -> Criterion:
    """There is a contained resource of this type."""
    return Missing(replace(_ID, code=code_within(resource_type, _ID.code)), False)


def chained(parameter: Parameter, target: str, criterion: Criterion) -> Criterion:
    """`criterion` holds for what `parameter` refers to: a resource of its own, or one contained beside it."""
    chain = Chain(parameter, target, criterion)
    try:
        inner = within(criterion, target)
    except NotWithin:
        return chain
    refers = Match(parameter, "", (ReferenceOperand(None, None, None, contained_url(target)),))
    return Or((chain, And((refers, inner))))
