"""The committed ConceptMaps."""

from __future__ import annotations

from terminology.concept import Json


def thai_concept_maps() -> dict[str, Json]:
    return {}
