"""`onecard export f16`: claims out of the store as the 16 files and LAB of one facility.

Visits that came as claim rows leave as those rows; all others are claimed from what their resources say
(`mappers.f16.claims`).
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, cast

from mappers.case import Case
from mappers.f16.claims import claim_rows
from mappers.f16.files import write_rows
from mappers.f16.layout import LAYOUTS
from mappers.f16.maps import MAPS
from mappers.lens import iso_date
from mappers.links import Resource, Row
from server.context import Context
from server.intake.cases import Period, people, refuse_unknown
from server.intake.f43.export import rows_of

SPOOLED = 1 << 20
"""Bytes of a file that stay in memory."""
COPIED = 1 << 20
_OWN = frozenset(each.system for each in MAPS.values())
_DAYS = {"CHT": "DATE", "CHA": "DATE", "AER": "AEDATE", "ADP": "DATEOPD", "DRU": "DATE_SERV", "LAB": "DATESERV"}
"""Column with the day of a row that names no visit."""


async def export_f16(
    ctx: Context,
    hcode: str,
    out: Path,
    period: Period,
    *,
    encoding: str = "utf-8",
    advance: Callable[[int], object] = lambda rows: None,
) -> dict[str, int]:
    """Rows by file, written into a new zip (mode 0600); a file without rows is left out.

    period: of visits by their day, of admissions by that of the discharge.
    Raises: SourceError (no such facility), UnicodeEncodeError (a text that Windows-874 has no letters for), OSError,
    StoreError.
    """
    claims = _Claims(encoding, advance)
    try:
        async for some in people(ctx, hcode, period):
            for person in some:
                for case in person.cases:
                    claims.add_case(case)
        came = False
        for file in LAYOUTS:
            async for rows in rows_of(ctx, file, hcode):
                came = True
                claims.add_rows(file, [row for row in rows if claims.wanted(file, row, period)])
        claims.add_persons()
        if not claims.counts and not came:
            await refuse_unknown(ctx, hcode)
        _write_zip(out, hcode, claims.files)
    finally:
        claims.close()
    return {file: claims.counts[file] for file in LAYOUTS if file in claims.counts}


class _Claims:
    """The files while they are written, each in a temporary file: a visit has rows in many."""

    def __init__(self, encoding: str, advance: Callable[[int], object]) -> None:
        self._encoding = encoding
        self._advance = advance
        self.files: dict[str, IO[bytes]] = {}
        self.counts: dict[str, int] = {}
        self._visits: set[tuple[str, str]] = set()
        """Visits of the period that came as claim rows."""
        self._persons: dict[str, Row] = {}
        """One PAT row for each HN."""
        self._hns: set[str] = set()

    def add_case(self, case: Case) -> None:
        self._hns.add(case.hn)
        if _came_as_row(case.encounter):
            self._visits.add(("AN", case.an) if case.inpatient else ("SEQ", case.seq))
            return
        case.resources = [each for each in case.resources if not _came_as_row(each)]
        for file, row in claim_rows(case):
            if file == "PAT":
                self._persons.setdefault(case.hn, row)
            else:
                self.add_rows(file, [row])

    def wanted(self, file: str, row: Row, period: Period) -> bool:
        """Whether a stored claim row is of the period."""
        for column in ("AN", "SEQ"):
            if column in row:
                return (column, row[column]) in self._visits
        if file in _DAYS:
            return period.holds(iso_date(row.get(_DAYS[file], "")))
        return row.get("HN") in self._hns or period == Period()

    def add_rows(self, file: str, rows: Iterable[Row]) -> None:
        for row in rows:
            if file == "PAT":
                # Written once at the end: what came as a row counts more than what is computed.
                self._persons[row["HN"]] = row
            else:
                self._write(file, row)

    def add_persons(self) -> None:
        for row in self._persons.values():
            self._write("PAT", row)

    def _write(self, file: str, row: Row) -> None:
        if file not in self.files:
            self.files[file] = _temporary()
            self.files[file].writelines(write_rows(file, (), encoding=self._encoding))
        _, line = write_rows(file, [row], encoding=self._encoding)
        self.files[file].write(line)
        self.counts[file] = self.counts.get(file, 0) + 1
        self._advance(1)

    def close(self) -> None:
        for each in self.files.values():
            each.close()


def _temporary() -> IO[bytes]:
    """A file without a name, in memory while it is small."""
    return cast("IO[bytes]", tempfile.SpooledTemporaryFile(SPOOLED))


def _came_as_row(resource: Resource) -> bool:
    return any(entry.get("system") in _OWN for entry in resource.get("identifier", ()))


def _write_zip(out: Path, hcode: str, files: dict[str, IO[bytes]]) -> None:
    unfinished = out.with_name(out.name + ".part")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as raw, zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in LAYOUTS:
                if file in files:
                    files[file].seek(0)
                    with archive.open(f"F16_{hcode}/{file}.txt", "w", force_zip64=True) as target:
                        while piece := files[file].read(COPIED):
                            target.write(piece)
        unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)
