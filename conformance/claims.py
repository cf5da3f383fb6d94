"""What OneCard claims of FHIR R4, section by section, and what it does not: the source of docs/conformance.md.

A claim is the name of a test that shows it: tests are named with sentences of the specification, so the page is made of
them and cannot promise what nothing shows. What is not supported has no test and is written here, by hand.
"""

from __future__ import annotations

from dataclasses import dataclass

R4 = "https://hl7.org/fhir/R4/"


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    urls: tuple[str, ...]
    """Below R4, with anchors."""
    tests: tuple[str, ...]
    """Test files below tests/."""
    gaps: tuple[str, ...] = ()
    """What of the section is not supported, or is done in a way that a reader might not expect."""


SECTIONS: tuple[Section, ...] = (
    Section(
        "read, vread, conditional read, HEAD, _summary and _elements on reads",
        ("http.html#read", "http.html#vread", "http.html#cread", "http.html#versioning"),
        ("spec/http/test_read.py",),
        ("XML on the wire: asked for, it is 406; XML is read by the official suites in the tests only.",),
    ),
    Section(
        "create, conditional create",
        ("http.html#create", "http.html#ccreate", "http.html#ops"),
        ("spec/http/test_create.py",),
    ),
    Section(
        "update, update as create, conditional update, managing contention",
        ("http.html#update", "http.html#upsert", "http.html#cond-update", "http.html#concurrency"),
        ("spec/http/test_update.py",),
    ),
    Section(
        "patch: JSON Patch, FHIRPath Patch, merge patch; conditional patch",
        ("http.html#patch", "fhirpatch.html"),
        ("spec/http/test_patch.py", "official/test_patch_suites.py"),
        ("XML Patch.",),
    ),
    Section("delete, conditional delete", ("http.html#delete",), ("spec/http/test_delete.py",)),
    Section(
        "history of instance, type and system",
        ("http.html#history",),
        ("spec/http/test_history.py",),
        ("`_list` is 400.",),
    ),
    Section("batch", ("http.html#brules",), ("spec/http/test_batch.py",)),
    Section(
        "transaction",
        ("http.html#transaction", "http.html#trules", "bundle.html#references"),
        ("spec/http/test_transaction.py", "spec/http/test_transaction_links.py"),
    ),
    Section("Binary: raw content", ("binary.html#rest",), ("spec/http/test_binary.py",)),
    Section(
        "capabilities",
        ("http.html#capabilities", "capabilitystatement.html"),
        ("spec/http/test_capabilities.py",),
    ),
    Section("asynchronous requests", ("async.html",), ("spec/http/test_async.py",)),
    Section(
        "JSON representation, decimals", ("json.html",), ("spec/http/test_examples.py", "official/test_examples.py")
    ),
    Section(
        "search: parameter types, modifiers, prefixes, escapes",
        ("search.html#ptypes", "search.html#modifiers", "search.html#prefix", "search.html#escaping"),
        ("spec/search/test_parameter_types.py",),
        (
            "Codes are compared as written, also in systems with caseSensitive false.",
            "A code without its system under `:above` or `:below` works where the element implies the system.",
        ),
    ),
    Section(
        "search: chains, `_has`, includes, compartments",
        ("search.html#chaining", "search.html#has", "search.html#include", "compartmentdefinition.html"),
        ("spec/search/test_chains_and_includes.py",),
        ("No chains through canonical references in criteria of conditional interactions and in `_sort` (400).",),
    ),
    Section(
        "search: results, sorting, paging, totals, summaries, all other result parameters",
        ("search.html#return", "search.html#sort", "search.html#count", "search.html#total", "search_filter.html"),
        ("spec/search/test_results.py",),
        ("`_list=$current-*`, `_query` and `_sort=_score` are 400.",),
    ),
    Section(
        "search: custom SearchParameter resources",
        ("searchparameter.html",),
        ("spec/search/test_custom_parameters.py",),
    ),
    Section(
        "engines answer as the definition of search says (property test)",
        ("search.html",),
        ("contract/test_search_is_truth.py",),
    ),
    Section(
        "validation, $validate",
        ("validation.html", "resource-operation-validate.html", "conformance-rules.html"),
        ("spec/validation/test_validate.py", "spec/validation/test_thai_profiles.py"),
        (
            "Extensible and preferred bindings and best-practice rules give warnings in $validate only.",
            "aggregation and versioning of references in profiles are not checked.",
        ),
    ),
    Section(
        "FHIRPath",
        ("fhirpath.html",),
        ("official/test_fhirpath_suite.py", "official/test_fhirpath_oracle.py"),
        ("Functions that came after the official R4 suite: `defineVariable`, `coalesce`, `sum`.",),
    ),
    Section(
        "$everything",
        ("patient-operation-everything.html", "encounter-operation-everything.html"),
        ("spec/operations/test_everything.py",),
    ),
    Section(
        "$meta, $meta-add, $meta-delete, $lastn",
        ("resource-operation-meta.html", "observation-operation-lastn.html"),
        ("spec/operations/test_meta_and_lastn.py",),
    ),
    Section(
        "Patient/$merge, of R5",
        ("patient.html#links",),
        ("spec/operations/test_merge.py",),
        ("`preview` and `result-patient`; Patients without registrations of hospitals are refused.",),
    ),
    Section(
        "terminology service",
        ("terminology-service.html",),
        ("spec/operations/test_terminology.py", "spec/operations/test_terminology_levels.py"),
        ("`$expand` by `context`; SNOMED CT's own release format (docs/terminology.md).",),
    ),
    Section("who may do what", ("security.html",), ("spec/http/test_access.py",), ("SMART on FHIR: not yet.",)),
    Section("bad input is answered, never crashed on", ("http.html#Status-Codes",), ("spec/test_bad_input.py",)),
    Section(
        "the store: nothing acknowledged is lost, nothing is half done",
        ("http.html#transaction-integrity",),
        ("contract/test_commit.py", "contract/test_conditions.py", "contract/test_history.py"),
    ),
    Section(
        "client libraries at their ordinary work",
        ("http.html",),
        ("clients/test_python_clients.py", "clients/test_fhir_kit_client.py"),
        ("fhirpy's `count()` sends a parameter of its own and needs `Prefer: handling=lenient`.",),
    ),
)

NOT_SUPPORTED: tuple[tuple[str, str], ...] = (
    ("XML and Turtle on the wire", "xml.html"),
    ("GraphQL", "graphql.html"),
    ("Subscriptions", "subscription.html"),
    ("Messaging and $process-message", "messaging.html"),
    ("Bulk data $export and $import", "async.html"),
    (
        "Operations $document, $match, $apply, $convert, $graph, $diff and others not named above",
        "operations.html",
    ),
)
"""Whole chapters without support: (what, page below R4)."""
