"""Measures a FHIR server from outside: `make bench`. Ratios within one run are what counts, never the clock alone."""
