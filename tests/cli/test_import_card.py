"""`onecard import card`: reads of citizens' cards into the store, under the rules of identity of every import."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mappers.f43.files import write_rows
from tests.cli.serving import onecard
from tests.unit.server.intake.importing import person

CID = "9998046561008"
CARD = {
    "cid": CID,
    "name_thai": "นาย#สมชาย##ทดสอบ",
    "name_english": "Mr.#Somchai##Thotsop",
    "birth": "25230315",
    "sex": "1",
    "address": "99/1#หมู่ที่ 3####ตำบลศิลาดาน#อำเภอมโนรมย์#จังหวัดชัยนาท",
    "issued": "25650101",
    "expires": "25740314",
    "photo": "/9j/4AAQ",
    "read_at": "2025-06-01T09:15:00+07:00",
}
"""Read before the PERSON row of `registered` was written."""


@pytest.fixture
def registered(tmp_path: Path) -> Path:
    """A folder with a store in which a facility has registered the holder."""
    (tmp_path / "PERSON.txt").write_bytes(b"".join(write_rows("PERSON", [person("99998", "77", HN="22")])))
    assert onecard("import", "f43", "PERSON.txt", cwd=tmp_path).returncode == 0
    return tmp_path


def told(folder: Path, *arguments: str, code: int = 0, given: str | None = None) -> Any:
    done = onecard(*arguments, "--json", cwd=folder, told=given)
    assert done.returncode == code, done.stderr[-2000:]
    return json.loads(done.stdout)


def read(folder: Path, *cards: dict[str, Any], code: int = 0, more: tuple[str, ...] = ()) -> dict[str, Any]:
    """The report of an import of these reads."""
    lines = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in cards)
    [report] = told(folder, "import", "card", "-", "--hcode", "99999", *more, code=code, given=lines)["imports"]
    return dict(report)


def resources(folder: Path, kind: str) -> list[dict[str, Any]]:
    assert onecard("export", "fhir", "out.ndjson", "--type", kind, cwd=folder).returncode == 0
    return [json.loads(line) for line in (folder / "out.ndjson").read_text("utf-8").splitlines()]


def name(patient: dict[str, Any]) -> str:
    return str(patient["name"][0]["text"])


def test_the_holder_is_the_patient_whom_a_facility_registered_and_the_card_is_believed_first(registered: Path) -> None:
    [before] = resources(registered, "Patient")
    report = read(registered, CARD)
    assert report["files"]["CARDREAD"] | {"read": 1, "mapped": 1, "refused": 0} == report["files"]["CARDREAD"]
    [patient] = resources(registered, "Patient")
    assert (patient["id"], name(patient)) == (before["id"], "นายสมชาย ทดสอบ")
    assert patient["photo"] == [{"contentType": "image/jpeg", "data": "/9j/4AAQ"}]
    found = {(each["system"].rpartition("/")[2], each["value"]) for each in patient["identifier"]}
    assert found == {("PID", "77"), ("HN", "22"), ("th-cid", CID)}
    # What the facility itself wrote is as it was.
    assert onecard("export", "f43", "--facility", "99998", "out.zip", cwd=registered).returncode == 0
    assert resources(registered, "Patient") == [patient]
    assert onecard("validate", "out.ndjson", cwd=registered).returncode == 0


def test_whom_to_believe_is_a_setting(registered: Path) -> None:
    read(registered, CARD, more=("--identity-precedence", "newest,card"))
    [patient] = resources(registered, "Patient")
    assert name(patient) == "นายสมมุติ ตัวอย่าง"


def test_a_holder_whom_nobody_knows_is_a_new_patient_and_a_later_registration_meets_it(tmp_path: Path) -> None:
    read(tmp_path, CARD)
    [card] = resources(tmp_path, "Patient")
    (tmp_path / "PERSON.txt").write_bytes(b"".join(write_rows("PERSON", [person("99998", "77")])))
    assert onecard("import", "f43", "PERSON.txt", cwd=tmp_path).returncode == 0
    [patient] = resources(tmp_path, "Patient")
    assert (patient["id"], name(patient)) == (card["id"], "นายสมชาย ทดสอบ")
    moved = told(tmp_path, "identity", "split", card["id"])
    assert len(moved["patients"]) == 2
    names = {each["id"]: name(each) for each in resources(tmp_path, "Patient")}
    assert names[card["id"]] == "นายสมชาย ทดสอบ"
    assert set(names.values()) == {"นายสมชาย ทดสอบ", "นายสมมุติ ตัวอย่าง"}


def died(folder: Path) -> list[Any]:
    """What the Patients say of a death, in the order of the store."""
    return [each.get("deceasedDateTime", each.get("deceasedBoolean")) for each in resources(folder, "Patient")]


def test_death_comes_from_the_card_office_and_only_the_office_takes_it_back(registered: Path) -> None:
    report = read(registered, CARD | {"death": "25690228"})
    assert report["files"]["CARDREAD"]["mapped"] == 1
    assert died(registered) == ["2026-02-28"]
    # A read of the card knows nothing of a death, and a DEATH row is believed less.
    read(registered, CARD | {"read_at": "2026-03-05T09:00:00+07:00"})
    row = {"HOSPCODE": "99998", "PID": "77", "DDEATH": "20260301", "CDEATH_A": "I219", "CDEATH": "I219"}
    row |= {"PDEATH": "2", "D_UPDATE": "20260310080000"}
    (registered / "DEATH.txt").write_bytes(b"".join(write_rows("DEATH", [row])))
    assert onecard("import", "f43", "DEATH.txt", cwd=registered).returncode == 0
    assert died(registered) == ["2026-02-28"]
    assert onecard("validate", "out.ndjson", cwd=registered).returncode == 0
    # The office was wrong: the DEATH row is left; an import that is taken back brings its word back.
    report = read(registered, CARD | {"death": "-", "read_at": "2026-04-01T09:00:00+07:00"})
    assert died(registered) == ["2026-03-01"]
    told(registered, "import", "undo", report["import"])
    assert died(registered) == ["2026-02-28"]
    assert CID not in json.dumps(resources(registered, "Provenance"))


def test_a_death_that_the_office_knows_no_day_of(registered: Path) -> None:
    read(registered, CARD | {"death": "00000000"})
    assert died(registered) == [True]
    assert read(registered, CARD | {"death": "2026-03-01"}, code=1)["rows"][0]["rule"] == "card-date"
    assert died(registered) == [True]


def test_reading_twice_changes_nothing_an_older_read_neither_and_a_newer_one_counts(tmp_path: Path) -> None:
    later = CARD | {"name_thai": "นาย#สมชัย##ทดสอบ", "read_at": "2025-07-01T09:15:00+07:00"}
    assert read(tmp_path, CARD)["resources"] == 2
    assert read(tmp_path, CARD)["files"]["CARDREAD"]["unchanged"] == 1
    both = read(tmp_path, later, CARD)["files"]["CARDREAD"]
    assert (both["read"], both["older"], both["mapped"], both["resources"]) == (2, 1, 1, 2)
    assert read(tmp_path, CARD)["files"]["CARDREAD"]["older"] == 1
    ahead = read(tmp_path, CARD | {"read_at": "2099-01-01T00:00:00+07:00"})["files"]["CARDREAD"]
    assert (ahead["older"], ahead["resources"]) == (1, 0)
    [patient] = resources(tmp_path, "Patient")
    assert (name(patient), patient["meta"]["versionId"]) == ("นายสมชัย ทดสอบ", "2")


def test_what_contradicts_stays_apart_and_is_listed_for_review(registered: Path) -> None:
    report = read(registered, CARD | {"sex": "2"})
    assert [each["reasons"] for each in report["review"]] == [["sex"]]
    assert len(resources(registered, "Patient")) == 2
    [pair] = told(registered, "identity", "review")
    sources = sorted(each["source"] for each in pair["registrations"])
    assert (sources[0], sources[1][:11]) == ("99998/77", "99999/CARD ")
    assert CID not in json.dumps(pair)
    patients = {each["id"] for each in resources(registered, "Patient")}
    assert {each["patient"] for each in pair["registrations"]} == patients
    told(registered, "identity", "keep-apart", pair["id"])
    assert told(registered, "identity", "review") == []


def test_an_import_of_cards_is_taken_back(registered: Path) -> None:
    [before] = resources(registered, "Patient")
    report = read(registered, CARD)
    provenances = [each for each in resources(registered, "Provenance") if report["import"] in each["meta"]["source"]]
    assert len(provenances) == 1
    assert {each["display"][:9] for each in provenances[0]["target"]} == {"CARDREAD ", "- 99999"}
    assert CID not in json.dumps(provenances)
    undone = told(registered, "import", "undo", report["import"])
    assert (undone["deleted"], undone["restored"], undone["kept"]) == (2, 1, [])
    [patient] = resources(registered, "Patient")
    assert {**patient, "meta": 0} == {**before, "meta": 0}
    assert read(registered, CARD)["resources"] > 0


def test_what_is_refused_is_kept_and_tried_again(tmp_path: Path) -> None:
    report = read(tmp_path, CARD, CARD | {"cid": CID[:-1] + "1"}, code=1)
    assert [(row["file"], row["row"], row["field"], row["value"], row["rule"]) for row in report["rows"]] == [
        ("CARDREAD", 2, "CID", "9999999999999", "cid")
    ]
    assert "เลขประจำตัวประชาชนไม่ถูกต้อง" in report["rows"][0]["thai"]
    [kept] = told(tmp_path, "quarantine", "list")
    assert kept["files"] == {"CARDREAD": 1}
    again = told(tmp_path, "quarantine", "retry", report["import"], code=1)
    assert (again["import"][:5], again["files"]["CARDREAD"]["refused"]) == ("card-", 1)
    assert onecard("quarantine", "purge", again["import"], cwd=tmp_path).returncode == 0
    assert told(tmp_path, "quarantine", "list") == []
    assert CID[:-1] not in Path(report["report"]).name


def test_one_json_value_over_several_lines_is_taken_too(tmp_path: Path) -> None:
    other = CARD | {"cid": "9990000000014"}
    for text in (json.dumps(CARD, indent=2), json.dumps([CARD, other], ensure_ascii=False)):
        (tmp_path / "cards.json").write_text(text, "utf-8")
        assert onecard("import", "card", "cards.json", "--hcode", "99999", cwd=tmp_path).returncode == 0
    assert len(resources(tmp_path, "Patient")) == 2


@pytest.mark.parametrize(
    ("text", "hcode", "why"),
    [
        ("", "99999", "no card is in it"),
        (json.dumps(CARD), "9999", "5 digits or 9 characters"),
    ],
)
def test_what_cannot_be_begun(tmp_path: Path, text: str, hcode: str, why: str) -> None:
    done = onecard("import", "card", "-", "--hcode", hcode, cwd=tmp_path, told=text)
    assert (done.returncode, done.stdout) == (2, "")
    assert why in done.stderr
    assert onecard("import", "card", "none.json", "--hcode", "99999", cwd=tmp_path).returncode == 2
