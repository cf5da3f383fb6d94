"""ValueSet/$expand.   https://hl7.org/fhir/R4/valueset-operation-expand.html

`filter`: each word must occur somewhere in the code, the display or a designation, in Thai as in English; letter case
does not matter. `total` is given where it is known or cheap to count. Codes are nested under their parents unless the
expansion is a page, is filtered, or `excludeNested` is true. Without `count`, at most 10,000 codes: more is too costly.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from terminology.compose import Entry, ValueSetView, Versions, read_value_set
from terminology.concept import Concept, Designation, Json, same_language
from terminology.errors import TerminologyError
from terminology.folding import words
from terminology.library import split_canonical
from terminology.operations.parameters import Parameters, checks_resources
from terminology.service import TerminologyService
from terminology.system import CodeSystem

MOST_CODES = 10_000
"""In one answer."""

ALLOWED = frozenset({
    "url", "valueSet", "valueSetVersion", "context", "contextDirection", "filter", "date", "offset", "count",
    "includeDesignations", "designation", "includeDefinition", "activeOnly", "excludeNested", "excludeNotForUI",
    "excludePostCoordinated", "displayLanguage", "exclude-system", "system-version", "check-system-version",
    "force-system-version",
})  # fmt: skip
ECHOED = (
    ("filter", "String"),
    ("offset", "Integer"),
    ("count", "Integer"),
    ("activeOnly", "Boolean"),
    ("excludeNested", "Boolean"),
    ("includeDesignations", "Boolean"),
    ("displayLanguage", "Code"),
)
"""Parameters that the expansion repeats, with their types."""
DESCRIBING = ("id", "url", "identifier", "version", "name", "title", "status", "experimental", "date", "immutable")


@dataclass(frozen=True, slots=True)
class Request:
    words: tuple[str, ...]
    offset: int
    count: int | None
    active_only: bool
    flat: bool
    selectable_only: bool
    language: str | None
    designations: bool
    only: tuple[str, ...]
    """`designation`: languages (`urn:ietf:bcp:47|th`) and uses (`system|code`) to give."""
    excluded: frozenset[str]

    @property
    def everything(self) -> bool:
        """Whether codes are left out of the answer by none of the parameters."""
        return not (self.active_only or self.selectable_only or self.excluded)


@checks_resources
def expand(service: TerminologyService, parameters: Json, *, now: str, identifier: str | None = None) -> Json:
    """The ValueSet with its expansion. `now` is the instant for `expansion.timestamp`, `identifier` its URI.

    Raises: TerminologyError, too-costly with advice among them."""
    given = Parameters(parameters, ALLOWED)
    view = value_set_of(service, given)
    request = read_request(given)
    codes, total = page(view, request)
    if request.flat or request.words or request.count is not None or request.offset:
        contains = [contained(entry, request) for entry in codes]
    else:
        contains = nested(codes, request, service)
    expansion: Json = {"identifier": identifier or uuid.uuid4().urn, "timestamp": now}
    if total is not None:
        expansion["total"] = total
    if request.count is not None or request.offset:
        expansion["offset"] = request.offset
    expansion["parameter"] = list(echo(given, view))
    if contains:
        expansion["contains"] = contains
    answer: Json = {"resourceType": "ValueSet"}
    answer.update({key: view.resource[key] for key in DESCRIBING if key in view.resource})
    answer.setdefault("status", "active")
    if given.flag("includeDefinition") and "compose" in view.resource:
        answer["compose"] = view.resource["compose"]
    return answer | {"expansion": expansion}


def value_set_of(service: TerminologyService, given: Parameters) -> ValueSetView:
    """The value set that `url` or `valueSet` means. Raises: TerminologyError (not-found, invalid)."""
    if "context" in given or "contextDirection" in given:
        raise TerminologyError("not-supported", "a value set is given by url or valueSet, not by context")
    resource, url = given.resource("valueSet", "ValueSet"), given.text("url")
    versions = Versions(*(read_versions(given.texts(n)) for n in VERSIONS))
    if resource is None:
        if url is None:
            raise TerminologyError("invalid", "the value set is missing: give url or valueSet")
        version = given.text("valueSetVersion")
        canonical = f"{url}|{version}" if version else url
        if not any(name in given for name in VERSIONS):
            known = service.view(canonical)
            if known is not None:
                return known
        resource = service.library.value_set(canonical)
        if resource is None:
            raise TerminologyError("not-found", f"the value set {canonical} is not known here")
    return read_value_set(resource, service.library, versions)


VERSIONS = ("system-version", "force-system-version", "check-system-version")


def read_versions(canonicals: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for canonical in canonicals:
        url, version = split_canonical(canonical)
        if version is None:
            raise TerminologyError("invalid", "a version of a system is written system|version")
        found[url] = version
    return found


def read_request(given: Parameters) -> Request:
    count = given.number("count")
    return Request(
        words(given.text("filter") or ""),
        given.number("offset") or 0,
        None if count is None else min(count, MOST_CODES),
        bool(given.flag("activeOnly")),
        bool(given.flag("excludeNested")),
        bool(given.flag("excludeNotForUI")),
        given.text("displayLanguage"),
        bool(given.flag("includeDesignations")) or "designation" in given,
        tuple(given.texts("designation")),
        frozenset(split_canonical(canonical)[0] for canonical in given.texts("exclude-system")),
    )


def page(view: ValueSetView, request: Request) -> tuple[list[Entry], int | None]:
    """The entries asked for, and how many there are in all, if known."""
    if request.count is None:
        found = list(islice(entries_from(view, request), MOST_CODES + 1))
        if len(found) > MOST_CODES:
            raise TerminologyError(
                "too-costly", f"the value set has more than {MOST_CODES} codes; give count and offset, or a filter"
            )
        return found, request.offset + len(found) if found or not request.offset else None
    entries = entries_from(view, request)
    found = list(islice(entries, request.count))
    total = view.size(request.words) if request.everything else None
    if total is None:
        large = any(part.system is not None and part.system.count() > MOST_CODES for part in view.parts())
        ahead = 0 if large else MOST_CODES  # of a large system the total is told by a page that is the last
        more = sum(1 for _ in islice(entries, ahead + 1))
        passed = request.offset + len(found) + more
        total = passed if more <= ahead and (found or not request.offset) else None
    return found, total


def entries_from(view: ValueSetView, request: Request) -> Iterator[Entry]:
    """The entries asked for, from the offset on."""
    if request.everything:
        return view.page(request.words, request.offset)
    return islice((e for e in view.entries(request.words) if wanted(e, request)), request.offset, None)


def wanted(entry: Entry, request: Request) -> bool:
    return not (
        (request.active_only and entry.concept.inactive)
        or (request.selectable_only and entry.concept.abstract)
        or entry.system in request.excluded
    )


def contained(entry: Entry, request: Request) -> Json:
    """One `expansion.contains`."""
    concept = entry.concept
    out: Json = {"system": entry.system}
    if concept.abstract:
        out["abstract"] = True
    if concept.inactive:
        out["inactive"] = True
    if entry.version and entry.known:
        out["version"] = entry.version
    out["code"] = concept.code
    display = concept.display_in(request.language)
    if display is not None:
        out["display"] = display
    if request.designations:
        designations = [d.to_fhir() for d in all_designations(concept, display) if asked_for(d, request.only)]
        if designations:
            out["designation"] = designations
    return out


def all_designations(concept: Concept, display: str | None) -> Iterator[Designation]:
    """The designations, and the preferred display where another language took its place."""
    if concept.display is not None and concept.display != display:
        yield Designation(concept.display)
    yield from concept.designations


def asked_for(designation: Designation, only: tuple[str, ...]) -> bool:
    if not only:
        return True
    for token in only:
        system, _, code = token.rpartition("|")
        if system in ("", "urn:ietf:bcp:47"):
            if designation.language and same_language(designation.language.lower(), code.lower()):
                return True
        elif designation.use and (designation.use.get("system"), designation.use.get("code")) == (system, code):
            return True
    return False


def nested(entries: list[Entry], request: Request, service: TerminologyService) -> list[Json]:
    """The codes as a forest: each under its nearest ancestor that is in the value set."""
    rows = {(e.system, e.concept.code): contained(e, request) for e in entries}
    roots: list[Json] = []
    for entry in entries:
        system = service.library.code_system(entry.system) if entry.concept.parents else None
        above = nearest(entry, system, rows) if system is not None else None
        own = rows[entry.system, entry.concept.code]
        (roots if above is None else above.setdefault("contains", [])).append(own)
    if count_rows(roots) != len(entries):  # parents in a circle have no root: better flat than lost
        return [contained(entry, request) for entry in entries]
    return roots


def nearest(entry: Entry, system: CodeSystem, rows: dict[tuple[str, str], Json]) -> Json | None:
    level = list(entry.concept.parents)
    seen = {entry.concept.code}
    while level:
        for code in level:
            if (entry.system, code) in rows and code not in seen:
                return rows[entry.system, code]
        seen.update(level)
        above = (system.find(code) for code in level)
        level = [p for concept in above if concept for p in concept.parents if p not in seen]
    return None


def count_rows(rows: list[Json]) -> int:
    waiting, count = list(rows), 0
    while waiting:
        count += 1
        waiting.extend(waiting.pop().get("contains", ()))
    return count


def echo(given: Parameters, view: ValueSetView) -> Iterator[Json]:
    """`expansion.parameter`: what was asked, and which versions were used."""
    for name, type_name in ECHOED:
        if name in given:
            value: object = given.text(name)
            if type_name == "Boolean":
                value = given.flag(name)
            elif type_name == "Integer":
                value = given.number(name)
            yield {"name": name, f"value{type_name}": value}
    used = {
        f"{part.system_url}|{version}"
        for part in view.parts()
        if part.system and (version := part.version or part.system.version)
    }
    for canonical in sorted(used):
        yield {"name": "version", "valueUri": canonical}
