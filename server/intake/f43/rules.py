"""The rules of identity as the settings of this site say them."""

from __future__ import annotations

from datetime import timedelta

from mappers.identity import DUMMIES, Rules
from server.config import Settings


def rules_of(settings: Settings) -> Rules:
    """Dummies beside those that are known everywhere, prefixes of made-up numbers, who is believed first."""
    return Rules(
        dummies=DUMMIES | frozenset(settings.cid_dummies),
        facility_prefixes=settings.cid_facility_prefixes,
        precedence=settings.identity_precedence,
        future=timedelta(days=settings.d_update_days_ahead),
    )
