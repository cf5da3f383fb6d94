"""FHIRPath N1 compiled to Python closures.   http://hl7.org/fhirpath/N1/ https://hl7.org/fhir/R4/fhirpath.html"""

from fhir_profiles.fhirpath.environment import Environment
from fhir_profiles.fhirpath.errors import FhirPathError
from fhir_profiles.fhirpath.expression import Expression, compile_expression
from fhir_profiles.fhirpath.parser import parse

__all__ = ["Environment", "Expression", "FhirPathError", "compile_expression", "parse"]
