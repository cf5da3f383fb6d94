"""LABFU, CHRONICFU, NCDSCREEN, EPI, NUTRITION, DENTAL, FUNCTIONAL, ICF, SPECIALPP, COMMUNITY_*."""

from __future__ import annotations

from typing import Any

from mappers.codes import UCUM, coding, concept, displays, system
from mappers.f43.links import file_map, patient, visit
from mappers.f43.maps.shapes import (
    AT_VISIT,
    PLACE,
    PROVIDER,
    SERVED,
    answers,
    component,
    counts,
    form,
    record,
    texts,
)
from mappers.laboratory import laboratory_code, result
from mappers.lens import (
    Lens,
    canonical_number,
    coded,
    date,
    listed,
    look,
    number,
    number_text,
    text,
    translated,
)
from mappers.links import Resource, Row
from mappers.observation import loinc, observation, pressure, vital
from mappers.part import FIRST, Part

# --- LABFU ------------------------------------------------------------------------------------------------------------

_RESULTS = observation({"coding": []}, "laboratory", AT_VISIT)


def _laboratory(row: Row) -> Resource:
    return {**_RESULTS(row), "code": laboratory_code(row["HOSPCODE"], row["LABTEST"])}


# --- NCDSCREEN --------------------------------------------------------------------------------------------------------


_SUGAR = {"1": "01", "2": "02", "3": "03", "4": "04"}
"""BSTEST to the two-digit LABTEST of the same test."""


def _sugar(row: Row) -> Resource:
    code = laboratory_code(row["HOSPCODE"], _SUGAR.get(row.get("BSTEST", ""), "04"))
    return {**_RESULTS(row), "code": code}


def _milligrams() -> Lens:
    def put(resource: Resource, value: str, row: Row) -> None:
        if digits := canonical_number(value):
            resource["valueQuantity"] = {"value": number(digits), "unit": "mg/dL", "system": UCUM, "code": "mg/dL"}

    return Lens(put, lambda resource: number_text(look(resource, ("valueQuantity", "value"))), canonical_number)


_NCDSCREEN = file_map(
    "NCDSCREEN",
    (
        form(
            "NCDSCREEN",
            "survey",
            "คัดกรองโรคเบาหวานและความดันโลหิตสูง",
            {
                **texts("NCDSCREEN", "DMFAMILY", "HTFAMILY"),
                **answers(
                    "NCDSCREEN", {"BSTEST": "cs-thcc-ncd-fbs-method", "SERVPLACE": "cs-pcu-service-location-type"}
                ),
            },
            when="",
            extra={"PROVIDER": PROVIDER, "SCREENPLACE": PLACE},
            context=SERVED,
        ),
        Part(
            "smoking",
            observation(loinc("72166-2", "Tobacco smoking status", "การสูบบุหรี่"), "social-history", AT_VISIT),
            {
                "SMOKE": coded("valueCodeableConcept", "cs-thcc-ncd-smoking").also(
                    translated("valueCodeableConcept", "smoking")
                )
            },
            SERVED,
        ),
        Part(
            "alcohol",
            observation(loinc("11331-6", "History of Alcohol use", "การดื่มสุรา"), "social-history", AT_VISIT),
            {"ALCOHOL": coded("valueCodeableConcept", "cs-thcc-ncd-alchohol")},
            SERVED,
        ),
        vital("weight", "WEIGHT", AT_VISIT),
        vital("height", "HEIGHT", AT_VISIT),
        vital("waist", "WAIST_CM", AT_VISIT),
        pressure("SBP_1", "DBP_1", AT_VISIT),
        pressure("SBP_2", "DBP_2", AT_VISIT, "pressure2"),
        Part("sugar", _sugar, {"BSLEVEL": _milligrams()}, SERVED),
    ),
)

# --- EPI, and services as procedures ----------------------------------------------------------------------------------

VACCINES = {
    "010": "19", "011": "19", "041": "08", "042": "08", "043": "08", "091": "198", "092": "198", "093": "198",
    "D21": "198",
    "D22": "198", "D23": "198", "081": "02", "082": "02", "083": "02", "084": "02", "085": "02", "401": "10",
    "061": "03",
    "073": "03", "031": "01", "032": "01", "033": "01", "034": "01", "035": "01", "106": "139", "815": "88", "CP1":
    "208",
    "CP2": "208", "CP3": "208", "CM1": "207", "CM2": "207", "CM3": "207", "CA1": "210", "CA2": "210", "CA3": "210",
    "CJ1": "212",
}  # fmt: skip
"""VACCINETYPE to CVX (http://hl7.org/fhir/sid/cvx), where the product is clear. From memory."""


def _immunization(row: Row) -> Resource:
    code = row["VACCINETYPE"]
    codings = [coding(system("cs-thcc-vaccine-code"), code, displays("cs-thcc-vaccine-code").get(code, ""))]
    if code in VACCINES:
        codings.append(coding("http://hl7.org/fhir/sid/cvx", VACCINES[code]))
    return {
        "resourceType": "Immunization",
        "status": "completed",
        "vaccineCode": {"coding": codings},
        "patient": patient(row),
        "encounter": visit(row),
        "primarySource": row.get("VACCINEPLACE", row["HOSPCODE"]) == row["HOSPCODE"],
    }


def _service(list_id: str, column: str, category: str) -> Any:
    def base(row: Row) -> Resource:
        code = row[column]
        display = displays(list_id).get(code, "")
        return {
            "resourceType": "Procedure",
            "status": "completed",
            "category": {"text": category},
            "code": concept(system(list_id), code, display),
            "subject": patient(row),
            "encounter": visit(row),
        }

    return base


_ACTOR = listed("performer", "Practitioner", "Provider", "actor")
_ACTING_PLACE = listed("performer", "Organization", "", "actor")
_PERFORMED = {"DATE_SERV": date("performedDateTime").put}

# --- ICF --------------------------------------------------------------------------------------------------------------


def _function(row: Row) -> Resource:
    code = row["ICF"]
    display = displays("cs-int-icf").get(code, "")
    icf = concept(system("cs-int-icf"), code, display)
    return {**_ICF(row), "code": icf}


_ICF = observation({"coding": []}, "exam", AT_VISIT)

_TEETH = [
    "PTEETH",
    "PCARIES",
    "PFILLING",
    "PEXTRACT",
    "DTEETH",
    "DCARIES",
    "DFILLING",
    "DEXTRACT",
    "NEED_SEALANT",
    "NEED_PFILLING",
    "NEED_DFILLING",
    "NEED_PEXTRACT",
    "NEED_DEXTRACT",
    "PERMANENT_PERMANENT",
    "PERMANENT_PROSTHESIS",
    "PROSTHESIS_PROSTHESIS",
]

MAPS = (
    file_map(
        "LABFU",
        (
            Part(
                FIRST,
                _laboratory,
                {
                    "DATE_SERV": date("effectiveDateTime"),
                    "LABRESULT": result(),
                    "PROVIDER": PROVIDER,
                    "LABPLACE": PLACE,
                },
            ),
        ),
    ),
    file_map(
        "CHRONICFU",
        (
            form(
                "CHRONICFU",
                "survey",
                "ติดตามผู้ป่วยโรคเรื้อรัง",
                answers("CHRONICFU", {"FOOT": "cs-thcc-ncd-foot-exam", "RETINA": "cs-thcc-ncd-retina-exam"}),
                extra={"PROVIDER": PROVIDER, "CHRONICFUPLACE": PLACE},
            ),
            vital("weight", "WEIGHT", AT_VISIT),
            vital("height", "HEIGHT", AT_VISIT),
            vital("waist", "WAIST_CM", AT_VISIT),
            pressure("SBP", "DBP", AT_VISIT),
        ),
    ),
    _NCDSCREEN,
    file_map(
        "EPI",
        (
            Part(
                FIRST,
                _immunization,
                {"PROVIDER": _ACTOR, "VACCINEPLACE": _ACTING_PLACE},
                {"DATE_SERV": date("occurrenceDateTime").put},
            ),
        ),
    ),
    file_map(
        "NUTRITION",
        (
            form(
                "NUTRITION",
                "survey",
                "ภาวะโภชนาการและพัฒนาการเด็ก",
                {
                    **answers("NUTRITION", {"CHILDDEVELOP": "cs-thcc-child-dev-level", "FOOD": "cs-thcc-child-food"}),
                    **texts("NUTRITION", "BOTTLE"),
                },
                when="",
                extra={"PROVIDER": PROVIDER, "NUTRITIONPLACE": PLACE},
                context=SERVED,
            ),
            vital("weight", "WEIGHT", AT_VISIT),
            vital("height", "HEIGHT", AT_VISIT),
            vital("head", "HEADCIRCUM", AT_VISIT),
        ),
    ),
    file_map(
        "DENTAL",
        (
            form(
                "DENTAL",
                "exam",
                "ตรวจสุขภาพช่องปาก",
                {
                    **answers("DENTAL", {"SERVPLACE": "cs-pcu-service-location-type"}),
                    **texts(
                        "DENTAL",
                        "DENTTYPE",
                        "NEED_FLUORIDE",
                        "NEED_SCALING",
                        "NPROSTHESIS",
                        "GUM",
                        "SCHOOLTYPE",
                        "CLASS",
                    ),
                    **counts("DENTAL", *_TEETH),
                },
                extra={"PROVIDER": PROVIDER},
            ),
        ),
    ),
    file_map(
        "FUNCTIONAL",
        (
            form(
                "FUNCTIONAL",
                "survey",
                "ประเมินความสามารถในการดำเนินกิจวัตร",
                {
                    "TESTRESULT": component("FUNCTIONAL", "TESTRESULT", text("valueString")),
                    **answers("FUNCTIONAL", {"DEPENDENT": "cs-thcc-functional-conclusion"}),
                },
                when="",
                extra={"PROVIDER": PROVIDER},
                context={
                    **SERVED,
                    "FUNCTIONAL_TEST": coded("valueCodeableConcept", "cs-thcc-functional-test").put,
                },
            ),
        ),
    ),
    file_map(
        "ICF",
        (
            Part(
                FIRST,
                _function,
                {"DATE_SERV": date("effectiveDateTime"), "QUALIFIER": text("valueString"), "PROVIDER": PROVIDER},
            ),
        ),
    ),
    file_map(
        "SPECIALPP",
        (
            Part(
                FIRST,
                _service("cs-thcc-special-pp-service", "PPSPECIAL", "ส่งเสริมสุขภาพป้องกันโรคเฉพาะ"),
                {"PROVIDER": _ACTOR, "PPSPLACE": _ACTING_PLACE},
                _PERFORMED,
            ),
        ),
    ),
    file_map(
        "COMMUNITY_SERVICE",
        (
            Part(
                FIRST,
                _service("cs-thcc-community-service", "COMSERVICE", "บริการในชุมชน"),
                {"DATE_SERV": date("performedDateTime"), "PROVIDER": _ACTOR},
            ),
        ),
    ),
    record("COMMUNITY_ACTIVITY", "community-activity", of_person=False),
)
