"""ConceptMaps between Thai codes and HL7's, as data: `maps.csv` lists them, `<id>.csv` has the rows of one.

A row reads `source, target, equivalence, direction, comment`; the equivalence says what the target is to the source. An
empty direction counts both ways, `to` only from Thai to HL7 (the way back gives another code), `back` only from HL7 to
Thai. So one file gives two ConceptMaps: `<id>`, and `<id>-back` whose every target is the one code to write out again.
A target of another system than the map's is written `system|code`.
https://hl7.org/fhir/R4/conceptmap.html https://hl7.org/fhir/R4/valueset-concept-map-equivalence.html
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from fhir_profiles.canonical import CANONICAL
from terminology.concept import Json
from terminology.thai import CORE, VERSION, own_lists

FOLDER = Path(__file__).parent
REVERSED = {"wider": "narrower", "narrower": "wider", "subsumes": "specializes", "specializes": "subsumes"}
"""Equivalence read from the other side; the others are the same from both."""

COMMENTS = {
    "narrower": "The target says more than the source: it is the code to write where nothing more is known",
    "inexact": "Source and target overlap; neither says exactly what the other does",
}
"""What stands beside such a target where the row has no comment of its own: R4 asks for one (cmd-1)."""


class MapHead(NamedTuple):
    """One line of `maps.csv`."""

    id: str
    source: str
    """Id of a Thai list."""
    target: str
    target_value_set: str
    title: str
    field: str
    """Where the codes stand in the Thai files."""
    origin: str
    """Who says so."""


class Row(NamedTuple):
    source: str
    target: str
    equivalence: str
    direction: str
    comment: str


@cache
def heads() -> tuple[MapHead, ...]:
    return tuple(MapHead(*row) for row in read(FOLDER / "maps.csv"))


@cache
def rows(map_id: str) -> tuple[Row, ...]:
    """The rows of one map. Raises: FileNotFoundError for an unknown id."""
    return tuple(Row(*row) for row in read(FOLDER / f"{map_id}.csv"))


def read(path: Path) -> Iterator[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        next(lines)
        yield from lines


@cache
def to_hl7(map_id: str) -> dict[str, tuple[str, str]]:
    """Thai code -> (system, code), the first where a code has several; codes without a target are left out."""
    head = next(h for h in heads() if h.id == map_id)
    found = ((row.source, place(head, row.target)) for row in rows(map_id) if row.target and row.direction != "back")
    return dict(reversed(list(found)))


@cache
def from_hl7(map_id: str) -> dict[tuple[str, str], str]:
    """(system, code) -> the Thai code to write."""
    head = next(h for h in heads() if h.id == map_id)
    found = ((place(head, row.target), row.source) for row in rows(map_id) if row.target and row.direction != "to")
    return dict(reversed(list(found)))


def place(head: MapHead, target: str) -> tuple[str, str]:
    """System and code of a target."""
    system, _, code = target.rpartition("|")
    return system or head.target, code


def list_url(list_id: str, kind: str = "CodeSystem") -> str:
    """URL of a Thai list, or of its value set."""
    base = f"{CANONICAL}/" if list_id in own_lists() else CORE
    name = list_id if kind == "CodeSystem" else "vs-" + list_id.removeprefix("cs-")
    return f"{base}{kind}/{name}"


@cache
def thai_concept_maps() -> dict[str, Json]:
    """Every ConceptMap by URL: `.../ConceptMap/<id>` and `.../ConceptMap/<id>-back`."""
    made = [resource for head in heads() for resource in (forth(head), back(head))]
    return {resource["url"]: resource for resource in made}


def forth(head: MapHead) -> Json:
    groups: dict[str, dict[str, list[Json]]] = {}
    for row in rows(head.id):
        if row.direction != "back":
            system, code = place(head, row.target)
            target = _target(code, row.equivalence, row.comment)
            groups.setdefault(system, {}).setdefault(row.source, []).append(target)
    source = list_url(head.source)
    return resource(head, head.id, ((source, system, elements) for system, elements in groups.items()))


def back(head: MapHead) -> Json:
    groups: dict[str, dict[str, list[Json]]] = {}
    for row in rows(head.id):
        if row.direction != "to" and row.target:
            system, code = place(head, row.target)
            target = _target(row.source, REVERSED.get(row.equivalence, row.equivalence), row.comment)
            groups.setdefault(system, {}).setdefault(code, [target])
    target_system = list_url(head.source)
    return resource(head, f"{head.id}-back", ((system, target_system, elements) for system, elements in groups.items()))


def _target(code: str, equivalence: str, comment: str) -> Json:
    comment = comment or COMMENTS.get(equivalence, "")
    target: Json = {"code": code} if code else {}
    return {**target, "equivalence": equivalence, **({"comment": comment} if comment else {})}


def resource(head: MapHead, map_id: str, groups: Iterable[tuple[str, str, dict[str, list[Json]]]]) -> Json:
    thai, hl7 = list_url(head.source, "ValueSet"), head.target_value_set
    sides = {"sourceCanonical": thai, "targetCanonical": hl7} if map_id == head.id else {
        "sourceCanonical": hl7, "targetCanonical": thai
    }  # fmt: skip
    return {
        "resourceType": "ConceptMap",
        "id": map_id,
        "url": f"{CANONICAL}/ConceptMap/{map_id}",
        "version": VERSION,
        "name": "".join(part.capitalize() for part in map_id.split("-")),
        "title": head.title,
        "status": "active",
        "experimental": False,
        "description": f"{head.field}. Mapped {head.origin}." if head.origin.startswith("by") else (
            f"{head.field}. Source: {head.origin}."
        ),
        **{side: url for side, url in sides.items() if url},
        "group": [
            {
                "source": source,
                "target": target,
                "element": [{"code": code, "target": targets} for code, targets in elements.items()],
            }
            for source, target, elements in groups
        ],
    }  # fmt: skip
