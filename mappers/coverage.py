"""Rights to health care as Coverage.type, and the facilities that a right is registered with.

https://hl7.org/fhir/R4/coverage.html
"""

from __future__ import annotations

from typing import Any

from mappers.codes import coding, concept, displays, hl7, system
from mappers.lens import EXTENSIONS, Lens, code_of, look, organization
from mappers.links import Resource, Row


def fund(instype: str) -> str:
    """The fund (cs-th-coverage-type) of a four-digit right; OTH for one that is not in the list."""
    return hl7("coverage-fund").get(instype, "OTH")


def coverage_type(instype: str) -> dict[str, Any]:
    """Coverage.type: the four-digit right and its fund."""
    own = coding(system("cs-thcc-coverage-type"), instype, displays("cs-thcc-coverage-type").get(instype, ""))
    broad = fund(instype)
    return {"coding": [own, coding(system("cs-th-coverage-type"), broad, displays("cs-th-coverage-type")[broad])]}


_CONTRACTED = EXTENSIONS + "ex-coverage-contracted-provider"
_CONTRACT_KIND = "cs-meta-provider-type-coverage"


def contracted(kind: str) -> Lens:
    """The facility that the right is registered with, as `type` and `provider` of ex-coverage-contracted-provider."""
    inner = organization("valueReference")

    def put(resource: Resource, value: str, row: Row) -> None:
        provider: Resource = {"url": "provider"}
        inner.put(provider, value, row)
        label = concept(system(_CONTRACT_KIND), kind, displays(_CONTRACT_KIND)[kind])
        parts = [{"url": "type", "valueCodeableConcept": label}, provider]
        resource.setdefault("extension", []).append({"url": _CONTRACTED, "extension": parts})

    def get(resource: Resource) -> str:
        for entry in resource.get("extension", ()):
            if entry["url"] == _CONTRACTED:
                parts = {part["url"]: part for part in entry["extension"]}
                if code_of(look(parts, ("type", "valueCodeableConcept")), system(_CONTRACT_KIND)) == kind:
                    return inner.get(parts["provider"]) if "provider" in parts else ""
        return ""

    return Lens(put, get)
