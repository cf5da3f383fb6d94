"""`near`, the special parameter of Location: latitude|longitude|distance|units.
https://hl7.org/fhir/R4/location.html#search
"""

from __future__ import annotations

import math
from typing import Any

from server.search.query import NearOperand
from server.search.types.number import as_float, number
from server.search.types.written import Unreadable, split
from server.search.values import Position

MODIFIERS: frozenset[str] = frozenset()

DISTANCE = 50_000.0
"""Metres, where none is given: at the discretion of the server."""

METRES = {"km": 1000.0, "m": 1.0, "[mi_i]": 1609.344, "[mi_us]": 1609.347219, "[nmi_i]": 1852.0, "[ft_i]": 0.3048}
"""By UCUM code; km where none is given."""

_EARTH = 6_371_008.8
"""Mean radius in metres."""


def values(node: Any) -> list[Position]:
    if not isinstance(node, dict):
        return []
    latitude, longitude = as_float(node.get("latitude")), as_float(node.get("longitude"))
    return [] if latitude is None or longitude is None else [Position(latitude, longitude)]


def parse(text: str) -> NearOperand:
    parts = [part.strip() for part in split(text, "|")]
    if not 2 <= len(parts) <= 4:
        raise Unreadable("expected latitude|longitude|distance|units")
    latitude, longitude = (float(number(part)[0]) for part in parts[:2])
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise Unreadable("latitude is -90 to 90 degrees, longitude -180 to 180")
    unit = parts[3] if len(parts) == 4 and parts[3] else "km"
    if unit not in METRES:
        raise Unreadable(f"the unit is one of {' '.join(METRES)}")
    metres = DISTANCE if len(parts) < 3 or not parts[2] else float(number(parts[2])[0]) * METRES[unit]
    if metres < 0 or not math.isfinite(metres):
        raise Unreadable("the distance is negative or too large")
    return NearOperand(latitude, longitude, metres)


def distance(one: Position, latitude: float, longitude: float) -> float:
    """Metres along the great circle (haversine)."""
    here, there = math.radians(one.latitude), math.radians(latitude)
    half_lat, half_lon = (there - here) / 2, math.radians(longitude - one.longitude) / 2
    chord = math.sin(half_lat) ** 2 + math.cos(here) * math.cos(there) * math.sin(half_lon) ** 2
    return 2 * _EARTH * math.asin(math.sqrt(min(chord, 1.0)))


def matches(value: Position, operand: NearOperand) -> bool:
    return distance(value, operand.latitude, operand.longitude) <= operand.metres
