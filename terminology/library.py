"""Where code systems, value sets and concept maps are found by canonical URL.

In this order: resources stored by users (`add`), read-only files of large systems, the official R4 definitions, the
Thai lists, systems defined by a grammar. A canonical may carry `|version`; without it the newest version answers.
https://hl7.org/fhir/R4/references.html#canonical
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

from terminology import thai
from terminology.concept import Json
from terminology.conceptmaps.maps import thai_concept_maps
from terminology.implied import implied
from terminology.kept import Kept
from terminology.packed import Packed
from terminology.system import CodeSystem, ResourceSystem

OFFICIAL = Path(__file__).with_name("r4.zip")
KEPT_SYSTEMS = 256
"""Parsed code systems kept in memory; the least recently used goes first."""

ALIASES = {
    "http://hl7.org/fhir/sid/icd-9-cm": "http://terminology.hl7.org/CodeSystem/icd9cm",
    "urn:oid:2.16.840.1.113883.6.1": "http://loinc.org",
    "urn:oid:2.16.840.1.113883.6.96": "http://snomed.info/sct",
    "urn:oid:2.16.840.1.113883.6.3": "http://hl7.org/fhir/sid/icd-10",
    "urn:oid:2.16.840.1.113883.6.8": "http://unitsofmeasure.org",
    "https://www.this.or.th/tmt/gp": "https://terms.sil-th.org/core/CodeSystem/cs-th-tmt",
}
"""Other names in use for a code system -> the one used here."""


def system_url(url: str) -> str:
    """The name under which the code system is known here."""
    return ALIASES.get(url) or thai.newer(url)


def split_canonical(canonical: str) -> tuple[str, str | None]:
    """`url|version#fragment` as URL of the newer generation and version."""
    url, _, version = canonical.partition("#")[0].partition("|")
    return system_url(url), version or None


class Library:
    """Not changed but by `add`, `remove` and `name`, which raise `generation`."""

    def __init__(self, files: Iterable[CodeSystem] = ()) -> None:
        self.generation = 0
        self._added: dict[tuple[str, str], dict[str | None, Json]] = {}
        self._files: dict[str, dict[str | None, CodeSystem]] = {}
        for file in files:
            self._files.setdefault(system_url(file.url), {})[file.version] = file
        self._literal: dict[str, Json] = {}
        self._systems: Kept[CodeSystem | None] = Kept(KEPT_SYSTEMS)
        self._thai = thai.ThaiLists()

    @cached_property
    def _official(self) -> Packed:
        return Packed(OFFICIAL)

    def add(self, resource: Json) -> None:
        """Takes up a CodeSystem, ValueSet or ConceptMap with a `url`, for one of the same url and version."""
        key = (resource["resourceType"], system_url(str(resource["url"])))
        self._added.setdefault(key, {})[resource.get("version")] = resource
        self._changed()

    def remove(self, resource_type: str, url: str, version: str | None = None) -> bool:
        """Forgets what `add` took up under that url and version; False if there was nothing."""
        key = (resource_type, system_url(url))
        gone = self._added.get(key, {}).pop(version, None)
        if not self._added.get(key, True):
            del self._added[key]
        self._changed()
        return gone is not None

    def name(self, reference: str, value_set: Json | None) -> None:
        """Lets `value_set` be asked for by a literal reference (`ValueSet/123`) as by its url; None: no more."""
        if value_set is None:
            self._literal.pop(reference, None)
        else:
            self._literal[reference] = value_set
        self._changed()

    def _changed(self) -> None:
        self.generation += 1
        self._systems.clear()

    def code_system(self, url: str, version: str | None = None) -> CodeSystem | None:
        """The code system, or None if it, or that version of it, is not here. `url` may be a canonical."""
        url, stated = split_canonical(url)
        key = (url, version or stated)
        return self._systems.get((*key, self.generation), lambda: self._find_system(*key))

    def _find_system(self, url: str, version: str | None) -> CodeSystem | None:
        stored = self._files.get(url, {})
        resource = self._resource("CodeSystem", url, version, added_only=bool(stored))
        if resource is not None and resource.get("content") not in ("not-present", "supplement"):
            return ResourceSystem(self._supplemented(resource, url))
        found = pick(stored, version)
        if found is not None:
            return stored[found[0]]
        of_standard = implied(url)
        return of_standard if of_standard is not None and version in (None, of_standard.version) else None

    def _supplemented(self, resource: Json, url: str) -> Json:
        """With the designations and properties that stored supplements of it give.   codesystem.html#supplements"""
        extra: dict[str, list[Json]] = {}
        for supplement in self._stored("CodeSystem"):
            of, version = split_canonical(str(supplement.get("supplements", "")))
            if of == url and version in (None, resource.get("version")):
                for concept in supplement.get("concept", ()):
                    extra.setdefault(str(concept.get("code")), []).append(concept)
        return {**resource, "concept": [joined(c, extra) for c in resource.get("concept", ())]} if extra else resource

    def _stored(self, resource_type: str) -> list[Json]:
        """What users stored, every version. Lists are made, not iterators: threads ask while the loop adds."""
        kept = [versions for (kind, _), versions in list(self._added.items()) if kind == resource_type]
        return [resource for versions in kept for resource in list(versions.values())]

    def resource(self, resource_type: str, canonical: str) -> Json | None:
        """The CodeSystem, ValueSet or ConceptMap as a resource, or None; not those of files and grammars."""
        url, version = split_canonical(canonical)
        return self._resource(resource_type, url, version)

    def _resource(self, kind: str, url: str, version: str | None, *, added_only: bool = False) -> Json | None:
        added = self._added.get((kind, url), {})
        found = pick(added, version)
        if found is not None:
            return added[found[0]]
        if added_only:
            return None
        places = self._official.versions(kind, url)
        found = pick(places, version)
        if found is not None:
            return self._official.read(places[found[0]])
        resource = self._thai_resource(kind, url)
        return resource if resource is not None and version in (None, resource.get("version")) else None

    def _thai_resource(self, kind: str, url: str) -> Json | None:
        if kind == "CodeSystem":
            return self._thai.code_system(url)
        if kind == "ValueSet":
            return self._thai.value_set(url)
        return thai_concept_maps().get(url)

    def value_set(self, canonical: str) -> Json | None:
        """The ValueSet, stored or implied by a code system (`?fhir_vs`, `CodeSystem.valueSet`), or None. It may also
        be named by its literal reference."""
        found = self._literal.get(canonical) or self.resource("ValueSet", canonical)
        return found or self._implicit(*split_canonical(canonical))

    def _implicit(self, url: str, version: str | None) -> Json | None:
        """https://hl7.org/fhir/R4/valueset.html#implicit and the all-codes value set of a code system."""
        match = IMPLICIT.match(url)
        if match is None:
            name = WHOLE_SYSTEMS.get(url) or self._whole.get(url)
            return all_codes(url, name, version) if name else None
        system, root = match["system"], match["root"]
        if self.code_system(system, version) is None:
            return None
        return all_codes(url, system, version, [{"property": "concept", "op": "is-a", "value": root}] if root else [])

    @property
    def _whole(self) -> dict[str, str]:
        """Value set URL -> code system URL, for stored code systems that name their value set of all codes."""
        return {
            str(resource["valueSet"]): system_url(str(resource["url"]))
            for resource in self._stored("CodeSystem")
            if "valueSet" in resource
        }

    def concept_maps(self) -> Iterator[Json]:
        """Every ConceptMap: stored, official, Thai."""
        yield from self._stored("ConceptMap")
        for url, resource in (*self._official_maps.items(), *thai_concept_maps().items()):
            if ("ConceptMap", url) not in self._added:
                yield resource

    @cached_property
    def _official_maps(self) -> dict[str, Json]:
        places = ((url, self._official.versions("ConceptMap", url)) for url in self._official.urls("ConceptMap"))
        return {url: self._official.read(place) for url, versions in places for place in versions.values()}

    def urls(self, resource_type: str) -> list[str]:
        """Canonical URLs of all CodeSystems or ValueSets that are here, without the implied ones."""
        thai_urls = self._thai.code_system_urls() if resource_type == "CodeSystem" else self._thai.value_set_urls()
        files = self._files if resource_type == "CodeSystem" else ()
        added = (url for kind, url in list(self._added) if kind == resource_type)
        return list(dict.fromkeys((*added, *files, *self._official.urls(resource_type), *thai_urls)))


IMPLICIT = re.compile(r"(?P<system>[^?]+)\?fhir_vs(=isa/(?P<root>[^/&=]+))?$")
WHOLE_SYSTEMS = {"http://loinc.org/vs": "http://loinc.org"}


def all_codes(url: str, system: str, version: str | None, filters: Iterable[Json] = ()) -> Json:
    """A ValueSet resource of all codes of a system, or of those that meet the filters."""
    include: Json = {"system": system}
    if version:
        include["version"] = version
    if filters:
        include["filter"] = list(filters)
    return {"resourceType": "ValueSet", "url": url, "status": "active", "compose": {"include": [include]}}


def joined(concept: Json, extra: Mapping[str, list[Json]]) -> Json:
    """The concept and those nested in it, with what supplements say of them."""
    out = dict(concept)
    for more in extra.get(str(concept.get("code")), ()):
        for key in ("designation", "property"):
            if key in more:
                out[key] = [*out.get(key, ()), *more[key]]
    if "concept" in out:
        out["concept"] = [joined(child, extra) for child in out["concept"]]
    return out


def pick(versions: Iterable[str | None], wanted: str | None) -> tuple[str | None] | None:
    """The version meant by `wanted` as a 1-tuple (None is a version, too); None if there is none.

    `4.0` also means the newest of 4.0.x; without `wanted` the newest version is taken."""
    found = list(versions)
    if wanted is not None:
        found = [v for v in found if v == wanted] or [v for v in found if v is not None and v.startswith(wanted + ".")]
    return (max(found, key=version_key),) if found else None


def version_key(version: str | None) -> tuple[tuple[int, int | str], ...]:
    """Sorts 2.9 before 2.10 and any version before a longer one."""
    parts = re.split(r"[.\-_]", version or "")
    return tuple((1, int(p)) if p.isdecimal() and p.isascii() else (0, p) for p in parts)
