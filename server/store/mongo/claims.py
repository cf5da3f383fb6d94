"""What conditional interactions compete for: two that could make the same resource twice write the same claim.

A claim for each identifier value (whatever its system) in the criteria and in the new resources, so that differently
worded criteria for one identity meet; criteria without an identifier claim their own text. What that does not exclude:
two conditional creates of one person, one by name and one by birth date, without an identifier in either resource.
https://hl7.org/fhir/R4/http.html#ccreate
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b

from server.search.query import And, Criterion, Match, OfTypeOperand, Or, Parameter, TokenOperand
from server.search.values import OfType, Token
from server.store.contract import Commit, Matches, Put
from server.store.mongo.candidates import links

FindParameter = Callable[[str, str], Parameter | None]


def claims(commit: Commit, parameter: FindParameter, secret: bytes) -> set[bytes]:
    """Keys of the claims, keyed by the secret of the store: they tell nobody the identifiers."""
    queries = [one.query for one in commit.conditions if isinstance(one, Matches) and _competes(commit, one)]
    if not queries:
        return set()
    values = set(_written(commit, parameter))
    texts = set()
    for query in queries:
        asked = set(_asked(query.where))
        values |= asked
        if not asked:
            texts.add(f"criteria\0{query.types!r}\0{sorted(map(repr, query.where))!r}")
    texts |= {f"identifier\0{value}" for value in values}
    return {blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, key=secret).digest() for text in texts}


def _competes(commit: Commit, condition: Matches) -> bool:
    """Whether the commit could make or change a match of the condition. One that only refers to what it finds reads:
    did it claim too, all that name one Practitioner by identifier would make each other begin anew."""
    changed = {change.type for change in commit.changes}
    return not changed.isdisjoint(condition.query.types) or any(links(condition.query.where))


def _asked(criteria: Iterable[Criterion]) -> Iterator[str]:
    for criterion in criteria:
        if isinstance(criterion, And | Or):
            yield from _asked(criterion.criteria)
        elif isinstance(criterion, Match) and criterion.parameter.identifying:
            for operand in criterion.operands:
                if isinstance(operand, TokenOperand) and operand.code is not None:
                    yield operand.code
                elif isinstance(operand, OfTypeOperand):
                    yield operand.value


def _written(commit: Commit, parameter: FindParameter) -> Iterator[str]:
    for change in commit.changes:
        if not isinstance(change, Put):
            continue
        for code, values in change.index.items():
            known = None if code.startswith("#") else parameter(change.type, code)
            if known is not None and known.identifying and code == "identifier":
                yield from (value.code for value in values if isinstance(value, Token) and value.code)
                yield from (value.value for value in values if isinstance(value, OfType))
