"""TMLT (Thai Medical Laboratory Terminology): the snapshot of a release.   https://this.or.th/service/tmlt

Save the snapshot sheet (`TMLT_SNAPSHOT....xls`) as CSV UTF-8. **Column names are from memory, unverified**: they are
the table COLUMNS, easy to correct. Columns that are not in it become properties under their own name.
"""

from __future__ import annotations

from collections.abc import Iterator

from terminology.concept import Concept, Designation, Property
from terminology.loaders.tables import Columns, LoadError, Release, Report, plain

COLUMNS = Columns(
    {
        "code": ("TMLTCODE", "TMLT_Code", "TMLTID", "TMLT", "CODE"),
        "display": ("TMLTNAME", "TMLT_Name", "FSN", "NAME", "DESCRIPTION"),
        "thai": ("NAME_TH", "TMLT_Name_TH", "ชื่อไทย"),
        "loinc": ("LOINC", "LOINC_NUM", "LOINCCODE"),
        "status": ("STATUS", "ACTIVE"),
    },
    ("code",),
)
INACTIVE = frozenset({"0", "inactive", "retired", "i", "n"})


def read_tmlt(release: Release, report: Report) -> Iterator[Concept]:
    tables = release.names(r".*SNAPSHOT.*\.(csv|txt)") or release.names(r".*\.(csv|txt)")
    if len(tables) != 1:
        raise LoadError(f"{release.source.name}: one snapshot, saved as CSV, is expected, not {len(tables)} files")
    header = release.header(tables[0])
    known = {plain(title) for titles in COLUMNS.names.values() for title in titles}
    others = [
        (number, title.strip()) for number, title in enumerate(header) if title.strip() and plain(title) not in known
    ]
    for number, raw, row in release.rows(tables[0], COLUMNS):
        if not row.get("code"):
            if any(cell.strip() for cell in raw):
                report.skip(tables[0], number, "no code")
            continue
        properties = [Property("loinc", "valueCode", row["loinc"])] if row.get("loinc") else []
        properties += [
            Property(title, "valueString", raw[place].strip())
            for place, title in others
            if place < len(raw) and raw[place].strip()
        ]
        if row.get("status", "").lower() in INACTIVE:
            properties.append(Property("inactive", "valueBoolean", True))
        names = (Designation(row["thai"], "th"),) if row.get("thai") else ()
        yield Concept(row["code"], row.get("display") or None, None, names, tuple(properties))
