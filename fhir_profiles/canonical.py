"""The canonical base of everything OneCard publishes itself: profiles, extensions, identifier systems.

One constant: whoever publishes under a domain of their own changes it here and nowhere else.
https://hl7.org/fhir/R4/references.html#canonical
"""

CANONICAL = "https://onecard.example.org/fhir"
"""`example.org` is reserved (RFC 2606), so that it can never be somebody else's."""
