"""`onecard import fhir`: many documents at once, by several processes, gone on with after an interruption.

The main process reads and numbers documents; workers, each with the store open, parse, check and commit them. What is
done is noted in the store's settings per source (by its content), at least every few seconds; what was done after the
last note is recognised by its ids (writing.py).
"""

from __future__ import annotations

import asyncio
import bisect
import contextlib
import json
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from server.clock import now_ms
from server.config import Settings
from server.context import Context
from server.intake import team
from server.intake.documents import Document, Source, SourceError, digest, documents
from server.intake.quarantine import Quarantine
from server.intake.records import PROGRESS, RECORD, WRITTEN
from server.intake.waiting import Waiting
from server.intake.writing import Outcome, document_ids, write_document

IDS_KEY = "import/ids-key"
IN_FLIGHT = 32
"""Documents a worker handles at a time: its commits then leave in groups."""
CONFLICT = 409
"""Refused because of what it refers to: that may come later in the import."""
BATCH_BYTES = 512 * 1024
"""Documents are handed to workers in pieces of about this size."""
BATCH_DOCUMENTS = 128
NOTE_EVERY = 5.0
"""Seconds between notes of what is done."""


@dataclass(slots=True)
class SourceReport:
    """Counts of one source: documents, and the resources in them."""

    source: str
    documents: int = 0
    resources: int = 0
    written: int = 0
    repeated: int = 0
    """Resources that an earlier, interrupted run had written."""
    refused: int = 0
    error: str | None = None
    """Why the source could not be read to its end."""
    skipped: bool = False
    """Imported whole before: nothing was done."""


@dataclass(slots=True)
class ImportReport:
    import_id: str
    sources: list[SourceReport] = field(default_factory=list)
    seconds: float = 0.0
    quarantine: str | None = None
    reasons: dict[str, int] = field(default_factory=dict)
    """Diagnostics of refusals and how often each came."""

    @property
    def refused(self) -> int:
        return sum(s.refused for s in self.sources) + sum(s.error is not None for s in self.sources)

    def as_json(self) -> dict[str, Any]:
        names = ("source", "documents", "resources", "written", "repeated", "refused", "error", "skipped")
        return {
            "import": self.import_id,
            "seconds": round(self.seconds, 3),
            "sources": [{name: getattr(s, name) for name in names} for s in self.sources],
            "refused": self.refused,
            "quarantine": self.quarantine,
            "reasons": self.reasons,
        }


@dataclass(slots=True)
class _Progress:
    """What is done of one source (written, or refused into the quarantine): runs of document numbers [from, to)."""

    started_ms: int
    runs: list[list[int]] = field(default_factory=list)
    complete: bool = False

    def done(self, number: int) -> bool:
        at = bisect.bisect_right(self.runs, number, key=lambda run: run[0])
        return at > 0 and number < self.runs[at - 1][1]

    def add(self, number: int) -> None:
        at = bisect.bisect_right(self.runs, number, key=lambda run: run[0])
        joins_before = at > 0 and self.runs[at - 1][1] == number
        joins_after = at < len(self.runs) and self.runs[at][0] == number + 1
        if joins_before and joins_after:
            self.runs[at - 1][1] = self.runs.pop(at)[1]
        elif joins_before:
            self.runs[at - 1][1] = number + 1
        elif joins_after:
            self.runs[at][0] = number
        else:
            self.runs.insert(at, [number, number + 1])

    def as_bytes(self) -> bytes:
        return json.dumps({"started": self.started_ms, "runs": self.runs, "complete": self.complete}).encode()

    @classmethod
    def of(cls, data: bytes) -> _Progress:
        values = json.loads(data)
        return cls(values["started"], values["runs"], values["complete"])


async def import_fhir(
    settings: Settings,
    ctx: Context,
    sources: list[Source],
    *,
    workers: int,
    again: bool,
    advance: Callable[[int, int], None],
) -> ImportReport:
    """Load every source. advance(resources, bytes) is called as documents are done.

    again: load sources that were imported whole before once more. Blocks the calling loop: it is for a command.
    """
    run = _Import(settings, ctx, advance)
    secret = await ctx.store.put_setting(IDS_KEY, secrets.token_bytes(32), only_if_absent=True)
    try:
        with team.workers(workers, _worker, (settings, secret)) as run.team:
            for source in sources:
                await run.load(source, again=again)
            await run.load_waiting()
    finally:
        run.close()
    return run.report


class _Journal:
    """What an import wrote, kept in settings of the store so that it can be taken back.

    A part is noted before the documents of it are noted as done, so that an interrupted import finds what is missing
    when it goes on.
    """

    def __init__(self, ctx: Context, import_id: str) -> None:
        self._ctx = ctx
        self._import_id = import_id
        self._written: list[tuple[str, str, int]] = []
        self._record: dict[str, Any] = {"started": ctx.clock(), "parts": 0, "sources": [], "complete": False}

    def add(self, written: Iterable[tuple[str, str, int]]) -> None:
        self._written += written

    async def note(self, sources: Iterable[str] = (), *, complete: bool = False) -> None:
        if self._written:
            part = f"{WRITTEN}{self._import_id}/{self._record['parts']}"
            await self._ctx.store.put_setting(part, json.dumps(self._written).encode())
            self._record["parts"] += 1
            self._written = []
        self._record["sources"] = list(sources) or self._record["sources"]
        self._record["complete"] = complete
        await self._ctx.store.put_setting(RECORD + self._import_id, json.dumps(self._record).encode())


class _Import:
    """One run of the command."""

    def __init__(self, settings: Settings, ctx: Context, advance: Callable[[int, int], None]) -> None:
        self._ctx = ctx
        self._advance = advance
        self._began = time.monotonic()
        self.report = ImportReport(f"fhir-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}")
        self._quarantine = Quarantine(Path(settings.data_folder) / "quarantine", self.report.import_id)
        self._journal = _Journal(ctx, self.report.import_id)
        self._waiting = Waiting()
        self._unfinished: dict[str, tuple[SourceReport, _Progress]] = {}
        self.team: list[Connection] = []

    async def load(self, source: Source, *, again: bool) -> None:
        """One source; what refers to resources that are not there waits for the end."""
        counts = SourceReport(source.name)
        self.report.sources.append(counts)
        try:
            key = digest(source)
            progress = await self._begun(key, again=again)
            if progress.complete:
                counts.skipped = True
                return
            self._unfinished[key] = counts, progress
            todo = (
                d for d in documents(source, largest=self._ctx.settings.max_body_bytes) if not progress.done(d.number)
            )
            noted = time.monotonic()
            await self._journal.note(self._unfinished)
            async for outcome, document in self._run(_batches(todo), key, progress.started_ms):
                if outcome.status == CONFLICT and outcome.refused:
                    self._waiting.add(key, Document(source, document.number, outcome.data))
                else:
                    self._count(outcome, key, len(document.data))
                if time.monotonic() - noted > NOTE_EVERY:
                    await self._journal.note(self._unfinished)
                    await self._ctx.store.put_setting(_setting(key), progress.as_bytes())
                    noted = time.monotonic()
        except SourceError as error:
            counts.error = str(error)

    async def _begun(self, key: str, *, again: bool) -> _Progress:
        """What is done already. The start is noted before the first document: the ids are made from it."""
        new = _Progress(now_ms()).as_bytes()
        return _Progress.of(await self._ctx.store.put_setting(_setting(key), new, only_if_absent=not again))

    async def load_waiting(self) -> None:
        """Documents whose references were missing, for as long as a round brings some of them in."""
        waiting = self._waiting
        while len(waiting):
            still = Waiting()
            for key, group in waiting.groups():
                progress = self._unfinished[key][1]
                async for outcome, document in self._run(_batches(group), key, progress.started_ms):
                    if outcome.status == CONFLICT and outcome.refused:
                        still.add(key, document)
                    else:
                        self._count(outcome, key, len(document.data))
            stuck = len(still) == len(waiting)
            waiting.close()
            waiting = still
            if stuck:
                break
        for key, group in waiting.groups():
            async for outcome, document in self._run(_batches(group), key, self._unfinished[key][1].started_ms):
                self._count(outcome, key, len(document.data))
        waiting.close()
        await self._journal.note(self._unfinished, complete=True)
        for key, (counts, progress) in self._unfinished.items():
            progress.complete = counts.error is None
            await self._ctx.store.put_setting(_setting(key), progress.as_bytes())

    async def _run(
        self, batches: Iterator[list[Document]], key: str, started_ms: int
    ) -> AsyncIterator[tuple[Outcome, Document]]:
        """Outcomes of all documents as the workers finish them; what they wrote is kept."""
        async for (_, _, batch), outcomes in team.spread(self.team, ((key, started_ms, batch) for batch in batches)):
            for outcome, document in zip(outcomes, batch, strict=True):
                self._journal.add(outcome.written)
                yield outcome, document

    def _count(self, outcome: Outcome, key: str, size: int) -> None:
        counts, progress = self._unfinished[key]
        counts.documents += 1
        counts.resources += outcome.resources
        counts.refused += outcome.refused
        if outcome.repeated:
            counts.repeated += outcome.resources
        else:
            counts.written += outcome.resources - outcome.refused
        if outcome.refused:
            self._quarantine.add(
                source=outcome.source,
                document=outcome.number,
                status=outcome.status,
                issues=list(outcome.issues),
                data=outcome.data,
            )
            for issue in outcome.issues[:1]:
                reason = str(issue.get("diagnostics", issue.get("code", "")))
                self.report.reasons[reason] = self.report.reasons.get(reason, 0) + 1
        progress.add(outcome.number)
        self._advance(outcome.resources, size)

    def close(self) -> None:
        self._quarantine.close()
        self._waiting.close()
        path = self._quarantine.path
        self.report.quarantine = str(path) if path.exists() else None
        self.report.seconds = time.monotonic() - self._began


def _setting(key: str) -> str:
    return PROGRESS + key


def _batches(todo: Iterable[Document]) -> Iterator[list[Document]]:
    batch: list[Document] = []
    size = 0
    for document in todo:
        batch.append(document)
        size += len(document.data)
        if size >= BATCH_BYTES or len(batch) >= BATCH_DOCUMENTS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _worker(settings: Settings, secret: bytes, work: Connection) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(settings, secret, work))


async def _serve(settings: Settings, secret: bytes, work: Connection) -> None:
    from server.app import build_context

    os.nice(5)  # an import beside normal service gives way to it
    ctx = await build_context(settings)
    gate = asyncio.Semaphore(IN_FLIGHT)

    async def one(key: str, started_ms: int, document: Document) -> Outcome:
        async with gate:
            ids = document_ids(secret, key, document.number, started_ms)
            name = document.source.name
            return await write_document(ctx, name, document.number, document.data, ids, base=settings.fhir_base)

    async def answer(job: tuple[str, int, list[Document]]) -> list[Outcome]:
        key, started_ms, batch = job
        return await asyncio.gather(*(one(key, started_ms, document) for document in batch))

    try:
        await team.answers(work, answer)
    finally:
        await ctx.store.close()
