"""Any code system: a table with a header, or a FHIR CodeSystem as JSON.

The table: `code` is required; `display`, `definition`, `parent` (several separated by `|`) and `inactive` are known;
`display_th`, `display_en` ... are names in that language; every other column becomes a property of its name.
A CodeSystem resource is read whole, so very large systems are better given as a table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import orjson

from terminology.concept import Concept, Designation, Json, Property
from terminology.loaders.tables import Columns, LoadError, Release, Report, plain
from terminology.system import ResourceSystem

COLUMNS = Columns(
    {
        "code": ("code", "รหัส"),
        "display": ("display", "name", "description", "ชื่อ"),
        "definition": ("definition",),
        "parent": ("parent",),
        "inactive": ("inactive",),
    },
    ("code",),
)
LANGUAGE_COLUMN = re.compile(r"(?:display|name)[_-](?P<language>[a-zA-Z]{2,3}(?:-[a-zA-Z0-9]{2,8})*)")
TRUE = frozenset({"1", "true", "y", "yes"})


def read_table(release: Release, report: Report) -> Iterator[Concept]:
    tables = release.names(r".*\.(csv|tsv|txt)")
    if len(tables) != 1:
        raise LoadError(f"{release.source.name}: one table (.csv, .tsv or .txt) is expected, not {len(tables)}")
    header = [title.strip() for title in release.header(tables[0])]
    known = {plain(title) for titles in COLUMNS.names.values() for title in titles}
    languages = [(at, m["language"]) for at, title in enumerate(header) if (m := LANGUAGE_COLUMN.fullmatch(title))]
    taken = {at for at, _ in languages}
    others = [(at, title) for at, title in enumerate(header) if title and plain(title) not in known and at not in taken]
    for number, raw, row in release.rows(tables[0], COLUMNS):
        if not row.get("code"):
            if any(cell.strip() for cell in raw):
                report.skip(tables[0], number, "no code")
            continue
        cells = [cell.strip() for cell in raw] + [""] * len(header)
        properties = [Property(title, "valueString", cells[at]) for at, title in others if cells[at]]
        if row.get("inactive", "").lower() in TRUE:
            properties.append(Property("inactive", "valueBoolean", True))
        names = [Designation(cells[at], language) for at, language in languages if cells[at]]
        display = row.get("display") or (names[0].value if names else None)
        parents = tuple(p.strip() for p in row.get("parent", "").split("|") if p.strip())
        yield Concept(row["code"], display, row.get("definition") or None, tuple(names), tuple(properties), parents)


def read_resource(release: Release) -> Json:
    """The CodeSystem resource of a release of one JSON file."""
    files = release.names(r".*\.json")
    if len(files) != 1:
        raise LoadError(f"{release.source.name}: one CodeSystem resource (.json) is expected, not {len(files)}")
    with release.binary(files[0]) as file:
        try:
            resource = orjson.loads(file.read())
        except orjson.JSONDecodeError as error:
            raise LoadError(f"{files[0]}: not JSON ({error.msg}, line {error.lineno})") from None
    if not isinstance(resource, dict) or resource.get("resourceType") != "CodeSystem" or not resource.get("url"):
        raise LoadError(f"{files[0]}: not a CodeSystem resource with a url")
    return resource


def read_code_system(release: Release, report: Report) -> Iterator[Concept]:
    return ResourceSystem(read_resource(release)).all()
