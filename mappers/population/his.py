"""Rows of databases as SQL, and what the writers of JHCIS and HOSxP share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

TableRow = tuple[str, dict[str, str | None]]
"""Table and its columns, values as SQL takes them in quotes."""
ROWS = 200
"""Rows of an INSERT."""


def iso_day(text: str) -> str | None:
    """`YYYYMMDD` as SQL writes it."""
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}" if text else None


def iso_clock(text: str) -> str | None:
    return f"{text[:2]}:{text[2:4]}:{text[4:6]}" if text else None


def iso_moment(text: str) -> str | None:
    return f"{iso_day(text)} {iso_clock(text[8:] or '000000')}" if text else None


def sql_inserts(rows: Iterable[TableRow]) -> Iterator[str]:
    """INSERT statements with column names, several rows each; those of a table need not lie together."""
    waiting: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for table, values in rows:
        place = table, tuple(values)
        lines = waiting.setdefault(place, [])
        lines.append(f"({','.join(map(_literal, values.values()))})")
        if len(lines) >= ROWS:
            yield _insert(*place, lines)
            lines.clear()
    for (table, columns), lines in waiting.items():
        if lines:
            yield _insert(table, columns, lines)


def _insert(table: str, columns: tuple[str, ...], lines: list[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES\n{','.join(lines)};\n"


def _literal(value: str | None) -> str:
    # The population has no backslash, which MySQL would take for an escape.
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"
