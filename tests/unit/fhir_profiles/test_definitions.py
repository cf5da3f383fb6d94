"""https://hl7.org/fhir/R4/structuredefinition.html https://hl7.org/fhir/R4/compartmentdefinition.html"""

from __future__ import annotations

import gc
import weakref

import pytest

from fhir_profiles.definitions import Definitions
from fhir_profiles.fhirpath import compile_expression


def test_the_concrete_resource_types_are_those_of_r4(definitions: Definitions) -> None:
    assert len(definitions.resource_types) == 146
    assert {"Patient", "MedicationKnowledge", "Bundle", "Parameters"} <= definitions.resource_types
    assert not {"Resource", "DomainResource", "SubscriptionStatus", "Bot", "Project"} & definitions.resource_types


@pytest.mark.parametrize(
    "name",
    [
        "Patient",
        "http://hl7.org/fhir/StructureDefinition/Patient",
        "http://hl7.org/fhir/StructureDefinition/Patient|4.0.1",
    ],
)
def test_a_structure_has_names_and_canonical_urls(definitions: Definitions, name: str) -> None:
    assert definitions.structure(name).type == "Patient"


def test_an_unknown_structure_is_a_key_error(definitions: Definitions) -> None:
    with pytest.raises(KeyError):
        definitions.structure("http://example.org/StructureDefinition/none")
    assert not definitions.has_structure("Pateint")


@pytest.mark.parametrize(
    ("path", "leads_to", "types"),
    [
        ("Patient.contact.gender", "Patient.contact.gender", ["code"]),
        ("Patient.name.family", "HumanName.family", ["string"]),
        ("Patient.deceased", "Patient.deceased[x]", ["boolean", "dateTime"]),
        ("Patient.deceased[x]", "Patient.deceased[x]", ["boolean", "dateTime"]),
        ("Patient.deceasedBoolean", "Patient.deceased[x]", ["boolean", "dateTime"]),
        ("Observation.valueQuantity.unit", "Quantity.unit", ["string"]),
        ("Bundle.entry.link.url", "Bundle.link.url", ["uri"]),
        ("Questionnaire.item.item.item.linkId", "Questionnaire.item.linkId", ["string"]),
        ("Patient.id", "Patient.id", ["id"]),
        ("Extension.url", "Extension.url", ["uri"]),
        ("HumanName.id", "HumanName.id", ["string"]),
    ],
)
def test_a_path_goes_through_types_choices_and_content_references(
    definitions: Definitions, path: str, leads_to: str, types: list[str]
) -> None:
    element = definitions.element(path)
    assert (element.path, [each.code for each in element.types]) == (leads_to, types)


def test_an_element_says_what_it_allows(definitions: Definitions) -> None:
    gender = definitions.element("Patient.gender")
    assert (gender.min, gender.max, gender.is_array, gender.is_summary) == (0, 1, False, True)
    assert gender.binding is not None
    assert gender.binding[:2] == ("required", "http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1")
    general = definitions.element("Patient.generalPractitioner")
    assert general.is_array
    assert {url.rpartition("/")[2] for url in general.types[0].targets} == {
        "Organization",
        "Practitioner",
        "PractitionerRole",
    }
    assert [each.key for each in definitions.element("Patient.contact").constraints] == ["pat-1"]


def test_properties_are_the_members_of_the_json_object(definitions: Definitions) -> None:
    names = definitions.properties("Patient")
    assert {"deceasedBoolean", "deceasedDateTime", "contained", "id"} <= names.keys()
    assert "deceased" not in names
    assert names["contact"].type == "Patient.contact"
    assert names["name"].type == "HumanName"
    assert definitions.properties("Bundle.entry")["link"].type == "Bundle.link"


def test_types_know_what_they_specialise(definitions: Definitions) -> None:
    assert definitions.is_a("Patient", "Resource")
    assert definitions.is_a("Age", "Quantity")
    assert not definitions.is_a("Bundle", "DomainResource")
    assert definitions.base_type("Resource") is None


def test_search_parameters_include_those_of_the_base_types(definitions: Definitions) -> None:
    patient = definitions.search_parameters("Patient")
    assert {"_id", "_lastUpdated", "_text", "name", "birthdate"} <= patient.keys()
    assert "_text" not in definitions.search_parameters("Bundle")
    subject = definitions.search_parameters("Observation")["patient"]
    assert (subject.type, subject.target) == ("reference", ("Patient",))
    composite = definitions.search_parameters("Observation")["code-value-quantity"]
    known = {each.url for each in definitions.search_parameters("Observation").values()}
    assert {each.definition for each in composite.components} <= known


def test_the_five_compartments_of_r4(definitions: Definitions) -> None:
    assert definitions.compartment_types == {"Patient", "Encounter", "RelatedPerson", "Practitioner", "Device"}
    assert definitions.compartment("Patient")["Observation"] == ("subject", "performer")
    assert "Organization" not in definitions.compartment("Patient")
    assert "Encounter" not in definitions.compartment("Encounter"), "{def} is the resource itself, no parameter"


def test_compartments_name_parameters_that_exist(definitions: Definitions) -> None:
    missing = {
        (code, resource_type, parameter)
        for code in definitions.compartment_types
        for resource_type, parameters in definitions.compartment(code).items()
        for parameter in parameters
        if parameter not in definitions.search_parameters(resource_type)
    }
    assert missing == set()


def test_operations_have_their_parameters(definitions: Definitions) -> None:
    everything = definitions.operations["Patient-everything"]
    assert (everything.code, everything.resources, everything.instance) == ("everything", ("Patient",), True)
    assert {"start", "end", "_since", "_type", "_count"} <= {each.name for each in everything.parameters}


@pytest.mark.parametrize(
    "path",
    [
        "Binary.url",
        "Meta.project",
        "DeviceDefinition.bodySite",
        "ResearchStudy.whyStopped",
        "HealthcareService.offeredIn",
    ],
)
def test_what_the_package_added_to_r4_is_not_there(definitions: Definitions, path: str) -> None:
    with pytest.raises(KeyError):
        definitions.element(path)


def test_what_the_package_changed_in_r4_is_as_published(definitions: Definitions) -> None:
    assert definitions.element("EvidenceVariable.characteristic.definition").min == 1
    assert len(definitions.element("AuditEvent.agent.who").types[0].targets) == 6
    binding = definitions.element("ResearchStudy.status").binding
    assert binding is not None
    assert binding.value_set == "http://hl7.org/fhir/ValueSet/research-study-status|4.0.1"


def test_every_type_of_every_element_exists(definitions: Definitions) -> None:
    unknown = {
        (name, each.name, each.type)
        for name in definitions.type_kinds
        for each in definitions.properties(name).values()
        if not each.type.startswith("System.") and not definitions.properties(each.type)
    }
    assert unknown == set()


def test_added_definitions_are_found_and_replaced() -> None:
    definitions = Definitions()
    parameter = {
        "resourceType": "SearchParameter",
        "url": "http://example.org/SearchParameter/shoe",
        "code": "shoe",
        "base": ["Patient"],
        "type": "string",
        "expression": "Patient.extension.where(url = 'http://example.org/shoe').value",
    }
    definitions.add(parameter)
    assert definitions.search_parameters("Patient")["shoe"].type == "string"
    definitions.add({**parameter, "type": "token"})
    assert definitions.search_parameters("Patient")["shoe"].type == "token"
    assert "shoe" not in definitions.search_parameters("Observation")
    with pytest.raises(ValueError, match="defines nothing"):
        definitions.add({"resourceType": "Patient"})


def test_definitions_end_with_all_that_was_worked_out_of_them() -> None:
    definitions = Definitions()
    compile_expression("name.family", definitions, "Patient")
    end = weakref.ref(definitions)
    del definitions
    gc.collect()
    assert end() is None
