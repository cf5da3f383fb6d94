"""SERVICE, ADMISSION and APPOINTMENT: Encounters, their vital signs, what they cost, what was arranged next."""

from __future__ import annotations

from mappers.codes import TERMINOLOGY, coding, concept, hl7
from mappers.diseases import diagnosis
from mappers.f43.links import facility, file_map, patient, row_reference, stay, visit
from mappers.f43.maps.shapes import AT_VISIT
from mappers.lens import (
    EXTENSIONS,
    Lens,
    coded,
    coded_extension,
    date,
    ending,
    extended,
    look,
    money,
    organization,
    place,
    reference,
    stamp,
    text,
    time_of,
    translated,
)
from mappers.links import Resource, Row, identifier, local, logical
from mappers.observation import Setting, pressure, vital
from mappers.part import FIRST, Part

ACT = TERMINOLOGY + "v3-ActCode"
_CLASSES = {"AMB": "ambulatory", "FLD": "field", "VR": "virtual", "EMER": "emergency", "IMP": "inpatient encounter"}


def encounter_class(row: Row) -> str:
    """ActCode of a SERVICE row: by how the patient came (TYPEIN), and for an ordinary visit by where it was
    (SERVPLACE)."""
    came = hl7("visit-class").get(row.get("TYPEIN", ""), "AMB")
    return hl7("visit-place-class").get(row.get("SERVPLACE", ""), came) if came == "AMB" else came


def _encounter(row: Row) -> Resource:
    code = encounter_class(row)
    return {
        "resourceType": "Encounter",
        "identifier": [identifier(local(row["HOSPCODE"], "VN"), row["SEQ"], "localVn")],
        "status": "finished",
        "class": coding(ACT, code, _CLASSES[code]),
        "subject": patient(row),
        "serviceProvider": facility(row),
    }


def _place(resource: Resource, value: str, row: Row) -> None:
    """Encounter.location needs a location beside its extension."""
    words = {"1": "ในสถานบริการ", "2": "นอกสถานบริการ"}
    place(resource, ("location", 0, "location"), {"display": words.get(value, value)})


_REFERRED = {
    "REFERINHOSP": organization("hospitalization.origin"),
    "REFEROUTHOSP": organization("hospitalization.destination"),
    "CAUSEIN": coded_extension("", "ex-encounter-refer-purpose", "cs-thcc-refer-in-reason"),
    "CAUSEOUT": coded_extension("", "ex-encounter-refer-purpose", "cs-43plus-refer-reason"),
}
_DISPOSED = "hospitalization.dischargeDisposition"

_SERVICE = {
    "DATE_SERV": date("period.start"),
    "TIME_SERV": time_of("period.start"),
    "INTIME": coded_extension("period", "ex-encounter-service-hour", "cs-thcc-service-hour"),
    "LOCATION": coded_extension("subject", "ex-encounter-patient-location-type", "cs-thcc-patient-location-type"),
    "SERVPLACE": coded_extension(
        "location.0", "ex-encounter-service-location-type", "cs-pcu-service-location-type"
    ).also(_place),
    "CHIEFCOMP": text("reasonCode.0.text"),
    "TYPEIN": coded("hospitalization.admitSource", "cs-thcc-admit-source"),
    "TYPEOUT": coded_extension("hospitalization", "ex-encounter-discharge-status", "cs-thcc-discharge-status").also(
        translated(_DISPOSED, "discharge-opd")
    ),
    **_REFERRED,
}

# --- what it cost -----------------------------------------------------------------------------------------------------

_COSTS = {
    "PRICE": money("total"),
    "COST": extended("", "ex-claim-total-cost", money("valueMoney")),
    "PAYPRICE": extended("", "ex-claim-total-copay", money("valueMoney")),
    "ACTUALPAY": extended("", "ex-claim-total-paid", money("valueMoney")),
}


def claim(kind: str, display: str, row: Row) -> Resource:
    """The Claim of a visit or stay, without its sums. Claim.insurance names the CARD row of the same right."""
    card = {**row, "INSTYPE_NEW": row["INSTYPE"]} if "INSTYPE" in row else {}
    coverage = row_reference("Coverage", "CARD", card) if card else {"display": "ไม่ระบุสิทธิ"}
    whole = {"sequence": 1, "productOrService": {"text": "ค่าบริการทั้งครั้ง"}, "encounter": [stay(row) or visit(row)]}
    return {
        "resourceType": "Claim",
        "status": "active",
        "type": concept(TERMINOLOGY + "claim-type", kind, display),
        "use": "claim",
        "patient": patient(row),
        "provider": facility(row),
        "priority": concept(TERMINOLOGY + "processpriority", "normal", "Normal"),
        "insurance": [{"sequence": 1, "focal": True, "coverage": coverage}],
        "item": [whole],
    }


# --- ADMISSION --------------------------------------------------------------------------------------------------------


def _stay(row: Row) -> Resource:
    return {
        "resourceType": "Encounter",
        "identifier": [identifier(local(row["HOSPCODE"], "AN"), row["AN"], "localAn")],
        "status": "finished" if "DATETIME_DISCH" in row else "in-progress",
        "class": coding(ACT, "IMP", _CLASSES["IMP"]),
        "subject": patient(row),
        "serviceProvider": facility(row),
        "partOf": visit(row),
    }


def _left_from(resource: Resource, value: str, row: Row) -> None:
    """The ward of discharge, where it is another one."""
    if value != row.get("WARDADMIT"):
        ward = logical("Location", local(row["HOSPCODE"], "DepCode"), value)
        resource.setdefault("location", []).append({"location": ward})


_ADMISSION = {
    "DATETIME_ADMIT": stamp("period.start"),
    "DATETIME_DISCH": ending("period", stamp),
    "WARDADMIT": reference("location.0.location", "Location", "DepCode"),
    "TYPEIN": coded("hospitalization.admitSource", "cs-thcc-admit-source").also(
        translated("hospitalization.admitSource", "admit-source")
    ),
    "DISCHSTATUS": coded_extension(
        "hospitalization", "ex-encounter-ipd-discharge-status", "cs-thcc-ipd-discharge-status"
    ),
    "DISCHTYPE": coded_extension(
        "hospitalization", "ex-encounter-ipd-discharge-type", "cs-thcc-ipd-discharge-type"
    ).also(translated(_DISPOSED, "discharge-ipd")),
    **_REFERRED,
    "PROVIDER": reference("participant.0.individual", "Practitioner", "Provider"),
}

_DRG = EXTENSIONS + "ex-claim-ipd-drg"


def _drg(name: str) -> Lens:
    """A sub-extension of ex-claim-ipd-drg, all strings."""

    def put(resource: Resource, value: str, row: Row) -> None:
        entries = resource.setdefault("extension", [])
        found = next((entry for entry in entries if entry["url"] == _DRG), None)
        if found is None:
            found = {"url": _DRG, "extension": []}
            entries.append(found)
        found["extension"].append({"url": name, "valueString": value})

    def get(resource: Resource) -> str:
        for entry in resource.get("extension", ()):
            if entry["url"] == _DRG:
                return next((part.get("valueString", "") for part in entry["extension"] if part["url"] == name), "")
        return ""

    return Lens(put, get)


_GROUPED = {
    "DRG": _drg("drg"),
    "RW": _drg("rw"),
    "ADJRW": _drg("adjrw"),
    "ERROR": _drg("error"),
    "WARNING": _drg("warning"),
    "ACTLOS": _drg("los"),
    "GROUPER_VERSION": _drg("version"),
}
_ADMITTED = Setting(patient, stay, {"DATETIME_ADMIT": stamp("effectiveDateTime").put})

# --- APPOINTMENT ------------------------------------------------------------------------------------------------------


def _appointment(row: Row) -> Resource:
    return {
        "resourceType": "Appointment",
        # `proposed` alone may be without a time of day (invariant app-3), and the file has none.
        "status": "proposed",
        "participant": [{"actor": patient(row), "status": "needs-action"}],
    }


def _day(where: str) -> Lens:
    """The day of an appointment as the period that was asked for."""
    start = date(f"{where}.start")

    def put(resource: Resource, value: str, row: Row) -> None:
        if start.holds(value):
            start.put(resource, value, row)
            ending(where, date).put(resource, value, row)

    return start._replace(put=put)


def _attend(resource: Resource, value: str, row: Row) -> None:
    who = logical("Practitioner", local(row["HOSPCODE"], "Provider"), value)
    resource["participant"].append({"actor": who, "status": "needs-action"})


def _attending(resource: Resource) -> str:
    for participant in resource.get("participant", ()):
        if look(participant, ("actor", "type")) == "Practitioner":
            return str(look(participant, ("actor", "identifier", "value")) or "")
    return ""


MAPS = (
    file_map(
        "SERVICE",
        (
            Part(FIRST, _encounter, _SERVICE),
            vital("temperature", "BTEMP", AT_VISIT),
            pressure("SBP", "DBP", AT_VISIT),
            vital("pulse", "PR", AT_VISIT),
            vital("respiration", "RR", AT_VISIT),
            Part(
                "claim",
                lambda row: claim("professional", "Professional", row),
                _COSTS,
                {"DATE_SERV": date("created").put},
            ),
        ),
    ),
    file_map(
        "ADMISSION",
        (
            Part(FIRST, _stay, _ADMISSION, {"WARDDISCH": _left_from}),
            vital("weight", "ADMITWEIGHT", _ADMITTED),
            vital("height", "ADMITHEIGHT", _ADMITTED),
            Part(
                "claim",
                lambda row: claim("institutional", "Institutional", row),
                {**_COSTS, **_GROUPED},
                {"DATETIME_ADMIT": stamp("created").put},
            ),
        ),
    ),
    file_map(
        "APPOINTMENT",
        (
            Part(
                FIRST,
                _appointment,
                {
                    "DATE_SERV": date("created"),
                    "APDATE": _day("requestedPeriod.0"),
                    "APDIAG": diagnosis("reasonCode.0"),
                    "PROVIDER": Lens(_attend, _attending),
                },
                {"APTYPE": coded("serviceType.0", "cs-thcc-appoint-service-type").put},
            ),
        ),
    ),
)
