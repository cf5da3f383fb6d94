"""ConceptMap/$translate.   https://hl7.org/fhir/R4/conceptmap-operation-translate.html

Without `url`, every map whose source and target fit is asked. `result` is true if one match is more than `unmatched`
or `disjoint`. With `reverse` the code is looked for among the targets, and `wider` and `narrower`, `subsumes` and
`specializes` change places.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from terminology.concept import Json
from terminology.errors import TerminologyError, Undecided
from terminology.library import split_canonical, system_url
from terminology.operations.parameters import Coded, Parameters, answer, as_text, checks_resources, read_coding, row
from terminology.service import TerminologyService
from terminology.system import value_of

ALLOWED = frozenset({
    "url", "conceptMap", "conceptMapVersion", "code", "system", "version", "source", "coding", "codeableConcept",
    "target", "targetsystem", "dependency", "reverse",
})  # fmt: skip
NOT_MATCHES = frozenset({"unmatched", "disjoint"})
REVERSED = {
    "wider": "narrower",
    "narrower": "wider",
    "subsumes": "specializes",
    "specializes": "subsumes",
}
MOST_MAPS_DEEP = 5
"""`unmapped.mode` = other-map is followed so far."""


class Match(NamedTuple):
    equivalence: str
    system: str | None
    code: str | None
    display: str | None
    source: str
    """URL of the map."""
    products: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    system: str | None
    code: str
    target_system: str | None
    reverse: bool
    dependencies: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    """(property, value) pairs that are known of the code."""


@checks_resources
def translate(service: TerminologyService, parameters: Json) -> Json:
    """Parameters result, message, match* (equivalence, concept, source, product*).

    Raises: TerminologyError (not-found) for an unknown map."""
    given = Parameters(parameters, ALLOWED)
    maps = maps_of(service, given)
    target = given.text("targetsystem")
    reverse = bool(given.flag("reverse"))
    dependencies = frozenset(read_dependencies(given))
    matches: list[Match] = []
    for coded in given.coded():
        system = None if coded.system is None else system_url(coded.system)
        question = Question(system, coded.code, system_url(target) if target else None, reverse, dependencies)
        matches += (match for concept_map in maps for match in matches_in(service, concept_map, question))
    matches = list({match[:3] + match[4:5]: match for match in reversed(matches)}.values())[::-1]
    matches = in_target(service, given.text("target"), matches)
    result = any(match.equivalence not in NOT_MATCHES for match in matches)
    message = None if result else "no mapping for the code"
    return answer(
        row("result", "Boolean", result), row("message", "String", message), *(match_row(match) for match in matches)
    )


def maps_of(service: TerminologyService, given: Parameters) -> list[Json]:
    inline, url = given.resource("conceptMap", "ConceptMap"), given.text("url")
    if inline is not None:
        return [inline]
    if url is not None:
        version = given.text("conceptMapVersion")
        found = service.library.resource("ConceptMap", f"{url}|{version}" if version else url)
        if found is None:
            raise TerminologyError("not-found", f"the concept map {url} is not known here")
        return [found]
    source, target = ("target", "source") if given.flag("reverse") else ("source", "target")
    asked = {source: given.text("source"), target: given.text("target")}
    return [m for m in service.library.concept_maps() if all(fits(m, url, side) for side, url in asked.items())]


def fits(concept_map: Json, value_set: str | None, side: str) -> bool:
    """Whether the map is for the value set; a map that names none, or a caller who names none, is not asked."""
    own = concept_map.get(f"{side}Canonical") or concept_map.get(f"{side}Uri")
    return value_set is None or own is None or split_canonical(str(own))[0] == split_canonical(value_set)[0]


def read_dependencies(given: Parameters) -> Iterator[tuple[str, str]]:
    for parts in given.parts("dependency"):
        element, concept = parts.get("element"), parts.get("concept")
        if element is None or concept is None:
            raise TerminologyError("invalid", "a dependency has an element and a concept")
        value = value_of(concept)[1]
        codings = value.get("coding", [value]) if isinstance(value, dict) else None
        if not isinstance(codings, list):
            raise TerminologyError("invalid", "the concept of a dependency is a CodeableConcept or a Coding")
        for coding in codings:
            yield as_text("element", element), read_coding("concept", coding).code


def matches_in(service: TerminologyService, concept_map: Json, question: Question, depth: int = 0) -> Iterator[Match]:
    url = str(concept_map.get("url", ""))
    for group in concept_map.get("group", ()):
        one, other = ("target", "source") if question.reverse else ("source", "target")
        own, far = group.get(one), group.get(other)
        if own is not None and question.system is not None and split_canonical(own)[0] != question.system:
            continue
        if far is not None and question.target_system not in (None, split_canonical(far)[0]):
            continue
        pairs = backward(group, question) if question.reverse else forward(group, question)
        found = False
        for equivalence, code, display, products in pairs:
            found = True
            yield Match(equivalence, None if far is None else system_url(far), code, display, url, products)
        if not found and not question.reverse and "unmapped" in group:
            yield from unmapped(service, group, question, url, depth)


Pair = tuple[str, str | None, str | None, tuple[Json, ...]]


def forward(group: Json, question: Question) -> Iterator[Pair]:
    for element in group.get("element", ()):
        if element.get("code") == question.code:
            for target in element.get("target", ()):
                if depends(target, question.dependencies):
                    products = tuple(target.get("product", ()))
                    yield target.get("equivalence", "equivalent"), target.get("code"), target.get("display"), products


def backward(group: Json, question: Question) -> Iterator[Pair]:
    for element in group.get("element", ()):
        for target in element.get("target", ()):
            if target.get("code") == question.code:
                equivalence = target.get("equivalence", "equivalent")
                yield REVERSED.get(equivalence, equivalence), element.get("code"), element.get("display"), ()


def depends(target: Json, known: frozenset[tuple[str, str]]) -> bool:
    """Whether all that the mapping depends on is known."""
    return all((d.get("property"), d.get("value")) in known for d in target.get("dependsOn", ()))


def unmapped(service: TerminologyService, group: Json, question: Question, url: str, depth: int) -> Iterator[Match]:
    """What the group says of codes that it does not map.   conceptmap-definitions.html#ConceptMap.group.unmapped"""
    rule = group["unmapped"]
    target = group.get("target")
    if rule.get("mode") == "provided":
        yield Match("equal", system_url(target) if target else None, question.code, None, url)
    elif rule.get("mode") == "fixed":
        yield Match("inexact", system_url(target) if target else None, rule.get("code"), rule.get("display"), url)
    elif rule.get("mode") == "other-map" and depth < MOST_MAPS_DEEP:
        other = service.library.resource("ConceptMap", str(rule.get("url", "")))
        if other is None:
            raise Undecided(f"the concept map {rule.get('url')} for unmapped codes is not here")
        yield from matches_in(service, other, question, depth + 1)


def in_target(service: TerminologyService, target: str | None, matches: list[Match]) -> list[Match]:
    """Only matches in the value set asked for, where it is known."""
    if target is None:
        return matches
    return [m for m in matches if m.code is None or service.validate_code(target, m.system, m.code).verdict != "no"]


def match_row(match: Match) -> Json:
    parts: list[Json] = [{"name": "equivalence", "valueCode": match.equivalence}]
    if match.code is not None:
        coding = {"system": match.system, "code": match.code, "display": match.display}
        parts.append({"name": "concept", "valueCoding": {k: v for k, v in coding.items() if v is not None}})
    for product in match.products:
        coding = {key: product[name] for key, name in PRODUCT.items() if name in product}
        element = {"name": "element", "valueUri": product.get("property", "")}
        parts.append({"name": "product", "part": [element, {"name": "concept", "valueCoding": coding}]})
    if match.source:
        parts.append({"name": "source", "valueUri": match.source})
    return {"name": "match", "part": parts}


PRODUCT = {"system": "system", "code": "value", "display": "display"}


def translated(service: TerminologyService, url: str, code: Coded, *, reverse: bool = False) -> list[Match]:
    """The matches of one map as data, for code that is not an operation. Raises: TerminologyError (not-found)."""
    concept_map = service.library.resource("ConceptMap", url)
    if concept_map is None:
        raise TerminologyError("not-found", f"the concept map {url} is not known here")
    system = None if code.system is None else system_url(code.system)
    return list(matches_in(service, concept_map, Question(system, code.code, None, reverse)))
