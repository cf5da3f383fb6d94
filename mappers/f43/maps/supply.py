"""DRUG_* and CHARGE_*: what was handed out and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fhir_profiles.canonical import CANONICAL
from mappers.codes import coding, concept, displays, system
from mappers.f43.links import file_map, patient, stay, visit
from mappers.f43.maps.illness import price
from mappers.lens import Lens, date, ending, listed, money, numeric, stamp, text
from mappers.links import Resource, Row, local
from mappers.medicine import drug
from mappers.part import FIRST, Part

Encounter = Callable[[Row], dict[str, Any] | None]

CHARGE_ITEM = f"{CANONICAL}/CodeSystem/f43-chargeitem"
"""CHARGEITEM of CHARGE_*, two digits."""
_CATEGORY = "http://terminology.hl7.org/fhir/CodeSystem/medicationdispense-category"
_CATEGORIES = {"1": ("inpatient", "Inpatient"), "2": ("discharge", "Discharge")}
"""TYPEDRUG: 1 used in the ward, 2 taken home (from memory)."""


def _drug(row: Row) -> dict[str, Any]:
    return drug(row["HOSPCODE"], row["DIDSTD"], row.get("DNAME", ""))


def _dispense(encounter: Encounter) -> Callable[[Row], Resource]:
    def base(row: Row) -> Resource:
        kind = _CATEGORIES.get(row.get("TYPEDRUG", ""), ("outpatient", "Outpatient"))
        return {
            "resourceType": "MedicationDispense",
            "status": "completed",
            "category": concept(_CATEGORY, *kind),
            "medicationCodeableConcept": drug(row["HOSPCODE"], row["DIDSTD"]),
            "subject": patient(row),
            "context": encounter(row),
        }

    return base


def _named() -> Lens:
    """DNAME as the text of the drug, and as the display of its code."""
    home = text("medicationCodeableConcept.text")

    def put(resource: Resource, value: str, row: Row) -> None:
        home.put(resource, value, row)
        resource["medicationCodeableConcept"]["coding"][0].setdefault("display", value)

    return home._replace(put=put)


_SUPPLY = {
    "DNAME": _named(),
    "AMOUNT": numeric("quantity.value"),
    "UNIT_PACKING": text("quantity.unit"),
    "PROVIDER": listed("performer", "Practitioner", "Provider", "actor"),
}
_BOUNDS = "dosageInstruction.0.timing.repeat.boundsPeriod"
_PRICED = {"DRUGPRICE": money("priceOverride")}


def _charge_code(row: Row) -> dict[str, Any]:
    item, charge_list = row["CHARGEITEM"], row["CHARGELIST"]
    codings = [coding(CHARGE_ITEM, item), coding(local(row["HOSPCODE"], "ChargeList"), charge_list)]
    if category := displays("cs-th-fee-category").get(item.lstrip("0")):
        codings.insert(1, coding(system("cs-th-fee-category"), item.lstrip("0"), category))
    return {"coding": codings}


def _charge(encounter: Encounter) -> Callable[[Row], Resource]:
    def base(row: Row) -> Resource:
        return {
            "resourceType": "ChargeItem",
            "status": "billable",
            "code": _charge_code(row),
            "subject": patient(row),
            "context": encounter(row),
        }

    return base


_CHARGED = {"QUANTITY": numeric("quantity.value"), "PRICE": money("priceOverride")}

MAPS = (
    file_map(
        "DRUG_OPD",
        (
            Part(FIRST, _dispense(visit), {"DATE_SERV": date("whenHandedOver"), **_SUPPLY}),
            price(visit, _drug, _PRICED, {"DATE_SERV": date("occurrenceDateTime").put}),
        ),
    ),
    file_map(
        "DRUG_IPD",
        (
            Part(
                FIRST,
                _dispense(stay),
                {
                    "DATETIME_ADMIT": stamp("whenPrepared"),
                    "DATESTART": date(f"{_BOUNDS}.start"),
                    "DATEFINISH": ending(_BOUNDS, date),
                    **_SUPPLY,
                },
            ),
            price(stay, _drug, _PRICED, {"DATETIME_ADMIT": stamp("occurrenceDateTime").put}),
        ),
    ),
    file_map("CHARGE_OPD", (Part(FIRST, _charge(visit), {"DATE_SERV": date("occurrenceDateTime"), **_CHARGED}),)),
    file_map("CHARGE_IPD", (Part(FIRST, _charge(stay), {"DATETIME_ADMIT": stamp("occurrenceDateTime"), **_CHARGED}),)),
)
