"""Columns of flat files, read from a CSV file: adding or correcting a column is a line there, not Python.

One line a column, in file order: file, field, type, length, flags, codes.
- type: text, number, date (YYYYMMDD), datetime (YYYYMMDDHHMMSS), time (HHMMSS), cid, hcode
- flags: R required, K part of the key, A appended in the newer structure, D dropped in it, P about a person (masked
  in reports), O the code list is open (an unknown code is reported, not refused), V not in the file, known from outside
- codes: id of a SIL-TH code system, or `@name` of a small list in `codes.py`
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

OLD = "old"
V24 = "2.4"
VERSIONS = (OLD, V24)


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    type: str
    length: str
    """Characters, or digits.decimals; empty when not known."""
    required: bool
    key: bool
    appended: bool
    dropped: bool
    personal: bool
    open_list: bool
    virtual: bool
    codes: str

    def in_version(self, version: str) -> bool:
        return not (self.virtual or (self.appended if version == OLD else self.dropped))


@dataclass(frozen=True)
class Layout:
    """One file."""

    name: str
    fields: tuple[Field, ...]

    @cached_property
    def by_name(self) -> dict[str, Field]:
        return {field.name: field for field in self.fields}

    @cached_property
    def key(self) -> tuple[str, ...]:
        """Names of the columns that identify a row, HOSPCODE first."""
        return tuple(field.name for field in self.fields if field.key)

    @cached_property
    def _columns(self) -> dict[str, tuple[str, ...]]:
        return {
            version: tuple(field.name for field in self.fields if field.in_version(version)) for version in VERSIONS
        }

    def columns(self, version: str) -> tuple[str, ...]:
        """Names in file order of `OLD` or `V24`."""
        return self._columns[version]

    @cached_property
    def by_count(self) -> dict[int, tuple[str, ...]]:
        """Columns of a file without a header row, by how many there are.

        The full list is for files that keep both the dropped and the appended columns; a version wins.
        """
        full = tuple(field.name for field in self.fields if not field.virtual)
        return {len(names): names for names in (full, self.columns(V24), self.columns(OLD))}


def read_layouts(source: Path) -> dict[str, Layout]:
    """The layouts of a CSV file, by upper-case file name in the order of the file."""
    fields: dict[str, list[Field]] = {}
    with source.open(encoding="utf-8", newline="") as lines:
        for line in csv.DictReader(lines):
            flags = line["flags"]
            field = Field(
                name=line["field"],
                type=line["type"],
                length=line["length"],
                required="R" in flags,
                key="K" in flags,
                appended="A" in flags,
                dropped="D" in flags,
                personal="P" in flags,
                open_list="O" in flags,
                virtual="V" in flags,
                codes=line["codes"],
            )
            fields.setdefault(line["file"], []).append(field)
    return {name: Layout(name, tuple(columns)) for name, columns in fields.items()}
