"""What every kind of patch ends with: the result is still that resource, and holds no emptied containers."""

from __future__ import annotations

from typing import Any

from fhir_profiles.json_reading import MAX_DEPTH, deeper_than
from fhir_profiles.patch.errors import PatchError


def checked(before: dict[str, Any], after: Any) -> dict[str, Any]:
    """The result. Raises: PatchError if its resourceType or id changed, or it became too deep."""
    if not isinstance(after, dict):
        raise PatchError("unprocessable", "the result is no resource")
    for name in ("resourceType", "id"):
        if before.get(name) != after.get(name):
            raise PatchError("unprocessable", f"a patch cannot change {name}", expression=name)
    if deeper_than(after, MAX_DEPTH):
        raise PatchError("unprocessable", f"the result is nested more than {MAX_DEPTH} levels deep")
    return after


def without_emptied(value: Any, emptied: set[int]) -> Any:
    """The JSON without those objects and arrays that a patch took the last member of: FHIR allows no empty ones.
    `emptied` holds their ids; an object that only held such ones goes too. None where nothing is left."""
    if isinstance(value, dict):
        gone = []
        for name, member in value.items():
            if isinstance(member, (dict, list)) and without_emptied(member, emptied) is None:
                gone.append(name)
        for name in gone:
            del value[name]
        return None if not value and (gone or id(value) in emptied) else value
    if isinstance(value, list):
        kept = [
            each for each in value if not isinstance(each, (dict, list)) or without_emptied(each, emptied) is not None
        ]
        dropped = len(kept) < len(value)
        value[:] = kept
        return None if not value and (dropped or id(value) in emptied) else value
    return value
