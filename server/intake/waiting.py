"""Documents that wait for what they refer to: kept in a temporary file, because there may be very many."""

from __future__ import annotations

import itertools
import pickle
import tempfile
from collections.abc import Iterator

from server.intake.documents import Document


class Waiting:
    """Written once, then read once. The file is this process's own and has no name (mode 0600)."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  closed by close()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, key: str, document: Document) -> None:
        pickle.dump((key, document), self._file)
        self._count += 1

    def groups(self) -> Iterator[tuple[str, Iterator[Document]]]:
        """The documents in the order they came, those of one source at a time, with the source's key."""
        for key, rows in itertools.groupby(self._rows(), key=lambda row: row[0]):
            yield key, (document for _, document in rows)

    def _rows(self) -> Iterator[tuple[str, Document]]:
        self._file.seek(0)
        for _ in range(self._count):
            yield pickle.load(self._file)  # noqa: S301  our own file, written by this very process

    def close(self) -> None:
        self._file.close()
