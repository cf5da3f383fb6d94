"""Code lists of our own: what the mappers write where neither HL7 nor SIL-TH publishes a list.

`python -m mappers.own_lists` writes `terminology/own.json` anew, one list a line as in `terminology/thai.json`; the
columns come from the layouts. A test holds the file against this module.
https://hl7.org/fhir/R4/codesystem.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from mappers.codes import displays
from mappers.f16.layout import LAYOUTS as F16
from mappers.f43.layout import LAYOUTS as F43
from mappers.layout import Layout
from terminology.thai import OWN_SOURCE

_DISPLAYS = {"AER": "Accident and emergency"}
"""Displays of files; the others are shown by their name."""


_F43_RECORD = {
    "person": ("ทะเบียนบุคคลของหน่วยบริการ (PERSON)", "Registration of a person by a facility"),
    "address": ("ที่อยู่ตามทะเบียนของหน่วยบริการ (ADDRESS)", "Address in a facility's register"),
    "policy": ("ข้อมูลตามนโยบาย (POLICY)", "Data that a policy asks for"),
    "data-correction": ("การแก้ไขข้อมูล (DATA_CORRECT)", "Request to correct rows sent earlier"),
    "community-activity": ("กิจกรรมในชุมชน (COMMUNITY_ACTIVITY)", "Activity in the community"),
}
_F16_RECORD = {
    "person": ("ข้อมูลบุคคลของหน่วยบริการ (PAT)", "A person as the facility claims for"),
    "leave-day": ("การลากลับบ้านของผู้ป่วยใน (LVD)", "Leave of an inpatient"),
}
_F43_SEX = {"1": ("ชาย", "Male"), "2": ("หญิง", "Female")}


def lists() -> list[dict[str, Any]]:
    """`{"id", "name", "title", "codes": [[code, display, parent?], ...], "english"?, "content"?}` of every list."""
    fees = displays("cs-th-fee-category").items()
    return [
        {
            "id": "f43-sex",
            "name": "F43Sex",
            "title": "43 แฟ้ม: รหัสเพศ",
            **_in_both_languages(_F43_SEX),
        },
        {
            "id": "f43-column",
            "name": "F43Column",
            "title": "43 แฟ้ม: แฟ้มและคอลัมน์",
            "codes": _columns(F43),
        },
        {
            "id": "f43-chargeitem",
            "name": "F43ChargeItem",
            "title": "43 แฟ้ม: หมวดค่ารักษาพยาบาล 2 หลัก (CHARGEITEM)",
            "codes": [[code.zfill(2), display] for code, display in fees],
        },
        {
            "id": "f43-record",
            "name": "F43Record",
            "title": "43 แฟ้ม: แถวที่เก็บเป็น Basic",
            **_in_both_languages(_F43_RECORD),
        },
        {
            "id": "f16-column",
            "name": "F16Column",
            "title": "16 แฟ้ม: แฟ้ม",
            "codes": [[file, _DISPLAYS.get(file, file)] for file in F16],
        },
        {
            "id": "f16-record",
            "name": "F16Record",
            "title": "16 แฟ้ม: แถวที่เก็บเป็น Basic",
            **_in_both_languages(_F16_RECORD),
        },
        {
            "id": "card-record",
            "name": "CardRecord",
            "title": "บัตรประจำตัวประชาชน: ข้อมูลที่เก็บเป็น Basic",
            "codes": [["holder", "ผู้ถือบัตรตามที่หน่วยบริการอ่าน"]],
            "english": {"holder": "Holder of a card as a facility has read it"},
        },
        {
            "id": "package",
            "name": "Package",
            "title": "ชุดนิยาม FHIR ที่นำเข้า (ชื่อ#รุ่น)",
            "content": "not-present",
            "codes": [],
        },
    ]


def _in_both_languages(table: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """table: code -> (Thai, English)."""
    return {
        "codes": [[code, thai] for code, (thai, _) in table.items()],
        "english": {code: english for code, (_, english) in table.items()},
    }


def _columns(layouts: Mapping[str, Layout]) -> list[list[str]]:
    """Every file, and below it every column as `FILE.COLUMN`."""
    return [
        row
        for file, layout in layouts.items()
        for row in ([file, file], *([f"{file}.{name}", name, file] for name in layout.by_name))
    ]


def text() -> bytes:
    """Content of the file."""
    return b"[\n" + b",\n".join(map(orjson.dumps, lists())) + b"\n]\n"


if __name__ == "__main__":
    OWN_SOURCE.write_bytes(text())
