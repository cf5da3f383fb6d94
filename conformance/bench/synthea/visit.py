"""One Encounter and what belongs to it: findings, prescriptions, notes and bills."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any, Protocol

from conformance.bench.synthea import codes
from conformance.bench.synthea.parts import (
    LOINC,
    PLACES,
    PRACTITIONERS,
    SNOMED,
    SYNTHEA,
    TERMINOLOGY,
    US_CORE,
    VISITS,
    Place,
    Resource,
    concept,
    drawn,
    instant,
    moment,
    quantity,
    several,
    uuid_of,
)


class Record(Protocol):
    """What a visit needs to know of the patient."""

    @property
    def subject(self) -> dict[str, str]: ...

    @property
    def named_subject(self) -> dict[str, str]: ...

    @property
    def payer(self) -> str: ...

    @property
    def conditions(self) -> list[tuple[str, dict[str, Any]]]:
        """(id, code) of those found so far; a visit adds to them."""


class Visit:
    """One Encounter and what belongs to it."""

    def __init__(self, record: Record, rng: Random, place: Place, start: datetime) -> None:
        self._record = record
        self._rng = rng
        self._id = uuid_of(rng)
        self._encounter = {"reference": f"urn:uuid:{self._id}"}
        self._when = moment(start)
        self._period = {"start": self._when, "end": moment(start + timedelta(minutes=15))}
        self._issued = instant(start)
        number = rng.randrange(PLACES)
        name = {"display": f"PCP{70_000 + number}"}
        self._organization = {"reference": place("Organization", number), **name}
        self._location = {"reference": place("Location", number), **name}
        self._practitioner = {
            "reference": place("Practitioner", rng.randrange(PRACTITIONERS)),
            "display": f"Dr. {rng.choice(codes.GIVEN)} {rng.choice(codes.FAMILIES)}",
        }
        code, display, self._class = drawn(rng, codes.ENCOUNTERS)
        self._reason = concept(SNOMED, code, display)

    def resources(self) -> Iterator[Resource]:
        chance = self._rng.random
        yield self._encounter_itself()
        if chance() < 7.2 / VISITS:
            yield self._condition()
        if chance() < 0.5 / VISITS:
            yield self._allergy()
        if chance() < 0.45:
            yield from self._vitals()
        if chance() < 0.25:
            yield from self._panel()
        for _ in range(several(self._rng, 29.9 / VISITS)):
            yield self._procedure()
        for _ in range(several(self._rng, 36.7 / VISITS)):
            yield from self._prescription()
        if chance() < 13.2 / VISITS:
            yield self._immunization()
        if chance() < 3.0 / VISITS:
            yield from self._plan()
        yield from self._note()
        yield from self._bill()

    def _of(self, kind: str, profile: str, **elements: Any) -> Resource:
        meta = {"profile": [US_CORE + profile]}
        return {"resourceType": kind, "id": uuid_of(self._rng), "meta": meta, **elements}

    def _linked(self, kind: str, profile: str, **elements: Any) -> Resource:
        return self._of(kind, profile, **elements, subject=self._record.subject, encounter=self._encounter)

    def _encounter_itself(self) -> Resource:
        primary = concept(TERMINOLOGY + "v3-ParticipationType", "PPRF", "primary performer")
        return {
            "resourceType": "Encounter",
            "id": self._id,
            "meta": {"profile": [US_CORE + "encounter"]},
            "identifier": [{"use": "official", "system": SYNTHEA, "value": self._id}],
            "status": "finished",
            "class": {"system": TERMINOLOGY + "v3-ActCode", "code": self._class},
            "type": [self._reason],
            "subject": self._record.named_subject,
            "participant": [{"type": [primary], "period": self._period, "individual": self._practitioner}],
            "period": self._period,
            "location": [{"location": self._location}],
            "serviceProvider": self._organization,
        }

    def _condition(self) -> Resource:
        code = concept(SNOMED, *drawn(self._rng, codes.CONDITIONS))
        category = concept(TERMINOLOGY + "condition-category", "encounter-diagnosis", "Encounter Diagnosis")
        made = self._linked(
            "Condition",
            "condition",
            clinicalStatus={"coding": [{"system": TERMINOLOGY + "condition-clinical", "code": "active"}]},
            verificationStatus={"coding": [{"system": TERMINOLOGY + "condition-ver-status", "code": "confirmed"}]},
            category=[category],
            code=code,
            onsetDateTime=self._when,
            recordedDate=self._when,
        )
        self._record.conditions.append((made["id"], code))
        return made

    def _allergy(self) -> Resource:
        return self._of(
            "AllergyIntolerance",
            "allergyintolerance",
            clinicalStatus={"coding": [{"system": TERMINOLOGY + "allergyintolerance-clinical", "code": "active"}]},
            verificationStatus={
                "coding": [{"system": TERMINOLOGY + "allergyintolerance-verification", "code": "confirmed"}]
            },
            type="allergy",
            category=["environment"],
            criticality="low",
            code=concept(SNOMED, *self._rng.choice(codes.ALLERGIES)),
            patient=self._record.subject,
            recordedDate=self._when,
        )

    def _observation(self, category: str, code: str, display: str, **value: Any) -> Resource:
        profile = "vital-signs" if category == "vital-signs" else "observation-lab"
        return self._linked(
            "Observation",
            profile,
            status="final",
            category=[concept(TERMINOLOGY + "observation-category", category, category)],
            code=concept(LOINC, code, display),
            effectiveDateTime=self._when,
            issued=self._issued,
            **value,
        )

    def _vitals(self) -> Iterator[Resource]:
        rng = self._rng
        for code, display, unit, mean, deviation in codes.VITALS:
            yield self._observation("vital-signs", code, display, valueQuantity=quantity(rng, unit, mean, deviation))
        parts = [
            {"code": concept(LOINC, code, display), "valueQuantity": quantity(rng, "mm[Hg]", mean, deviation)}
            for code, display, mean, deviation in codes.PRESSURES
        ]
        yield self._observation("vital-signs", "85354-9", "Blood Pressure", component=parts)
        yield self._observation(
            "social-history",
            "72166-2",
            "Tobacco smoking status NHIS",
            valueCodeableConcept=concept(SNOMED, *rng.choice(codes.SMOKING)),
        )

    def _panel(self) -> Iterator[Resource]:
        code, display, results = self._rng.choice(codes.PANELS)
        found = []
        for loinc, name, unit, mean, deviation in results:
            found.append(
                self._observation("laboratory", loinc, name, valueQuantity=quantity(self._rng, unit, mean, deviation))
            )
        yield from found
        yield self._linked(
            "DiagnosticReport",
            "diagnosticreport-lab",
            status="final",
            category=[concept(TERMINOLOGY + "v2-0074", "LAB", "Laboratory")],
            code=concept(LOINC, code, display),
            effectiveDateTime=self._when,
            issued=self._issued,
            performer=[self._organization],
            result=[
                {"reference": f"urn:uuid:{each['id']}", "display": each["code"]["coding"][0]["display"]}
                for each in found
            ],
        )

    def _procedure(self) -> Resource:
        return self._linked(
            "Procedure",
            "procedure",
            status="completed",
            code=concept(SNOMED, *drawn(self._rng, codes.PROCEDURES)),
            performedPeriod=self._period,
            location=self._location,
        )

    def _prescription(self) -> Iterator[Resource]:
        made = self._linked(
            "MedicationRequest",
            "medicationrequest",
            status="stopped",
            intent="order",
            medicationCodeableConcept=concept(
                "http://www.nlm.nih.gov/research/umls/rxnorm", *drawn(self._rng, codes.MEDICATIONS)
            ),
            authoredOn=self._when,
            requester=self._practitioner,
            dosageInstruction=[
                {
                    "sequence": 1,
                    "timing": {"repeat": {"frequency": 1, "period": 1.0, "periodUnit": "d"}},
                    "asNeededBoolean": False,
                }
            ],
        )
        yield made
        yield self._claim("pharmacy", prescription={"reference": f"urn:uuid:{made['id']}"})

    def _immunization(self) -> Resource:
        return self._of(
            "Immunization",
            "immunization",
            status="completed",
            vaccineCode=concept("http://hl7.org/fhir/sid/cvx", *drawn(self._rng, codes.VACCINES)),
            patient=self._record.subject,
            encounter=self._encounter,
            occurrenceDateTime=self._when,
            primarySource=True,
            location=self._location,
        )

    def _plan(self) -> Iterator[Resource]:
        code = concept(SNOMED, *self._rng.choice(codes.PLANS))
        patient = {"role": [concept(SNOMED, "116154003", "Patient")], "member": self._record.named_subject}
        carer = {
            "role": [concept(SNOMED, "223366009", "Healthcare professional (occupation)")],
            "member": self._practitioner,
        }
        start = {"start": self._when}
        team = self._linked(
            "CareTeam",
            "careteam",
            status="active",
            period=start,
            participant=[patient, carer],
            reasonCode=[code],
            managingOrganization=[self._organization],
        )
        yield team
        yield self._linked(
            "CarePlan",
            "careplan",
            text={
                "status": "generated",
                "div": f'<div xmlns="http://www.w3.org/1999/xhtml">Care Plan: {code["text"]}.<br/>Activities.</div>',
            },
            status="active",
            intent="order",
            category=[code],
            period=start,
            careTeam=[{"reference": f"urn:uuid:{team['id']}"}],
            activity=[
                {"detail": {"code": concept(SNOMED, *each), "status": "in-progress", "location": self._location}}
                for each in (("160670007", "Diabetic diet"), ("229065009", "Exercise therapy"))
            ],
        )

    def _note(self) -> Iterator[Resource]:
        rng = self._rng
        words = [name for name, _ in zip(self._words(), range(45), strict=False)]
        text = f"{self._when[:10]}\n\n# Chief Complaint\nNone.\n\n# History of Present Illness\n{' '.join(words)}\n"
        content = {"contentType": "text/plain; charset=utf-8", "data": base64.b64encode(text.encode()).decode()}
        kinds = {
            "coding": [
                {"system": LOINC, "code": "34117-2", "display": "History and physical note"},
                {"system": LOINC, "code": "51847-2", "display": "Evaluation+Plan note"},
            ]
        }
        report = self._linked(
            "DiagnosticReport",
            "diagnosticreport-note",
            status="final",
            category=[kinds],
            code=kinds,
            effectiveDateTime=self._when,
            issued=self._issued,
            performer=[self._practitioner],
            presentedForm=[content],
        )
        yield report
        yield self._of(
            "DocumentReference",
            "documentreference",
            identifier=[{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{report['id']}"}],
            status="superseded" if rng.random() < 0.9 else "current",
            type=kinds,
            category=[
                concept(
                    "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category",
                    "clinical-note",
                    "Clinical Note",
                )
            ],
            subject=self._record.subject,
            date=self._issued,
            author=[self._practitioner],
            custodian=self._organization,
            content=[{"attachment": content}],
            context={"encounter": [self._encounter], "period": self._period},
        )

    def _words(self) -> Iterator[str]:
        while True:
            for _, display in codes.CONDITIONS[self._rng.randrange(20) :]:
                yield from display.lower().split()

    def _items(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = [
            {"sequence": 1, "productOrService": self._reason, "encounter": [self._encounter]}
        ]
        for _, code in self._record.conditions[-1:]:
            items.append({"sequence": 2, "diagnosisSequence": [1], "productOrService": code})
        return items

    def _diagnoses(self) -> list[dict[str, Any]]:
        return [
            {"sequence": 1, "diagnosisReference": {"reference": f"urn:uuid:{each}"}}
            for each, _ in self._record.conditions[-1:]
        ]

    def _claim(self, kind: str, **more: Any) -> Resource:
        made = {
            "resourceType": "Claim",
            "id": uuid_of(self._rng),
            "status": "active",
            "type": {"coding": [{"system": TERMINOLOGY + "claim-type", "code": kind}]},
            "use": "claim",
            "patient": self._record.named_subject,
            "billablePeriod": self._period,
            "created": self._period["end"],
            "provider": self._organization,
            "priority": {"coding": [{"system": TERMINOLOGY + "processpriority", "code": "normal"}]},
            "facility": self._location,
            "insurance": [{"sequence": 1, "focal": True, "coverage": {"display": self._record.payer}}],
            "item": self._items(),
            "total": {"value": self._rng.randrange(500, 90_000) / 100, "currency": "USD"},
            **more,
        }
        if diagnoses := self._diagnoses():
            made["diagnosis"] = diagnoses
        return made

    def _bill(self) -> Iterator[Resource]:
        claim = self._claim("institutional")
        yield claim
        role = concept(TERMINOLOGY + "claimcareteamrole", "primary", "Primary Care Practitioner")
        submitted = concept(TERMINOLOGY + "adjudication", "submitted", "Submitted Amount")
        service = {
            "category": concept(
                "https://bluebutton.cms.gov/resources/variables/line_cms_type_srvc_cd", "1", "Medical care"
            ),
            "servicedPeriod": self._period,
            "locationCodeableConcept": concept(TERMINOLOGY + "ex-serviceplace", "19", "Off Campus-Outpatient Hospital"),
        }
        contained = [
            {
                "resourceType": "ServiceRequest",
                "id": "referral",
                "status": "completed",
                "intent": "order",
                "subject": self._record.subject,
                "requester": self._practitioner,
                "performer": [self._practitioner],
            },
            {
                "resourceType": "Coverage",
                "id": "coverage",
                "status": "active",
                "type": {"text": self._record.payer},
                "beneficiary": self._record.subject,
                "payor": [{"display": self._record.payer}],
            },
        ]
        yield {
            "resourceType": "ExplanationOfBenefit",
            "id": uuid_of(self._rng),
            "contained": contained,
            "identifier": [
                {"system": "https://bluebutton.cms.gov/resources/variables/clm_id", "value": claim["id"]},
                {"system": "https://bluebutton.cms.gov/resources/identifier/claim-group", "value": "99999999999"},
            ],
            "status": "active",
            "type": claim["type"],
            "use": "claim",
            "patient": self._record.subject,
            "billablePeriod": self._period,
            "created": self._period["end"],
            "insurer": {"display": self._record.payer},
            "provider": self._practitioner,
            "referral": {"reference": "#referral"},
            "facility": self._location,
            "claim": {"reference": f"urn:uuid:{claim['id']}"},
            "outcome": "complete",
            "careTeam": [{"sequence": 1, "provider": self._practitioner, "role": role}],
            **({"diagnosis": claim["diagnosis"]} if "diagnosis" in claim else {}),
            "insurance": [{"focal": True, "coverage": {"reference": "#coverage", "display": self._record.payer}}],
            "item": [{**each, **service} for each in claim["item"]],
            "total": [{"category": submitted, "amount": claim["total"]}],
            "payment": {"amount": {"value": 0.0, "currency": "USD"}},
        }
