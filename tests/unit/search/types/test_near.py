"""`near` of Location.   https://hl7.org/fhir/R4/location.html#search"""

from __future__ import annotations

import pytest

from server.search.types import Unreadable, near
from server.search.values import Position

KHON_KAEN = {"latitude": 16.4419, "longitude": 102.8360}


def matches(written: str) -> bool:
    (value,) = near.values(KHON_KAEN)
    return near.matches(value, near.parse(written))


def test_distance_is_that_of_the_great_circle() -> None:
    # Bangkok to Khon Kaen: 399 km; a quarter of the meridian: 10,007.5 km.
    assert near.distance(Position(13.7563, 100.5018), 16.4419, 102.8360) == pytest.approx(389_500, rel=0.01)
    assert near.distance(Position(0, 0), 90, 0) == pytest.approx(10_007_557, rel=1e-6)
    assert near.distance(Position(0, 179.9), 0, -179.9) == pytest.approx(22_239, rel=1e-3)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("16.4419|102.8360", True),
        ("13.7563|100.5018", False),
        ("13.7563|100.5018|400", True),
        ("13.7563|100.5018|400|km", True),
        ("13.7563|100.5018|400|m", False),
        ("13.7563|100.5018|250|[mi_i]", True),
        ("13.7563|100.5018|380|km", False),
    ],
)
def test_near(written: str, expected: bool) -> None:
    assert matches(written) is expected


@pytest.mark.parametrize(
    "written", ["", "1", "91|0", "0|181", "0|0|-5", "0|0|5|parsec", "a|b", "1|2|3|km|x", "0|0|1e999"]
)
def test_what_is_no_place_is_refused(written: str) -> None:
    with pytest.raises(Unreadable):
        near.parse(written)


def test_a_position_needs_both_numbers() -> None:
    assert near.values({"latitude": 1}) == near.values(None) == []
