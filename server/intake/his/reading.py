"""All rows of a hospital's database as rows of the 43 files, in short statements and never faster than asked.

A connection that drops is made anew and the same page asked again: pages begin behind a key, so nothing is lost or read
twice. Between statements nothing is held: no transaction, no cursor, no lock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from mappers.his.statements import Dialect, Key, Record, Statement, days, f43_rows, page, walk, whole_groups
from mappers.his.tables import Rows
from mappers.links import Row
from server.intake.his.database import Connection, ConnectionLost, Database, HisError

PAGE = 500
"""Rows of a statement; more only where one key has more."""
WALK = 5000
"""Keys of a statement that looks where the pages begin and which of them have something new."""
RETRIES = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Seconds before the connection is tried again, the n-th time in a row."""


@dataclass(slots=True)
class Reading:
    """What was done."""

    statements: int = 0
    rows: int = 0
    reconnects: int = 0
    longest: float = 0.0
    """Seconds of the longest statement."""
    entries: dict[str, int] = field(default_factory=dict)
    """Entry of the tables' file -> rows of the 43 files."""


class Reader:
    """One pass over a database."""

    def __init__(
        self,
        database: Database,
        *,
        hcode: str = "",
        rate: float = 0.0,
        size: int = PAGE,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        told: Callable[[str], None] = lambda line: None,
    ) -> None:
        """rate: rows a second in the mean, 0 for as fast as it goes. told: lines for whoever watches."""
        self._database = database
        self._hcode = hcode
        self._rate = rate
        self._size = size
        self._pause = pause
        self._told = told
        self._connection: Connection | None = None
        self.done = Reading()

    async def open(self) -> Connection:
        if self._connection is None:
            self._connection = await self._database.connect()
        return self._connection

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def rows(self, entry: Rows, since: datetime | None) -> AsyncIterator[list[Row]]:
        """Rows of one entry: all, or those changed since a moment (of a visit since that day). Raises: HisError."""
        seen: set[tuple[str, str]] = set()
        async for records in self._records(entry, since):
            if entry.once:
                # The same row is the first each time, though rows of a range come in no order.
                records = sorted(records, key=lambda record: [str(value) for value in record[: len(entry.key)]])
            made = f43_rows(entry, records, self._hcode)
            if entry.once:
                made = _first_ones(made, seen)
            self.done.entries[entry.name] = self.done.entries.get(entry.name, 0) + len(made)
            if made:
                yield made

    async def _records(self, entry: Rows, since: datetime | None) -> AsyncIterator[Sequence[Record]]:
        if entry.day:
            async for day in self._days(entry, since):
                async for records in self._pages(entry, day=day):
                    yield records
        else:
            async for records in self._pages(entry, since=since if entry.changed else None):
                yield records

    async def _pages(
        self, entry: Rows, *, day: date | None = None, since: datetime | None = None
    ) -> AsyncIterator[Sequence[Record]]:
        async for low, high in self._ranges(entry, day, since):
            yield await self.fetch(
                lambda dialect, low=low, high=high: page(  # type: ignore[misc]
                    entry, dialect, after=low, upto=high, day=day, since=since
                )
            )

    async def _ranges(
        self, entry: Rows, day: date | None, since: datetime | None
    ) -> AsyncIterator[tuple[Key | None, Key]]:
        """Ranges of keys (behind the first, up to the second); of those since a moment only with a changed row."""
        width, limit = len(entry.key), WALK
        after: Key | None = None
        while True:
            at, size = after, limit
            records = await self.fetch(
                lambda dialect, at=at, size=size: walk(  # type: ignore[misc]
                    entry, dialect, limit=size, after=at, day=day, changed=since is not None
                )
            )
            whole = whole_groups(records, limit, width)
            if whole is None:
                limit *= 2
                continue
            for low, part in _parts(whole, self._size, width, after):
                if since is None or any(_is_new(record[width], since) for record in part):
                    yield low, tuple(part[-1][:width])
            if len(records) < limit:
                return
            after, limit = tuple(whole[-1][:width]), WALK

    async def _days(self, entry: Rows, since: datetime | None) -> AsyncIterator[date]:
        ((first, last),) = await self.fetch(lambda dialect: days(entry, dialect))
        start, end = _as_day(first), _as_day(last)
        if start is None or end is None:
            return
        if since is not None:
            start = max(start, since.date())
        numbers = range((end - start).days + 1)
        # What comes up with every visit is taken with the last one.
        for number in reversed(numbers) if entry.once else numbers:
            yield start + timedelta(days=number)

    async def fetch(self, statement: Callable[[Dialect], Statement]) -> Sequence[Record]:
        """Rows of a statement, on a new connection if the old one is gone. Raises: HisError."""
        tries = iter(RETRIES)
        while True:
            began = time.monotonic()
            try:
                connection = await self.open()
                records = await connection.fetch(statement(connection.dialect))
            except ConnectionLost as error:
                await self.close()
                wait = next(tries, None)
                if wait is None:
                    raise HisError(f"the connection is gone and does not come back: {error}") from error
                self.done.reconnects += 1
                self._told(f"connection lost, once more in {wait:g} s / การเชื่อมต่อหลุด กำลังเชื่อมต่อใหม่: {error}")
                await self._pause(wait)
                continue
            taken = time.monotonic() - began
            self.done.statements += 1
            self.done.rows += len(records)
            self.done.longest = max(self.done.longest, taken)
            if self._rate > 0 and (rest := len(records) / self._rate - taken) > 0:
                await self._pause(rest)
            return records


def _parts(
    records: Sequence[Record], size: int, width: int, after: Key | None
) -> list[tuple[Key | None, Sequence[Record]]]:
    """Pieces of about `size` records that part between keys, each with the key behind which it begins."""
    parts: list[tuple[Key | None, Sequence[Record]]] = []
    low, start = after, 0
    for number in range(len(records)):
        last = number == len(records) - 1
        if last or (number - start + 1 >= size and records[number][:width] != records[number + 1][:width]):
            parts.append((low, records[start : number + 1]))
            low, start = tuple(records[number][:width]), number + 1
    return parts


def _first_ones(rows: list[Row], seen: set[tuple[str, str]]) -> list[Row]:
    first = []
    for row in rows:
        key = row["HOSPCODE"], row.get("PID", "")
        if key not in seen:
            seen.add(key)
            first.append(row)
    return first


def _is_new(value: object, since: datetime) -> bool:
    """NULL and what is no date count as new: better read once more than missed."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None) >= since
    if isinstance(value, date):
        return value >= since.date()
    try:
        return datetime.fromisoformat(str(value)) >= since
    except ValueError:
        return True


def _as_day(value: object) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return None
