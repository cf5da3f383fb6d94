"""Patches: resource in, new resource out.   https://hl7.org/fhir/R4/http.html#patch"""

from fhir_profiles.patch.errors import PatchError
from fhir_profiles.patch.fhirpath_patch import fhirpath_patch
from fhir_profiles.patch.json_patch import json_patch
from fhir_profiles.patch.merge_patch import merge_patch

__all__ = ["PatchError", "fhirpath_patch", "json_patch", "merge_patch"]
