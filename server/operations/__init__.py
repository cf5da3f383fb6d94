"""One file per operation, its parameters read from the official OperationDefinition.

https://hl7.org/fhir/R4/operations.html
"""
