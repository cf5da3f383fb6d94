"""REFER_HISTORY, REFER_RESULT and the files that hang on a referral.

CARE_, CLINICAL_, DRUG_, INVESTIGATION_ and PROCEDURE_REFER name no person, only the referral: the subject stands there
in words, and the importer fills it from the ServiceRequest that `basedOn` names.
"""

from __future__ import annotations

from typing import Any

from mappers.codes import concept, displays, hl7, system
from mappers.diseases import procedure
from mappers.f43.links import facility, file_map, patient, stay, visit
from mappers.lens import (
    EXTENSIONS,
    Lens,
    canonical_number,
    choice,
    coded,
    coded_extension,
    date,
    ending,
    listed,
    look,
    number,
    number_text,
    organization,
    reference,
    stamp,
    text,
)
from mappers.links import HCODE, Resource, Row, identifier, local, logical
from mappers.medicine import drug
from mappers.part import FIRST, Part


def _request(row: Row) -> Resource:
    identifiers = [identifier(local(row["HOSPCODE"], "Refer"), row["REFERID"], "localReferNo")]
    if "REFERID_PROVINCE" in row:
        identifiers.append(
            identifier("https://terms.sil-th.org/id/th-refer-code", row["REFERID_PROVINCE"], "referCode")
        )
    return {
        "resourceType": "ServiceRequest",
        "identifier": identifiers,
        "status": "active",
        "intent": "order",
        "category": [concept("http://snomed.info/sct", "3457005", "Patient referral")],
        "code": {"text": "ส่งต่อผู้ป่วย"},
        "subject": patient(row),
        "encounter": stay(row) or visit(row),
    }


def _priority() -> Lens:
    """EMERGENCY as request priority, and with its own code as SIL-TH's extension of it."""
    url = EXTENSIONS + "ex-servicerequest-thai-refer-priority"
    value = coded("valueCodeableConcept", "cs-thcc-refer-thai-priority")

    def put(resource: Resource, code: str, row: Row) -> None:
        choice("priority", "refer-priority")(resource, code, row)
        entry: Resource = {"url": url}
        value.put(entry, code, row)
        resource["_priority"] = {"extension": [entry]}

    def get(resource: Resource) -> str:
        for entry in look(resource, ("_priority", "extension")) or ():
            if entry.get("url") == url:
                return value.get(entry)
        return ""

    return Lens(put, get, value.canonical)


def _noted(label: str) -> Lens:
    """A note that begins with its label."""
    start = f"{label}: "

    def put(resource: Resource, value: str, row: Row) -> None:
        resource.setdefault("note", []).append({"text": start + value})

    def get(resource: Resource) -> str:
        notes = (str(note.get("text", "")) for note in resource.get("note", ()))
        return next((note.removeprefix(start) for note in notes if note.startswith(start)), "")

    return Lens(put, get)


_HISTORY = {
    "DATETIME_REFER": stamp("authoredOn"),
    "HOSP_DESTINATION": organization("performer.0"),
    "DIAGLAST": text("reasonCode.0.text"),
    "CHIEFCOMP": _noted("อาการสำคัญ"),
    "PHYSICALEXAM": _noted("ตรวจร่างกาย"),
    "PSTATUS": _noted("สภาพผู้ป่วย"),
    "REQUEST": text("patientInstruction"),
    "PTYPE": coded_extension("", "ex-servicerequest-refer-patient-category", "cs-43file-refer-encounter-class"),
    "EMERGENCY": _priority(),
    "CAUSEOUT": coded_extension("", "ex-encounter-refer-purpose", "cs-43plus-refer-reason"),
    "PROVIDER": reference("requester", "Practitioner", "Provider"),
}

# --- REFER_RESULT -----------------------------------------------------------------------------------------------------


def _task(row: Row) -> Resource:
    source = row["HOSP_SOURCE"]
    return {
        "resourceType": "Task",
        "status": hl7("refer-result").get(row.get("REFER_RESULT", ""), "completed"),
        "intent": "order",
        "code": {"text": "ตอบรับการส่งต่อ"},
        "focus": logical("ServiceRequest", local(source, "Refer"), row["REFERID_SOURCE"]),
        "requester": logical("Organization", HCODE, source),
        "owner": facility(row),
        "for": patient({**row, "PID": row["PID_IN"]}) if "PID_IN" in row else None,
    }


# --- what was done before the journey ---------------------------------------------------------------------------------


def _referral(row: Row) -> list[dict[str, Any]]:
    return [logical("ServiceRequest", local(row["HOSPCODE"], "Refer"), row["REFERID"])]


_SOMEBODY = "ผู้ป่วยตามใบส่งต่อ"


def _done(code: dict[str, Any], row: Row) -> Resource:
    return {
        "resourceType": "Procedure",
        "basedOn": _referral(row),
        "status": "completed",
        "code": code,
        "subject": {"type": "Patient", "display": _SOMEBODY},
    }


def _care(row: Row) -> Resource:
    list_id = "cs-43file-refer-care-procedure"
    code = row["CARETYPE"]
    return _done(concept(system(list_id), code, displays(list_id).get(code, "")), row)


def _procedure(row: Row) -> Resource:
    return _done(procedure(row["PROCEDCODE"], row["HOSPCODE"]), row)


def _finding(column: str) -> Any:
    def base(row: Row) -> Resource:
        code = row[column]
        return {
            "resourceType": "Observation",
            "basedOn": _referral(row),
            "status": "final",
            "code": concept(local(row["HOSPCODE"], "LabItem"), code),
            "subject": {"type": "Patient", "display": _SOMEBODY},
        }

    return base


def _value() -> Lens:
    """A number as Quantity without unit (the files carry none)."""

    def put(resource: Resource, value: str, row: Row) -> None:
        if digits := canonical_number(value):
            resource["valueQuantity"] = {"value": number(digits)}

    return Lens(put, lambda resource: number_text(look(resource, ("valueQuantity", "value"))), canonical_number)


def _statement(row: Row) -> Resource:
    return {
        "resourceType": "MedicationStatement",
        "basedOn": _referral(row),
        "status": "completed",
        "medicationCodeableConcept": drug(row["HOSPCODE"], row["DIDSTD"]),
        "subject": {"type": "Patient", "display": _SOMEBODY},
    }


MAPS = (
    file_map(
        "REFER_HISTORY",
        (Part(FIRST, _request, _HISTORY),),
    ),
    file_map(
        "REFER_RESULT",
        (
            Part(
                FIRST,
                _task,
                {
                    "REFER_RESULT": coded("statusReason", "cs-43file-refer-result"),
                    "DATETIME_IN": stamp("executionPeriod.start"),
                    "REASON": text("note.0.text"),
                },
                {"D_UPDATE": stamp("lastModified").put},
            ),
        ),
    ),
    file_map("CARE_REFER", (Part(FIRST, _care, {}, {"D_UPDATE": date("performedDateTime").put}),)),
    file_map(
        "CLINICAL_REFER",
        (
            Part(
                FIRST,
                _finding("CLINICALCODE"),
                {"CLINICALNAME": text("code.text"), "CLINICALVAULE": _value(), "CLINICALRESULT": text("note.0.text")},
                {"DATETIME_ASSESS": stamp("effectiveDateTime").put},
            ),
        ),
    ),
    file_map(
        "DRUG_REFER",
        (
            Part(
                FIRST,
                _statement,
                {
                    "DNAME": text("medicationCodeableConcept.text"),
                    "DDESCRIPTION": text("dosage.0.text"),
                    "DATETIME_DFINISH": ending("effectivePeriod", stamp),
                },
                {"DATETIME_DSTART": stamp("effectivePeriod.start").put},
            ),
        ),
    ),
    file_map(
        "INVESTIGATION_REFER",
        (
            Part(
                FIRST,
                _finding("INVESTCODE"),
                {
                    "INVESTNAME": text("code.text"),
                    "INVESTVALUE": _value(),
                    "INVESTRESULT": text("note.0.text"),
                },
                {"DATETIME_INVEST": stamp("effectiveDateTime").put},
            ),
        ),
    ),
    file_map(
        "PROCEDURE_REFER",
        (
            Part(
                FIRST,
                _procedure,
                {
                    "PROCEDURENAME": text("code.text"),
                    "TIMEFINISH": ending("performedPeriod", stamp),
                    "PDESCRIPTION": text("note.0.text"),
                    "PROCEDRESULT": text("outcome.text"),
                    "PROVIDER": listed("performer", "Practitioner", "Provider", "actor"),
                },
                {"TIMESTART": stamp("performedPeriod.start").put},
            ),
        ),
    ),
)
