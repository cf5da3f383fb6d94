"""Whatever an import stores claims its Thai profile and passes it: rows, Patients, Organizations, Provenances."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from fhir_profiles.json_reading import read_json
from fhir_profiles.thai.choice import profile_of
from mappers.population.f43 import f43_rows
from tests.unit.server.intake.importing import Hospital


async def test_everything_an_import_stores_claims_its_profile_and_passes_it(tmp_path: Path) -> None:
    hospital = await Hospital.opened(tmp_path)
    try:
        files: dict[str, list[dict[str, str]]] = {}
        for file, row in f43_rows(4, seed=3):
            files.setdefault(file, []).append(row)
        report = await hospital.load(**files)
        assert report.refused == 0, report.refusals
        seen: Counter[str] = Counter()
        async for version in hospital.ctx.store.changes(0):
            resource = read_json(version.body or b"{}")
            seen[version.type] += 1
            wanted = profile_of(resource)
            assert wanted is None or wanted in resource["meta"]["profile"], version.type
            assert hospital.ctx.validator.validate(resource) == [], version.type
        assert {"Patient", "Organization", "Provenance", "Encounter", "ChargeItem"} <= seen.keys()
    finally:
        await hospital.ctx.store.close()
