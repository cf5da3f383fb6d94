"""The clinical date and the code of each resource type: what viewers sort by, and what they narrow it with.

`code`, a date range and `_sort=-date` then come from one index range. A table because no definition says which of a
type's dates is the clinical one. https://hl7.org/fhir/R4/searchparameter-registry.html
Changing it changes stored rows: it needs a migration that reindexes the type.
"""

from __future__ import annotations

from typing import NamedTuple


class Principal(NamedTuple):
    code: str | None
    date: str


PRINCIPAL: dict[str, Principal] = {
    "Account": Principal("type", "period"),
    "AdverseEvent": Principal("event", "date"),
    "AllergyIntolerance": Principal("code", "date"),
    "Appointment": Principal("service-type", "date"),
    "AuditEvent": Principal("type", "date"),
    "Basic": Principal("code", "created"),
    "CarePlan": Principal("category", "date"),
    "CareTeam": Principal("category", "date"),
    "Claim": Principal("use", "created"),
    "ClaimResponse": Principal("use", "created"),
    "ClinicalImpression": Principal(None, "date"),
    "Communication": Principal("category", "sent"),
    "Composition": Principal("type", "date"),
    "Condition": Principal("code", "recorded-date"),
    "Consent": Principal("category", "date"),
    "DetectedIssue": Principal("code", "identified"),
    "DeviceRequest": Principal("code", "authored-on"),
    "DiagnosticReport": Principal("code", "date"),
    "DocumentReference": Principal("type", "date"),
    "Encounter": Principal("type", "date"),
    "EpisodeOfCare": Principal("type", "date"),
    "ExplanationOfBenefit": Principal(None, "created"),
    "FamilyMemberHistory": Principal("code", "date"),
    "Flag": Principal(None, "date"),
    "Goal": Principal("category", "start-date"),
    "ImagingStudy": Principal("modality", "started"),
    "Immunization": Principal("vaccine-code", "date"),
    "Invoice": Principal("type", "date"),
    "List": Principal("code", "date"),
    "Media": Principal("type", "created"),
    "MedicationAdministration": Principal("code", "effective-time"),
    "MedicationDispense": Principal("code", "whenhandedover"),
    "MedicationRequest": Principal("code", "authoredon"),
    "MedicationStatement": Principal("code", "effective"),
    "NutritionOrder": Principal(None, "datetime"),
    "Observation": Principal("code", "date"),
    "Patient": Principal(None, "birthdate"),
    "Person": Principal(None, "birthdate"),
    "Procedure": Principal("code", "date"),
    "Provenance": Principal(None, "recorded"),
    "QuestionnaireResponse": Principal(None, "authored"),
    "RelatedPerson": Principal(None, "birthdate"),
    "RequestGroup": Principal("code", "authored"),
    "RiskAssessment": Principal("method", "date"),
    "ServiceRequest": Principal("code", "authored"),
    "Slot": Principal("service-type", "start"),
    "Specimen": Principal("type", "collected"),
    "SupplyRequest": Principal("category", "date"),
    "Task": Principal("code", "authored-on"),
    "VisionPrescription": Principal(None, "datewritten"),
}

REPEATS: dict[tuple[str, str], tuple[str, ...]] = {
    ("Observation", "combo-code"): ("code", "component-code"),
    ("Observation", "combo-data-absent-reason"): ("data-absent-reason", "component-data-absent-reason"),
    ("Observation", "combo-value-concept"): ("value-concept", "component-value-concept"),
    ("Observation", "combo-value-quantity"): ("value-quantity", "component-value-quantity"),
}
"""Parameters whose values are those of the others together: what a part has already, gets no second row, and a search
asks the parts too. Correct only while each part's values are among the whole's."""

PATIENT_PARAMETERS = {"patient": 1, "subject": 2}
"""Bits of the parameters whose Patients are in the compartment index instead of the reference index."""
