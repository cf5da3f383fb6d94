"""The import on the other engine: what depends on commits, conditions and searches of the store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.intake.f43.export import rows_of
from server.intake.f43.rejoin import merge, split
from server.intake.f43.undo import undo
from tests import mongod
from tests.unit.server.intake.importing import Hospital, diagnosis, person, service

pytestmark = pytest.mark.mongo


@pytest.fixture
async def hospital(tmp_path: Path) -> AsyncIterator[Hospital]:
    opened = await Hospital.opened(tmp_path, mongod.fresh_url(mongod.database_of(tmp_path)))
    yield opened
    await opened.ctx.store.close()
    mongod.drop_all(tmp_path)


async def test_in_again_out_and_undone(hospital: Hospital) -> None:
    files = {"PERSON": [person()], "SERVICE": [service("S1"), service("S2")], "DIAGNOSIS_OPD": [diagnosis()]}
    first = await hospital.load(**files)
    assert first.refused == 0, first.refusals
    assert (await hospital.load(**files)).resources == 0
    for file, expected in files.items():
        found = [row async for page in rows_of(hospital.ctx, file, "99999") for row in page]
        assert sorted(found, key=str) == sorted(expected, key=str)
    newer = await hospital.load(SERVICE=[service("S1", CHIEFCOMP="ก", D_UPDATE="20260111080000")])
    assert newer.resources == 1
    assert (await undo(hospital.ctx, newer.import_id)).restored == 1
    assert (await hospital.load(**files)).resources == 0


async def test_citizens_meet_and_part(hospital: Hospital) -> None:
    await hospital.load(PERSON=[person(), person("99998", "77", D_UPDATE="20260201080000")], SERVICE=[service()])
    [shared] = await hospital.all("Patient")
    kept, made = (await split(hospital.ctx, shared["id"])).patients
    assert len(await hospital.all("Patient")) == 2
    await merge(hospital.ctx, made, kept)
    [encounter] = await hospital.all("Encounter")
    assert encounter["subject"]["reference"] == f"Patient/{kept}"
