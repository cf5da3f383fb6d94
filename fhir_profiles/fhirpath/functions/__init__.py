"""All functions by name.   http://hl7.org/fhirpath/N1/#functions https://hl7.org/fhir/R4/fhirpath.html#functions"""

from fhir_profiles.fhirpath.errors import FhirPathError
from fhir_profiles.fhirpath.functions.collections import COLLECTIONS
from fhir_profiles.fhirpath.functions.conversion import CONVERSION
from fhir_profiles.fhirpath.functions.existence import EXISTENCE
from fhir_profiles.fhirpath.functions.fhir import FHIR
from fhir_profiles.fhirpath.functions.filtering import FILTERING
from fhir_profiles.fhirpath.functions.math import MATH
from fhir_profiles.fhirpath.functions.navigation import NAVIGATION
from fhir_profiles.fhirpath.functions.registry import Function, Table
from fhir_profiles.fhirpath.functions.strings import STRINGS

FUNCTIONS: Table = {
    **EXISTENCE,
    **FILTERING,
    **COLLECTIONS,
    **CONVERSION,
    **STRINGS,
    **MATH,
    **NAVIGATION,
    **FHIR,
}


def check_arguments(name: str, count: int) -> Function:
    """The function of that name.   Raises: FhirPathError if there is none, or it does not take so many arguments."""
    function = FUNCTIONS.get(name)
    if function is None:
        raise FhirPathError("semantic", f"there is no function {name!r}")
    if not function.least <= count <= function.most:
        raise FhirPathError("semantic", f"{name}() does not take {count} arguments")
    return function
