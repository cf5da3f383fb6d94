"""The files of one 43-file zip or folder: which is which, their rows with problems, their bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache

from mappers import reading, writing
from mappers.checks import Checker
from mappers.f43.layout import LAYOUTS
from mappers.layout import V24, Layout
from mappers.links import Row
from mappers.reading import ReadRow


def file_of_name(path: str) -> str | None:
    """`F43_99999/person.txt` as `PERSON`; None for a file that is none of the structure."""
    stem = path.replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0].upper()
    if stem in LAYOUTS:
        return stem
    # Some exporters put the hospital code or a date before the name.
    fitting = [name for name in LAYOUTS if stem.endswith("_" + name)]
    return max(fitting, key=len, default=None)


@cache
def checker(file: str, absent: frozenset[str] = frozenset()) -> Checker:
    """The checks of one file: `checker("SERVICE")(line, row)` gives its problems.

    absent: required columns that the source does not have."""
    layout = LAYOUTS[file]
    fields = tuple(replace(each, required=each.required and each.name not in absent) for each in layout.fields)
    return Checker(Layout(layout.name, fields))


def read_rows(file: str, chunks: Iterable[bytes], *, absent: frozenset[str] = frozenset()) -> Iterator[ReadRow]:
    """Every line of a file with what is wrong with it. Raises: KeyError for a file that is none of `LAYOUTS`."""
    return reading.read_rows(LAYOUTS[file], checker(file, absent), chunks)


def write_rows(
    file: str, rows: Iterable[Row], *, version: str = V24, header: bool = True, encoding: str = "utf-8"
) -> Iterator[bytes]:
    """The bytes of a file, a line a piece, in the columns of one version."""
    return writing.write_rows(LAYOUTS[file].columns(version), rows, header=header, encoding=encoding)
