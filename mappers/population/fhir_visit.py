"""One visit of the synthetic population as R4 resources: Encounter, Observations, Conditions, medication, claim ..."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from mappers.population.clinic import CHARGES, DISEASES, DRUGS, PROCEDURES, TESTS, VACCINES
from mappers.population.fhir_observation import Scene, laboratory, screening, vital_signs
from mappers.population.fhir_person import ATC, TERMINOLOGY, THCC, Naming, coded, disease_concept
from mappers.population.fhir_places import Resource, local, organization_id, practitioner_id, village_id
from mappers.population.model import AppointmentPlan, Drug, Person, Referral, Vaccination, Visit
from mappers.population.places import FACILITIES

_ACT = TERMINOLOGY + "v3-ActCode"
_ROLE = "https://terms.sil-th.org/core/CodeSystem/cs-43plus-encounter-diagnosis-role"
_NAMES = {facility.hcode: facility.name for facility in FACILITIES}
_KINDS = {
    "illness": "ตรวจรักษาโรคทั่วไป",
    "chronic": "คลินิกโรคเรื้อรัง",
    "screening": "คัดกรองสุขภาพ",
    "child": "คลินิกสุขภาพเด็กดี",
    "antenatal": "ฝากครรภ์",
    "vaccine": "รับวัคซีน",
    "admission": "ผู้ป่วยใน",
}
_ROLES = {"1": "PRINCIPLE DX", "2": "CO-MORBIDITY", "5": "EXTERNAL CAUSE"}
_DISCHARGE = {"9": ("exp", "Expired"), "2": ("home", "Home"), "4": ("home", "Home")}


def of_visit(person: Person, subject: str, visit: Visit, name: Naming) -> Iterator[tuple[str, Resource]]:
    """(id, resource), each after those it refers to."""
    identity, encounter = name("Encounter")
    scene = Scene(
        subject={"reference": subject},
        encounter={"reference": encounter},
        performer=[{"reference": f"Practitioner/{practitioner_id(visit.provider)}", "display": visit.provider.given}],
        start=stamp(visit.start),
        issued=stamp(visit.start + timedelta(minutes=visit.minutes)),
        hcode=visit.hcode,
        visit=visit.seq,
    )
    yield identity, _encounter(person, visit, scene)
    for observation in vital_signs(visit.vitals, scene):
        yield name("Observation")[0], observation
    if visit.screening:
        for observation in screening(visit.screening, scene):
            yield name("Observation")[0], observation
    conditions = []
    for rank, diagnosis in enumerate(visit.diagnoses, start=1):
        identity, reference = name("Condition")
        conditions.append((rank, diagnosis.role, reference))
        yield identity, _condition(diagnosis.code, diagnosis.role, scene)
    yield from _laboratory(visit, scene, name)
    for code in visit.procedures:
        yield name("Procedure")[0], _procedure(code, scene)
    for drug in visit.drugs:
        identity, reference = name("MedicationRequest")
        yield identity, _request(drug, scene)
        yield name("MedicationDispense")[0], _dispense(drug, reference, scene)
    for vaccination in visit.vaccinations:
        yield name("Immunization")[0], _immunization(vaccination, scene)
    if visit.appointment:
        yield name("Appointment")[0], _appointment(visit.appointment, subject, scene)
    if visit.referral:
        yield name("ServiceRequest")[0], _referral(visit.referral, scene)
    yield name("Claim")[0], _claim(visit, conditions, scene)


def stamp(moment: datetime) -> str:
    """FHIR dateTime in Thai time."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}+07:00"


def _encounter(person: Person, visit: Visit, scene: Scene) -> Resource:
    stay = visit.admission
    resource: Resource = {
        "resourceType": "Encounter",
        "identifier": [{"use": "official", "system": local(visit.hcode, "VN"), "value": visit.seq}],
        "status": "finished",
        "class": {"system": _ACT, "code": "IMP", "display": "inpatient encounter"}
        if stay
        else {"system": _ACT, "code": "AMB", "display": "ambulatory"},
        "type": [{"text": _KINDS[visit.kind]}],
        "serviceType": {"text": visit.clinic},
        "subject": scene.subject,
        "participant": [{"individual": scene.performer[0]}],
        "period": {
            "start": stamp(stay.admitted) if stay else scene.start,
            "end": stamp(stay.discharged) if stay else scene.issued,
        },
        "reasonCode": [{"text": visit.complaint}],
        "serviceProvider": {
            "reference": f"Organization/{organization_id(visit.hcode)}",
            "display": _NAMES[visit.hcode],
        },
    }
    if stay:
        resource["identifier"].append({"use": "official", "system": local(visit.hcode, "AN"), "value": stay.an})
        resource["hospitalization"] = {
            "dischargeDisposition": coded(TERMINOLOGY + "discharge-disposition", *_DISCHARGE[stay.status])
        }
    elif visit.kind in ("screening", "vaccine"):
        village = person.household.village
        resource["location"] = [{"location": {"reference": f"Location/{village_id(village)}", "display": village.name}}]
    return resource


def _condition(code: str, role: str, scene: Scene) -> Resource:
    concept = (
        disease_concept(code)
        if code in DISEASES
        else coded("http://hl7.org/fhir/sid/icd-10", code, "Fall on same level")
    )
    return {
        "resourceType": "Condition",
        "clinicalStatus": coded(TERMINOLOGY + "condition-clinical", "active", "Active"),
        "verificationStatus": coded(TERMINOLOGY + "condition-ver-status", "confirmed", "Confirmed"),
        "category": [
            coded(TERMINOLOGY + "condition-category", "encounter-diagnosis", "Encounter Diagnosis"),
            coded(_ROLE, role, _ROLES[role]),
        ],
        "code": concept,
        "subject": scene.subject,
        "encounter": scene.encounter,
        "onsetDateTime": scene.start,
        "recordedDate": scene.issued,
        "recorder": scene.performer[0],
    }


def _laboratory(visit: Visit, scene: Scene, name: Naming) -> Iterator[tuple[str, Resource]]:
    results = []
    for lab in visit.labs:
        identity, reference = name("Observation")
        test = TESTS[lab.key]
        results.append({"reference": reference, "display": test.name})
        yield identity, laboratory(test, lab.value, scene)
    if len(results) > 1:
        yield (
            name("DiagnosticReport")[0],
            {
                "resourceType": "DiagnosticReport",
                "identifier": [{"system": local(visit.hcode, "Lab"), "value": f"R{visit.seq}"}],
                "status": "final",
                "category": [coded(TERMINOLOGY + "v2-0074", "LAB", "Laboratory")],
                "code": coded("http://loinc.org", "11502-2", "Laboratory report", "ผลตรวจทางห้องปฏิบัติการ"),
                "subject": scene.subject,
                "encounter": scene.encounter,
                "effectiveDateTime": scene.start,
                "issued": scene.issued,
                "performer": [{"reference": f"Organization/{organization_id(visit.hcode)}"}],
                "result": results,
            },
        )


def _procedure(code: str, scene: Scene) -> Resource:
    return {
        "resourceType": "Procedure",
        "status": "completed",
        "code": coded(TERMINOLOGY + "icd9cm", code, PROCEDURES[code][0]),
        "subject": scene.subject,
        "encounter": scene.encounter,
        "performedPeriod": {"start": scene.start, "end": scene.issued},
        "performer": [{"actor": scene.performer[0]}],
    }


def _medicine(drug: Drug, hcode: str) -> dict[str, Any]:
    medicine = DRUGS[drug.key]
    return {
        "coding": [
            {"system": local(hcode, "Drug"), "code": medicine.code, "display": medicine.name},
            {"system": ATC, "code": medicine.atc},
        ],
        "text": medicine.name,
    }


def _request(drug: Drug, scene: Scene) -> Resource:
    medicine = DRUGS[drug.key]
    return {
        "resourceType": "MedicationRequest",
        "identifier": [{"system": local(scene.hcode, "Prescription"), "value": f"{scene.visit}-{medicine.code}"}],
        "status": "completed",
        "intent": "order",
        "medicationCodeableConcept": _medicine(drug, scene.hcode),
        "subject": scene.subject,
        "encounter": scene.encounter,
        "authoredOn": scene.start,
        "requester": scene.performer[0],
        "dosageInstruction": [
            {
                "text": medicine.dose,
                "timing": {"repeat": {"frequency": medicine.per_day, "period": 1, "periodUnit": "d"}},
                "doseAndRate": [{"doseQuantity": {"value": 1, "unit": medicine.unit}}],
            }
        ],
        "dispenseRequest": {
            "quantity": {"value": drug.amount, "unit": medicine.unit},
            "expectedSupplyDuration": {
                "value": drug.days,
                "unit": "day",
                "system": "http://unitsofmeasure.org",
                "code": "d",
            },
        },
    }


def _dispense(drug: Drug, request: str, scene: Scene) -> Resource:
    medicine = DRUGS[drug.key]
    return {
        "resourceType": "MedicationDispense",
        "status": "completed",
        "medicationCodeableConcept": _medicine(drug, scene.hcode),
        "subject": scene.subject,
        "context": scene.encounter,
        "performer": [{"actor": scene.performer[0]}],
        "authorizingPrescription": [{"reference": request}],
        "quantity": {"value": drug.amount, "unit": medicine.unit},
        "daysSupply": {"value": drug.days, "unit": "day", "system": "http://unitsofmeasure.org", "code": "d"},
        "whenHandedOver": scene.issued,
        "dosageInstruction": [{"text": medicine.dose}],
    }


def _immunization(vaccination: Vaccination, scene: Scene) -> Resource:
    vaccine = VACCINES[vaccination.code]
    coding = [{"system": THCC + "vaccine-code", "code": vaccine.code, "display": vaccine.name}]
    if vaccine.cvx:
        coding.append({"system": "http://hl7.org/fhir/sid/cvx", "code": vaccine.cvx})
    return {
        "resourceType": "Immunization",
        "status": "completed",
        "vaccineCode": {"coding": coding, "text": vaccine.name},
        "patient": scene.subject,
        "encounter": scene.encounter,
        "occurrenceDateTime": scene.start,
        "primarySource": True,
        "lotNumber": vaccination.lot,
        "performer": [{"actor": scene.performer[0]}],
    }


def _appointment(plan: AppointmentPlan, subject: str, scene: Scene) -> Resource:
    return {
        "resourceType": "Appointment",
        "status": "booked",
        "serviceType": [{"coding": [{"system": THCC + "appoint-service-type", "code": plan.kind}]}],
        "reasonCode": [disease_concept(plan.diagnosis)],
        "start": f"{plan.day.isoformat()}T08:30:00+07:00",
        "end": f"{plan.day.isoformat()}T09:00:00+07:00",
        "created": scene.issued,
        "participant": [
            {"actor": {"reference": subject}, "status": "accepted"},
            {"actor": scene.performer[0], "status": "accepted"},
        ],
    }


def _referral(referral: Referral, scene: Scene) -> Resource:
    return {
        "resourceType": "ServiceRequest",
        "identifier": [{"system": local(scene.hcode, "Refer"), "value": referral.number}],
        "status": "completed",
        "intent": "order",
        "category": [coded("http://snomed.info/sct", "3457005", "Patient referral")],
        "priority": "urgent" if referral.emergency in "12" else "routine",
        "code": {"text": "ส่งต่อผู้ป่วย"},
        "subject": scene.subject,
        "encounter": scene.encounter,
        "authoredOn": scene.issued,
        "requester": scene.performer[0],
        "performer": [{"reference": f"Organization/{organization_id(referral.to)}", "display": _NAMES[referral.to]}],
        "reasonCode": [disease_concept(referral.diagnosis)],
    }


def _claim(visit: Visit, conditions: list[tuple[int, str, str]], scene: Scene) -> Resource:
    total = sum(charge.amount for charge in visit.charges)
    return {
        "resourceType": "Claim",
        "identifier": [{"system": local(visit.hcode, "Inv"), "value": f"INV{visit.seq}"}],
        "status": "active",
        "type": coded(
            TERMINOLOGY + "claim-type",
            "institutional" if visit.admission else "professional",
            "Institutional" if visit.admission else "Professional",
        ),
        "use": "claim",
        "patient": scene.subject,
        "billablePeriod": {"start": scene.start, "end": scene.issued},
        "created": scene.issued,
        "provider": {"reference": f"Organization/{organization_id(visit.hcode)}", "display": _NAMES[visit.hcode]},
        "priority": coded(TERMINOLOGY + "processpriority", "normal", "Normal"),
        "diagnosis": [{"sequence": rank, "diagnosisReference": {"reference": ref}} for rank, _, ref in conditions],
        "insurance": [{"sequence": 1, "focal": True, "coverage": {"display": "สิทธิการรักษา"}}],
        "item": [
            {
                "sequence": number,
                "productOrService": {
                    "coding": [
                        {
                            "system": "https://terms.sil-th.org/core/CodeSystem/cs-eclaim-charge-item",
                            "code": charge.item,
                            "display": CHARGES[charge.item],
                        }
                    ],
                    "text": charge.text,
                },
                "net": {"value": charge.amount, "currency": "THB"},
                "encounter": [scene.encounter],
            }
            for number, charge in enumerate(visit.charges, start=1)
        ],
        "total": {"value": total, "currency": "THB"},
    }
