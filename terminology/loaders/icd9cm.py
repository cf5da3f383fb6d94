"""ICD-9-CM: the text files of CMS (version 32, the last).

https://www.cms.gov/medicare/coding-billing/icd-10-codes/icd-9-cm-diagnosis-procedure-codes-abbreviated-and-full-code-titles
`CMS32_DESC_LONG_SG.txt` (procedures) and `CMS32_DESC_LONG_DX.txt` (diagnoses): a code without its dot, blanks, the
title; Windows-1252. Instead of a spreadsheet take the text file, or save the sheet as CSV: a table with a header
(`code`, `description`) is read, too. Category codes (00, 00.0) are not in CMS's files; a code is under the longest
shorter code that is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from terminology.concept import Concept, Designation
from terminology.loaders.icd import parent_by_shape
from terminology.loaders.tables import Columns, LoadError, Release, Report

LINE = re.compile(r"(?P<code>[0-9EV][0-9]{1,4})\s+(?P<title>\S.*)")
COLUMNS = Columns(
    {
        "code": ("code", "procedure code", "diagnosis code", "icd9", "icd9cm", "รหัส", "รหัสหัตถการ"),
        "english": ("desc_en", "long description", "description", "name", "english", "short description"),
        "thai": ("desc_th", "thai", "name_th", "ชื่อภาษาไทย", "ชื่อหัตถการ"),
    },
    ("code",),
)
"""`long description` and the like are CMS's; the Thai ones are from memory, unverified."""


def read_icd9cm(release: Release, report: Report) -> Iterator[Concept]:
    text_files = release.names(r"CMS\d*_DESC_LONG_(SG|DX)\.txt") or release.names(r"CMS\d*_DESC_SHORT_(SG|DX)\.txt")
    text_files = text_files or release.names(r".*\.txt")
    tables = [] if text_files else release.names(r".*\.csv")
    if not text_files and len(tables) != 1:
        raise LoadError(
            f"{release.source.name}: the text files of CMS (CMS32_DESC_LONG_SG.txt) or one .csv are expected"
        )
    rows = list(read_lines(release, text_files, report) if text_files else read_rows(release, tables[0], report))
    known = frozenset(code for code, _, _ in rows)
    for code, english, thai in rows:
        parent = parent_by_prefix(code, known)
        yield Concept(
            code,
            english or thai,
            designations=(Designation(thai, "th"),) if thai and english else (),
            parents=(parent,) if parent else (),
        )


def read_lines(release: Release, names: list[str], report: Report) -> Iterator[tuple[str, str | None, str | None]]:
    for name in names:
        diagnoses = name.upper().endswith("_DX.TXT")
        with release.text(name, "cp1252") as file:
            for number, line in enumerate(file, 1):
                match = LINE.fullmatch(line.strip())
                if match:
                    yield dotted(match["code"], diagnoses), match["title"], None
                elif line.strip():
                    report.skip(name, number, "not a code followed by its title")


def read_rows(release: Release, name: str, report: Report) -> Iterator[tuple[str, str | None, str | None]]:
    for row in release.table(name, COLUMNS, report):
        yield dotted(row["code"], diagnoses=False), row.get("english") or None, row.get("thai") or None


def dotted(code: str, diagnoses: bool) -> str:
    """Procedures: 0001 is 00.01. Diagnoses: 0010 is 001.0, E8000 is E800.0."""
    head = 2 if not diagnoses else 4 if code.startswith("E") else 3
    return code if "." in code or len(code) <= head else f"{code[:head]}.{code[head:]}"


def parent_by_prefix(code: str, known: frozenset[str]) -> str | None:
    """Procedures have two characters before the dot, so shorter codes than three count, too."""
    if len(code) > 2 and parent_by_shape(code, known) is None and code[:2] in known:
        return code[:2]
    return parent_by_shape(code, known)
