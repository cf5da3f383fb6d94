"""SearchParameter resources made searchable: taken up by every worker, then indexed in the background.

A parameter goes through `pending` (workers extract its values of what is written, searches for it are refused),
`running` (one worker extracts the values of what was stored before) and `done` (searches for it are answered); a
definition that cannot be used is `failed`. Workers learn of each other through the store: the newest version of any
SearchParameter, and one setting for each version of a parameter.   https://hl7.org/fhir/R4/searchparameter.html
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from fhir_profiles.definitions import Definitions
from fhir_profiles.json_reading import read_json
from server.context import now_ms
from server.errors import FhirError
from server.observability import failures
from server.search.engine import Search
from server.search.query import Query
from server.store.contract import Scope, Store, StoreError

POLL_SECONDS = 2.0
"""How often a worker looks for new parameters."""
SETTLE_SECONDS = 2 * POLL_SECONDS
"""After that every worker extracts a new parameter, and indexing of what was stored before may begin."""
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
        self._known: dict[str, Progress] = {}
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Takes up the parameters that are stored, then watches for changes."""
        await self._look()
        self._spawn(self._watch())

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def wake(self) -> None:
        """A SearchParameter was written by this worker: look at once."""
        self._wake.set()

    async def progress(self) -> list[Progress]:
        """Of every active SearchParameter resource, whoever works on it."""
        return [await self._stored(each) or each for each in self._known.values()]

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)
            self._wake.clear()
            try:
                await self._look()
            except StoreError:
                continue  # the store is away for a moment; its own failures are logged where requests meet them
            except Exception as error:
                failures.record(error)

    # ------------------------------------------------------------------ what is stored

    async def _look(self) -> None:
        newest = await self._store.history(Scope("SearchParameter"), limit=1)
        seen = newest.versions[0].seq if newest.versions else None
        if seen != self._seen:
            await self._take_up()
            self._seen = seen
        for each in list(self._known.values()):
            if each.state in ("pending", "running"):
                await self._advance(each)

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
        elif stored is None or (stored.owner != self._name and self._clock() - stored.touched > STALLED_MS):
            generation = stored.touched if stored is not None else 0
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
            await self._index(state)
        except StoreError as error:
            failures.record(error)
        except KeyError:
            return  # the parameter was removed or replaced meanwhile

    async def _index(self, state: Progress) -> None:
        await asyncio.sleep(SETTLE_SECONDS)
        types = sorted(self._types(state.url))
        steps: asyncio.Queue[tuple[int, int]] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def report(done: int, total: int) -> None:
            loop.call_soon_threadsafe(steps.put_nowait, (done, total))

        work = asyncio.ensure_future(self._store.reindex(types, report))
        running = replace(state, state="running")
        try:
            while not work.done():
                await asyncio.wait({work}, timeout=1.0)
                while not steps.empty():
                    done, total = steps.get_nowait()
                    running = replace(running, done=done, total=total)
                await self._save(running)
            work.result()
        finally:
            work.cancel()
        finished = replace(running, state="done", done=running.total)
        await self._save(finished)
        self._finish(finished)

    def _types(self, url: str) -> set[str]:
        """Resource types that a parameter is about."""
        base = set(self._search.parameters.custom()[url].base)
        return {
            each
            for each in self._definitions.resource_types
            if any(self._definitions.is_a(each, ancestor) for ancestor in base)
        }

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


def _key(state: Progress) -> str:
    return f"search-parameter/{state.id}/{state.version}"
