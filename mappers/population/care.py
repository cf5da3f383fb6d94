"""What happens to one person at the clinic: illness, chronic follow-up, screening, antenatal and child care, admission.

`live(person, rng, since, until)` fills `person.visits`, ordered by time. A visit is made by `_Diary.visit`, which
numbers it, picks who saw the patient and adds up what it cost.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any

from mappers.population.clinic import ACUTE, DISEASES, DRUGS, PROCEDURES, TESTS, VACCINES, Disease
from mappers.population.model import (
    Admission,
    Antenatal,
    AppointmentPlan,
    Charge,
    Diagnosis,
    Drug,
    Facility,
    Lab,
    Person,
    Provider,
    Referral,
    Screening,
    Vaccination,
    Visit,
    Vitals,
)
from mappers.population.places import HEALTH_CENTRE, HOSPITAL, REFERRAL_HOSPITAL, staff

_DOCTORS = {
    HEALTH_CENTRE.hcode: staff(HEALTH_CENTRE.hcode),
    HOSPITAL.hcode: staff(HOSPITAL.hcode, "01"),
}
_YEARLY_LABS = {
    "E11.9": ("A1C", "CR", "GFR", "CHO", "TG", "HDL", "LDL", "MALB"),
    "I10": ("FBS", "CR", "GFR", "K", "CHO", "TG", "HDL", "LDL"),
    "E78.5": ("CHO", "TG", "HDL", "LDL"),
    "N18.3": ("BUN", "CR", "GFR", "K", "HB"),
    "J44.9": (),
}
_ANTENATAL_WEEKS = (9, 16, 22, 28, 34)
_ADMITTED_FOR = ("J18.9", "A09.9", "I63.9", "A97.9", "N39.0")
_BODY_BY_AGE: tuple[tuple[int, float, int], ...] = (
    (0, 3.2, 50),
    (1, 9.5, 75),
    (3, 14, 95),
    (6, 20, 115),
    (10, 30, 137),
    (14, 46, 158),
    (18, 56, 163),
)
"""Age in years, weight in kg, height in cm."""


def live(person: Person, rng: Random, since: date, until: date) -> None:
    """Fill `person.visits` from `since` (or birth) to `until` (or death)."""
    end = min(until, person.death.day) if person.death else until
    diary = _Diary(person, rng, max(since, person.birth), end)
    if diary.start >= end:
        return
    _illnesses(diary)
    _chronic(diary)
    _screenings(diary)
    _childhood(diary)
    _vaccines(diary)
    _pregnancies(diary)
    _admissions(diary)
    person.visits = diary.ordered()
    last = person.visits[-1].start if person.visits else datetime.combine(diary.start, time(9))
    person.updated = last


@dataclass(slots=True)
class _Diary:
    person: Person
    rng: Random
    start: date
    end: date
    visits: list[Visit] = field(default_factory=list)
    mass: float = 0.0
    tall: float = 0.0

    def __post_init__(self) -> None:
        self.mass = self.rng.gauss(1.0, 0.14)
        self.tall = self.rng.gauss(1.0, 0.035)

    def day(self) -> date:
        return self.start + timedelta(days=self.rng.randrange((self.end - self.start).days))

    def ordered(self) -> list[Visit]:
        """By time, one visit a day."""
        self.visits.sort(key=lambda visit: visit.start)
        return self.visits

    def visit(self, day: date, kind: str, disease: Disease, where: Facility = HEALTH_CENTRE, **details: Any) -> None:
        rng = self.rng
        number = len(self.visits) + 1
        drugs, labs = details.get("drugs", ()), details.get("labs", ())
        fever = max(0.0, rng.gauss(disease.fever, 0.3)) if disease.fever else 0.0
        details.setdefault("diagnoses", (Diagnosis(disease.code, "1"),))
        details.setdefault("vitals", self.vitals(day, fever))
        details.setdefault("procedures", (disease.procedure,) if disease.procedure else ())
        self.visits.append(
            Visit(
                seq=f"{self.person.number:08d}{number:04d}",
                start=datetime.combine(day, time(8 + rng.randrange(8), rng.randrange(60), rng.randrange(60))),
                minutes=rng.randint(8, 75),
                hcode=where.hcode,
                clinic="00000" if where is HEALTH_CENTRE else "00100",
                kind=kind,
                complaint=details.pop("complaint", disease.complaint),
                type_in=details.pop("type_in", "2" if kind in ("chronic", "antenatal", "child") else "1"),
                type_out=details.pop("type_out", "1"),
                provider=self.provider(where),
                charges=_charges(drugs, labs, details["procedures"]),
                **details,
            )
        )

    def provider(self, where: Facility) -> Provider:
        return self.rng.choice(_DOCTORS[where.hcode])

    def body(self, day: date) -> tuple[float, float]:
        """Weight in kg and height in cm on a day."""
        age = (day - self.person.birth).days / 365.25
        later = next((i for i, row in enumerate(_BODY_BY_AGE) if age < row[0]), len(_BODY_BY_AGE) - 1)
        lower, upper = _BODY_BY_AGE[later - 1], _BODY_BY_AGE[later]
        share = min(1.0, (age - lower[0]) / (upper[0] - lower[0]))
        weight = (lower[1] + share * (upper[1] - lower[1])) * self.mass
        height = (lower[2] + share * (upper[2] - lower[2])) * self.tall
        if age >= 18:
            weight += min(age - 18, 30) * 0.3
            height -= 9 if self.person.sex == "2" else 0
        return round(weight * self.rng.gauss(1, 0.01), 1), float(round(height))

    def vitals(self, day: date, fever: float = 0.0) -> Vitals:
        rng = self.rng
        age = (day - self.person.birth).days / 365.25
        weight, height = self.body(day)
        hypertensive = any(chronic.code == "I10" for chronic in self.person.chronic)
        systolic = round(rng.gauss(138 if hypertensive else 112 + age * 0.2, 9))
        return Vitals(
            weight=weight,
            height=height,
            temperature=round(rng.gauss(36.7, 0.2) + fever, 1),
            systolic=systolic if age >= 8 else None,
            diastolic=min(systolic - 20, round(rng.gauss(82 if hypertensive else 72, 7))) if age >= 8 else None,
            pulse=round(rng.gauss(80 if age > 10 else 105, 8)),
            respiration=rng.choice((18, 20, 20, 22)) if age > 8 else rng.choice((24, 26, 30)),
            waist=float(round(weight * 1.3 + 2)) if age >= 15 else None,
            head=round(46 + age * 0.8, 1) if age < 5 else None,
            saturation=rng.choice((97, 98, 98, 99)) if age >= 15 else None,
        )


def _charges(drugs: tuple[Drug, ...], labs: tuple[Lab, ...], procedures: tuple[str, ...]) -> tuple[Charge, ...]:
    rows = [Charge("C1", "ค่าบริการผู้ป่วยนอก", 50)]
    if drugs:
        price = sum(DRUGS[drug.key].price * drug.amount for drug in drugs)
        rows.append(Charge("41", "ค่ายากลับบ้าน", round(price)))
    if labs:
        rows.append(Charge("71", "ค่าตรวจทางห้องปฏิบัติการ", sum(TESTS[lab.key].price for lab in labs)))
    if procedures:
        rows.append(Charge("B1", "ค่าหัตถการ", sum(PROCEDURES[code][1] for code in procedures)))
    return tuple(rows)


def _prescribe(keys: tuple[str, ...], days: int, allergies: frozenset[str]) -> tuple[Drug, ...]:
    drugs = []
    for key in keys:
        if key in allergies:
            continue
        per_day = DRUGS[key].per_day
        drugs.append(Drug(key, 1 if DRUGS[key].unit in ("ขวด", "หลอด") else per_day * days, days))
    return tuple(drugs)


def _measure(key: str, rng: Random, *, sick: bool) -> Lab:
    test = TESTS[key]
    if not test.unit:
        return Lab(key, rng.choice(("Negative", "Negative", "Positive")))
    middle, spread = (test.low + test.high) / 2, (test.high - test.low) / 4 or test.high / 4
    value = max(test.low * 0.4, rng.gauss(middle + (spread * 2.4 if sick else 0), spread))
    return Lab(key, round(value, test.decimals) if test.decimals else int(value))


def _labs(keys: tuple[str, ...], rng: Random, *, sick: bool = False) -> tuple[Lab, ...]:
    return tuple(_measure(key, rng, sick=sick) for key in dict.fromkeys(keys))


def _allergens(person: Person) -> frozenset[str]:
    return frozenset(allergy.drug for allergy in person.allergies)


def _illnesses(diary: _Diary) -> None:
    person, rng = diary.person, diary.rng
    years = (diary.end - diary.start).days / 365.25
    age = person.age(diary.end)
    rate = 3.2 if age < 6 else 1.3 if age < 40 else 2.2
    for _ in range(min(40, int(rng.expovariate(1 / (rate * years))))):
        day = diary.day()
        then = person.age(day)
        fitting = [disease for disease in ACUTE if disease.ages[0] <= then <= disease.ages[1]]
        disease = rng.choices(fitting, [disease.weight for disease in fitting])[0]
        details: dict[str, Any] = {}
        if rng.random() < 0.02 and then >= 15:
            details = {
                "type_out": "3",
                "referral": Referral(
                    number=f"{person.number:07d}{len(diary.visits) % 1000:03d}",
                    to=HOSPITAL.hcode,
                    reason="1",
                    emergency=rng.choice("345"),
                    diagnosis=disease.code,
                ),
            }
        external = (Diagnosis("W01.0", "5"),) if disease.code in ("T14.0", "S61.9") else ()
        diary.visit(
            day,
            "illness",
            disease,
            diagnoses=(Diagnosis(disease.code, "1"), *external),
            drugs=_prescribe(disease.drugs, rng.choice((3, 5, 7)), _allergens(person)),
            labs=_labs(disease.lab, rng, sick=True),
            **details,
        )


def _chronic(diary: _Diary) -> None:
    """Every two to three months, blood taken once a year."""
    person, rng = diary.person, diary.rng
    if not person.chronic:
        return
    day = max(diary.start, min(chronic.diagnosed for chronic in person.chronic)) + timedelta(days=rng.randint(5, 80))
    year = 0
    while day < diary.end:
        present = [chronic.code for chronic in person.chronic if chronic.diagnosed <= day]
        interval = rng.choice((56, 60, 84, 90))
        following = day + timedelta(days=interval)
        keys = tuple(key for code in present for key in DISEASES[code].drugs)
        tests: tuple[str, ...] = ("DTX",) if "E11.9" in present else ()
        if day.year != year:
            year = day.year
            tests += tuple(test for code in present for test in _YEARLY_LABS[code])
        diary.visit(
            day,
            "chronic",
            DISEASES[present[0]],
            diagnoses=tuple(Diagnosis(code, "1" if index == 0 else "2") for index, code in enumerate(present)),
            drugs=_prescribe(tuple(dict.fromkeys(keys)), interval, _allergens(person)),
            labs=_labs(tests, rng, sick=rng.random() < 0.5),
            follow_up=bool({"E11.9", "I10"} & set(present)),
            appointment=AppointmentPlan(following, "151", present[0]),
        )
        day = following + timedelta(days=rng.randint(-3, 6))


def _screenings(diary: _Diary) -> None:
    person, rng = diary.person, diary.rng
    if person.chronic or person.age(diary.end) < 35:
        return
    smoke = "4" if person.sex == "1" and rng.random() < 0.35 else "1"
    alcohol = rng.choice("1233") if person.sex == "1" else rng.choice("1112")
    for year in range(diary.start.year, diary.end.year + 1):
        day = date(year, rng.randint(1, 12), rng.randint(1, 28))
        if not diary.start <= day < diary.end or rng.random() < 0.3:
            continue
        sugar = max(62, round(rng.gauss(95, 11)))
        diary.visit(
            day,
            "screening",
            DISEASES["Z13.1"],
            screening=Screening(smoke, alcohol, rng.choice("122"), rng.choice("122"), sugar),
            labs=(Lab("DTX", sugar),),
        )


def _childhood(diary: _Diary) -> None:
    """Vaccines of the national programme at the age they are due, with weight, length and head measured."""
    person, rng = diary.person, diary.rng
    due: dict[int, list[str]] = {}
    for vaccine in VACCINES.values():
        if vaccine.months >= 0:
            due.setdefault(vaccine.months, []).append(vaccine.code)
    for months, codes in due.items():
        day = person.birth + timedelta(days=round(months * 30.44) + rng.randint(0, 12))
        if not diary.start <= day < diary.end:
            continue
        following = next((m for m in sorted(due) if m > months), None)
        planned = person.birth + timedelta(days=round(following * 30.44)) if following else None
        diary.visit(
            day,
            "child",
            DISEASES["Z27.9"],
            vaccinations=tuple(Vaccination(code, f"LOT{rng.randint(1000, 9999)}") for code in codes),
            appointment=AppointmentPlan(planned, due[following][0][:3], "Z27.9") if planned and following else None,
        )


def _vaccines(diary: _Diary) -> None:
    """Influenza each year for the old, one COVID-19 dose for most."""
    person, rng = diary.person, diary.rng
    for year in range(diary.start.year, diary.end.year + 1):
        day = date(year, 5 + rng.randint(0, 3), rng.randint(1, 28))
        if person.age(day) >= 60 and diary.start <= day < diary.end and rng.random() < 0.6:
            dose = (Vaccination("815", f"FLU{year % 100:02d}"),)
            diary.visit(day, "vaccine", DISEASES["Z25.1"], vaccinations=dose)
    day = date(2022, rng.randint(1, 9), rng.randint(1, 28))
    if person.age(day) >= 12 and diary.start <= day < diary.end and rng.random() < 0.7:
        diary.visit(day, "vaccine", DISEASES["Z25.1"], vaccinations=(Vaccination("CP1", f"PF{rng.randint(100, 999)}"),))


def _pregnancies(diary: _Diary) -> None:
    rng = diary.rng
    for pregnancy in diary.person.pregnancies:
        for number, weeks in enumerate(_ANTENATAL_WEEKS, start=1):
            day = pregnancy.lmp + timedelta(days=weeks * 7 + rng.randint(0, 5))
            if diary.start <= day < diary.end:
                diary.visit(
                    day,
                    "antenatal",
                    DISEASES["Z34.9"],
                    drugs=_prescribe(("FF", "FOL") if number < 3 else ("FF",), 30, _allergens(diary.person)),
                    labs=_labs(("HCT",) if number in (1, 4) else (), rng),
                    procedures=("88.78",) if number == 2 else (),
                    antenatal=Antenatal(pregnancy.gravida, number, weeks, "1"),
                    appointment=AppointmentPlan(day + timedelta(days=42), "131", "Z34.9"),
                )
        born = pregnancy.delivered
        if born and diary.start <= born < diary.end:
            _admit(diary, born, DISEASES["O80.0"], days=2, status="4")


def _admissions(diary: _Diary) -> None:
    person, rng = diary.person, diary.rng
    years = (diary.end - diary.start).days / 365.25
    if rng.random() < (0.05 if person.age(diary.end) > 50 else 0.012) * years:
        code = rng.choice(_ADMITTED_FOR)
        if DISEASES[code].ages[0] <= person.age(diary.start):
            _admit(diary, diary.day(), DISEASES[code], days=rng.randint(2, 7), status="2")
    if person.death and person.death.in_hospital:
        day = max(diary.start, diary.end - timedelta(days=rng.randint(1, 6)))
        _admit(diary, day, DISEASES[person.death.cause], days=(diary.end - day).days, status="9")


def _admit(diary: _Diary, day: date, disease: Disease, *, days: int, status: str) -> None:
    rng = diary.rng
    admitted = datetime.combine(day, time(rng.randint(0, 22), rng.randrange(60)))
    refer = status != "9" and rng.random() < 0.08
    diary.visit(
        day,
        "admission",
        disease,
        where=HOSPITAL,
        type_out="2",
        drugs=_prescribe(disease.drugs, max(days, 3), _allergens(diary.person)),
        labs=_labs(disease.lab or ("HCT",), rng, sick=True),
        referral=Referral(
            f"{diary.person.number:07d}{len(diary.visits) % 1000:03d}", REFERRAL_HOSPITAL.hcode, "1", "2", disease.code
        )
        if refer
        else None,
        admission=Admission(
            an=f"{diary.person.number % 10_000_000:07d}{len(diary.visits) % 100:02d}",
            admitted=admitted,
            discharged=admitted + timedelta(days=days, hours=rng.randint(1, 9)),
            ward="10100",
            status=status,
            kind="9" if status == "9" else "4" if refer else "1",
            drg=f"{rng.randint(1, 25):02d}{rng.randint(10, 79)}0",
            weight=round(rng.uniform(0.3, 2.4), 4),
        ),
    )
