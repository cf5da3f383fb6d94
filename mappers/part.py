"""How a row of one file becomes resources and comes back: `FileMap` is the table, `to_fhir` and `from_fhir` walk it.

A row makes one first resource and, where it says enough, further parts (the vital signs of a SERVICE row). Each carries
the row's identifier: system by file, value the row's key, for a part with `#name` behind it. Columns without a
home, and texts that FHIR holds in another spelling only, stand in the extension `f43-row` of the first resource, with
D_UPDATE.
`docs/decisions/f43-round-trip.md` says why.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

from fhir_profiles.canonical import CANONICAL
from fhir_profiles.thai.choice import claim
from mappers.layout import Layout
from mappers.lens import Lens, Put
from mappers.links import Resource, Row, identifier, without_none

FIRST = ""
"""Name of the first part of every file."""


@dataclass(frozen=True)
class Part:
    """One resource that a row may make."""

    name: str
    base: Callable[[Row], Resource]
    """What every such resource has; elements that are None are left out."""
    columns: Mapping[str, Lens] = field(default_factory=dict)
    """Columns whose home is in this resource: written and read back."""
    context: Mapping[str, Put] = field(default_factory=dict)
    """Columns that are only written here; their home, or their remainder, is elsewhere."""
    always: bool = False
    """Made of every row, even of one that says nothing of its columns; the first part always is."""

    def named(self, name: str) -> Part:
        """The same as a further part that every row makes."""
        return replace(self, name=name, always=True)

    def wanted(self, row: Row) -> bool:
        """Whether the row says anything that this resource would hold."""
        return self.always or any(column in row and lens.holds(row[column]) for column, lens in self.columns.items())


class Mapped(NamedTuple):
    """A resource and the business key under which it is found again."""

    resource: Resource
    system: str
    value: str


@dataclass(frozen=True)
class FileMap:
    """All parts of one file, the first first."""

    family: str
    """`f43`, `f16`: names the identifier systems and the extension of its rows."""
    layout: Layout
    parts: tuple[Part, ...]

    @property
    def file(self) -> str:
        return self.layout.name

    @cached_property
    def system(self) -> str:
        """Identifier system of the rows."""
        return row_system(self.family, self.file)

    @cached_property
    def homes(self) -> dict[str, tuple[str, Lens]]:
        """Column to (name of its part, lens)."""
        return {column: (part.name, lens) for part in self.parts for column, lens in part.columns.items()}

    def values(self, row: Row) -> dict[str, str]:
        """Part name to identifier value, for every part that the file can make: what a changed row may leave behind."""
        key = row_value(self.layout, row)
        return {part.name: f"{key}#{part.name}" if part.name else key for part in self.parts}

    def to_fhir(self, row: Row) -> list[Mapped]:
        """The resources of one row (non-empty columns by name), the first part first."""
        rest: dict[str, str] = {column: text for column, text in row.items() if column not in self._placed}
        made = []
        values = self.values(row)
        for part in self.parts:
            if part.name and not part.wanted(row):
                rest.update({column: row[column] for column in part.columns if column in row})
                continue
            resource = without_none(part.base(row))
            resource.setdefault("identifier", []).insert(0, identifier(self.system, values[part.name]))
            for column, put in part.context.items():
                if column in row:
                    put(resource, row[column], row)
            for column, lens in part.columns.items():
                if column in row:
                    lens.put(resource, row[column], row)
            # Asked back rather than reasoned about: what the element does not say letter by letter is kept beside it.
            for column, lens in part.columns.items():
                if column in row and lens.get(resource) != row[column]:
                    rest[column] = row[column]
            made.append(Mapped(resource, self.system, values[part.name]))
        made[0].resource.setdefault("extension", []).append(_remainder(self.family, self.file, rest))
        for each in made:
            claim(each.resource)
        return made

    @cached_property
    def _placed(self) -> frozenset[str]:
        """Columns that need no remainder unless their text is lost: those with a home, and the key."""
        return frozenset(self.homes) | frozenset(self.layout.key)

    def from_fhir(self, parts: Mapping[str, Resource]) -> Row:
        """The row again, from its resources by part name. Columns that are empty are left out.

        A remainder counts as long as the element still says what it said; an element changed since wins over it, and a
        part that was deleted takes its remainder with it.
        """
        first = parts[FIRST]
        row = key_columns(self.layout, row_identifier(first, self.system))
        return self.read(parts, row, remainder(first, self.family))

    def read(self, parts: Mapping[str, Resource], keys: Row, rest: Row) -> Row:
        """The columns that the resources say, beside the key columns and the remainder that are known."""
        row, rest = dict(keys), dict(rest)
        for column, (name, lens) in self.homes.items():
            if column in row:
                continue
            resource = parts.get(name)
            found = lens.get(resource) if resource is not None else ""
            kept = rest.pop(column, None)
            if kept is not None and (found == lens.spelt(kept) or (not found and resource is not None)):
                found = kept
            if found:
                row[column] = found
        row.update(rest)
        return {name: row[name] for name in self.layout.by_name if name in row}


def row_extension(family: str) -> str:
    """URL of the extension that keeps what has no other home."""
    return f"{CANONICAL}/StructureDefinition/{family}-row"


def row_system(family: str, file: str) -> str:
    """Identifier system of the rows of one file."""
    return f"{CANONICAL}/{family}/{file.lower().replace('_', '-')}"


_RESERVED = re.compile(r"[%/#|\s]")


def _escape(text: str) -> str:
    return _RESERVED.sub(lambda found: f"%{ord(found[0]):02X}", text)


def _unescape(text: str) -> str:
    return re.sub(r"%([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), text)


def row_value(layout: Layout, row: Row) -> str:
    """The row's key: its key columns joined by `/`."""
    return "/".join([_escape(row.get(column, "")) for column in layout.key])


def key_columns(layout: Layout, value: str) -> Row:
    """Key columns from the value of a row identifier, without part."""
    texts = value.split("#")[0].split("/")
    return {column: _unescape(text) for column, text in zip(layout.key, texts, strict=True) if text}


def _remainder(family: str, file: str, columns: Row) -> dict[str, Any]:
    inner: list[dict[str, str]] = [{"url": "file", "valueCode": file}]
    inner += [{"url": column, "valueString": text} for column, text in columns.items()]
    return {"url": row_extension(family), "extension": inner}


def remainder(resource: Resource, family: str) -> Row:
    """Columns kept beside a first resource; empty where it is none."""
    url = row_extension(family)
    for extension in resource.get("extension", ()):
        if extension["url"] == url:
            return {part["url"]: part["valueString"] for part in extension["extension"] if part["url"] != "file"}
    return {}


def file_of(resource: Resource, family: str) -> str | None:
    """Name of the file whose row the resource is the first of; None for parts and strangers."""
    url = row_extension(family)
    for extension in resource.get("extension", ()):
        if extension.get("url") == url:
            return next((part["valueCode"] for part in extension["extension"] if part["url"] == "file"), None)
    return None


def row_identifier(resource: Resource, system: str) -> str:
    """Value of the row identifier. Raises: KeyError when the resource has none of that file."""
    for entry in resource.get("identifier", ()):
        if entry.get("system") == system:
            return str(entry["value"])
    raise KeyError(system)


def by_part(resources: Iterable[Resource], system: str) -> dict[str, dict[str, Resource]]:
    """Resources grouped: row key to part name to resource. Those that belong to another file are passed over."""
    rows: dict[str, dict[str, Resource]] = {}
    for resource in resources:
        for entry in resource.get("identifier", ()):
            if entry.get("system") == system:
                key, _, part = entry["value"].partition("#")
                rows.setdefault(key, {})[part] = resource
    return rows
