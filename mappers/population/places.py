"""Where the synthetic people live and are treated, and the numbers that stand for them.

Nothing here can be a real person's or facility's:
- CID: body `999` + nine digits with a correct check digit (modulus 11). The first digit of a citizen id is a category
  0-8, and digits 2-3 are the province of the registrar: there is neither a category 9 nor a province 99.
- Facilities 99990-99999 (99999 is the MOPH's own demonstration code), house numbers of registrar 9999,
  licences from 99001.
- Subdistricts are real codes of cs-dopa-location, so that address checks hold; the villages are invented.
"""

from __future__ import annotations

from datetime import date

from mappers.citizen_id import check_digit
from mappers.population.model import Facility, Provider, Village
from mappers.population.names import FEMALE, MALE, SURNAMES

CID_PREFIX = "999"

FACILITIES = (
    Facility("99999", "โรงพยาบาลส่งเสริมสุขภาพตำบลบ้านตัวอย่าง", "pcu"),
    Facility("99998", "โรงพยาบาลตัวอย่าง", "hospital"),
    Facility("99997", "โรงพยาบาลศูนย์ทดลอง", "hospital"),
)
HEALTH_CENTRE, HOSPITAL, REFERRAL_HOSPITAL = FACILITIES

TAMBON = ("180203", "ศิลาดาน", "มโนรมย์", "ชัยนาท", "17110")
"""Code, subdistrict, district, province, postcode of the village's addresses."""

VILLAGE_NAMES = ("บ้านตัวอย่าง", "บ้านทดลอง", "บ้านสมมุติเหนือ", "บ้านสมมุติใต้", "บ้านหนองตัวอย่าง", "บ้านโคกทดลอง")

VILLAGES = tuple(
    Village(
        vid=f"{TAMBON[0]}{number:02d}",
        name=name,
        tambon=TAMBON[1],
        amphoe=TAMBON[2],
        changwat=TAMBON[3],
        postcode=TAMBON[4],
        latitude=round(15.300 + number * 0.011, 6),
        longitude=round(100.200 + number * 0.007, 6),
    )
    for number, name in enumerate(VILLAGE_NAMES, start=1)
)


def fake_cid(number: int, seed: int) -> str:
    """The citizen id of person `number` (from 0): distinct for a billion numbers under one seed."""
    # 611,953,439 is coprime to 10**9, so the multiplication permutes the nine digits.
    body = f"{CID_PREFIX}{(number * 611_953_439 + seed * 7_368_787) % 1_000_000_000:09d}"
    return body + check_digit(body)


_STAFF = (
    # facility, PROVIDERTYPE, council, licence letter, sex, born
    (0, "05", "", "", "1", date(1985, 3, 9)),
    (0, "03", "02", "", "2", date(1979, 7, 21)),
    (0, "03", "02", "", "2", date(1990, 11, 2)),
    (1, "01", "01", "ว", "1", date(1988, 5, 17)),
    (1, "01", "01", "ว", "2", date(1991, 1, 30)),
    (1, "03", "02", "", "2", date(1983, 9, 12)),
    (1, "02", "04", "ท", "2", date(1989, 4, 4)),
    (2, "01", "01", "ว", "1", date(1974, 12, 25)),
)


def _provider(row: int) -> Provider:
    facility, kind, council, letter, sex, birth = _STAFF[row]
    given = (MALE if sex == "1" else FEMALE)[-1 - row][0]
    return Provider(
        code=f"P{row + 1:03d}",
        hcode=FACILITIES[facility].hcode,
        licence=f"{letter}{99001 + row}" if council else "",
        council=council,
        kind=kind,
        # Numbers at the far end of the billion, so that no inhabitant meets a member of staff.
        cid=fake_cid(999_999_900 + row, 0),
        prename="003" if sex == "1" else "004",
        given=given,
        family=SURNAMES[row][0],
        sex=sex,
        birth=birth,
        start=date(birth.year + 24, 6, 1),
    )


PROVIDERS = tuple(_provider(row) for row in range(len(_STAFF)))


def staff(hcode: str, *kinds: str) -> tuple[Provider, ...]:
    """The people who work at a facility, of the given PROVIDERTYPEs where any are given."""
    return tuple(p for p in PROVIDERS if p.hcode == hcode and (not kinds or p.kind in kinds))
