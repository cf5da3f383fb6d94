"""Parts of a resource: `_summary` and `_elements`.   https://hl7.org/fhir/R4/search.html#summary

A subset is tagged SUBSETTED, so that nobody writes it back by mistake.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from fhir_profiles.definitions import Definitions
from fhir_profiles.json_reading import read_json, write_json
from server.context import Context
from server.errors import BadRequest

SUBSETTED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
    "display": "Resource encoded in summary mode",
}
SUMMARIES = ("true", "text", "data", "count", "false")
_ALWAYS = frozenset({"resourceType", "id", "meta", "implicitRules"})


@dataclass(frozen=True, slots=True)
class Subset:
    """Which elements of a resource to give."""

    definitions: Definitions
    summary: str | None
    """true, text or data."""
    elements: tuple[str, ...] = ()
    """Names of top-level elements, for `_elements`."""

    def of(self, body: bytes) -> bytes:
        """The subset of a stored resource, tagged."""
        return write_json(self.of_resource(read_json(body)))

    def of_resource(self, resource: dict[str, Any]) -> dict[str, Any]:
        resource_type = resource["resourceType"]
        if self.elements:
            kept = _top_level(resource, self._named(resource_type))
        elif self.summary == "data":
            kept = {name: value for name, value in resource.items() if name != "text"}
        elif self.summary == "text":
            kept = _top_level(resource, {"text", *_mandatory(self.definitions, resource_type)})
        else:
            kept = _summary(self.definitions, resource_type, resource)
        return tagged(kept)

    def _named(self, resource_type: str) -> set[str]:
        properties = self.definitions.properties(resource_type)
        wanted = set(self.elements)
        names = {name for name, each in properties.items() if name in wanted or each.element.name in wanted}
        return names | set(_mandatory(self.definitions, resource_type))


def tagged(resource: dict[str, Any]) -> dict[str, Any]:
    """The resource with the tag SUBSETTED."""
    meta = dict(resource.get("meta", {}))
    tags = meta.get("tag", [])
    if not any(tag.get("code") == "SUBSETTED" for tag in tags):
        meta["tag"] = [*tags, SUBSETTED]
    return {**resource, "meta": meta}


def requested(ctx: Context, query: Sequence[tuple[str, str]], resource_type: str) -> Subset | None:
    """The subset that a read asks for; None for the whole resource. Raises: BadRequest."""
    summary = next((value for name, value in query if name == "_summary"), None)
    elements = [value for name, value in query if name == "_elements"]
    return subset(ctx.definitions, summary, elements, (resource_type,))


def subset(
    definitions: Definitions, summary: str | None, elements: Iterable[str], resource_types: Collection[str]
) -> Subset | None:
    """`_summary` and the values of `_elements`, checked against the types they are about. Raises: BadRequest."""
    if summary is not None and summary not in SUMMARIES:
        raise BadRequest(f"_summary must be one of {', '.join(SUMMARIES)}", code="value")
    names = tuple(name.strip() for value in elements for name in value.split(",") if name.strip())
    if names:
        return Subset(definitions, None, _plain_names(definitions, names, resource_types))
    return Subset(definitions, summary) if summary in ("true", "text", "data") else None


def _plain_names(definitions: Definitions, names: Iterable[str], resource_types: Collection[str]) -> tuple[str, ...]:
    """`Patient.name` counts as `name`; an element that none of the types has is an error of the sender."""
    found = []
    for name in names:
        owner, _, rest = name.partition(".")
        plain = rest or owner
        types = [owner] if rest else resource_types
        if not any(_has_element(definitions, each, plain) for each in types):
            raise BadRequest(f"_elements: {name[:40]!r} is no top-level element of {', '.join(types)}", code="value")
        found.append(plain)
    return tuple(found)


def _has_element(definitions: Definitions, resource_type: str, name: str) -> bool:
    if resource_type not in definitions.resource_types:
        return False
    return name in definitions.properties(resource_type) or name in definitions.children(resource_type)


def _mandatory(definitions: Definitions, resource_type: str) -> Iterable[str]:
    properties = definitions.properties(resource_type)
    return (name for name, each in properties.items() if each.element.min > 0)


def _top_level(resource: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in resource.items() if name in _ALWAYS or name.removeprefix("_") in names}


def _summary(definitions: Definitions, node: str, value: dict[str, Any]) -> dict[str, Any]:
    """Elements marked isSummary, at every level; a data type in the summary is given whole, except that a backbone
    element is cut to its own summary elements."""
    properties = definitions.properties(node)
    kept: dict[str, Any] = {}
    for name, each in value.items():
        row = properties.get(name.removeprefix("_"))
        if name in _ALWAYS or (row is not None and (row.element.is_summary or row.element.min > 0)):
            kept[name] = _cut(definitions, row.type, each) if row is not None and "." in row.type else each
    return kept


def _cut(definitions: Definitions, node: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_cut(definitions, node, each) for each in value]
    return _summary(definitions, node, value) if isinstance(value, dict) else value
