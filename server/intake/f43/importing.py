"""`onecard import f43|f16|card`: files of rows into the store, by several processes, in bounded memory.

Files are taken in the order of what refers to what; the rows of a person (registration, addresses, disabilities, death)
come together. An interrupted import goes on when the same content is imported again: files that are done are passed
over, and rows that are in already write nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import pickle
import secrets
import tempfile
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any, cast

from mappers.f16 import files as claim_files
from mappers.f43 import files as f43_files
from mappers.id_card import reads as cards
from mappers.layout import V24
from mappers.reading import ReadRow
from mappers.rows import CLAIM_FILES, LAYOUTS
from server.config import Settings
from server.context import Context
from server.intake.documents import SourceError
from server.intake.f43 import keys
from server.intake.f43.jobs import (
    PERSON_FILES,
    Answer,
    Job,
    Numbered,
    PersonsJob,
    Refusal,
    RowsJob,
)
from server.intake.f43.quality import write_report
from server.intake.f43.report import REPORTED, Phase, Report
from server.intake.f43.rules import rules_of
from server.intake.f43.run import Run
from server.intake.f43.sources import F43Source, Member, chunks, digest
from server.intake.f43.writer import Writer
from server.intake.quarantine import Quarantine
from server.intake.records import RECORD
from server.intake.team import answers, spread, workers

GROUP = 100
"""Rows of a commit group; persons are half as many, since each has several rows."""
IN_FLIGHT = 4
"""Groups that a worker has on its way at a time: while one is being committed, others are mapped."""
PARTITIONS = 64
"""Temporary files that bring the rows of a person together; each is read whole."""
SPOOLED = 256 * 1024
"""Bytes of a partition that stay in memory."""
PERSONS = "persons"
"""Stands for `PERSON_FILES` among the names of files."""
BY_CONTENT = "import/f43-content/"
"""Settings of the store: content of a source -> id of its last import."""


Write = Callable[[Iterable[Job]], AsyncIterator[tuple[Job, Answer]]]
"""Writes jobs and tells their answers as they come."""


async def import_f43(
    settings: Settings,
    ctx: Context,
    source: F43Source,
    *,
    processes: int,
    advance: Callable[[int, int], None],
) -> Report:
    """Load one zip or folder. advance(resources, bytes) is called as rows are done.

    processes: 0 writes in this very process (the sample); otherwise so many others do (a command).
    Raises: SourceError, StoreError.
    """
    secret = await ctx.store.put_setting(keys.IDS_KEY, secrets.token_bytes(32), only_if_absent=True)
    run = await _Import.begun(settings, ctx, source, advance)
    run.ids = keys.Ids(secret)
    try:
        if processes:
            with workers(processes, _worker, (settings, secret, run.ids_of_import)) as team:
                await run.load(lambda jobs: _by_team(team, jobs), GROUP)
        else:
            writer = Writer(Run(ctx, secret, run.ids_of_import, rules_of(ctx.settings)))
            await run.load(lambda jobs: _here(writer, jobs), GROUP // 4)
    except BaseException:
        run.discard()
        raise
    finally:
        run.close()
    await run.finish()
    return run.report


class _Import:
    """One run."""

    def __init__(
        self, settings: Settings, ctx: Context, source: F43Source, import_id: str, advance: Callable[[int, int], None]
    ) -> None:
        self._ctx = ctx
        self._source = source
        self._advance = advance
        self._began = time.monotonic()
        self._folder = Path(settings.data_folder) / "quarantine"
        self.report = Report(import_id, source.path.name, ignored=source.ignored)
        self._quarantine = Quarantine(self._folder, import_id)
        self._record: dict[str, Any] = {}
        self._content = ""
        self._problems: IO[bytes] = _temporary()

    @classmethod
    async def begun(
        cls, settings: Settings, ctx: Context, source: F43Source, advance: Callable[[int, int], None]
    ) -> _Import:
        """A new import, or the one of the same content that was interrupted."""
        content = digest(source)
        known = await ctx.store.get_setting(BY_CONTENT + content)
        record = json.loads(await ctx.store.get_setting(RECORD + known.decode()) or b"{}") if known else {}
        if not record or record["complete"]:
            import_id = f"{source.kind}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
            record = {"source": source.path.name, "started": ctx.clock(), "done": [], "complete": False}
            if source.refused_by:
                refused = json.loads(await ctx.store.get_setting(RECORD + source.refused_by) or b"{}")
                record["again"] = [source.refused_by, *refused.get("again", ())]
            await ctx.store.put_setting(BY_CONTENT + content, import_id.encode())
        else:
            assert known is not None
            import_id = known.decode()
        run = cls(settings, ctx, source, import_id, advance)
        run.report.resumed = bool(record["done"])
        run._record, run._content = record, content
        await run._note()
        return run

    @property
    def ids_of_import(self) -> Sequence[str]:
        """Its own, and those of the imports that refused its rows before: they count as one."""
        return self.report.import_id, *self._record.get("again", ())

    async def _note(self) -> None:
        await self._ctx.store.put_setting(RECORD + self.report.import_id, json.dumps(self._record).encode())

    async def load(self, write: Write, group: int) -> None:
        """Every file, persons together, in the order of the layouts. What refers to nothing that is still on its way
        comes at the same time, so that no worker waits for the end of a small file."""
        self._group = group
        phase: list[str] = []
        for name in self._names():
            if name not in self._record["done"]:
                phase.append(name)
            if phase and (name == PERSONS or name in keys.REFERRED_TO):
                await self._run(phase, write)
                phase = []
        if phase:
            await self._run(phase, write)

    def _names(self) -> list[str]:
        """Files of the source in the order of the layouts, those of persons as one."""
        there = {member.file for member in self._source.members}
        names = [PERSONS if file in PERSON_FILES else file for file in LAYOUTS if file in there]
        return sorted(set(names), key=[PERSONS if file in PERSON_FILES else file for file in LAYOUTS].index)

    def _members(self, name: str) -> list[Member]:
        files = PERSON_FILES if name == PERSONS else (name,)
        return [member for file in files for member in self._source.members if member.file == file]

    def _jobs(self, names: list[str]) -> Iterator[Job]:
        for name in names:
            yield from self._persons(self._members(name)) if name == PERSONS else self._rows(self._members(name))

    async def _run(self, names: list[str], write: Write) -> None:
        sizes = sum(member.size for name in names for member in self._members(name))
        reported = 0
        phase = Phase(names)
        self.report.phases.append(phase)
        began = time.monotonic()
        async for job, answer in write(self._jobs(names)):
            self._take(job, answer)
            written = sum(counts.resources for counts in answer.counts.values())
            share = min(sizes, self._read_bytes)
            self._advance(written, share - reported)
            reported = share
            phase.resources += written
            phase.rows += len(_numbered(job))
        phase.seconds = time.monotonic() - began
        self._advance(0, sizes - reported)
        self._read_bytes = 0
        self._record["done"] += names
        await self._note()

    # --- reading --------------------------------------------------------------------------------------------------

    ids: keys.Ids
    _read_bytes = 0
    _group = GROUP

    def _read(self, member: Member) -> Iterator[Numbered]:
        """Rows that may be written; what is wrong with the others is kept."""
        counts = self.report.of(member.file)
        header = b""

        def pieces() -> Iterator[bytes]:
            nonlocal header
            for piece in chunks(member):
                header = header or piece[:4096]
                self._read_bytes += len(piece)
                yield piece

        try:
            for row in map(_numbered_as(member), _rows_of(member, pieces())):
                if row.problems:
                    self._problem(row, member, header)
                if row.values or row.refused:
                    counts.read += 1
                if row.refused:
                    counts.refused += 1
                elif row.values:
                    if member.file == cards.FILE:
                        row.values["HOLDER"] = self.ids.holder(cards.holder_key(row.values))
                    yield Numbered(member.file, row.number, row.values)
        except SourceError as error:
            self.report.errors.append(str(error))

    def _rows(self, members: Iterable[Member]) -> Iterator[Job]:
        for member in members:
            batch: list[Numbered] = []
            for row in self._read(member):
                batch.append(row)
                if len(batch) >= self._group:
                    yield RowsJob(member.file, batch)
                    batch = []
            if batch:
                yield RowsJob(member.file, batch)

    def _persons(self, members: Iterable[Member]) -> Iterator[Job]:
        """Rows of the person files, brought together by facility and PID in temporary files without names."""
        partitions = [_temporary() for _ in range(PARTITIONS)]
        try:
            for member in members:
                for row in self._read(member):
                    person = "/".join(keys.person_of(row.row) or ())
                    pickle.dump(row, partitions[zlib.crc32(person.encode()) % PARTITIONS])
            batch: list[list[Numbered]] = []
            for partition in partitions:
                people: dict[keys.PersonKey | None, list[Numbered]] = {}
                for row in _pickled(partition):
                    people.setdefault(keys.person_of(row.row), []).append(row)
                for rows in people.values():
                    batch.append(rows)
                    if len(batch) >= max(1, self._group // 2):
                        yield PersonsJob(batch)
                        batch = []
            if batch:
                yield PersonsJob(batch)
        finally:
            for partition in partitions:
                partition.close()

    # --- counting -------------------------------------------------------------------------------------------------

    def _problem(self, row: ReadRow, member: Member, header: bytes) -> None:
        refusals = [Refusal.of(problem) for problem in row.problems]
        self._keep(refusals)
        if row.refused:
            self._set_aside(member.file, row.number, refusals, row.raw, _header(member.file, header), member)

    def _keep(self, refusals: Iterable[Refusal]) -> None:
        for each in refusals:
            place = (each.file, each.field, each.rule)
            self.report.rules[place] = self.report.rules.get(place, 0) + 1
            self.report.warnings += not each.grave
            if len(self.report.refusals) < REPORTED and each.grave:
                self.report.refusals.append(each)
            pickle.dump(each, self._problems)

    def _set_aside(
        self, file: str, number: int, refusals: list[Refusal], line: str, header: str, member: Member
    ) -> None:
        issues = [
            {
                "severity": "error" if each.grave else "warning",
                "code": "invalid",
                "diagnostics": each.english,
                "expression": [f"{file}.{each.field}" if each.field else file],
                "details": {"text": each.thai},
            }
            for each in refusals
        ]
        data = (f"{header}\n{line}" if header else line).encode()
        self._quarantine.add(
            source=file,
            document=number,
            status=422,
            issues=issues,
            data=data,
            hcode=member.hcode,
            absent=sorted(member.absent),
        )

    def _take(self, job: Job, answer: Answer) -> None:
        for file, counts in answer.counts.items():
            self.report.of(file).add(counts)
        self.report.reviews += answer.reviews
        self._keep(answer.refusals)
        refused: dict[tuple[str, int], list[Refusal]] = {}
        for each in (one for one in answer.refusals if one.grave):
            refused.setdefault((each.file, each.row), []).append(each)
        if not refused:
            return
        for row in _numbered(job):
            if found := refused.get((row.file, row.number)):
                member = next(each for each in self._source.members if each.file == row.file)
                self._set_aside(row.file, row.number, found, *_line_of(row), member)

    # --- the end --------------------------------------------------------------------------------------------------

    def close(self) -> None:
        self._quarantine.close()
        path = self._quarantine.path
        self.report.quarantine = str(path) if path.exists() else None
        self.report.seconds = time.monotonic() - self._began

    def discard(self) -> None:
        """After an interruption: no report is written."""
        self._problems.close()

    async def finish(self) -> None:
        """Note that all is in, and write the data-quality report."""
        self._problems.seek(0)
        write_report(self._folder, self.report, _pickled(self._problems))
        self._problems.close()
        self._record["complete"] = not self.report.errors
        self._record["resources"] = self.report.resources
        await self._note()


def _line_of(row: Numbered) -> tuple[str, str]:
    """A row as a line of its file, and the header that goes with it."""
    if row.file == cards.FILE:
        return cards.line_of(row.row), ""
    columns = LAYOUTS[row.file].columns(V24)
    return "|".join(row.row.get(column, "") for column in columns), "|".join(columns)


def _numbered_as(member: Member) -> Callable[[ReadRow], ReadRow]:
    """Gives a row that is tried again the line that it had at first."""

    def numbered(row: ReadRow) -> ReadRow:
        if member.numbers:
            row.number = member.numbers[row.number - 1]
            row.problems = [problem._replace(row=row.number) for problem in row.problems]
        return row

    return numbered


def _rows_of(member: Member, pieces: Iterable[bytes]) -> Iterator[ReadRow]:
    if member.file == cards.FILE:
        return cards.read_rows(member.hcode, pieces)
    if member.file in CLAIM_FILES:
        return claim_files.read_rows(member.file, member.hcode, pieces)
    return f43_files.read_rows(member.file, pieces, absent=member.absent)


def _numbered(job: Job) -> Sequence[Numbered]:
    return job.rows if isinstance(job, RowsJob) else [row for rows in job.persons for row in rows]


def _header(file: str, beginning: bytes) -> str:
    """The header row of a file, "" where it has none."""
    text = beginning.removeprefix(b"\xef\xbb\xbf").replace(b"\r", b"\n").split(b"\n")[0].decode("ascii", "replace")
    first = next(each.name for each in LAYOUTS[file].fields if not each.virtual)
    return text if text.split("|")[0].strip().upper() == first else ""


def _temporary() -> IO[bytes]:
    """A file without a name, in memory while it is small; whoever asks closes it."""
    return cast("IO[bytes]", tempfile.SpooledTemporaryFile(SPOOLED))


def _pickled(file: IO[bytes]) -> Iterator[Any]:
    file.seek(0)
    with contextlib.suppress(EOFError):
        while True:
            yield pickle.load(file)  # noqa: S301  our own file without a name


# --- writing ----------------------------------------------------------------------------------------------------------


async def _by_team(team: list[Connection], jobs: Iterable[Job]) -> AsyncIterator[tuple[Job, Answer]]:
    async for job, answer in spread(team, jobs, ahead=IN_FLIGHT):
        yield job, answer


async def _here(writer: Writer, jobs: Iterable[Job]) -> AsyncIterator[tuple[Job, Answer]]:
    for job in jobs:
        yield job, await writer.write(job)
        await asyncio.sleep(0)


def _worker(settings: Settings, secret: bytes, ids_of_import: Sequence[str], work: Connection) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(settings, secret, ids_of_import, work))


async def _serve(settings: Settings, secret: bytes, ids_of_import: Sequence[str], work: Connection) -> None:
    """Answers jobs in the order they come; while one waits for its commit the next is worked on."""
    from server.app import build_context

    os.nice(5)  # an import beside normal service gives way to it
    ctx = await build_context(settings)
    # What is here now stays until the end, and a group makes no rings: collecting seldom saves a tenth.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    writer = Writer(Run(ctx, secret, ids_of_import, rules_of(ctx.settings)))
    try:
        await answers(work, writer.write)
    finally:
        await ctx.store.close()
