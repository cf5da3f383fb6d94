"""What is loaded and what is asked: from the one generator of synthetic people, the same for every server."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import orjson

from mappers.population import resources

SEED = 20261124
RESOURCES_PER_PERSON = 330
"""Of the generator, roughly; what is loaded is counted, not assumed."""


@dataclass(slots=True)
class Pools:
    """Values that exist in the data, to ask for."""

    ids: dict[str, list[str]] = field(default_factory=dict)
    """Logical ids by type."""
    codes: list[str] = field(default_factory=list)
    """`system|code` of Observations."""
    condition_codes: list[str] = field(default_factory=list)
    families: list[str] = field(default_factory=list)
    identifiers: list[str] = field(default_factory=list)
    dates: list[str] = field(default_factory=list)


def transactions(people: int, pools: Pools, *, entries: int = 100) -> Iterator[bytes]:
    """Transaction bundles of PUT entries that load the whole population; fills the pools on the way."""
    flat = (noted(resource, pools) for resource in resources(people, SEED))
    while group := list(itertools.islice(flat, entries)):
        yield transaction(group)


def transaction(group: list[dict[str, Any]]) -> bytes:
    """PUT entries, for resources that have an id; else POST."""
    return orjson.dumps(
        {"resourceType": "Bundle", "type": "transaction", "entry": [_entry(resource) for resource in group]}
    )


def _entry(resource: dict[str, Any]) -> dict[str, Any]:
    kind = resource["resourceType"]
    if "id" in resource:
        return {"resource": resource, "request": {"method": "PUT", "url": f"{kind}/{resource['id']}"}}
    return {"resource": resource, "request": {"method": "POST", "url": kind}}


def noted(resource: dict[str, Any], pools: Pools) -> dict[str, Any]:
    kind = resource["resourceType"]
    pools.ids.setdefault(kind, []).append(resource["id"])
    if kind == "Patient":
        pools.families += [name["family"] for name in resource.get("name", []) if "family" in name][:1]
        identifier = resource["identifier"][0]
        pools.identifiers.append(f"{identifier['system']}|{identifier['value']}")
    elif kind == "Observation" and len(pools.codes) < 5000:
        coding = resource["code"]["coding"][0]
        pools.codes.append(f"{coding['system']}|{coding['code']}")
        pools.dates.append(str(resource.get("effectiveDateTime", "2026-01-01"))[:10])
    elif kind == "Condition" and len(pools.condition_codes) < 5000:
        coding = resource["code"]["coding"][0]
        pools.condition_codes.append(f"{coding['system']}|{coding['code']}")
    return resource


class Bodies:
    """New resources for creates and updates: real ones of the generator, their ids taken off."""

    def __init__(self, pools: Pools, seed: int = 7) -> None:
        self._random = random.Random(seed)
        self._patients = pools.ids["Patient"]
        found = [r for r in itertools.islice(resources(40, SEED), 8000) if r["resourceType"] in _CREATED]
        self._templates = [{k: v for k, v in r.items() if k != "id"} for r in found]

    def resource(self) -> dict[str, Any]:
        made = dict(self._random.choice(self._templates))
        reference = {"reference": "Patient/" + self._random.choice(self._patients)}
        made["subject"] = reference
        made.pop("encounter", None)
        return made

    def observation(self) -> dict[str, Any]:
        while (made := self.resource())["resourceType"] != "Observation":
            pass
        return made


_CREATED = ("Observation", "Condition", "MedicationRequest")

Choose = Callable[[], str]


def searches(pools: Pools, seed: int = 11) -> dict[str, Choose]:
    """Search shapes by name, each a function that gives the next path below the base."""
    pick = random.Random(seed).choice

    def shape(path: str, **values: list[str]) -> Choose:
        def fill() -> str:
            return path.format(**{name: quote(pick(pool), safe="") for name, pool in values.items()})

        return fill

    patients = pools.ids["Patient"]
    return {
        "by identifier": shape("/Patient?identifier={identifier}", identifier=pools.identifiers),
        "by patient": shape("/Observation?patient=Patient/{patient}&_count=10", patient=patients),
        "patient and code": shape(
            "/Observation?patient=Patient/{patient}&code={code}&_count=10", patient=patients, code=pools.codes
        ),
        "patient and code, newest first": shape(
            "/Observation?patient=Patient/{patient}&code={code}&_sort=-date&_count=10",
            patient=patients,
            code=pools.codes,
        ),
        "by code": shape("/Observation?code={code}&_count=10", code=pools.codes),
        "code, newest first": shape("/Observation?code={code}&_sort=-date&_count=10", code=pools.codes),
        "condition code": shape("/Condition?code={code}&_count=10", code=pools.condition_codes),
        "by date": shape("/Observation?date=ge{date}&_count=10", date=pools.dates),
        "family name": shape("/Patient?family={family}&_count=10", family=pools.families),
        "encounters of a patient": shape("/Encounter?patient=Patient/{patient}&_count=10", patient=patients),
        "chained name": shape("/Condition?patient.family={family}&_count=10", family=pools.families),
        "reverse chain": shape("/Patient?_has:Condition:patient:code={code}&_count=10", code=pools.condition_codes),
        "with include": shape(
            "/Encounter?patient=Patient/{patient}&_include=Encounter:patient&_count=10", patient=patients
        ),
        "exact total by code": shape("/Observation?code={code}&_total=accurate&_count=1", code=pools.codes),
        "everything": shape("/Patient/{patient}/$everything?_count=200", patient=patients),
    }
