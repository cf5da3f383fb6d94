"""One file per FHIR interaction; handlers know nothing of the web.   https://hl7.org/fhir/R4/http.html"""
