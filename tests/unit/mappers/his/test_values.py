"""What databases hold, as the text of the 43 files."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal

import pytest

from mappers.his.values import KINDS, Column


def text(kind: str, *values: object, **more: object) -> str:
    told = {"of": ("t.a",), "value": "", "map": {}, "start": 0, "end": None, "width": 0, "verified": True, **more}
    return KINDS[kind](values, Column(kind=kind, **told))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("text", None, ""),
        ("text", " a\r\n|b ", "a /b"),
        ("text", b"\xe0\xb8\x81", "ก"),
        ("number", Decimal("12.50"), "12.5"),
        ("number", 1e-7, "0.0000001"),
        ("number", "abc", "abc"),
        ("rounded", 120.0, "120"),
        ("date", date(2026, 1, 5), "20260105"),
        ("date", "0000-00-00", ""),
        ("date", "1955-00-00", "19550000"),
        ("date", "2569-01-05", "25690105"),
        ("time", timedelta(hours=8, minutes=5), "080500"),
        ("time", time(23, 59, 1), "235901"),
        ("time", "8:05", "080500"),
        ("stamp", datetime(2026, 1, 5, 9, 30), "20260105093000"),
        ("stamp", "2026-01-05 09:30:00", "20260105093000"),
        ("stamp", date(2026, 1, 5), "20260105000000"),
        ("unpad", "01", "1"),
        ("unpad", "00", "0"),
        ("unpad", "", ""),
        ("icd", "e11.9", "E119"),
        ("cid", "9-9961-93222-26-5", "9996193222265"),
        ("systolic", " 120/80 ", "120"),
        ("diastolic", "120 / 80", "80"),
        ("systolic", "120", ""),
        ("prefix", "นางสาว", "004"),
        ("prefix", "น.ส.", "004"),
        ("prefix", "003", "003"),
        ("prefix", "unknown", "unknown"),
    ],
)
def test_kinds(kind: str, value: object, expected: str) -> None:
    assert text(kind, value) == expected


def test_kinds_with_a_setting() -> None:
    assert text("number", "3", width=2) == "3.00"
    assert text("pad", "9", width=3) == "009"
    assert text("part", "18020301", start=2, end=4) == "02"
    assert text("map", "00", map={"00": "1", "*": "3"}) == "1"
    assert text("map", "06", map={"00": "1", "*": "3"}) == "3"
    assert text("map", "CH25", map={"CH07": "07"}) == "CH25"
    assert text("stamp", date(2026, 1, 5), timedelta(hours=9)) == "20260105090000"
    assert text("text", None, "second") == "second"
