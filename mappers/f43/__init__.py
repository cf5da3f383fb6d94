"""The 43 files of the Ministry of Public Health: layouts, reading, checking, FHIR and back, writing."""
