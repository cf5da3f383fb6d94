"""Stored CodeSystem, ValueSet, ConceptMap and StructureDefinition resources, put to work.

What this worker stores it takes up at once; what others store it finds by the newest version of each type, which it
looks at every few seconds. (SearchParameter resources need indexing first: `reindexing.py`.)
https://hl7.org/fhir/R4/conformance-module.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from fhir_profiles.definitions import Definitions
from fhir_profiles.json_reading import read_json
from server.observability import failures
from server.search.query import Query
from server.store.contract import Scope, Store, StoreError, Version
from terminology.service import TerminologyService

TERMINOLOGY = ("CodeSystem", "ValueSet", "ConceptMap")
TYPES = frozenset({*TERMINOLOGY, "StructureDefinition"})
POLL_SECONDS = 2.0
_PAGE = 200


class ConformanceResources:
    def __init__(self, store: Store, definitions: Definitions, terminology: TerminologyService) -> None:
        self._store = store
        self._definitions = definitions
        self._terminology = terminology
        self._seen: dict[str, int | None] = {}
        """Type -> `seq` of its newest version that was taken up."""
        self._taken: dict[tuple[str, str], tuple[str, str | None]] = {}
        """(type, id) -> url and version under which it was taken up."""
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Takes up what is stored, then watches for changes of other workers."""
        for each in sorted(TYPES):
            self._seen[each] = await self._newest(each)
            await self._take_all(each)
        self._task = asyncio.create_task(self._watch())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def take_up(self, versions: Iterable[Version]) -> None:
        """Versions that were just stored, of whatever type."""
        for version in versions:
            if version.type in TYPES:
                self._take(version)

    async def _newest(self, resource_type: str) -> int | None:
        found = await self._store.history(Scope(resource_type), limit=1)
        return found.versions[0].seq if found.versions else None

    async def _take_all(self, resource_type: str) -> None:
        query = Query((resource_type,), limit=_PAGE)
        while True:
            page = await self._store.search(query)
            self.take_up(hit.version for hit in page.hits)
            if not page.more:
                return
            query = query.page(after=page.hits[-1].position)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                for each in sorted(TYPES):
                    await self._look(each)
            except StoreError:
                continue  # requests meet the same failure, and answer and log it
            except Exception as error:
                failures.record(error)

    async def _look(self, resource_type: str) -> None:
        """Take up what other workers stored, oldest first."""
        newest = await self._newest(resource_type)
        seen = self._seen.get(resource_type)
        if newest == seen:
            return
        fresh: list[Version] = []
        before: int | None = None
        while True:
            page = await self._store.history(Scope(resource_type), before=before, limit=_PAGE)
            fresh += [each for each in page.versions if seen is None or each.seq > seen]
            if not page.more or (seen is not None and page.versions[-1].seq <= seen):
                break
            before = page.versions[-1].seq
        self.take_up(reversed(fresh))
        self._seen[resource_type] = newest

    def _take(self, version: Version) -> None:
        key = (version.type, version.id)
        if version.type == "ValueSet":
            self._terminology.name(f"ValueSet/{version.id}", None if version.body is None else read_json(version.body))
        gone = self._taken.pop(key, None)
        if gone is not None and version.type in TERMINOLOGY:
            self._terminology.remove(version.type, *gone)
        elif gone is not None:
            self._definitions.remove(gone[0])
        if version.body is None:
            return
        resource = read_json(version.body)
        url = resource.get("url")
        if not isinstance(url, str):
            return
        if version.type in TERMINOLOGY:
            self._terminology.add(resource)
        elif not self._add_profile(resource):
            return
        self._taken[key] = (url, resource.get("version"))

    def _add_profile(self, resource: Mapping[str, Any]) -> bool:
        """Whether a StructureDefinition can be used: it needs a snapshot, and may not redefine a type of R4."""
        if not resource.get("snapshot"):
            return False
        try:
            self._definitions.add(resource)
        except ValueError:
            return False
        return True
