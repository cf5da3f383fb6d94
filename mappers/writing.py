"""Rows as the bytes of a file: `|` between columns, CRLF, UTF-8 or Windows-874."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mappers.links import Row


def write_rows(columns: Sequence[str], rows: Iterable[Row], *, header: bool, encoding: str) -> Iterator[bytes]:
    """One piece a line. Raises: UnicodeEncodeError where Windows-874 has no letter for a text."""
    if header:
        yield ("|".join(columns) + "\r\n").encode(encoding)
    for row in rows:
        yield ("|".join([row.get(column, "") for column in columns]) + "\r\n").encode(encoding)
