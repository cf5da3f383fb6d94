"""Rows of the files that few people or visits lead to: disability, family planning, what travels with a referral ..."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from mappers.population.clinic import DISEASES, DRUGS
from mappers.population.f43_person import Row, day, drug_code, icd, pid_at, stamp
from mappers.population.model import Person, Visit
from mappers.population.places import FACILITIES, VILLAGES

_HOSPITALS = frozenset(facility.hcode for facility in FACILITIES if facility.kind == "hospital")


def of_facility(hcode: str) -> Iterator[Row]:
    """What a facility reports about itself and its villages."""
    updated = {"HOSPCODE": hcode, "D_UPDATE": "20260105090000"}
    yield "POLICY", {**updated, "POLICY_ID": "001", "POLICY_YEAR": "2026", "POLICY_DATA": "ตัวอย่างข้อมูลนโยบาย"}
    yield "DATA_CORRECT", {**updated, "TABLENAME": "PERSON", "DATA_CORRECT": "000001"}
    if hcode not in _HOSPITALS:
        for village in VILLAGES:
            activity = {"VID": village.vid, "DATE_START": "20260601", "DATE_FINISH": "20260602", "COMACTIVITY": "2A01"}
            yield "COMMUNITY_ACTIVITY", {**updated, **activity, "PROVIDER": "P001"}


def of_person(person: Person, hcode: str) -> Iterator[Row]:
    """DISABILITY of every fiftieth person, with the functions that were examined at the first visit."""
    visits = [visit for visit in person.visits if visit.hcode == hcode]
    if person.number % 50 or not visits:
        return
    first = visits[0]
    common = {"HOSPCODE": hcode, "PID": pid_at(person, hcode), "D_UPDATE": stamp(first.start), "CID": person.cid}
    found = day(first.start)
    number = {"DISABID": person.cid}
    yield (
        "DISABILITY",
        {**common, **number, "DISABTYPE": "3", "DISABCAUSE": "3", "DIAGCODE": "I693", "DATE_DETECT": found},
    )
    function = {
        "SEQ": first.seq,
        "DATE_SERV": found,
        "ICF": "b117.0",
        "QUALIFIER": "2",
        "PROVIDER": first.provider.code,
    }
    yield "ICF", {**common, **number, **function}


def of_visit(person: Person, visit: Visit) -> Iterator[Row]:
    """Family planning after a birth, and the files that hang on a referral."""
    common = {"HOSPCODE": visit.hcode, "PID": pid_at(person, visit.hcode), "D_UPDATE": stamp(visit.start)}
    if visit.kind == "illness" and person.pregnancies and not visit.referral:
        born = person.pregnancies[-1].delivered
        if born and 40 <= (visit.start.date() - born).days < 400:
            use = {"SEQ": visit.seq, "DATE_SERV": day(visit.start), "FPTYPE": "2", "FPPLACE": visit.hcode}
            yield "FP", {**common, **use, "PROVIDER": visit.provider.code, "CID": person.cid}
    if refer := visit.referral:
        key = {"HOSPCODE": visit.hcode, "REFERID": refer.number, "D_UPDATE": common["D_UPDATE"]}
        seen = stamp(visit.start)
        yield (
            "CLINICAL_REFER",
            {
                **key,
                "DATETIME_ASSESS": seen,
                "CLINICALCODE": "C001",
                "CLINICALNAME": "Glasgow coma scale",
                "CLINICALVAULE": "15",
            },
        )
        for drug in visit.drugs:
            given = {"DIDSTD": drug_code(drug.key), "DNAME": DRUGS[drug.key].name, "DDESCRIPTION": DRUGS[drug.key].dose}
            yield "DRUG_REFER", {**key, "DATETIME_DSTART": seen, **given}
        for lab in visit.labs:
            value = f"{lab.value:g}" if isinstance(lab.value, (int, float)) else ""
            result = {"INVESTCODE": lab.key, "INVESTNAME": lab.key, "INVESTVALUE": value}
            yield "INVESTIGATION_REFER", {**key, "DATETIME_INVEST": seen, **result}
        for code in visit.procedures:
            done = {"PROCEDCODE": icd(code), "PROCEDURENAME": DISEASES[refer.diagnosis].english}
            yield "PROCEDURE_REFER", {**key, "TIMESTART": seen, **done, "PROVIDER": visit.provider.code}


def answers_to(person: Person, hcode: str) -> Iterator[Row]:
    """REFER_RESULT: what a hospital answers to those who sent it patients."""
    for visit in person.visits:
        refer = visit.referral
        if refer and refer.to == hcode:
            arrived = visit.start + timedelta(hours=3)
            yield (
                "REFER_RESULT",
                {
                    "HOSPCODE": hcode,
                    "REFERID_SOURCE": refer.number,
                    "HOSP_SOURCE": visit.hcode,
                    "REFER_RESULT": "1",
                    "DATETIME_IN": stamp(arrived),
                    "PID_IN": pid_at(person, hcode),
                    "REASON": "รับไว้ดูแลต่อ",
                    "D_UPDATE": stamp(arrived),
                },
            )
