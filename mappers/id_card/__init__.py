"""The Thai national id card: its fields as a registration and as a Patient."""

from mappers.id_card.card import Card, registration

__all__ = ["Card", "registration"]
