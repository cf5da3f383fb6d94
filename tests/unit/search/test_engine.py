"""The facade in the Context, and what the engines call back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from server.search.engine import Search
from server.search.query import Match, Missing, Parameter, TokenOperand
from server.search.values import OfType, Token
from server.store.contract import SearchRules


def test_it_keeps_the_contract_of_search_rules(search: Search) -> None:
    rules: SearchRules = search.rules
    assert rules.parameter("Patient", "name") == Parameter("name", "string")
    assert rules.parameter("Patient", "nonsense") is None
    assert rules.extract("Patient", b'{"resourceType":"Patient","active":true}')["active"]


def test_holds_is_the_truth_of_one_match(search: Search) -> None:
    code = Parameter("code", "token")
    index: Any = {"code": [Token("s", "a"), OfType("s", "t", "b")]}
    assert search.holds(
        Match(code, "", (TokenOperand(None, "x", True), TokenOperand("s", "a", False))), "Observation", index
    )
    assert not search.holds(Match(code, "", (TokenOperand(None, "b", True),)), "Observation", index)
    assert search.holds(Match(code, "unequal", (TokenOperand(None, "b", True),)), "Observation", index)
    assert not search.holds(Match(code, "unequal", (TokenOperand(None, "a", True),)), "Observation", index)
    assert search.holds(Missing(code, False), "Observation", index)
    assert search.holds(Missing(code, True), "Observation", {})


def test_dates_without_a_zone_are_read_in_the_zone_given(search: Search, ask: Callable[..., Any]) -> None:
    utc = Search(search.parameters.definitions, search._terminology, zone="UTC")
    bangkok = ask("Patient", "birthdate=2000").query.where[0].operands[0].lower
    assert (
        utc.compile("Patient", [("birthdate", "2000")]).query.where[0].operands[0].lower - bangkok == 7 * 3_600_000_000
    )
