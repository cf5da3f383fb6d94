"""The text fields of a citizen's card as a registration of kind `card`.

The card writes years of the Buddhist era, names as `prefix#first#middle#last`, addresses as
`house#หมู่ที่ n#ตรอก#ซอย#ถนน#ตำบล..#อำเภอ..#จังหวัด..`. Offsets and reading: `devices/`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cache

from mappers.address import LOCATIONS
from mappers.codes import displays
from mappers.identity import CARD, Registration
from mappers.links import Row
from mappers.patient import PREFIXES

BANGKOK = timezone(timedelta(hours=7))
BUDDHIST = 543
"""Years that the Buddhist era is ahead of AD."""

_SHORT = {"นางสาว": "น.ส.", "เด็กชาย": "ด.ช.", "เด็กหญิง": "ด.ญ."}
"""Prefixes that the card prints in full and cs-dopa-nameprefix in short."""
_THAI_DIGITS = str.maketrans("๐๑๒๓๔๕๖๗๘๙", "0123456789")


@dataclass(frozen=True, slots=True)
class Card:
    """The fields as the card has them, trimmed."""

    cid: str
    name_thai: str
    name_english: str
    birth: str
    """YYYYMMDD of the Buddhist era; month and day may be 00."""
    sex: str
    """1 male, 2 female."""
    address: str
    issued: str = ""
    expires: str = ""
    """YYYYMMDD of the Buddhist era; 99999999 and the like: for life."""
    photo: bytes = b""
    """JPEG"""


def registration(card: Card, hcode: str, read_at: datetime, holder: str = "") -> Registration:
    """What the card says, as read at the facility at that moment (with time zone). holder: the key under which it is
    kept."""
    prefix, first, middle, last = _split(card.name_thai, 4)
    title, given, middle_english, family = _split(card.name_english, 4)
    person = {
        "HOSPCODE": hcode,
        "HOLDER": holder,
        "CID": card.cid,
        "PRENAME": prefix_code(prefix),
        "NAME": " ".join(filter(None, (first, middle))),
        "LNAME": last,
        "PRENAMEENG": title,
        "FNAMEENG": " ".join(filter(None, (given, middle_english))),
        "LNAMEENG": family,
        "SEX": card.sex,
        "BIRTH": ad(card.birth),
        "NATION": "099",
        "CARDISSUE": ad(card.issued),
        "CARDEXPIRE": ad(card.expires),
        "D_UPDATE": read_at.astimezone(BANGKOK).strftime("%Y%m%d%H%M%S"),
    }
    place = _filled(address_row(card.address))
    addresses = ({"ADDRESSTYPE": "1", **place},) if place else ()
    return Registration(_filled(person), CARD, addresses=addresses, photo=card.photo)


def ad(text: str) -> str:
    """YYYYMMDD of the Buddhist era in AD; "" for a date for life or none. Unknown month and day stay 00."""
    text = text.strip().translate(_THAI_DIGITS)
    if not re.fullmatch(r"2[3-7][0-9]{2}[0-9]{4}", text):
        return ""
    return f"{int(text[:4]) - BUDDHIST}{text[4:]}"


def prefix_code(prefix: str) -> str:
    """Code of cs-dopa-nameprefix for a prefix in full or in short, "" for one that it does not have."""
    return _codes_of_prefixes().get(_SHORT.get(prefix, prefix), "")


@cache
def _codes_of_prefixes() -> dict[str, str]:
    return {display: code for code, display in reversed(displays(PREFIXES).items())}


def address_row(text: str) -> Row:
    """The columns of ADDRESS that the card's address gives, with area codes where the names are known."""
    house, village, alley, lane, road, tambon, amphoe, province = _split(text, 8)
    codes = _area(_bare(province), _bare(amphoe), _bare(tambon))
    return {
        "HOUSENO": house,
        "VILLAGE": re.sub(r"\D", "", village.translate(_THAI_DIGITS)),
        "SOISUB": alley.removeprefix("ตรอก"),
        "SOIMAIN": lane.removeprefix("ซอย"),
        "ROAD": road.removeprefix("ถนน"),
        "CHANGWAT": codes[:2],
        "AMPUR": codes[2:4],
        "TAMBON": codes[4:6],
    }


_AREA_WORDS = re.compile(r"^(ตำบล|แขวง|อำเภอ|เขต|จังหวัด)\s*")


def _bare(name: str) -> str:
    return _AREA_WORDS.sub("", name.strip())


def _area(province: str, amphoe: str, tambon: str) -> str:
    """The area code as far as the names are known: 6, 4, 2 digits or ""."""
    found = ""
    for name in (province, amphoe, tambon):
        code = _areas().get((found, name), "")
        if not code:
            break
        found = code
    return found


@cache
def _areas() -> dict[tuple[str, str], str]:
    """(code of the area around, name) to code."""
    return {(code[:-2], _bare(name)): code for code, name in displays(LOCATIONS).items()}


def _split(text: str, parts: int) -> list[str]:
    found = [part.strip() for part in text.split("#")]
    return (found + [""] * parts)[:parts]


def _filled(row: Row) -> Row:
    return {name: text for name, text in row.items() if text}
