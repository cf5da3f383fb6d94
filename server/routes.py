"""The ONE table of what OneCard answers: dispatch, access, metrics, the CapabilityStatement and the docs read it.

A row is one interaction or operation at one path, written as in https://hl7.org/fhir/R4/http.html#summary.
`Routes.find` is the hot path: two dictionary look-ups and a syntax check of the id, no regular expressions.
"""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from server.context import Context
from server.errors import BadRequest, MethodNotAllowed, NotFound
from server.interactions import batch, capabilities, create, delete, history, patch, read, search, update, vread
from server.logical_id import is_id
from server.messages import FhirRequest, FhirResponse
from server.operations import (
    async_status,
    closure,
    everything,
    lastn,
    meta,
    reindex_status,
    terminology,
    validate,
)

Handler = Callable[[Context, FhirRequest], Awaitable[FhirResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    """GET POST PUT PATCH DELETE; a GET row answers HEAD too."""
    path: str
    """Below the FHIR base: "[type]/[id]/_history/[vid]"; a resource type written out holds for that type only."""
    handler: Handler
    interaction: str
    """Code of https://hl7.org/fhir/R4/valueset-restful-interaction.html, "operation", or "" where FHIR has none."""
    scope: str
    """What the row needs: "r" read, "w" write, "s" search, "" nothing (entries of a bundle are decided on)."""
    doc: str
    """One line for the docs."""
    operation: str | None = None
    """Code of the OperationDefinition, without `$`."""

    @property
    def label(self) -> str:
        """For metrics and logs: few values, nothing of a person."""
        return f"${self.operation}" if self.operation else self.interaction or self.path


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

_LITERALS = frozenset({"metadata", "_history", "_search"})


class Routes:
    """The table made ready for dispatch, for these resource types."""

    def __init__(self, resource_types: Collection[str], rows: Sequence[Route] = ROUTES) -> None:
        self.rows = tuple(rows)
        self._types = frozenset(resource_types)
        self._by_shape: dict[tuple[str, ...], dict[str, Route]] = {}
        for row in rows:
            shape = tuple(row.path.split("/")) if row.path else ()
            methods = self._by_shape.setdefault(shape, {})
            methods[row.method] = row
            if row.method == "GET":
                methods["HEAD"] = row

    def find(self, method: str, segments: Sequence[str]) -> Route:
        """The row for percent-decoded path segments below the base.

        Raises: NotFound (no such type or path), MethodNotAllowed (with Allow), BadRequest (not an id).
        """
        shape = self._shape(segments)
        methods = self._by_shape.get(shape)
        if shape and shape[-1][:1] == "$":
            methods = self._by_shape.get((segments[0], *shape[1:]), methods)
        if methods is None:
            raise NotFound(self._unknown(segments))
        row = methods.get(method)
        if row is None:
            allowed = ", ".join(sorted(methods))
            raise MethodNotAllowed(f"{method} is not answered here, only {allowed}", headers={"Allow": allowed})
        return row

    def _shape(self, segments: Sequence[str]) -> tuple[str, ...]:
        if not segments:
            return ()
        first = segments[0]
        if first not in self._types:
            if first[:1] == "$" and len(segments) == 2:
                return (first, "[id]")
            if first in _LITERALS or first[:1] == "$":
                return tuple(segments)
            raise NotFound(self._unknown_type(first))
        if len(segments) == 1:
            return ("[type]",)
        second = segments[1]
        if second[:1] in ("_", "$"):
            return ("[type]", *segments[1:])
        if not is_id(second):
            raise BadRequest("An id has 1 to 64 characters of A-Z a-z 0-9 - and .", code="value")
        if len(segments) == 2:
            return ("[type]", "[id]")
        third = segments[2]
        rest = tuple(segments[3:])
        if third == "_history":
            return ("[type]", "[id]", "_history", *(("[vid]", *rest[1:]) if rest else ()))
        if third in self._types:
            return ("[type]", "[id]", "[other]", *rest)
        if third[:1] not in ("_", "$", "*"):
            raise NotFound(self._unknown_type(third))
        return ("[type]", "[id]", third, *rest)

    def _unknown_type(self, name: str) -> str:
        near = difflib.get_close_matches(name[:64], self._types, 1, 0.6)
        meant = f"; did you mean {near[0]}?" if near else ""
        return f"{name[:40]!r} is not a resource type of FHIR R4{meant}"

    def _unknown(self, segments: Sequence[str]) -> str:
        last = segments[-1] if segments else ""
        if last[:1] == "$":
            codes = {row.operation for row in self.rows if row.operation}
            near = difflib.get_close_matches(last[1:64], codes, 1, 0.6)
            meant = f"; did you mean ${near[0]}?" if near else ""
            return f"Operation {last[:40]!r} is not known at this level{meant}"
        return "Nothing is answered at this path: see https://hl7.org/fhir/R4/http.html#summary"
