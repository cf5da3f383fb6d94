"""What a page shows of a resource: a tree of named values with links, free of HTML. Pure.

Nothing here is trusted to be harmless: the templates escape every text, links are made only to this server's own
resources and to http(s) addresses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import jiter

MAXIMUM_DEPTH = 40
LINKED = ("reference", "fullUrl", "url")
"""Elements that may hold an address to go to."""


@dataclass(slots=True)
class Node:
    """One element: a leaf has `text`, a branch has `children`."""

    name: str
    text: str | None = None
    link: str | None = None
    children: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Row:
    """One entry of a Bundle."""

    title: str
    link: str | None
    summary: str
    mode: str
    updated: str


def tree(resource: dict[str, Any], base: str) -> list[Node]:
    """The elements of a resource as nodes, in their own order, without resourceType and narrative."""
    shown = {name: value for name, value in resource.items() if name not in ("resourceType", "text")}
    return _nodes(shown, base, 0)


def _nodes(element: dict[str, Any], base: str, depth: int) -> list[Node]:
    nodes: list[Node] = []
    for name, value in element.items():
        if isinstance(value, list):
            one = len(value) == 1
            nodes += [_node(name if one else f"{name}[{i}]", item, base, depth) for i, item in enumerate(value)]
        else:
            nodes.append(_node(name, value, base, depth))
    return nodes


def _node(name: str, value: Any, base: str, depth: int) -> Node:
    if depth > MAXIMUM_DEPTH:
        return Node(name, "…")
    if isinstance(value, dict):
        return Node(name, children=_nodes(value, base, depth + 1))
    return Node(name, _text(value), target(value, base) if name in LINKED else None)


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, jiter.LosslessFloat):
        return str(value)
    return str(value)


def target(value: Any, base: str) -> str | None:
    """Link for a reference: our own resource (relative or absolute), or an http(s) address; None for all else."""
    if not isinstance(value, str) or not value or value.startswith("#"):
        return None
    parts = urlsplit(value)
    if parts.scheme in ("http", "https") and parts.netloc:
        return value
    segments = value.split("/")
    if parts.scheme or parts.netloc or not segments[0].isalpha() or not segments[0][0].isupper():
        return None
    if len(segments) not in (2, 4) or "" in segments:
        return None
    return base + "/" + "/".join(quote(segment, safe="") for segment in segments)


def rows(bundle: dict[str, Any], base: str) -> list[Row]:
    """The entries of a Bundle for a table."""
    return [_row(entry, base) for entry in bundle.get("entry", []) if isinstance(entry, dict)]


def _row(entry: dict[str, Any], base: str) -> Row:
    resource = entry.get("resource")
    request = entry.get("request") or {}
    if not isinstance(resource, dict):
        where = str(request.get("url", ""))
        return Row(where or "–", target(where, base), "", str(request.get("method", "")), "")
    kind, number = str(resource.get("resourceType", "")), str(resource.get("id", ""))
    meta = resource.get("meta") or {}
    link = target(f"{kind}/{number}", base) if number else None
    if request and meta.get("versionId") and link:
        link += f"/_history/{quote(str(meta['versionId']), safe='')}"
    mode = str((entry.get("search") or {}).get("mode") or request.get("method") or "")
    title = f"{kind}/{number}" if number else kind
    return Row(title, link, summary(resource), mode, str(meta.get("lastUpdated", "")))


def summary(resource: dict[str, Any]) -> str:
    """A few words that tell one resource from its neighbours: a name, a code, a status, a date."""
    parts = [_name(resource), _coded(resource), _value(resource)]
    if resource.get("resourceType") == "OperationOutcome":
        parts += [str(i.get("diagnostics", "")) for i in resource.get("issue", []) if isinstance(i, dict)][:3]
    for key in (
        "status",
        "birthDate",
        "effectiveDateTime",
        "authoredOn",
        "onsetDateTime",
        "occurrenceDateTime",
        "start",
    ):
        if isinstance(resource.get(key), str):
            parts.append(resource[key])
    if isinstance(period := resource.get("period"), dict) and isinstance(period.get("start"), str):
        parts.append(period["start"])
    return " · ".join(part for part in parts if part)


def _name(resource: dict[str, Any]) -> str:
    name = resource.get("name") or resource.get("title")
    if isinstance(name, list):
        name = name[0] if name else None
    if isinstance(name, str):
        return name
    if isinstance(name, dict):
        words = [*_strings(name.get("prefix")), *_strings(name.get("given")), *_strings(name.get("family"))]
        return str(name["text"]) if isinstance(name.get("text"), str) else " ".join(words)
    return ""


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _coded(resource: dict[str, Any]) -> str:
    for key in ("code", "medicationCodeableConcept", "vaccineCode", "type"):
        concept = resource.get(key)
        if isinstance(concept, list):
            concept = concept[0] if concept else None
        if isinstance(concept, dict):
            codings = [c for c in concept.get("coding") or [] if isinstance(c, dict)]
            display = concept.get("text") or next((c["display"] for c in codings if c.get("display")), None)
            return str(display or next((c["code"] for c in codings if c.get("code")), ""))
    return ""


def _value(resource: dict[str, Any]) -> str:
    quantity = resource.get("valueQuantity")
    if isinstance(quantity, dict):
        return f"{_text(quantity.get('value'))} {quantity.get('unit') or quantity.get('code') or ''}".strip()
    text = resource.get("valueString")
    return text if isinstance(text, str) else ""
