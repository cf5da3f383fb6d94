"""DIAGNOSIS_*, PROCEDURE_*, ACCIDENT, SURVEILLANCE, REHABILITATION."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mappers.codes import TERMINOLOGY, concept
from mappers.diagnoses import ROLES
from mappers.diseases import diagnosis, disease, procedure
from mappers.f43.links import file_map, patient, stay, visit
from mappers.f43.maps.shapes import answers, component, dates, form, texts
from mappers.lens import Lens, coded, date, ending, listed, money, place, reference, stamp, translated, whole
from mappers.links import Resource, Row
from mappers.part import FIRST, Part

Encounter = Callable[[Row], dict[str, Any] | None]


def _condition(encounter: Encounter) -> Callable[[Row], Resource]:
    def base(row: Row) -> Resource:
        category = concept(TERMINOLOGY + "condition-category", "encounter-diagnosis", "Encounter Diagnosis")
        return {
            "resourceType": "Condition",
            "clinicalStatus": concept(TERMINOLOGY + "condition-clinical", "active"),
            "verificationStatus": concept(TERMINOLOGY + "condition-ver-status", "confirmed"),
            "category": [category],
            "code": disease(row["DIAGCODE"]),
            "subject": patient(row),
            "encounter": encounter(row),
        }

    return base


_ROLE = coded("category.1", ROLES).also(translated("category.1", "diagnosis-role"))
_RECORDER = reference("recorder", "Practitioner", "Provider")


def _procedure(encounter: Encounter) -> Callable[[Row], Resource]:
    def base(row: Row) -> Resource:
        return {
            "resourceType": "Procedure",
            "status": "completed",
            "code": procedure(row["PROCEDCODE"], row["HOSPCODE"]),
            "subject": patient(row),
            "encounter": encounter(row),
        }

    return base


_PERFORMER = listed("performer", "Practitioner", "Provider", "actor")


def price(
    encounter: Encounter, code: Callable[[Row], dict[str, Any]], columns: dict[str, Lens], when: dict[str, Any]
) -> Part:
    """What a procedure or drug cost, as a ChargeItem of its own."""

    def base(row: Row) -> Resource:
        return {
            "resourceType": "ChargeItem",
            "status": "billable",
            "code": code(row),
            "subject": patient(row),
            "context": encounter(row),
        }

    return Part("charge", base, columns, when)


_PRICED = {"SERVICEPRICE": money("priceOverride")}


def _procedure_code(row: Row) -> dict[str, Any]:
    return procedure(row["PROCEDCODE"], row["HOSPCODE"])


_ACCIDENT_LISTS = {
    "AEPLACE": "cs-thcc-accident-location",
    "TYPEIN_AE": "cs-thcc-accident-admit-source",
    "TRAFFIC": "cs-thcc-accident-patient-type",
    "VEHICLE": "cs-thcc-accident-vehicle",
    "AIRWAY": "cs-thcc-accident-breathing",
    "STOPBLEED": "cs-thcc-accident-bleeding",
    "SPLINT": "cs-thcc-accident-splint",
    "FLUID": "cs-thcc-accident-iv-fluid",
    "URGENCY": "cs-thcc-accident-priority",
}
_COMA = {
    "COMA_EYE": ("9267-6", "Glasgow coma score eye opening"),
    "COMA_SPEAK": ("9270-0", "Glasgow coma score verbal"),
    "COMA_MOVEMENT": ("9268-4", "Glasgow coma score motor"),
}


def _rehabilitation(row: Row) -> Resource:
    return {
        "resourceType": "Procedure",
        "status": "completed",
        "category": {"text": "ฟื้นฟูสมรรถภาพ"},
        "code": concept("https://terms.sil-th.org/core/CodeSystem/cs-thcc-rehab-service-type", row["REHABCODE"]),
        "subject": patient(row),
        "encounter": stay(row) or visit(row),
    }


def _also_used(resource: Resource, value: str, row: Row) -> None:
    place(resource, ("usedCode", 0, "text"), f"{value} x {row['AT_NO']}" if "AT_NO" in row else value)


MAPS = (
    file_map(
        "DIAGNOSIS_OPD",
        (
            Part(
                FIRST,
                _condition(visit),
                {"DATE_SERV": date("recordedDate"), "DIAGTYPE": _ROLE, "PROVIDER": _RECORDER},
            ),
        ),
    ),
    file_map(
        "DIAGNOSIS_IPD",
        (
            Part(
                FIRST,
                _condition(stay),
                {"DATETIME_ADMIT": stamp("recordedDate"), "DIAGTYPE": _ROLE, "PROVIDER": _RECORDER},
            ),
        ),
    ),
    file_map(
        "PROCEDURE_OPD",
        (
            Part(FIRST, _procedure(visit), {"DATE_SERV": date("performedDateTime"), "PROVIDER": _PERFORMER}),
            price(visit, _procedure_code, _PRICED, {"DATE_SERV": date("occurrenceDateTime").put}),
        ),
    ),
    file_map(
        "PROCEDURE_IPD",
        (
            Part(
                FIRST,
                _procedure(stay),
                {"TIMEFINISH": ending("performedPeriod", stamp), "PROVIDER": _PERFORMER},
                {"TIMESTART": stamp("performedPeriod.start").put},
            ),
            price(stay, _procedure_code, _PRICED, {"TIMESTART": stamp("occurrenceDateTime").put}),
        ),
    ),
    file_map(
        "ACCIDENT",
        (
            form(
                "ACCIDENT",
                "exam",
                "อุบัติเหตุและฉุกเฉิน",
                {
                    **answers("ACCIDENT", _ACCIDENT_LISTS),
                    **texts("ACCIDENT", "ALCOHOL", "NACROTIC_DRUG", "BELT", "HELMET"),
                    **{
                        column: component("ACCIDENT", column, whole("valueInteger"), *code)
                        for column, code in _COMA.items()
                    },
                },
                when="DATETIME_SERV",
                extra={"AETYPE": coded("valueCodeableConcept", "cs-thcc-accident-cause-group")},
            ),
        ),
    ),
    file_map(
        "SURVEILLANCE",
        (
            Part(
                FIRST,
                _condition(visit),
                {
                    "ILLDATE": date("onsetDateTime"),
                    "DATE_SERV": date("recordedDate"),
                    "PROVIDER": _RECORDER,
                },
            ),
            form(
                "SURVEILLANCE",
                "survey",
                "รายงานการเฝ้าระวังโรค (506)",
                {
                    **answers(
                        "SURVEILLANCE",
                        {"SYNDROME": "cs-thcc-surveillance-group", "ORGANISM": "cs-thcc-causative-agent"},
                    ),
                    **texts("SURVEILLANCE", "CODE506", "CODE506LAST", "PTSTATUS", "COMPLICATION"),
                    "DIAGCODELAST": component("SURVEILLANCE", "DIAGCODELAST", diagnosis("valueCodeableConcept")),
                    **dates("SURVEILLANCE", "DATE_DEATH"),
                },
                when="",
                context={"DATE_SERV": date("effectiveDateTime").put},
            ).named("report"),
        ),
    ),
    file_map(
        "REHABILITATION",
        (
            Part(
                FIRST,
                _rehabilitation,
                {
                    "REHABPLACE": listed("performer", "Organization", "", "actor"),
                    "AT_DEVICE": coded("usedCode.0", "cs-thcc-rehab-device").also(_also_used),
                    "PROVIDER": _PERFORMER,
                },
                {
                    "DATE_SERV": date("performedPeriod.start").put,
                    "DATE_START": date("performedPeriod.start").put,
                    "DATE_FINISH": ending("performedPeriod", date).put,
                },
            ),
        ),
    ),
)
