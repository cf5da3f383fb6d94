"""The 154 Thai code lists as R4 CodeSystems and ValueSets, under their published SIL-TH URLs.

Source: `thai.json`, one list a line (`{"id", "name", "title", "codes": [[code, display, parent?], ...]}`), from
sil-th/terminology-ig (declared CC0-1.0). Two generations of URLs exist; both are understood, the newer is written:
`https://terms.sil-th.org/core/CodeSystem/cs-...` (2023) and `https://terms.sil-th.org/CodeSystem/cs-...` (2022).

`own.json` has, in the same form, the lists that nobody publishes, under our own canonical base; it is written by
`mappers/own_lists.py`, because the columns of the files are among them.
"""

from __future__ import annotations

from functools import cache, cached_property
from pathlib import Path
from typing import Any

import orjson

from fhir_profiles.canonical import CANONICAL

Json = dict[str, Any]

SOURCE = Path(__file__).with_name("thai.json")
OWN_SOURCE = Path(__file__).with_name("own.json")
CORE = "https://terms.sil-th.org/core/"
OLDER = "https://terms.sil-th.org/"
VERSION = "0.1.2"
"""Version of the published package silth.fhir.terminology.core."""
OWN_VERSION = "1.0.0"
"""Version of our own lists."""

EMPTY_BY_DESIGN = frozenset({"cs-th-local-drug-code", "cs-th-local-procedure-code"})
"""Every facility's own codes: published without content, any code may occur."""

VALUE_SET_NAMES = {
    "vs-eclaim-refer-reason": "cs-eclaim-refer-reason-eclaim",
    "vs-eclaim-coverage-use": "cs-eclaim-coverage-type",
}
"""Published value set ids that do not simply repeat the id of their code system."""

LOCATION_LEVELS = {
    "vs-dopa-location-city": ("[0-9]{2}", "จังหวัด"),
    "vs-dopa-location-district": ("[0-9]{4}", "อำเภอ"),
    "vs-dopa-location-subdistrict": ("[0-9]{6}", "ตำบล"),
}
"""Levels of cs-dopa-location by the length of the code; `city` is the province in the published address extension."""


def newer(url: str) -> str:
    """The canonical URL of the newer generation; other URLs as they are."""
    for kind in ("CodeSystem/", "ValueSet/"):
        if url.startswith(OLDER + kind):
            return CORE + url.removeprefix(OLDER)
    return url


@cache
def own_lists() -> dict[str, Json]:
    """Our own lists by id: rows of `own.json`, with `english` (code to name) and `content` where they have them."""
    return {row["id"]: row for row in orjson.loads(OWN_SOURCE.read_bytes())}


class ThaiLists:
    """The lists by URL of the newer generation. The file is read on the first question for a SIL-TH URL."""

    @cached_property
    def _rows(self) -> dict[str, bytes]:
        lines = (line.rstrip(b",") for line in SOURCE.read_bytes().splitlines() if line.startswith(b"{"))
        return {line.split(b'"', 4)[3].decode(): line for line in lines}

    def code_system_urls(self) -> list[str]:
        own = (f"{CANONICAL}/CodeSystem/{name}" for name in own_lists())
        return [*(f"{CORE}CodeSystem/{name}" for name in self._rows), *own]

    def value_set_urls(self) -> list[str]:
        names = ["vs-" + name.removeprefix("cs-") for name in self._rows]
        own = (f"{CANONICAL}/ValueSet/vs-{name}" for name in own_lists())
        return [*(f"{CORE}ValueSet/{name}" for name in (*names, *VALUE_SET_NAMES, *LOCATION_LEVELS)), *own]

    def code_system(self, url: str) -> Json | None:
        """The CodeSystem, or None."""
        own = url.removeprefix(CANONICAL + "/CodeSystem/")
        if own != url and own in own_lists():
            return code_system(own_lists()[own], CANONICAL + "/", OWN_VERSION)
        name = url.removeprefix(CORE + "CodeSystem/")
        row = self._rows.get(name) if name != url else None
        return None if row is None else code_system(orjson.loads(row))

    def value_set(self, url: str) -> Json | None:
        """The ValueSet, or None."""
        own = url.removeprefix(CANONICAL + "/ValueSet/vs-")
        if own != url and own in own_lists():
            title = own_lists()[own]["title"]
            return value_set(f"vs-{own}", title, own, base=CANONICAL + "/", version=OWN_VERSION)
        name = url.removeprefix(CORE + "ValueSet/")
        if name == url:
            return None
        if name in LOCATION_LEVELS:
            pattern, level = LOCATION_LEVELS[name]
            levels = [{"property": "code", "op": "regex", "value": pattern}]
            return value_set(name, f"DOPA: รหัสสถานที่ ระดับ{level}", "cs-dopa-location", levels)
        system = VALUE_SET_NAMES.get(name, "cs-" + name.removeprefix("vs-"))
        row = self._rows.get(system) if name.startswith("vs-") else None
        return None if row is None else value_set(name, orjson.loads(row)["title"], system)


def code_system(row: Json, base: str = CORE, version: str = VERSION) -> Json:
    """The CodeSystem of one line of the file. A code whose display is blank at the source keeps only its code."""
    concepts = []
    for code, display, *parent in row["codes"]:
        concept: Json = {"code": code}
        if display:
            concept["display"] = display
        if code in row.get("english", ()):
            concept["designation"] = [{"language": "en", "value": row["english"][code]}]
        if parent:
            concept["property"] = [{"code": "parent", "valueCode": parent[0]}]
        concepts.append(concept)
    content = "not-present" if row["id"] in EMPTY_BY_DESIGN else row.get("content", "complete")
    return {
        "resourceType": "CodeSystem",
        "id": row["id"],
        "url": f"{base}CodeSystem/{row['id']}",
        "version": version,
        "name": row["name"],
        "title": row["title"],
        "status": "active",
        "experimental": False,
        "language": "th",
        "caseSensitive": True,
        "valueSet": f"{base}ValueSet/vs-{row['id'].removeprefix('cs-')}",
        "content": content,
        "count": len(concepts),
        **({"hierarchyMeaning": "grouped-by"} if any(len(c) > 2 for c in row["codes"]) else {}),
        **({"property": [PARENT]} if any(len(c) > 2 for c in row["codes"]) else {}),
        **({"concept": concepts} if concepts else {}),
    }


PARENT = {
    "code": "parent",
    "uri": "http://hl7.org/fhir/concept-properties#parent",
    "description": "The code that this one is grouped under",
    "type": "code",
}


def value_set(
    name: str,
    title: str,
    system: str,
    filters: list[Json] | None = None,
    *,
    base: str = CORE,
    version: str = VERSION,
) -> Json:
    """All codes of one Thai system, or those that meet the filters."""
    include: Json = {"system": f"{base}CodeSystem/{system}"}
    if filters:
        include["filter"] = filters
    return {
        "resourceType": "ValueSet",
        "id": name,
        "url": f"{base}ValueSet/{name}",
        "version": version,
        "name": "".join(part.capitalize() for part in name.split("-")),
        "title": title,
        "status": "active",
        "experimental": False,
        "language": "th",
        "compose": {"include": [include]},
    }
