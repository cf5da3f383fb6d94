"""Rows of the INSERT statements of a mysqldump, streaming.   https://dev.mysql.com/doc/refman/5.7/en/mysqldump.html

`insert_rows(chunks, tables)` gives (table, {column: text or None}). Column names come from the INSERT where it has them
(--complete-insert), else from the CREATE TABLE before it. Nothing but these two statements is looked at.
Strings as MySQL writes them: '' and backslash escapes, 0x hex for binary; https://dev.mysql.com/doc/refman/5.7/en/string-literals.html
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator

Insert = tuple[str, dict[str, str | None]]

_STATEMENT = re.compile(rb"\s*(CREATE TABLE(?: IF NOT EXISTS)?|(?:INSERT|REPLACE)(?: IGNORE)? INTO)\s+`?(\w+)`?", re.I)
_COLUMN = re.compile(rb"\s*`(\w+)`\s")
_NAMES = re.compile(rb"\s*\(((?:\s*`?\w+`?\s*,?)+)\)\s*(?=VALUES)", re.I)
_VALUES = re.compile(rb"\s*VALUES\s*", re.I)
_TOKEN = re.compile(
    rb"\s*(?:'((?:[^'\\]|\\.|'')*)'|(?:_binary\s*|_\w+\s*)?'((?:[^'\\]|\\.|'')*)'|(NULL)|0x([0-9A-Fa-f]+)|([^',()\s]+))\s*([,)])",
    re.I | re.S,
)
_ESCAPE = re.compile(rb"\\(.)|''", re.S)
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"0": b"\0", b"b": b"\b", b"Z": b"\x1a"}
LONGEST_STATEMENT = 64 * 1024 * 1024
"""Bytes; mysqldump's own limit is max_allowed_packet, 24 MB by default."""


class DumpError(ValueError):
    """No dump of MySQL, or a damaged one."""


def insert_rows(chunks: Iterable[bytes], tables: Container[str], encodings: tuple[str, ...]) -> Iterator[Insert]:
    """Rows of these tables (names in lower case), in the order of the dump. Raises: DumpError.

    encodings: tried in this order for each text: ("utf-8", "cp874")."""
    columns: dict[str, list[str]] = {}
    for statement in _statements(chunks):
        found = _STATEMENT.match(statement)
        if found is None:
            continue
        table = found[2].decode("ascii", "replace").lower()
        if table not in tables:
            continue
        rest = statement[found.end() :]
        if found[1][:6].upper() == b"CREATE":
            columns[table] = [name[1].decode().lower() for line in rest.split(b"\n") if (name := _COLUMN.match(line))]
        else:
            yield from _inserted(table, rest, columns.get(table, []), encodings)


def _statements(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Statements end with `;` at the end of a line; a line end within a string is escaped by mysqldump."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        *whole, rest = re.split(rb";[ \t]*\r?\n", rest)
        for statement in whole:
            yield _without_comments(statement)
        if len(rest) > LONGEST_STATEMENT:
            raise DumpError("a statement without an end: not a dump of MySQL")
    if rest.strip():
        yield _without_comments(rest.rstrip(b"; \t\r\n"))


def _without_comments(statement: bytes) -> bytes:
    """Without the `--` lines before it."""
    while (text := statement.lstrip()).startswith((b"--", b"#")):
        _, _, statement = text.partition(b"\n")
    return text


def _inserted(table: str, text: bytes, columns: list[str], encodings: tuple[str, ...]) -> Iterator[Insert]:
    at = 0
    if names := _NAMES.match(text):
        columns = [name.strip(b" `\r\n\t").decode().lower() for name in names[1].split(b",")]
        at = names.end()
    values = _VALUES.match(text, at)
    if values is None or not columns:
        raise DumpError(f"{table}: an INSERT without columns or values")
    at = values.end()
    while at < len(text) and text[at : at + 1] == b"(":
        row, at = _row(table, text, at + 1, encodings)
        if len(row) != len(columns):
            raise DumpError(f"{table}: {len(row)} values for {len(columns)} columns")
        yield table, dict(zip(columns, row, strict=True))
        while text[at : at + 1].strip() in (b"", b",") and at < len(text):
            at += 1


def _row(table: str, text: bytes, at: int, encodings: tuple[str, ...]) -> tuple[list[str | None], int]:
    row: list[str | None] = []
    while token := _TOKEN.match(text, at):
        plain, marked, null, hexadecimal, number, end = token.groups()
        quoted = plain if plain is not None else marked
        if quoted is not None:
            row.append(_decoded(_unescaped(quoted), encodings))
        elif null is not None:
            row.append(None)
        else:
            row.append(_decoded(bytes.fromhex(hexadecimal.decode()), encodings) if hexadecimal else number.decode())
        at = token.end()
        if end == b")":
            return row, at
    raise DumpError(f"{table}: a damaged row: was the file cut?")


def _unescaped(text: bytes) -> bytes:
    if b"\\" not in text and b"''" not in text:
        return text
    return _ESCAPE.sub(lambda found: _ESCAPES.get(found[1], found[1]) if found[1] else b"'", text)


def _decoded(text: bytes, encodings: tuple[str, ...]) -> str:
    if text.isascii():
        return text.decode("ascii")
    for encoding in encodings:
        try:
            return text.decode(encoding)
        except UnicodeDecodeError:
            continue
    return text.decode(encodings[-1], "replace")
