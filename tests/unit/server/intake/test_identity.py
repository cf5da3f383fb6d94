"""What the project promises about identity, a sentence a test, through real imports into a store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mappers.citizen_id import check_digit
from server.config import SettingRefused, load
from server.errors import NotFound, Unprocessable
from server.intake.f43 import review
from server.intake.f43.export import rows_of
from server.intake.f43.rejoin import merge, split
from server.intake.f43.undo import undo
from tests.unit.server.intake.importing import Hospital, person, service

CID = "9998046561008"
MADE_UP = "099998000001" + check_digit("099998000001")


@pytest.fixture
async def hospital(tmp_path: Path) -> AsyncIterator[Hospital]:
    opened = await Hospital.opened(tmp_path)
    yield opened
    await opened.ctx.store.close()


def configured(hospital: Hospital, **settings: Any) -> Hospital:
    """The same store under other settings."""
    return Hospital(hospital.folder, replace(hospital.ctx, settings=replace(hospital.ctx.settings, **settings)))


async def patients(hospital: Hospital) -> list[dict[str, Any]]:
    return [each for each in await hospital.all("Patient") if each["active"]]


async def test_a_citizen_is_one_patient_across_facilities_with_each_facilitys_numbers(hospital: Hospital) -> None:
    await hospital.load(PERSON=[person(HN="11"), person("99998", "77", HN="22")])
    [patient] = await patients(hospital)
    found = {(each["system"].rpartition("/")[2], each["value"]) for each in patient["identifier"]}
    assert found >= {("PID", "0001"), ("HN", "11"), ("PID", "77"), ("HN", "22"), ("th-cid", CID)}


async def test_a_number_on_the_list_of_dummies_brings_nobody_together(hospital: Hospital) -> None:
    await configured(hospital, cid_dummies=(CID,)).load(PERSON=[person(), person("99998", "77")])
    assert len(await patients(hospital)) == 2
    assert await review.pairs(hospital.ctx) == []


async def test_a_number_that_a_facility_issued_brings_nobody_together(hospital: Hospital) -> None:
    rows = [person("99998", "1", CID=MADE_UP), person("99998", "2", CID=MADE_UP)]
    await hospital.load(PERSON=rows)
    assert len(await patients(hospital)) == 2


async def test_which_prefixes_are_a_facilitys_is_a_setting(hospital: Hospital) -> None:
    other = configured(hospital, cid_facility_prefixes=("9998",))
    await other.load(PERSON=[person(), person("99998", "77")])
    assert len(await patients(hospital)) == 2


async def test_a_wrong_check_digit_brings_nobody_together_and_is_refused(hospital: Hospital) -> None:
    report = await hospital.load(PERSON=[person(CID="9998046561009")])
    assert [each.rule for each in report.refusals] == ["cid"]
    assert await patients(hospital) == []


@pytest.mark.parametrize(("more", "reason"), [({"BIRTH": "19810315"}, "birth-date"), ({"SEX": "2"}, "sex")])
async def test_registrations_that_contradict_stay_apart_and_are_listed_with_both_sources(
    hospital: Hospital, more: dict[str, str], reason: str
) -> None:
    await hospital.load(PERSON=[person(), person("99998", "77", **more)])
    assert len(await patients(hospital)) == 2
    [pair] = await review.pairs(hospital.ctx)
    assert set(pair.sources) == {"99999/0001", "99998/77"}
    assert pair.reasons == (reason,)
    assert set(pair.patients) == {each["id"] for each in await patients(hospital)}
    # The same pair again is one entry, and changes nothing.
    await hospital.load(PERSON=[person(), person("99998", "77", **more)])
    assert await review.pairs(hospital.ctx) == [pair]


async def test_a_birth_date_contradicts_to_its_precision_only(hospital: Hospital) -> None:
    await hospital.load(PERSON=[person(BIRTH="19800000"), person("99998", "77")])
    [patient] = await patients(hospital)
    assert patient["birthDate"] == "1980-03-15"


async def test_somebody_decides_that_two_are_different_persons(hospital: Hospital) -> None:
    rows = [person(), person("99998", "77", SEX="2")]
    await hospital.load(PERSON=rows)
    [pair] = await review.pairs(hospital.ctx)
    await review.keep_apart(hospital.ctx, pair.id)
    assert await review.pairs(hospital.ctx) == []
    [decided] = await review.pairs(hospital.ctx, decided=True)
    assert (decided.id, decided.decided) == (pair.id, "kept apart")
    await hospital.load(PERSON=[rows[0], rows[1] | {"D_UPDATE": "20260301080000", "NAME": "อื่น"}])
    assert await review.pairs(hospital.ctx) == []
    with pytest.raises(Unprocessable):
        await review.keep_apart(hospital.ctx, pair.id)
    with pytest.raises(NotFound):
        await review.keep_apart(hospital.ctx, "unknown")


async def test_somebody_decides_that_two_are_one_person_and_split_undoes_it(hospital: Hospital) -> None:
    await hospital.load(PERSON=[person(), person("99998", "77", BIRTH="19810315")], SERVICE=[service()])
    [pair] = await review.pairs(hospital.ctx)
    await merge(hospital.ctx, *pair.patients)
    assert await review.settle(hospital.ctx, set(pair.patients), review.MERGED) == 1
    assert await review.pairs(hospital.ctx) == []
    [together] = await patients(hospital)
    moved = await split(hospital.ctx, together["id"])
    assert len(moved.patients) == 2
    assert len(await patients(hospital)) == 2


async def test_a_meeting_is_undone_by_split_and_later_imports_follow(hospital: Hospital) -> None:
    rows = [person(), person("99998", "77")]
    await hospital.load(PERSON=rows)
    [shared] = await patients(hospital)
    await split(hospital.ctx, shared["id"])
    await hospital.load(PERSON=[rows[0], rows[1] | {"D_UPDATE": "20260301080000", "LNAME": "ใหม่"}])
    assert sorted(each["name"][0]["family"] for each in await patients(hospital)) == ["ตัวอย่าง", "ใหม่"]


async def test_a_registration_is_written_by_its_own_facility_only(hospital: Hospital) -> None:
    """`export f43` reads the registration, so what came in goes out equal."""
    own = person(LNAME="เดิม")
    await hospital.load(PERSON=[own])
    await hospital.load(PERSON=[person("99998", "77", LNAME="ใหม่", D_UPDATE="20260301080000")])
    [patient] = await patients(hospital)
    assert patient["name"][0]["family"] == "ใหม่"
    assert [row async for rows in rows_of(hospital.ctx, "PERSON", "99999") for row in rows] == [own]


async def test_the_newest_plausible_d_update_wins_and_an_older_one_changes_nothing_and_is_counted(
    hospital: Hospital,
) -> None:
    await hospital.load(PERSON=[person(LNAME="ใหม่", D_UPDATE="20260301080000")])
    report = await hospital.load(PERSON=[person(LNAME="เก่า", D_UPDATE="20260101080000")])
    assert (report.files["PERSON"].older, report.resources) == (1, 0)
    [patient] = await patients(hospital)
    assert patient["name"][0]["family"] == "ใหม่"


async def test_a_d_update_in_the_future_or_of_the_buddhist_era_never_wins(hospital: Hospital) -> None:
    await hospital.load(PERSON=[person(LNAME="เดิม")])
    future = await hospital.load(PERSON=[person(LNAME="อนาคต", D_UPDATE="20300101080000")])
    assert future.files["PERSON"].older == 1
    buddhist = await hospital.load(PERSON=[person(LNAME="พุทธ", D_UPDATE="25690101080000")])
    assert [each.rule for each in buddhist.refusals] == ["buddhist"]
    await hospital.load(PERSON=[person("99998", "77", LNAME="อนาคต", D_UPDATE="20300101080000")])
    [patient] = await patients(hospital)
    assert patient["name"][0]["family"] == "เดิม"


async def test_death_comes_from_death_rows_only(hospital: Hospital) -> None:
    await hospital.load(PERSON=[person(DISCHARGE="1", DDISCHARGE="20260105")])
    [patient] = await patients(hospital)
    assert not [name for name in patient if name.startswith("deceased")]


async def test_people_without_a_number_stay_per_facility_until_they_are_merged(hospital: Hospital) -> None:
    await hospital.load(PERSON=[person(CID=""), person("99998", "77", CID="")])
    one, other = await patients(hospital)
    await merge(hospital.ctx, one["id"], other["id"])
    [left] = [each for each in await hospital.all("Patient") if not each["active"]]
    assert left["link"][-1]["type"] == "replaced-by"


async def test_a_whole_import_is_undone_with_its_list(hospital: Hospital) -> None:
    await hospital.load(PERSON=[person()])
    report = await hospital.load(PERSON=[person("99998", "77", SEX="2")])
    assert len(await review.pairs(hospital.ctx)) == 1
    assert (await undo(hospital.ctx, report.import_id)).kept == []
    assert await review.pairs(hospital.ctx) == []
    assert len(await patients(hospital)) == 1


async def test_ids_are_found_again_and_no_number_of_a_person_is_in_them(hospital: Hospital) -> None:
    await hospital.load(PERSON=[person(HN="11")], SERVICE=[service()])
    before = set(await hospital.state())
    report = await hospital.load(PERSON=[person(HN="11")], SERVICE=[service()])
    assert (report.resources, set(await hospital.state())) == (0, before)
    assert not [number for _, number in before if CID in number or number == "0001"]


def test_wrong_rules_are_refused_with_the_reason() -> None:
    for flag, text in (("cid_dummies", "123"), ("cid_facility_prefixes", "x"), ("identity_precedence", "oldest")):
        with pytest.raises(SettingRefused):
            load({flag: [text]})
