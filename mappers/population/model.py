"""The neutral model of a synthetic population: what the writers (FHIR, 43 files, HIS databases) turn into their rows.

Codes are those of the Thai 43 files (SEX 1/2, DIAGTYPE 1-5, INSTYPE four digits ...) because every HIS of the country
speaks them; LOINC, UCUM and ATC stand beside them in `clinic.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime


@dataclass(slots=True, frozen=True)
class Facility:
    hcode: str
    """Five digits, from 99990 up: the MOPH list hands out none of them."""
    name: str
    kind: str
    """`pcu` (health centre) or `hospital`."""


@dataclass(slots=True, frozen=True)
class Provider:
    code: str
    """PROVIDER of the 43 files, unique in its facility."""
    hcode: str
    licence: str
    """Licence number with its council's letter, `ว99001`; empty for those who need none."""
    council: str
    kind: str
    """PROVIDERTYPE: 01 doctor, 02 dentist, 03 nurse, 05 public health officer ..."""
    cid: str
    prename: str
    given: str
    family: str
    sex: str
    birth: date
    start: date


@dataclass(slots=True, frozen=True)
class Village:
    vid: str
    """Province, district, subdistrict, village: 8 digits."""
    name: str
    tambon: str
    amphoe: str
    changwat: str
    postcode: str
    latitude: float
    longitude: float


@dataclass(slots=True)
class Household:
    hid: str
    house_id: str
    house_number: str
    village: Village
    latitude: float
    longitude: float
    members: list[Person] = field(default_factory=list)


@dataclass(slots=True, frozen=True)
class Right:
    """A person's right to health care (CARD)."""

    instype: str
    fund: str
    """UCS, SSS or OFC (CSMBS)."""
    number: str
    start: date
    main: str
    sub: str


@dataclass(slots=True, frozen=True)
class Chronic:
    code: str
    diagnosed: date


@dataclass(slots=True, frozen=True)
class Allergy:
    drug: str
    """Key into `clinic.DRUGS`."""
    symptom: str
    recorded: date
    certainty: str
    severity: str


@dataclass(slots=True, frozen=True)
class Vitals:
    weight: float | None = None
    """kg"""
    height: float | None = None
    """cm"""
    temperature: float | None = None
    """degrees Celsius"""
    systolic: int | None = None
    """mmHg"""
    diastolic: int | None = None
    pulse: int | None = None
    """a minute"""
    respiration: int | None = None
    waist: float | None = None
    """cm"""
    head: float | None = None
    """cm, in children"""
    saturation: int | None = None
    """per cent"""


@dataclass(slots=True, frozen=True)
class Diagnosis:
    code: str
    """ICD-10 with its dot; key into `clinic.DISEASES`."""
    role: str
    """DIAGTYPE: 1 principal ... 5 external cause."""


@dataclass(slots=True, frozen=True)
class Drug:
    key: str
    amount: int
    days: int


@dataclass(slots=True, frozen=True)
class Lab:
    key: str
    value: float | str


@dataclass(slots=True, frozen=True)
class Vaccination:
    code: str
    """VACCINETYPE; key into `clinic.VACCINES`."""
    lot: str


@dataclass(slots=True, frozen=True)
class Screening:
    """NCDSCREEN, once a year from 35."""

    smoke: str
    alcohol: str
    dm_family: str
    ht_family: str
    sugar: int
    """mg/dL, capillary, fasting"""


@dataclass(slots=True, frozen=True)
class Antenatal:
    gravida: int
    number: int
    """ANCNO: the planned visit 1-5."""
    weeks: int
    result: str


@dataclass(slots=True, frozen=True)
class AppointmentPlan:
    day: date
    kind: str
    """APTYPE, three digits."""
    diagnosis: str


@dataclass(slots=True, frozen=True)
class Referral:
    number: str
    to: str
    reason: str
    """CAUSEOUT"""
    emergency: str
    diagnosis: str


@dataclass(slots=True, frozen=True)
class Admission:
    an: str
    admitted: datetime
    discharged: datetime
    ward: str
    status: str
    """DISCHSTATUS"""
    kind: str
    """DISCHTYPE"""
    drg: str
    weight: float


@dataclass(slots=True, frozen=True)
class Charge:
    item: str
    """CHARGEITEM, two characters."""
    text: str
    amount: int
    """baht"""


@dataclass(slots=True, frozen=True)
class Visit:
    seq: str
    start: datetime
    """Thai local time, no zone attached."""
    minutes: int
    hcode: str
    clinic: str
    """Five characters of the 43 files."""
    kind: str
    """`illness`, `chronic`, `screening`, `child`, `antenatal`, `vaccine`, `admission`, `death`."""
    complaint: str
    type_in: str
    type_out: str
    provider: Provider
    vitals: Vitals
    diagnoses: tuple[Diagnosis, ...]
    drugs: tuple[Drug, ...] = ()
    procedures: tuple[str, ...] = ()
    labs: tuple[Lab, ...] = ()
    vaccinations: tuple[Vaccination, ...] = ()
    charges: tuple[Charge, ...] = ()
    screening: Screening | None = None
    antenatal: Antenatal | None = None
    follow_up: bool = False
    appointment: AppointmentPlan | None = None
    referral: Referral | None = None
    admission: Admission | None = None


@dataclass(slots=True, frozen=True)
class Pregnancy:
    gravida: int
    lmp: date
    due: date
    delivered: date | None


@dataclass(slots=True, frozen=True)
class Death:
    day: date
    cause: str
    in_hospital: bool


@dataclass(slots=True)
class Person:
    number: int
    """Running number in the population, from 1."""
    pid: str
    hn: str
    cid: str
    prename: str
    """Code of cs-dopa-nameprefix."""
    given: str
    family: str
    given_english: str
    family_english: str
    sex: str
    birth: date
    marital: str
    occupation: str
    religion: str
    education: str
    nation: str
    blood: str
    """ABOGROUP"""
    head: bool
    """Head of the household."""
    mobile: str
    right: Right
    household: Household
    father: str = ""
    mother: str = ""
    spouse: str = ""
    """CIDs, empty where not in the household."""
    chronic: list[Chronic] = field(default_factory=list)
    allergies: list[Allergy] = field(default_factory=list)
    pregnancies: list[Pregnancy] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    death: Death | None = None
    updated: datetime = datetime(2026, 1, 1)

    def age(self, day: date) -> int:
        return day.year - self.birth.year - ((day.month, day.day) < (self.birth.month, self.birth.day))
