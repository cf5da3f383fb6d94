"""What FHIR R4 and the Thai profiles say: definitions, validation, FHIRPath, patches, JSON and XML reading."""
