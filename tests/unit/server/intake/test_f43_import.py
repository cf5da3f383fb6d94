"""Rows of the 43 files into a real store: what is written, what is not, what is refused."""

from __future__ import annotations

import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mappers.f43.files import write_rows
from server.intake.documents import SourceError
from server.intake.f43.export import export_f43, rows_of
from server.intake.f43.sources import open_source
from server.intake.f43.undo import undo
from server.intake.records import RECORD
from server.intake.retry import quarantine_file, unpack
from server.intake.writing import IMPORTER
from server.messages import FhirRequest
from server.operations.meta import meta_add
from tests.unit.server.intake.importing import Hospital, diagnosis, person, service, zip_of


@pytest.fixture
async def hospital(tmp_path: Path) -> AsyncIterator[Hospital]:
    opened = await Hospital.opened(tmp_path)
    yield opened
    await opened.ctx.store.close()


# --- what is written ---


async def test_rows_become_linked_resources(hospital: Hospital) -> None:
    report = await hospital.load(DIAGNOSIS_OPD=[diagnosis()], SERVICE=[service()], PERSON=[person()])
    assert report.refused == 0, report.refusals
    [patient] = await hospital.all("Patient")
    [encounter] = await hospital.all("Encounter")
    [condition] = await hospital.all("Condition")
    [registration] = await hospital.all("Basic")
    [organization] = await hospital.all("Organization")
    for resource in (encounter, condition, registration):
        assert resource["subject"]["reference"] == f"Patient/{patient['id']}"
    assert condition["encounter"]["reference"] == f"Encounter/{encounter['id']}"
    assert encounter["serviceProvider"]["reference"] == f"Organization/{organization['id']}"
    assert "9998046561008" not in encounter["id"] + patient["id"] + registration["id"]


async def test_meta_source_names_import_facility_and_file_and_keeps_the_profiles(hospital: Hospital) -> None:
    report = await hospital.load(PERSON=[person()], SERVICE=[service()])
    [pulse] = await hospital.all("Observation", ("code", "8867-4"))
    assert pulse["meta"]["source"].endswith(f"/{report.import_id}/99999/SERVICE")
    assert pulse["meta"]["profile"]


async def test_one_provenance_names_every_version_of_a_group_with_its_row(hospital: Hospital) -> None:
    await hospital.load(PERSON=[person()], SERVICE=[service("S1"), service("S2")])
    [provenance] = [
        each for each in await hospital.all("Provenance") if each["meta"]["source"].endswith("/99999/SERVICE")
    ]
    encounters = {f"Encounter/{each['id']}/_history/1" for each in await hospital.all("Encounter")}
    named = {each["reference"]: each["display"] for each in provenance["target"]}
    assert encounters < named.keys()
    assert {named[each] for each in encounters} == {"SERVICE 99999/0001/S1", "SERVICE 99999/0001/S2"}


async def test_the_same_zip_twice_changes_nothing(hospital: Hospital) -> None:
    files = {"PERSON": [person()], "SERVICE": [service()], "DIAGNOSIS_OPD": [diagnosis()]}
    first = await hospital.load(**files)
    before = await hospital.state()
    provenances = len(await hospital.all("Provenance"))
    second = await hospital.load(**files)
    assert first.resources > 5
    assert second.resources == 0
    assert {counts.unchanged for counts in second.files.values()} == {1}
    assert await hospital.state() == before
    assert len(await hospital.all("Provenance")) == provenances


async def test_a_changed_row_makes_one_new_version_of_what_it_changes(hospital: Hospital) -> None:
    await hospital.load(PERSON=[person()], SERVICE=[service()])
    before = await hospital.state()
    report = await hospital.load(PERSON=[person()], SERVICE=[service(CHIEFCOMP="ปวดศีรษะ", D_UPDATE="20260111080000")])
    after = await hospital.state()
    changed = {key for key in after if before.get(key) != after[key]}
    assert {kind for kind, _ in changed} == {"Encounter"}
    assert [after[key].version for key in changed] == [2]
    assert report.files["SERVICE"].mapped == 1
    assert report.files["PERSON"].unchanged == 1


async def test_a_changed_row_leaves_the_tags_and_security_labels_that_others_added(hospital: Hospital) -> None:
    await hospital.load(PERSON=[person()], SERVICE=[service()])
    [encounter] = await hospital.all("Encounter")
    restricted = [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}]
    labels = {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": {"security": restricted}}]}
    request = FhirRequest("POST", ("Encounter", encounter["id"], "$meta-add"), [], {}, "", IMPORTER, resource=labels)
    assert (await meta_add(hospital.ctx, request)).status == 200
    await hospital.load(PERSON=[person()], SERVICE=[service(CHIEFCOMP="ปวดศีรษะ", D_UPDATE="20260111080000")])
    [encounter] = await hospital.all("Encounter")
    assert (encounter["meta"]["versionId"], encounter["meta"]["security"]) == ("2", restricted)


async def test_what_a_changed_row_no_longer_says_is_deleted(hospital: Hospital) -> None:
    await hospital.load(PERSON=[person()], SERVICE=[service()])
    without = {name: text for name, text in service(D_UPDATE="20260111080000").items() if name != "PR"}
    await hospital.load(SERVICE=[without])
    assert await hospital.all("Observation", ("code", "8867-4")) == []
    assert len(await hospital.all("Observation", ("code", "85354-9"))) == 1


@pytest.mark.parametrize("stamp", ["20260105080000", "25690120080000", "20990101080000"])
async def test_an_older_or_implausible_d_update_changes_nothing_and_is_counted(hospital: Hospital, stamp: str) -> None:
    await hospital.load(PERSON=[person()], SERVICE=[service()])
    before = await hospital.state()
    report = await hospital.load(SERVICE=[service(CHIEFCOMP="ใหม่", D_UPDATE=stamp)])
    assert await hospital.state() == before
    counts = report.files["SERVICE"]
    assert counts.older + counts.refused == 1
    assert counts.mapped == 0


async def test_rows_of_a_referral_are_about_the_patient_of_the_referral(hospital: Hospital) -> None:
    care = {"HOSPCODE": "99999", "REFERID": "R1", "CARETYPE": "3", "D_UPDATE": "20260110093000"}
    referral = {"HOSPCODE": "99999", "REFERID": "R1", "PID": "0001", "SEQ": "S1", "DATETIME_SERV": "20260110091500"}
    referral |= {"DATETIME_REFER": "20260110100000", "HOSP_DESTINATION": "99998", "DIAGLAST": "J00", "PSTATUS": "ดี"}
    referral |= {"PTYPE": "1", "EMERGENCY": "5", "CAUSEOUT": "1", "D_UPDATE": "20260110093000"}
    early = await hospital.load(PERSON=[person()], CARE_REFER=[care])
    assert (early.refused, early.files["CARE_REFER"].unresolved) == (0, 1)
    report = await hospital.load(SERVICE=[service()], REFER_HISTORY=[referral], CARE_REFER=[care])
    assert (report.refused, report.files["CARE_REFER"].mapped) == (0, 1)
    [patient], [procedure] = await hospital.all("Patient"), await hospital.all("Procedure")
    assert procedure["subject"]["reference"] == f"Patient/{patient['id']}"
    assert len(await hospital.all("Procedure", ("patient", f"Patient/{patient['id']}"))) == 1
    again = await hospital.load(SERVICE=[service()], REFER_HISTORY=[referral], CARE_REFER=[care])
    assert again.resources == 0
    assert [row async for page in rows_of(hospital.ctx, "CARE_REFER", "99999") for row in page] == [care]


async def test_what_refers_to_something_missing_is_linked_when_that_came(hospital: Hospital) -> None:
    first = await hospital.load(DIAGNOSIS_OPD=[diagnosis()])
    [condition] = await hospital.all("Condition")
    assert first.files["DIAGNOSIS_OPD"].unresolved == 1
    assert condition["subject"]["identifier"]["value"] == "0001"
    assert "reference" not in condition["subject"]
    await hospital.load(PERSON=[person()], SERVICE=[service()], DIAGNOSIS_OPD=[diagnosis()])
    [condition] = await hospital.all("Condition")
    assert condition["subject"]["reference"].startswith("Patient/")
    assert condition["encounter"]["reference"].startswith("Encounter/")


async def test_an_interrupted_import_goes_on(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zip_of(
        hospital.folder / "x.zip", {"PERSON": [person()], "SERVICE": [service()], "DIAGNOSIS_OPD": [diagnosis()]}
    )
    commit = hospital.ctx.store.commit
    commits = 0

    async def dies(commit_: object) -> object:
        nonlocal commits
        commits += 1
        if commits == 3:
            raise KeyboardInterrupt
        return await commit(commit_)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(hospital.ctx.store, "commit", dies)
        with pytest.raises(KeyboardInterrupt):
            await hospital.load_path(path)
    assert await hospital.all("Condition") == []
    report = await hospital.load_path(path)
    assert report.resumed
    assert len(await hospital.all("Condition")) == 1
    assert {each["meta"]["versionId"] for each in await hospital.all("Encounter")} == {"1"}
    assert await hospital.ctx.store.get_setting(RECORD + report.import_id) is not None


# --- how files come ---


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp874"])
@pytest.mark.parametrize("header", [True, False])
async def test_every_encoding_and_header_reads_the_same(hospital: Hospital, encoding: str, header: bool) -> None:
    data = b"".join(write_rows("PERSON", [person()], header=header)).decode().encode(encoding)
    await hospital.load(PERSON=data)
    [patient] = await hospital.all("Patient")
    assert patient["name"][0]["given"] == ["สมมุติ"]


async def test_swapped_columns_with_a_header_are_read_by_their_names(hospital: Hospital) -> None:
    columns = sorted(person())
    text = "|".join(columns) + "\n" + "|".join(person()[name] for name in columns) + "\n"
    # Without HOSPCODE in front the first line is no header: it has to begin with it.
    columns.remove("HOSPCODE")
    columns.insert(0, "HOSPCODE")
    text = "|".join(columns) + "\n" + "|".join(person()[name] for name in columns) + "\n"
    report = await hospital.load(PERSON=text.encode())
    assert report.refused == 0, report.refusals
    assert len(await hospital.all("Patient")) == 1


async def test_a_wrong_number_of_columns_is_set_aside_and_the_rest_goes_in(hospital: Hospital) -> None:
    good = b"".join(write_rows("SERVICE", [service("S1"), service("S2")]))
    report = await hospital.load(PERSON=[person()], SERVICE=good + b"99999|0001|S3\r\n")
    assert report.files["SERVICE"].refused == 1
    assert len(await hospital.all("Encounter")) == 2
    [kept] = hospital.quarantined(report)
    assert (kept["source"], kept["document"]) == ("SERVICE", 4)
    assert kept["data"].endswith("99999|0001|S3")


async def test_the_same_row_twice_counts_once_and_is_told(hospital: Hospital) -> None:
    report = await hospital.load(PERSON=[person(), person(), person(NAME="อีกคน")])
    counts = report.files["PERSON"]
    assert (counts.read, counts.mapped, counts.unchanged, counts.refused) == (3, 1, 1, 1)
    assert report.rules == {("PERSON", "", "repeated"): 1, ("PERSON", "", "duplicate"): 1}
    assert (report.warnings, [each["document"] for each in hospital.quarantined(report)]) == (1, [4])


async def test_a_duplicate_that_is_tried_again_does_not_win_and_keeps_its_line(hospital: Hospital) -> None:
    report = await hospital.load(PERSON=[person(), person(pid="0002", CID=""), person(NAME="อีกคน")])
    for attempt in range(2):
        folder = hospital.folder / f"again{attempt}"
        folder.mkdir()
        rows = unpack(quarantine_file(hospital.folder / "quarantine", report.import_id), folder)
        assert rows is not None
        report = await hospital.load_source(rows)
        assert [(each.file, each.row, each.rule) for each in report.refusals] == [("PERSON", 4, "duplicate")]
        assert [each["document"] for each in hospital.quarantined(report)] == [4]
    names = {each["name"][0]["given"][0] for each in await hospital.all("Patient")}
    assert names == {"สมมุติ"}


async def test_folders_are_read_like_zips(hospital: Hospital) -> None:
    folder = hospital.folder / "f43"
    folder.mkdir()
    (folder / "person.TXT").write_bytes(b"".join(write_rows("PERSON", [person()])))
    (folder / "notes.docx").write_bytes(b"no")
    report = await hospital.load_path(folder)
    assert report.ignored == ("notes.docx",)
    assert len(await hospital.all("Patient")) == 1


def test_a_truncated_zip_is_refused_in_plain_words(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "x.zip", {"PERSON": [person()]})
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(SourceError, match="truncated"):
        open_source(path)


def test_a_zip_that_swells_is_refused(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "x.zip", {"PERSON": b"\n" * (70 * 1024 * 1024)})
    with pytest.raises(SourceError, match="300 times"):
        open_source(path)


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "x.zip", {"PERSON": [person()]})
    data = bytearray(path.read_bytes())
    central = data.index(b"PK\x01\x02")
    data[central + 8] |= 1
    path.write_bytes(bytes(data))
    with pytest.raises(SourceError, match="password"):
        open_source(path)


async def test_of_a_damaged_file_the_beginning_is_read_and_the_damage_told(hospital: Hospital) -> None:
    path = hospital.folder / "x.zip"
    rows = [person(pid=f"{number:04}", CID="") for number in range(50)]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("PERSON.txt", b"".join(write_rows("PERSON", rows)))
    data = bytearray(path.read_bytes())
    data[-200] ^= 1  # within the file's bytes or its directory: the checksum no longer fits
    data[2000] ^= 1
    path.write_bytes(bytes(data))
    report = await hospital.load_path(path)
    assert report.errors
    assert report.refused >= 1


# --- what is refused ---


@pytest.mark.parametrize(
    ("row", "field", "rule"),
    [
        (service(DATE_SERV="25690110"), "DATE_SERV", "buddhist"),
        (service(SBP="82", DBP="128"), "SBP", "pressure"),
        (service(HOSPCODE="12"), "HOSPCODE", "facility"),
    ],
)
async def test_bad_rows_name_file_row_field_and_reason(
    hospital: Hospital, row: dict[str, str], field: str, rule: str
) -> None:
    report = await hospital.load(PERSON=[person()], SERVICE=[service("S0"), row])
    told = [each for each in report.as_json()["rows"] if each["field"] == field]
    assert [(each["file"], each["row"], each["rule"]) for each in told] == [("SERVICE", 3, rule)]
    assert told[0]["thai"]
    assert told[0]["english"]
    assert len(await hospital.all("Encounter")) == 1


async def test_a_broken_citizen_id_is_refused_and_never_shown(hospital: Hospital) -> None:
    report = await hospital.load(PERSON=[person(CID="9998046561009")])
    [told] = report.as_json()["rows"]
    assert (told["field"], told["value"]) == ("CID", "9999999999999")
    for path in (report.html, report.csv):
        assert path is not None
        assert "9998046561009" not in Path(path).read_text("utf-8")
        assert Path(path).stat().st_mode & 0o077 == 0


async def test_a_second_row_with_the_same_key_and_other_words_is_refused(hospital: Hospital) -> None:
    report = await hospital.load(PERSON=[person(), person(NAME="อื่น"), person()])
    counts = report.files["PERSON"]
    assert (counts.read, counts.mapped, counts.refused, counts.unchanged) == (3, 1, 1, 1)
    assert [each.rule for each in report.refusals] == ["duplicate"]


# --- out again ---


async def test_what_came_in_goes_out_equal(hospital: Hospital) -> None:
    rows = {"PERSON": [person(HN="H7"), person(pid="0002", CID="", SEX="2")], "SERVICE": [service()]}
    await hospital.load(**rows)
    for file, expected in rows.items():
        found = [row async for page in rows_of(hospital.ctx, file, "99999") for row in page]
        assert sorted(found, key=str) == sorted(expected, key=str)


async def test_export_writes_one_facility(hospital: Hospital) -> None:
    await hospital.load(PERSON=[person(), person("99998", "7", NAME="อื่น")])
    counts = await export_f43(hospital.ctx, "99998", hospital.folder / "out.zip")
    assert counts == {"PERSON": 1}
    with zipfile.ZipFile(hospital.folder / "out.zip") as archive:
        text = archive.read("F43_99998/PERSON.txt").decode()
    assert "อื่น" in text
    assert "สมมุติ" not in text


# --- undo ---


async def test_an_undone_import_leaves_nothing(hospital: Hospital) -> None:
    report = await hospital.load(PERSON=[person()], SERVICE=[service()], DIAGNOSIS_OPD=[diagnosis()])
    undone = await undo(hospital.ctx, report.import_id)
    assert undone.kept == []
    assert undone.deleted == report.resources + 1  # and the Organization
    assert set((await hospital.ctx.store.info()).counts) <= {"Provenance"}


async def test_undo_gives_back_the_version_before_and_spares_what_was_changed_since(hospital: Hospital) -> None:
    await hospital.load(PERSON=[person()], SERVICE=[service("S1"), service("S2")])
    newer = {"D_UPDATE": "20260111080000"}
    second = await hospital.load(SERVICE=[service("S1", CHIEFCOMP="ก", **newer), service("S2", CHIEFCOMP="ข", **newer)])
    third = await hospital.load(SERVICE=[service("S2", CHIEFCOMP="ค", D_UPDATE="20260112080000")])
    undone = await undo(hospital.ctx, second.import_id)
    assert (undone.restored, len(undone.kept)) == (1, 1)
    texts = sorted(each["reasonCode"][0]["text"] for each in await hospital.all("Encounter") if "reasonCode" in each)
    assert texts == ["ค"]
    assert (await undo(hospital.ctx, third.import_id)).restored == 1


async def test_imports_are_undone_one_after_the_other_the_later_first(hospital: Hospital) -> None:
    first = await hospital.load(PERSON=[person()], SERVICE=[service()])
    changed = [service(PR="90", D_UPDATE="20260111093000")]
    second = await hospital.load(PERSON=[person("99998", "77")], SERVICE=changed)
    early = await undo(hospital.ctx, first.import_id)
    assert early.kept  # what the second import wrote since, and what that refers to
    assert len(set(early.kept)) == len(early.kept)
    assert (await undo(hospital.ctx, second.import_id)).kept == []
    assert (await undo(hospital.ctx, first.import_id)).kept == []
    assert set((await hospital.ctx.store.info()).counts) <= {"Provenance"}


async def test_an_undone_import_can_be_imported_again(hospital: Hospital) -> None:
    files = {"PERSON": [person()], "SERVICE": [service()]}
    report = await hospital.load(**files)
    await undo(hospital.ctx, report.import_id)
    again = await hospital.load(**files)
    assert again.refused == 0
    assert len(await hospital.all("Patient")) == 1
    [encounter] = await hospital.all("Encounter")
    assert encounter["meta"]["versionId"] == "3"


async def test_undo_of_something_unknown_is_refused(hospital: Hospital) -> None:
    with pytest.raises(SourceError):
        await undo(hospital.ctx, "f43-20260101-000000-000000")
