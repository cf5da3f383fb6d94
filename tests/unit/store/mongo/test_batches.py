"""Batches: what is asked in one turn goes together, in order, no more than allowed at a time."""

from __future__ import annotations

import asyncio

import pytest

from server.store.mongo import pages
from server.store.mongo.batches import QUIET_TURNS, Batches
from server.store.mongo.driver import Document
from server.store.mongo.pages import LARGEST_BATCH, Apart, Question, _number, _pipeline


class Asked:
    """Answers tenfold, when it is let."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.at_once = 0
        self.most_at_once = 0
        self.error: Exception | None = None

    async def __call__(self, questions: list[int]) -> list[int]:
        self.batches.append(questions)
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        await asyncio.sleep(0.001)
        self.at_once -= 1
        if self.error:
            raise self.error
        return [question * 10 for question in questions]


async def test_questions_of_one_turn_leave_together_and_each_gets_its_answer() -> None:
    asked = Asked()
    batches = Batches(asked, largest=4, at_once=2)
    assert await asyncio.gather(*map(batches.ask, range(11))) == [number * 10 for number in range(11)]
    assert (asked.batches, asked.most_at_once) == ([[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]], 2)


async def test_a_question_that_comes_alone_leaves_alone_and_later_ones_are_answered_too() -> None:
    asked = Asked()
    batches = Batches(asked, largest=4, at_once=1)
    assert [await batches.ask(number) for number in range(3)] == [0, 10, 20]
    assert asked.batches == [[0], [1], [2]]


async def test_questions_that_come_a_few_turns_apart_leave_together() -> None:
    asked = Asked()
    batches = Batches(asked, largest=4, at_once=1)
    futures = []
    for number in range(3):
        futures.append(batches.ask(number))
        for _ in range(QUIET_TURNS - 1):
            await asyncio.sleep(0)
    assert await asyncio.gather(*futures) == [0, 10, 20]
    assert asked.batches == [[0, 1, 2]]


async def test_what_was_cancelled_is_not_asked_and_a_failure_reaches_its_batch_alone() -> None:
    asked = Asked()
    batches = Batches(asked, largest=2, at_once=1)
    futures = [batches.ask(number) for number in range(4)]
    futures[1].cancel()
    asked.error = ValueError("broken")
    with pytest.raises(ValueError, match="broken"):
        await futures[0]
    asked.error = None
    assert await asyncio.gather(*futures[2:]) == [20, 30]
    assert asked.batches == [[0], [2, 3]]


def test_the_fields_of_a_document_tell_which_question_it_answers() -> None:
    question = Question({}, {"v": 1}, [("n", 1)], 1, "")
    whole = {"p": 1, "t": "Patient", "k": [1, 2], "v": 1}
    for number in range(LARGEST_BATCH):
        projected = _pipeline(question, number)[-1]["$project"]
        shown: Document = {field.partition(".")[0]: whole[field.partition(".")[0]] for field in projected}
        assert _number(shown) == number


def test_what_is_slow_goes_apart_for_longer_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(pages.time, "monotonic", lambda: now)
    apart = Apart()
    for seconds in (1.0, 4.0, 16.0, 60.0, 60.0):
        assert "kind" not in apart
        apart.add("kind")
        now += seconds - 0.1
        assert "kind" in apart
        now += 0.2
    now += 100
    apart.add("kind")
    now += 1.1
    assert "kind" not in apart


def test_what_is_slow_for_long_is_not_forgotten_for_what_was_so_for_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page that is not found along its type is a question of its own, which nobody asks again."""
    now = 100.0
    monkeypatch.setattr(pages.time, "monotonic", lambda: now)
    apart = Apart()
    for seconds in (1.0, 4.0, 16.0, 60.0):
        apart.add("kind")
        now += seconds + 0.1
    apart.add("kind")
    for number in range(2000):
        now += 0.01
        apart.add(number)
    assert "kind" in apart
    assert len(apart._known) <= 1000
