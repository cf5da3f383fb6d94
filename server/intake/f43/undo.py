"""`onecard import undo ID`: what an import wrote is taken back, unless somebody changed it since.

The Provenances of the import name every version that it wrote. A version that is still the current one is replaced by
the one before it, or deleted where there was none. The history keeps everything. Newest first, so that what a later
group of the import changed again goes back step by step.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import orjson

from fhir_profiles.canonical import CANONICAL
from fhir_profiles.json_reading import read_json
from server.context import Context
from server.intake.documents import SourceError
from server.intake.f43.group import IMPORTS, provenance_put
from server.intake.f43.importing import RECORD
from server.intake.pages_of_store import pages
from server.interactions import storing
from server.store.contract import (
    Change,
    Commit,
    CommitRefused,
    Condition,
    Delete,
    Put,
    Unreferenced,
    Version,
    instant,
)

UNDO = f"{CANONICAL}/undo"
"""meta.source of what an undo writes."""


@dataclass(slots=True)
class Undone:
    """Resources."""

    deleted: int = 0
    restored: int = 0
    kept: list[str] = field(default_factory=list)
    """Type/id of what was changed since, or is still referred to by something that stays."""

    def as_json(self) -> dict[str, object]:
        return {"deleted": self.deleted, "restored": self.restored, "kept": self.kept}


async def undo(ctx: Context, import_id: str, *, advance: Callable[[int], object] = lambda done: None) -> Undone:
    """Take an import back. It may be repeated after an interruption. Raises: SourceError (no such import)."""
    raw = await ctx.store.get_setting(RECORD + import_id)
    if raw is None:
        raise SourceError(f"{import_id[:60]}: no import of this store / ไม่พบการนำเข้านี้")
    run = _Undo(ctx, import_id)
    criteria = [("_source:below", f"{IMPORTS}/{import_id}"), ("_sort", "-_lastUpdated")]
    async for hits in pages(ctx.store, ctx.search.compile("Provenance", criteria).query):
        for hit in hits.hits:
            await run.take_back(hit.version)
            advance(1)
    record = {**json.loads(raw), "undone": ctx.clock(), "complete": True}
    await ctx.store.put_setting(RECORD + import_id, json.dumps(record).encode())
    return run.undone


class _Undo:
    def __init__(self, ctx: Context, import_id: str) -> None:
        self._ctx = ctx
        self._import_id = import_id
        self.undone = Undone()
        self._again: dict[tuple[str, str], tuple[int, int]] = {}
        """Restored resources: (the version whose content it has, its version now)."""

    async def take_back(self, provenance: Version) -> None:
        """One commit group of the import; if something in it is still needed, its resources one by one."""
        changes = await self._changes(provenance)
        forget = Delete("Provenance", provenance.id, provenance.version)
        try:
            await self._commit([*changes, forget])
            done = changes
        except CommitRefused:
            done = []
            for change in changes:
                # Its Provenance refers to it and so has to go first.
                try:
                    await self._commit([change, forget])
                    done.append(change)
                except CommitRefused:
                    self.undone.kept.append(f"{change.type}/{change.id}")
        self.undone.deleted += sum(isinstance(change, Delete) for change in done)
        for change in done:
            if isinstance(change, Put):
                assert change.expected is not None
                self.undone.restored += 1
                self._again[change.type, change.id] = (self._before[change.type, change.id], change.expected + 1)

    async def _changes(self, provenance: Version) -> list[Change]:
        targets = orjson.loads(provenance.body or b"{}").get("target", ())
        written = [each["reference"].split("/") for each in targets]
        current = await self._ctx.store.read_many([(kind, number) for kind, number, _, _ in written])
        changes: list[Change] = []
        self._before: dict[tuple[str, str], int] = {}
        for (kind, number, _, text), now in zip(written, current, strict=True):
            version = int(text)
            if now is None:
                continue
            if now.version != version and self._again.get((kind, number)) != (version, now.version):
                self.undone.kept.append(f"{kind}/{number}")
                continue
            before = await self._ctx.store.vread(kind, number, version - 1) if version > 1 else None
            if before is not None and before.body is not None:
                changes.append(_restored(self._ctx, before, 0 if now.deleted else now.version))
                self._before[kind, number] = version - 1
            elif not now.deleted:
                changes.append(Delete(kind, number, now.version))
        return changes

    async def _commit(self, changes: Sequence[Change]) -> None:
        ctx = self._ctx
        gone = [change for change in changes if isinstance(change, Delete)]
        conditions: list[Condition] = []
        if ctx.settings.referential_integrity:
            conditions = [Unreferenced(change.type, change.id) for change in gone]
        # What is gone is not referred to: the import is what this is about.
        about = {"identifier": {"system": IMPORTS, "value": self._import_id}, "display": f"{len(changes)} resources"}
        note = {
            "resourceType": "Provenance",
            "meta": {"source": f"{UNDO}/{self._import_id}"},
            "target": [about],
            "recorded": instant(ctx.clock()),
            "reason": [{"text": "import undone"}],
            "agent": [{"who": {"display": "OneCard"}}],
        }
        await ctx.store.commit(Commit([*changes, provenance_put(ctx, note)], conditions))


def _restored(ctx: Context, before: Version, expected: int) -> Put:
    """The earlier version as a new one, word for word."""
    resource = read_json(before.body or b"", max_depth=ctx.settings.max_depth)
    return Put(
        before.type,
        before.id,
        storing.body_of(resource, before.id),
        ctx.search.extract(before.type, resource),
        "PUT",
        expected,
        ctx.search.text(before.type, resource) if ctx.settings.text_search else None,
    )
