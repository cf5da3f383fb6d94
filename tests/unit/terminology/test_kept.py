"""The cache that several threads ask."""

from __future__ import annotations

import threading

import pytest

from terminology.kept import Kept


def test_a_value_is_made_once_and_the_least_recently_used_goes_first() -> None:
    kept: Kept[str] = Kept(2)
    made: list[str] = []

    def get(key: str) -> str:
        return kept.get(key, lambda: made.append(key) or key.upper())  # type: ignore[func-returns-value]

    assert [get(key) for key in ("a", "b", "a", "c", "a", "b")] == ["A", "B", "A", "C", "A", "B"]
    assert made == ["a", "b", "c", "b"]


def test_what_fails_is_not_kept() -> None:
    kept: Kept[float] = Kept(2)
    with pytest.raises(ZeroDivisionError):
        kept.get("a", lambda: 1 / 0)
    assert kept.get("a", lambda: 1) == 1


def test_threads_that_fill_and_empty_it_at_once_all_get_their_values() -> None:
    kept: Kept[int] = Kept(3)
    wrong: list[object] = []

    def work() -> None:
        try:
            for number in range(3000):
                if kept.get(number % 7, lambda number=number: number % 7) != number % 7:  # type: ignore[misc]
                    wrong.append(number)
                if number % 50 == 0:
                    kept.clear()
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert wrong == []
