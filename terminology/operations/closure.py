"""$closure: keeps a client's table of subsumption up to date.

https://hl7.org/fhir/R4/terminology-service.html#closure https://hl7.org/fhir/R4/conceptmap-operation-closure.html

The table is a value: it goes in, a new one comes out, and the server stores it under its name. Entries are only those
between concepts of the table; each call that adds concepts makes the next version. `version` asks for the entries made
after that version again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from terminology.concept import Json
from terminology.errors import TerminologyError
from terminology.library import system_url
from terminology.operations.lookup import system_of
from terminology.operations.parameters import Coded, Parameters
from terminology.service import TerminologyService

ALLOWED = frozenset({"name", "concept", "version"})
MOST_CONCEPTS = 10_000
"""In one table; a larger problem list is a sign that the table is used for whole code systems."""


class Known(NamedTuple):
    system: str
    code: str


class Subsumption(NamedTuple):
    """`below` is subsumed by `above`, found at `version` of the table."""

    version: int
    below: Known
    above: Known


@dataclass(frozen=True, slots=True)
class ClosureTable:
    name: str
    version: int = 0
    concepts: tuple[Known, ...] = ()
    entries: tuple[Subsumption, ...] = ()

    def to_json(self) -> Json:
        """For the store; `from_json` reads it again."""
        return {
            "name": self.name,
            "version": self.version,
            "concepts": [list(c) for c in self.concepts],
            "entries": [[e.version, list(e.below), list(e.above)] for e in self.entries],
        }

    @classmethod
    def from_json(cls, stored: Json) -> ClosureTable:
        return cls(
            stored["name"],
            stored["version"],
            tuple(Known(*c) for c in stored["concepts"]),
            tuple(Subsumption(v, Known(*below), Known(*above)) for v, below, above in stored["entries"]),
        )


def closure(
    service: TerminologyService, parameters: Json, table: ClosureTable | None, *, now: str
) -> tuple[Json, ClosureTable]:
    """The answer and the table as it is after the call.

    `table` is the one stored under the parameter `name`, None if there is none. A call with the name alone makes the
    table empty. Raises: TerminologyError (not-found) for a table that was not made, an unknown system or code."""
    given = Parameters(parameters, ALLOWED)
    name = closure_name(parameters)
    concepts, version = given.codings("concept"), given.text("version")
    if not concepts and version is None:
        return {"resourceType": "Parameters", "parameter": [{"name": "result", "valueBoolean": True}]}, ClosureTable(
            name
        )
    if table is None:
        raise TerminologyError("not-found", "there is no closure table of that name; begin it with the name alone")
    if concepts and version is not None:
        raise TerminologyError("invalid", "give either concepts to add or the version to replay from")
    if version is not None:
        since = read_version(version, table)
        return concept_map(table, [e for e in table.entries if e.version > since], now), table
    grown = add(service, table, concepts)
    return concept_map(grown, [e for e in grown.entries if e.version > table.version], now), grown


def closure_name(parameters: Json) -> str:
    """The parameter `name`: under it the server stores the table."""
    name = Parameters(parameters, ALLOWED).text("name")
    if not name or len(name) > 200:
        raise TerminologyError("invalid", "the name of the closure table is missing or longer than 200 characters")
    return name


def read_version(version: str, table: ClosureTable) -> int:
    if not (version.isascii() and version.isdecimal()) or int(version) > table.version:
        raise TerminologyError("invalid", f"the closure table has versions 0 to {table.version}")
    return int(version)


def add(service: TerminologyService, table: ClosureTable, concepts: list[Coded]) -> ClosureTable:
    """The table with the concepts that it does not have yet, and the new entries."""
    known = dict.fromkeys(table.concepts)
    above: dict[Known, frozenset[str]] = {}
    new: list[Known] = []
    for coded in concepts:
        system = system_of(service, coded)
        concept = system.find(coded.code)
        if concept is None:
            raise TerminologyError("not-found", f"the code system {system.url} has no code {coded.code[:40]}")
        item = Known(system_url(coded.system or ""), concept.code)
        if item not in known and item not in above:
            above[item] = system.ancestors(concept.code)
            new.append(item)
    if not new:
        return table
    if len(known) + len(new) > MOST_CONCEPTS:
        raise TerminologyError("too-costly", f"a closure table has at most {MOST_CONCEPTS} concepts")
    version = table.version + 1
    members = {*known, *new}
    entries = [
        Subsumption(version, item, Known(item.system, code))
        for item in new
        for code in sorted(above[item])
        if Known(item.system, code) in members
    ]
    for item in table.concepts:
        systems = [n for n in new if n.system == item.system]
        own = service.library.code_system(item.system) if systems else None
        ancestors = own.ancestors(item.code) if own is not None else frozenset()
        entries.extend(Subsumption(version, item, n) for n in systems if n.code in ancestors)
    return replace(table, version=version, concepts=(*table.concepts, *new), entries=(*table.entries, *entries))


def concept_map(table: ClosureTable, entries: list[Subsumption], now: str) -> Json:
    """The entries as a ConceptMap: the target subsumes the source."""
    groups: dict[str, dict[str, list[str]]] = {}
    for entry in entries:
        groups.setdefault(entry.below.system, {}).setdefault(entry.below.code, []).append(entry.above.code)
    answer: Json = {
        "resourceType": "ConceptMap",
        "version": str(table.version),
        "name": f"Updates for Closure Table {table.name}",
        "status": "active",
        "experimental": True,
        "date": now,
    }
    if groups:
        answer["group"] = [
            {
                "source": system,
                "target": system,
                "element": [
                    {"code": code, "target": [{"code": a, "equivalence": "subsumes"} for a in aboves]}
                    for code, aboves in elements.items()
                ],
            }
            for system, elements in groups.items()
        ]
    return answer
