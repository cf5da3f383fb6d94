"""Quarantined rows and documents once more, after a table, a setting or the data of others was put right."""

from __future__ import annotations

import re
from pathlib import Path

from server.intake.documents import SourceError
from server.intake.quarantine import read_quarantine

_IMPORT = re.compile(r"(f43|fhir)-[0-9]{8}-[0-9]{6}-[0-9a-f]{6}\Z")
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


def unpack(path: Path, folder: Path) -> None:
    """The kept rows as files again: `FILE-1.txt` for each header of the 43 files, `documents.ndjson` for FHIR."""
    headers: dict[tuple[str, str], Path] = {}
    for row in read_quarantine(path):
        if path.name.startswith("fhir-"):
            _append(folder / "documents.ndjson", row["data"].replace("\n", " "))
            continue
        header, newline, line = row["data"].rpartition("\n")
        place = (row["source"], header)
        if place not in headers:
            headers[place] = folder / str(len(headers)) / f"{row['source']}.txt"
            headers[place].parent.mkdir(mode=0o700)
            if newline:
                _append(headers[place], header)
        _append(headers[place], line)


def _append(path: Path, line: str) -> None:
    with path.open("a", encoding="utf-8", newline="") as stream:
        stream.write(line + "\n")
