"""Cards that were read, as a source of rows: JSON lines of a file or of standard input.

A file that is one JSON value (an object, or an array of objects, over however many lines) is taken as well.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from fhir_profiles.json_reading import ReadError, read_json, write_json
from mappers.id_card.reads import FILE
from server.intake.documents import SourceError
from server.intake.f43.sources import F43Source, Member

WHOLE = 16 * 1024 * 1024
"""Bytes of a file that is looked at as one JSON value; a larger one has an object on each line."""
STANDARD_INPUT = Path("-")
_HCODE = re.compile(r"[0-9]{5}\Z|[A-Z0-9]{9}\Z")


def open_cards(path: Path, hcode: str, folder: Path) -> F43Source:
    """The reads of a file, or of standard input (`-`), which the facility made. What has to be written down first goes
    into the folder, which the caller removes. Raises: SourceError."""
    if _HCODE.match(hcode) is None:
        raise SourceError("a hospital code has 5 digits or 9 characters / รหัสสถานพยาบาลต้องมี 5 หลัก หรือ 9 ตัวอักษร")
    place = folder / f"{len(list(folder.iterdir()))}.ndjson"
    name = path
    if path == STANDARD_INPUT:
        with place.open("wb") as target:
            shutil.copyfileobj(sys.stdin.buffer, target)
        path, name = place, Path("standard input")
    if not path.is_file():
        raise SourceError(f"{path}: there is no such file / ไม่พบไฟล์")
    if path.stat().st_size <= WHOLE and (lines := _lines(path.read_bytes())):
        place.write_bytes(lines)
        path = place
    if not path.stat().st_size:
        raise SourceError(f"{name}: no card is in it / ไม่มีข้อมูลบัตร")
    return F43Source(name, (Member(path, None, FILE, path.stat().st_size, hcode=hcode),), kind="card")


def _lines(data: bytes) -> bytes:
    """One JSON value over several lines as an object a line; empty for what is no such thing."""
    text = data.removeprefix(b"\xef\xbb\xbf").strip()
    if b"\n" not in text and not text.startswith(b"["):
        return b""
    try:
        # An array is no resource: it is read as the member of an object.
        said = read_json(b'{"cards":' + text + b"}", max_depth=4)["cards"]
    except ReadError:
        return b""
    return b"".join(write_json(each) + b"\n" for each in (said if isinstance(said, list) else [said]))
