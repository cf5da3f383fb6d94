"""A facility's registration of a person, out of the resources that its rows made."""

from __future__ import annotations

from collections.abc import Iterable

from mappers.f43.links import FAMILY
from mappers.f43.maps import MAPS
from mappers.identity import FILE, Registration
from mappers.links import Resource, Row
from mappers.part import FIRST, file_of


def row_of(first: Resource) -> tuple[str, Row] | None:
    """File and columns of the row that a first resource came from, without the columns whose home is in other parts;
    None for a resource that is no row's first."""
    file = file_of(first, FAMILY)
    return (file, MAPS[file].from_fhir({FIRST: first})) if file else None


def registration(resources: Iterable[Resource]) -> Registration | None:
    """What the first resources of PERSON, ADDRESS, DEATH and DISABILITY rows of one PID say; None without a PERSON."""
    found: dict[str, list[Row]] = {}
    for resource in resources:
        if came := row_of(resource):
            found.setdefault(came[0], []).append(came[1])
    if "PERSON" not in found:
        return None
    return Registration(
        found["PERSON"][0],
        FILE,
        addresses=tuple(found.get("ADDRESS", ())),
        deaths=tuple(found.get("DEATH", ())),
        disabilities=tuple(found.get("DISABILITY", ())),
    )
