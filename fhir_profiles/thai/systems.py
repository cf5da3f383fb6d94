"""Identifier systems in use in Thailand, as SIL-TH publishes them; `identifiers.csv` is the table.

Two generations of URLs exist for codes and extensions (2022 and 2023); both are understood, the newer is written.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import NamedTuple

CID = "https://terms.sil-th.org/id/th-cid"
HCODE = "https://terms.sil-th.org/id/th-moph-hcode"
HOUSE = "https://terms.sil-th.org/id/th-dopa-house-no"
VILLAGE = "https://terms.sil-th.org/id/th-dopa-village-no"
VILLAGE_OLDER = "https://terms.sil-th.org/th-dopa-village-no"
"""As the 2022 alias files have it."""
LOCAL = "https://terms.sil-th.org/hcode/"
"""Begins the systems of a facility's own numbers: `.../hcode/5/99999/HN`, `.../hcode/9/AA0000015/HN`."""
TYPES = "https://terms.sil-th.org/core/CodeSystem/cs-th-identifier-type"
CODE_SYSTEMS = "https://terms.sil-th.org/core/CodeSystem/"
VALUE_SETS = "https://terms.sil-th.org/core/ValueSet/"

_TABLE = Path(__file__).with_name("identifiers.csv")


class IdentifierKind(NamedTuple):
    """One row of the table."""

    name: str
    """Slice name: `cid`, `hn`."""
    code: str
    """Code of `Identifier.type`."""
    system: str
    """A URL; for a facility's own numbers the last step of it (`HN`); empty where there are several."""
    title: str
    thai: str

    @property
    def is_local(self) -> bool:
        return bool(self.system) and ":" not in self.system


@cache
def identifier_kinds() -> dict[str, IdentifierKind]:
    """Slice name to row."""
    with _TABLE.open(encoding="utf-8", newline="") as file:
        return {row["name"]: IdentifierKind(**row) for row in csv.DictReader(file)}


def local_systems() -> dict[str, str]:
    """Slice name to the last step of the system, of the facilities' own numbers."""
    return {name: kind.system for name, kind in identifier_kinds().items() if kind.is_local}
