"""Reading the 43 files as hospitals send them: encodings, headers, line ends, columns, and what is refused."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappers.f43.files import checker, file_of_name, read_rows, write_rows
from mappers.f43.layout import LAYOUTS
from mappers.layout import OLD, V24
from mappers.links import Row
from mappers.population.f43 import f43_rows
from mappers.problems import REFUSE, RULES, WARN, Problem
from mappers.reading import LONGEST_LINE, ReadRow

DIAGNOSIS = {
    "HOSPCODE": "99999",
    "PID": "000001",
    "SEQ": "000000010001",
    "DATE_SERV": "20250131",
    "DIAGTYPE": "1",
    "DIAGCODE": "I10",
    "CLINIC": "00000",
    "PROVIDER": "P001",
    "D_UPDATE": "20250131101500",
    "CID": "9990000000014",
}
SERVICE = {
    "HOSPCODE": "99999", "PID": "000001", "SEQ": "1", "DATE_SERV": "20250131", "TIME_SERV": "083000", "INSTYPE": "0100",
    "TYPEIN": "1", "CHIEFCOMP": "ไข้ ไอ น้ำมูก", "SERVPLACE": "1", "SBP": "120", "DBP": "80", "TYPEOUT": "1",
    "PRICE": "50.00", "PAYPRICE": "0.00", "ACTUALPAY": "0.00", "D_UPDATE": "20250131101500",
}  # fmt: skip


def problems(file: str, number: int, row: Row) -> list[Problem]:
    return checker(file)(number, row)


def read(file: str, data: bytes, size: int = 7) -> list[ReadRow]:
    return list(read_rows(file, [data[i : i + size] for i in range(0, len(data), size)]))


def written(file: str, rows: Iterable[dict[str, str]], **how: object) -> bytes:
    return b"".join(write_rows(file, rows, **how))  # type: ignore[arg-type]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp874"])
@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r"])
@pytest.mark.parametrize("header", ["upper", "lower", "none"])
@pytest.mark.parametrize("size", [1, 3, 64, 100_000])
def test_every_way_of_writing_a_file_reads_as_the_same_rows(encoding: str, end: bytes, header: str, size: int) -> None:
    # ยรก in Windows-874 happens to be valid UTF-8: the rest of the sample decides.
    rows = [SERVICE, {**SERVICE, "SEQ": "2", "CHIEFCOMP": "ราก"}, {**SERVICE, "SEQ": "3", "CHIEFCOMP": "pain"}]
    data = written("SERVICE", rows, header=header != "none").decode()
    if header == "lower":
        first, rest = data.split("\r\n", 1)
        data = first.lower() + "\r\n" + rest
    found = read("SERVICE", data.encode(encoding).replace(b"\r\n", end), size)
    assert [row.values for row in found] == rows
    assert not any(row.problems for row in found)
    assert [row.number for row in found] == ([1, 2, 3] if header == "none" else [2, 3, 4])


@pytest.mark.parametrize("version", [OLD, V24])
@pytest.mark.parametrize("file", sorted(LAYOUTS))
def test_both_structures_are_told_apart_by_their_number_of_columns(file: str, version: str) -> None:
    columns = LAYOUTS[file].columns(version)
    row = dict.fromkeys(columns, "1") | {"HOSPCODE": "99999"}
    (found,) = read(file, written(file, [row], version=version, header=False))
    assert found.values == row


def test_a_delimiter_behind_the_last_column_does_not_count() -> None:
    data = written("DIAGNOSIS_OPD", [DIAGNOSIS], header=False).replace(b"\r\n", b"|\r\n")
    assert read("DIAGNOSIS_OPD", data)[0].values == DIAGNOSIS


def test_a_header_names_the_columns_in_any_order_and_an_unknown_one_is_reported() -> None:
    data = (
        b"HOSPCODE|SEQ|PID|DATE_SERV|DIAGTYPE|DIAGCODE|CLINIC|COLOUR|D_UPDATE\n"
        b"99999|7|1|20250131|1|I10|00000|red|20250131101500\n"
    )
    header, row = read("DIAGNOSIS_OPD", data)
    assert [problem.rule for problem in header.problems] == ["header"]
    assert (row.values["SEQ"], row.values["PID"]) == ("7", "1")
    assert not row.problems


def test_a_row_with_a_wrong_number_of_columns_is_refused_and_the_next_is_read() -> None:
    good = written("DIAGNOSIS_OPD", [DIAGNOSIS], header=False)
    first, second = read("DIAGNOSIS_OPD", b"99999|1|2\n" + good)
    assert [problem.rule for problem in first.problems] == ["columns"]
    assert first.raw == "99999|1|2"
    assert second.values == DIAGNOSIS


def test_thai_digits_become_arabic_where_the_column_is_no_free_text() -> None:
    row = {**SERVICE, "SBP": "๑๒๐", "DATE_SERV": "๒๐๒๕๐๑๓๑", "CHIEFCOMP": "ไข้ ๓ วัน"}
    (found,) = read("SERVICE", written("SERVICE", [row]))
    assert (found.values["SBP"], found.values["DATE_SERV"]) == ("120", "20250131")
    assert found.values["CHIEFCOMP"] == "ไข้ ๓ วัน"


def test_a_line_longer_than_any_row_is_refused_once() -> None:
    good = written("DIAGNOSIS_OPD", [DIAGNOSIS], header=False)
    found = read("DIAGNOSIS_OPD", b"x" * (3 * LONGEST_LINE) + b"\n" + good, 10_000)
    assert [[problem.rule for problem in row.problems] for row in found] == [["line"], []]


def test_bytes_of_no_encoding_are_refused() -> None:
    data = written("SERVICE", [SERVICE, {**SERVICE, "CHIEFCOMP": "ABCDEF"}], header=False).replace(
        b"ABCDEF", b"\xff\xfe\xfd"
    )
    first, second = read("SERVICE", data)
    assert not first.problems
    assert [problem.rule for problem in second.problems] == ["encoding"]


@given(st.binary(max_size=400), st.sampled_from(sorted(LAYOUTS)))
def test_no_bytes_break_the_reader(data: bytes, file: str) -> None:
    for row in read(file, data):
        assert row.values or row.problems


REFUSALS = [
    ("a Buddhist year in an AD column", "DIAGNOSIS_OPD", DIAGNOSIS, {"DATE_SERV": "25680131"}, "DATE_SERV", "buddhist"),
    ("no day of the calendar", "DIAGNOSIS_OPD", DIAGNOSIS, {"DATE_SERV": "20250230"}, "DATE_SERV", "date"),
    ("swapped blood pressure", "SERVICE", SERVICE, {"SBP": "80", "DBP": "120"}, "SBP", "pressure"),
    ("an unknown code", "DIAGNOSIS_OPD", DIAGNOSIS, {"DIAGTYPE": "8"}, "DIAGTYPE", "code"),
    ("a broken citizen id", "DIAGNOSIS_OPD", DIAGNOSIS, {"CID": "9990000000015"}, "CID", "cid"),
    ("a hospital code of four digits", "DIAGNOSIS_OPD", DIAGNOSIS, {"HOSPCODE": "9999"}, "HOSPCODE", "facility"),
    ("an empty key", "DIAGNOSIS_OPD", DIAGNOSIS, {"SEQ": ""}, "SEQ", "required"),
    ("a control character", "SERVICE", SERVICE, {"CHIEFCOMP": "a\x07b"}, "CHIEFCOMP", "control"),
]
WARNINGS = [
    ("a time of no day", "SERVICE", SERVICE, {"TIME_SERV": "256199"}, "TIME_SERV", "time"),
    ("a word for a number", "SERVICE", SERVICE, {"PR": "fast"}, "PR", "number"),
    ("a fever of 60 degrees", "SERVICE", SERVICE, {"BTEMP": "60"}, "BTEMP", "measure"),
    ("a new right", "SERVICE", SERVICE, {"INSTYPE": "7777"}, "INSTYPE", "open-code"),
    ("a text beyond its column", "SERVICE", SERVICE, {"CHIEFCOMP": "ก" * 300}, "CHIEFCOMP", "length"),
    ("a disease of no form", "DIAGNOSIS_OPD", DIAGNOSIS, {"DIAGCODE": "XYZ99"}, "DIAGCODE", "icd"),
    ("a year of the last century but one", "DIAGNOSIS_OPD", DIAGNOSIS, {"DATE_SERV": "18250131"}, "DATE_SERV", "year"),
]


def broken(row: dict[str, str], change: dict[str, str]) -> dict[str, str]:
    return {column: text for column, text in {**row, **change}.items() if text}


@pytest.mark.parametrize(
    ("file", "row", "change", "field", "rule"), [case[1:] for case in REFUSALS], ids=lambda c: str(c)[:20]
)
def test_bad_rows_are_refused_with_field_and_reason(file: str, row: dict, change: dict, field: str, rule: str) -> None:
    found = problems(file, 5, broken(row, change))
    assert [(p.field, p.rule, p.row) for p in found] == [(field, rule, 5)]
    assert RULES[rule].severity == REFUSE
    assert found[0].english
    assert found[0].thai


@pytest.mark.parametrize(
    ("file", "row", "change", "field", "rule"), [case[1:] for case in WARNINGS], ids=lambda c: str(c)[:20]
)
def test_odd_rows_are_read_and_reported(file: str, row: dict, change: dict, field: str, rule: str) -> None:
    found = problems(file, 5, broken(row, change))
    assert [(p.field, p.rule) for p in found] == [(field, rule)]
    assert RULES[rule].severity == WARN


def test_a_sound_row_has_no_problem() -> None:
    assert problems("SERVICE", 1, SERVICE) == []
    assert problems("DIAGNOSIS_OPD", 1, DIAGNOSIS) == []


def test_a_blank_drug_code_is_named_as_such() -> None:
    row = {
        "HOSPCODE": "99999",
        "PID": "1",
        "SEQ": "1",
        "DATE_SERV": "20250131",
        "CLINIC": "00000",
        "D_UPDATE": "20250131101500",
    }
    assert [p.rule for p in problems("DRUG_OPD", 1, row)] == ["drug"]


def test_a_birth_with_unknown_day_is_no_problem_but_another_date_is() -> None:
    person = next(row for file, row in f43_rows(1, seed=1) if file == "PERSON")
    assert problems("PERSON", 1, {**person, "BIRTH": "19550000"}) == []
    assert [p.rule for p in problems("PERSON", 1, {**person, "MOVEIN": "19550000"})] == ["optional-date"]


def test_reports_never_quote_a_person() -> None:
    person = next(row for file, row in f43_rows(1, seed=1) if file == "PERSON")
    bad = {**person, "CID": "1234567890123", "BIRTH": "25430131", "NAME": "ชื่อ\x01", "FATHER": "123"}
    found = {p.field: p.value for p in problems("PERSON", 1, bad)}
    assert found == {"CID": "9999999999999", "BIRTH": "99999999", "NAME": "กกกก\x01", "FATHER": "999"}


def test_the_synthetic_population_has_no_problem() -> None:
    for file, row in f43_rows(60, seed=3):
        assert problems(file, 1, row) == [], (file, row)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("person.txt", "PERSON"),
        ("F43_99999_20261123/PERSON.TXT", "PERSON"),
        ("a\\b\\Drug_opd.txt", "DRUG_OPD"),
        ("99999_DIAGNOSIS_IPD.txt", "DIAGNOSIS_IPD"),
        ("readme.txt", None),
    ],
)
def test_the_name_of_a_file_says_which_it_is(name: str, file: str | None) -> None:
    assert file_of_name(name) == file
