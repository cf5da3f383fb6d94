"""Literal references: the type they name, and where they lead inside of a resource or Bundle.

https://hl7.org/fhir/R4/references.html#literal https://hl7.org/fhir/R4/bundle.html#references
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any


def type_of_literal(reference: str, resource_types: Set[str]) -> str | None:
    """Patient of `Patient/1`, `http://host/fhir/Patient/1/_history/2`; None of `#a`, `urn:uuid:...`, other urls."""
    path = reference.partition("?")[0].partition("/_history/")[0]
    before, slash, _ = path.rpartition("/")
    name = before.rpartition("/")[2]
    return name if slash and name in resource_types else None


def referred_type(value: Any, resource_types: Set[str]) -> str | None:
    """The type of the resource that a Reference (or the text of one) means, as far as it says."""
    if value.__class__ is dict:
        literal, named = value.get("reference"), value.get("type")
    else:
        literal, named = value, None
    found = type_of_literal(literal, resource_types) if isinstance(literal, str) else None
    if found is None and isinstance(named, str):
        plain = named.rpartition("/")[2]
        found = plain if plain in resource_types else None
    return found


def resolve_within(root: dict[str, Any], reference: str) -> dict[str, Any] | None:
    """The contained resource of `#id`; `#` alone is the container."""
    if reference == "#":
        return root
    contained = root.get("contained")
    for each in contained if isinstance(contained, list) else ():
        if isinstance(each, dict) and each.get("id") == reference[1:]:
            return each
    return None


def entry_of(bundle: dict[str, Any], reference: str) -> dict[str, Any] | None:
    """The resource of the entry that a reference means: by fullUrl, or as `Type/id` of its end."""
    plain = reference.partition("/_history/")[0]
    relative = ":" not in plain.partition("/")[0]
    entries = bundle.get("entry")
    for entry in entries if isinstance(entries, list) else ():
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(resource, dict):
            continue
        full = entry.get("fullUrl")
        if full == plain or (relative and isinstance(full, str) and full.endswith("/" + plain)):
            return resource
        if relative and full is None and plain == f"{resource.get('resourceType')}/{resource.get('id')}":
            return resource
    return None
