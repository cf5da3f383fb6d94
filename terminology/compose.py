"""A value set that can be asked: is a code in it, and which codes are.

A ValueSet resource is read into a `ValueSetView`: its includes and excludes point to code systems and to other views.
Membership never enumerates; enumeration is lazy, so that the first page of a large set costs a page.
https://hl7.org/fhir/R4/valueset.html#compositions
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from terminology.concept import Concept, Designation, Json
from terminology.errors import TerminologyError, Undecided
from terminology.filters import Filter, read_filter
from terminology.folding import holds
from terminology.library import Library, split_canonical
from terminology.system import CodeSystem


@dataclass(frozen=True, slots=True)
class Entry:
    """One code of a value set."""

    system: str
    version: str | None
    concept: Concept
    known: bool = True
    """False: listed by the value set, but its code system is not here, so nothing else is known of it."""


@dataclass(slots=True)
class Part:
    """One include or exclude: what the system gives, met with every referenced value set."""

    system_url: str | None = None
    version: str | None = None
    system: CodeSystem | None = None
    listed: dict[str, Concept] | None = None
    filters: tuple[Filter, ...] = ()
    value_sets: tuple[ValueSetView, ...] = ()

    def find(self, system_url: str | None, code: str) -> Entry | None:
        """The entry for the code, or None if it is not in. Raises: Undecided."""
        entry = self._find_in_system(system_url, code)
        if self.system_url is None:
            entries = [view.find(system_url, code) for view in self.value_sets]
            return entries[0] if entries and all(entries) else None
        if entry is None:
            return None
        # With a bare code, the other value sets must hold it of this system.
        return entry if all(view.find(entry.system, entry.concept.code) for view in self.value_sets) else None

    def _find_in_system(self, system_url: str | None, code: str) -> Entry | None:
        if self.system_url is None or system_url not in (None, self.system_url):
            return None
        if self.system is None:
            return self._listed_only(code)
        concept = self.system.find(code)
        if concept is None:
            if self.listed is not None:
                return self._listed_only(code) if not self.system.complete else None
            if not self.system.complete:
                raise Undecided(f"only a part of the code system {self.system_url} is here")
            return None
        if self.listed is not None:
            override = self.listed.get(concept.code)
            return None if override is None else self.entry(overlaid(concept, override))
        return self.entry(concept) if all(f.holds(concept) for f in self.filters) else None

    def _listed_only(self, code: str) -> Entry | None:
        if self.listed is None:
            raise Undecided(f"the code system {self.system_url} is not here")
        concept = self.listed.get(code)
        return None if concept is None else Entry(str(self.system_url), self.version, concept, known=False)

    def entry(self, concept: Concept) -> Entry:
        system = self.system
        return Entry(str(self.system_url), self.version or (system.version if system else None), concept)

    def entries(self, words: tuple[str, ...]) -> Iterator[Entry]:
        """Every entry whose texts hold the folded words, in the order of the definition. Raises: Undecided."""
        if self.system_url is None:
            if self.value_sets:
                first, *others = self.value_sets
                for entry in first.entries(words):
                    if all(other.find(entry.system, entry.concept.code) for other in others):
                        yield entry
            return
        for entry in self._system_entries(words):
            if all(view.find(entry.system, entry.concept.code) for view in self.value_sets):
                yield entry

    def _system_entries(self, words: tuple[str, ...]) -> Iterator[Entry]:
        if self.listed is not None:
            for code in self.listed:
                entry = self._find_in_system(self.system_url, code)
                if entry is not None and holds(entry.concept.texts(), words):
                    yield entry
            return
        system = self.system
        if system is None:
            raise Undecided(f"the code system {self.system_url} is not here")
        if not system.enumerable:
            raise Undecided(f"the codes of {self.system_url} are defined by a grammar and cannot be listed")
        shorter = next((f for f in self.filters if f.candidates is not None), None)
        if words and (shorter is None or system.count() > FEW):
            concepts = system.matching(words)
            tests = self.filters
        elif shorter is not None and shorter.candidates is not None:
            concepts = (c for c in shorter.candidates() if holds(c.texts(), words))
            tests = tuple(f for f in self.filters if f is not shorter)
        else:
            concepts, tests = system.all(), self.filters
        passed_over = 0
        for concept in concepts:
            if all(f.holds(concept) for f in tests):
                yield self.entry(concept)
            else:
                passed_over += 1
                if passed_over > MOST_PASSED_OVER:
                    raise TerminologyError("too-costly", f"the filters look at too many codes of {self.system_url}")

    def size(self, words: tuple[str, ...]) -> int | None:
        """How many entries hold the words, where that is known without looking at each."""
        if self.filters or self.value_sets or self.listed is not None or self.system is None:
            return None
        if not self.system.enumerable:
            return None
        return self.system.count_matching(words) if words else self.system.count()


MOST_PASSED_OVER = 100_000
"""So many concepts may fail the filters of one part: a regular expression on a large system would take seconds."""
FEW = 2000
"""Up to this many concepts a text filter is tried on the candidates of another filter one by one."""


@dataclass(slots=True)
class ValueSetView:
    url: str
    resource: Json
    includes: tuple[Part, ...] = ()
    excludes: tuple[Part, ...] = ()
    without_inactive: bool = False
    used: list[str] = field(default_factory=list)
    """Canonicals of the value sets that it is built from directly."""

    def find(self, system_url: str | None, code: str) -> Entry | None:
        """The entry for the code; `system_url` None means of any system. Raises: Undecided if nothing can be told."""
        undecided: Undecided | None = None
        for part in self.includes:
            try:
                entry = part.find(system_url, code)
            except Undecided as error:
                undecided = error
                continue
            if entry is not None and self._remains(entry):
                return entry
        if undecided is not None:
            raise undecided
        return None

    def _remains(self, entry: Entry) -> bool:
        if self.without_inactive and entry.concept.inactive:
            return False
        return not any(part.find(entry.system, entry.concept.code) for part in self.excludes)

    def entries(self, words: tuple[str, ...] = ()) -> Iterator[Entry]:
        """Every code once, lazily, in the order of the definition. Raises: Undecided."""
        if len(self.includes) == 1 and not self.includes[0].value_sets:
            yield from filter(self._remains, self.includes[0].entries(words))
            return
        seen: set[tuple[str, str]] = set()
        for part in self.includes:
            for entry in part.entries(words):
                key = (entry.system, entry.concept.code)
                if key not in seen and self._remains(entry):
                    seen.add(key)
                    yield entry

    def size(self, words: tuple[str, ...]) -> int | None:
        """The exact number of codes that hold the words, where it is known without looking at each."""
        if len(self.includes) == 1 and not self.excludes and not self.without_inactive:
            return self.includes[0].size(words)
        return None

    def page(self, words: tuple[str, ...], skip: int) -> Iterator[Entry]:
        """`entries` without the first `skip`; of a whole system the file passes over them."""
        (first, *others) = self.includes or (Part(),)
        system = first.system
        whole = not (others or self.excludes or self.without_inactive or first.filters or first.value_sets)
        if whole and first.listed is None and system is not None and system.enumerable:
            for concept in system.matching(words, skip) if words else system.all(skip):
                yield first.entry(concept)
            return
        yield from islice(self.entries(words), skip, None)

    def parts(self) -> Iterator[Part]:
        """Every include, of the referenced value sets too."""
        for part in self.includes:
            yield part
            for view in part.value_sets:
                yield from view.parts()


@dataclass(frozen=True, slots=True)
class Versions:
    """Which version of a code system to use.   https://hl7.org/fhir/R4/valueset-operation-expand.html"""

    default: dict[str, str] = field(default_factory=dict)
    """`system-version`: where the value set names none."""
    force: dict[str, str] = field(default_factory=dict)
    """`force-system-version`: whatever the value set names."""
    check: dict[str, str] = field(default_factory=dict)
    """`check-system-version`: another one is an error."""

    def choose(self, url: str, stated: str | None) -> str | None:
        version = self.force.get(url) or stated or self.default.get(url)
        wanted = self.check.get(url)
        if wanted and version and version != wanted and not version.startswith(wanted + "."):
            raise TerminologyError("processing", f"version {version} of {url} would be used, not {wanted}")
        return version or wanted


NO_VERSIONS = Versions()
MOST_NESTED = 50


def read_value_set(
    resource: Json, library: Library, versions: Versions = NO_VERSIONS, path: tuple[str, ...] = ()
) -> ValueSetView:
    """The view of a ValueSet resource. Raises: TerminologyError (cycle, unknown filter), Undecided (missing part)."""
    url = str(resource.get("url", ""))
    key = f"{url}|{resource.get('version', '')}"
    if url and key in path:
        raise TerminologyError("processing", f"the value set {url} includes itself: " + " > ".join((*path, key)))
    if len(path) >= MOST_NESTED:
        raise TerminologyError("too-costly", f"value sets nested more than {MOST_NESTED} deep")
    compose = resource.get("compose")
    view = ValueSetView(url, resource)
    if compose is None:
        view.includes = tuple(from_expansion(resource, library))
        return view
    view.without_inactive = compose.get("inactive") is False

    def part(raw: Json) -> Part:
        return read_part(raw, library, versions, (*path, key), view)

    view.includes = tuple(map(part, compose.get("include", ())))
    view.excludes = tuple(map(part, compose.get("exclude", ())))
    return view


def read_part(raw: Json, library: Library, versions: Versions, path: tuple[str, ...], view: ValueSetView) -> Part:
    part = Part()
    part.value_sets = tuple(referenced(raw.get("valueSet", ()), library, versions, path, view))
    if "system" not in raw:
        if raw.get("concept") or raw.get("filter"):
            raise TerminologyError("processing", "a part of a value set with codes or filters names no system")
        return part
    part.system_url, stated = split_canonical(str(raw["system"]))
    part.version = versions.choose(part.system_url, raw.get("version") or stated)
    part.system = library.code_system(part.system_url, part.version)
    if "concept" in raw:
        part.listed = {str(c["code"]): listed_concept(c) for c in raw["concept"] if "code" in c}
    elif raw.get("filter"):
        if part.system is None:
            part.filters = (unknown_filter(part.system_url),)
        else:
            part.filters = tuple(read_filter(f, part.system) for f in raw["filter"])
    return part


def referenced(
    canonicals: list[str], library: Library, versions: Versions, path: tuple[str, ...], view: ValueSetView
) -> Iterator[ValueSetView]:
    for canonical in canonicals:
        resource = library.value_set(canonical)
        if resource is None:
            yield MissingView(canonical, {})
            continue
        view.used.append(canonical)
        yield read_value_set(resource, library, versions, path)


class MissingView(ValueSetView):
    """A value set that another refers to and that is not here."""

    def find(self, system_url: str | None, code: str) -> Entry | None:
        raise Undecided(f"the value set {self.url} is not here")

    def entries(self, words: tuple[str, ...] = ()) -> Iterator[Entry]:
        raise Undecided(f"the value set {self.url} is not here")


def unknown_filter(system: str) -> Filter:
    def undecided(_: Concept) -> bool:
        raise Undecided(f"the code system {system} is not here")

    return Filter("", "", "", undecided)


def from_expansion(resource: Json, library: Library) -> Iterator[Part]:
    """A value set that has an expansion and no definition holds what the expansion lists."""
    waiting = list(reversed(resource.get("expansion", {}).get("contains", ())))
    while waiting:
        raw = waiting.pop()
        waiting.extend(reversed(raw.get("contains", ())))
        if "system" in raw and "code" in raw and not raw.get("abstract"):
            url, version = split_canonical(str(raw["system"]))
            version = raw.get("version") or version
            system = library.code_system(url, version)
            yield Part(url, version, system, {str(raw["code"]): listed_concept(raw)})


def listed_concept(raw: Json) -> Concept:
    """`compose.include.concept` or `expansion.contains`: display and designations of the value set's own."""
    designations = (d for d in raw.get("designation", ()) if "value" in d)
    return Concept(
        str(raw["code"]),
        raw.get("display"),
        designations=tuple(Designation(str(d["value"]), d.get("language"), d.get("use")) for d in designations),
    )


def overlaid(concept: Concept, own: Concept) -> Concept:
    """The concept with the display that the value set gives it."""
    if own.display is None and not own.designations:
        return concept
    return Concept(
        concept.code,
        own.display or concept.display,
        concept.definition,
        (*concept.designations, *own.designations),
        concept.properties,
        concept.parents,
    )
