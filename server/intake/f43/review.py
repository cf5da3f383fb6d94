"""Pairs of registrations with one citizen id that were not taken for one person: kept as Tasks until somebody decides.

A pair has one Task, whichever import finds it and however often. It names both registrations by their facility's
number; which Patients they have now is looked up, so that the list stays true. https://hl7.org/fhir/R4/task.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fhir_profiles.canonical import CANONICAL
from fhir_profiles.json_reading import read_json
from mappers.id_card.reads import HOLDERS
from mappers.links import Resource, identifier, local
from server.context import Context
from server.errors import NotFound, Unprocessable
from server.intake.f43.decided import store_all
from server.intake.f43.group import Group, live, source_of
from server.intake.f43.jobs import Review
from server.intake.f43.keys import IDS_KEY, Ids, PersonKey
from server.intake.f43.registrations import patient_of
from server.intake.f43.run import Run
from server.intake.pages_of_store import pages
from server.store.contract import Version, instant

PAIR = f"{CANONICAL}/review"
"""Identifier system of the Tasks: both sources in their order."""
_CODE = {"coding": [{"system": f"{CANONICAL}/CodeSystem/task", "code": "identity-review"}], "text": "ตรวจสอบตัวบุคคล"}
_REGISTRATION = {"text": "registration"}
_REASON = {"text": "reason"}

KEPT_APART, MERGED, SPLIT = "kept apart", "merged", "split"


@dataclass(frozen=True, slots=True)
class Pair:
    """One entry of the list."""

    id: str
    """Of the Task."""
    sources: tuple[str, str]
    """Facility and PID of both registrations."""
    patients: tuple[str, str]
    """Ids of the Patients that they have now, "" where one is gone."""
    reasons: tuple[str, ...]
    decided: str
    """"" while it is open."""

    def as_json(self) -> dict[str, Any]:
        sides = [
            {"source": source, "patient": patient} for source, patient in zip(self.sources, self.patients, strict=True)
        ]
        return {"id": self.id, "registrations": sides, "reasons": list(self.reasons), "decided": self.decided}


# --- kept by an import ------------------------------------------------------------------------------------------------


async def keep(run: Run, group: Group) -> None:
    """Add a Task for every pair that this group found, unless it is known with the same reasons."""
    found: dict[str, Review] = {}
    for each in group.answer.reviews:
        one, other = sorted((each.one, each.other))
        found[f"{one} {other}"] = Review(one, other, each.reasons)
    ids = {pair: run.ids.of("review", pair) for pair in found}
    stored = await run.ctx.store.read_many([("Task", number) for number in ids.values()]) if ids else ()
    for (pair, number), version in zip(ids.items(), stored, strict=True):
        task = _task(pair, found[pair], instant(run.ctx.clock()))
        if version is not None and live(version) and _reasons(_read(version)) == found[pair].reasons:
            continue
        source = source_of(run.import_id, found[pair].one.partition("/")[0], "PERSON")
        if prepared := run.prepare(task, number, version, source):
            group.put(prepared, version, f"review {pair}")


def _task(pair: str, found: Review, now: str) -> Resource:
    inputs: list[Resource] = [
        {"type": _REGISTRATION, "valueIdentifier": _number(source)} for source in (found.one, found.other)
    ]
    inputs += [{"type": _REASON, "valueString": reason} for reason in found.reasons]
    return {
        "resourceType": "Task",
        "identifier": [{"system": PAIR, "value": pair}],
        "status": "requested",
        "intent": "proposal",
        "code": _CODE,
        "description": "One citizen id, and what contradicts / เลขประจำตัวเดียวกันแต่ข้อมูลขัดแย้งกัน",
        "authoredOn": now,
        "input": inputs,
    }


def _number(source: str) -> dict[str, Any]:
    """`99999/0001` as the PID of a facility, `99999/HN 7` as its HN, `99999/CARD ...` as the holder of a card."""
    key = key_of(source)
    if key.kind == "HOLDER":
        return identifier(HOLDERS, f"{key.hcode}/{key.number}")
    return identifier(local(key.hcode, key.kind), key.number)


def key_of(source: str) -> PersonKey:
    hcode, _, number = source.partition("/")
    for word, kind in _WORDS.items():
        if number.startswith(word):
            return PersonKey(hcode, number.removeprefix(word), kind)
    return PersonKey(hcode, number)


_WORDS = {"HN ": "HN", "CARD ": "HOLDER"}
"""Before numbers that are no PID (`Registration.source`), and what they are."""


def _read(version: Version) -> Resource:
    return read_json(version.body or b"{}", max_depth=100)


def _reasons(task: Resource) -> tuple[str, ...]:
    return tuple(each["valueString"] for each in task.get("input", ()) if "valueString" in each)


# --- shown and decided ------------------------------------------------------------------------------------------------


async def pairs(ctx: Context, *, decided: bool = False) -> list[Pair]:
    """The pairs that nobody has decided about, or all, oldest first."""
    secret = await ctx.store.get_setting(IDS_KEY)
    if secret is None:
        return []
    criteria = [("identifier", f"{PAIR}|"), *([] if decided else [("status", "requested")])]
    found: list[Pair] = []
    async for hits in pages(ctx.store, ctx.search.compile("Task", criteria).query):
        found += [await _pair(ctx, Ids(secret), _read(hit.version)) for hit in hits.hits]
    return found


async def _pair(ctx: Context, ids: Ids, task: Resource) -> Pair:
    numbers = [each["valueIdentifier"] for each in task["input"] if "valueIdentifier" in each]
    sources = [_source(each) for each in numbers]
    versions = await ctx.store.read_many([("Basic", ids.person(key_of(source))) for source in sources])
    one, other = (patient_of(version) if version is not None else "" for version in versions)
    said = "".join(each.get("valueString", "") for each in task.get("output", ()))
    return Pair(str(task["id"]), (sources[0], sources[1]), (one, other), _reasons(task), said)


def _source(number: dict[str, str]) -> str:
    if number["system"] == HOLDERS:
        hcode, _, holder = number["value"].partition("/")
        return f"{hcode}/CARD {holder}"
    *_, hcode, kind = number["system"].split("/")
    return f"{hcode}/{'HN ' if kind == 'HN' else ''}{number['value']}"


async def keep_apart(ctx: Context, task: str) -> None:
    """Somebody decided that the two are different persons. Raises: NotFound, Unprocessable (decided before)."""
    version = await ctx.store.read("Task", task)
    resource = _read(version) if version is not None and live(version) else {}
    if not any(each.get("system") == PAIR for each in resource.get("identifier", ())):
        raise NotFound(f"{task[:64]} is no entry of the list / ไม่พบรายการนี้")
    if resource["status"] != "requested":
        raise Unprocessable("Somebody has decided about it before / ตัดสินไปแล้ว")
    await _decide(ctx, [resource], KEPT_APART)


async def settle(ctx: Context, patients: set[str], how: str) -> int:
    """Close the open entries whose registrations both have one of these Patients: they were merged or split."""
    among = [each for each in await pairs(ctx) if set(each.patients) <= patients]
    versions = await ctx.store.read_many([("Task", each.id) for each in among]) if among else ()
    await _decide(ctx, [_read(version) for version in versions if version is not None], how)
    return len(among)


async def _decide(ctx: Context, tasks: list[Resource], how: str) -> None:
    for task in tasks:
        task["status"] = "completed"
        task["lastModified"] = instant(ctx.clock())
        task["output"] = [{"type": {"text": "decision"}, "valueString": how}]
    if tasks:
        await store_all(ctx, [(task, str(task["id"])) for task in tasks], f"identity: {how}")
