"""Two published CRUD workloads: the mix of one benchmark, the round of 36 requests of another.

Mix: every call draws create 10 %, read 60 %, update 25 % (read, then put, timed together), delete 5 %, and a type:
Observation 50, Patient 20, Condition 15, Encounter 10, MedicationRequest 5. Round: create nine types that refer to each
other, read, update and delete them again, one after the other.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import orjson

from conformance.bench.data import Pools
from conformance.bench.load import Answer, Call, Script, Target
from conformance.bench.synthea import Synthea
from conformance.bench.synthea.parts import Resource, concept

VERBS = {"create": 10, "read": 60, "update": 25, "delete": 5}
TYPES = {"Observation": 50, "Patient": 20, "Condition": 15, "Encounter": 10, "MedicationRequest": 5}
NOW = "2026-01-01T10:00:00+07:00"


def location(answer: Answer) -> str:
    """`Type/id` of what a create made; empty if it made nothing.   Reads the Location header."""
    head = answer.data[: answer.data.find(b"\r\n\r\n") + 2]
    at = head.lower().find(b"\r\nlocation:")
    if at < 0:
        return ""
    parts = head[at + 11 : head.find(b"\r\n", at + 2)].decode().strip().split("/")
    if "_history" in parts:
        parts = parts[: parts.index("_history")]
    return "/".join(parts[-2:])


# ---------------------------------------------------------------- the mix


class Mix:
    """Scripts of the mix, which share what they created."""

    def __init__(self, target: Target, pools: Pools, seed: int = 12) -> None:
        self._target = target
        self._pools = pools
        self._random = Random(seed)
        self._created: dict[str, deque[str]] = defaultdict(deque)

    def script(self) -> Script:
        draw = self._random
        verbs, types = (tuple(VERBS), tuple(VERBS.values())), (tuple(TYPES), tuple(TYPES.values()))
        while True:
            [verb], [kind] = draw.choices(*verbs), draw.choices(*types)
            yield from getattr(self, "_" + verb)(kind)

    def _create(self, kind: str) -> Script:
        body = orjson.dumps(small(kind, self._random, self._pools.ids["Patient"]))
        answer = yield Call(self._target.request("POST", f"/{kind}", body), "create")
        if made := location(answer):
            self._created[kind].append(made)

    def _read(self, kind: str) -> Script:
        yield Call(self._target.request("GET", f"/{kind}/{self._random.choice(self._pools.ids[kind])}"), "read")

    def _update(self, kind: str) -> Script:
        path = f"/{kind}/{self._random.choice(self._pools.ids[kind])}"
        answer = yield Call(self._target.request("GET", path), "update", leads=True)
        if answer.status != 200 or not answer.body.startswith(b"{"):
            return
        resource = orjson.loads(answer.body)
        resource.pop("text", None)
        resource.setdefault("meta", {})["tag"] = [
            {"system": "http://example.org/bench", "code": str(self._random.random())}
        ]
        yield Call(self._target.request("PUT", path, orjson.dumps(resource)), "update")

    def _delete(self, kind: str) -> Script:
        if not self._created[kind]:
            yield from self._read("Patient")
            return
        # 404 or 410: another client was faster.
        yield Call(self._target.request("DELETE", f"/{self._created[kind].popleft()}"), "delete", expected=(404, 410))


def small(kind: str, rng: Random, patients: list[str]) -> Resource:
    """A resource as small as its type allows: what the mix creates."""
    subject = {"reference": f"Patient/{rng.choice(patients)}"}
    made: dict[str, Resource] = {
        "Patient": {
            "name": [{"family": f"Bench{rng.getrandbits(40)}", "given": ["Ann"]}],
            "gender": "female",
            "birthDate": "1990-01-01",
        },
        "Observation": {
            "status": "final",
            "code": concept("http://loinc.org", "8310-5", "Body temperature"),
            "subject": subject,
            "effectiveDateTime": NOW,
            "valueQuantity": {"value": 37.0, "unit": "Cel", "system": "http://unitsofmeasure.org", "code": "Cel"},
        },
        "Condition": {
            "clinicalStatus": concept("http://terminology.hl7.org/CodeSystem/condition-clinical", "active", "Active"),
            "verificationStatus": concept(
                "http://terminology.hl7.org/CodeSystem/condition-ver-status", "confirmed", "Confirmed"
            ),
            "code": concept("http://snomed.info/sct", "38341003", "Hypertensive disorder"),
            "subject": subject,
        },
        "Encounter": {
            "status": "finished",
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
            "subject": subject,
            "period": {"start": "2026-01-01T09:00:00+07:00", "end": NOW},
        },
        "MedicationRequest": {
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": concept("http://www.nlm.nih.gov/research/umls/rxnorm", "314076", "lisinopril"),
            "subject": subject,
            "authoredOn": NOW,
        },
    }
    return {"resourceType": kind, **made[kind]}


# ---------------------------------------------------------------- the round

ROUND = (
    "Patient",
    "Location",
    "Organization",
    "Practitioner",
    "Encounter",
    "Observation",
    "MedicationRequest",
    "Claim",
    "ExplanationOfBenefit",
)
_CHANGES: dict[str, dict[str, Any]] = {
    "Patient": {"gender": "unknown"},
    "Location": {"name": "Changed place"},
    "Organization": {"name": "Changed organization"},
    "Practitioner": {"gender": "unknown"},
    "Encounter": {"status": "cancelled"},
    "Observation": {"issued": "2026-01-01T10:00:00.000+07:00"},
    "MedicationRequest": {"status": "completed"},
    "Claim": {"created": "2026-01-01"},
    "ExplanationOfBenefit": {"created": "2026-01-01"},
}


def rounds(target: Target, seed: int = 14) -> Callable[[], Script]:
    """Scripts of 36 requests over and over; labels are `POST Patient` and so on."""
    templates = dict(_templates(Synthea(seed)))

    def script() -> Script:
        while True:
            ids: dict[str, str] = {}
            bodies: dict[str, Resource] = {}
            for kind in ROUND:
                bodies[kind] = _linked(templates[kind], ids)
                answer = yield Call(target.request("POST", f"/{kind}", orjson.dumps(bodies[kind])), f"POST {kind}")
                ids[kind] = location(answer) or f"{kind}/none"
            for kind in ROUND:
                yield Call(target.request("GET", f"/{ids[kind]}"), f"GET {kind}")
            for kind in ROUND:
                body = {**bodies[kind], **_CHANGES[kind], "id": ids[kind].partition("/")[2]}
                yield Call(target.request("PUT", f"/{ids[kind]}", orjson.dumps(body)), f"PUT {kind}")
            for kind in reversed(ROUND):
                yield Call(target.request("DELETE", f"/{ids[kind]}"), f"DELETE {kind}")

    return script


def _templates(synthea: Synthea) -> Iterator[tuple[str, Resource]]:
    """One resource of each type of the round, without id."""
    wanted = set(ROUND)
    for resource in (*synthea.places(), *synthea.patient(0)):
        kind = resource["resourceType"]
        if kind in wanted and not (kind == "Claim" and "prescription" not in resource):
            wanted.discard(kind)
            # Without identifier: copies of places would make the references of records ambiguous.
            yield kind, {name: value for name, value in resource.items() if name not in ("id", "identifier")}


def _linked(template: Resource, ids: dict[str, str]) -> Resource:
    """With the references of the published scripts to what was made before; all others are left out."""

    def ref(kind: str) -> dict[str, str]:
        return {"reference": ids[kind]}

    kind = template["resourceType"]
    made = dict(template)
    if kind == "Encounter":
        made["subject"], made["location"] = ref("Patient"), [{"location": ref("Location")}]
        made["participant"], made["serviceProvider"] = [{"individual": ref("Practitioner")}], ref("Organization")
    elif kind == "Observation":
        made["subject"], made["encounter"] = ref("Patient"), ref("Encounter")
    elif kind == "MedicationRequest":
        made |= {"subject": ref("Patient"), "encounter": ref("Encounter"), "requester": ref("Practitioner")}
    elif kind in ("Claim", "ExplanationOfBenefit"):
        made["item"] = [{**template["item"][0], "encounter": [ref("Encounter")]}]
        made |= {"patient": ref("Patient"), "provider": ref("Organization")}
        made.pop("diagnosis", None)
        made.pop("facility", None)
        if kind == "Claim":
            made["prescription"] = ref("MedicationRequest")
        else:
            made |= {"claim": ref("Claim"), "careTeam": [{**template["careTeam"][0], "provider": ref("Practitioner")}]}
            request, coverage = template["contained"]
            made["contained"] = [
                {
                    **request,
                    "subject": ref("Patient"),
                    "requester": ref("Practitioner"),
                    "performer": [ref("Practitioner")],
                },
                {**coverage, "beneficiary": ref("Patient")},
            ]
    return made
