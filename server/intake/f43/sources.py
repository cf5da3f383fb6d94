"""The 43 files or the claim files of a zip or folder as members, their bytes in pieces; no dishonest zip is read.

Nothing is unpacked to disk. https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from mappers.f16 import files as claims
from mappers.f16.layout import LAYOUTS
from mappers.f43.files import file_of_name
from server.intake.documents import SourceError

CHUNK = 256 * 1024
LARGEST_RATIO = 300
"""Unpacked bytes for one packed byte; text of the 43 files packs 10 to 60 times."""
HARMLESS = 64 * 1024 * 1024
"""Unpacked bytes that are never called a bomb."""
_ENCRYPTED = 0x1
ENDINGS = (".txt", ".csv")


@dataclass(frozen=True, slots=True)
class Member:
    """One file of rows."""

    path: Path
    inner: str | None
    """Name within the zip; None for a file of a folder."""
    file: str
    """Which of the 43 files: `PERSON`."""
    size: int
    """Bytes, unpacked."""
    absent: frozenset[str] = frozenset()
    """Required columns that the source does not have: no row is refused for them."""
    hcode: str = ""
    """Facility of a claim file, whose rows do not tell it."""
    numbers: tuple[int, ...] = ()
    """Lines that its lines had in the file that they first came with; empty: they are that file's."""

    @property
    def name(self) -> str:
        return self.inner or self.path.name


@dataclass(frozen=True, slots=True)
class F43Source:
    """One zip or folder."""

    path: Path
    members: tuple[Member, ...]
    ignored: tuple[str, ...] = field(default=())
    """Names of files that are none of the wanted ones."""
    kind: str = "f43"
    """Begins the ids of its imports: `f43`, `f16`, `jhcis`, `hosxp`."""
    refused_by: str = ""
    """Id of the import that refused these rows, where they are tried again."""


def open_source(path: Path) -> F43Source:
    """The 43 files in a zip, a folder or a single file. Raises: SourceError, in words for whoever sent the file."""
    members, ignored = _members(path, file_of_name)
    if not members:
        raise SourceError(f"{path}: none of the 43 files is in it (PERSON.txt, SERVICE.txt ...) / ไม่พบแฟ้มใน 43 แฟ้ม")
    return F43Source(path, tuple(members), tuple(ignored))


def open_claims(path: Path, hcode: str = "") -> F43Source:
    """The claim files in a zip or folder. hcode: of the facility; empty: what the files say themselves.

    Raises: SourceError.
    """
    members, ignored = _members(path, claims.file_of_name)
    if not members:
        raise SourceError(f"{path}: none of the 16 claim files is in it (PAT.txt, OPD.txt ...) / ไม่พบแฟ้มใน 16 แฟ้ม")
    hcode = hcode or _hcode_in(members)
    if not hcode:
        raise SourceError(f"{path}: no row tells the facility: say --hcode / ไม่พบรหัสสถานพยาบาล ให้ระบุ --hcode")
    return F43Source(path, tuple(replace(each, hcode=hcode) for each in members), tuple(ignored), "f16")


def _hcode_in(members: list[Member]) -> str:
    """HCODE of the first row that has one."""
    for member in members:
        if "HCODE" in LAYOUTS[member.file].by_name:
            for row in claims.read_rows(member.file, "00000", chunks(member)):
                if found := row.values.get("HCODE"):
                    return found
    return ""


def _members(path: Path, name_of: Callable[[str], str | None]) -> tuple[list[Member], list[str]]:
    """The files that are wanted, and the names of the others."""
    if not path.exists():
        raise SourceError(f"{path}: there is no such file or folder / ไม่พบไฟล์หรือโฟลเดอร์")
    found: list[tuple[str, Path, str | None, int]]
    if path.is_dir():
        found = [(str(each.relative_to(path)), each, None, each.stat().st_size) for each in _below(path)]
    elif path.suffix.lower() == ".zip":
        found = [(info.filename, path, info.filename, info.file_size) for info in _honest(path)]
    else:
        found = [(path.name, path, None, path.stat().st_size)]
    members, ignored = [], []
    for name, where, inner, size in found:
        file = name_of(name) if name.lower().endswith(ENDINGS) else None
        if file is None:
            ignored.append(name)
        else:
            members.append(Member(where, inner, file, size))
    return members, ignored


def _below(folder: Path) -> list[Path]:
    return sorted(each for each in folder.rglob("*") if each.is_file())


def _honest(path: Path) -> list[zipfile.ZipInfo]:
    """Entries of a zip that is whole, not encrypted and does not swell."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = sorted((e for e in archive.infolist() if not e.is_dir()), key=lambda entry: entry.filename)
    except (zipfile.BadZipFile, OSError) as error:
        raise SourceError(
            f"{path}: not a zip file, or a truncated one: copy it again / ไฟล์ zip ไม่สมบูรณ์ กรุณาคัดลอกใหม่"
        ) from error
    if any(entry.flag_bits & _ENCRYPTED for entry in entries):
        raise SourceError(f"{path}: the zip has a password: unpack it first / ไฟล์ zip ใส่รหัสผ่านไว้ กรุณาแตกไฟล์ก่อน")
    if sum(entry.file_size for entry in entries) > max(HARMLESS, LARGEST_RATIO * path.stat().st_size):
        raise SourceError(
            f"{path}: would unpack to more than {LARGEST_RATIO} times its size: refused / ไฟล์ zip ขยายใหญ่ผิดปกติ"
        )
    return entries


def chunks(member: Member) -> Iterator[bytes]:
    """The bytes of a member. Raises: SourceError on damage, after what could be read before it."""
    try:
        if member.inner is None:
            with member.path.open("rb") as plain:
                while piece := plain.read(CHUNK):
                    yield piece
            return
        read = 0
        with zipfile.ZipFile(member.path) as archive, archive.open(member.inner) as packed:
            while piece := packed.read(CHUNK):
                read += len(piece)
                if read > member.size:
                    raise SourceError(f"{member.name}: longer than the zip says / ไฟล์ใน zip ยาวเกินที่ระบุ")
                yield piece
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise SourceError(
            f"{member.name}: damaged, only its beginning was read: copy the zip again / ไฟล์เสียหาย อ่านได้เพียงบางส่วน"
        ) from error


def digest(source: F43Source) -> str:
    """SHA-256 of the packed content: the same zip is known again under any name, and an interrupted import goes on."""
    total = hashlib.sha256()
    for path in sorted({member.path for member in source.members}):
        with path.open("rb") as stream:
            total.update(path.name.encode() if len(source.members) > 1 and path != source.path else b"")
            while piece := stream.read(1 << 20):
                total.update(piece)
    return total.hexdigest()
