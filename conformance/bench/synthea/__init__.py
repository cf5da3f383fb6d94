"""Transaction Bundles like those of Synthea, the generator of synthetic US records that FHIR servers are measured with.

`Synthea(seed).places()` is what all refer to (its hospitals and practitioners), `Synthea(seed).patient(number)` the
record of one patient. Every record is a function of seed and number. What is compared with Synthea: resources a patient
by type (`PER_PATIENT`, of its published sample of 1,171 patients), their sizes (`BYTES`, of its R4 export with US Core
profiles, without white space), the form of the Bundle (POST, urn:uuid within, conditional references to places).
https://github.com/synthetichealth/synthea/wiki/HL7-FHIR
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from random import Random

import orjson

from conformance.bench.synthea import codes
from conformance.bench.synthea.parts import PLACES, PRACTITIONERS, SYNTHEA, VISITS, Place, Resource, name_of, uuid_of
from conformance.bench.synthea.record import Record

PER_PATIENT = {
    "Patient": 1.0,
    "Encounter": VISITS,
    "Observation": 230.0,
    "Condition": 7.2,
    "Procedure": 29.9,
    "MedicationRequest": 36.7,
    "Immunization": 13.2,
    "CarePlan": 3.0,
    "CareTeam": 3.0,
    "AllergyIntolerance": 0.5,
    "Claim": 82.3,
    "ExplanationOfBenefit": VISITS,
    "DiagnosticReport": 54.7,
    "DocumentReference": VISITS,
    "Provenance": 1.0,
}
"""Rows of the sample by patient; BP is one Observation, a claim each for visits and prescriptions, a note a visit."""
RESOURCES_PER_PATIENT = sum(PER_PATIENT.values())
BYTES = {"Patient": 3000, "Encounter": 1600, "Observation": 850, "Claim": 1450, "ExplanationOfBenefit": 3100}
"""Of one resource, about."""
NPI = "http://hl7.org/fhir/sid/us-npi"


def conditional(type: str, number: int) -> str:
    """As Synthea writes it: the server looks it up. https://hl7.org/fhir/R4/http.html#trules"""
    system, value = identifier(type, number)
    return f"{type}?identifier={system}|{value}"


def identifier(type: str, number: int) -> tuple[str, str]:
    return (NPI, f"{9_999_900_000 + number}") if type == "Practitioner" else (SYNTHEA, f"{type.lower()}-{number:05}")


def transaction(resources: Sequence[Resource]) -> bytes:
    """A Bundle of POST entries; the ids of the resources become their fullUrl, identified places are made only once."""
    entries = []
    for resource in resources:
        kind = resource["resourceType"]
        request = {"method": "POST", "url": kind}
        if kind in ("Organization", "Location", "Practitioner"):
            found = resource["identifier"][0]
            request["ifNoneExist"] = f"identifier={found['system']}|{found['value']}"
        entries.append({"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource, "request": request})
    return orjson.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries})


class Synthea:
    """place: how records refer to what `places` makes; `Type/id` where a server resolves no conditional references."""

    def __init__(self, seed: int, place: Place = conditional) -> None:
        self._seed = seed
        self._place = place

    def places(self) -> list[Resource]:
        rng = Random(f"{self._seed}/places")
        found: list[Resource] = []
        for number in range(PLACES):
            name, city = f"PCP{70_000 + number}", rng.choice(codes.CITIES)
            address = {"line": [f"{rng.randrange(1, 999)} Main Street"], "city": city, "state": "MA", "country": "US"}
            for kind, given in (("Organization", [address]), ("Location", address)):
                system, value = identifier(kind, number)
                found.append(
                    {
                        "resourceType": kind,
                        "id": uuid_of(rng),
                        "identifier": [{"system": system, "value": value}],
                        **({"active": True} if kind == "Organization" else {"status": "active"}),
                        "name": name,
                        "telecom": [{"system": "phone", "value": f"617{rng.randrange(10**7):07}"}],
                        "address": given,
                    }
                )
        for number in range(PRACTITIONERS):
            system, value = identifier("Practitioner", number)
            family, given_name = name_of(rng)
            found.append(
                {
                    "resourceType": "Practitioner",
                    "id": uuid_of(rng),
                    "identifier": [{"system": system, "value": value}],
                    "active": True,
                    "name": [{"family": family, "given": [given_name], "prefix": ["Dr."]}],
                    "telecom": [{"system": "email", "value": f"{given_name}.{family}@example.com", "use": "work"}],
                    "gender": rng.choice(("male", "female")),
                }
            )
        return found

    def patient(self, number: int) -> list[Resource]:
        """The record, the Patient first; `id`s are UUIDs, which references name as urn:uuid."""
        return list(Record(Random(f"{self._seed}/{number}"), self._place).resources())

    def resources(self, count: int) -> Iterator[Resource]:
        """Of as many patients as that takes, at least so many resources: whole records."""
        made = 0
        for number in itertools.count():
            record = self.patient(number)
            yield from record
            made += len(record)
            if made >= count:
                return
