"""The 16 claim files of e-Claim and FDH, and LAB: from FHIR, and in again."""
