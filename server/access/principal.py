"""Who sends a request, as far as the access decision and the audit need it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    name: str
    """Name of the system token, or "open" in open mode; never a person's identifier."""
    read_only: bool = False
