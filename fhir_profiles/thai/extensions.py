"""SIL-TH's extensions as R4 StructureDefinitions, from `extensions.csv`: one line an extension, and one for each part.

The facts (urls, contexts, types, value sets, Thai titles) are those of sil-th/extension-ig and sil-th/th-core, declared
CC0-1.0, which are written for R5; contexts that R4 lacks are left out. Extensions of the earlier guides (2022) bear the
same ids under other bases, some of them other names; they are held to the same definition. `own/...` are extensions of
our own, under our canonical base: the rows from which the mappers made a resource (`docs/decisions/f43-round-trip.md`).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from fhir_profiles.canonical import CANONICAL
from fhir_profiles.definitions import CORE
from fhir_profiles.thai.differential import EXTENSIONS, VERSION
from fhir_profiles.thai.rules import constraint, translation
from fhir_profiles.thai.systems import VALUE_SETS

_TABLE = Path(__file__).with_name("extensions.csv")
_BASE = "https://fhir-ig.sil-th.org/"
_OLDER = ("mophncd/StructureDefinition/", "mophpc/StructureDefinition/", "43filesplus/StructureDefinition/")
_OLDER_NAMES = {
    "mophpc/Extension/TH-address-code": "ex-address-address-code",
    "mophpc/Extension/TH-home-reference": "ex-address-home-reference",
    "mophpc/Extension/TH-house-type": "ex-address-house-type",
    "mophpc/Extension/TH-education-level": "ex-patient-education-level",
    "mophpc/Extension/TH-person-status": "ex-patient-person-status",
    "th/core/StructureDefinition/ex-patient-race": "ex-patient-race",
    "th/core/StructureDefinition/ex-encounter-discharge-status": "ex-encounter-discharge-status",
}
_CORE_GUIDE = "th/core/"
"""Begins the ids of extensions that th-core itself defines."""
OWN = "own/"
"""Begins the ids of our own."""
_RULES = {
    "ex-address-address-code": ("th-area",),
    "own/f43-row": ("th-row",),
    "own/f16-row": ("th-row",),
    "own/card-row": ("th-row",),
}
_REFERENCE = re.compile(r"Reference\((\w+)\)\Z")


class Row(NamedTuple):
    id: str
    part: str
    context: str
    type: str
    value_set: str
    cardinality: str
    title: str
    thai: str


@cache
def table() -> dict[str, list[Row]]:
    """Id to its line and those of its parts."""
    found: dict[str, list[Row]] = {}
    with _TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["id"], []).append(Row(**row))
    return found


def published_url(identity: str) -> str:
    """The url of the newer generation, or of our own."""
    if identity.startswith(_CORE_GUIDE):
        return f"{_BASE}{_CORE_GUIDE}StructureDefinition/{identity.removeprefix(_CORE_GUIDE)}"
    if identity.startswith(OWN):
        return f"{CANONICAL}/StructureDefinition/{identity.removeprefix(OWN)}"
    return EXTENSIONS + identity


@cache
def urls() -> dict[str, str]:
    """Every url, of both generations, to the id in the table."""
    found = {published_url(identity): identity for identity in table()}
    for base in _OLDER:
        found.update((_BASE + base + identity, identity) for identity in table() if "/" not in identity)
    found.update((_BASE + name, identity) for name, identity in _OLDER_NAMES.items())
    return found


def structure_definition(url: str) -> dict[str, Any]:
    """The definition under one of `urls()`, differential only.   Raises: KeyError."""
    identity = urls()[url]
    row, *parts = table()[identity]
    return {
        "resourceType": "StructureDefinition",
        "id": identity.rpartition("/")[2],
        "url": url,
        **({"version": VERSION} if identity.startswith(OWN) else {}),
        "name": "".join(part.title() for part in row.id.rpartition("/")[2].split("-")),
        "title": row.title,
        "_title": translation(row.thai),
        "status": "active",
        "fhirVersion": "4.0.1",
        "kind": "complex-type",
        "abstract": False,
        "context": [{"type": "element", "expression": each} for each in row.context.split("; ")],
        "type": "Extension",
        "baseDefinition": CORE + "Extension",
        "derivation": "constraint",
        "differential": {"element": list(_elements(url, row, parts))},
    }


def _elements(url: str, row: Row, parts: Iterable[Row]) -> Iterable[dict[str, Any]]:
    root: dict[str, Any] = {"id": "Extension", "path": "Extension", "short": row.title, "_short": translation(row.thai)}
    if row.id in _RULES:
        root["constraint"] = [constraint(key) for key in _RULES[row.id]]
    yield root
    for part in parts:
        identity = f"Extension.extension:{part.part}"
        least, _, most = part.cardinality.partition("..")
        yield {
            "id": identity,
            "path": "Extension.extension",
            "sliceName": part.part,
            "short": part.thai,
            "min": int(least),
            "max": most,
        }
        yield {"id": identity + ".url", "path": "Extension.extension.url", "fixedUri": part.part}
        yield _value(f"{identity}.value[x]", "Extension.extension.value[x]", part)
    yield {"id": "Extension.url", "path": "Extension.url", "fixedUri": url}
    # The columns of a row are many: one rule tells them (th-row), a slice each would cost every write dearly.
    if parts or row.id.startswith(OWN):
        yield {"id": "Extension.value[x]", "path": "Extension.value[x]", "max": "0"}
    else:
        yield {"id": "Extension.extension", "path": "Extension.extension", "max": "0"}
        yield _value("Extension.value[x]", "Extension.value[x]", row)


def _value(identity: str, path: str, row: Row) -> dict[str, Any]:
    element: dict[str, Any] = {"id": identity, "path": path, "min": 1}
    reference = _REFERENCE.match(row.type)
    if reference:
        element["type"] = [{"code": "Reference", "targetProfile": [CORE + reference[1]]}]
    elif row.type:
        element["type"] = [{"code": row.type}]
    if row.value_set:
        url = row.value_set if ":" in row.value_set else VALUE_SETS + row.value_set
        element["binding"] = {"strength": "extensible", "valueSet": url}
    return element
