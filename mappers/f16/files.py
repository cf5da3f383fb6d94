"""The files of one claim zip: their rows with problems, their bytes. A header row is always written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

from mappers import reading, writing
from mappers.checks import Checker
from mappers.f16.layout import LAYOUTS
from mappers.layout import V24
from mappers.links import Row
from mappers.problems import Problem
from mappers.reading import ReadRow


def file_of_name(path: str) -> str | None:
    """`16files/opd.txt` as `OPD`; e-Claim's `INS69.txt` too; None for a file that is none of the seventeen."""
    stem = path.replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0].upper()
    name = stem.rstrip("0123456789_")
    return name if name in LAYOUTS else None


@cache
def _checker(file: str) -> Checker:
    return Checker(LAYOUTS[file])


def read_rows(file: str, hcode: str, chunks: Iterable[bytes]) -> Iterator[ReadRow]:
    """Every line of a file of the facility `hcode`. Raises: KeyError for a file that is none of `LAYOUTS`."""

    def check(number: int, row: Row) -> list[Problem]:
        row["HOSPCODE"] = hcode
        return _checker(file)(number, row)

    return reading.read_rows(LAYOUTS[file], check, chunks)


def write_rows(file: str, rows: Iterable[Row], *, version: str = V24, encoding: str = "utf-8") -> Iterator[bytes]:
    """The bytes of a file, a line a piece."""
    return writing.write_rows(LAYOUTS[file].columns(version), rows, header=True, encoding=encoding)
