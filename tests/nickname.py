"""A custom SearchParameter that finds patients by their nickname."""

from __future__ import annotations

from typing import Any


def nickname_parameter(**more: Any) -> dict[str, Any]:
    """The resource; `more` replaces or adds members."""
    return {
        "resourceType": "SearchParameter",
        "id": "nick",
        "url": "urn:example:nickname",
        "name": "nickname",
        "status": "active",
        "description": "Nickname of a patient",
        "code": "nickname",
        "base": ["Patient"],
        "type": "string",
        "expression": "Patient.name.where(use='nickname').given",
        **more,
    }
