"""`ValueSet.compose.include.filter`: which concepts of a code system a value set takes.

Every operator is two functions: `holds` tells it of one concept, `candidates` finds the concepts without looking at all
of them (None: there is no shorter way).   https://hl7.org/fhir/R4/valueset-filter-operator.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

from terminology.concept import Concept, Json
from terminology.errors import TerminologyError
from terminology.regex import compiled
from terminology.system import CodeSystem

HIERARCHY = frozenset({"concept", "code"})
"""Properties that name the concept itself."""
IMPLIED_PROPERTIES = frozenset(
    {"code", "concept", "display", "definition", "parent", "child", "inactive", "abstract", "notSelectable"}
)


@dataclass(frozen=True, slots=True)
class Filter:
    property: str
    op: str
    value: str
    holds: Callable[[Concept], bool]
    candidates: Callable[[], Iterator[Concept]] | None = None


def read_filter(raw: Json, system: CodeSystem) -> Filter:
    """One filter, ready to be asked. Raises: TerminologyError if it is incomplete or not known."""
    name, op, value = (str(raw.get(key, "")) for key in ("property", "op", "value"))
    if not name or op not in OPERATORS:
        raise TerminologyError("processing", f"the filter {name} {op[:20]} is not one that FHIR R4 defines")
    if name not in IMPLIED_PROPERTIES and name not in system.properties():
        raise TerminologyError("processing", f"the code system {system.url} has no property or filter {name[:40]}")
    return OPERATORS[op](system, name, value)


def values(concept: Concept, name: str) -> Iterator[str]:
    """The values of a property as text; the code, the names, parents and flags count as properties."""
    if name in HIERARCHY:
        yield concept.code
    elif name == "parent":
        yield from concept.parents
    elif name in ("inactive", "abstract", "notSelectable"):
        yield "true" if (concept.inactive if name == "inactive" else concept.abstract) else "false"
    elif name in ("display", "definition"):
        text = concept.display if name == "display" else concept.definition
        if text is not None:
            yield text
    for item in concept.properties:
        if item.code == name and name not in ("parent", "inactive", "abstract", "notSelectable"):
            yield item.text()


def is_a(system: CodeSystem, name: str, value: str) -> Filter:
    """The concept and all below it."""
    root = system.find(value)
    if root is None:
        return nothing(name, "is-a", value)
    return Filter(
        name,
        "is-a",
        value,
        lambda c: c.code == root.code or system.is_below(c.code, root.code),
        lambda: chain((root,), system.descendants(root.code)),
    )


def descendent_of(system: CodeSystem, name: str, value: str) -> Filter:
    """All below the concept, without itself."""
    root = system.find(value)
    if root is None:
        return nothing(name, "descendent-of", value)
    return Filter(
        name,
        "descendent-of",
        value,
        lambda c: system.is_below(c.code, root.code),
        lambda: system.descendants(root.code),
    )


def is_not_a(system: CodeSystem, name: str, value: str) -> Filter:
    """All but the concept and those below it."""
    root = system.find(value)
    if root is None:
        return Filter(name, "is-not-a", value, lambda _: True)
    return Filter(name, "is-not-a", value, lambda c: c.code != root.code and not system.is_below(c.code, root.code))


def generalizes(system: CodeSystem, name: str, value: str) -> Filter:
    """The concept and all above it."""
    leaf = system.find(value)
    if leaf is None:
        return nothing(name, "generalizes", value)
    above = system.ancestors(leaf.code) | {leaf.code}
    return Filter(name, "generalizes", value, lambda c: c.code in above, lambda: found(system, tuple(sorted(above))))


def equals(system: CodeSystem, name: str, value: str) -> Filter:
    return one_of(system, name, "=", value, (system.comparable(name, value),))


def is_in(system: CodeSystem, name: str, value: str) -> Filter:
    return one_of(system, name, "in", value, comma_separated(value))


def one_of(system: CodeSystem, name: str, op: str, value: str, wanted: tuple[str, ...]) -> Filter:
    """Concepts with one of the values in the property."""
    if name == "child":
        parents = frozenset(chain.from_iterable(c.parents for code in wanted if (c := system.find(code))))
        return Filter(name, op, value, lambda c: c.code in parents, lambda: found(system, tuple(sorted(parents))))
    inside = frozenset(wanted)
    shorter: Callable[[], Iterator[Concept]] | None = None
    if name in HIERARCHY:
        concepts = tuple(found(system, wanted))
        inside = frozenset(c.code for c in concepts)
        shorter = lambda: iter(concepts)  # noqa: E731
    elif name == "parent":
        shorter = lambda: unique(chain.from_iterable(map(system.children, wanted)))  # noqa: E731
    elif name not in IMPLIED_PROPERTIES:
        shorter = lambda: system.having(name, inside)  # noqa: E731
    return Filter(name, op, value, lambda c: any(v in inside for v in values(c, name)), shorter)


def not_in(system: CodeSystem, name: str, value: str) -> Filter:
    outside = frozenset(comma_separated(value))
    return Filter(name, "not-in", value, lambda c: all(v not in outside for v in values(c, name)))


def regex(system: CodeSystem, name: str, value: str) -> Filter:
    pattern = compiled(value)
    return Filter(name, "regex", value, lambda c: any(pattern.matches(v[:1000]) for v in values(c, name)))


def exists(system: CodeSystem, name: str, value: str) -> Filter:
    if value not in ("true", "false"):
        raise TerminologyError("processing", "the filter operator exists takes true or false")
    wanted = value == "true"
    if name == "child":
        return Filter(name, "exists", value, lambda c: wanted == (next(system.children(c.code), None) is not None))
    return Filter(name, "exists", value, lambda c: wanted == (next(values(c, name), None) is not None))


OPERATORS: dict[str, Callable[[CodeSystem, str, str], Filter]] = {
    "=": equals,
    "is-a": is_a,
    "descendent-of": descendent_of,
    "is-not-a": is_not_a,
    "regex": regex,
    "in": is_in,
    "not-in": not_in,
    "generalizes": generalizes,
    "exists": exists,
}


def nothing(name: str, op: str, value: str) -> Filter:
    """A filter about a code that the system does not have."""
    return Filter(name, op, value, lambda _: False, lambda: iter(()))


def comma_separated(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def found(system: CodeSystem, codes: tuple[str, ...]) -> Iterator[Concept]:
    return unique(c for code in codes if (c := system.find(code)) is not None)


def unique(concepts: Iterator[Concept]) -> Iterator[Concept]:
    seen: set[str] = set()
    for concept in concepts:
        if concept.code not in seen:
            seen.add(concept.code)
            yield concept
