"""SearchParameter resources made searchable: taken up by every worker, then indexed in the background.

A parameter goes through `pending` (workers extract its values of what is written, searches for it are refused),
`running` (one worker extracts the values of what was stored before) and `done` (searches for it are answered); a
definition that cannot be used is `failed`. Workers learn of each other through the store: the newest version of any
SearchParameter, one setting for each version of a parameter, and one that changes when it is time to look (`_BELL`).
https://hl7.org/fhir/R4/searchparameter.html
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from fhir_profiles.definitions import Definitions
from fhir_profiles.json_reading import read_json
from server.clock import now_ms
from server.errors import FhirError
from server.observability import failures
from server.search.engine import Search
from server.search.query import Query
from server.store.contract import Scope, Store, StoreError

LISTEN_SECONDS = 0.25
"""How often a worker asks whether it is time to look: one small value of the store."""
POLL_SECONDS = 2.0
"""How often it looks anyway."""
SETTLE_SECONDS = 2 * LISTEN_SECONDS
"""After that every worker extracts a new parameter, unless it is very busy, and what was stored before is indexed."""
LATE_SECONDS = 2 * POLL_SECONDS
"""After that every worker does. What is small is indexed once more then, what is large only then."""
SMALL = 5_000
"""Resources."""
_BELL = "search-parameters/bell"
STALLED_MS = 60_000
"""An owner that has reported no progress for so long is gone."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one SearchParameter resource is."""

    id: str
    version: int
    url: str
    code: str
    state: str
    """pending, running, done or failed"""
    done: int = 0
    total: int = 0
    """Resources indexed, of how many."""
    reason: str = ""
    """Why it failed."""
    owner: str = ""
    touched: int = 0
    late: bool = False
    """Done, and about to be indexed once more for what a busy worker stored without its values."""


class Reindexing:
    def __init__(
        self, store: Store, search: Search, definitions: Definitions, clock: Callable[[], int] = now_ms
    ) -> None:
        self._store = store
        self._search = search
        self._definitions = definitions
        self._clock = clock
        self._name = secrets.token_hex(8)
        self._seen: object = None
        self._rung: bytes | None = None
        self._looking = asyncio.Lock()
        self._known: dict[str, Progress] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Takes up the parameters that are stored, then watches for changes."""
        self._rung = await self._store.get_setting(_BELL)
        await self.look()
        self._spawn(self._watch())

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def told(self) -> None:
        """A SearchParameter was written by this worker, which looks at once; the others are rung."""
        try:
            await self.look()
            await self._ring()
        except StoreError as error:  # what was written stands: all will look in a moment
            failures.record(error)

    async def _ring(self) -> None:
        await self._store.put_setting(_BELL, secrets.token_bytes(8))

    async def look(self) -> bool:
        """Brings the parameters of this worker in line with what the store says; whether there was something new.
        Raises: StoreError."""
        async with self._looking:
            return await self._look()

    def know(self, resources: Iterable[Mapping[str, Any]]) -> None:
        """SearchParameter resources of another store that is about to be copied: what comes is indexed for them too."""
        for resource in resources:
            if resource.get("status") == "active" and not self._is_official(resource):
                with contextlib.suppress(FhirError):
                    self._search.parameters.add(resource)

    async def progress(self) -> list[Progress]:
        """Of every active SearchParameter resource, whoever works on it."""
        return [await self._stored(each) or each for each in self._known.values()]

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch(self) -> None:
        listened = 0.0
        while True:
            await asyncio.sleep(LISTEN_SECONDS)
            listened += LISTEN_SECONDS
            try:
                rung = await self._store.get_setting(_BELL)
                if rung != self._rung or listened >= POLL_SECONDS:
                    self._rung, listened = rung, 0.0
                    await self.look()
            except StoreError:
                continue  # the store is away for a moment; its own failures are logged where requests meet them
            except Exception as error:
                failures.record(error)

    # ------------------------------------------------------------------ what is stored

    async def _look(self) -> bool:
        before = dict(self._known)
        newest = await self._store.history(Scope("SearchParameter"), limit=1)
        seen = newest.versions[0].seq if newest.versions else None
        if seen != self._seen:
            await self._take_up()
            self._seen = seen
        for each in list(self._known.values()):
            if each.state in ("pending", "running") or each.late:
                await self._advance(each)
        return before != self._known

    async def _take_up(self) -> None:
        """Bring the parameters of this worker in line with the resources that are stored and active."""
        stored: dict[str, Progress] = {}
        query = Query(("SearchParameter",), limit=200)
        while True:
            page = await self._store.search(query)
            for hit in page.hits:
                resource = read_json(hit.version.body or b"{}")
                if resource.get("status") == "active" and not self._is_official(resource):
                    state = Progress(hit.version.id, hit.version.version, resource["url"], resource["code"], "pending")
                    stored[state.url] = await self._register(state, resource)
            if not page.more:
                break
            query = query.page(after=page.hits[-1].position)
        for url in self._known.keys() - stored.keys():
            self._search.parameters.remove(url)
        self._known = stored

    def _is_official(self, resource: Mapping[str, Any]) -> bool:
        """An official definition that was loaded as a resource changes nothing."""
        for base in resource.get("base", ()):
            row = self._definitions.search_parameters(base).get(resource.get("code", ""))
            if row is None or row.url != resource.get("url") or row.expression != resource.get("expression"):
                return False
        return True

    async def _register(self, state: Progress, resource: Mapping[str, Any]) -> Progress:
        known = self._known.get(state.url)
        if known is not None and (known.id, known.version) == (state.id, state.version):
            return known
        state = await self._stored(state) or state
        if state.state == "failed":
            return state
        try:
            self._search.parameters.add(resource, searchable=state.state == "done")
        except FhirError as error:
            state = replace(state, state="failed", reason=str(error))
        return state

    # ------------------------------------------------------------------ indexing

    async def _advance(self, state: Progress) -> None:
        """One step further with a parameter that is not done: see what others did, or begin."""
        stored = await self._stored(state)
        if stored is not None and stored.state in ("done", "failed"):
            self._finish(stored)
            if not stored.late:
                return
            state = stored
        if stored is None or (stored.owner != self._name and self._clock() - stored.touched > STALLED_MS):
            # One that claimed it and died before it said so is forgotten after a while.
            generation = stored.touched if stored is not None else self._clock() // STALLED_MS
            owner = await self._store.put_setting(
                f"{_key(state)}/{generation}", self._name.encode(), only_if_absent=True
            )
            if owner == self._name.encode():
                mine = replace(state, owner=self._name)
                await self._save(mine)
                self._spawn(self._index_or_record(mine))

    async def _index_or_record(self, state: Progress) -> None:
        """Another worker takes over when this one has stopped reporting."""
        try:
            await (self._index_late(state) if state.late else self._index(state))
        except StoreError as error:
            failures.record(error)
        except KeyError:
            return  # the parameter was removed or replaced meanwhile

    async def _index(self, state: Progress) -> None:
        await asyncio.sleep(SETTLE_SECONDS)
        types = self._types(state)
        counts = (await self._store.info()).counts
        small = sum(counts.get(each, 0) for each in types) <= SMALL
        if not small:
            await asyncio.sleep(LATE_SECONDS - SETTLE_SECONDS)
        finished = replace(await self._pass(state, types), late=small)
        await self._save(finished)
        self._finish(finished)
        await self._ring()
        if small:
            await self._index_late(finished)

    async def _index_late(self, state: Progress) -> None:
        await asyncio.sleep(LATE_SECONDS)
        await self._store.reindex(self._types(state), lambda done, total: None)
        state = replace(state, late=False)
        await self._save(state)
        self._finish(state)

    def _types(self, state: Progress) -> list[str]:
        """Raises: KeyError (it was removed)."""
        return sorted(self._search.parameters.types_of(self._search.parameters.custom()[state.url]))

    async def _pass(self, state: Progress, types: Sequence[str]) -> Progress:
        """All resources of the types once, the progress told to the others each second."""
        steps: asyncio.Queue[tuple[int, int]] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def report(done: int, total: int) -> None:
            loop.call_soon_threadsafe(steps.put_nowait, (done, total))

        work = asyncio.ensure_future(self._store.reindex(types, report))
        running = replace(state, state="running")
        try:
            while not work.done():
                await asyncio.wait({work}, timeout=1.0)
                await asyncio.sleep(0)  # for the last report
                while not steps.empty():
                    done, total = steps.get_nowait()
                    running = replace(running, done=done, total=total)
                await self._save(running)
            work.result()
        finally:
            work.cancel()
        return replace(running, state="done", done=running.total)

    def _finish(self, state: Progress) -> None:
        if state.url in self._known and self._known[state.url].version == state.version:
            self._known[state.url] = state
            if state.state == "done":
                self._search.parameters.allow(state.url)

    # ------------------------------------------------------------------ shared state

    async def _stored(self, state: Progress) -> Progress | None:
        raw = await self._store.get_setting(_key(state))
        return Progress(**orjson.loads(raw)) if raw else None

    async def _save(self, state: Progress) -> None:
        touched = replace(state, touched=self._clock())
        await self._store.put_setting(_key(state), orjson.dumps(touched))


_KEY = "search-parameter/"


def _key(state: Progress) -> str:
    return f"{_KEY}{state.id}/{state.version}"


def is_unfinished(key: str, value: bytes) -> bool:
    """Whether a setting of a store tells of indexing that was not done: it means nothing to a copy of the store."""
    return key.startswith(_KEY) and b'"state":"done"' not in value
