"""Chains and `_has` through canonical references, which name a resource by its `url` and perhaps its version.

What is at the other end is searched first; what it is called by, or what it calls, takes its place in the query. So a
page sees definitions as they are when it is asked for.   https://hl7.org/fhir/R4/references.html#canonical
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from server.context import Context
from server.search.criteria import NOTHING
from server.search.query import (
    And,
    Chain,
    Criterion,
    Has,
    Match,
    Not,
    Or,
    Parameter,
    Query,
    ReferenceOperand,
    TextOperand,
    TokenOperand,
    any_of,
)
from server.search.request import SearchRequest
from server.search.values import Index, Reference, Token, Uri
from server.store.contract import QueryTooCostly

MOST = 1000
"""Definitions, or resources that name them, on one side of such a hop."""
UNVERSIONED = ""
"""Version of an operand that means canonicals without one."""


async def resolved(ctx: Context, plan: SearchRequest) -> SearchRequest:
    """The search without such hops. Raises: QueryTooCostly."""
    if not plan.by_url:
        return plan
    query = plan.query
    where = tuple([await _resolved(ctx, query.types, each) for each in query.where])
    return replace(plan, query=replace(query, where=where))


async def _resolved(ctx: Context, types: Iterable[str], criterion: Criterion) -> Criterion:
    match criterion:
        case And(parts):
            return And(tuple([await _resolved(ctx, types, each) for each in parts]))
        case Or(parts):
            return any_of([await _resolved(ctx, types, each) for each in parts])
        case Not(inner):
            return Not(await _resolved(ctx, types, inner))
        case Chain(parameter, target, inner, by_url):
            inner = await _resolved(ctx, (target,), inner)
            if not by_url:
                return Chain(parameter, target, inner)
            return _named_by(parameter, await _called(ctx, target, inner))
        case Has(source, parameter, inner, by_url):
            inner = await _resolved(ctx, (source,), inner)
            if not by_url:
                return Has(source, parameter, inner)
            return _is_one_of(ctx, types, await _calls(ctx, source, parameter, inner))
        case _:
            return criterion


async def _indexes(ctx: Context, type_: str, criterion: Criterion) -> list[Index]:
    """Index values of the resources of a type that fulfil a criterion. Raises: QueryTooCostly."""
    hits = await ctx.store.search(Query((type_,), (criterion,), limit=MOST))
    if hits.more:
        raise QueryTooCostly(
            f"More than {MOST} resources of type {type_} are at the other end of a canonical reference; "
            "add a criterion for them"
        )
    return [ctx.search.extract(type_, hit.version.body or b"{}") for hit in hits.hits]


async def _called(ctx: Context, target: str, criterion: Criterion) -> list[tuple[str, str | None]]:
    """`url` and version of the definitions that fulfil a criterion."""
    return [
        (url.value, version_in(index))
        for index in await _indexes(ctx, target, criterion)
        for url in index.get("url", ())
        if isinstance(url, Uri)
    ]


async def _calls(ctx: Context, source: str, parameter: Parameter, criterion: Criterion) -> list[tuple[str, str | None]]:
    """`url` and version that the resources which fulfil a criterion name, each once."""
    found = {
        (value.url, value.version): None
        for index in await _indexes(ctx, source, criterion)
        for value in index.get(parameter.code, ())
        if isinstance(value, Reference) and value.url is not None
    }
    return list(found)


def references_by_url(called: Iterable[tuple[str, str | None]]) -> list[Reference]:
    """What a canonical may say to mean one of these: its url alone, or with the version that it is."""
    found: dict[Reference, None] = {}
    for url, version in called:
        found[Reference(None, None, UNVERSIONED, url)] = None
        if version is not None:
            found[Reference(None, None, version, url)] = None
    return list(found)


def version_in(index: Index) -> str | None:
    """The business version of a definition."""
    return next((each.code for each in index.get("version", ()) if isinstance(each, Token)), None)


def _named_by(parameter: Parameter, called: list[tuple[str, str | None]]) -> Criterion:
    operands = [ReferenceOperand(None, None, each.version, each.url) for each in references_by_url(called)]
    return Match(parameter, "", tuple(operands)) if operands else NOTHING


def _is_one_of(ctx: Context, types: Iterable[str], called: list[tuple[str, str | None]]) -> Criterion:
    """A definition that is called so."""
    parameters = ctx.search.parameters
    found: list[Criterion] = []
    for type_ in types:
        url, version = parameters.find(type_, "url"), parameters.find(type_, "version")
        if url is None:
            continue
        for written, number in called:
            is_called: Criterion = Match(url.parameter, "", (TextOperand(written, written),))
            if number is not None:
                if version is None:
                    continue
                is_called = And((is_called, Match(version.parameter, "", (TokenOperand(None, number, True),))))
            found.append(is_called)
    return any_of(found)
