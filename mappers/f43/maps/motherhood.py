"""ANC, PRENATAL, LABOR, POSTNATAL, NEWBORN, NEWBORNCARE, FP: mother and child, a form each."""

from __future__ import annotations

from mappers.diseases import diagnosis
from mappers.f43.links import file_map, patient, visit
from mappers.f43.maps.shapes import (
    AT_VISIT,
    PLACE,
    PROVIDER,
    SERVED,
    answers,
    component,
    counts,
    dates,
    form,
    measures,
    texts,
)
from mappers.lens import Lens, coded, date, quantity, stamp, time_of, whole
from mappers.observation import Setting, loinc, observation, vital
from mappers.part import Part

_UPDATED = {"D_UPDATE": stamp("effectiveDateTime").put}
_BORN = {"BDATE": date("effectiveDateTime").put, "BTIME": time_of("effectiveDateTime").put}
_AT_BIRTH = Setting(patient, visit, _BORN)


def _last_period(file: str) -> dict[str, Lens]:
    """LMP and EDC as components with their LOINC codes."""
    day = date("valueDateTime")
    return {
        "LMP": component(file, "LMP", day, "8665-2", "Last menstrual period start date"),
        "EDC": component(file, "EDC", day, "11778-8", "Delivery date Estimated"),
    }


def _gravida(file: str) -> Lens:
    return component(file, "GRAVIDA", whole("valueInteger"), "11996-6", "[#] Pregnancies")


_PLACES = {
    "BPLACE": "cs-thcc-labor-location",
    "BTYPE": "cs-thcc-labor-procedure",
    "BDOCTOR": "cs-thcc-labor-performer-role",
}


def _birth_weight() -> Part:
    """In grams, as the file has it."""
    shape = observation(loinc("29463-7", "Body weight", "น้ำหนักแรกเกิด"), "vital-signs", _AT_BIRTH, "bodyweight")
    return Part("weight", shape, {"BWEIGHT": quantity("valueQuantity", "g", measured=True)}, _BORN)


MAPS = (
    file_map(
        "ANC",
        (
            form(
                "ANC",
                "exam",
                "ฝากครรภ์",
                {
                    "GRAVIDA": _gravida("ANC"),
                    "GA": component("ANC", "GA", quantity("valueQuantity", "wk"), "18185-9", "Gestational age"),
                    **counts("ANC", "ANCNO"),
                    **texts("ANC", "ANCRESULT"),
                },
                when="",
                extra={"PROVIDER": PROVIDER, "ANCPLACE": PLACE},
                context=SERVED,
            ),
            vital("weight", "WEIGHT", AT_VISIT),
        ),
    ),
    file_map(
        "PRENATAL",
        (
            form(
                "PRENATAL",
                "exam",
                "ประวัติการตั้งครรภ์",
                {
                    **_last_period("PRENATAL"),
                    **texts("PRENATAL", "VDRL_RESULT", "HB_RESULT", "HIV_RESULT", "THALASSEMIA"),
                    **dates("PRENATAL", "DATE_HCT"),
                    **measures("PRENATAL", {"HCT_RESULT": "%"}),
                },
                when="",
                extra={"PROVIDER": PROVIDER},
                context={**_UPDATED, "GRAVIDA": _gravida("PRENATAL").put},
            ),
            vital("height", "HEIGHT", Setting(patient, visit, _UPDATED)),
        ),
    ),
    file_map(
        "LABOR",
        (
            form(
                "LABOR",
                "procedure",
                "การคลอด",
                {
                    **_last_period("LABOR"),
                    "BRESULT": component("LABOR", "BRESULT", diagnosis("valueCodeableConcept")),
                    **answers("LABOR", _PLACES),
                    **counts("LABOR", "LBORN", "SBORN"),
                },
                when="BDATE",
                extra={"BHOSP": PLACE},
                context={"GRAVIDA": _gravida("LABOR").put},
            ),
        ),
    ),
    file_map(
        "POSTNATAL",
        (
            form(
                "POSTNATAL",
                "exam",
                "ดูแลมารดาหลังคลอด",
                {**dates("POSTNATAL", "BDATE"), **texts("POSTNATAL", "PPRESULT")},
                when="",
                extra={"PROVIDER": PROVIDER, "PPPLACE": PLACE},
                context={"PPCARE": date("effectiveDateTime").put, "GRAVIDA": _gravida("POSTNATAL").put},
            ),
        ),
    ),
    file_map(
        "NEWBORN",
        (
            form(
                "NEWBORN",
                "exam",
                "ทารกแรกเกิด",
                {
                    "GA": component("NEWBORN", "GA", quantity("valueQuantity", "wk"), "18185-9", "Gestational age"),
                    **answers("NEWBORN", _PLACES),
                    **counts("NEWBORN", "GRAVIDA", "BIRTHNO"),
                    **texts("NEWBORN", "ASPHYXIA", "VITK", "TSH"),
                    **measures("NEWBORN", {"TSHRESULT": "m[IU]/L"}),
                },
                when="BDATE",
                extra={"BTIME": time_of("effectiveDateTime"), "BHOSP": PLACE},
            ),
            _birth_weight(),
            vital("height", "LENGTH", _AT_BIRTH),
            vital("head", "HEADCIRCUM", _AT_BIRTH),
        ),
    ),
    file_map(
        "NEWBORNCARE",
        (
            form(
                "NEWBORNCARE",
                "exam",
                "ดูแลทารกหลังคลอด",
                {
                    **dates("NEWBORNCARE", "BDATE"),
                    **texts("NEWBORNCARE", "BCARERESULT"),
                    **answers("NEWBORNCARE", {"FOOD": "cs-thcc-newborn-food"}),
                },
                when="",
                extra={"PROVIDER": PROVIDER, "BCPLACE": PLACE},
                context={"BCARE": date("effectiveDateTime").put},
            ),
        ),
    ),
    file_map(
        "FP",
        (
            form(
                "FP",
                "survey",
                "วางแผนครอบครัว",
                {},
                when="",
                extra={"PROVIDER": PROVIDER, "FPPLACE": PLACE},
                context={**SERVED, "FPTYPE": coded("valueCodeableConcept", "cs-thcc-contraceptive-method").put},
            ),
        ),
    ),
)
