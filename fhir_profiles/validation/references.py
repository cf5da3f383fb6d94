"""What a Reference may point to.   https://hl7.org/fhir/R4/references.html

Checked is what a reference says by itself: `Patient/1`, `Patient?identifier=...` (in transactions) and `#contained`.
Absolute URLs and `urn:uuid:` are let through: their type shows only when they are resolved.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from fhir_profiles.fhirpath.environment import Environment
from fhir_profiles.validation.problems import EMPTY, Problem

RELATIVE = re.compile(r"([A-Za-z]+)(?:/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?(?:#\S+)?|\?\S+)\Z")
ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")

ReferenceCheck = Callable[[Mapping[str, Any], Environment], Problem | None]


def target_types(profiles: tuple[str, ...], type_of_profile: Callable[[str], str | None]) -> frozenset[str]:
    """Resource types that the target profiles allow; empty for any."""
    types = set()
    for profile in profiles:
        known = type_of_profile(profile)
        if known is None or known in ("Resource", "DomainResource"):
            return frozenset()
        types.add(known)
    return frozenset(types)


def contained_type(root: Mapping[str, Any], local_id: str) -> str | None:
    """Type of the contained resource with that id."""
    contained = root.get("contained")
    for each in contained if isinstance(contained, list) else ():
        if isinstance(each, dict) and each.get("id") == local_id:
            found = each.get("resourceType")
            return found if isinstance(found, str) else None
    return None


def _type_of(reference: str, environment: Environment, resource_types: frozenset[str]) -> tuple[str | None, str | None]:
    """(type the reference names, what is wrong with it)."""
    if reference[0] == "#":
        root = environment.root or {}
        if reference == "#":
            return root.get("resourceType"), None
        found = contained_type(root, reference[1:])
        return found, None if found else "points to a contained resource that is not there (ref-1)"
    relative = RELATIVE.match(reference)
    if relative is None:
        if ABSOLUTE.match(reference):
            return None, None
        return None, "is neither Type/id nor an absolute URL"
    if relative[1] not in resource_types:
        return None, "names no FHIR R4 resource type"
    return relative[1], None


def _listed(types: frozenset[str]) -> str:
    return ", ".join(sorted(types))


def reference_check(targets: frozenset[str], resource_types: frozenset[str]) -> ReferenceCheck:
    """Check of one Reference object against the resource types it may point to (empty: any)."""

    def check(value: Mapping[str, Any], environment: Environment) -> Problem | None:
        if len(value) == ("id" in value):
            return EMPTY
        reference = value.get("reference")
        if reference is not None:
            found, wrong = _type_of(reference, environment, resource_types)
            if wrong:
                code = "invariant" if "ref-1" in wrong else "value"
                return Problem("error", code, f"the reference {wrong}", ("reference",), reference)
            if found and targets and found not in targets:
                text = f"the reference is to a {found}; allowed here: {_listed(targets)}"
                return Problem("error", "value", text, ("reference",), reference)
        named = value.get("type")
        if named is not None and targets and named in resource_types and named not in targets:
            return Problem("error", "value", f"the type is {named}; allowed here: {_listed(targets)}", ("type",))
        return None

    return check
