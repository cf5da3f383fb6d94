"""The keys of months lead to all dates whose last microsecond lies between two instants."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server.search.instant import MAX, MIN
from server.store.mongo.dates import DAY, periods_between, periods_of

INSTANTS = st.integers(-3_000_000 * DAY // 60, 3_000_000 * DAY // 60) | st.sampled_from([MIN + 1, MAX])


def at(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * 1_000_000


@given(INSTANTS, INSTANTS, INSTANTS)
@example(at(2019, 12), at(2020, 1), at(2030, 1))
@example(at(2049, 12), at(2050, 1), MAX)
@example(MIN, at(1900, 1), at(1900, 2))
def test_what_ends_between_has_one_of_the_periods(low: int, end: int, high: int) -> None:
    low, end, high = sorted((low, end, high))
    assert set(periods_of(end + 1)) & set(periods_between(low, high))


@pytest.mark.parametrize(
    ("low", "high", "count"),
    [
        (at(2024, 11), MAX, 2 + 5 + 2 + 1),
        (at(2020, 1), at(2030, 1) - 1, 1),
        (at(2025, 7), at(2025, 8) - 1, 1),
        (at(2025, 7), at(2025, 8), 2),
        (MIN, MAX, 1 + 15 + 1),
    ],
)
def test_few_periods_cover_a_long_time(low: int, high: int, count: int) -> None:
    assert len(periods_between(low, high)) == count
