"""MOPH PHR, specification version 2.3: FHIR-like JSON out of FHIR. It is not FHIR, so no resource is sent as it is."""

from mappers.moph_phr.payload import Hospital, NoCitizenId, encounter_reference, update_phr

__all__ = ["Hospital", "NoCitizenId", "encounter_reference", "update_phr"]
