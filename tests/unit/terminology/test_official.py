"""The official R4 code systems and value sets: every one is here, and expands or says why not.

https://hl7.org/fhir/R4/terminologies.html
"""

from collections import Counter

import pytest

from fhir_profiles.definitions import Definitions
from fhir_profiles.terminology_protocol import Code, Terminology
from terminology.errors import TerminologyError
from terminology.service import TerminologyService

NOT_EXPANDABLE = Counter(
    {
        # their content may not be shipped, or is not part of the R4 package
        "the code system http://snomed.info/sct is not here": 52,
        "the code system http://loinc.org is not here": 10,
        "the code system http://www.ensembl.org is not here": 2,
        "the code system http://ihe.net/fhir/ValueSet/IHE.FormatCode.codesystem is not here": 2,
        "the code system http://www.ama-assn.org/go/cpt is not here": 1,
        "the code system http://www.ncbi.nlm.nih.gov/nuccore is not here": 1,
        "the code system http://cancer.sanger.ac.uk/cancergenome/projects/cosmic is not here": 1,
        "the code system http://www.ncbi.nlm.nih.gov/clinvar is not here": 1,
        "the code system https://precision.fda.gov/apps/ is not here": 1,
        "the code system https://precision.fda.gov/files/ is not here": 1,
        "the code system http://www.sequenceontology.org is not here": 1,
        "the code system urn:iso:std:iso:11073:10101 is not here": 1,
        "the code system http://hl7.org/fhir/sid/cvx is not here": 1,
        "the code system http://www.ebi.ac.uk/ipd/imgt/hla is not here": 1,
        "the code system http://nucc.org/provider-taxonomy is not here": 1,
        "the code system http://www.ncbi.nlm.nih.gov/projects/SNP is not here": 1,
        "the code system http://varnomen.hgvs.org/ is not here": 1,
        "the code system http://www.genenames.org is not here": 1,
        "the code system https://www.iana.org/time-zones is not here": 1,
        "the value set http://hl7.org/fhir/ValueSet/dicom-cid29 is not here": 1,
        "the value set http://hl7.org/fhir/ValueSet/usps-state is not here": 1,
        # infinite: told by a grammar
        "the codes of http://unitsofmeasure.org are defined by a grammar and cannot be listed": 3,
        "the codes of urn:ietf:bcp:13 are defined by a grammar and cannot be listed": 1,
        "the codes of urn:ietf:bcp:47 are defined by a grammar and cannot be listed": 1,
        "the codes of urn:iso:std:iso:3166:-2 are defined by a grammar and cannot be listed": 1,
        # an example whose filter only its author understands
        "the code system http://hl7.org/fhir/CodeSystem/example has no property or filter acme-plasma": 1,
    }
)
EMPTY = {"http://hl7.org/fhir/ValueSet/message-events", "http://terminology.hl7.org/ValueSet/v3-policyHolderRole"}
"""Their code systems are published without a concept."""

REQUIRED_WITHOUT_LIST = {
    # infinite
    "http://hl7.org/fhir/ValueSet/mimetypes|4.0.1",
    "http://hl7.org/fhir/ValueSet/ucum-units|4.0.1",
    # a LOINC answer list that is not part of the R4 package (MolecularSequence)
    "http://loinc.org/vs/LL379-9|4.0.1",
}


def official_urls(service: TerminologyService, kind: str) -> list[str]:
    return [url for url in service.library.urls(kind) if "sil-th.org" not in url and "onecard" not in url]


def test_the_service_is_what_validation_asks(official: TerminologyService) -> None:
    asked: Terminology = official
    assert asked.codes_of("http://hl7.org/fhir/ValueSet/administrative-gender") == frozenset(
        Code("http://hl7.org/fhir/administrative-gender", code) for code in ("male", "female", "other", "unknown")
    )


def test_every_code_system_is_here(official: TerminologyService) -> None:
    urls = official_urls(official, "CodeSystem")
    assert len(urls) == 1059  # 1062 resources, three of them a second version
    assert "http://hl7.org/fhir/administrative-gender" in urls
    missing = {url for url in urls if official.library.code_system(url) is None}
    assert missing == {
        "http://snomed.info/sct",  # content: not-present
        "http://hl7.org/fhir/CodeSystem/summary",  # content: not-present
        "http://hl7.org/fhir/CodeSystem/example-supplement",  # a supplement to another
    }


def test_every_value_set_expands_or_says_why_not(official: TerminologyService) -> None:
    urls = official_urls(official, "ValueSet")
    reasons: Counter[str] = Counter()
    empty = set()
    for url in urls:
        try:
            view = official.view(url)
            assert view is not None
            if sum(1 for _ in view.entries()) == 0:
                empty.add(url)
        except TerminologyError as error:
            reasons[str(error)] += 1
    assert len(urls) == 1316
    assert reasons == NOT_EXPANDABLE
    assert empty == EMPTY


def test_what_fhir_itself_defines_is_of_r4(official: TerminologyService) -> None:
    """The package that the definitions come from has content of R5 among them."""
    for kind in ("CodeSystem", "ValueSet"):
        found = [official.library.resource(kind, url) for url in official_urls(official, kind)]
        of_fhir = [each for each in found if each and each["url"].startswith("http://hl7.org/fhir/")]
        assert len(of_fhir) > 250
        assert [each["url"] for each in of_fhir if each.get("version") != "4.0.1"] == []


def test_a_value_set_of_two_versions_of_one_system(official: TerminologyService) -> None:
    old = official.expand("http://terminology.hl7.org/ValueSet/v2-2.3.1-0360")
    new = official.expand("http://terminology.hl7.org/ValueSet/v2-2.7-0360")
    assert old is not None
    assert new is not None
    assert len(old) < len(new)


def required_bindings() -> set[str]:
    definitions = Definitions()
    elements = (element for name in definitions.resource_types for element in definitions.structure(name).elements)
    bindings = (element.binding for element in elements if element.binding is not None)
    return {binding.value_set for binding in bindings if binding.strength == "required" and binding.value_set}


def test_all_required_bindings_of_resources_can_be_decided(official: TerminologyService) -> None:
    bindings = sorted(url for url in required_bindings() if url.endswith("|4.0.1"))
    assert len(bindings) > 180
    without = {url for url in bindings if official.codes_of(url) is None}
    assert without <= REQUIRED_WITHOUT_LIST
    assert all(official.codes_of(url) != frozenset() for url in bindings if url not in without)


@pytest.mark.parametrize(
    ("value_set", "system", "code", "verdict"),
    [
        ("administrative-gender", None, "male", "yes"),
        ("administrative-gender", None, "Male", "no"),
        ("administrative-gender", "http://hl7.org/fhir/administrative-gender", "female", "yes"),
        ("administrative-gender", "http://example.org/other", "female", "no"),
        ("mimetypes", None, "application/fhir+json; fhirVersion=4.0", "yes"),
        ("mimetypes", None, "nonsense", "no"),
        ("currencies", "urn:iso:std:iso:4217", "THB", "yes"),
        ("currencies", "urn:iso:std:iso:4217", "BAHT", "no"),
        ("languages", "urn:ietf:bcp:47", "de", "yes"),
        ("all-languages", "urn:ietf:bcp:47", "th-TH", "yes"),
        ("ucum-units", "http://unitsofmeasure.org", "mm[Hg]", "yes"),
        ("ucum-units", "http://unitsofmeasure.org", "mmHg", "no"),
        ("all-time-units", "http://unitsofmeasure.org", "h", "yes"),
        ("all-time-units", "http://unitsofmeasure.org", "kg", "no"),
        ("iso3166-1-2", "urn:iso:std:iso:3166", "TH", "yes"),
        ("iso3166-1-3", "urn:iso:std:iso:3166", "THA", "yes"),
        ("iso3166-1-3", "urn:iso:std:iso:3166", "TH", "no"),
        ("marital-status", "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "UNK", "yes"),
        ("condition-code", "http://snomed.info/sct", "38341003", "unknown"),
        ("condition-code", "http://example.org/other", "38341003", "no"),
        ("no-such-value-set", None, "x", "unknown"),
        ("administrative-gender|9.9", None, "male", "unknown"),
    ],
)
def test_membership(official: TerminologyService, value_set: str, system: str | None, code: str, verdict: str) -> None:
    url = f"http://hl7.org/fhir/ValueSet/{value_set}"
    assert official.validate_code(url, system, code).verdict == verdict


def test_abstract_codes_are_not_used_in_data(official: TerminologyService) -> None:
    url, system = "http://terminology.hl7.org/ValueSet/v3-ActMood", "http://terminology.hl7.org/CodeSystem/v3-ActMood"
    assert official.validate_code(url, system, "EVN").verdict == "yes"
    check = official.validate_code(url, system, "_ActMoodPredicate")
    assert check.verdict == "no"
    assert "only groups" in check.message
    codes = official.codes_of(url)
    assert codes is not None
    assert Code(system, "_ActMoodPredicate") not in codes


def test_a_display_that_is_none_of_the_names_is_told(official: TerminologyService) -> None:
    url, system = (
        "http://hl7.org/fhir/ValueSet/marital-status",
        "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus",
    )
    assert not official.validate_code(url, system, "M", display="married").display_differs
    check = official.validate_code(url, system, "M", display="Single")
    assert (check.verdict, check.display, check.display_differs) == ("yes", "Married", True)


def test_subsumption(official: TerminologyService) -> None:
    act_class = "http://terminology.hl7.org/CodeSystem/v3-ActClass"
    assert official.subsumes(act_class, "ACT", "OBS") is True
    assert official.subsumes(act_class, "OBS", "OBS") is True
    assert official.subsumes(act_class, "OBS", "ACT") is False
    assert official.subsumes(act_class, "OBS", "NOPE") is None
    assert official.subsumes("http://snomed.info/sct", "1", "2") is None


def test_a_polyhierarchy_is_read_from_the_child_property(official: TerminologyService) -> None:
    """v3-RoleCode nests each concept once and names further parents by `child`."""
    system = official.library.code_system("http://terminology.hl7.org/CodeSystem/v3-RoleCode")
    assert system is not None
    assert any(len(concept.parents) > 1 for concept in system.all())


def test_a_code_that_the_package_added_to_r4_is_not_here(official: TerminologyService) -> None:
    """https://hl7.org/fhir/R4/codesystem-questionnaire-item-control.html"""
    url, system = (
        "http://hl7.org/fhir/ValueSet/questionnaire-item-control",
        "http://hl7.org/fhir/questionnaire-item-control",
    )
    assert official.validate_code(url, system, "multi-select").verdict == "no"
    assert official.validate_code(url, system, "drop-down").verdict == "yes"
    codes = official.codes_of(url)
    assert codes is not None
    assert len(codes) == 22  # 7 of groups, 7 of texts, 8 of questions; the three above them are abstract
