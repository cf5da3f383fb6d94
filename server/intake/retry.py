"""Quarantined rows and documents once more, after a table, a setting or the data of others was put right."""

from __future__ import annotations

import re
from pathlib import Path

from server.intake.documents import SourceError
from server.intake.f43.sources import F43Source, Member
from server.intake.quarantine import read_quarantine

_IMPORT = re.compile(r"(f43|f16|card|jhcis|hosxp|fhir)-[0-9]{8}-[0-9]{6}-[0-9a-f]{6}\Z")
REPORTS = (".ndjson", ".html", ".csv")
"""What an import leaves in the folder of the quarantine."""


def quarantine_file(folder: Path, import_id: str) -> Path:
    """Raises: SourceError where nothing of that import is kept."""
    path = folder / f"{import_id}.ndjson"
    if _IMPORT.match(import_id) is None or not path.exists():
        raise SourceError(f"{import_id[:60]}: nothing is kept of that import / ไม่มีข้อมูลที่ไม่รับของการนำเข้านี้")
    return path


def purge(folder: Path, import_id: str) -> None:
    """Remove what is kept of one import, its reports too."""
    if _IMPORT.match(import_id):
        for suffix in REPORTS:
            (folder / f"{import_id}{suffix}").unlink(missing_ok=True)


def unpack(path: Path, folder: Path) -> F43Source | None:
    """The kept rows as files again, one for each header that they came with; None where they are FHIR documents, then
    in `documents.ndjson`."""
    kind = path.name.partition("-")[0]
    if kind == "fhir":
        for row in read_quarantine(path):
            _append(folder / "documents.ndjson", row["data"].replace("\n", " "))
        return None
    files: dict[tuple[str, str, str, tuple[str, ...]], Path] = {}
    numbers: dict[Path, list[int]] = {}
    for row in read_quarantine(path):
        header, newline, line = row["data"].rpartition("\n")
        place = (row["source"], header, row.get("hcode", ""), tuple(row.get("absent", ())))
        if place not in files:
            files[place] = folder / str(len(files)) / f"{row['source']}.txt"
            files[place].parent.mkdir(mode=0o700)
            numbers[files[place]] = []
            if newline:
                _append(files[place], header)
                numbers[files[place]].append(1)
        _append(files[place], line)
        numbers[files[place]].append(row["document"])
    members = [
        Member(file, None, name, file.stat().st_size, frozenset(absent), hcode, tuple(numbers[file]))
        for (name, _, hcode, absent), file in files.items()
    ]
    return F43Source(path, tuple(members), kind=kind, refused_by=path.stem)


def _append(path: Path, line: str) -> None:
    with path.open("a", encoding="utf-8", newline="") as stream:
        stream.write(line + "\n")
