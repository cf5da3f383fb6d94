"""One JSON file for each profile, as `fhir_profiles/thai/differential.py` reads it."""
