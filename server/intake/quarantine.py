"""What an import refused, kept whole with the reason, so that nothing is lost and nothing wrong gets in.

One NDJSON file per import in the data folder, mode 0600: it holds personal data. Each line is
{"source", "document", "status", "issues": [...], "data": the refused document as text}; what its source does not tell
stands beside it: "hcode" of a claim row, "absent": columns that the database of a hospital does not have.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any


class Quarantine:
    """Opened lazily: an import without refusals leaves no file."""

    def __init__(self, folder: Path, import_id: str) -> None:
        self.path = folder / f"{import_id}.ndjson"
        self._file: IO[str] | None = None

    def add(
        self,
        *,
        source: str,
        document: int,
        status: int,
        issues: list[dict[str, Any]],
        data: bytes,
        hcode: str = "",
        absent: Sequence[str] = (),
    ) -> None:
        """hcode: of a claim row, which does not tell it; absent: required columns that its source does not have."""
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._file = os.fdopen(descriptor, "a", encoding="utf-8")
        row = {
            "source": source,
            "document": document,
            "status": status,
            "issues": issues,
            "data": data.decode("utf-8", "backslashreplace"),
            **({"hcode": hcode} if hcode else {}),
            **({"absent": list(absent)} if absent else {}),
        }
        self._file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def read_quarantine(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of one quarantine file, oldest first."""
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line)
