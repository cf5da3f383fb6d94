"""The ONE table of what OneCard answers: dispatch, access, metrics, the CapabilityStatement and the docs read it.

A row is one interaction or operation at one path, written as in https://hl7.org/fhir/R4/http.html#summary.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from server.dispatch import Route
from server.interactions import batch, capabilities, create, delete, history, patch, read, search, update, vread
from server.operations import (
    async_status,
    closure,
    everything,
    lastn,
    merge,
    meta,
    reindex_status,
    terminology,
    validate,
)

if TYPE_CHECKING:
    from server.dispatch import Handler


def _operation(
    code: str, handler: Handler, doc: str, *paths: str, scope: str = "r", methods: str = "GET POST"
) -> Iterable[Route]:
    for path in paths:
        for method in methods.split():
            where = f"{path}/${code}" if path else f"${code}"
            yield Route(method, where, handler, "operation", scope, doc, code)


ROUTES: tuple[Route, ...] = (
    Route("GET", "metadata", capabilities.capabilities, "capabilities", "", "What this server can do"),
    Route("GET", "[type]/[id]", read.read, "read", "r", "Current version of a resource"),
    Route("GET", "[type]/[id]/_history/[vid]", vread.vread, "vread", "r", "One version of a resource"),
    Route("POST", "[type]", create.create, "create", "w", "New resource; If-None-Exist makes it conditional"),
    Route("PUT", "[type]/[id]", update.update, "update", "w", "New version of a resource, made if it is absent"),
    Route("PUT", "[type]", update.conditional_update, "update", "w", "New version of the one that matches, else new"),
    Route("PATCH", "[type]/[id]", patch.patch, "patch", "w", "Changes to a resource: JSON, merge or FHIRPath Patch"),
    Route("PATCH", "[type]", patch.conditional_patch, "patch", "w", "Changes to the one resource that matches"),
    Route("DELETE", "[type]/[id]", delete.delete, "delete", "w", "Delete a resource; its history stays"),
    Route("DELETE", "[type]", delete.conditional_delete, "delete", "w", "Delete the resources that match"),
    Route("GET", "[type]/[id]/_history", history.history, "history-instance", "r", "Versions of a resource"),
    Route("GET", "[type]/_history", history.history, "history-type", "r", "Versions of all resources of a type"),
    Route("GET", "_history", history.history, "history-system", "r", "Versions of all resources"),
    Route("GET", "[type]", search.search, "search-type", "s", "Search resources of a type"),
    Route("POST", "[type]/_search", search.search, "search-type", "s", "Search, parameters in a form"),
    Route("GET", "", search.search, "search-system", "s", "Search resources of all types, or of `_type`"),
    Route("POST", "_search", search.search, "search-system", "s", "Search all types, parameters in a form"),
    Route("GET", "[type]/[id]/[other]", search.search, "search-type", "s", "Search a type within a compartment"),
    Route("POST", "[type]/[id]/[other]/_search", search.search, "search-type", "s", "The same, parameters in a form"),
    Route("GET", "[type]/[id]/*", search.search, "search-system", "s", "Search all types within a compartment"),
    Route("POST", "[type]/[id]/*/_search", search.search, "search-system", "s", "The same, parameters in a form"),
    Route("POST", "", batch.bundle, "transaction", "", "Process a batch or transaction Bundle"),
    *_operation(
        "validate",
        validate.validate,
        "Check a resource without storing it",
        "",
        "[type]",
        "[type]/[id]",
        methods="POST",
    ),
    *_operation("validate", validate.validate, "Check the stored resource", "[type]/[id]", methods="GET"),
    *_operation("meta", meta.meta, "Profiles, tags and security labels in use", "", "[type]", "[type]/[id]"),
    *_operation("meta", meta.meta, "Profiles, tags and security labels of a version", "[type]/[id]/_history/[vid]"),
    *_operation(
        "meta-add",
        meta.meta_add,
        "Add profiles, tags, security labels; makes no new version",
        "[type]/[id]",
        "[type]/[id]/_history/[vid]",
        scope="w",
        methods="POST",
    ),
    *_operation(
        "meta-delete",
        meta.meta_delete,
        "Remove profiles, tags, labels; makes no new version",
        "[type]/[id]",
        "[type]/[id]/_history/[vid]",
        scope="w",
        methods="POST",
    ),
    *_operation(
        "everything", everything.everything, "All that belongs to a patient", "Patient", "Patient/[id]", scope="s"
    ),
    *_operation("everything", everything.everything, "All that belongs to an encounter", "Encounter/[id]", scope="s"),
    *_operation("merge", merge.merge, "Two patients are one person", "Patient", scope="w", methods="POST"),
    *_operation("lastn", lastn.lastn, "The newest observations of each code", "Observation", scope="s"),
    *_operation("expand", terminology.expand, "Codes of a value set", "ValueSet", "ValueSet/[id]"),
    *_operation(
        "validate-code",
        terminology.validate_code,
        "Whether a code is in a value set or code system",
        "ValueSet",
        "ValueSet/[id]",
        "CodeSystem",
        "CodeSystem/[id]",
    ),
    *_operation("lookup", terminology.lookup, "What is known of a code", "CodeSystem", "CodeSystem/[id]"),
    *_operation("subsumes", terminology.subsumes, "How two codes relate", "CodeSystem", "CodeSystem/[id]"),
    *_operation("translate", terminology.translate, "A code in another system", "ConceptMap", "ConceptMap/[id]"),
    *_operation("closure", closure.closure, "Keep a table of subsumption", "", scope="w", methods="POST"),
    Route(
        "GET",
        "$async-status/[id]",
        async_status.status,
        "async-status",
        "",
        "Progress or result of a respond-async request",
    ),
    Route(
        "DELETE",
        "$async-status/[id]",
        async_status.cancel,
        "async-status",
        "",
        "Cancel or forget a respond-async request",
    ),
    Route("GET", "$reindex-status", reindex_status.status, "", "r", "Progress of indexing new search parameters"),
)
