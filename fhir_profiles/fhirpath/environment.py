"""What an expression may ask of its surroundings: the resources, the clock, terminology, other resources.

https://hl7.org/fhir/R4/fhirpath.html#variables
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(slots=True)
class Environment:
    resource: dict[str, Any] | None = None
    """%resource: the resource that holds the context; a contained one is its own."""
    root: dict[str, Any] | None = None
    """%rootResource: the container where `resource` is contained; else `resource`."""
    context: Any = None
    """%context, a resource, where it is not the value that is evaluated."""
    extension: dict[str, Any] | None = None
    """%extension: the extension whose context invariants are evaluated."""
    now: datetime | None = None
    """Time of now() and today(), with its zone."""
    variables: Mapping[str, Any] = field(default_factory=dict)
    """Further %constants: plain values; a list is a collection."""
    bundle: dict[str, Any] | None = None
    """In whose entries resolve() looks, by fullUrl."""
    resolve: Callable[[str], dict[str, Any] | None] | None = None
    """Loads what a literal reference points to outside of the resource; None if it is not there."""
    member_of: Callable[[Any, str, str], bool | None] | None = None
    """memberOf: (value, its type, canonical url of the value set); None if the terminology cannot tell."""
    conforms_to: Callable[[Any, str], bool | None] | None = None
    """conformsTo: (value, canonical url of the profile); None if the profile is not known."""
    subsumes: Callable[[Any, Any], bool | None] | None = None
    """subsumes, subsumedBy: (the wider, the narrower) Coding or CodeableConcept."""
    trace: Callable[[str, list[Any]], None] | None = None
    """Receives trace(name) and its values."""
