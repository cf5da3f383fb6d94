"""What is remembered of the load, to ask for it later."""

from __future__ import annotations

import statistics

from conformance.bench.data import KEPT, Bodies, Pool, Pools, noted, searches, transactions
from conformance.bench.synthea import Synthea


def test_a_pool_is_a_fair_sample_of_what_it_was_offered() -> None:
    pool = Pool()
    for number in range(10 * KEPT):
        pool.offer(str(number))
    assert len(pool) == KEPT
    assert abs(statistics.mean(map(int, pool)) / (10 * KEPT) - 0.5) < 0.02


def test_a_small_pool_keeps_everything() -> None:
    pool = Pool()
    for each in "abc":
        pool.offer(each)
    assert pool == ["a", "b", "c"]


def test_pools_know_what_was_loaded() -> None:
    pools = Pools()
    bodies = list(transactions(2, pools))
    assert len(bodies) == -(-pools.counts.total() // 100)
    assert pools.counts["Patient"] == len(pools.ids["Patient"]) >= 2
    assert pools.families
    assert pools.identifiers
    assert pools.codes
    assert pools.dates


def test_every_search_is_filled_with_values_of_the_data() -> None:
    pools = Pools()
    for resource in Synthea(1).resources(300):
        noted(resource, pools)
    for name, path in searches(pools).items():
        assert "{" not in path(), name


def test_new_bodies_refer_to_patients_that_are_there_and_to_nothing_else() -> None:
    pools = Pools()
    pools.ids["Patient"].offer("p1")
    bodies = Bodies(pools, templates=Synthea(1).patient(0))
    for _ in range(200):
        made = bodies.resource()
        assert "id" not in made
        assert made["subject"] == {"reference": "Patient/p1"}
        assert not {"encounter", "requester", "performer"} & set(made)
    assert bodies.observation()["resourceType"] == "Observation"


def test_bodies_are_the_same_for_a_seed() -> None:
    pools = Pools()
    pools.ids["Patient"].offer("p1")
    template = Synthea(1).patient(0)
    first, second = (Bodies(pools, 3, template) for _ in range(2))
    assert [first.resource() for _ in range(20)] == [second.resource() for _ in range(20)]
