"""The data-quality report: every kind of bad row that the project promises to find, in the JSON summary, the page, the
table and the quarantine, with file, row, column, masked value and reason; and zips that are not what they seem."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mappers.f43.files import write_rows
from mappers.f43.layout import LAYOUTS
from mappers.problems import RULES
from tests.cli.serving import onecard
from tests.unit.server.intake.importing import diagnosis, person, service, zip_of

CID_WRONG = "9998046561009"
DRUG = {
    "HOSPCODE": "99999",
    "PID": "0001",
    "SEQ": "S1",
    "DATE_SERV": "20260110",
    "CLINIC": "00100",
    "DNAME": "PARACETAMOL",
    "AMOUNT": "10",
    "DRUGPRICE": "1.00",
    "D_UPDATE": "20260110093000",
}


class Kind(NamedTuple):
    file: str
    row: int
    field: str
    value: str
    """As it is shown: masked where it is about a person."""
    rule: str


KINDS = {
    "a Buddhist year in a date": Kind("SERVICE", 3, "DATE_SERV", "25690110", "buddhist"),
    "a Buddhist year in a date of birth": Kind("PERSON", 3, "BIRTH", "99999999", "buddhist"),
    "swapped blood pressure": Kind("SERVICE", 4, "SBP", "80", "pressure"),
    "a blank drug code": Kind("DRUG_OPD", 2, "DIDSTD", "", "drug"),
    "a duplicate PERSON": Kind("PERSON", 4, "", "", "duplicate"),
    "an unknown code": Kind("DIAGNOSIS_OPD", 3, "DIAGTYPE", "Z", "code"),
    "a broken citizen id": Kind("PERSON", 5, "CID", "9999999999999", "cid"),
    "a wrong number of columns": Kind("DIAGNOSIS_OPD", 4, "", "99999|9999", "columns"),
}


class Outcome(NamedTuple):
    folder: Path
    told: dict[str, Any]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """One zip with all of them beside sound rows, imported."""
    folder = tmp_path_factory.mktemp("quality")
    files = {
        "PERSON": [
            person(),
            person(pid="0002", CID="", BIRTH="25230315"),
            person(NAME="อีกคน"),
            person(pid="0004", CID=CID_WRONG),
        ],
        "SERVICE": [service(), service("S2", DATE_SERV="25690110"), service("S3", SBP="80", DBP="120")],
        "DRUG_OPD": [DRUG],
        "DIAGNOSIS_OPD": b"".join(write_rows("DIAGNOSIS_OPD", [diagnosis(), diagnosis(code="E119", DIAGTYPE="Z")]))
        + b"99999|0001\r\n",
    }
    zip_of(folder / "in.zip", files)
    done = onecard("import", "f43", "in.zip", "--json", cwd=folder)
    assert done.returncode == 1, done.stderr[-2000:]
    return Outcome(folder, json.loads(done.stdout)["imports"][0])


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_json_summary_names_the_row_the_field_the_masked_value_and_the_reason(outcome: Outcome, kind: Kind) -> None:
    [row] = [each for each in outcome.told["rows"] if (each["file"], each["row"]) == kind[:2]]
    assert (row["field"], row["value"], row["rule"]) == kind[2:]
    assert (row["english"], row["thai"]) == (RULES[kind.rule].english, RULES[kind.rule].thai)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_page_and_the_table_have_it(outcome: Outcome, kind: Kind) -> None:
    page = (outcome.folder / outcome.told["report"]).read_text("utf-8")
    assert f'<td>{kind.file}</td><td class="n">{kind.row}</td><td>{kind.field}</td><td>{kind.value}</td>' in page
    assert RULES[kind.rule].thai in page
    with (outcome.folder / outcome.told["table"]).open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    expected = (kind.file, str(kind.row), kind.field, kind.value, kind.rule, "yes", RULES[kind.rule].english)
    names = ("file", "row", "field", "value", "rule", "refused", "reason")
    assert expected in [tuple(row[name] for name in names) for row in rows]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_row_is_in_the_quarantine(outcome: Outcome, kind: Kind) -> None:
    done = onecard("quarantine", "list", outcome.told["import"], "--json", cwd=outcome.folder)
    [row] = [each for each in json.loads(done.stdout) if (each["file"], each["row"]) == kind[:2]]
    assert row["reasons"] == [f"{kind.file}{'.' if kind.field else ''}{kind.field} {RULES[kind.rule].english}"]


def test_counts_and_plots_tell_the_rows_read_mapped_and_refused(outcome: Outcome) -> None:
    counts = {file: (c["read"], c["mapped"], c["refused"]) for file, c in outcome.told["files"].items()}
    assert counts == {
        "PERSON": (4, 1, 3),
        "SERVICE": (3, 1, 2),
        "DRUG_OPD": (1, 0, 1),
        "DIAGNOSIS_OPD": (3, 1, 2),
    }
    page = (outcome.folder / outcome.told["report"]).read_text("utf-8")
    assert "8 refused" in page
    assert page.count("<svg") == 2
    assert '<td class="n">4</td><td class="n">1</td>' in page


def test_the_summary_for_people_tells_what_is_odd_and_what_names_something_that_is_not_here(tmp_path: Path) -> None:
    zip_of(tmp_path / "in.zip", {"PERSON": [person(NATION="QQQ")], "SERVICE": [service(), service("S2", pid="0009")]})
    done = onecard("import", "f43", "in.zip", cwd=tmp_path)
    [line] = [line for line in done.stdout.splitlines() if "SERVICE" in line]
    assert "2 name what is not here" in line  # a right that no CARD row tells, a person
    assert "1 odd values were taken as they are" in done.stdout


def test_no_value_of_a_person_is_in_what_is_shown(outcome: Outcome) -> None:
    shown = [json.dumps(outcome.told, ensure_ascii=False)]
    shown += [(outcome.folder / outcome.told[name]).read_text("utf-8") for name in ("report", "table")]
    for text in shown:
        for value in (CID_WRONG, "25230315", "อีกคน", "สมมุติ"):
            assert value not in text


def test_every_promised_kind_is_here() -> None:
    assert {kind.rule for kind in KINDS.values()} == {
        *("buddhist", "pressure", "drug", "duplicate", "code", "cid", "columns")
    }
    assert all(kind.field in ("", *LAYOUTS[kind.file].by_name) for kind in KINDS.values())


# --- zips -------------------------------------------------------------------------------------------------------------


def test_a_truncated_zip_is_refused(tmp_path: Path) -> None:
    data = zip_of(tmp_path / "whole.zip", {"PERSON": [person()]}).read_bytes()
    (tmp_path / "cut.zip").write_bytes(data[: len(data) // 2])
    done = onecard("import", "f43", "cut.zip", "--json", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "truncated" in done.stderr


def test_a_zip_with_a_damaged_member_is_told_and_the_others_are_in(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "in.zip", {"PERSON": [person()], "SERVICE": [service()] * 200})
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("F43/SERVICE.txt").header_offset + 60
    data = bytearray(path.read_bytes())
    data[start : start + 20] = bytes(20)
    path.write_bytes(data)
    done = onecard("import", "f43", "in.zip", "--json", cwd=tmp_path)
    [told] = json.loads(done.stdout)["imports"]
    assert (done.returncode, told["files"]["PERSON"]["mapped"]) == (1, 1)
    assert ["SERVICE" in error and "damaged" in error for error in told["errors"]] == [True]
    assert "damaged" in (tmp_path / told["report"]).read_text("utf-8")


def test_a_zip_bomb_is_refused_before_anything_of_it_is_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("PERSON.txt", b"0" * (80 << 20))
    done = onecard("import", "f43", "bomb.zip", "--json", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "300 times its size" in done.stderr
    assert not (tmp_path / "data" / "quarantine").exists()
