"""Which searches are compiled once for all that ask the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from server.errors import BadRequest
from server.search.engine import Search
from server.search.lasting import LONGEST, MOST, Compiled, is_lasting


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([("code", "http://loinc.org|718-7"), ("_sort", "-date"), ("_count", "10")], True),
        ([("family:exact", "Apichart"), ("patient.family", "B"), ("_include", "Encounter:patient")], True),
        ([("name", "apichart")], False),
        # What means another thing later: the clock, the terminology service, lists.
        ([("date", "ap2024-01-01")], False),
        ([("date", "2024,ap2023")], False),
        ([("code-value-date", "x$ap2024")], False),
        ([("code:in", "http://example.org/vs")], False),
        ([("code:below", "http://snomed.info/sct|1")], False),
        ([("_list", "5")], False),
        ([("_filter", "date ap 2024")], False),
        ([("_has:Observation:patient:code:in", "http://example.org/vs")], False),
        ([("code", "x" * LONGEST)], False),
    ],
)
def test_only_what_means_the_same_at_any_time_is_remembered(pairs: list[tuple[str, str]], expected: bool) -> None:
    assert is_lasting(pairs) == expected


def test_the_same_question_is_the_same_request_until_the_parameters_change(search: Search) -> None:
    asked = [("code", "a"), ("_sort", "-date")]
    first = search.compile("Observation", asked, base="http://a/fhir")
    assert search.compile("Observation", list(asked), base="http://a/fhir") is first
    assert search.compile("Observation", asked, base="http://b/fhir") is not first
    assert search.compile("Observation", asked, base="http://a/fhir", lenient=True) is not first
    assert search.compile("Observation", asked[::-1], base="http://a/fhir") is not first
    search.parameters.generation += 1
    assert search.compile("Observation", asked, base="http://a/fhir") is not first


def test_what_is_refused_is_refused_each_time(ask: Callable[..., Any]) -> None:
    for _ in range(2):
        with pytest.raises(BadRequest):
            ask("Observation", "nonsense=1")


def test_it_remembers_no_more_than_it_may(search: Search) -> None:
    known, request = Compiled(), search.compile("Patient", [])
    for number in range(MOST + 1):
        known.get((number,), 0)
        known.keep((number,), request)
    assert known.get((MOST,), 0) is request
    assert known.get((0,), 0) is None
