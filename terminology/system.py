"""A code system that can be asked: the protocol all kinds fulfil, and the kind made from a CodeSystem resource.

Kinds: `ResourceSystem` (here: official, Thai and stored ones, in memory), `storage.StoredSystem` (large ones in a
read-only file), `implied` (systems defined by a grammar or a short list of a standard).
https://hl7.org/fhir/R4/codesystem.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Protocol

from terminology.concept import Concept, Designation, Json, Property
from terminology.folding import fold


class CodeSystem(Protocol):
    """Codes given to the methods are spelt as the system spells them: take them from `find`."""

    @property
    def url(self) -> str: ...
    @property
    def version(self) -> str | None: ...
    @property
    def name(self) -> str: ...
    @property
    def case_sensitive(self) -> bool: ...
    @property
    def complete(self) -> bool:
        """Every code is known: a code that is not found is wrong. False: a fragment or an example."""

    @property
    def enumerable(self) -> bool:
        """`all` gives every concept. False: defined by a grammar."""

    def find(self, code: str) -> Concept | None: ...
    def all(self, skip: int = 0) -> Iterator[Concept]:
        """In the order of the definition, without the first `skip`."""

    def count(self) -> int: ...
    def matching(self, words: tuple[str, ...], skip: int = 0) -> Iterator[Concept]:
        """Concepts in which every folded word occurs (code, display, designations), in the order of the definition,
        without the first `skip`."""

    def count_matching(self, words: tuple[str, ...]) -> int | None:
        """How many concepts `matching` gives; None where counting would cost much more than giving a page."""

    def children(self, code: str) -> Iterator[Concept]: ...
    def descendants(self, code: str) -> Iterator[Concept]:
        """Without the concept itself."""

    def ancestors(self, code: str) -> frozenset[str]:
        """Without the concept itself."""

    def is_below(self, code: str, ancestor: str) -> bool:
        """Whether `ancestor` is among the ancestors of `code`."""

    def having(self, code: str, values: frozenset[str]) -> Iterator[Concept]:
        """Concepts with one of the values (as text) in the property `code`."""

    def properties(self) -> frozenset[str]:
        """Codes of the properties that concepts of this system may have."""

    def hierarchical(self) -> bool: ...
    def comparable(self, code: str, value: str) -> str:
        """The value of a filter on the property `code` in the form that concepts of this system have."""


class ResourceSystem:
    """A CodeSystem resource, read on first use."""

    enumerable = True

    def __init__(self, resource: Json) -> None:
        self.url = str(resource.get("url", ""))
        self.version: str | None = resource.get("version")
        self.name = str(resource.get("title") or resource.get("name") or self.url)
        self.case_sensitive = bool(resource.get("caseSensitive", True))
        self.complete = resource.get("content", "complete") == "complete"
        self._declared = frozenset(str(p["code"]) for p in resource.get("property", ()) if "code" in p)
        self._raw: dict[str, Json] = {}
        self._parents: dict[str, tuple[str, ...]] = {}
        self._concepts: dict[str, Concept] = {}
        """Made of `_raw` when they are asked for: a large system is read in a tenth of a second less."""
        self._children: dict[str, list[str]] = {}
        self._read(resource.get("concept", ()))
        self._spelling = {} if self.case_sensitive else {code.lower(): code for code in self._raw}
        self._searchable: dict[str, str] | None = None

    def _read(self, roots: Iterable[Json]) -> None:
        parents: dict[str, list[str]] = {}
        for raw, parent in nested(roots):
            code = str(raw["code"])
            self._raw.setdefault(code, raw)
            above = parents.setdefault(code, [])
            if parent is not None:
                above.append(parent)
            for item in raw.get("property", ()):
                if item.get("code") in PARENT_PROPERTIES:
                    above.append(Property("", "", value_of(item)[1]).text())
                elif item.get("code") == "child":
                    parents.setdefault(Property("", "", value_of(item)[1]).text(), []).append(code)
        for code in self._raw:
            if above := parents[code]:
                known = tuple(dict.fromkeys(each for each in above if each != code and each in parents))
                self._parents[code] = known
                for each in known:
                    self._children.setdefault(each, []).append(code)

    def _concept(self, code: str) -> Concept:
        found = self._concepts.get(code)
        if found is None:
            found = self._concepts[code] = read_concept(self._raw[code], self._parents.get(code, ()))
        return found

    def find(self, code: str) -> Concept | None:
        if code not in self._raw and not self.case_sensitive:
            code = self._spelling.get(code.lower(), code)
        return self._concept(code) if code in self._raw else None

    def all(self, skip: int = 0) -> Iterator[Concept]:
        return map(self._concept, islice(self._raw, skip, None))

    def count(self) -> int:
        return len(self._raw)

    def matching(self, words: tuple[str, ...], skip: int = 0) -> Iterator[Concept]:
        if self._searchable is None:
            self._searchable = {c.code: "\n".join(map(fold, c.texts())) for c in self.all()}
        found = (code for code, text in self._searchable.items() if all(word in text for word in words))
        return map(self._concept, islice(found, skip, None))

    def count_matching(self, words: tuple[str, ...]) -> int | None:
        return sum(1 for _ in self.matching(words))

    def children(self, code: str) -> Iterator[Concept]:
        return (self._concept(child) for child in self._children.get(code, ()))

    def descendants(self, code: str) -> Iterator[Concept]:
        below: set[str] = set()
        waiting = [code]
        while waiting:
            for child in self._children.get(waiting.pop(), ()):
                if child not in below:
                    below.add(child)
                    waiting.append(child)
        below.discard(code)
        if len(below) * 4 < len(self._raw):
            position = self._position()
            return map(self._concept, sorted(below, key=position.__getitem__))
        return (self._concept(each) for each in self._raw if each in below)

    def _position(self) -> dict[str, int]:
        return {code: number for number, code in enumerate(self._raw)}

    def ancestors(self, code: str) -> frozenset[str]:
        above: set[str] = set()
        waiting = [code]
        while waiting:
            for parent in self._parents.get(waiting.pop(), ()):
                if parent not in above:
                    above.add(parent)
                    waiting.append(parent)
        above.discard(code)
        return frozenset(above)

    def is_below(self, code: str, ancestor: str) -> bool:
        return ancestor in self.ancestors(code)

    def having(self, code: str, values: frozenset[str]) -> Iterator[Concept]:
        return (c for c in self.all() if any(p.code == code and p.text() in values for p in c.properties))

    def properties(self) -> frozenset[str]:
        return self._declared

    def hierarchical(self) -> bool:
        return bool(self._children)

    def comparable(self, code: str, value: str) -> str:
        return value


PARENT_PROPERTIES = frozenset({"parent", "subsumedBy"})


def nested(roots: Iterable[Json]) -> Iterator[tuple[Json, str | None]]:
    """Every concept with the code of the one it is nested in, parents first; depth costs no recursion."""
    waiting: list[tuple[Iterator[Json], str | None]] = [(iter(roots), None)]
    while waiting:
        siblings, parent = waiting[-1]
        raw = next(siblings, None)
        if raw is None:
            waiting.pop()
        elif "code" in raw:
            yield raw, parent
            waiting.append((iter(raw.get("concept", ())), str(raw["code"])))


def value_of(element: Json) -> tuple[str, Any]:
    """Name and value of the `value[x]` of a JSON element; ("", None) without one."""
    for name, value in element.items():
        if name.startswith("value"):
            return name, value
    return "", None


def read_concept(raw: Json, parents: tuple[str, ...] = ()) -> Concept:
    """A Concept from `CodeSystem.concept`."""
    return Concept(
        str(raw["code"]),
        raw.get("display"),
        raw.get("definition"),
        tuple(
            Designation(str(d["value"]), d.get("language"), d.get("use"))
            for d in raw.get("designation", ())
            if "value" in d
        ),
        tuple(Property(str(p["code"]), *value_of(p)) for p in raw.get("property", ()) if "code" in p),
        parents,
    )
