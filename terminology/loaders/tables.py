"""Tables as publishers hand them out: CSV with any separator, UTF-8, UTF-16 or Windows-874, in a folder or a zip.

Columns are found by name, by a table of the names in use (`Columns`), so that another edition needs one more name there
and no code. Spreadsheets (.xls, .xlsx) are to be saved as "CSV UTF-8" first.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

csv.field_size_limit(1_000_000)
MOST_REPORTED = 100
"""Rows left out are all counted; so many of them are named."""
SEPARATORS = (",", "\t", ";", "|")


class LoadError(ValueError):
    """The file cannot be loaded; the message says what was expected."""


@dataclass(slots=True)
class Report:
    """What was left out while reading."""

    skipped: int = 0
    reasons: list[str] = field(default_factory=list)
    """`file, row n: reason` of the first hundred."""

    def skip(self, file: str, row: int, reason: str) -> None:
        self.skipped += 1
        if len(self.reasons) < MOST_REPORTED:
            self.reasons.append(f"{file}, row {row}: {reason}")


@dataclass(frozen=True, slots=True)
class Columns:
    """The header names under which a column is known; letter case, spaces and punctuation do not matter."""

    names: dict[str, tuple[str, ...]]
    required: tuple[str, ...]

    def find(self, header: list[str], file: str) -> dict[str, int]:
        """Where each known column stands. Raises: LoadError if a required one is missing."""
        positions: dict[str, int] = {}
        for number, title in enumerate(header):
            positions.setdefault(plain(title), number)
        found = {
            name: place
            for name, titles in self.names.items()
            for title in titles[::-1]
            if (place := positions.get(plain(title))) is not None
        }
        missing = [f"{name} ({' or '.join(self.names[name])})" for name in self.required if name not in found]
        if missing:
            seen = ", ".join(title.strip()[:30] for title in header[:12])
            raise LoadError(f"{file}: no column for {', '.join(missing)}; the file has: {seen}")
        return found


def plain(title: str) -> str:
    """A header in comparable form: letters (of any script) and digits, lower case."""
    return re.sub(r"[\W_]+", "", title.casefold())


class Release:
    """The files of one release: a single file, a folder, or a zip."""

    def __init__(self, source: Path) -> None:
        self.source = source
        self._zip: zipfile.ZipFile | None = None
        if not source.exists():
            raise LoadError(f"{source.name} does not exist")
        if source.is_dir():
            paths = sorted(path for path in source.rglob("*") if path.is_file())
            self._open: dict[str, Callable[[], IO[bytes]]] = {
                path.relative_to(source).as_posix(): partial(open_file, path) for path in paths
            }
        elif zipfile.is_zipfile(source) and source.suffix.lower() == ".zip":
            archive = self._zip = zipfile.ZipFile(source)
            members = sorted(info.filename for info in archive.infolist() if not info.is_dir())
            self._open = {name: partial(archive.open, name) for name in members}
        else:
            self._open = {source.name: partial(open_file, source)}
        self._refuse_spreadsheets_only()

    def _refuse_spreadsheets_only(self) -> None:
        if self._open and all(name.lower().endswith((".xls", ".xlsx")) for name in self._open):
            self.close()
            raise LoadError(f"{self.source.name} holds spreadsheets; save each sheet as 'CSV UTF-8' and load the CSV")

    def close(self) -> None:
        if self._zip is not None:
            self._zip.close()

    def names(self, pattern: str = "") -> list[str]:
        """Paths within the release whose file name matches the pattern as a whole, letter case apart."""
        matcher = re.compile(pattern or ".*", re.IGNORECASE)
        return [name for name in self._open if matcher.fullmatch(PurePosixPath(name).name)]

    @contextmanager
    def binary(self, name: str) -> Iterator[IO[bytes]]:
        with self._open[name]() as file:
            yield file

    def encoding(self, name: str) -> str:
        """utf-16 by its mark, utf-8 if all of it is, else Windows-874 as older Thai files are."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        with self.binary(name) as file:
            block = file.read(1 << 16)
            if block[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
                return "utf-16"
            while block:
                try:
                    decoder.decode(block)
                except UnicodeDecodeError:
                    return "cp874"
                block = file.read(1 << 16)
        return "utf-8-sig"

    @contextmanager
    def text(self, name: str, encoding: str | None = None) -> Iterator[IO[str]]:
        with self.binary(name) as file:
            yield io.TextIOWrapper(file, encoding or self.encoding(name), errors="replace", newline="")

    def table(self, name: str, columns: Columns, report: Report) -> Iterator[dict[str, str]]:
        """The rows by the names of `columns`, stripped; columns that are not there are left out.

        A row that lacks a value in a required column is skipped and reported."""
        for number, row, values in self.rows(name, columns):
            missing = [wanted for wanted in columns.required if not values.get(wanted)]
            if not missing:
                yield values
            elif any(cell.strip() for cell in row):
                report.skip(name, number, f"no {', '.join(missing)}")

    def rows(self, name: str, columns: Columns) -> Iterator[tuple[int, list[str], dict[str, str]]]:
        """Row number (the header is 1), the raw row, and its values by the names of `columns`."""
        with self.text(name) as file:
            reader = csv.reader(file, delimiter=separator(self, name))
            header = next(reader, [])
            places = columns.find(header, name)
            for number, row in enumerate(reader, 2):
                yield number, row, {key: row[at].strip() for key, at in places.items() if at < len(row)}

    def header(self, name: str) -> list[str]:
        with self.text(name) as file:
            return next(csv.reader(file, delimiter=separator(self, name)), [])


def open_file(path: Path) -> IO[bytes]:
    return path.open("rb")


def separator(release: Release, name: str) -> str:
    """The separator that occurs most in the first line."""
    with release.text(name) as file:
        first = file.readline(100_000)
    return max(SEPARATORS, key=first.count)
