"""LOINC: `Loinc.csv` of a release, with its hierarchy.   https://loinc.org/downloads

From the zip or the unpacked folder: `LoincTable/Loinc.csv`, and if there
`AccessoryFiles/ComponentHierarchyBySystem/ComponentHierarchyBySystem.csv` (formerly `MultiAxialHierarchy.csv`), whose
parts (LP...) become concepts that group others. Linguistic variants (`xxXX##LinguisticVariant.csv`) give names in other
languages; Thai has none by LOINC, use the generic table for those. Properties: https://hl7.org/fhir/R4/loinc.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from terminology.concept import Concept, Designation, Property
from terminology.loaders.tables import Columns, LoadError, Release, Report

AXES = (
    "COMPONENT", "PROPERTY", "TIME_ASPCT", "SYSTEM", "SCALE_TYP", "METHOD_TYP", "CLASS", "STATUS", "CLASSTYPE",
    "ORDER_OBS", "VersionLastChanged", "EXAMPLE_UCUM_UNITS",
)  # fmt: skip
"""Columns that become properties of the same name."""
COLUMNS = Columns(
    {
        "code": ("LOINC_NUM",),
        "display": ("LONG_COMMON_NAME",),
        "short": ("SHORTNAME",),
        "consumer": ("CONSUMER_NAME",),
        "definition": ("DefinitionDescription",),
        **{axis: (axis,) for axis in AXES},
    },
    ("code",),
)
HIERARCHY = Columns(
    {"parent": ("IMMEDIATE_PARENT",), "code": ("CODE",), "display": ("CODE_TEXT",)},
    ("code",),
)
VARIANT = Columns(
    {
        "code": ("LOINC_NUM",),
        "display": ("LinguisticVariantDisplayName", "LONG_COMMON_NAME"),
        "short": ("SHORTNAME",),
    },
    ("code",),
)
INACTIVE = frozenset({"DEPRECATED"})
"""DISCOURAGED and TRIAL codes are still in use."""
PART = re.compile(r"LP[0-9]+-[0-9]")


def read_loinc(release: Release, report: Report) -> Iterator[Concept]:
    table = next(iter(release.names(r"Loinc\.csv")), None)
    if table is None:
        raise LoadError(f"{release.source.name}: there is no Loinc.csv in it")
    parents, parts = read_hierarchy(release, report)
    names = read_variants(release, report)
    for row in release.table(table, COLUMNS, report):
        yield concept(row, parents.get(row["code"], ()), names.get(row["code"], ()))
    for code, display in parts.items():
        grouping = (Property("notSelectable", "valueBoolean", True),)
        yield Concept(code, display, properties=grouping, parents=parents.get(code, ()))


def concept(row: dict[str, str], parents: tuple[str, ...], names: tuple[Designation, ...]) -> Concept:
    own = [Designation(row[name], "en") for name in ("short", "consumer") if row.get(name)]
    properties = [Property(axis, "valueString", row[axis]) for axis in AXES if row.get(axis)]
    if row.get("STATUS", "").upper() in INACTIVE:
        properties.append(Property("inactive", "valueBoolean", True))
    display, definition = row.get("display") or row.get("short"), row.get("definition")
    return Concept(row["code"], display or None, definition or None, (*own, *names), tuple(properties), parents)


def read_hierarchy(release: Release, report: Report) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """Parents by code, and the name of each part."""
    parents: dict[str, tuple[str, ...]] = {}
    parts: dict[str, str] = {}
    for name in release.names(r"(ComponentHierarchyBySystem|MultiAxialHierarchy)\.csv")[:1]:
        for row in release.table(name, HIERARCHY, report):
            code, parent = row["code"], row.get("parent")
            if parent and parent not in parents.get(code, ()):
                parents[code] = (*parents.get(code, ()), parent)
            if PART.fullmatch(code):
                parts.setdefault(code, row.get("display", ""))
    return parents, parts


def read_variants(release: Release, report: Report) -> dict[str, tuple[Designation, ...]]:
    """Names in other languages; the language is in the file name (`thTH99LinguisticVariant.csv`)."""
    names: dict[str, tuple[Designation, ...]] = {}
    for name in release.names(r"[a-z]{2}[A-Z]{2}\d+LinguisticVariant\.csv"):
        short = PurePosixPath(name).name
        language = f"{short[:2].lower()}-{short[2:4].upper()}"
        for row in release.table(name, VARIANT, report):
            display = row.get("display") or row.get("short")
            if display:
                names[row["code"]] = (*names.get(row["code"], ()), Designation(display, language))
    return names
