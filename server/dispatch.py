"""From method and path to the row of the routes table that answers.   https://hl7.org/fhir/R4/http.html#summary

`Routes.find` is the hot path: two dictionary look-ups and a syntax check of the id, no regular expressions.
"""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from server.errors import BadRequest, MethodNotAllowed, NotFound
from server.logical_id import is_id

if TYPE_CHECKING:
    from server.context import Context
    from server.messages import FhirRequest, FhirResponse

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


_LITERALS = frozenset({"metadata", "_history", "_search"})


class Routes:
    """A table made ready for dispatch, for these resource types."""

    def __init__(self, resource_types: Collection[str], rows: Sequence[Route]) -> None:
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
            meant = f"; did you mean ${near[0]}?" if near and near[0] != last[1:] else ""
            return f"Operation {last[:40]!r} is not known at this level{meant}"
        return "Nothing is answered at this path: see https://hl7.org/fhir/R4/http.html#summary"
