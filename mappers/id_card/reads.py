"""Cards that were read, as rows of the file CARDREAD: one JSON object a line, with the fields of `Card`.

    {"cid": "1234567890121", "name_thai": "นาง#สมมุติ##ตัวอย่าง", "name_english": "Mrs.#Sommut##Tuayang",
     "birth": "25230315", "sex": "2", "address": "1#หมู่ที่ 2####ตำบล..#อำเภอ..#จังหวัด..", "issued": "25650101",
     "expires": "25740314", "photo": "base64 of the JPEG", "read_at": "2026-11-24T09:15:00+07:00"}

Texts are those of the card, years of the Buddhist era. `cid`, `name_thai`, `birth`, `sex` and `read_at` must be there.
A row is kept as the facility's registration of the card's holder, a Basic with all columns beside it. HOLDER is its
key, given by whoever imports, so that no citizen id is in a key.

A line with `death` is what the card office (the civil registration) says of the person: the day as on a card, 00 for
what is not known, `00000000` for a death without a day, `-` where none is registered. It is kept apart from reads of
the card, which know nothing of a death, so that only the office takes one back.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from fhir_profiles.canonical import CANONICAL
from fhir_profiles.json_reading import ReadError, read_json, write_json
from mappers.checks import Checker
from mappers.codes import concept
from mappers.id_card.card import BANGKOK, Card, ad, registration
from mappers.identity import Registration
from mappers.layout import Layout, read_layouts
from mappers.lens import iso_stamp
from mappers.links import HCODE, Resource, Row, logical
from mappers.part import FIRST, FileMap, Part
from mappers.patient import UNKNOWN_DAY, birth_date, deceased
from mappers.problems import Problem, shape
from mappers.reading import Decoder, ReadRow, lines

FAMILY = "card"
FILE = "CARDREAD"
LAYOUTS = read_layouts(Path(__file__).with_name("layouts.csv"))
HOLDERS = f"{CANONICAL}/card/holder"
"""Identifier system that the Patient of a card is meant by: hospital code, a slash, HOLDER."""
RECORD = f"{CANONICAL}/CodeSystem/card-record"
FIELDS = {
    "cid": "CID",
    "name_thai": "NAMETHAI",
    "name_english": "NAMEENGLISH",
    "birth": "BIRTH",
    "sex": "SEX",
    "address": "ADDRESS",
    "issued": "ISSUED",
    "expires": "EXPIRES",
    "death": "DEATH",
    "photo": "PHOTO",
    "read_at": "D_UPDATE",
}
"""Member of the JSON object to column."""
_JPEG = b"\xff\xd8"
_LIVING = "-"
"""DEATH where the card office has none registered."""
_checker = Checker(Layout(FILE, tuple(each for each in LAYOUTS[FILE].fields if each.name != "HOLDER")))
"""HOLDER is given after a row was checked."""


def _holder(row: Row) -> Resource:
    return {
        "resourceType": "Basic",
        "code": concept(RECORD, "holder"),
        "subject": logical("Patient", HOLDERS, f"{row['HOSPCODE']}/{row['HOLDER']}"),
        "author": logical("Organization", HCODE, row["HOSPCODE"]),
    }


MAPS = {FILE: FileMap(FAMILY, LAYOUTS[FILE], (Part(FIRST, _holder),))}


def holder_key(row: Row) -> str:
    """What HOLDER is made of: the citizen id, for what the card office says another one than for reads of the card."""
    return f"office/{row['CID']}" if "DEATH" in row else row["CID"]


def registration_of(row: Row) -> Registration:
    """What the card or the card office says, in the columns of PERSON, with HOLDER."""
    card = Card(
        cid=row["CID"],
        name_thai=row["NAMETHAI"],
        name_english=row.get("NAMEENGLISH", ""),
        birth=row["BIRTH"],
        sex=row["SEX"],
        address=row.get("ADDRESS", ""),
        issued=row.get("ISSUED", ""),
        expires=row.get("EXPIRES", ""),
        photo=_photo(row.get("PHOTO", "")) or b"",
    )
    made = registration(card, row["HOSPCODE"], datetime.fromisoformat(iso_stamp(row["D_UPDATE"])), row["HOLDER"])
    return replace(made, deaths=({"DDEATH": death},)) if (death := _death(row)) else made


def _death(row: Row) -> str:
    """DDEATH, "" for none."""
    text = row.get("DEATH", _LIVING)
    return "" if text == _LIVING else text if text == UNKNOWN_DAY else ad(text)


def read_rows(hcode: str, chunks: Iterable[bytes]) -> Iterator[ReadRow]:
    """Every line with what is wrong with it, as read at the facility; empty lines are passed over."""
    decoder = Decoder()
    for number, line in enumerate(lines(chunks, decoder), start=1):
        text, rule = decoder.decode(line)
        if not rule and not text.strip():
            continue
        found = None if rule else _object(text)
        if found is None:
            problem = Problem(FILE, number, "", rule or "json", "" if rule else shape(text))
            yield ReadRow(FILE, number, {}, [problem], text)
        else:
            yield _row(hcode, number, found, text)


def line_of(row: Row) -> str:
    """The row as a line of JSON again."""
    said = {name: row[column] for name, column in FIELDS.items() if column in row}
    if "read_at" in said:
        said["read_at"] = iso_stamp(said["read_at"]) or said["read_at"]
    return write_json(said).decode()


def _object(text: str) -> dict[str, Any] | None:
    try:
        return read_json(text.encode(), max_depth=2)
    except ReadError:
        return None


def _row(hcode: str, number: int, said: dict[str, Any], text: str) -> ReadRow:
    row: Row = {"HOSPCODE": hcode}
    problems = [Problem(FILE, number, "", "header", name[:40]) for name in said if name not in FIELDS]
    for name, column in FIELDS.items():
        value = said.get(name)
        if value.__class__ is int:
            value = str(value)
        if value is not None and value.__class__ is not str:
            problems.append(Problem(FILE, number, column, "json", ""))
        elif value and value.strip():
            row[column] = value.strip()
    if "D_UPDATE" in row:
        row["D_UPDATE"] = _stamp(row["D_UPDATE"])
    problems += _checker(number, row)
    if "BIRTH" in row and birth_date({"BIRTH": ad(row["BIRTH"])}) is None:
        problems.append(Problem(FILE, number, "BIRTH", "card-date", shape(row["BIRTH"])))
    if row.get("DEATH", _LIVING) != _LIVING and not deceased({"DDEATH": _death(row)}):
        problems.append(Problem(FILE, number, "DEATH", "card-date", shape(row["DEATH"])))
    if "PHOTO" in row and _photo(row["PHOTO"]) is None:
        problems.append(Problem(FILE, number, "PHOTO", "photo", ""))
    made = ReadRow(FILE, number, row, problems)
    if made.refused:
        made.raw = text
    return made


def _stamp(text: str) -> str:
    """The moment in Thai time as YYYYMMDDHHMMSS, Thai time too where it has no zone; what is no moment as it is."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return (moment.astimezone(BANGKOK) if moment.tzinfo else moment).strftime("%Y%m%d%H%M%S")


def _photo(text: str) -> bytes | None:
    """None for what is no JPEG in base64."""
    try:
        data = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if data.startswith(_JPEG) else None
