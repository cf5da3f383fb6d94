"""One citizen at several facilities: one Patient, several registrations; apart and together again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mappers.citizen_id import check_digit
from server.errors import Unprocessable
from server.intake.f43.export import rows_of
from server.intake.f43.rejoin import merge, split
from tests.unit.server.intake.importing import Hospital, person, service

OTHER = "999804656101" + check_digit("999804656101")


@pytest.fixture
async def hospital(tmp_path: Path) -> AsyncIterator[Hospital]:
    opened = await Hospital.opened(tmp_path)
    yield opened
    await opened.ctx.store.close()


def numbers(patient: dict[str, object]) -> set[str]:
    return {each["value"] for each in patient["identifier"]}  # type: ignore[attr-defined]


async def test_two_facilities_share_one_patient_and_keep_their_own_words(hospital: Hospital) -> None:
    await hospital.load(PERSON=[person(HN="H1")])
    await hospital.load(PERSON=[person("99998", "77", NAME="สมมติ", D_UPDATE="20260201080000")])
    [patient] = await hospital.all("Patient")
    assert {"0001", "77", "H1", "9998046561008"} <= numbers(patient)
    assert patient["name"][0]["given"] == ["สมมติ"]  # the newest plausible D_UPDATE
    [[row]] = [page async for page in rows_of(hospital.ctx, "PERSON", "99999")]
    assert row["NAME"] == "สมมุติ"


async def test_two_facilities_in_one_zip_meet(hospital: Hospital) -> None:
    await hospital.load(PERSON=[person(), person("99998", "77")])
    assert len(await hospital.all("Patient")) == 1
    assert len(await hospital.all("Basic")) == 2


@pytest.mark.parametrize(("change", "reason"), [({"BIRTH": "19800316"}, "birth-date"), ({"SEX": "2"}, "sex")])
async def test_contradictions_stay_apart_and_are_listed_with_both_sources(
    hospital: Hospital, change: dict[str, str], reason: str
) -> None:
    await hospital.load(PERSON=[person()])
    report = await hospital.load(PERSON=[person("99998", "77", **change)])
    assert len(await hospital.all("Patient")) == 2
    [review] = report.reviews
    assert {review.one, review.other} == {"99999/0001", "99998/77"}
    assert review.reasons == (reason,)


async def test_people_without_a_citizen_id_stay_per_facility(hospital: Hospital) -> None:
    await hospital.load(PERSON=[person(CID=""), person("99998", "77", CID="")])
    assert len(await hospital.all("Patient")) == 2


async def test_addresses_and_death_come_into_the_patient_in_its_first_version(hospital: Hospital) -> None:
    address = {
        "HOSPCODE": "99999",
        "PID": "0001",
        "ADDRESSTYPE": "1",
        "HOUSETYPE": "1",
        "HOUSENO": "12",
        "VILLAGE": "01",
    }
    address |= {"TAMBON": "03", "AMPUR": "02", "CHANGWAT": "18", "D_UPDATE": "20260101080000"}
    death = {"HOSPCODE": "99999", "PID": "0001", "DDEATH": "20260301", "CDEATH_A": "I219", "CDEATH": "I219"}
    death |= {"PDEATH": "2", "D_UPDATE": "20260302080000"}
    report = await hospital.load(DEATH=[death], ADDRESS=[address], PERSON=[person()])
    assert report.refused == 0, report.refusals
    [patient] = await hospital.all("Patient")
    assert patient["deceasedDateTime"] == "2026-03-01"
    assert patient["address"]
    assert patient["meta"]["versionId"] == "1"


async def test_split_gives_every_registration_its_patient_and_moves_what_its_facility_wrote(
    hospital: Hospital,
) -> None:
    await hospital.load(PERSON=[person(), person("99998", "77", D_UPDATE="20260201080000")], SERVICE=[service()])
    [shared] = await hospital.all("Patient")
    moved = await split(hospital.ctx, shared["id"])
    assert moved.patients[0] == shared["id"]
    [encounter] = await hospital.all("Encounter")
    # The newer registration keeps the Patient; the visit is of the other facility.
    assert encounter["subject"]["reference"] == f"Patient/{moved.patients[1]}"
    assert {len(numbers(each) & {"0001", "77"}) for each in await hospital.all("Patient")} == {1}
    again = await hospital.load(PERSON=[person(), person("99998", "77", D_UPDATE="20260201080000")])
    assert again.resources == 0
    assert len(await hospital.all("Patient")) == 2


async def test_merge_leaves_a_link_and_split_undoes_it(hospital: Hospital) -> None:
    await hospital.load(PERSON=[person(), person("99998", "77", CID="")], SERVICE=[service()])
    by_pid = {("0001" in numbers(each)): each["id"] for each in await hospital.all("Patient")}
    await merge(hospital.ctx, by_pid[True], by_pid[False])
    patients = {each["id"]: each for each in await hospital.all("Patient")}
    old, new = patients[by_pid[True]], patients[by_pid[False]]
    assert old["active"] is False
    assert old["link"][-1] == {"other": {"reference": f"Patient/{new['id']}"}, "type": "replaced-by"}
    assert {"0001", "77"} <= numbers(new)
    [encounter] = await hospital.all("Encounter")
    assert encounter["subject"]["reference"] == f"Patient/{new['id']}"
    assert (await split(hospital.ctx, new["id"])).resources >= 1


async def test_two_citizens_cannot_be_merged(hospital: Hospital) -> None:
    await hospital.load(PERSON=[person(), person("99998", "77", CID=OTHER, BIRTH="19900101")])
    one, other = [each["id"] for each in await hospital.all("Patient")]
    for pair in ((one, other), (one, one)):
        with pytest.raises(Unprocessable):
            await merge(hospital.ctx, *pair)


async def test_a_corrected_citizen_id_reaches_the_patient(hospital: Hospital) -> None:
    await hospital.load(PERSON=[person()])
    report = await hospital.load(PERSON=[person(CID=OTHER, D_UPDATE="20260201080000")])
    assert report.refused == 0, report.refusals
    [patient] = await hospital.all("Patient")
    assert OTHER in numbers(patient)


async def test_a_citizen_id_that_no_longer_fits_a_shared_patient_is_refused(hospital: Hospital) -> None:
    await hospital.load(PERSON=[person(), person("99998", "77")])
    before = await hospital.state()
    report = await hospital.load(PERSON=[person("99998", "77", CID=OTHER, D_UPDATE="20260201080000")])
    assert report.files["PERSON"].refused == 1
    assert "identifier:cid" in report.refusals[0].english
    assert len(hospital.quarantined(report)) == 1
    assert await hospital.state() == before
