"""Bounds of intervals as SQL conditions."""

from __future__ import annotations

import pytest

from server.search.query import RangeOperand
from server.search.types.prefix import PREFIXES
from server.store.bounds import alternatives
from server.store.embedded import ranges

NO_DATE = 99


@pytest.mark.parametrize("prefix", sorted(PREFIXES))
def test_the_lower_end_of_dates_has_one_upper_bound(prefix: str) -> None:
    """Of two SQLite may take the wrong one for its range and read all that is later than what is asked for."""
    for bounds in alternatives(RangeOperand(prefix, 10, 20, 10)):
        where = ranges.dates(bounds, "d", "w", 5, str, beyond=NO_DATE)
        parts = where.split(" AND ")
        [upper] = [part for part in parts if part.startswith("d <")]
        open_end = not any(sign in ("<", "<=") for _, sign, _ in bounds)
        assert (upper == f"d < {NO_DATE}") == open_end, where
