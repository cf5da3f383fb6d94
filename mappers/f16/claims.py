"""Claims out of FHIR: the rows of the seventeen files for one visit or admission.

A resource that once came as a row of a claim file leaves as that row. Every other is read through the lenses of
`maps.py`,
with keys and what no resource says (HN, PERSON_ID, CLINIC, licences) from the `Case`. Defaults that FDH expects where
FHIR says nothing are in `DEFAULTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

from fhir_profiles.canonical import CANONICAL
from mappers.address import area_code
from mappers.case import Case, number
from mappers.codes import ICD9CM, ICD10TM, LOINC, system
from mappers.diagnoses import role
from mappers.diseases import undotted
from mappers.f16.links import FAMILY
from mappers.f16.maps import MAPS
from mappers.f43.links import FAMILY as F43
from mappers.lens import code_of, look, number_text
from mappers.links import Resource, Row, local
from mappers.medicine import drug_code
from mappers.observation import VITALS
from mappers.part import FIRST, by_part, file_of, remainder
from mappers.patient import HL7
from terminology.conceptmaps.maps import from_hl7

ClaimRow = tuple[str, Row]

DEFAULTS = {"UUC": "1", "NATION": "099", "OPTYPE": "7"}
"""UUC 1: the right is used; NATION Thai; OPTYPE 7: individual data (from memory, unverified)."""

_PANEL = "85354-9"


_ONCE = frozenset({"INS", "PAT", "OPD", "IPD", "ORF", "IRF", "CHT"})
"""Files with one row a case: what came as a row is not computed a second time."""


def claim_rows(case: Case) -> Iterator[ClaimRow]:
    """(file name, non-empty columns): what came as claim rows first, then in the order of the files."""
    came = list(_as_they_came(case))
    yield from came
    seen = {file for file, _ in came} & _ONCE
    others = [r for r in case.resources if r["resourceType"] == "Coverage" or not _claim_row(r)]
    rest = replace(case, resources=others)
    for write in _WRITERS:
        for file, row in write(rest):
            if file not in seen:
                yield file, {column: text for column, text in row.items() if text}


def _claim_row(resource: Resource) -> bool:
    prefix = f"{CANONICAL}/{FAMILY}/"
    return any(str(e.get("system", "")).startswith(prefix) for e in resource.get("identifier", ()))


def _as_they_came(case: Case) -> Iterator[ClaimRow]:
    """The rows of resources that were imported from claim files."""
    everything = [case.encounter, *case.resources]
    for file, file_map in MAPS.items():
        for parts in by_part(everything, file_map.system).values():
            if FIRST in parts:
                yield file, file_map.from_fhir(parts)


# --- keys and columns that every file has -----------------------------------------------------------------------------


def _keys(case: Case) -> Row:
    """HN with AN for an admission, with SEQ for a visit."""
    number_of = {"AN": case.an} if case.inpatient else {"SEQ": case.seq}
    return {"HOSPCODE": case.hcode, "HN": case.hn, **number_of}


def _read(file: str, resource: Resource, keys: Row, parts: dict[str, Resource] | None = None) -> Row:
    """The columns that the elements of a resource say, and the keys."""
    known = {name: text for name, text in keys.items() if text}
    return MAPS[file].read({FIRST: resource, **(parts or {})}, known, {})


def _day(moment: Any) -> str:
    return str(moment or "")[:10].replace("-", "")


# --- persons and rights ----------------------------------------------------------------------------------------------


def _insurance(case: Case) -> Iterator[ClaimRow]:
    if case.coverage is not None and case.fund:
        keys = {**_keys(case), "INSCL": case.fund}
        row = _read("INS", case.coverage, keys)
        yield "INS", {**row, **keys, "CID": case.cid, "HCODE": case.hcode, "PERMITNO": case.claim_code}


def _person(case: Case) -> Iterator[ClaimRow]:
    patient = case.patient
    name = (
        next((n for n in patient.get("name", ()) if n.get("use") == "official"), None)
        or look(patient, ("name", 0))
        or {}
    )
    given, family = " ".join(name.get("given", ())), name.get("family", "")
    title = " ".join(name.get("prefix", ()))
    code = area_code(look(patient, ("address", 0)))
    yield (
        "PAT",
        {
            "HCODE": case.hcode,
            "HN": case.hn,
            "CHANGWAT": code[:2],
            "AMPHUR": code[2:4],
            "DOB": f"{_day(patient.get('birthDate'))}0101"[:8] if patient.get("birthDate") else "",
            "SEX": from_hl7("sex").get(("http://hl7.org/fhir/administrative-gender", patient.get("gender", "")), ""),
            "MARRIAGE": code_of(patient.get("maritalStatus"), system("cs-thcc-marital")),
            "NATION": _nationality(patient) or DEFAULTS["NATION"],
            "PERSON_ID": case.cid,
            "NAMEPAT": f"{given} {family} , {title}" if given or family else "",
            "TITLE": title,
            "FNAME": given,
            "LNAME": family,
            "IDTYPE": "1" if case.cid else "",
        },
    )


def _nationality(patient: Resource) -> str:
    for extension in patient.get("extension", ()):
        if extension.get("url") == HL7 + "patient-nationality":
            return code_of(look(extension, ("extension", 0, "valueCodeableConcept")), system("cs-thcc-nationality"))
    return ""


# --- visits ----------------------------------------------------------------------------------------------------------


def _observations(case: Case) -> dict[str, Resource]:
    """Vital signs by the part of the visit that they are; the last of a kind counts."""
    codes = {VITALS[name][0]: name for name in VITALS} | {_PANEL: "pressure"}
    found = {}
    for resource in case.of("Observation"):
        if name := codes.get(code_of(resource.get("code"), LOINC)):
            found[name] = resource
    return found


def _visit(case: Case) -> Iterator[ClaimRow]:
    file = "IPD" if case.inpatient else "OPD"
    row = _read(file, case.encounter, _keys(case), _observations(case))
    ward = str(look(case.encounter, ("location", 0, "location", "identifier", "value")) or "")
    filled = {"UUC": DEFAULTS["UUC"]} | ({"WARDDSC": ward} if case.inpatient else {"OPTYPE": DEFAULTS["OPTYPE"]})
    filled["DEPT" if case.inpatient else "CLINIC"] = case.clinic
    yield file, {**filled, **row}


def _referrals(case: Case) -> Iterator[ClaimRow]:
    """From the Encounter: REFERTYPE 1 where it came from, 2 where it went to."""
    visited = _day(look(case.encounter, ("period", "start")))
    for kind, element in (("1", "origin"), ("2", "destination")):
        other = str(look(case.encounter, ("hospitalization", element, "identifier", "value")) or "")
        if not other:
            continue
        if case.inpatient:
            yield "IRF", {"AN": case.an, "REFER": other, "REFERTYPE": kind}
        else:
            when = {"DATEOPD": visited, "REFERDATE": visited, "CLINIC": case.clinic}
            yield "ORF", {**_keys(case), **when, "REFER": other, "REFERTYPE": kind}


def _diagnoses(case: Case) -> Iterator[ClaimRow]:
    visited = _day(look(case.encounter, ("period", "start")))
    found = list(case.of("Condition", _of_encounter))
    told = {undotted(each.get("code")) for each in found if role(each)}
    # One without a role says once more what another has diagnosed: the report of a notifiable disease.
    found = [each for each in found if role(each) or undotted(each.get("code")) not in told]
    first = "4" if any(role(each) == "1" for each in found) else "1"
    for rank, condition in enumerate(found):
        row = {
            "DIAG": undotted(condition.get("code")),
            "DXTYPE": role(condition) or (first if rank == 0 else "4"),
            "DRDX": case.licence(condition.get("recorder")),
        }
        if case.inpatient:
            yield "IDX", {"AN": case.an, **row}
        else:
            dated = {"DATEDX": _day(condition.get("recordedDate")) or visited, "CLINIC": case.clinic}
            yield "ODX", {**_keys(case), **dated, **row, "PERSON_ID": case.cid}


def _of_encounter(condition: Resource) -> bool:
    categories = [
        code
        for each in condition.get("category", ())
        for entry in each.get("coding", ())
        if (code := entry.get("code"))
    ]
    return "problem-list-item" not in categories


def _procedures(case: Case) -> Iterator[ClaimRow]:
    prices = _prices(case)
    for resource in case.of("Procedure", _claimable):
        performed = resource.get("performedDateTime") or look(resource, ("performedPeriod", "start"))
        oper = undotted(resource.get("code"))
        surgeon = case.licence(look(resource, ("performer", 0, "actor")))
        if case.inpatient:
            ended = look(resource, ("performedPeriod", "end")) or performed
            times = {
                "DATEIN": _day(performed),
                "TIMEIN": _clock(performed),
                "DATEOUT": _day(ended),
                "TIMEOUT": _clock(ended),
            }
            kind = code_of(resource.get("category"), system("cs-eclaim-procedure-type")) or "1"
            yield "IOP", {"AN": case.an, "OPER": oper, "OPTYPE": kind, "DROPID": surgeon, **times}
        else:
            day = {"DATEOPD": _day(performed), "CLINIC": case.clinic}
            price = {"DROPID": surgeon, "PERSON_ID": case.cid, "SERVPRICE": prices.get(("procedure", oper), "")}
            yield "OOP", {**_keys(case), **day, "OPER": oper, **price}


def _claimable(resource: Resource) -> bool:
    """Coded in ICD-9-CM or ICD-10-TM: nothing else can be claimed as an operation."""
    return bool(code_of(resource.get("code"), ICD9CM) or code_of(resource.get("code"), ICD10TM))


def _clock(moment: Any) -> str:
    return str(moment or "")[11:16].replace(":", "")


# --- money -----------------------------------------------------------------------------------------------------------


def _prices(case: Case) -> dict[tuple[str, str], str]:
    """Price of one piece, by (`procedure` or `drug`, code)."""
    found = {}
    for item in case.of("ChargeItem"):
        price = number_text(look(item, ("priceOverride", "value")))
        code = item.get("code")
        if medicine := drug_code(code):
            found["drug", medicine] = price
        elif code_of(code, ICD9CM) or code_of(code, ICD10TM):
            found["procedure", undotted(code)] = price
    return found


CATEGORIES = "123456789ABCDEFGHIJ"
"""Fee category 1-19 as the first character of CHRGITEM; the second is 1 for what is claimed (from memory beyond 16)."""


def _charge_item(code: Any) -> str:
    """CHRGITEM of a ChargeItem or Claim.item, "" where it is of no category."""
    if own := code_of(code, system("cs-eclaim-charge-item")):
        return own
    category = code_of(code, system("cs-th-fee-category"))
    return f"{CATEGORIES[int(category) - 1]}1" if category.isdigit() and 0 < int(category) <= len(CATEGORIES) else ""


def _charges(case: Case) -> dict[str, Decimal]:
    """Sum by CHRGITEM: of the ChargeItems, and where there are none of the items of the Claim."""
    sums: dict[str, Decimal] = {}
    for item in case.of("ChargeItem"):
        if kind := _charge_item(item.get("code")):
            sums[kind] = sums.get(kind, Decimal()) + _decimal(look(item, ("priceOverride", "value")))
    if not sums:
        for claim in case.of("Claim"):
            for entry in claim.get("item", ()):
                if kind := _charge_item(entry.get("productOrService")):
                    sums[kind] = sums.get(kind, Decimal()) + _decimal(look(entry, ("net", "value")))
    return sums


def _decimal(value: Any) -> Decimal:
    return Decimal(number_text(value) or "0")


def _baht(value: Decimal) -> str:
    return f"{value:.2f}"


def _bills(case: Case) -> Iterator[ClaimRow]:
    keys = {**_keys(case), "DATE": _day(look(case.encounter, ("period", "start"))), "PERSON_ID": case.cid}
    if case.inpatient:
        keys["DATE"] = _day(look(case.encounter, ("period", "end"))) or keys["DATE"]
    sums = _charges(case)
    claim = next(case.of("Claim"), None)
    total = _decimal(look(claim, ("total", "value"))) or sum(sums.values(), Decimal())
    if claim is not None or sums:
        paid = MAPS["CHT"].homes["PAID"][1].get(claim) if claim is not None else ""
        invoice = number(claim or {}, local(case.hcode, "Inv"))
        yield "CHT", {**keys, "TOTAL": _baht(total), "PAID": paid or "0.00", "PTTYPE": case.fund, "INVOICE_NO": invoice}
    for kind, amount in sums.items():
        yield "CHA", {**keys, "CHRGITEM": kind, "AMOUNT": _baht(amount)}


def _extras(case: Case) -> Iterator[ClaimRow]:
    """ADP: what is claimed by the lists of the fund."""
    for item in case.of("ChargeItem"):
        code = code_of(item.get("code"), local(case.hcode, "Adp"))
        kind = code_of(item.get("code"), system("cs-eclaim-adp-type"))
        if code and kind:
            keys = {**_keys(case), "TYPE": kind, "CODE": code, "DATEOPD": _day(item.get("occurrenceDateTime"))}
            row = _read("ADP", item, keys)
            total = _decimal(row.get("QTY")) * _decimal(row.get("RATE"))
            yield "ADP", {"TOTAL": _baht(total) if total else "", **row}


def _medicines(case: Case) -> Iterator[ClaimRow]:
    prices = _prices(case)
    for dispense in case.of("MedicationDispense"):
        code = dispense.get("medicationCodeableConcept")
        own = code_of(code, local(case.hcode, "Drug"))
        national = drug_code(code)
        keys = {**_keys(case), "DID": own or national, "DATE_SERV": _day(_handed(dispense))}
        row = _read("DRU", dispense, keys)
        price = prices.get(("drug", national), "")
        total = _decimal(row.get("AMOUNT")) * _decimal(price)
        known = {
            "HCODE": case.hcode,
            "CLINIC": case.clinic,
            "PERSON_ID": case.cid,
            "DIDSTD": national if len(national) == 24 else "",
            "DRUGPRICE": price,
            # FHIR has no element for it: it stands beside what a drug row of the 43 files says.
            "DRUGCOST": remainder(dispense, F43).get("DRUGCOST", ""),
            "TOTAL": _baht(total) if total else "",
            "USE_STATUS": _use(case, dispense),
            "PROVIDER": case.licence(look(dispense, ("performer", 0, "actor"))),
        }
        yield "DRU", {**known, **row}


def _handed(dispense: Resource) -> Any:
    return dispense.get("whenHandedOver") or dispense.get("whenPrepared")


def _use(case: Case, dispense: Resource) -> str:
    """1 used in the hospital, 2 taken home (cs-eclaim-medication-category)."""
    category = look(dispense, ("category", "coding", 0, "code"))
    return "1" if category == "inpatient" else "2"


def _accident(case: Case) -> Iterator[ClaimRow]:
    for resource in case.of("Observation"):
        if file_of(resource, "f43") == "ACCIDENT":
            happened = resource.get("effectiveDateTime")
            kind = code_of(resource.get("valueCodeableConcept"), system("cs-thcc-accident-cause-group"))
            when = {"AEDATE": _day(happened), "AETIME": _clock(happened), "DATEOPD": _day(happened), "AETYPE": kind}
            yield "AER", {**_keys(case), **when, "UCAE": "A"}


def _laboratory(case: Case) -> Iterator[ClaimRow]:
    systems = (system("cs-thcc-2digit-lab"), system("cs-th-icd10tm-lab"), local(case.hcode, "LabItem"))
    told: list[Row] = []
    for resource in case.of("Observation"):
        test = next((code for url in systems if (code := code_of(resource.get("code"), url))), "")
        if test:
            keys = {
                **_keys(case),
                "SEQ": case.seq,
                "LABTEST": test,
                "DATESERV": _day(resource.get("effectiveDateTime")),
            }
            keys.pop("AN", None)
            row = {"HCODE": case.hcode, "PERSON_ID": case.cid, **_read("LAB", resource, keys)}
            # One test may stand in two files of the 43: the laboratory's and that of a screening.
            if row not in told:
                told.append(row)
                yield "LAB", row


_WRITERS: tuple[Callable[[Case], Iterator[ClaimRow]], ...] = (
    _insurance,
    _person,
    _visit,
    _referrals,
    _diagnoses,
    _procedures,
    _bills,
    _accident,
    _extras,
    _medicines,
    _laboratory,
)
