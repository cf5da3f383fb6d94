"""Search: parse -> compile -> execute -> page -> bundle (https://hl7.org/fhir/R4/search.html)."""
