"""A profile's StructureDefinition from its source: one JSON file, short enough to be reviewed by eye.

    {"type": "Patient", "title": "...", "thai": "...", "text": "...",
     "identifiers": {"cid": "0..1"},            slices of `identifier`, from identifiers.csv, told apart by their type
     "names": true,                             slices `thai` and `english` of `name`, by HL7's language extension
     "codings": {"code": {"icd10": "http:..."}},  slices of a CodeableConcept's codings by system; a Thai list by its
                                                id and with a binding: `"required cs-thcc-marital"`
     "extensions": {"": ["ex-patient-race"]},   SIL-TH's extensions (or a whole url), by the path they stand at
     "elements": {"gender": {"card": "1..1"}}}  all else by path below the type: `code.coding:icd10.system`

Members of an element: `card`, `short`, `thai` (its label), `must` (mustSupport), `bind` ("extensible vs-thcc-marital"),
`types` (names), `targets` (types a Reference may point to), `rules` (keys of rules.py), `by` ("value:system", the
discriminator of a slicing), and those of ElementDefinition as they are: `fixedUri`, `patternCodeableConcept` ...
Every profile asks `th-era` of the whole and `IDENTIFIER_RULES` of each identifier.
https://hl7.org/fhir/R4/elementdefinition.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fhir_profiles.canonical import CANONICAL
from fhir_profiles.definitions import CORE
from fhir_profiles.thai.rules import IDENTIFIER_RULES, constraint, translation
from fhir_profiles.thai.systems import CODE_SYSTEMS, VALUE_SETS, IdentifierKind, identifier_kinds

Source = Mapping[str, Any]
Row = dict[str, Any]

EXTENSIONS = "https://fhir-ig.sil-th.org/th/extensions/StructureDefinition/"
LANGUAGE = CORE + "language"
VERSION = "1.0.0"
_PLAIN = ("fixed", "pattern", "min", "max", "slicing", "comment", "definition", "isModifier")
"""How members begin that are ElementDefinition's own."""


def profile_url(name: str) -> str:
    """Canonical url of a profile by the name of its file: `th-patient`."""
    return f"{CANONICAL}/StructureDefinition/{name}"


def structure_definition(name: str, source: Source) -> dict[str, Any]:
    """The StructureDefinition, differential only."""
    kind = source["type"]
    return {
        "resourceType": "StructureDefinition",
        "id": name,
        "url": profile_url(name),
        "version": VERSION,
        "name": "".join(part.title() for part in name.split("-")),
        "title": source["title"],
        "_title": translation(source["thai"]),
        "status": "active",
        "description": source["text"],
        "jurisdiction": [{"coding": [{"system": "urn:iso:std:iso:3166", "code": "TH"}]}],
        "fhirVersion": "4.0.1",
        "kind": "resource",
        "abstract": False,
        "type": kind,
        "baseDefinition": source.get("base", CORE + kind),
        "derivation": "constraint",
        "differential": {"element": _merged(_rows(kind, source))},
    }


def _merged(rows: Iterable[Row]) -> list[Row]:
    """One row an element, in the order of their first; what is said of it in several places together."""
    found: dict[str, Row] = {}
    for row in rows:
        before = found.get(row["id"], {})
        rules = [*before.get("constraint", ()), *row.get("constraint", ())]
        found[row["id"]] = {**before, **row, **({"constraint": rules} if rules else {})}
    return list(found.values())


def _rows(kind: str, source: Source) -> Iterator[Row]:
    root = source.get("rules", ())
    yield {"id": kind, "path": kind, "constraint": [constraint(key) for key in ("th-era", *root)]}
    for place, urls in source.get("extensions", {}).items():
        yield from _extensions(f"{kind}.{place}" if place else kind, urls)
    if "identifiers" in source:
        yield from _identifiers(kind, source["identifiers"])
    if source.get("names"):
        yield from _names(kind)
    for path, says in source.get("elements", {}).items():
        yield _element(f"{kind}.{path}", says)
    for path, systems in source.get("codings", {}).items():
        yield from _codings(f"{kind}.{path}.coding", systems)


def _path(identity: str) -> str:
    """Element path of an element id: slice names left out."""
    return ".".join(step.partition(":")[0] for step in identity.split("."))


def _row(identity: str, **says: Any) -> Row:
    row: Row = {"id": identity, "path": _path(identity)}
    slice_name = identity.rpartition(".")[2].partition(":")[2]
    if slice_name:
        row["sliceName"] = slice_name
    return {**row, **says}


def _cardinality(card: str) -> dict[str, Any]:
    least, _, most = card.partition("..")
    found: dict[str, Any] = {}
    if least:
        found["min"] = int(least)
    if most:
        found["max"] = most
    return found


def _slicing(by: str) -> dict[str, Any]:
    kind, _, path = by.partition(":")
    return {"discriminator": [{"type": kind, "path": path}], "rules": "open"}


# --- what a source says in short --------------------------------------------------------------------------------------


def _extensions(identity: str, urls: list[str]) -> Iterator[Row]:
    for url in urls:
        name = url.rpartition("/")[2].removeprefix("ex-")
        whole = url if ":" in url else EXTENSIONS + url
        yield _row(f"{identity}.extension:{name}", type=[{"code": "Extension", "profile": [whole]}])


def _identifiers(kind: str, cardinalities: Mapping[str, str]) -> Iterator[Row]:
    rules = [constraint(key) for key in IDENTIFIER_RULES]
    yield _row(f"{kind}.identifier", slicing=_slicing("pattern:type"), constraint=rules)
    for name, card in cardinalities.items():
        yield from _identifier(f"{kind}.identifier:{name}", identifier_kinds()[name], card)


def _identifier(identity: str, kind: IdentifierKind, card: str) -> Iterator[Row]:
    rules = {"constraint": [constraint(f"th-system-{kind.name.lower()}")]} if kind.is_local else {}
    yield _row(identity, short=kind.title, _short=translation(kind.thai), **_cardinality(card), **rules)
    # Without a system in the pattern: those of both generations are right.
    yield _row(f"{identity}.type", min=1, patternCodeableConcept={"coding": [{"code": kind.code}]})
    fixed = {"fixedUri": kind.system} if kind.system and not kind.is_local else {}
    yield _row(f"{identity}.system", min=1, **fixed)
    yield _row(f"{identity}.value", min=1)


def _codings(identity: str, systems: Mapping[str, str]) -> Iterator[Row]:
    yield _row(identity, slicing=_slicing("value:system"))
    for name, says in systems.items():
        strength, _, list_id = says.partition(" ")
        bound = {}
        if list_id:
            value_set = VALUE_SETS + "vs-" + list_id.removeprefix("cs-")
            bound = {"binding": {"strength": strength, "valueSet": value_set}}
        yield _row(f"{identity}:{name}", **bound)
        yield _row(f"{identity}:{name}.system", min=1, fixedUri=CODE_SYSTEMS + list_id if list_id else says)
        yield _row(f"{identity}:{name}.code", min=1)


def _names(kind: str) -> Iterator[Row]:
    yield _row(f"{kind}.name", slicing=_slicing(f"value:extension('{LANGUAGE}').value"), mustSupport=True)
    for name, code, title, thai in (
        ("thai", "th", "Name in Thai", "ชื่อ-นามสกุล ภาษาไทย"),
        ("english", "en", "Name in English", "ชื่อ-นามสกุล ภาษาอังกฤษ"),
    ):
        identity = f"{kind}.name:{name}"
        yield _row(identity, short=title, _short=translation(thai))
        language = f"{identity}.extension:language"
        yield _row(language, min=1, max="1", type=[{"code": "Extension", "profile": [LANGUAGE]}])
        yield _row(f"{language}.value[x]", fixedCode=code)


def _element(identity: str, says: Mapping[str, Any]) -> Row:
    row = _row(identity)
    for name, value in says.items():
        row.update(_member(name, value))
    return row


def _member(name: str, value: Any) -> dict[str, Any]:
    if name == "card":
        return _cardinality(value)
    if name == "thai":
        return {"_short": translation(value)}
    if name == "must":
        return {"mustSupport": value}
    if name == "by":
        return {"slicing": _slicing(value)}
    if name == "rules":
        return {"constraint": [constraint(key) for key in value]}
    if name == "types":
        return {"type": [{"code": each} for each in value]}
    if name == "targets":
        return {"type": [{"code": "Reference", "targetProfile": [CORE + each for each in value]}]}
    if name == "bind":
        strength, _, value_set = value.partition(" ")
        return {
            "binding": {"strength": strength, "valueSet": value_set if ":" in value_set else VALUE_SETS + value_set}
        }
    if name == "short" or name.startswith(_PLAIN):
        return {name: value}
    raise ValueError(f"{name} is no member that a profile's source may have")
