"""Links between the entries of a transaction, rewritten to the identities the server gives.

Replaced are resource references, elements of type uri, url, oid and uuid, and links and images of narratives;
elements of type canonical are not, says the specification.   https://hl7.org/fhir/R4/http.html#trules
A Bundle that is itself an entry (a document, say) resolves within itself first: links between its own entries stay.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fhir_profiles.definitions import Definitions

_REPLACED_TYPES = frozenset({"uri", "url", "oid", "uuid"})
_NARRATIVE_LINK = re.compile(r"""(\b(?:href|src)\s*=\s*)(["'])(.*?)\2""", re.DOTALL)
_RESTFUL = re.compile(r"(https?://.+)/([A-Z][A-Za-z]+)/([A-Za-z0-9.\-]{1,64})(?:/_history/([A-Za-z0-9.\-]{1,64}))?")


def restful_root(full_url: str | None) -> str | None:
    """`http://x/fhir` of `http://x/fhir/Patient/1`: what relative references of the entry are relative to.

    https://hl7.org/fhir/R4/bundle.html#references
    """
    found = _RESTFUL.fullmatch(full_url) if full_url and full_url.startswith("http") else None
    return found[1] if found else None


def _full_urls(bundle: dict[str, Any]) -> set[str]:
    entries = bundle.get("entry")
    rows = entries if isinstance(entries, list) else ()
    urls = (row.get("fullUrl") for row in rows if isinstance(row, dict))
    return {url for url in urls if isinstance(url, str)}


class Links:
    """Rewrites the links of resources, one transaction's.

    identities: fullUrl -> Type/id. versions: Type/id -> version that the commit will make, for versioned references.
    """

    def __init__(
        self, definitions: Definitions, identities: Mapping[str, str], versions: Mapping[str, int] | None = None
    ) -> None:
        self._definitions = definitions
        self._identities = identities
        self._versions = versions or {}
        self.searches: dict[str, list[dict[str, Any]]] = {}
        """Conditional references met so far: `Patient?identifier=x` -> the elements that hold it."""

    def rewrite(self, resource: dict[str, Any], full_url: str | None) -> None:
        """Replace the links of a resource in place."""
        self._resource(resource, [(resource["resourceType"], resource)], restful_root(full_url))

    def _resource(self, node: dict[str, Any], trail: list[tuple[str, dict[str, Any]]], root: str | None) -> None:
        own = _full_urls(node) & self._identities.keys() if node.get("resourceType") == "Bundle" else ()
        if not own:
            self._walk(node, trail, root)
            return
        outer = self._identities
        self._identities = {url: where for url, where in outer.items() if url not in own}
        self._walk(node, trail, None)
        self._identities = outer

    def _walk(self, node: dict[str, Any], trail: list[tuple[str, dict[str, Any]]], root: str | None) -> None:
        for name, value in node.items():
            kind = value.__class__
            if kind is str:
                if name == "reference":
                    node[name] = self._reference(value, node, root)
                elif name == "div":
                    if "href" in value or "src" in value:
                        node[name] = self._narrative(value, root)
                elif (new := self._known(value, root)) is not None and self._is_link(trail, name):
                    node[name] = new
            elif kind is dict:
                trail.append((name, value))
                (self._resource if name == "resource" else self._walk)(value, trail, root)
                trail.pop()
            elif kind is list:
                self._walk_list(name, value, trail, root)

    def _walk_list(
        self, name: str, values: list[Any], trail: list[tuple[str, dict[str, Any]]], root: str | None
    ) -> None:
        for position, value in enumerate(values):
            if value.__class__ is dict:
                trail.append((name, value))
                self._walk(value, trail, root)
                trail.pop()
            elif value.__class__ is str:
                new = self._known(value, root)
                if new is not None and self._is_link(trail, name):
                    values[position] = new

    def _reference(self, text: str, element: dict[str, Any], root: str | None) -> str:
        new = self._known(text, root)
        if new is not None:
            return new
        if "?" in text and text[:1].isupper():
            self.searches.setdefault(text, []).append(element)
        return text

    def _known(self, text: str, root: str | None) -> str | None:
        """New form of a link to an entry, fragment and version kept; None if it links to none of them."""
        identities = self._identities
        if text in identities:
            return identities[text]
        if "#" in text:
            url, _, fragment = text.partition("#")
            new = self._known(url, root) if url else None
            return f"{new}#{fragment}" if new is not None else None
        if "/_history/" in text:
            new = self._known(text.partition("/_history/")[0], root)
            return f"{new}/_history/{self._versions[new]}" if new is not None and new in self._versions else new
        if root is not None and "/" in text and ":" not in text:
            return identities.get(f"{root}/{text}")
        return None

    def _narrative(self, div: str, root: str | None) -> str:
        def link(found: re.Match[str]) -> str:
            new = self._known(found[3], root)
            return found[0] if new is None else f"{found[1]}{found[2]}{new}{found[2]}"

        return _NARRATIVE_LINK.sub(link, div)

    def _is_link(self, trail: list[tuple[str, dict[str, Any]]], name: str) -> bool:
        """Whether the element has a type whose values are replaced. Asked only for values that are known links."""
        node = trail[0][0]
        try:
            for step, value in trail[1:]:
                kind = value.get("resourceType")
                if isinstance(kind, str):
                    node = kind
                elif step[:1] == "_":
                    node = "Element"  # what a primitive has beside its value: `_birthDate`
                else:
                    node = self._definitions.properties(node)[step].type
            return self._definitions.properties(node)[name].type in _REPLACED_TYPES
        except KeyError:
            return False  # an unknown element: the validator says so
