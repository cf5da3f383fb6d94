"""Tags, security labels and profiles of `Resource.meta`: sets, joined and kept.

https://hl7.org/fhir/R4/resource.html#tag-updates
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fhir_profiles.json_reading import read_json
from server.errors import Unprocessable
from server.store.contract import Labels, Version, labels_of

CODED = ("tag", "security")
"""Labels that are Codings, in the order in which they are written."""

Meta = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Guard:
    """What a change is made from, as in `Put`."""

    expected: int | None = None
    seen: bytes | None = None
    labels: Labels | None = None


UNGUARDED = Guard()


def at(version: int, current: Version | None) -> Guard:
    """That version must be current when it is stored, and with the labels that it has now."""
    return Guard(version, current.body if current is not None and version == current.version else None)


def are_sound(meta: Any) -> bool:
    """Whether the labels of a meta that has not been validated can be compared."""
    return isinstance(meta, dict) and all(
        isinstance(meta.get(name, []), list)
        and all(
            isinstance(each, dict) and isinstance(each.get("system", ""), str) and isinstance(each.get("code", ""), str)
            for each in meta.get(name, ())
        )
        for name in CODED
    )


def union(first: Sequence[Meta], second: Sequence[Meta]) -> list[Meta]:
    """Codings of both without repetition: system and code say what is the same."""
    known = {(each.get("system"), each.get("code")) for each in first}
    return [*first, *(each for each in second if (each.get("system"), each.get("code")) not in known)]


def difference(first: Sequence[Meta], second: Sequence[Meta]) -> list[Meta]:
    """Codings of the first that are not in the second."""
    gone = {(each.get("system"), each.get("code")) for each in second}
    return [each for each in first if (each.get("system"), each.get("code")) not in gone]


def carry(resource: dict[str, Any], current: Version | None) -> Guard:
    """Tags and security labels stay on a resource until `$meta-delete` takes them off; profiles are those sent.

    Those of the current version are put into the resource. What must hold when it is stored, so that it loses none that
    are added meanwhile. Raises: Unprocessable (a subset).
    """
    meta: Any = resource.get("meta", {})
    if not are_sound(meta):
        return UNGUARDED  # the validator says what is wrong
    if any(tag.get("code") == "SUBSETTED" for tag in meta.get("tag", ())):
        raise Unprocessable(
            "The resource is a subset (tag SUBSETTED): storing it would lose the rest", expression="meta.tag"
        )
    seen = labels_of(current.body if current is not None else None)
    if seen and current is not None:
        before = read_json(current.body or b"{}").get("meta", {})
        merged = {name: union(meta.get(name, ()), before.get(name, ())) for name in CODED}
        resource["meta"] = {**meta, **{name: codings for name, codings in merged.items() if codings}}
    return Guard(labels=seen)
