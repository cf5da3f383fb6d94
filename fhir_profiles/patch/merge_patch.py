"""JSON Merge Patch.   https://www.rfc-editor.org/rfc/rfc7396

As with JSON Patch, resourceType and id stay, and an object whose last member a patch took disappears.
"""

from __future__ import annotations

from typing import Any

from fhir_profiles.json_reading import copy_json
from fhir_profiles.patch.errors import PatchError
from fhir_profiles.patch.result import checked, without_emptied


def merge_patch(resource: dict[str, Any], patch: Any) -> dict[str, Any]:
    """The resource with the members of the patch in it: null takes a member away, an object is merged, everything
    else (arrays too) replaces. The input stays as it is.   Raises: PatchError."""
    if not isinstance(patch, dict):
        raise PatchError("malformed", "a merge patch is an object: the members to change")
    emptied: set[int] = set()
    result = _merged(copy_json(resource), patch, emptied)
    return checked(resource, without_emptied(result, emptied))


def _merged(target: Any, patch: Any, emptied: set[int]) -> Any:
    if not isinstance(patch, dict):
        return copy_json(patch)
    result: dict[str, Any] = target if isinstance(target, dict) else {}
    had_members = bool(result)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merged(result.get(name), value, emptied)
    if had_members and not result:
        emptied.add(id(result))
    return result
