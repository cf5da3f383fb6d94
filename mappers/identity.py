"""When two registrations are one citizen, and what the Patient that all facilities share then says.

Pure rules; who stores, asks and undoes is elsewhere. A registration is what one facility (or a card) says about a
person and is never changed by another one. The shared Patient is computed from all registrations that have met, so a
meeting can be undone by computing again without one of them.

- Two registrations meet by citizen id only: equal, correct check digit, no dummy, not issued by a facility itself, and
  neither sex nor date of birth (to its precision) contradicts. What would meet but for that is for a person to review.
- Of two rows of one facility the newer D_UPDATE counts; one in the future or of the Buddhist era never wins.
- Demographics: element by element, the first registration by `PRECEDENCE` that says it.
- Death comes from the card office, else from DEATH rows, in the order of `PRECEDENCE`; never from a PERSON row.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from fhir_profiles.thai.choice import claim
from mappers import patient
from mappers.citizen_id import check_digit, is_valid
from mappers.lens import iso_stamp
from mappers.links import CID, HCODE, Row, logical

CARD = "card"
"""Read from the citizen's card by a reader."""
FILE = "file"
"""From the 43 files or a HIS database."""


def _dummies() -> frozenset[str]:
    bodies = [digit * 12 for digit in "0123456789"] + ["123456789012", "012345678901", "987654321098"]
    return frozenset([body + check_digit(body) for body in bodies] + [digit * 13 for digit in "0123456789"])


DUMMIES = _dummies()
"""Repeated and running digits, with and without a fitting check digit."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What one source says about one person."""

    person: Row
    """PERSON columns; of a card those that it has, without PID. HOSPCODE always."""
    kind: str = FILE
    addresses: tuple[Row, ...] = ()
    deaths: tuple[Row, ...] = ()
    disabilities: tuple[Row, ...] = ()
    photo: bytes = b""
    """JPEG, from a card."""

    @property
    def source(self) -> str:
        """Names the registration in lists for review: facility and PID; of a claim file HN, of a card its holder."""
        person = self.person
        for column, word in (("PID", ""), ("HN", "HN "), ("HOLDER", "CARD ")):
            if column in person:
                return f"{person['HOSPCODE']}/{word}{person[column]}"
        return f"{person['HOSPCODE']}/{self.kind}"


@dataclass(frozen=True, slots=True)
class Rules:
    """What a site may set."""

    dummies: frozenset[str] = DUMMIES
    """Numbers that stand for "not known"."""
    facility_prefixes: tuple[str, ...] = ("0{hcode}",)
    """Beginnings of numbers that facilities make up for people without one; `{hcode}` is the code of the facility that
    sends it. From memory, unverified."""
    future: timedelta = timedelta(days=1)
    """How far a clock may be ahead."""
    precedence: tuple[str, ...] = ("card", "newest")
    """Who is believed first, by names of `PRECEDENCE`; whoever is none of them comes last."""


# --- meeting ---------------------------------------------------------------------------------------------------------

Reason = Literal["no-cid", "different-cid", "check-digit", "dummy", "facility-issued", "birth-date", "sex"]
_FOR_REVIEW = frozenset({"birth-date", "sex"})


class Meeting(NamedTuple):
    """Whether two registrations are one person."""

    same: bool
    reasons: tuple[Reason, ...]
    """Why not; empty if they are."""

    @property
    def review(self) -> bool:
        """A good number in both, and something contradicts: a person has to look at both sources."""
        return bool(self.reasons) and _FOR_REVIEW.issuperset(self.reasons)


def unusable(registration: Registration, rules: Rules) -> Reason | None:
    """Why nobody can be met by the registration's citizen id; None if it will do."""
    cid = registration.person.get("CID", "")
    if not cid:
        return "no-cid"
    if cid in rules.dummies:
        return "dummy"
    if not is_valid(cid):
        return "check-digit"
    hcode = registration.person["HOSPCODE"]
    if any(cid.startswith(prefix.format(hcode=hcode)) for prefix in rules.facility_prefixes):
        return "facility-issued"
    return None


def meet(one: Registration, other: Registration, rules: Rules) -> Meeting:
    """The decision for two registrations of different sources."""
    if reason := unusable(one, rules) or unusable(other, rules):
        return Meeting(False, (reason,))
    if one.person["CID"] != other.person["CID"]:
        return Meeting(False, ("different-cid",))
    reasons: list[Reason] = []
    if contradicting_births(one.person.get("BIRTH", ""), other.person.get("BIRTH", "")):
        reasons.append("birth-date")
    if {one.person.get("SEX"), other.person.get("SEX")} >= {"1", "2"}:
        reasons.append("sex")
    return Meeting(not reasons, tuple(reasons))


def contradicting_births(one: str, other: str) -> bool:
    """Whether two BIRTH columns cannot be the same day. 00 is not known; 1 January stands for a year alone, because the
    files write it where day and month are not known."""
    first, second = _known_birth(one), _known_birth(other)
    length = min(len(first), len(second))
    return bool(length) and first[:length] != second[:length]


def _known_birth(text: str) -> str:
    if len(text) != 8 or not text.isdigit():
        return ""
    if text[4:] in ("0101", "0000") or text[4:6] == "00":
        return text[:4]
    return text[:6] if text[6:] == "00" else text


# --- which row counts ------------------------------------------------------------------------------------------------

Order = Literal["new", "newer", "same", "older", "implausible"]


def plausible(row: Row, now: datetime, rules: Rules) -> bool:
    """D_UPDATE is a moment, and not in the future. `now` has a time zone."""
    moment = iso_stamp(row.get("D_UPDATE", ""))
    # A day alone has no zone; its first moment in Thai time is meant.
    stamped = moment if len(moment) > 10 else f"{moment}T00:00:00+07:00" if moment else ""
    return bool(stamped) and datetime.fromisoformat(stamped) <= now + rules.future


def order(incoming: Row, stored: Row | None, now: datetime, rules: Rules) -> Order:
    """What an incoming row is to the stored one of the same facility and key: only `new` and `newer` are written."""
    if stored is None:
        return "new"
    if incoming == stored:
        return "same"
    if not plausible(incoming, now, rules):
        return "implausible" if plausible(stored, now, rules) else "newer"
    if not plausible(stored, now, rules):
        return "newer"
    # Equal moments with other content: a correction within the second.
    return "newer" if incoming["D_UPDATE"] >= stored["D_UPDATE"] else "older"


# --- the shared Patient ----------------------------------------------------------------------------------------------

PRECEDENCE: dict[str, Callable[[Registration, datetime, Rules], bool]] = {
    "card": lambda registration, now, rules: registration.kind == CARD,
    "newest": lambda registration, now, rules: plausible(registration.person, now, rules),
}
"""Whom `Rules.precedence` may name: a card that was read, a registration with a plausible D_UPDATE. Within a line the
newest D_UPDATE comes first, then the lowest hospital code."""


def by_precedence(registrations: Iterable[Registration], now: datetime, rules: Rules) -> list[Registration]:
    """The registrations, those that are believed first at the front."""

    def rank(registration: Registration) -> int:
        tests = enumerate(PRECEDENCE[name] for name in rules.precedence)
        return next((i for i, test in tests if test(registration, now, rules)), len(rules.precedence))

    found = sorted(registrations, key=lambda each: each.source)
    # Sorting is stable: newest first, and within the same moment by source.
    found.sort(key=lambda each: each.person.get("D_UPDATE", ""), reverse=True)
    return sorted(found, key=rank)


def shared_patient(registrations: Sequence[Registration], now: datetime, rules: Rules) -> dict[str, Any]:
    """The Patient of registrations that have met (or of a single one), without id. Raises: ValueError for none."""
    if not registrations:
        raise ValueError("a Patient is made of at least one registration")
    believed = by_precedence(registrations, now, rules)
    persons = [registration.person for registration in believed]
    elements: dict[str, Any] = {
        "extension": _extensions(believed),
        "identifier": _identifiers(believed),
        "active": True,
        "name": _names(persons),
        "telecom": _first(persons, patient.telecom) or _first(_rows(believed, "addresses"), patient.telecom),
        "gender": _first(persons, patient.gender),
        "birthDate": _birth(persons),
        **_death(_rows(believed, "deaths")),
        "address": _addresses(believed),
        "maritalStatus": _first(persons, patient.marital_status),
        "photo": _photo(believed),
        "managingOrganization": logical("Organization", HCODE, _caring(persons)["HOSPCODE"]),
    }
    found: dict[str, Any] = {"resourceType": "Patient", **{name: value for name, value in elements.items() if value}}
    claim(found)
    return found


def _first(rows: Iterable[Row], element: Callable[[Row], Any]) -> Any:
    return next((value for row in rows if (value := element(row))), None)


def _names(persons: Sequence[Row]) -> list[dict[str, Any]]:
    """The first Thai name and the first English one."""
    return [name for make in (patient.thai_name, patient.english_name) if (name := _first(persons, make))]


def _photo(believed: Sequence[Registration]) -> list[dict[str, str]]:
    jpeg = next((registration.photo for registration in believed if registration.photo), b"")
    return [{"contentType": "image/jpeg", "data": b64encode(jpeg).decode()}] if jpeg else []


def _rows(believed: Sequence[Registration], name: str) -> list[Row]:
    return [row for registration in believed for row in getattr(registration, name)]


def _birth(persons: Sequence[Row]) -> str | None:
    """The date of birth."""
    return _most_precise([date for row in persons if (date := patient.birth_date(row))])


def _death(rows: Iterable[Row]) -> dict[str, Any]:
    """`deceased[x]`: the first day of death as precise as others that agree have it, else that somebody is dead."""
    found = [value for row in rows if (value := patient.deceased(row))]
    date = _most_precise([value["deceasedDateTime"] for value in found if "deceasedDateTime" in value])
    return {"deceasedDateTime": date} if date else next(iter(found), {})


def _most_precise(dates: Sequence[str]) -> str | None:
    """The first date, made more precise by a later one that agrees with it."""
    return max((date for date in dates if date.startswith(dates[0])), key=len, default=None)


def _caring(persons: Sequence[Row]) -> Row:
    """The facility whose area the person lives in (TYPEAREA 1 or 3), else the first."""
    return next((row for row in persons if row.get("TYPEAREA") in ("1", "3")), persons[0])


def _identifiers(believed: Sequence[Registration]) -> list[dict[str, Any]]:
    """What is the same everywhere first, then every facility's numbers; each once, by facility."""
    found = [each for registration in believed for each in patient.identifiers(registration.person)]
    unique = {(each["system"], each["value"]): each for each in found}
    return sorted(unique.values(), key=lambda each: (each["system"] != CID, each["system"], each["value"]))


def _addresses(believed: Sequence[Registration]) -> list[dict[str, Any]]:
    """The addresses of the first registration that has any, the present one first."""
    rows = next((registration.addresses for registration in believed if registration.addresses), ())
    present_first = sorted(rows, key=lambda row: row.get("ADDRESSTYPE") != patient.PRESENT)
    return [value for row in present_first if (value := patient.home_address(row))]


def _extensions(believed: Sequence[Registration]) -> list[dict[str, Any]]:
    persons = [registration.person for registration in believed]
    disabilities = _rows(believed, "disabilities")
    found = []
    for column in patient.EXTENSION_COLUMNS:
        rows = disabilities if column == "DISABTYPE" else persons
        value = next((value for row in rows if (value := patient.extension(column, row))), None)
        if value:
            found.append(value)
    return found
