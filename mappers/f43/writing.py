"""Rows as the bytes of a file: the columns of one version, UTF-8 or Windows-874, CRLF."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mappers.f43.layout import LAYOUTS
from mappers.layout import V24
from mappers.links import Row


def write_rows(
    file: str, rows: Iterable[Row], *, version: str = V24, header: bool = True, encoding: str = "utf-8"
) -> Iterator[bytes]:
    """One piece a line. Raises: UnicodeEncodeError where Windows-874 has no letter for a text."""
    columns = LAYOUTS[file].columns(version)
    if header:
        yield ("|".join(columns) + "\r\n").encode(encoding)
    for row in rows:
        yield ("|".join([row.get(column, "") for column in columns]) + "\r\n").encode(encoding)


def file_name(file: str) -> str:
    """The name inside of the zip."""
    return f"{file}.txt"
