"""The 13 digits of a Thai citizen and their check digit, as the Thai profiles judge them too."""

from fhir_profiles.thai.citizen_id import check_digit, is_valid

__all__ = ["check_digit", "is_valid"]
