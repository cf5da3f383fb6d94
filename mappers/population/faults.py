"""43 files with the faults that hospitals really send, and the list of what an import must find in them.

For tests and for trying out: the data officer's report of such files is known beforehand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mappers.f43.layout import LAYOUTS
from mappers.layout import OLD, V24
from mappers.links import Row
from mappers.population.f43 import f43_rows


class Fault(NamedTuple):
    """One row that must be reported."""

    file: str
    row: int
    """Line in the file, from 1."""
    field: str
    rule: str
    """Key of `mappers.problems.RULES`."""


class Spoilt(NamedTuple):
    files: dict[str, bytes]
    """File name with `.txt` to its bytes."""
    faults: list[Fault]


def _buddhist(row: Row) -> Row:
    return {**row, "DATE_SERV": f"{int(row['DATE_SERV'][:4]) + 543}{row['DATE_SERV'][4:]}"}


def _swapped(row: Row) -> Row:
    return {**row, "SBP": row["DBP"], "DBP": row["SBP"]}


def _without(column: str) -> Callable[[Row], Row]:
    return lambda row: {name: text for name, text in row.items() if name != column}


def _changed(column: str, text: str) -> Callable[[Row], Row]:
    return lambda row: {**row, column: text}


_FAULTS: tuple[tuple[str, int, Callable[[Row], Row], str, str], ...] = (
    # file, which of its rows (from 0), how it is spoilt, field, rule
    ("DIAGNOSIS_OPD", 2, _buddhist, "DATE_SERV", "buddhist"),
    ("DIAGNOSIS_OPD", 5, _changed("DIAGTYPE", "9"), "DIAGTYPE", "code"),
    ("DRUG_OPD", 1, _without("DIDSTD"), "DIDSTD", "drug"),
    ("PERSON", 1, _changed("CID", "9990000000001"), "CID", "cid"),
    ("PERSON", 3, _changed("BIRTH", "25290230"), "BIRTH", "buddhist"),
    ("APPOINTMENT", 0, _changed("APDATE", "20260231"), "APDATE", "date"),
)
_ENCODINGS = {"PERSON": "cp874", "SERVICE": "utf-8-sig"}
"""Files that are not plain UTF-8."""
_BARE = frozenset({"CARD", "ADDRESS"})
"""Files without a header row, in the old structure."""
_CUT = "CHRONIC"
"""The file in which one line lost its last columns."""


def spoilt_files(people: int, seed: int) -> Spoilt:
    """The files of the health centre of `people` people, with one of each fault and a few that are only unusual."""
    rows: dict[str, list[Row]] = {}
    for file, row in f43_rows(people, seed):
        rows.setdefault(file, []).append(row)
    faults = []
    for file, index, spoil, field, rule in _FAULTS:
        rows[file][index] = spoil(rows[file][index])
        faults.append(Fault(file, index + 2, field, rule))
    measured = next(i for i, row in enumerate(rows["SERVICE"]) if "SBP" in row)
    rows["SERVICE"][measured] = _swapped(rows["SERVICE"][measured])
    faults.append(Fault("SERVICE", measured + 2, "SBP", "pressure"))
    rows["PERSON"].append(rows["PERSON"][0])
    faults.append(Fault("PERSON", len(rows["PERSON"]) + 1, "", "duplicate"))
    faults.append(Fault(_CUT, 2, "", "columns"))
    return Spoilt({f"{file.lower()}.txt": _bytes(file, each) for file, each in rows.items()}, sorted(faults))


def _bytes(file: str, rows: list[Row]) -> bytes:
    columns = LAYOUTS[file].columns(OLD if file in _BARE else V24)
    lines = ["|".join(row.get(column, "") for column in columns) for row in rows]
    if file == _CUT:
        lines[0] = lines[0].rsplit("|", 3)[0]
    if file not in _BARE:
        lines.insert(0, "|".join(columns))
    return ("\r\n".join(lines) + "\r\n").encode(_ENCODINGS.get(file, "utf-8"))
