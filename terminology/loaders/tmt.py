"""TMT (Thai Medicines Terminology): concept and relationship files of a release.   https://this.or.th/service/tmt

A release (`TMTRFyyyymmdd.zip`) holds one spreadsheet of concepts per level and one per relationship between levels
(`GP20200106.xls`, `GPtoGPU20200106.xls`), and a snapshot of TPU. Save the sheets as CSV UTF-8 under their own names and
load the folder. **File and column names are from memory, unverified**: they are the tables below, easy to correct.

Levels: SUBS substance, VTM virtual therapeutic moiety, GP generic product, TP trade product, GPU/TPU with unit of use,
GPP/TPP with pack. All levels are one code system; the level is the property `level`, and what a product is a kind of is
its parent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import PurePosixPath

from terminology.concept import Concept, Designation, Property
from terminology.loaders.tables import Columns, LoadError, Release, Report

LEVELS = ("SUBS", "VTM", "GP", "TP", "GPU", "TPU", "GPP", "TPP")
"""From the general to the special: in a relationship, the level that stands first here is the parent."""
LEVEL = "|".join(sorted(LEVELS, key=len, reverse=True))
CONCEPT_FILE = re.compile(rf"({LEVEL})[ _-]?\d*\.(csv|txt)", re.IGNORECASE)
RELATION_FILE = re.compile(rf"({LEVEL})[ _-]?to[ _-]?({LEVEL})[ _-]?\d*\.(csv|txt)", re.IGNORECASE)
SNAPSHOT_FILE = re.compile(r"TMT.*SNAPSHOT.*\.(csv|txt)", re.IGNORECASE)

CONCEPT = Columns(
    {
        "code": ("TMTID", *(f"TMTID({level})" for level in LEVELS), "TMTCODE", "CODE", "ID"),
        "display": ("FSN", "NAME", "TERM", "DESCRIPTION"),
        "thai": ("FSN_TH", "NAME_TH", "ชื่อไทย"),
        "manufacturer": ("MANUFACTURER", "บริษัทผู้ผลิต"),
        "change": ("CHANGEDATE", "EFFECTIVEDATE"),
        "status": ("STATUS", "ACTIVE"),
        "tradename": ("TRADENAME",),
        "ingredient": ("ACTIVEINGREDIENT", "ACTIVE INGREDIENT"),
        "strength": ("STRENGTH",),
        "dosageform": ("DOSAGEFORM", "DOSAGE FORM"),
    },
    ("code",),
)
PROPERTIES = ("manufacturer", "change", "tradename", "ingredient", "strength", "dosageform")
INACTIVE = frozenset({"0", "inactive", "retired", "i", "n"})


def read_tmt(release: Release, report: Report) -> Iterator[Concept]:
    concepts = matching(release, CONCEPT_FILE)
    snapshots = matching(release, SNAPSHOT_FILE)
    if not concepts and not snapshots:
        raise LoadError(
            f"{release.source.name}: concept files such as GPU20200106.csv, or a snapshot, saved as CSV, are expected"
        )
    parents = read_relations(release, report)
    files = [(name, match[1].upper()) for name, match in concepts] or [(name, "TPU") for name, _ in snapshots]
    files.sort(key=lambda item: LEVELS.index(item[1]))
    return chain.from_iterable(read_level(release, name, level, parents, report) for name, level in files)


def matching(release: Release, pattern: re.Pattern[str]) -> list[tuple[str, re.Match[str]]]:
    found = ((name, pattern.fullmatch(PurePosixPath(name).name)) for name in release.names())
    return [(name, match) for name, match in found if match]


def read_level(
    release: Release, name: str, level: str, parents: dict[str, tuple[str, ...]], report: Report
) -> Iterator[Concept]:
    for row in release.table(name, CONCEPT, report):
        properties = [Property("level", "valueCode", level)]
        properties += [Property(key, "valueString", row[key]) for key in PROPERTIES if row.get(key)]
        if row.get("status", "").lower() in INACTIVE:
            properties.append(Property("inactive", "valueBoolean", True))
        names = (Designation(row["thai"], "th"),) if row.get("thai") else ()
        yield Concept(
            row["code"], row.get("display") or None, None, names, tuple(properties), parents.get(row["code"], ())
        )


def read_relations(release: Release, report: Report) -> dict[str, tuple[str, ...]]:
    """Parents by code. A relationship file has the code of its first level in the first column that names it, or in
    the first column, and that of the second level likewise in the second."""
    parents: dict[str, tuple[str, ...]] = {}
    for name, match in matching(release, RELATION_FILE):
        first, second = match[1].upper(), match[2].upper()
        columns = relation_columns(release.header(name), first, second, name)
        for row in release.table(name, columns, report):
            upper, lower = ("first", "second") if LEVELS.index(first) < LEVELS.index(second) else ("second", "first")
            known = parents.get(row[lower], ())
            if row[upper] not in known:
                parents[row[lower]] = (*known, row[upper])
    return parents


def relation_columns(header: list[str], first: str, second: str, name: str) -> Columns:
    if len(header) < 2:
        raise LoadError(f"{name}: a relationship file has two columns of codes")
    one = (f"TMTID({first})", f"{first}ID", f"{first}CODE", first, header[0])
    other = (f"TMTID({second})", f"{second}ID", f"{second}CODE", second, header[1])
    return Columns({"first": one, "second": other}, ("first", "second"))
