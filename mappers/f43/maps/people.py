"""PERSON, ADDRESS, CARD, CHRONIC, DRUGALLERGY, DISABILITY, WOMEN, DEATH.

PERSON and ADDRESS are kept as the facility's own registration (a Basic each, all columns beside it): the Patient that
all facilities share is computed from the registrations (`mappers/identity.py`), so nobody overwrites another's words.
"""

from __future__ import annotations

from mappers.citizen_id import is_valid
from mappers.codes import TERMINOLOGY, coding, concept, displays, hl7, system
from mappers.coverage import contracted, coverage_type, fund
from mappers.diseases import diagnosis, disease
from mappers.f43.links import file_map, patient, row_reference
from mappers.f43.maps.shapes import PROVIDER, answers, component, counts, form, record
from mappers.lens import (
    Lens,
    choice,
    coded,
    coded_extension,
    date,
    ending,
    extended,
    identified,
    organization,
    reference,
    stamp,
    text,
    translated,
)
from mappers.links import CID, DISABILITY, Resource, Row, identifier
from mappers.medicine import drug
from mappers.part import FIRST, Part

_RELATIONS = {
    "father": ("FATHER", "FTH", "father"),
    "mother": ("MOTHER", "MTH", "mother"),
    "spouse": ("COUPLE", "SPS", "spouse"),
}
"""Part: column, v3-RoleCode, display."""


def _relation(name: str) -> Part:
    column, code, display = _RELATIONS[name]

    def base(row: Row) -> Resource:
        return {
            "resourceType": "RelatedPerson",
            "active": True,
            "patient": patient(row),
            "relationship": [concept(TERMINOLOGY + "v3-RoleCode", code, display)],
        }

    return Part(name, base, {column: identified(CID, "cid", is_valid)})


_REGISTRATION = record("PERSON", "person")

# --- CARD -----------------------------------------------------------------------------------------------------------


def _coverage(row: Row) -> Resource:
    payer = displays("cs-th-coverage-type")[fund(row["INSTYPE_NEW"])]
    return {
        "resourceType": "Coverage",
        "status": "active",
        "type": coverage_type(row["INSTYPE_NEW"]),
        "beneficiary": patient(row),
        "payor": [{"display": payer}],
    }


# --- CHRONIC, DISABILITY ----------------------------------------------------------------------------------------------


def _problem(row: Row) -> Resource:
    status = hl7("chronic-status").get(row.get("TYPEDISCH", ""), "active")
    if "DATE_DISCH" in row and status in ("active", "recurrence"):
        # What has an end is no longer active (invariant con-4); TYPEDISCH itself is kept in its extension.
        status = "inactive"
    return {
        "resourceType": "Condition",
        "clinicalStatus": concept(TERMINOLOGY + "condition-clinical", status),
        "verificationStatus": concept(TERMINOLOGY + "condition-ver-status", "confirmed"),
        "category": [concept(TERMINOLOGY + "condition-category", "problem-list-item", "Problem List Item")],
        "code": disease(row["CHRONIC"]),
        "subject": patient(row),
    }


_OVER = frozenset({"01", "02", "07", "10"})
"""TYPEDISCH that ends the care."""


def _episode(row: Row) -> Resource:
    problem = row_reference("Condition", "CHRONIC", row)
    return {
        "resourceType": "EpisodeOfCare",
        "status": "finished" if row.get("TYPEDISCH") in _OVER else "active",
        "type": [{"text": "คลินิกโรคเรื้อรัง"}],
        "diagnosis": [{"condition": problem}],
        "patient": patient(row),
    }


def _discharged(where: str) -> Lens:
    return coded_extension(where, "ex-condition-chronic-discharge-reason", "cs-thcc-chronic-discharge-reason")


def _disability(row: Row) -> Resource:
    list_id = "cs-thcc-disability-type"
    found = disease(row["DIAGCODE"]).get("coding", []) if "DIAGCODE" in row else []
    kind = coding(system(list_id), row["DISABTYPE"], displays(list_id).get(row["DISABTYPE"], ""))
    return {
        "resourceType": "Condition",
        "identifier": [identifier(DISABILITY, row["DISABID"], "disability")] if "DISABID" in row else [],
        "clinicalStatus": concept(TERMINOLOGY + "condition-clinical", "active"),
        "verificationStatus": concept(TERMINOLOGY + "condition-ver-status", "confirmed"),
        "category": [concept(TERMINOLOGY + "condition-category", "problem-list-item", "Problem List Item")],
        "code": {"coding": [kind, *found], "text": "ความพิการ"},
        "subject": patient(row),
    }


# --- DRUGALLERGY ------------------------------------------------------------------------------------------------------


def _allergy(row: Row) -> Resource:
    certainty = hl7("allergy-certainty").get(row.get("TYPEDX", ""), "unconfirmed")
    return {
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": concept(TERMINOLOGY + "allergyintolerance-clinical", "active", "Active"),
        "verificationStatus": concept(TERMINOLOGY + "allergyintolerance-verification", certainty),
        "category": ["medication"],
        "code": drug(row["HOSPCODE"], row["DRUGALLERGY"], row.get("DNAME", "")),
        "patient": patient(row),
    }


_ALLERGY = {
    "DATERECORD": date("recordedDate"),
    "DNAME": text("code.text"),
    "TYPEDX": coded_extension("", "ex-allergyintolerance-allergy-certainty", "cs-thcc-allergy-certainty"),
    "ALEVEL": coded_extension("", "ex-allergyintolerance-allergy-severity", "cs-thcc-allergy-severity").also(
        choice("criticality", "allergy-criticality")
    ),
    "SYMPTOM": coded("reaction.0.manifestation.0", "cs-thcc-allergy-manifest").also(
        translated("reaction.0.manifestation.0", "allergy-manifestation")
    ),
    "INFORMANT": coded_extension("", "ex-allergyintolerance-allergy-assert-type", "cs-thcc-allergy-assert-type"),
    "INFORMHOSP": extended("", "ex-allergyintolerance-allergy-assert-org", organization("valueReference")),
    "PROVIDER": reference("recorder", "Practitioner", "Provider"),
}

# --- DEATH ------------------------------------------------------------------------------------------------------------


_DEATH = form(
    "DEATH",
    "survey",
    "สาเหตุการตาย",
    {
        column: component("DEATH", column, diagnosis("valueCodeableConcept"))
        for column in ("CDEATH_A", "CDEATH_B", "CDEATH_C", "CDEATH_D", "ODISEASE")
    }
    | {
        "PDEATH": component("DEATH", "PDEATH", coded("valueCodeableConcept", "cs-thcc-death-location-type")),
        "PREGDEATH": component("DEATH", "PREGDEATH", coded("valueCodeableConcept", "cs-thcc-death-pregnancy")),
    },
    when="DDEATH",
    extra={"CDEATH": diagnosis("valueCodeableConcept"), "PROVIDER": PROVIDER},
)

MAPS = (
    file_map("PERSON", (*_REGISTRATION.parts, *map(_relation, _RELATIONS))),
    record("ADDRESS", "address"),
    file_map(
        "CARD",
        (
            Part(
                FIRST,
                _coverage,
                {
                    "INSID": text("subscriberId"),
                    "STARTDATE": date("period.start"),
                    "EXPIREDATE": ending("period", date),
                    "MAIN": contracted("primary"),
                    "SUB": contracted("secondary"),
                },
            ),
        ),
    ),
    file_map(
        "CHRONIC",
        (
            Part(
                FIRST,
                _problem,
                {
                    "DATE_DIAG": date("onsetDateTime"),
                    "DATE_DISCH": date("abatementDateTime"),
                    "TYPEDISCH": _discharged(""),
                },
                {"D_UPDATE": stamp("recordedDate").put},
            ),
            Part(
                "care",
                _episode,
                {"HOSP_RX": organization("managingOrganization")},
                {"DATE_DIAG": date("period.start").put, "DATE_DISCH": ending("period", date).put},
                always=True,
            ),
        ),
    ),
    file_map("DRUGALLERGY", (Part(FIRST, _allergy, _ALLERGY),)),
    file_map(
        "DISABILITY",
        (Part(FIRST, _disability, {"DATE_DISAB": date("onsetDateTime"), "DATE_DETECT": date("recordedDate")}),),
    ),
    file_map(
        "WOMEN",
        (
            form(
                "WOMEN",
                "survey",
                "ทะเบียนหญิงวัยเจริญพันธุ์",
                {
                    **answers(
                        "WOMEN", {"FPTYPE": "cs-thcc-contraceptive-method", "NOFPCAUSE": "cs-thcc-no-contraceptive"}
                    ),
                    **counts("WOMEN", "TOTALSON", "NUMBERSON", "ABORTION", "STILLBIRTH"),
                },
                when="",
                context={"D_UPDATE": stamp("effectiveDateTime").put},
            ),
        ),
    ),
    file_map("DEATH", (_DEATH,)),
)
