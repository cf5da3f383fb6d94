"""Lives: households with their members, and what happened to each of them at the clinic over the last years.

`households(seed)` is endless and lazy; household h depends on (seed, h) alone, so the first n people are the same
whether n or a million were asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from mappers.population import care
from mappers.population.clinic import ALLERGENS, ALLERGY_SYMPTOMS, CAUSES_OF_DEATH
from mappers.population.model import Allergy, Chronic, Death, Household, Person, Pregnancy, Right
from mappers.population.names import FEMALE, MALE, SURNAMES
from mappers.population.places import HEALTH_CENTRE, HOSPITAL, VILLAGES, fake_cid

UNTIL = date(2026, 10, 31)
"""The last day of the chronicle unless told otherwise: fixed, so that a seed always means the same people."""

_RIGHTS = (("0100", "UCS"), ("4200", "SSS"), ("1100", "OFC"))
_OCCUPATIONS = ("6111", "5221", "9211", "9622", "7112", "2341")
"""OCCUPATION_NEW; children and the very old have none (9629 is not used: it is not in every list)."""


@dataclass(slots=True, frozen=True)
class Member:
    """A place in a household before anybody fills it."""

    role: str
    """head, spouse, child, elder"""
    sex: str
    age_days: int


def people(count: int, seed: int, *, years: int = 5, until: date = UNTIL) -> Iterator[Person]:
    """The first `count` inhabitants, household by household, each with visits of the last `years` years."""
    left = count
    for household in households(seed, years=years, until=until):
        for person in household.members:
            if not left:
                return
            left -= 1
            yield person


def households(seed: int, *, years: int = 5, until: date = UNTIL) -> Iterator[Household]:
    """Endless; members are numbered from 1 through all households."""
    number = index = 0
    while True:
        rng = Random(f"{seed}/household/{index}")  # noqa: S311 - a synthetic village, not a secret
        household = _household(rng, index, number, seed, until)
        for person in household.members:
            care.live(person, rng, until - timedelta(days=int(365.25 * years)), until)
        yield household
        number += len(household.members)
        index += 1


def _plan(rng: Random) -> list[Member]:
    head_age = rng.randint(24, 78)
    head_sex = "1" if rng.random() < 0.62 else "2"
    plan = [Member("head", head_sex, head_age * 365 + rng.randrange(365))]
    if rng.random() < 0.72:
        age = max(20, head_age + rng.randint(-7, 4))
        plan.append(Member("spouse", "2" if head_sex == "1" else "1", age * 365 + rng.randrange(365)))
    mother_age = next((m.age_days // 365 for m in plan if m.sex == "2"), 0)
    for _ in range(rng.choice((0, 1, 1, 2, 2, 3)) if mother_age else 0):
        # A mother is 18 to 40 at a birth.
        low, high = max(0, mother_age - 40), mother_age - 18
        if high > low:
            plan.append(Member("child", rng.choice("12"), rng.randrange(low * 365, high * 365)))
    if head_age < 55 and rng.random() < 0.35:
        plan.append(Member("elder", rng.choice("12"), (head_age + rng.randint(20, 30)) * 365 + rng.randrange(365)))
    return plan


def _household(rng: Random, index: int, number: int, seed: int, until: date) -> Household:
    village = VILLAGES[index % len(VILLAGES)]
    household = Household(
        hid=f"{index + 1:06d}",
        house_id=f"9999{index % 10_000_000:07d}",
        house_number=f"{rng.randint(1, 250)}" + (f"/{rng.randint(1, 9)}" if rng.random() < 0.3 else ""),
        village=village,
        latitude=round(village.latitude + rng.uniform(-0.004, 0.004), 6),
        longitude=round(village.longitude + rng.uniform(-0.004, 0.004), 6),
    )
    family = rng.choice(SURNAMES)
    for offset, member in enumerate(_plan(rng)):
        household.members.append(_person(rng, member, household, family, number + offset + 1, seed, until))
    _join_family(household, until)
    return household


def _person(
    rng: Random, member: Member, household: Household, family: tuple[str, str], number: int, seed: int, until: date
) -> Person:
    birth = until - timedelta(days=member.age_days + 1)
    age = member.age_days // 365
    given = rng.choice(MALE if member.sex == "1" else FEMALE)
    if member.role == "elder":
        family = rng.choice(SURNAMES)
    instype, fund = _RIGHTS[0] if age < 20 or age > 60 or rng.random() < 0.62 else rng.choice(_RIGHTS[1:])
    person = Person(
        number=number,
        pid=f"{number:06d}",
        hn=f"{number:07d}",
        cid=fake_cid(number, seed),
        prename=_prename(member, age, rng),
        given=given[0],
        family=family[0],
        given_english=given[1],
        family_english=family[1],
        sex=member.sex,
        birth=birth,
        marital={"head": "2", "spouse": "2", "child": "1", "elder": "3"}[member.role],
        occupation=rng.choice(_OCCUPATIONS) if 18 <= age < 75 else "",
        religion="01" if rng.random() < 0.94 else "02",
        education="00" if age < 3 else "02" if age > 55 or age < 13 else rng.choice(("03", "03", "04", "05")),
        nation="099",
        blood=rng.choice("11223444449"),
        head=member.role == "head",
        mobile=f"0990{number % 1_000_000:06d}" if age >= 15 and rng.random() < 0.8 else "",
        right=Right(
            instype, fund, f"{number:010d}", max(birth, date(2002, 10, 1)), HOSPITAL.hcode, HEALTH_CENTRE.hcode
        ),
        household=household,
    )
    _health(person, rng, age, until)
    return person


def _prename(member: Member, age: int, rng: Random) -> str:
    if age < 15:
        return "001" if member.sex == "1" else "002"
    if member.sex == "1":
        return "003"
    return "005" if member.role != "child" and rng.random() < 0.7 else "004"


def _health(person: Person, rng: Random, age: int, until: date) -> None:
    """Chronic diseases, allergies and, for some of the old, a death."""
    if age >= 35:
        for code, share in (("I10", 0.012), ("E11.9", 0.006), ("E78.5", 0.008), ("N18.3", 0.0018), ("J44.9", 0.001)):
            if rng.random() < share * (age - 30):
                onset = until - timedelta(days=rng.randint(200, min(15, age - 30) * 365))
                person.chronic.append(Chronic(code, onset))
    if age >= 5 and rng.random() < 0.06:
        person.allergies.append(
            Allergy(
                drug=rng.choice(ALLERGENS),
                symptom=rng.choice(ALLERGY_SYMPTOMS),
                recorded=until - timedelta(days=rng.randint(100, 1500)),
                certainty=rng.choice("1223"),
                severity=rng.choice("1114"),
            )
        )
    if age >= 60 and rng.random() < (age - 55) * 0.0045:
        cause = rng.choice(CAUSES_OF_DEATH)
        person.death = Death(
            until - timedelta(days=rng.randint(20, 1200)), cause, cause != "R54" and rng.random() < 0.5
        )


def _join_family(household: Household, until: date) -> None:
    """Children know their parents by CID, spouses each other; a birth of the last years is its mother's pregnancy."""
    head = household.members[0]
    spouse = next((p for p in household.members[1:2] if p.marital == "2" and p.sex != head.sex), None)
    parents = [head, spouse] if spouse else [head]
    if spouse:
        head.spouse, spouse.spouse = spouse.cid, head.cid
    else:
        head.marital = "4" if head.birth.year < 1985 else "1"
    mother = next((p for p in parents if p.sex == "2"), None)
    father = next((p for p in parents if p.sex == "1"), None)
    children = [p for p in household.members if p.marital == "1" and p not in parents]
    for gravida, child in enumerate(sorted(children, key=lambda p: p.birth), start=1):
        child.mother = mother.cid if mother else ""
        child.father = father.cid if father else ""
        if mother and (until - child.birth).days < 5 * 365:
            lmp = child.birth - timedelta(days=278)
            mother.pregnancies.append(Pregnancy(gravida, lmp, lmp + timedelta(days=280), child.birth))
