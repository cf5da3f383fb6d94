"""HIS formats <-> FHIR resources: rows in, resources out, pure."""
