"""Workers of an import: whatever happens to one, the import ends; nobody waits for ever."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import pytest

from server.intake.team import WorkerFailed, answers, spread, workers
from server.store.contract import StoreUnavailable
from tests.turns import turns_beside

LARGE = 2 << 20
"""Bytes, far beyond what a connection holds on its way."""


def echoing(work: Connection) -> None:
    async def answer(job: bytes) -> bytes:
        return job

    asyncio.run(answers(work, answer))


def counting_down(work: Connection) -> None:
    """Later jobs are done sooner than earlier ones."""

    async def answer(job: int) -> int:
        await asyncio.sleep(0.05 / job)
        return job * 10

    asyncio.run(answers(work, answer))


def killed_at_start(work: Connection) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_in_mid_work(work: Connection) -> None:
    async def answer(job: int) -> int:
        if job == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return job

    asyncio.run(answers(work, answer))


def slow(work: Connection) -> None:
    async def answer(job: int) -> int:
        await asyncio.sleep(0.5)
        return job

    asyncio.run(answers(work, answer))


def failing(work: Connection) -> None:
    async def answer(job: int) -> int:
        if job == 3:
            raise OSError("no space left")
        return job

    asyncio.run(answers(work, answer))


def without_a_store(work: Connection) -> None:
    async def answer(job: int) -> int:
        raise StoreUnavailable("nobody is there")

    asyncio.run(answers(work, answer))


def answered(target: Callable[[Connection], None], jobs: list[Any], number: int = 2) -> list[tuple[Any, Any]]:
    """What `spread` tells, in the time that a hang would not keep."""
    found: list[tuple[Any, Any]] = []
    raised: list[Exception] = []

    async def told() -> None:
        with workers(number, target, ()) as team:
            found.extend([each async for each in spread(team, jobs, ahead=4)])

    def run() -> None:
        try:
            asyncio.run(told())
        except WorkerFailed as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive(), "the import hangs"
    if raised:
        raise raised[0]
    return found


def test_every_job_is_answered_once() -> None:
    assert sorted(answered(counting_down, list(range(1, 40)))) == [(job, job * 10) for job in range(1, 40)]


def test_large_jobs_and_large_answers_at_the_same_time_do_not_block_each_other() -> None:
    jobs = [bytes([number]) * LARGE for number in range(12)]
    assert len(answered(echoing, jobs)) == len(jobs)


@pytest.mark.parametrize("target", [killed_at_start, killed_in_mid_work])
def test_a_worker_that_is_killed_ends_the_import_with_the_reason(target: Callable[[Connection], None]) -> None:
    with pytest.raises(WorkerFailed, match="import the same again"):
        answered(target, list(range(30)))


def test_what_a_worker_cannot_do_ends_the_import_with_the_reason() -> None:
    with pytest.raises(WorkerFailed, match="no space left"):
        answered(failing, list(range(30)))


def test_a_store_that_fails_ends_the_import_with_what_to_do() -> None:
    with pytest.raises(WorkerFailed, match="nobody is there; import the same again to go on"):
        answered(without_a_store, list(range(30)))


async def test_the_loop_goes_on_while_workers_are_waited_for() -> None:
    """Else the driver of a store would find its cluster silent."""
    async with turns_beside(0.01) as turns:
        with workers(1, slow, ()) as team:
            found = [each async for each in spread(team, [1])]
    assert found == [(1, 1)]
    assert turns.count > 10
