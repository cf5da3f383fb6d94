"""Validation of resources against FHIR R4 and profiles: `Validator(definitions, terminology).validate(resource)`."""

from fhir_profiles.validation.validator import Validator

__all__ = ["Validator"]
