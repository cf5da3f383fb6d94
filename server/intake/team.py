"""Worker processes of an import: each has the store open and answers jobs; the main process hands them out.

With `number` 0 nothing is started: jobs are then answered in the calling process (the sample of a serving one).
"""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

Job = TypeVar("Job")


@contextlib.contextmanager
def workers(number: int, target: Callable[..., None], arguments: tuple[Any, ...]) -> Iterator[list[Connection]]:
    """Connections to processes that run `target(*arguments, connection)`; closing them ends the processes when what
    they have in hand is done."""
    method = multiprocessing.get_context("spawn")
    pairs = [method.Pipe() for _ in range(number)]
    processes = [method.Process(target=target, args=(*arguments, there)) for _, there in pairs]
    for process in processes:
        process.start()
    for _, there in pairs:
        there.close()
    try:
        yield [here for here, _ in pairs]
    finally:
        for here, _ in pairs:
            here.close()
        for process in processes:
            process.join()


def spread(team: list[Connection], jobs: Iterable[Job], *, ahead: int = 2) -> Iterator[tuple[Job, Any]]:
    """Every job with its answer, as the workers finish them; each has up to `ahead` jobs so that none waits for work.

    Raises: EOFError when a worker died."""
    waiting = iter(jobs)
    queues: dict[Connection, list[Job]] = {worker: [] for worker in team}
    exhausted = False
    while True:
        while not exhausted:
            worker = min(team, key=lambda each: len(queues[each]))
            if len(queues[worker]) >= ahead:
                break
            job = next(waiting, None)
            if job is None:
                exhausted = True
                break
            worker.send(job)
            queues[worker].append(job)
        busy = [worker for worker in team if queues[worker]]
        if not busy:
            return
        for ready in wait(busy):
            assert isinstance(ready, Connection)
            answer = ready.recv()
            yield queues[ready].pop(0), answer
