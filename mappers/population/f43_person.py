"""Rows of the 43 files about places, staff and persons: what a facility registers before anybody falls ill."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from mappers.population.clinic import DRUGS
from mappers.population.model import Household, Person, Provider, Village
from mappers.population.places import HEALTH_CENTRE

Row = tuple[str, dict[str, str]]
"""File name and its non-empty columns."""


def day(value: date) -> str:
    return value.strftime("%Y%m%d")


def stamp(value: datetime) -> str:
    return value.strftime("%Y%m%d%H%M%S")


def icd(code: str) -> str:
    """ICD-10 as the files write it, without its dot."""
    return code.replace(".", "")


def drug_code(key: str) -> str:
    """A made-up 24-digit DIDSTD around the facility's drug code."""
    return f"99{DRUGS[key].code:0>22}"


def pid_at(person: Person, hcode: str) -> str:
    """Every facility numbers its people on its own."""
    return person.pid if hcode == HEALTH_CENTRE.hcode else f"8{person.pid}"


def hn_at(person: Person, hcode: str) -> str:
    return person.hn if hcode == HEALTH_CENTRE.hcode else f"H{person.hn}"


def provider(row: Provider) -> Row:
    return "PROVIDER", {
        "HOSPCODE": row.hcode,
        "PROVIDER": row.code,
        "REGISTERNO": row.licence,
        "COUNCIL": row.council,
        "CID": row.cid,
        "PRENAME": row.prename,
        "NAME": row.given,
        "LNAME": row.family,
        "SEX": row.sex,
        "BIRTH": day(row.birth),
        "PROVIDERTYPE": row.kind,
        "STARTDATE": day(row.start),
        "D_UPDATE": f"{day(row.start)}080000",
    }


def village(row: Village, hcode: str) -> Row:
    return "VILLAGE", {
        "HOSPCODE": hcode,
        "VID": row.vid,
        "NMONK": "4",
        "NTEMPLE": "1",
        "NSHOP": "3",
        "NPSCHOOL": "1",
        "LATITUDE": f"{row.latitude:.6f}",
        "LONGITUDE": f"{row.longitude:.6f}",
        "D_UPDATE": "20240115090000",
    }


def home(row: Household, hcode: str) -> Row:
    return "HOME", {
        "HOSPCODE": hcode,
        "HID": row.hid,
        "HOUSE_ID": row.house_id,
        "HOUSETYPE": "1",
        "HOUSE": row.house_number,
        **_village(row.village),
        "LATITUDE": f"{row.latitude:.6f}",
        "LONGITUDE": f"{row.longitude:.6f}",
        "NFAMILY": "1",
        "LOCATYPE": "2",
        "HEADID": row.members[0].pid if row.members else "",
        "TOILET": "1",
        "WATER": "1",
        "GARBAGE": "1",
        "D_UPDATE": "20240115090000",
    }


def person_rows(person: Person, hcode: str) -> Iterator[Row]:
    """PERSON, ADDRESS, CARD and what is known for life."""
    updated = stamp(person.updated)
    common = {"HOSPCODE": hcode, "PID": pid_at(person, hcode), "D_UPDATE": updated}
    yield "PERSON", {**common, **_demographics(person, hcode)}
    common["CID"] = person.cid
    yield "ADDRESS", {**common, **_address(person)}
    right = person.right
    yield (
        "CARD",
        {
            **common,
            "INSTYPE_NEW": right.instype,
            "INSID": right.number,
            "STARTDATE": day(right.start),
            "MAIN": right.main,
            "SUB": right.sub,
        },
    )
    for chronic in person.chronic:
        yield (
            "CHRONIC",
            {
                **common,
                "DATE_DIAG": day(chronic.diagnosed),
                "CHRONIC": icd(chronic.code),
                "HOSP_DX": right.main,
                "HOSP_RX": hcode,
                "TYPEDISCH": "03" if not person.death else "02",
            },
        )
    for allergy in person.allergies:
        yield (
            "DRUGALLERGY",
            {
                **common,
                "DATERECORD": day(allergy.recorded),
                "DRUGALLERGY": drug_code(allergy.drug),
                "DNAME": DRUGS[allergy.drug].name,
                "TYPEDX": allergy.certainty,
                "ALEVEL": allergy.severity,
                "SYMPTOM": allergy.symptom,
                "INFORMANT": "1",
                "INFORMHOSP": hcode,
            },
        )
    if person.sex == "2" and 15 <= person.age(person.updated.date()) < 50:
        yield from _women(person, common)
    if death := person.death:
        cause = icd(death.cause)
        yield (
            "DEATH",
            {**common, "DDEATH": day(death.day), "CDEATH_A": cause, "CDEATH": cause}
            | {"PDEATH": "1" if death.in_hospital else "2", "PREGDEATH": "4" if person.sex == "1" else "3"},
        )


def _demographics(person: Person, hcode: str) -> dict[str, str]:
    death = person.death
    return {
        "CID": person.cid,
        "HID": person.household.hid,
        "PRENAME": person.prename,
        "NAME": person.given,
        "LNAME": person.family,
        "HN": hn_at(person, hcode),
        "SEX": person.sex,
        "BIRTH": day(person.birth),
        "MSTATUS": person.marital,
        "OCCUPATION_NEW": person.occupation,
        "RACE": person.nation,
        "NATION": person.nation,
        "RELIGION": person.religion,
        "EDUCATION": person.education,
        "FSTATUS": "1" if person.head else "2",
        "FATHER": person.father,
        "MOTHER": person.mother,
        "COUPLE": person.spouse,
        "DISCHARGE": "1" if death else "9",
        "DDISCHARGE": day(death.day) if death else "",
        "ABOGROUP": person.blood,
        "TYPEAREA": "1" if hcode == HEALTH_CENTRE.hcode else "4",
        "MOBILE": person.mobile,
    }


def _village(village: Village) -> dict[str, str]:
    vid = village.vid
    parts = {"VILLAGE": vid[6:], "TAMBON": vid[4:6], "AMPUR": vid[2:4], "CHANGWAT": vid[:2]}
    return {"VILLANAME": village.name, **parts}


def _address(person: Person) -> dict[str, str]:
    household = person.household
    return {
        "ADDRESSTYPE": "1",
        "HOUSE_ID": household.house_id,
        "HOUSETYPE": "1",
        "HOUSENO": household.house_number,
        **_village(household.village),
    }


def _women(person: Person, common: dict[str, str]) -> Iterator[Row]:
    """The woman's register, and what each pregnancy of the last years left in the mother and child files."""
    children = [p for p in person.household.members if p.mother == person.cid]
    counts = {"TOTALSON": str(len(children)), "NUMBERSON": str(len(children)), "ABORTION": "0", "STILLBIRTH": "0"}
    yield "WOMEN", {k: v for k, v in common.items() if k != "CID"} | {"FPTYPE": "2"} | counts
    for pregnancy in person.pregnancies:
        gravida = {"GRAVIDA": str(pregnancy.gravida), "LMP": day(pregnancy.lmp), "EDC": day(pregnancy.due)}
        results = {"VDRL_RESULT": "1", "HB_RESULT": "1", "HIV_RESULT": "1", "HCT_RESULT": "36", "THALASSEMIA": "1"}
        yield "PRENATAL", {**common, **gravida, **results, "DATE_HCT": day(pregnancy.lmp + timedelta(days=70))}
        born = pregnancy.delivered
        child = next((p for p in children if p.birth == born), None)
        if not born or not child:
            continue
        birth = {"BDATE": day(born), "BPLACE": "1", "BHOSP": person.right.main, "BTYPE": "1", "BDOCTOR": "1"}
        yield "LABOR", {**common, **gravida, **birth, "BRESULT": "O800", "LBORN": "1", "SBORN": "0"}
        for offset in (7, 25):
            visit = born + timedelta(days=offset)
            after = {"GRAVIDA": gravida["GRAVIDA"], "BDATE": day(born), "PPCARE": day(visit), "PPRESULT": "1"}
            yield "POSTNATAL", {**common, **after, "PPPLACE": HEALTH_CENTRE.hcode}
        yield from _newborn(person, child, gravida["GRAVIDA"], birth, common)


def _newborn(
    mother: Person, child: Person, gravida: str, birth: dict[str, str], common: dict[str, str]
) -> Iterator[Row]:
    own = {**common, "PID": pid_at(child, common["HOSPCODE"]), "CID": child.cid, "D_UPDATE": stamp(child.updated)}
    measures = {"BWEIGHT": str(2700 + child.number * 37 % 900), "LENGTH": "50", "HEADCIRCUM": "34"}
    checks = {"BIRTHNO": "1", "ASPHYXIA": "1", "VITK": "1", "TSH": "1", "TSHRESULT": "4.2", "BTIME": "083000"}
    pid = pid_at(mother, common["HOSPCODE"])
    yield "NEWBORN", {**own, "MPID": pid, "GRAVIDA": gravida, "GA": "39", **birth, **measures, **checks}
    for offset in (7, 25):
        visited = day(child.birth + timedelta(days=offset))
        care = {"BDATE": birth["BDATE"], "BCARE": visited, "BCPLACE": HEALTH_CENTRE.hcode, "BCARERESULT": "1"}
        yield "NEWBORNCARE", {**own, **care, "FOOD": "1"}
