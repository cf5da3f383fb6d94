"""Requests answered later: `Prefer: respond-async`.   https://hl7.org/fhir/R4/async.html

The work runs as a task of the worker that took the request. Its state lives in the store, so that every worker can
answer for it, and it can be asked for or forgotten by whoever sent it only.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import orjson

from server.errors import TooManyRequests
from server.store.contract import Store, StoreError

KEEP_MS = 24 * 60 * 60 * 1000
"""How long a result can be fetched."""
MOST_AT_WORK = 64
"""Requests that one worker answers later at the same time."""
STALLED_MS = 60_000
"""A running job that no worker has touched for so long died with its worker."""
_BEAT_SECONDS = 10.0
_LIST = "jobs"
"""Setting with the ids of all jobs and when they began."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is known of one request."""

    id: str
    owner: str
    """Name of the principal."""
    state: str
    """running, done, cancelled or lost (the worker ended before the work did)."""
    touched: int
    """Milliseconds UTC since 1970."""
    result: bytes = b""
    """JSON of the answer, when done."""


class Jobs:
    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._saving: set[str] = set()
        """Jobs whose result is on its way into the store."""
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins to throw away what has expired."""
        self._sweeper = asyncio.create_task(self._sweep_hourly())

    async def close(self) -> None:
        """Cancels what runs; its owners see it as lost."""
        tasks = [*self._tasks.values(), *([self._sweeper] if self._sweeper else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def submit(self, owner: str, work: Callable[[], Awaitable[bytes]]) -> str:
        """Id of the job that now runs `work`, which gives the JSON of the answer and raises nothing.

        Raises: TooManyRequests.
        """
        if len(self._tasks) >= MOST_AT_WORK:
            raise TooManyRequests("Too many requests are being answered later; try again", headers={"Retry-After": "5"})
        job_id = secrets.token_urlsafe(18)
        await self._save(Job(job_id, owner, "running", self._clock()))
        await self._list(job_id)
        task = asyncio.create_task(self._run(job_id, owner, work))
        self._tasks[job_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(job_id, None))
        return job_id

    async def find(self, job_id: str, owner: str) -> Job | None:
        """The job, if it is this owner's and has neither been cancelled nor expired."""
        raw = await self._store.get_setting(_key(job_id))
        if not raw:
            return None
        head, _, result = raw.partition(b"\n")
        row = orjson.loads(head)
        job = Job(job_id, row["owner"], row["state"], row["touched"], result)
        age = self._clock() - job.touched
        if job.owner != owner or job.state == "cancelled" or age > KEEP_MS:
            return None
        if job.state == "running" and age > STALLED_MS:
            return Job(job_id, owner, "lost", job.touched)
        return job

    async def cancel(self, job: Job) -> None:
        """Ends the work (within `STALLED_MS` if another worker has it) and forgets the result."""
        task = self._tasks.get(job.id)
        if task is not None:
            if job.id not in self._saving:
                task.cancel()
            await asyncio.wait([task])  # else a result that is just being saved would come after this
        await self._save(Job(job.id, job.owner, "cancelled", self._clock()))

    async def _run(self, job_id: str, owner: str, work: Callable[[], Awaitable[bytes]]) -> None:
        beat = asyncio.create_task(self._beat(job_id, owner, asyncio.current_task()))
        try:
            result = await work()
        finally:
            beat.cancel()
        if await self.find(job_id, owner) is not None:
            self._saving.add(job_id)
            try:
                await self._save(Job(job_id, owner, "done", self._clock(), result))
            finally:
                self._saving.discard(job_id)

    async def _beat(self, job_id: str, owner: str, task: asyncio.Task[None] | None) -> None:
        """Shows that the worker lives, and notices a cancellation that another worker took."""
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            if await self.find(job_id, owner) is None:
                if task is not None:
                    task.cancel()
                return
            await self._save(Job(job_id, owner, "running", self._clock()))

    async def _list(self, job_id: str) -> None:
        """Put the job on the list that the sweep goes through. Two workers that do so at once may lose one of the two,
        whose result then stays until the store is made anew: an hour's nuisance, no wrong answer."""
        known = await self._listed()
        await self._store.put_setting(_LIST, orjson.dumps({**known, job_id: self._clock()}))

    async def _listed(self) -> dict[str, int]:
        raw = await self._store.get_setting(_LIST)
        return dict(orjson.loads(raw)) if raw else {}

    async def _sweep_hourly(self) -> None:
        while True:
            with contextlib.suppress(StoreError):
                await self.sweep()
            await asyncio.sleep(3600)

    async def sweep(self) -> None:
        """Empty the results that have expired."""
        known = await self._listed()
        oldest = self._clock() - KEEP_MS
        expired = [job_id for job_id, begun in known.items() if begun < oldest]
        for job_id in expired:
            await self._store.put_setting(_key(job_id), b"")
        if expired:
            kept = {job_id: begun for job_id, begun in known.items() if begun >= oldest}
            await self._store.put_setting(_LIST, orjson.dumps(kept))

    async def _save(self, job: Job) -> None:
        head = orjson.dumps({"owner": job.owner, "state": job.state, "touched": job.touched})
        await self._store.put_setting(_key(job.id), head + b"\n" + job.result)


def _key(job_id: str) -> str:
    return f"job/{job_id}"
