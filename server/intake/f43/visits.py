"""Visits that claim rows are about: whose they are, and whether the store knows them from another source already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from fhir_profiles.json_reading import read_json
from mappers.links import Row, local
from mappers.part import row_value
from mappers.rows import LAYOUTS, MAPS
from server.intake.f43.group import Group, Plan, live
from server.intake.f43.jobs import Numbered
from server.intake.f43.run import Run, VisitKey
from server.store.contract import Version

MANY = 100
"""Visits asked for at a time."""

_SYSTEMS = {"AN": "AN", "SEQ": "VN"}


def visit_of(row: Row) -> VisitKey | None:
    """The admission of AN, else the visit of SEQ; None where the row names neither."""
    for column in _SYSTEMS:
        if column in row:
            return row["HOSPCODE"], column, row[column]
    return None


async def only_ours(run: Run, group: Group, file: str, rows: Sequence[Numbered]) -> list[Numbered]:
    """The rows without those of visits that came from the 43 files, a HIS or REST: these are claimed from what they
    say, and would be there twice. They are counted."""
    named = {key for row in rows if (key := visit_of(row.row)) is not None}
    await _look(run, named)
    kept = [row for row in rows if visit_of(row.row) not in run.elsewhere]
    group.answer.of(file).elsewhere += len(rows) - len(kept)
    return kept


async def _look(run: Run, named: Iterable[VisitKey]) -> None:
    """Note in the run which visits are somebody else's."""
    unknown = sorted(set(named) - run.asked)
    for at in range(0, len(unknown), MANY):
        some = unknown[at : at + MANY]
        tokens = ",".join(f"{local(hcode, _SYSTEMS[column])}|{_escaped(number)}" for hcode, column, number in some)
        criteria = [("identifier", tokens), ("_count", str(2 * MANY))]
        hits = await run.ctx.store.search(run.ctx.search.compile("Encounter", criteria).query)
        for hit in hits.hits:
            if not _own(hit.version):
                run.elsewhere.update(_numbers(hit.version))
        run.asked.update(some)


def _escaped(text: str) -> str:
    """https://hl7.org/fhir/R4/search.html#escaping"""
    return "".join(f"\\{each}" if each in "\\,|$" else each for each in text)


def _numbers(encounter: Version) -> list[VisitKey]:
    resource: dict[str, Any] = read_json(encounter.body or b"{}", max_depth=100)
    found = []
    for entry in resource.get("identifier", ()):
        for column, what in _SYSTEMS.items():
            system = str(entry.get("system", ""))
            hcode = system.rpartition("/")[0].rpartition("/")[2]
            if system and system == local(hcode, what):
                found.append((hcode, column, str(entry.get("value", ""))))
    return found


_CLAIMED = frozenset(MAPS[file].system for file in ("OPD", "IPD"))


def _own(encounter: Version) -> bool:
    """Whether the Encounter is that of a claim row."""
    resource = read_json(encounter.body or b"{}", max_depth=100)
    return any(entry.get("system") in _CLAIMED for entry in resource.get("identifier", ()))


async def name_patients(run: Run, plans: Iterable[Plan]) -> None:
    """Rows of an admission that have no HN: their Patient is that of the Encounter with the AN."""
    nameless = [
        (plan, element)
        for plan in plans
        if "HN" not in plan.row.row and "AN" in plan.row.row
        for mapped in plan.mapped
        if (element := mapped.resource.get("subject", {})).get("type") == "Patient"
    ]
    if not nameless:
        return
    ids = [run.ids.of("IPD", row_value(LAYOUTS["IPD"], plan.row.row)) for plan, _ in nameless]
    for (_, element), version in zip(
        nameless, await run.ctx.store.read_many([("Encounter", number) for number in ids]), strict=True
    ):
        if version is not None and live(version):
            subject = read_json(version.body or b"{}", max_depth=100).get("subject", {})
            element.clear()
            element.update(subject)
