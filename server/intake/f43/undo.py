"""`onecard import undo ID`: what an import wrote is taken back, unless somebody changed it since.

The Provenances of an import of rows name every version that it wrote; one of FHIR files keeps a list in the store. A
version that is still the current one (or again, after a later import was undone) is replaced by the one before it, or
deleted where there was none. The history keeps everything. Newest first, so that what a later group of the import
changed again goes back step by step.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from fhir_profiles.canonical import CANONICAL
from fhir_profiles.json_reading import read_json
from server.context import Context
from server.intake.documents import SourceError
from server.intake.f43.group import IMPORTS, provenance_put
from server.intake.pages_of_store import pages
from server.intake.records import PROGRESS, RECORD, WRITTEN
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

GROUP = 100
"""Resources of one commit of an import of FHIR files."""
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
    record = json.loads(raw)
    run = _Undo(ctx, import_id)
    while True:
        before = run.done
        run.undone.kept.clear()
        run.blocked = 0
        if "parts" in record:
            await run.take_back_documents(record["parts"], advance)
        else:
            await run.take_back_groups(advance)
        # What something of a later group refers to may go after that.
        if not run.blocked or run.done == before:
            break
    run.undone.kept = list(dict.fromkeys(run.undone.kept))
    for key in record.get("sources", ()):
        # The same content may be imported again; what it creates gets new ids.
        again = {"started": ctx.clock(), "runs": [], "complete": False}
        await ctx.store.put_setting(PROGRESS + key, json.dumps(again).encode())
    await ctx.store.put_setting(
        RECORD + import_id, json.dumps({**record, "undone": ctx.clock(), "complete": True}).encode()
    )
    return run.undone


Written = tuple[str, str, int]
"""Type, id and version that an import wrote."""


class _Undo:
    def __init__(self, ctx: Context, import_id: str) -> None:
        self._ctx = ctx
        self._import_id = import_id
        self.undone = Undone()
        self.blocked = 0
        """Resources of this round that could not go, for others refer to them."""
        self._again: dict[tuple[str, str], tuple[int, int]] = {}
        """Restored resources: (the version whose content it has, its version now)."""
        self._gone: set[Written] = set()
        """What was taken back."""

    @property
    def done(self) -> int:
        return self.undone.deleted + self.undone.restored

    async def take_back_groups(self, advance: Callable[[int], object]) -> None:
        """What the Provenances of an import of rows name, newest first."""
        criteria = [("_source:below", f"{IMPORTS}/{self._import_id}"), ("_sort", "-_lastUpdated")]
        async for hits in pages(self._ctx.store, self._ctx.search.compile("Provenance", criteria).query):
            for hit in hits.hits:
                await self._take_back_group(hit.version)
                advance(1)

    async def _take_back_group(self, provenance: Version) -> None:
        """One commit group; what is still needed stays, and the Provenance that names it."""
        resource = read_json(provenance.body or b"{}", max_depth=self._ctx.settings.max_depth)
        targets = resource.get("target", ())
        parts = [each["reference"].split("/") for each in targets]
        written = [(kind, number, int(version)) for kind, number, _, version in parts]
        plan = await self._plan(written)
        forget = Delete("Provenance", provenance.id, provenance.version)
        if len(plan) == len(written) and await self._apply(plan, forget):
            return
        # The Provenance refers to them itself: it loses what goes, in the same commit.
        version = provenance.version
        left = dict(zip(written, targets, strict=True))
        for each, change in plan.items():
            rest = [target for other, target in left.items() if other != each]
            changed: Change = Delete("Provenance", provenance.id, version)
            if rest:
                changed = _put(self._ctx, {**resource, "target": rest}, provenance.id, version)
            if await self._apply({each: change}, changed):
                del left[each]
                version += 1

    async def take_back_documents(self, parts: int, advance: Callable[[int], object]) -> None:
        """What an import of FHIR files noted, newest first."""
        for part in reversed(range(parts)):
            raw = await self._ctx.store.get_setting(f"{WRITTEN}{self._import_id}/{part}")
            written = [(kind, number, version) for kind, number, version in json.loads(raw or b"[]")]
            written = [each for each in reversed(written) if each not in self._gone]
            for at in range(0, len(written), GROUP):
                # A later version of the same resource goes first.
                for some in _once_each(written[at : at + GROUP]):
                    plan = await self._plan(some)
                    if not await self._apply(plan):
                        for each, change in plan.items():
                            await self._apply({each: change})
                advance(1)

    async def _plan(self, written: Sequence[Written]) -> dict[Written, Change]:
        """The changes that take versions back, those that were changed since left out."""
        current = await self._ctx.store.read_many([(kind, number) for kind, number, _ in written])
        changes: dict[Written, Change] = {}
        for (kind, number, version), now in zip(written, current, strict=True):
            if now is None:
                continue
            is_ours = now.version == version or self._again.get((kind, number)) == (version, now.version)
            if not is_ours and not await self._is_again(now, version):
                self.undone.kept.append(f"{kind}/{number}")
                continue
            before = await self._ctx.store.vread(kind, number, version - 1) if version > 1 else None
            if before is not None and before.body is not None:
                restored = read_json(before.body, max_depth=self._ctx.settings.max_depth)
                changes[kind, number, version] = _put(self._ctx, restored, number, 0 if now.deleted else now.version)
            elif not now.deleted:
                changes[kind, number, version] = Delete(kind, number, now.version)
        return changes

    async def _is_again(self, now: Version, version: int) -> bool:
        """Whether the current version is what the import wrote, brought back when a later import was undone."""
        written = await self._ctx.store.vread(now.type, now.id, version)
        if written is None or written.body is None or now.body is None:
            return False
        return _content(written.body) == _content(now.body)

    async def _apply(self, plan: dict[Written, Change], beside: Change | None = None) -> bool:
        """Whether the changes are done: all or none."""
        changes = list(plan.values())
        if not changes and beside is None:
            return True
        try:
            await self._commit([*changes, beside] if beside else changes)
        except CommitRefused:
            if len(changes) == 1:
                self.blocked += 1
                self.undone.kept += [f"{kind}/{number}" for kind, number, _ in plan]
            return False
        for (kind, number, version), change in plan.items():
            self._gone.add((kind, number, version))
            if isinstance(change, Delete):
                self.undone.deleted += 1
            else:
                self.undone.restored += 1
                assert change.expected is not None
                # A deleted resource that comes back has the version behind its tombstone.
                self._again[kind, number] = (version - 1, (change.expected or version) + 1)
        return True

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


def _content(body: bytes) -> dict[str, Any]:
    """A resource apart from what every version has of its own."""
    resource: dict[str, Any] = orjson.loads(body)
    meta = {name: value for name, value in resource["meta"].items() if name not in ("versionId", "lastUpdated")}
    return {**resource, "meta": meta}


def _once_each(written: Sequence[Written]) -> list[list[Written]]:
    """The versions in their order, cut so that no resource is twice in a piece."""
    pieces: list[list[Written]] = [[]]
    seen: set[tuple[str, str]] = set()
    for kind, number, version in written:
        if (kind, number) in seen:
            pieces.append([])
            seen.clear()
        seen.add((kind, number))
        pieces[-1].append((kind, number, version))
    return pieces


def _put(ctx: Context, resource: dict[str, Any], number: str, expected: int) -> Put:
    """A version as it was, word for word."""
    kind = resource["resourceType"]
    index = ctx.search.extract(kind, resource)
    text = ctx.search.text(kind, resource) if ctx.settings.text_search else None
    return Put(kind, number, storing.body_of(resource, number), index, "PUT", expected, text)
