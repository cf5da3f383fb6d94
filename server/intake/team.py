"""Worker processes of an import: each has the store open and answers jobs; the main process hands them out.

Nothing waits for ever: a worker reads its jobs in a thread of its own, so that neither side can be stuck in sending to
the other; what it cannot do it answers with the reason; one that dies ends the import. What was answered is in the
store, and the import goes on when it is started again.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from server.store.contract import StoreError

Job = TypeVar("Job")

PATIENCE = 60.0
"""Seconds that a worker has to finish what it has in hand when the import ends."""


class WorkerFailed(Exception):
    """A worker died, or could not do its job; the message says why in words for whoever started the import."""


@dataclass(frozen=True, slots=True)
class _Failed:
    """Sent in place of an answer."""

    reason: str


@contextlib.contextmanager
def workers(number: int, target: Callable[..., None], arguments: tuple[Any, ...]) -> Iterator[list[Connection]]:
    """Connections to processes that run `target(*arguments, connection)`; closing them ends the processes when what
    they have in hand is done."""
    method = multiprocessing.get_context("spawn")
    pairs = [method.Pipe() for _ in range(number)]
    processes = [method.Process(target=target, args=(*arguments, there), daemon=True) for _, there in pairs]
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
            process.join(PATIENCE)
            if process.is_alive():
                process.kill()
                process.join()


async def spread(team: list[Connection], jobs: Iterable[Job], *, ahead: int = 2) -> AsyncIterator[tuple[Job, Any]]:
    """Every job with its answer, as the workers finish them; each has up to `ahead` jobs so that none waits for work.
    Waits in a thread: a store whose driver hears nothing for seconds, because its loop stands, takes the cluster for
    gone.

    Raises: WorkerFailed."""
    loop = asyncio.get_running_loop()
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
            with _telling():
                worker.send(job)
            queues[worker].append(job)
        busy = [worker for worker in team if queues[worker]]
        if not busy:
            return
        for ready in await loop.run_in_executor(None, wait, busy):
            assert isinstance(ready, Connection)
            with _telling():
                answer = ready.recv()
            if isinstance(answer, _Failed):
                raise WorkerFailed(answer.reason)
            yield queues[ready].pop(0), answer


@contextlib.contextmanager
def _telling() -> Iterator[None]:
    try:
        yield
    except (EOFError, OSError) as error:
        raise WorkerFailed(
            f"a worker process ended before its work was done; {_GO_ON[0]} / โปรเซสที่ช่วยนำเข้าหยุดก่อนเสร็จ {_GO_ON[1]}"
        ) from error


_GO_ON = ("import the same again to go on", "นำเข้าไฟล์เดิมอีกครั้งเพื่อทำต่อ")


# --- in the worker ----------------------------------------------------------------------------------------------------


async def answers(work: Connection, answer: Callable[[Any], Awaitable[Any]]) -> None:
    """Answer every job of the connection in the order they come, the next ones worked on while one waits.

    Returns when the other side has closed it, and all that came before is answered.
    """
    tasks: asyncio.Queue[asyncio.Task[Any] | None] = asyncio.Queue()
    sending = asyncio.create_task(_send(work, tasks))
    async for job in _jobs(work):
        if sending.done():
            break
        tasks.put_nowait(asyncio.create_task(_answered(answer, job)))
    tasks.put_nowait(None)
    await sending


async def _answered(answer: Callable[[Any], Awaitable[Any]], job: Any) -> Any:
    try:
        return await answer(job)
    except StoreError as error:
        return _Failed(f"{error}; {' / '.join(_GO_ON)}")
    except Exception as error:  # whatever it was, the other side has to know
        return _Failed(f"{type(error).__name__}: {error}")


async def _send(work: Connection, tasks: asyncio.Queue[asyncio.Task[Any] | None]) -> None:
    loop = asyncio.get_running_loop()
    # Nobody listens any more where it is closed: the import was given up.
    with contextlib.suppress(OSError):
        while (task := await tasks.get()) is not None:
            await loop.run_in_executor(None, work.send, await task)


async def _jobs(work: Connection) -> AsyncIterator[Any]:
    """What arrives, read at once: the other side has at most a few jobs on their way."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[tuple[Any, bool]] = asyncio.Queue()

    def read() -> None:
        with contextlib.suppress(EOFError, OSError, RuntimeError):
            while True:
                loop.call_soon_threadsafe(arrived.put_nowait, (work.recv(), True))
        with contextlib.suppress(RuntimeError):  # the loop may be closed by then
            loop.call_soon_threadsafe(arrived.put_nowait, (None, False))

    threading.Thread(target=read, daemon=True).start()
    while True:
        job, more = await arrived.get()
        if not more:
            return
        yield job
