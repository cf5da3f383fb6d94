"""Documents of FHIR files: bundles and single resources from .json, .ndjson, .gz, .zip and folders, in bounded memory.

A source is one file (or one member of a zip). Its documents are numbered from 0 in the order of the file, so that an
interrupted import can go on, and a document keeps its number when the same file is imported again.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

NDJSON_SUFFIXES = (".ndjson", ".jsonl")
JSON_SUFFIXES = (".json", *NDJSON_SUFFIXES)


@dataclass(frozen=True, slots=True)
class Source:
    """One file of documents, perhaps inside a .gz or .zip."""

    path: Path
    member: str | None = None
    """Name within the zip."""

    @property
    def name(self) -> str:
        """For reports: the path as given, and the member."""
        return f"{self.path}!{self.member}" if self.member else str(self.path)

    @property
    def lines(self) -> bool:
        """One resource a line (NDJSON); else one JSON document."""
        name = (self.member or self.path.name).lower().removesuffix(".gz")
        return name.endswith(NDJSON_SUFFIXES)


@dataclass(frozen=True, slots=True)
class Document:
    source: Source
    number: int
    data: bytes


class SourceError(Exception):
    """A path that cannot be read: missing, not a FHIR file, a broken archive, too large."""


class Unreadable(SourceError):
    """A source that is damaged; the message does not name it."""


_DAMAGE = (OSError, EOFError, zlib.error, zipfile.BadZipFile, zipfile.LargeZipFile)


def find_sources(paths: list[Path]) -> list[Source]:
    """Every FHIR file below the paths, in a stable order. Raises: SourceError."""
    found: list[Source] = []
    for path in paths:
        if not path.exists():
            raise SourceError(f"{path}: there is no such file or folder / ไม่พบไฟล์หรือโฟลเดอร์")
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            found += _sources_of(file, named=file == path)
    if not found:
        named = ", ".join(map(str, paths))
        raise SourceError(
            f"no file of FHIR resources (.json, .ndjson, .gz, .zip of them) is in: {named} / ไม่พบไฟล์ FHIR"
        )
    return found


def _sources_of(file: Path, *, named: bool) -> list[Source]:
    name = file.name.lower()
    if name.endswith(".zip"):
        try:
            with zipfile.ZipFile(file) as archive:
                members = [m for m in archive.namelist() if m.lower().endswith(JSON_SUFFIXES)]
        except zipfile.BadZipFile as error:
            raise SourceError(
                f"{file}: not a zip file, or a truncated one: copy it again / ไฟล์ zip ไม่สมบูรณ์ กรุณาคัดลอกใหม่"
            ) from error
        return [Source(file, member) for member in sorted(members)]
    if name.removesuffix(".gz").endswith(JSON_SUFFIXES):
        return [Source(file)]
    if named:
        raise SourceError(f"{file}: expected a file named .json, .ndjson, .json.gz, .ndjson.gz or .zip / ชื่อไฟล์ไม่ถูกต้อง")
    return []


@contextmanager
def _opened(source: Source) -> Iterator[IO[bytes]]:
    if source.member is not None:
        with zipfile.ZipFile(source.path) as archive, archive.open(source.member) as stream:
            yield stream
    elif source.path.name.lower().endswith(".gz"):
        with gzip.open(source.path) as unpacked:
            yield cast("IO[bytes]", unpacked)
    else:
        with source.path.open("rb") as stream:
            yield stream


def digest(source: Source) -> str:
    """SHA-256 of the source's content, in hex: the same file is known again under any name.

    A source that cannot be read to its end is not begun: its documents would be taken for others, and stored twice,
    when the whole file comes. Raises: Unreadable.
    """
    total = hashlib.sha256()
    try:
        with _opened(source) as stream:
            while chunk := stream.read(1 << 20):
                total.update(chunk)
    except _DAMAGE as error:
        raise Unreadable(
            "it is broken off or damaged, nothing of it was imported: copy it again / แฟ้มไม่สมบูรณ์ ไม่ได้นำเข้า โปรดคัดลอกใหม่"
            f" ({error})"
        ) from error
    return total.hexdigest()


def documents(source: Source, *, largest: int) -> Iterator[Document]:
    """The documents of a source, one over `largest` bytes cut after `largest` + 1 (the size limit then refuses it).

    Raises: Unreadable, after the documents before the damage."""
    try:
        with _opened(source) as stream:
            if source.lines:
                yield from _lines(source, io.BufferedReader(stream), largest)  # type: ignore[type-var]
            else:
                yield Document(source, 0, stream.read(largest + 1))
    except _DAMAGE as error:
        raise Unreadable(f"it could not be read to its end / อ่านไม่จบแฟ้ม ({error})") from error


def _lines(source: Source, stream: IO[bytes], largest: int) -> Iterator[Document]:
    number = 0
    while line := stream.readline(largest + 1):
        rest = line
        while not rest.endswith(b"\n") and (rest := stream.readline(1 << 20)):
            pass  # the rest of an oversized line: dropped, the document is refused for its size
        if text := line.strip():
            yield Document(source, number, text)
        number += 1
