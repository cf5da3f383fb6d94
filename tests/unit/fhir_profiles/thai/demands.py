"""Every demand of the Thai profiles as cases: a resource that meets it, and the same one that breaks it.

Read from the sources of the profiles, so that a new line there has its two tests at once.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

from fhir_profiles.definitions import CORE, Definitions
from fhir_profiles.thai import ThaiProfiles, add_to
from fhir_profiles.thai.systems import CODE_SYSTEMS, LOCAL, VALUE_SETS, IdentifierKind, identifier_kinds
from terminology.service import TerminologyService
from tests.unit.fhir_profiles.thai.test_profiles import EXAMPLES

Resource = dict[str, Any]
DEFINITIONS = add_to(Definitions())
TERMINOLOGY = TerminologyService()
SOURCES = ThaiProfiles().sources

CODED = {"text": "x"}
SHOWN = {"display": "x"}
_LINE = {"sequence": 1, "productOrService": CODED}
FILL: dict[str, Any] = {
    "Claim.item": _LINE,
    "Claim.item.detail": _LINE,
    "Claim.item.detail.subDetail": _LINE,
    "Claim.item.net": {"value": 1, "currency": "THB"},
    "Claim.accident": {"date": "2026-01-02"},
    "Claim.accident.date": "2026-01-02",
    "Claim.insurance.preAuthRef": "1",
    "Encounter.location": {"location": SHOWN},
    "Encounter.diagnosis": {"condition": SHOWN},
    "Practitioner.qualification": {"code": CODED},
    "AllergyIntolerance.reaction": {"manifestation": [CODED]},
    "ServiceRequest.priority": "urgent",
    "Patient.name.prefix": "นาย",
}
"""What stands where a case needs something that its example does not have; else by type."""
BY_TYPE = {"Reference": SHOWN, "CodeableConcept": CODED}
WITHOUT_PROFILE: dict[str, Resource] = {
    "Basic": {"resourceType": "Basic", "code": CODED},
    "DeviceRequest": {
        "resourceType": "DeviceRequest",
        "intent": "order",
        "codeCodeableConcept": CODED,
        "subject": {"reference": "Patient/1"},
    },
    "MedicationStatement": {
        "resourceType": "MedicationStatement",
        "status": "active",
        "medicationCodeableConcept": CODED,
        "subject": {"reference": "Patient/1"},
    },
    "Observation": {"resourceType": "Observation", "status": "final", "code": CODED},
}
VALUES = {"cid": "9990000000014", "hospital": "99999", "houseNumber": "12345678901", "village": "12010201"}
"""Values of identifiers whose system has a shape."""
HANDLED = {"card", "targets", "types", "by", "patternMoney", "patternCodeableConcept", "thai", "must"}
"""Members of elements that this module makes cases of, or that ask nothing (the last two)."""


class Case(NamedTuple):
    name: str
    profile: str
    good: Resource
    bad: Resource
    place: str
    """Where the breach is told."""
    severity: str = "error"

    @property
    def id(self) -> str:
        return f"{self.profile}-{self.name}"


def example(profile: str) -> Resource:
    found: Resource = copy.deepcopy(EXAMPLES[profile]["good"])
    return found


def by_type(kind: str) -> Resource:
    """A resource of the type that R4 accepts, the example of its profile where it has one."""
    if kind in WITHOUT_PROFILE:
        return copy.deepcopy(WITHOUT_PROFILE[kind])
    return example(min(name for name, each in EXAMPLES.items() if each["good"]["resourceType"] == kind))


def holder(resource: Resource, path: str) -> tuple[Resource, str]:
    """The object at an element path, made where it is not there, and its place; for a primitive its `_name` object."""
    kind, *steps = path.split(".")
    here, node, place, known = resource, kind, kind, kind
    for step in steps:
        property_ = DEFINITIONS.properties(node)[step]
        known = f"{known}.{step}"
        value = FILL.get(known, BY_TYPE.get(property_.type, {}))
        if not isinstance(value, dict):
            here.setdefault(step, [value] if property_.element.is_array else value)
            inner: Resource = {}
            here["_" + step] = [inner] if property_.element.is_array else inner
        else:
            found = here.setdefault(
                step, [copy.deepcopy(value)] if property_.element.is_array else copy.deepcopy(value)
            )
            inner = found[0] if property_.element.is_array else found
        place += f".{step}[0]" if property_.element.is_array else f".{step}"
        here, node = inner, property_.type
    return here, place


def first_code(value_set: str) -> dict[str, str]:
    found = TERMINOLOGY.expand(value_set, limit=20_000)
    assert found, value_set
    return {"system": found[0].system, "code": found[0].code}


def cases() -> Iterator[Case]:
    for profile, source in SOURCES.items():
        for name, card in source.get("identifiers", {}).items():
            yield from _identifier(profile, identifier_kinds()[name], card)
        for path, systems in source.get("codings", {}).items():
            for name, says in systems.items():
                yield from _coding(profile, f"{source['type']}.{path}", name, says)
        for path, says in source.get("elements", {}).items():
            yield from _element(profile, path, says)
        yield _era(profile)


def _era(profile: str) -> Case:
    good, bad = example(profile), example(profile)
    count = len(good.get("extension", ()))
    for resource, date in ((good, "2026-01-02"), (bad, "2569-01-02")):
        resource.setdefault("extension", []).append({"url": "https://x.example/day", "valueDate": date})
    return Case("era", profile, good, bad, f"{good['resourceType']}.extension[{count}].value")


# --- identifiers ------------------------------------------------------------------------------------------------------


def identifier(kind: IdentifierKind) -> Resource:
    system = f"{LOCAL}5/99999/{kind.system}" if kind.is_local else kind.system or "https://x.example/id"
    coding = {"system": CODE_SYSTEMS + "cs-th-identifier-type", "code": kind.code}
    return {"type": {"coding": [coding]}, "system": system, "value": VALUES.get(kind.name, "123")}


def _identifier(profile: str, kind: IdentifierKind, card: str) -> Iterator[Case]:
    whole = identifier(kind)
    good = {**example(profile), "identifier": [whole]}
    where = f"{good['resourceType']}.identifier"

    def broken(name: str, place: str, *found: Resource) -> Case:
        return Case(f"{kind.name}-{name}", profile, good, {**good, "identifier": list(found)}, where + place)

    for member in ("system", "value"):
        yield broken(f"no-{member}", f"[0].{member}", {k: v for k, v in whole.items() if k != member})
    if kind.system:
        other = f"{LOCAL}5/99999/Other" if kind.is_local else "https://x.example/other"
        yield broken("other-system", "[0].system", {**whole, "system": other})
    if card.endswith("..1"):
        yield broken("twice", "[1]", whole, {**whole, "value": "1101700230708" if kind.name == "cid" else "12010202"})


# --- codings ----------------------------------------------------------------------------------------------------------


def _coding(profile: str, path: str, name: str, says: str) -> Iterator[Case]:
    strength, _, list_id = says.partition(" ")
    system = CODE_SYSTEMS + list_id if list_id else says
    code = first_code(VALUE_SETS + "vs-" + list_id.removeprefix("cs-"))["code"] if list_id else "1"

    def coded(coding: dict[str, str]) -> tuple[Resource, str]:
        resource = example(profile)
        concept, place = holder(resource, path)
        concept["coding"] = [{"system": "https://x.example/own", "code": "1"}, coding]
        return resource, place + ".coding[1]"

    good, place = coded({"system": system, "code": code})
    bad, _ = coded({"system": system, "display": "x"})
    yield Case(f"{path}-{name}-no-code", profile, good, bad, place + ".code")
    if list_id:
        bad, _ = coded({"system": system, "code": "zzzz"})
        severity = "error" if strength == "required" else "warning"
        yield Case(f"{path}-{name}-{strength}", profile, good, bad, place, severity)


# --- elements ---------------------------------------------------------------------------------------------------------


def _element(profile: str, path: str, says: Any) -> Iterator[Case]:
    good = example(profile)
    kind = good["resourceType"]
    name = path.removesuffix("[x]")
    place = f"{kind}.{name}".partition(":")[0]
    if says.get("card", "").startswith("1"):
        yield Case(f"{path}-missing", profile, good, _without(good, name.partition(":")[0]), place)
    if ":" in path and says.get("card", "").endswith("..1"):
        yield Case(f"{path}-twice", profile, good, {**good, "category": good["category"] * 2}, f"{place}[1]")
    if "targets" in says and (others := _other_targets(f"{kind}.{path}", says["targets"])):
        other = {"reference": f"{others[0]}/1"}
        value = [other] if isinstance(good.get(path), list) else other
        inside = "[0].reference" if isinstance(value, list) else ".reference"
        yield Case(f"{path}-target", profile, good, {**good, path: value}, place + inside)
    if "types" in says:
        bad = {**_without(good, name), name + "String": "x"}
        yield Case(f"{path}-type", profile, good, bad, place)
    for member in ("patternMoney", "patternCodeableConcept"):
        if member in says:
            yield _pattern(profile, path, says[member])


def _other_targets(path: str, targets: list[str]) -> list[str]:
    """Types that R4 lets the reference point to and the profile does not."""
    rows = DEFINITIONS.element(path).types
    allowed = {url.removeprefix(CORE) for row in rows for url in row.targets}
    return sorted((allowed - {*targets}) if "Resource" not in allowed else ["Medication"])


def _without(resource: Resource, path: str) -> Resource:
    """A copy without an element, whatever type a choice has."""
    found = copy.deepcopy(resource)
    *outer, last = path.split(".")
    target = found
    for step in outer:
        target = target[step]
    for name in [each for each in target if each == last or (each.startswith(last) and each[len(last)].isupper())]:
        del target[name]
    return found


def _pattern(profile: str, path: str, pattern: Any) -> Case:
    good, bad = example(profile), example(profile)
    kind = good["resourceType"]
    if ":" in path:
        # Of no slice now, so that the one that is asked for is missing.
        bad["category"] = [CODED]
        return Case(f"{path}-pattern", profile, good, bad, f"{kind}.category")
    for resource in (good, bad):
        target, place = holder(resource, f"{kind}.{path}")
    if "currency" in pattern:
        holder(good, f"{kind}.{path}")[0].update(value=1, currency="THB")
        target.update(value=1, currency="USD")
    else:
        target["coding"] = [{"system": "https://x.example/own", "code": "zzzz"}]
    return Case(f"{path}-pattern", profile, good, bad, place)
