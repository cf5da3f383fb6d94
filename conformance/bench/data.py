"""What is loaded and what is asked: from the one generator of synthetic people, the same for every server."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import quote

import orjson

from mappers.population import resources

SEED = 20261124
RESOURCES_PER_PERSON = 330
"""Of the generator, roughly; what is loaded is counted, not assumed."""


KEPT = 5_000
"""Values of a pool at the most: a fair sample of what was loaded."""


class Pool(list[str]):
    """A fair sample of the values it was offered: each is in it with the same probability (reservoir sampling)."""

    def __init__(self, seed: int = 1) -> None:
        super().__init__()
        self._random = Random(seed)
        self._offered = 0

    def offer(self, value: str) -> None:
        self._offered += 1
        if len(self) < KEPT:
            self.append(value)
        elif (place := self._random.randrange(self._offered)) < KEPT:
            self[place] = value


@dataclass(slots=True)
class Pools:
    """Values that exist in the data, to ask for."""

    ids: defaultdict[str, Pool] = field(default_factory=lambda: defaultdict(Pool))
    """Logical ids by type."""
    codes: Pool = field(default_factory=Pool)
    """`system|code` of Observations."""
    condition_codes: Pool = field(default_factory=Pool)
    procedure_codes: Pool = field(default_factory=Pool)
    families: Pool = field(default_factory=Pool)
    identifiers: Pool = field(default_factory=Pool)
    dates: Pool = field(default_factory=Pool)
    counts: Counter[str] = field(default_factory=Counter)
    """Resources by type that were loaded."""


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
    pools.counts[kind] += 1
    pools.ids[kind].offer(resource["id"])
    if kind == "Patient":
        pools.families.offer(resource["name"][0]["family"])
        identifier = resource["identifier"][0]
        pools.identifiers.offer(f"{identifier['system']}|{identifier['value']}")
    elif kind == "Observation":
        pools.codes.offer(_code(resource))
        pools.dates.offer(str(resource.get("effectiveDateTime", "2026-01-01"))[:10])
    elif kind == "Condition":
        pools.condition_codes.offer(_code(resource))
    elif kind == "Procedure":
        pools.procedure_codes.offer(_code(resource))
    return resource


def _code(resource: dict[str, Any]) -> str:
    coding = resource["code"]["coding"][0]
    return f"{coding['system']}|{coding['code']}"


class Bodies:
    """New resources of 1 to 2 KB for creates and updates, of the patients that are there.

    templates: real ones of a generator; their ids and what would refer to nothing are taken off.
    """

    def __init__(self, pools: Pools, seed: int = 7, templates: Iterable[dict[str, Any]] | None = None) -> None:
        self._random = Random(seed)
        self._patients = pools.ids["Patient"]
        found = itertools.islice(resources(40, SEED), 8000) if templates is None else templates
        self._templates = [
            {k: v for k, v in r.items() if k not in _LEFT_OUT} for r in found if r["resourceType"] in _CREATED
        ]
        self._observations = [r for r in self._templates if r["resourceType"] == "Observation"]

    def resource(self) -> dict[str, Any]:
        return self._made(self._templates)

    def observation(self) -> dict[str, Any]:
        return self._made(self._observations)

    def _made(self, templates: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            **self._random.choice(templates),
            "subject": {"reference": "Patient/" + self._random.choice(self._patients)},
        }


_CREATED = ("Observation", "Condition", "MedicationRequest")
_LEFT_OUT = ("id", "encounter", "requester", "performer", "recorder", "asserter")

Choose = Callable[[], str]


def searches(pools: Pools, seed: int = 11) -> dict[str, Choose]:
    """Search shapes by name, each a function that gives the next path below the base."""
    pick = Random(seed).choice

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
    }
