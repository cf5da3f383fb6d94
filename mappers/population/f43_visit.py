"""Rows of the 43 files about one visit: SERVICE or ADMISSION and everything that hangs on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from mappers.population.clinic import DRUGS, PROCEDURES, TESTS
from mappers.population.f43_person import Row, day, drug_code, hn_at, icd, pid_at, stamp
from mappers.population.model import Admission, Charge, Person, Visit

Common = dict[str, str]

_COPAY = {"UCS": 0.0, "SSS": 0.0, "OFC": 0.0}
_CHARGE_43 = {"11": "01", "41": "04", "71": "07", "B1": "11", "C1": "12", "I1": "16"}
"""Charge items of e-Claim to the fee category 01-16 that CHARGEITEM carries (from memory, unverified)."""


def visit_rows(person: Person, visit: Visit) -> Iterator[Row]:
    """Every row the visit leaves; keys and CID included."""
    closed = visit.start + timedelta(minutes=visit.minutes)
    common = {"HOSPCODE": visit.hcode, "PID": pid_at(person, visit.hcode), "D_UPDATE": stamp(closed), "CID": person.cid}
    at_visit = {**common, "SEQ": visit.seq, "DATE_SERV": day(visit.start), "PROVIDER": visit.provider.code}
    yield "SERVICE", {**common, **_service(person, visit)}
    for write in _WRITERS:
        yield from write(person, visit, at_visit)
    if stay := visit.admission:
        yield from _admission(person, visit, stay, {**common, "PROVIDER": visit.provider.code})


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _service(person: Person, visit: Visit) -> dict[str, str]:
    vitals = visit.vitals
    price = sum(charge.amount for charge in visit.charges)
    return {
        "HN": hn_at(person, visit.hcode),
        "SEQ": visit.seq,
        "DATE_SERV": day(visit.start),
        "TIME_SERV": visit.start.strftime("%H%M%S"),
        "LOCATION": "1",
        "INTIME": "1" if visit.start.hour < 16 else "2",
        "INSTYPE": person.right.instype,
        "INSID": person.right.number,
        "MAIN": person.right.main,
        "HSUB": person.right.sub,
        "TYPEIN": visit.type_in,
        "CHIEFCOMP": visit.complaint,
        "SERVPLACE": "2" if visit.kind == "screening" else "1",
        "BTEMP": "" if vitals.temperature is None else f"{vitals.temperature:.1f}",
        "SBP": _number(vitals.systolic),
        "DBP": _number(vitals.diastolic),
        "PR": _number(vitals.pulse),
        "RR": _number(vitals.respiration),
        "TYPEOUT": visit.type_out,
        "REFEROUTHOSP": visit.referral.to if visit.referral else "",
        "CAUSEOUT": visit.referral.reason if visit.referral else "",
        "COST": f"{price * 0.8:.2f}",
        "PRICE": f"{price:.2f}",
        "PAYPRICE": f"{price * _COPAY[person.right.fund]:.2f}",
        "ACTUALPAY": "0.00",
    }


def _diagnoses(person: Person, visit: Visit, common: Common) -> Iterator[Row]:
    for diagnosis in visit.diagnoses:
        yield (
            "DIAGNOSIS_OPD",
            {**common, "DIAGTYPE": diagnosis.role, "DIAGCODE": icd(diagnosis.code), "CLINIC": visit.clinic},
        )


def _drugs(person: Person, visit: Visit, common: Common) -> Iterator[Row]:
    for drug in visit.drugs:
        medicine = DRUGS[drug.key]
        yield (
            "DRUG_OPD",
            {
                **common,
                "CLINIC": visit.clinic,
                "DIDSTD": drug_code(drug.key),
                "DNAME": medicine.name,
                "AMOUNT": str(drug.amount),
                "UNIT_PACKING": medicine.unit,
                "DRUGPRICE": f"{medicine.price:.2f}",
                "DRUGCOST": f"{medicine.price * 0.8:.2f}",
            },
        )


def _procedures(person: Person, visit: Visit, common: Common) -> Iterator[Row]:
    for code in visit.procedures:
        price = f"{PROCEDURES[code][1]:.2f}"
        yield "PROCEDURE_OPD", {**common, "CLINIC": visit.clinic, "PROCEDCODE": icd(code), "SERVICEPRICE": price}


def _charge(charge: Charge, person: Person) -> dict[str, str]:
    return {
        "CHARGEITEM": _CHARGE_43[charge.item],
        "CHARGELIST": "000000",
        "QUANTITY": "1",
        "INSTYPE": person.right.instype,
        "COST": f"{charge.amount * 0.8:.2f}",
        "PRICE": f"{charge.amount:.2f}",
        "PAYPRICE": "0.00",
    }


def _charges(person: Person, visit: Visit, common: Common) -> Iterator[Row]:
    shared = {k: v for k, v in common.items() if k != "PROVIDER"}
    for charge in visit.charges:
        yield "CHARGE_OPD", {**shared, "CLINIC": visit.clinic, **_charge(charge, person)}


def _labs(person: Person, visit: Visit, common: Common) -> Iterator[Row]:
    for lab in visit.labs:
        test = TESTS[lab.key]
        if test.labtest:
            value = f"{lab.value:.{test.decimals}f}" if isinstance(lab.value, float) else str(lab.value)
            yield "LABFU", {**common, "LABTEST": test.labtest, "LABRESULT": value, "LABPLACE": visit.hcode}


def _follow_up(person: Person, visit: Visit, common: Common) -> Iterator[Row]:
    if visit.follow_up:
        vitals = visit.vitals
        body = {"WEIGHT": _number(vitals.weight), "HEIGHT": _number(vitals.height), "WAIST_CM": _number(vitals.waist)}
        pressure = {"SBP": _number(vitals.systolic), "DBP": _number(vitals.diastolic)}
        yield "CHRONICFU", {**common, **body, **pressure, "FOOT": "1", "RETINA": "8", "CHRONICFUPLACE": visit.hcode}


def _screening(person: Person, visit: Visit, common: Common) -> Iterator[Row]:
    if answers := visit.screening:
        vitals = visit.vitals
        yield (
            "NCDSCREEN",
            {
                **common,
                "SERVPLACE": "2",
                "SMOKE": answers.smoke,
                "ALCOHOL": answers.alcohol,
                "DMFAMILY": answers.dm_family,
                "HTFAMILY": answers.ht_family,
                "WEIGHT": _number(vitals.weight),
                "HEIGHT": _number(vitals.height),
                "WAIST_CM": _number(vitals.waist),
                "SBP_1": _number(vitals.systolic),
                "DBP_1": _number(vitals.diastolic),
                "BSLEVEL": str(answers.sugar),
                "BSTEST": "3",
                "SCREENPLACE": visit.hcode,
            },
        )


def _prevention(person: Person, visit: Visit, common: Common) -> Iterator[Row]:
    for vaccination in visit.vaccinations:
        yield "EPI", {**common, "VACCINETYPE": vaccination.code, "VACCINEPLACE": visit.hcode}
    if care := visit.antenatal:
        numbers = {"GRAVIDA": str(care.gravida), "ANCNO": str(care.number), "GA": str(care.weeks)}
        weight = {"ANCRESULT": care.result, "ANCPLACE": visit.hcode, "WEIGHT": _number(visit.vitals.weight)}
        yield "ANC", {**common, **numbers, **weight}
    if visit.kind == "child":
        vitals = visit.vitals
        body = {"WEIGHT": _number(vitals.weight), "HEIGHT": _number(vitals.height)}
        grown = {"HEADCIRCUM": _number(round(vitals.head)) if vitals.head else "", "CHILDDEVELOP": "1", "FOOD": "1"}
        yield "NUTRITION", {**common, **body, **grown, "NUTRITIONPLACE": visit.hcode, "BOTTLE": "2"}


def _specials(person: Person, visit: Visit, common: Common) -> Iterator[Row]:
    """Files that only some diseases or ages lead to."""
    codes = {diagnosis.code for diagnosis in visit.diagnoses}
    if "W01.0" in codes:
        moment = {k: v for k, v in common.items() if k not in ("DATE_SERV", "PROVIDER")}
        cause = {"AETYPE": "02", "AEPLACE": "01", "TYPEIN_AE": "1", "ALCOHOL": "2", "NACROTIC_DRUG": "2"}
        aid = {"AIRWAY": "3", "STOPBLEED": "1", "SPLINT": "3", "FLUID": "3", "URGENCY": "5"}
        yield "ACCIDENT", {**moment, "DATETIME_SERV": stamp(visit.start), **cause, **aid}
    if "K02.9" in codes:
        teeth = {"PTEETH": "28", "PCARIES": "2", "DTEETH": "0"}
        yield "DENTAL", {**common, "DENTTYPE": "5", "SERVPLACE": "1", **teeth, "NPROSTHESIS": "4", "GUM": "000000"}
    if "A97.9" in codes:
        place = person.household.village.vid
        where = {"ILLVILLAGE": place[6:], "ILLTAMBON": place[4:6], "ILLAMPUR": place[2:4], "ILLCHANGWAT": place[:2]}
        ill = {"ILLDATE": day(visit.start - timedelta(days=4)), "DIAGCODE": "A979", "CODE506": "66", "PTSTATUS": "2"}
        yield "SURVEILLANCE", {**common, **ill, **where}
    if visit.kind == "screening" and person.age(visit.start.date()) >= 60:
        score = {"FUNCTIONAL_TEST": "01", "TESTRESULT": "20", "DEPENDENT": "1"}
        yield "FUNCTIONAL", {**common, **score}
        yield "SPECIALPP", {**common, "SERVPLACE": "2", "PPSPECIAL": "1B1200", "PPSPLACE": visit.hcode}
        yield "COMMUNITY_SERVICE", {**common, "COMSERVICE": "1A000"}
    if "93.39" in visit.procedures:
        yield "REHABILITATION", {**common, "REHABCODE": "5849651", "REHABPLACE": visit.hcode}


def _plans(person: Person, visit: Visit, common: Common) -> Iterator[Row]:
    if plan := visit.appointment:
        planned = {"APDATE": day(plan.day), "APTYPE": plan.kind, "APDIAG": icd(plan.diagnosis)}
        yield "APPOINTMENT", {**common, "CLINIC": visit.clinic, **planned}
    if refer := visit.referral:
        key = {"HOSPCODE": visit.hcode, "REFERID": refer.number, "D_UPDATE": common["D_UPDATE"]}
        yield (
            "REFER_HISTORY",
            {
                **key,
                "PID": common["PID"],
                "SEQ": visit.seq,
                "AN": visit.admission.an if visit.admission else "",
                "DATETIME_SERV": stamp(visit.start),
                "DATETIME_REFER": stamp(visit.start + timedelta(minutes=visit.minutes)),
                "CLINIC_REFER": visit.clinic,
                "HOSP_DESTINATION": refer.to,
                "CHIEFCOMP": visit.complaint,
                "DIAGLAST": icd(refer.diagnosis),
                "PSTATUS": "รู้สึกตัวดี",
                "PTYPE": "1",
                "EMERGENCY": refer.emergency,
                "CAUSEOUT": refer.reason,
                "PROVIDER": visit.provider.code,
            },
        )
        yield "CARE_REFER", {**key, "CARETYPE": "3"}


_WRITERS: tuple[Callable[[Person, Visit, Common], Iterator[Row]], ...] = (
    _diagnoses,
    _drugs,
    _procedures,
    _charges,
    _labs,
    _follow_up,
    _screening,
    _prevention,
    _specials,
    _plans,
)


def _admission(person: Person, visit: Visit, stay: Admission, common: Common) -> Iterator[Row]:
    price = sum(charge.amount for charge in visit.charges)
    key = {**common, "AN": stay.an, "DATETIME_ADMIT": stamp(stay.admitted)}
    yield (
        "ADMISSION",
        {
            **key,
            "SEQ": visit.seq,
            "WARDADMIT": stay.ward,
            "INSTYPE": person.right.instype,
            "TYPEIN": visit.type_in,
            "ADMITWEIGHT": _number(visit.vitals.weight),
            "ADMITHEIGHT": _number(visit.vitals.height),
            "DATETIME_DISCH": stamp(stay.discharged),
            "WARDDISCH": stay.ward,
            "DISCHSTATUS": stay.status,
            "DISCHTYPE": stay.kind,
            "REFEROUTHOSP": visit.referral.to if visit.referral else "",
            "CAUSEOUT": visit.referral.reason if visit.referral else "",
            "COST": f"{price * 0.8:.2f}",
            "PRICE": f"{price:.2f}",
            "PAYPRICE": "0.00",
            "ACTUALPAY": "0.00",
            "DRG": stay.drg,
            "RW": f"{stay.weight:.4f}",
            "ADJRW": f"{stay.weight:.4f}",
        },
    )
    for diagnosis in visit.diagnoses:
        named = {"DIAGTYPE": diagnosis.role, "DIAGCODE": icd(diagnosis.code)}
        yield "DIAGNOSIS_IPD", {**key, "WARDDIAG": stay.ward, **named}
    for drug in visit.drugs:
        medicine = DRUGS[drug.key]
        dates = {"DATESTART": day(stay.admitted), "DATEFINISH": day(stay.discharged)}
        item = {"TYPEDRUG": "1", "DIDSTD": drug_code(drug.key), "DNAME": medicine.name, "AMOUNT": str(drug.amount)}
        prices = {"UNIT_PACKING": medicine.unit, "DRUGPRICE": f"{medicine.price:.2f}"}
        yield "DRUG_IPD", {**key, "WARDSTAY": stay.ward, **item, **dates, **prices}
    for code in visit.procedures:
        times = {"TIMESTART": stamp(stay.admitted + timedelta(hours=2))}
        price_text = f"{PROCEDURES[code][1]:.2f}"
        yield (
            "PROCEDURE_IPD",
            {**key, "WARDSTAY": stay.ward, "PROCEDCODE": icd(code), **times, "SERVICEPRICE": price_text},
        )
    shared = {k: v for k, v in key.items() if k != "PROVIDER"}
    for charge in visit.charges:
        yield "CHARGE_IPD", {**shared, "WARDSTAY": stay.ward, **_charge(charge, person)}
