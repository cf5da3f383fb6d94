"""The synthetic population as plain R4 resources: no profile claimed, LOINC, ICD-10, UCUM and the Thai lists as codes.

`bundles`: one transaction Bundle a person (https://hl7.org/fhir/R4/http.html#transaction) with urn:uuid references,
after one Bundle with what they share. `resources`: the same as single resources with ids and literal references.
Resources of one visit share parts (subject, encounter, performer): serialise or copy them before changing one in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from random import Random
from typing import Any

from mappers.population.fhir_person import of_person
from mappers.population.fhir_places import Resource, places
from mappers.population.fhir_visit import of_visit
from mappers.population.life import UNTIL, people
from mappers.population.model import Person

Naming = Callable[[str], tuple[str, str]]
"""Resource type to (id, what others write in `reference`)."""


def bundles(count: int, seed: int, *, years: int = 5, until: date = UNTIL) -> Iterator[dict[str, Any]]:
    """Transaction Bundles: first the facilities, staff and villages (PUT with ids), then one Bundle a person (POST).

    In a person's Bundle the references within are urn:uuid, those to the shared resources are literal.
    """
    yield _bundle([_entry(f"{r['resourceType']}/{r['id']}", r, put=True) for r in places()])
    for person in people(count, seed, years=years, until=until):
        naming = _Uuids(Random(f"{seed}/bundle/{person.number}"), literal=False)  # noqa: S311 - test data
        entries = []
        for identity, resource in of_one(person, naming):
            entries.append(_entry(f"urn:uuid:{identity}", resource, put=False))
        yield _bundle(entries)


def resources(count: int, seed: int, *, years: int = 5, until: date = UNTIL) -> Iterator[Resource]:
    """Single resources with ids and literal references; whatever is referred to comes before who refers to it."""
    yield from places()
    for person in people(count, seed, years=years, until=until):
        naming = _Uuids(Random(f"{seed}/bundle/{person.number}"), literal=True)  # noqa: S311 - test data
        for identity, resource in of_one(person, naming):
            # `id` stands second, where readers expect it.
            yield {"resourceType": resource.pop("resourceType"), "id": identity, **resource}


def of_one(person: Person, name: Naming) -> Iterator[tuple[str, Resource]]:
    """(id, resource without id) of everything known about a person."""
    subject = yield from of_person(person, name)
    for visit in person.visits:
        yield from of_visit(person, subject, visit, name)


class _Uuids:
    """Names new resources with random UUIDs of one generator, so that a seed always gives the same."""

    def __init__(self, rng: Random, *, literal: bool) -> None:
        self._rng = rng
        self._literal = literal

    def __call__(self, resource_type: str) -> tuple[str, str]:
        digits = f"{self._rng.getrandbits(128):032x}"
        # Version 4, variant 10 (RFC 9562).
        identity = f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
        return identity, f"{resource_type}/{identity}" if self._literal else f"urn:uuid:{identity}"


def _entry(full_url: str, resource: Resource, *, put: bool) -> dict[str, Any]:
    kind = resource["resourceType"]
    if put:
        request = {"method": "PUT", "url": f"{kind}/{resource['id']}"}
        return {"fullUrl": f"https://example.org/fhir/{full_url}", "resource": resource, "request": request}
    return {"fullUrl": full_url, "resource": resource, "request": {"method": "POST", "url": kind}}


def _bundle(entries: list[dict[str, Any]]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}
