"""What resources of the mappers speak of: systems with codes, urls of extensions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """The object and every object within, outer ones first."""
    if isinstance(value, dict):
        yield value
        for member in value.values():
            yield from objects(member)
    elif isinstance(value, list):
        for member in value:
            yield from objects(member)


def systems_in(resources: Iterable[dict[str, Any]]) -> set[tuple[str, str]]:
    """(system, code) of every Coding and Quantity."""
    found = (each for resource in resources for each in objects(resource))
    return {(each["system"], each["code"]) for each in found if "system" in each and "code" in each}


def urls_of_extensions(resources: Iterable[dict[str, Any]]) -> set[str]:
    """Absolute urls of extensions; the parts of one bear names only."""
    found = (each for resource in resources for each in objects(resource) if "url" in each)
    return {each["url"] for each in found if ":" in each["url"]}
