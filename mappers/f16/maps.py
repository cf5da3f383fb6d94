"""The tables of the claim files: which resource a row is, and where each column lives.

The same lenses read the resources that came from elsewhere (43 files, a HIS, REST) when claims are written
(`claims.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fhir_profiles.canonical import CANONICAL
from mappers.codes import TERMINOLOGY, coding, concept, displays, hl7, system
from mappers.coverage import contracted
from mappers.diagnoses import ROLES
from mappers.diseases import disease, procedure
from mappers.f16.links import FAMILY, encounter, facility, file_map, licensed, patient
from mappers.laboratory import laboratory_code, result
from mappers.lens import (
    Lens,
    clock_of,
    coded,
    coded_extension,
    date,
    ending,
    extended,
    listed,
    money,
    numeric,
    organization,
    text,
    time_of,
    translated,
)
from mappers.links import CLAIM_CODE, HCODE, Resource, Row, identifier, local, logical
from mappers.medicine import drug
from mappers.observation import Setting, observation, pressure, vital
from mappers.part import FIRST, FileMap, Part

ACT = TERMINOLOGY + "v3-ActCode"
COLUMN = f"{CANONICAL}/CodeSystem/f16-column"
"""Code system of `FILE`: what an Observation is where LOINC has no code for it."""
RECORD = f"{CANONICAL}/CodeSystem/f16-record"
_DISPOSED = "hospitalization.dischargeDisposition"

# --- INS, PAT ---------------------------------------------------------------------------------------------------------


def _insurance(row: Row) -> Resource:
    return {
        "resourceType": "Coverage",
        "status": "active",
        "type": concept(
            system("cs-eclaim-coverage-type"), row["INSCL"], displays("cs-eclaim-coverage-type").get(row["INSCL"], "")
        ),
        "beneficiary": patient(row),
        "payor": [{"display": row["INSCL"]}],
    }


def _claim_code() -> Lens:
    """PERMITNO, the authen code, as an identifier of the Coverage."""

    def put(resource: Resource, value: str, row: Row) -> None:
        resource["identifier"].append(identifier(CLAIM_CODE, value, "claimCode"))

    def get(resource: Resource) -> str:
        return next((e["value"] for e in resource.get("identifier", ()) if e.get("system") == CLAIM_CODE), "")

    return Lens(put, get)


_INS = file_map(
    "INS",
    Part(
        FIRST,
        _insurance,
        {
            "DATEEXP": date("period.end"),
            "HOSPMAIN": contracted("primary"),
            "HOSPSUB": contracted("secondary"),
            "PERMITNO": _claim_code(),
            "SUBTYPE": text("class.0.value"),
        },
        {"SUBTYPE": lambda resource, value, row: resource.update({"class": [_plan(value)]})},
    ),
)


def _plan(value: str) -> Resource:
    return {"type": concept(TERMINOLOGY + "coverage-class", "subplan", "SubPlan"), "value": value}


def _person(row: Row) -> Resource:
    """PAT is what one facility says about a person: a registration, as PERSON of the 43 files."""
    return {
        "resourceType": "Basic",
        "code": concept(RECORD, "person"),
        "subject": patient(row),
        "author": facility(row),
    }


# --- OPD, IPD ---------------------------------------------------------------------------------------------------------


def _visit(row: Row) -> Resource:
    came = hl7("visit-class").get(row.get("TYPEIN", ""), "AMB")
    return {
        "resourceType": "Encounter",
        "identifier": [identifier(local(row["HOSPCODE"], "VN"), row["SEQ"], "localVn")],
        "status": "finished",
        "class": coding(ACT, came),
        "subject": patient(row),
        "serviceProvider": facility(row),
    }


def _stay(row: Row) -> Resource:
    return {
        "resourceType": "Encounter",
        "identifier": [identifier(local(row["HOSPCODE"], "AN"), row["AN"], "localAn")],
        "status": "finished" if "DATEDSC" in row else "in-progress",
        "class": coding(ACT, "IMP", "inpatient encounter"),
        "subject": patient(row),
        "serviceProvider": facility(row),
    }


def _time_of_discharge() -> Lens:
    """TIMEDSC, unless it would put the end of the stay before its start on the same day."""
    clock = clock_of("period.end")

    def put(resource: Resource, value: str, row: Row) -> None:
        clock.put(resource, value, row)
        period = resource.get("period", {})
        if len(period.get("end", "")) > 10 and period["end"] < period.get("start", "")[: len(period["end"])]:
            period["end"] = period["end"][:10]

    return clock._replace(put=put)


_AT_VISIT = Setting(
    patient, encounter, {"DATEOPD": date("effectiveDateTime").put, "TIMEOPD": time_of("effectiveDateTime").put}
)
_ADMITTED = Setting(
    patient, encounter, {"DATEADM": date("effectiveDateTime").put, "TIMEADM": time_of("effectiveDateTime").put}
)

_OPD = file_map(
    "OPD",
    Part(
        FIRST,
        _visit,
        {
            "DATEOPD": date("period.start"),
            "TIMEOPD": clock_of("period.start"),
            "CLINIC": coded("serviceType", "cs-eclaim-clinic"),
            "DETAIL": text("reasonCode.0.text"),
            "OPTYPE": coded_extension("", "ex-encounter-service-type-th", "cs-eclaim-service-type-th"),
            "TYPEIN": coded("hospitalization.admitSource", "cs-thcc-admit-source"),
            "TYPEOUT": coded_extension(
                "hospitalization", "ex-encounter-discharge-status", "cs-thcc-discharge-status"
            ).also(translated(_DISPOSED, "discharge-opd")),
        },
    ),
    vital("temperature", "BTEMP", _AT_VISIT),
    pressure("SBP", "DBP", _AT_VISIT),
    vital("pulse", "PR", _AT_VISIT),
    vital("respiration", "RR", _AT_VISIT),
)

_IPD = file_map(
    "IPD",
    Part(
        FIRST,
        _stay,
        {
            "DATEADM": date("period.start"),
            "TIMEADM": clock_of("period.start"),
            "DATEDSC": ending("period", date),
            "TIMEDSC": _time_of_discharge(),
            "DISCHS": coded_extension(
                "hospitalization", "ex-encounter-ipd-discharge-status", "cs-thcc-ipd-discharge-status"
            ),
            "DISCHT": coded_extension(
                "hospitalization", "ex-encounter-ipd-discharge-type", "cs-thcc-ipd-discharge-type"
            ).also(translated(_DISPOSED, "discharge-ipd")),
            "WARDDSC": listed("location", "Location", "DepCode", "location"),
            "DEPT": coded("serviceType", "cs-eclaim-clinic"),
        },
    ),
    vital("weight", "ADM_W", _ADMITTED),
)

# --- ORF, IRF, AER ---------------------------------------------------------------------------------------------------


def _referral(row: Row) -> Resource:
    """REFERTYPE 1: came from the facility of REFER; 2: was sent there."""
    there = logical("Organization", HCODE, row["REFER"]) if "REFER" in row else None
    incoming = row["REFERTYPE"] == "1"
    return {
        "resourceType": "ServiceRequest",
        "status": "completed",
        "intent": "order",
        "category": [concept("http://snomed.info/sct", "3457005", "Patient referral")],
        "code": {"text": "รับส่งต่อผู้ป่วย" if incoming else "ส่งต่อผู้ป่วย"},
        "subject": patient(row),
        "encounter": encounter(row),
        "requester": there if incoming else facility(row),
        "performer": [facility(row)] if incoming else [there] if there else None,
    }


def _other_facility() -> Lens:
    """REFER: the side of the referral that is not this facility; written by the base."""
    requester, performer = organization("requester"), organization("performer.0")

    def get(resource: Resource) -> str:
        own = _own_facility(resource)
        return next((code for lens in (requester, performer) if (code := lens.get(resource)) and code != own), "")

    return Lens(lambda resource, value, row: None, get)


def _own_facility(resource: Resource) -> str:
    """Hospital code in the row identifier (its first key column)."""
    for entry in resource.get("identifier", ()):
        if str(entry.get("system", "")).startswith(f"{CANONICAL}/{FAMILY}/"):
            return str(entry["value"]).split("/", 1)[0]
    return ""


_AER_CODE = concept(COLUMN, "AER", "Accident and emergency", "อุบัติเหตุและฉุกเฉิน")
_EMERGENCY = observation(_AER_CODE, "exam", Setting(patient, encounter, {}))

# --- ODX, IDX, OOP, IOP ----------------------------------------------------------------------------------------------


def _condition(row: Row) -> Resource:
    return {
        "resourceType": "Condition",
        "clinicalStatus": concept(TERMINOLOGY + "condition-clinical", "active"),
        "verificationStatus": concept(TERMINOLOGY + "condition-ver-status", "confirmed"),
        "category": [
            concept(TERMINOLOGY + "condition-category", "encounter-diagnosis", "Encounter Diagnosis"),
            {"coding": [coding(system(ROLES), row["DXTYPE"], displays(ROLES).get(row["DXTYPE"], ""))]},
        ],
        "code": disease(row["DIAG"]),
        "subject": patient(row),
        "encounter": encounter(row),
    }


_DIAGNOSED = {"DATEDX": date("recordedDate"), "DRDX": licensed("recorder")}


def _operation(row: Row) -> Resource:
    return {
        "resourceType": "Procedure",
        "status": "completed",
        "code": procedure(row["OPER"], row["HOSPCODE"]),
        "subject": patient(row),
        "encounter": encounter(row),
    }


_OPERATOR = licensed("performer.0.actor")

# --- CHT, CHA, ADP, DRU ----------------------------------------------------------------------------------------------


def _claim(row: Row) -> Resource:
    kind = ("institutional", "Institutional") if "AN" in row else ("professional", "Professional")
    whole: Resource = {"sequence": 1, "productOrService": {"text": "ค่าบริการทั้งครั้ง"}}
    if where := encounter(row):
        whole["encounter"] = [where]
    return {
        "resourceType": "Claim",
        "status": "active",
        "type": concept(TERMINOLOGY + "claim-type", *kind),
        "use": "claim",
        "patient": patient(row),
        "provider": facility(row),
        "priority": concept(TERMINOLOGY + "processpriority", "normal", "Normal"),
        "insurance": [{"sequence": 1, "focal": True, "coverage": {"display": row.get("PTTYPE", "ไม่ระบุสิทธิ")}}],
        "item": [whole],
    }


def _charge(code: Callable[[Row], dict[str, Any]]) -> Callable[[Row], Resource]:
    def base(row: Row) -> Resource:
        return {
            "resourceType": "ChargeItem",
            "status": "billable",
            "code": code(row),
            "subject": patient(row),
            "context": encounter(row),
        }

    return base


def _charge_item(row: Row) -> dict[str, Any]:
    return concept(
        system("cs-eclaim-charge-item"), row["CHRGITEM"], displays("cs-eclaim-charge-item").get(row["CHRGITEM"], "")
    )


def _adp_code(row: Row) -> dict[str, Any]:
    kind = coding(system("cs-eclaim-adp-type"), row["TYPE"], displays("cs-eclaim-adp-type").get(row["TYPE"], ""))
    return {"coding": [coding(local(row["HOSPCODE"], "Adp"), row["CODE"]), kind]}


def _medicine(row: Row) -> dict[str, Any]:
    """The facility's own code first, the national one beside it."""
    own = coding(local(row["HOSPCODE"], "Drug"), row["DID"])
    national = drug(row["HOSPCODE"], row["DIDSTD"])["coding"] if "DIDSTD" in row else []
    return {"coding": [own, *(entry for entry in national if entry != own)]}


def _dispense(row: Row) -> Resource:
    return {
        "resourceType": "MedicationDispense",
        "status": "completed",
        "medicationCodeableConcept": _medicine(row),
        "subject": patient(row),
        "context": encounter(row),
    }


_DRU = file_map(
    "DRU",
    Part(
        FIRST,
        _dispense,
        {
            "DIDNAME": text("medicationCodeableConcept.text"),
            "AMOUNT": numeric("quantity.value"),
            "UNIT": text("quantity.unit"),
            "SIGTEXT": text("dosageInstruction.0.text"),
            "PROVIDER": licensed("performer.0.actor"),
            "DRUGREMARK": coded_extension("", "ex-medicationrequest-ned-criteria", "cs-eclaim-medication-ned-criteria"),
        },
        {"DATE_SERV": date("whenHandedOver").put},
    ),
    Part(
        "charge",
        _charge(_medicine),
        {"DRUGPRICE": money("priceOverride")},
        {"DATE_SERV": date("occurrenceDateTime").put},
    ),
)

# --- LAB, LVD --------------------------------------------------------------------------------------------------------


def _laboratory(row: Row) -> Resource:
    shape = observation({"coding": []}, "laboratory", Setting(patient, encounter, {}))
    return {**shape(row), "code": laboratory_code(row["HOSPCODE"], row["LABTEST"])}


def _leave(row: Row) -> Resource:
    return {
        "resourceType": "Basic",
        "code": concept(RECORD, "leave-day"),
        "subject": encounter(row),
        "author": facility(row),
    }


MAPS: dict[str, FileMap] = {
    each.file: each
    for each in (
        _INS,
        file_map("PAT", Part(FIRST, _person)),
        _OPD,
        file_map(
            "ORF",
            Part(FIRST, _referral, {"REFER": _other_facility(), "REFERDATE": date("authoredOn")}, {}),
        ),
        file_map("ODX", Part(FIRST, _condition, _DIAGNOSED)),
        file_map(
            "OOP",
            Part(FIRST, _operation, {"DATEOPD": date("performedDateTime"), "DROPID": _OPERATOR}),
            Part(
                "charge",
                _charge(lambda row: procedure(row["OPER"], row["HOSPCODE"])),
                {"SERVPRICE": money("priceOverride")},
                {"DATEOPD": date("occurrenceDateTime").put},
            ),
        ),
        _IPD,
        file_map("IRF", Part(FIRST, _referral, {"REFER": _other_facility()})),
        file_map("IDX", Part(FIRST, _condition, {"DRDX": licensed("recorder")})),
        file_map(
            "IOP",
            Part(
                FIRST,
                _operation,
                {"OPTYPE": coded("category", "cs-eclaim-procedure-type"), "DROPID": _OPERATOR},
                {
                    "DATEIN": date("performedDateTime").put,
                    "TIMEIN": time_of("performedDateTime").put,
                },
            ),
        ),
        file_map(
            "CHT",
            Part(
                FIRST,
                _claim,
                {
                    "DATE": date("created"),
                    "TOTAL": money("total"),
                    "PAID": extended("", "ex-claim-total-paid", money("valueMoney")),
                },
            ),
        ),
        file_map(
            "CHA",
            Part(FIRST, _charge(_charge_item), {"DATE": date("occurrenceDateTime"), "AMOUNT": money("priceOverride")}),
        ),
        file_map(
            "AER",
            Part(
                FIRST,
                _EMERGENCY,
                {
                    "AEDATE": date("effectiveDateTime"),
                    "AETIME": clock_of("effectiveDateTime"),
                    "UCAE": coded("valueCodeableConcept", "cs-eclaim-refer-type-eclaim"),
                },
            ),
        ),
        file_map(
            "ADP",
            Part(
                FIRST,
                _charge(_adp_code),
                {"QTY": numeric("quantity.value"), "RATE": money("priceOverride")},
                {"DATEOPD": date("occurrenceDateTime").put},
            ),
        ),
        file_map("LVD", Part(FIRST, _leave)),
        _DRU,
        file_map("LAB", Part(FIRST, _laboratory, {"LABRESULT": result()}, {"DATESERV": date("effectiveDateTime").put})),
    )
}
"""By file name."""
