"""As many values as a request may ask for (server/search/parse.py, Limits): answered, and rightly."""

from __future__ import annotations

import asyncio
import random

import pytest

from server.search.query import (
    Criterion,
    FullText,
    Match,
    Not,
    Or,
    Parameter,
    QuantityOperand,
    Query,
    RangeOperand,
    ReferenceOperand,
    TextOperand,
    TokenOperand,
)
from server.search.types.number import above
from server.search.values import Date, Index, Number, Quantity, Reference, String, Token, Uri
from server.store.contract import Commit, Store
from tests.contract.resources import HandRules, put

MANY = 1000


def index(n: int) -> Index:
    number = Number(float(n), above(float(n)), float(n))
    return {
        "identifier": [Token("https://id", f"{n}")],
        "code": [Token("s", f"c{n}")],
        "name": [String(f"name {n}.", f"Name {n}.")],
        "url": [Uri(f"http://u/{n}")],
        "date": [Date(n * 10, n * 10 + 1)],
        "value-quantity": [Quantity(number, None, f"u{n}", None, number, f"u{n}")],
        "subject": [Reference("Patient", f"p{n}", None, None)],
        "focus": [Reference("Device", f"d{n}", None, None)],
    }


def date_range(n: int) -> RangeOperand:
    return RangeOperand("ge" if n == -1 else "eq", n * 10, n * 10 + 1, n * 10)


def quantity(n: int) -> QuantityOperand:
    return QuantityOperand(RangeOperand("eq", n - 0.5, n + 0.5, n), None, None, None, None)


NAMED = range(1, MANY * 2, 2)
"""Half of what is asked for is there."""

CRITERIA: dict[str, Criterion] = {
    "identifiers": Match(
        Parameter("identifier", "token", identifying=True),
        "",
        tuple(TokenOperand("https://id", f"{n}", False) for n in NAMED),
    ),
    "identifiers without system": Match(
        Parameter("identifier", "token", identifying=True), "", tuple(TokenOperand(None, f"{n}", True) for n in NAMED)
    ),
    "codes": Match(Parameter("code", "token"), "", tuple(TokenOperand("s", f"c{n}", False) for n in NAMED)),
    "codes without system": Match(
        Parameter("code", "token"), "", tuple(TokenOperand(None, f"c{n}", True) for n in NAMED)
    ),
    "names": Match(Parameter("name", "string"), "", tuple(TextOperand(f"name {n}.", "") for n in NAMED)),
    "names exactly": Match(
        Parameter("name", "string"), "exact", tuple(TextOperand(f"name {n}.", f"Name {n}.") for n in NAMED)
    ),
    "parts of names": Match(Parameter("name", "string"), "contains", tuple(TextOperand(f" {n}.", "") for n in NAMED)),
    "uris": Match(Parameter("url", "uri"), "", tuple(TextOperand("", f"http://u/{n}") for n in NAMED)),
    "dates": Match(Parameter("date", "date"), "", tuple(date_range(n) for n in NAMED)),
    "quantities": Match(Parameter("value-quantity", "quantity"), "", tuple(quantity(n) for n in NAMED)),
    "patients": Match(
        Parameter("subject", "reference"), "", tuple(ReferenceOperand("Patient", f"p{n}", None, None) for n in NAMED)
    ),
    "references": Match(
        Parameter("focus", "reference"), "", tuple(ReferenceOperand("Device", f"d{n}", None, None) for n in NAMED)
    ),
    "alternatives": Or(
        tuple(Match(Parameter("code", "token"), "", (TokenOperand("s", f"c{n}", False),)) for n in NAMED)
    ),
}


@pytest.fixture
async def filled(store: Store, rules: HandRules) -> Store:
    await store.commit(Commit([rules.remember(put("Observation", f"o{n}", index(n))) for n in range(40)]))
    return store


@pytest.mark.parametrize("asked", CRITERIA)
async def test_a_thousand_values(filled: Store, asked: str) -> None:
    criterion = CRITERIA[asked]
    expected = [f"o{n}" for n in range(1, 40, 2)]
    other = Match(Parameter("code", "token"), "", (TokenOperand("s", "c3", False),))
    assert await ids(filled, criterion) == expected
    assert await ids(filled, other, criterion) == ["o3"]
    assert await ids(filled, Not(criterion)) == [f"o{n}" for n in range(0, 40, 2)]
    assert await filled.count(Query(("Observation",), (criterion,))) == 20


async def test_a_hundred_criteria(filled: Store) -> None:
    wanted = CRITERIA["codes"]
    assert isinstance(wanted, Match)
    some = Match(wanted.parameter, "", wanted.operands[:20])
    assert await ids(filled, *[some] * 100) == [f"o{n}" for n in range(1, 40, 2)]


async def test_a_page_of_more_than_a_database_sends_at_once_has_all_its_hits(store: Store, rules: HandRules) -> None:
    """MongoDB sends 16 MB at a time at most."""
    codes: Index = {"code": [Token("s", "large")]}
    for n in range(20):
        noise = random.Random(n).randbytes(900_000).hex()
        await store.commit(Commit([rules.remember(put("Observation", f"o{n}", codes, note=noise))]))
    large = Match(Parameter("code", "token"), "", (TokenOperand("s", "large", False),))
    assert await ids(store, large) == [f"o{n}" for n in range(20)]


async def test_identifiers_asked_at_once_one_of_which_many_have(store: Store, rules: HandRules) -> None:
    given = [(f"o{n}", "many" if n % 4 else f"own{n}") for n in range(200)]
    await store.commit(
        Commit([rules.remember(put("Observation", id, {"identifier": [Token("s", text)]})) for id, text in given])
    )
    for _ in range(2):  # what the first showed of a text, the second knows
        asked = [f"own{n}" for n in range(0, 40, 4)] + ["many", "nobody", "own0"]
        found = await asyncio.gather(*(store.search(by_identifier(text, 3)) for text in asked))
        expected = [[id for id, own in given if own == text][:3] for text in asked]
        assert [[hit.version.id for hit in hits.hits] for hits in found] == expected
        assert [hits.more for hits in found] == [text == "many" for text in asked]


async def test_a_text_of_twenty_thousand_letters(store: Store, rules: HandRules) -> None:
    """MongoDB thought about its three-letter pieces for longer than a search may take."""
    long = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=20_000))
    texts = [long, f"{long[:-1]}!", long[1:], f"Mr {long} jr"]
    for n, text in enumerate(texts):
        index: Index = {"value-string": [String(text, text)]}
        await store.commit(Commit([rules.remember(put("Observation", f"o{n}", index, text=("", text)))]))
    contains = Match(Parameter("value-string", "string"), "contains", (TextOperand(long, long),))
    for criterion in (contains, FullText("_content", ((long,),))):
        assert await ids(store, criterion) == ["o0", "o3"]


def by_identifier(text: str, limit: int) -> Query:
    identifier = Parameter("identifier", "token", identifying=True)
    return Query(("Observation",), (Match(identifier, "", (TokenOperand("s", text, False),)),), limit=limit)


async def ids(store: Store, *where: Criterion) -> list[str]:
    return [hit.version.id for hit in (await store.search(Query(("Observation",), where))).hits]
