"""Searches by the clinical date together with a code or a patient, and pages in its order, where values are unusual.

An engine may lead them over an index of one date a resource: a resource with several dates, with a long one, or with
one open to a side must be found all the same, and each once.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from server.search.query import (
    Criterion,
    Match,
    Parameter,
    Query,
    RangeOperand,
    ReferenceOperand,
    SortKey,
    TokenOperand,
)
from server.search.types.prefix import in_range
from server.search.values import Date, Index, Reference, Token
from server.store.contract import Commit, Store
from server.store.mongo import ways
from tests.contract.resources import put
from tests.contract.worlds import DAY, MAX

DATES: dict[str, list[Date]] = {
    "start": [Date(0, DAY)],
    "middle": [Date(10 * DAY, 11 * DAY)],
    "across": [Date(20 * DAY, 40 * DAY)],
    "after": [Date(32 * DAY, 33 * DAY)],
    "stay": [Date(-40 * DAY, 5 * DAY)],
    "years": [Date(-900 * DAY, 900 * DAY)],
    "open": [Date(12 * DAY, MAX)],
    "until": [Date(-MAX, 12 * DAY)],
    "several": [Date(-60 * DAY, -59 * DAY), Date(15 * DAY, 16 * DAY), Date(60 * DAY, 61 * DAY)],
    "around": [Date(-60 * DAY, -59 * DAY), Date(60 * DAY, 61 * DAY)],
    "none": [],
}
CODE = Match(Parameter("code", "token"), "", (TokenOperand("http://a", "x", False),))
CODES = replace(CODE, operands=(TokenOperand("http://a", "x", False), TokenOperand("http://a", "z", False)))
PATIENT = Match(Parameter("patient", "reference"), "", (ReferenceOperand("Patient", "p", None, None),))
DATE = Parameter("date", "date")


def dated(prefix: str, low: int, high: int) -> Match:
    return Match(DATE, "", (RangeOperand(prefix, low * DAY, high * DAY, low * DAY),))


MONTH = dated("eq", 0, 31)
BETWEEN = (dated("ge", 0, 1), dated("lt", 31, 32))
FOUND: dict[str, tuple[tuple[Criterion, ...], list[str]]] = {
    "within": ((MONTH,), ["start", "middle", "several"]),
    "about": (
        (dated("ap", 0, 31),),
        ["start", "middle", "across", "stay", "years", "open", "until", "several"],
    ),
    "between": (
        BETWEEN,
        ["start", "middle", "across", "stay", "years", "open", "until", "several", "around"],
    ),
    "from": (
        (dated("ge", 12, 13),),
        ["across", "after", "years", "open", "several", "around"],
    ),
    "before": ((dated("lt", 0, 1),), ["stay", "years", "until", "several", "around"]),
    "ends before": ((dated("eb", 13, 14),), ["start", "middle", "stay", "until", "several", "around"]),
    "starts after": ((dated("sa", 13, 14),), ["across", "after", "several", "around"]),
    "either day": (
        (replace(MONTH, operands=(*dated("eq", 0, 1).operands, *dated("eq", 32, 33).operands)),),
        ["start", "after"],
    ),
}


@pytest.fixture
async def filled(store: Store) -> Store:
    """Each twice: of the code and the patient asked for, and of others."""
    asked = {"code": [Token("http://a", "x")], "patient": [Reference("Patient", "p", None, None)]}
    other = {"code": [Token("http://a", "y")], "patient": [Reference("Patient", "q", None, None)]}
    for suffix, common in (("", asked), ("-other", other)):
        indexes: dict[str, Index] = {
            name: {**common, **({"date": dates} if dates else {})} for name, dates in DATES.items()
        }
        await store.commit(Commit([put("Observation", name + suffix, index) for name, index in indexes.items()]))
    return store


async def ids(store: Store, query: Query) -> list[str]:
    return [hit.version.id for hit in (await store.search(query)).hits]


@pytest.mark.parametrize("name", FOUND)
@pytest.mark.parametrize(
    "beside", [(CODE,), (CODES,), (PATIENT,), (CODE, PATIENT)], ids=["code", "codes", "patient", "both"]
)
async def test_dates_beside_a_code_or_a_patient(filled: Store, name: str, beside: tuple[Criterion, ...]) -> None:
    where, expected = FOUND[name]
    query = Query(("Observation",), (*beside, *where))
    assert await ids(filled, query) == expected
    assert await filled.count(query) == len(expected)
    newest = replace(query, sort=(SortKey(DATE, descending=True),))
    oldest = replace(query, sort=(SortKey(DATE),))
    lower = {each: [date.lower for date in DATES[each]] for each in expected}
    assert await ids(filled, newest) == sorted(expected, key=lambda each: -max(lower[each]))
    assert await ids(filled, oldest) == sorted(expected, key=lambda each: min(lower[each]))


@pytest.mark.parametrize("name", FOUND)
async def test_dates_alone(filled: Store, name: str) -> None:
    where, expected = FOUND[name]
    both = [*expected, *(f"{each}-other" for each in expected)]
    assert await ids(filled, Query(("Observation",), where)) == both
    pages = []
    after = None
    while True:
        hits = await filled.search(Query(("Observation",), where, limit=3, after=after))
        pages += [hit.version.id for hit in hits.hits]
        if not hits.more:
            break
        after = hits.hits[-1].position
    assert pages == both


async def test_pages_oldest_first_of_a_code_in_both_directions(filled: Store) -> None:
    query = Query(("Observation",), (CODE,), (SortKey(DATE),), limit=4)
    first = await filled.search(query)
    second = await filled.search(replace(query, after=first.hits[-1].position))
    third = await filled.search(replace(query, after=second.hits[-1].position))
    found = [hit.version.id for page in (first, second, third) for hit in page.hits]
    assert found == [
        "until",
        "years",
        "several",
        "around",
        "stay",
        "start",
        "middle",
        "open",
        "across",
        "after",
        "none",
    ]
    back = await filled.search(replace(query, before=third.hits[0].position))
    assert [hit.version.id for hit in back.hits] == found[4:8]


@pytest.mark.parametrize("beside", [(), (CODE,), (CODES,), (CODE, PATIENT)], ids=["alone", "code", "codes", "both"])
@pytest.mark.parametrize("large", [False, True])
async def test_pages_newest_first_in_both_directions(
    filled: Store, beside: tuple[Criterion, ...], large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a large store MongoDB is asked for what an index has in that order, and for the rest apart."""
    if large:
        monkeypatch.setattr(ways, "_PARTED", 0)
    for where, expected in FOUND.values():
        both = expected if beside else [name + suffix for suffix in ("", "-other") for name in expected]
        highest = {each: max(date.lower for date in DATES[each.removesuffix("-other")]) for each in both}
        ordered = sorted(both, key=lambda each: -highest[each])
        query = Query(("Observation",), (*beside, *where), (SortKey(DATE, descending=True),), limit=2)
        pages = [await filled.search(query)]
        while pages[-1].more:
            pages.append(await filled.search(replace(query, after=pages[-1].hits[-1].position)))
        assert [hit.version.id for page in pages for hit in page.hits] == ordered
        place = len(ordered) - len(pages[-1].hits)
        back = await filled.search(replace(query, before=pages[-1].hits[0].position))
        assert [hit.version.id for hit in back.hits] == ordered[max(0, place - 2) : place]


async def test_what_is_asked_together_is_answered_apart(filled: Store) -> None:
    """Also what finds nothing, and what comes twice."""
    nothing = Match(Parameter("code", "token"), "", (TokenOperand("http://a", "never", False),))
    asked = [(where, expected) for where, expected in FOUND.values()] * 3
    queries = [Query(("Observation",), (CODE, *where)) for where, _ in asked]
    queries[5:5] = [Query(("Observation",), (CODE, nothing, MONTH)), Query(("Patient",), ())]
    expected = [ids for _, ids in asked]
    expected[5:5] = [[], []]
    assert await asyncio.gather(*(ids(filled, query) for query in queries)) == expected


@pytest.fixture
async def crowded(filled: Store) -> dict[str, list[Date]]:
    """So many plain ones besides that going along the dates is cheaper than sorting all that is found."""
    crowd = {f"plain{n}": [Date(n * DAY, (n + 1) * DAY)] for n in range(-200, 200)}
    for code in ("x", "y"):
        suffix = "" if code == "x" else "-other"
        indexes: dict[str, Index] = {
            name + suffix: {"code": [Token("http://a", code)], "date": dates} for name, dates in crowd.items()
        }
        await filled.commit(Commit([put("Observation", name, index) for name, index in indexes.items()]))
    return {**DATES, **crowd}


WIDE: dict[str, tuple[Match, ...]] = {
    "from": (dated("ge", -150, -149),),
    "until": (dated("le", 150, 151),),
    "not": (dated("ne", 15, 16),),
    "between": (dated("ge", -150, -149), dated("lt", 150, 151)),
    "either": (replace(MONTH, operands=(*dated("lt", 0, 1).operands, *dated("gt", 15, 16).operands)),),
}


@pytest.mark.parametrize("name", WIDE)
@pytest.mark.parametrize("down", [False, True], ids=["oldest", "newest"])
@pytest.mark.parametrize("beside", [(), (CODE,), (CODES,)], ids=["alone", "code", "codes"])
async def test_pages_along_the_dates_of_a_wide_range(
    filled: Store, crowded: dict[str, list[Date]], name: str, down: bool, beside: tuple[Criterion, ...]
) -> None:
    """Of what has several dates, one may be in the range and another the one to sort by."""
    where = WIDE[name]
    found = [
        id
        for id, dates in crowded.items()
        if all(any(in_range(*date, one) for date in dates for one in match.operands) for match in where)  # type: ignore[arg-type]
    ]
    edge = max if down else min
    expected = sorted(found, key=lambda id: edge(date.lower for date in crowded[id]), reverse=down)
    query = Query(("Observation",), (*beside, *where), (SortKey(DATE, descending=down),), limit=7)
    pages: list[list[str]] = []
    after = None
    while len(pages) < 12:
        hits = (await filled.search(replace(query, after=after))).hits
        pages.append([hit.version.id for hit in hits])
        after = hits[-1].position
    seen = [id for page in pages for id in page]
    mine = [id for id in seen if not id.endswith("-other")]
    lows = [edge(date.lower for date in crowded[id.removesuffix("-other")]) for id in seen]
    assert lows == sorted(lows, reverse=down)
    assert len(set(seen)) == len(seen)
    assert set(mine) == set(expected[: len(mine)]) or lows[-1] == edge(d.lower for d in crowded[expected[len(mine)]])
    assert beside == () or mine == seen
    back = await filled.search(replace(query, after=None, before=(await _position(filled, query, pages))))
    assert [hit.version.id for hit in back.hits] == pages[-2]


async def _position(store: Store, query: Query, pages: list[list[str]]) -> tuple[object, ...]:
    """Of the first hit of the last page."""
    hits = await store.search(replace(query, limit=sum(map(len, pages))))
    assert [hit.version.id for hit in hits.hits] == [id for page in pages for id in page]
    return hits.hits[-len(pages[-1])].position


async def test_a_page_from_a_date_on_begins_anywhere_among_many(store: Store) -> None:
    """An engine may compare what it meets on the way, and must not take the end of its patience for the end."""
    many = 1200
    await store.commit(
        Commit([put("Observation", f"o{n}", {"date": [Date(n * DAY, (n + 1) * DAY)]}) for n in range(many)])
    )
    for _ in range(3):  # what the first showed, the second knows
        for first in (0, 600, 985, 995, 1100, 1195):
            query = Query(("Observation",), (dated("ge", first, first + 1),), limit=10)
            hits = await store.search(query)
            assert [hit.version.id for hit in hits.hits] == [f"o{n}" for n in range(first, min(first + 10, many))]
            assert hits.more == (first + 10 < many)
