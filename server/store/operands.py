"""What operands mean for an index: the texts a uri lies below, the units that fit, the box around a place."""

from __future__ import annotations

from math import cos, radians

from server.search.query import NearOperand, QuantityOperand

_METRES_PER_DEGREE = 111_000.0
"""A little less than the true 111,195, so that the box is never too small."""


def prefixes_of(written: str) -> list[str]:
    """All that `written` is, or lies below: itself, and up to each end of a path segment."""
    ends = [n for n in range(1, len(written)) if written[n - 1] == "/" or written[n] in "/?#"]
    return [*(written[:n] for n in ends), written]


def unit_fits(system: str, names: str, operand: QuantityOperand) -> bool:
    """Whether a unit as it was written (code, unit and canonical code between NULs) is one that the operand means."""
    code, unit, canonical = names.split("\0")
    if operand.canonical is not None:
        return system == operand.system and canonical == operand.canonical_code
    if operand.system is not None:
        return system == operand.system and operand.code in (None, code)
    return operand.code is None or operand.code in (code, unit)


def box(operand: NearOperand) -> tuple[float, float, float, float]:
    """South, north, west, east around the circle; west > east across the date line."""
    tall = operand.metres / _METRES_PER_DEGREE
    south, north = max(-90.0, operand.latitude - tall), min(90.0, operand.latitude + tall)
    if south == -90.0 or north == 90.0:
        return south, north, -180.0, 180.0
    wide = tall / max(cos(radians(max(abs(south), abs(north)))), 1e-9)
    if wide >= 180:
        return south, north, -180.0, 180.0
    west, east = operand.longitude - wide, operand.longitude + wide
    return south, north, west + 360 if west < -180 else west, east - 360 if east > 180 else east
