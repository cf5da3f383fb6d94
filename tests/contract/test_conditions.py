"""Conditions of commits that look at what is stored: searches, references.   https://hl7.org/fhir/R4/http.html#ccreate"""

from __future__ import annotations

import asyncio

import pytest

from server.search.query import Match, Not, Parameter, Query, TokenOperand
from server.search.values import Index, Reference, Token
from server.store.contract import Commit, ConditionFailed, Delete, Exists, Matches, Put, Store, Unreferenced
from tests.contract.resources import HandRules, put

IDENTIFIER = Parameter("identifier", "token", identifying=True)
CODE = Parameter("code", "token")


def patient(id: str, cid: str) -> Put:
    return put("Patient", id, {"identifier": [Token("https://id", cid)]})


def nobody_has(cid: str, *ids: str) -> Matches:
    operand = TokenOperand("https://id", cid, any_system=False)
    query = Query(("Patient",), (Match(IDENTIFIER, "", (operand,)),))
    return Matches(query, frozenset(("Patient", id) for id in ids))


def refers(type: str, id: str, *targets: tuple[str, str], by: str = "subject") -> Put:
    return put(type, id, {by: [Reference(*target, None, None) for target in targets]})


async def test_a_search_condition_holds_while_it_finds_what_was_seen(store: Store) -> None:
    await store.commit(Commit([patient("a", "1")], [nobody_has("1")]))
    with pytest.raises(ConditionFailed) as caught:
        await store.commit(Commit([patient("b", "1")], [nobody_has("1")]))
    assert caught.value.found == (("Patient", "a"),)
    assert await store.read("Patient", "b") is None
    await store.commit(Commit([patient("b", "1")], [nobody_has("1", "a")]))
    with pytest.raises(ConditionFailed):
        await store.commit(Commit([patient("c", "1")], [nobody_has("1", "a")]))
    with pytest.raises(ConditionFailed):
        await store.commit(Commit([patient("c", "1")], [nobody_has("1", "a", "c")]))


async def test_fifty_concurrent_conditional_creates_make_one_resource(store: Store) -> None:
    results = await asyncio.gather(
        *(store.commit(Commit([patient(f"p{n}", "1")], [nobody_has("1")])) for n in range(50)), return_exceptions=True
    )
    assert sum(isinstance(result, list) for result in results) == 1
    assert sum(isinstance(result, ConditionFailed) for result in results) == 49
    assert await store.count(Query(("Patient",))) == 1


async def test_a_deleted_resource_no_longer_matches(store: Store) -> None:
    await store.commit(Commit([patient("a", "1")]))
    await store.commit(Commit([Delete("Patient", "a")]))
    await store.commit(Commit([patient("b", "1")], [nobody_has("1")]))


async def test_a_condition_sees_what_earlier_commits_of_the_same_moment_wrote(store: Store) -> None:
    coded: Index = {"code": [Token("https://s", "new")]}
    query = Query(("Basic",), (Match(CODE, "", (TokenOperand("https://s", "new", any_system=False),)),))
    others = Query(("Basic",), (Not(Match(CODE, "", (TokenOperand("https://s", "new", any_system=False),))),))
    jobs = [
        store.commit(Commit([put("Basic", "a", coded)])),
        store.commit(Commit([put("Basic", "b")], [Matches(query, frozenset({("Basic", "a")}))])),
        store.commit(Commit([put("Basic", "c")], [Matches(others, frozenset({("Basic", "b")}))])),
    ]
    assert [len(written) for written in await asyncio.gather(*jobs)] == [1, 1, 1]


@pytest.mark.parametrize("by", ["subject", "focus"])
async def test_what_is_referred_to_can_be_kept(store: Store, by: str) -> None:
    await store.commit(Commit([put("Patient", "a"), refers("Observation", "o", ("Patient", "a"), by=by)]))
    kept = Unreferenced("Patient", "a")
    with pytest.raises(ConditionFailed) as caught:
        await store.commit(Commit([Delete("Patient", "a")], [kept]))
    assert caught.value.found == (("Observation", "o"),)
    read = await store.read("Patient", "a")
    assert read is not None
    assert not read.deleted
    await store.commit(Commit([Delete("Patient", "a"), Delete("Observation", "o")], [kept]))


async def test_records_of_what_was_hold_nothing_back(store: Store) -> None:
    note = refers("Provenance", "p", ("Patient", "a"))
    await store.commit(Commit([put("Patient", "a"), put("Patient", "b"), note]))
    await store.commit(Commit([Delete("Patient", "a")], [Unreferenced("Patient", "a")]))
    later = refers("AuditEvent", "e", ("Patient", "b"))
    await store.commit(Commit([Delete("Patient", "b"), later], [Unreferenced("Patient", "b")]))


async def test_a_commit_that_moves_the_reference_away_may_delete(store: Store) -> None:
    await store.commit(Commit([put("Patient", "a"), put("Patient", "b"), refers("Observation", "o", ("Patient", "a"))]))
    moved = refers("Observation", "o", ("Patient", "b"))
    with pytest.raises(ConditionFailed):
        await store.commit(Commit([moved, Delete("Patient", "b")], [Unreferenced("Patient", "b")]))
    await store.commit(Commit([moved, Delete("Patient", "a")], [Unreferenced("Patient", "a")]))


async def test_a_reference_from_before_its_target_came_counts(store: Store) -> None:
    await store.commit(Commit([refers("Observation", "o", ("Patient", "late"), by="focus")]))
    await store.commit(Commit([put("Patient", "late")]))
    with pytest.raises(ConditionFailed):
        await store.commit(Commit([Delete("Patient", "late")], [Unreferenced("Patient", "late")]))


async def test_references_of_the_same_moment_count(store: Store) -> None:
    """Of commits that wait for their turn together, each sees what those before it changed."""
    await store.commit(Commit([put("Patient", "a"), put("Patient", "b"), refers("Observation", "o", ("Patient", "b"))]))

    def deleted(id: str) -> Commit:
        return Commit([Delete("Patient", id)], [Unreferenced("Patient", id)])

    moved, referred = await asyncio.gather(
        store.commit(Commit([refers("Observation", "o", ("Patient", "a"))])),
        store.commit(deleted("a")),
        return_exceptions=True,
    )
    assert not isinstance(moved, BaseException)
    assert isinstance(referred, ConditionFailed)
    assert referred.found == (("Observation", "o"),)
    await asyncio.gather(store.commit(Commit([Delete("Observation", "o")])), store.commit(deleted("a")))
    late = Commit([refers("Observation", "p", ("Patient", "late"), by="focus")])
    arrived = Commit([put("Patient", "late")])
    answers = await asyncio.gather(
        store.commit(late), store.commit(arrived), store.commit(deleted("late")), return_exceptions=True
    )
    assert isinstance(answers[2], ConditionFailed)


async def test_all_conditions_must_hold(store: Store) -> None:
    with pytest.raises(ConditionFailed):
        await store.commit(Commit([patient("a", "1")], [nobody_has("1"), Exists("Organization", "none")]))
    assert await store.read("Patient", "a") is None


async def test_a_refused_commit_leaves_no_trace_in_searches(store: Store, rules: HandRules) -> None:
    await store.commit(Commit([patient("a", "1")]))
    with pytest.raises(ConditionFailed):
        await store.commit(Commit([patient("a", "2"), patient("b", "3")], [nobody_has("1")]))
    for cid, count in (("1", 1), ("2", 0), ("3", 0)):
        assert await store.count(nobody_has(cid).query) == count
