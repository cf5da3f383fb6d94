"""`Search`: all of search that is not storage, in one object for the Context.

    search = Search(definitions, terminology, zone="Asia/Bangkok")
    search.parameters                                  SearchParameters (registry.py): of, find, nearest, add, remove
    search.extract("Patient", resource)                Index: `{code: values}`; bytes of a stored resource too
    search.text("Patient", resource)                   (folded narrative, folded content)
    search.compile("Patient", pairs, base=..., ...)    SearchRequest (request.py); `.query` goes to the store
    search.criteria("Patient", pairs, base)            Query of conditional interactions: criteria only
    search.matches(query, id, resource)                whether a resource that is not stored (yet) matches
    search.contained(request, resource)                contained resources that match, for `_contained`
    search.matches_itself(request, resource)           whether a container is a match, too (`_contained=both`)
    search.cursor(request, principal, after=position)  text for `_cursor`; before=() is the last page
    search.resume(text, principal, path)               SearchRequest of a cursor, its query paged
    search.cursors                                     Cursors (cursor.py) for others' cursors, as of history
    search.rules                                       SearchRules (store/contract.py) for the engines

Everything is pure but for the clock that is given; nothing awaits.   https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from fhir_profiles.definitions import Definitions
from fhir_profiles.json_reading import read_json
from fhir_profiles.terminology_protocol import Terminology
from server.clock import now_ms
from server.errors import BadRequest
from server.search import truth
from server.search.compile import SHAPING, Compartment, compile_search
from server.search.criteria import Criteria
from server.search.cursor import Cursors
from server.search.extract import Extractor
from server.search.lasting import Compiled, is_lasting
from server.search.parse import Limits
from server.search.query import Criterion, Parameter, Position, Query
from server.search.registry import SearchParameters
from server.search.request import SearchRequest
from server.search.texts import texts
from server.search.types.written import Setting
from server.search.values import Index

DEPTH = 200
"""Nesting of stored resources that are read again."""


class Search:
    """One per process."""

    def __init__(
        self,
        definitions: Definitions,
        terminology: Terminology,
        *,
        zone: str | tzinfo = "Asia/Bangkok",
        base_urls: Sequence[str] = (),
        limits: Limits | None = None,
        now: Callable[[], int] = now_ms,
    ) -> None:
        """zone: of dates without one. base_urls: absolute references below them are local. now: milliseconds UTC."""
        self.parameters = SearchParameters(definitions, _system_of(terminology))
        self.limits = limits or Limits()
        self.cursors = Cursors()
        self._terminology = terminology
        self._now = now
        zone = ZoneInfo(zone) if isinstance(zone, str) else zone
        self._setting = Setting(zone, tuple(base.rstrip("/") for base in base_urls))
        self._compiled = Compiled()
        self._extractor = Extractor(self.parameters, self._setting)

    @property
    def rules(self) -> Search:
        """This object as the SearchRules that engines call back."""
        return self

    # --- what a resource holds ----------------------------------------------------------------------------------

    def extract(self, resource_type: str, resource: dict[str, Any] | bytes) -> Index:
        """Index values of a resource, read (`fhir_profiles.json_reading`) or as stored bytes."""
        if isinstance(resource, bytes):
            resource = read_json(resource, max_depth=DEPTH)
        return self._extractor.extract(resource_type, resource)

    def text(self, resource_type: str, resource: dict[str, Any]) -> tuple[str, str]:
        """Folded narrative and folded content, for `_text` and `_content`."""
        return texts(resource)

    def parameter(self, resource_type: str, code: str) -> Parameter | None:
        """server.store.contract.SearchRules.parameter"""
        registered = self.parameters.find(resource_type, code)
        return None if registered is None else registered.parameter

    def holds(self, criterion: Criterion, resource_type: str, index: Index) -> bool:
        """server.store.contract.SearchRules.holds: truth of a Match or Missing."""
        return truth.holds(criterion, index)

    # --- what a request asks ------------------------------------------------------------------------------------

    def _criteria(self, base: str | None, now: int) -> Criteria:
        setting = self._setting
        if base is not None and base not in setting.bases:
            setting = Setting(setting.zone, (*setting.bases, base.rstrip("/")))
        return Criteria(self.parameters, self._terminology, setting, now * 1000, self.limits)

    def compile(
        self,
        resource_type: str | None,
        pairs: Iterable[tuple[str, str]],
        *,
        base: str | None = None,
        compartment: tuple[str, str] | None = None,
        lenient: bool = False,
    ) -> SearchRequest:
        """What a search asks for.

        resource_type: None for all types, or all in the compartment. pairs: decoded parameters in order. base: FHIR
        base URL of the request. compartment: Type and id, as in `Patient/1/Observation`. lenient: unknown parameters
        are dropped and named in `.ignored`.
        The same request is given again while all that it asks means the same (lasting.py).
        Raises: BadRequest naming the parameter.
        """
        pairs = list(pairs)
        key = (resource_type, *pairs, base, compartment, lenient)
        found = self._compiled.get(key, self.parameters.generation)
        if found is None:
            found = self._compile(resource_type, pairs, base, compartment, lenient, self._now())
            if is_lasting(pairs):
                self._compiled.keep(key, found)
        return found

    def _compile(
        self,
        resource_type: str | None,
        pairs: list[tuple[str, str]],
        base: str | None,
        compartment: tuple[str, str] | None,
        lenient: bool,
        now: int,
    ) -> SearchRequest:
        within = None if compartment is None else Compartment(*compartment)
        criteria = self._criteria(base, now)
        return compile_search(criteria, resource_type, pairs, base=base, compartment=within, lenient=lenient)

    def criteria(self, resource_type: str, pairs: Iterable[tuple[str, str]], base: str | None = None) -> Query:
        """Query of a conditional interaction. Raises: BadRequest, also for parameters that are no criteria, or none."""
        request = self.compile(resource_type, pairs, base=base)
        shaping = [name for name, _ in request.used if name.partition(":")[0] in SHAPING]
        if shaping:
            raise BadRequest(f"{shaping[0]}: this is no criterion", expression=shaping[0])
        if request.by_url:
            raise BadRequest(
                "Conditional interactions take no chains through canonical references", code="not-supported"
            )
        if not request.query.where:
            raise BadRequest("Conditional interactions need search parameters as criteria", code="required")
        return request.query

    def matches(self, query: Query, id: str, resource: dict[str, Any], index: Index | None = None) -> bool:
        """Whether a resource that is not stored (yet) fulfils the criteria that look at nothing but itself.
        index: its index values, if they are known. Raises: BadRequest for chains, `_has` and lists."""
        if index is None:
            index = self.extract(resource["resourceType"], resource)
        return truth.matches_alone(query, id, resource, index)

    def contained(self, request: SearchRequest, resource: dict[str, Any]) -> list[dict[str, Any]]:
        """Contained resources of a container that the query found, which match by themselves."""
        return truth.contained_matches(request.within_types, request.within_where, resource, self.extract)

    def matches_itself(self, request: SearchRequest, resource: dict[str, Any]) -> bool:
        """Whether a container that the query found matches by itself: with `_contained=both`."""
        return request.contained == "both" and truth.matches_itself(
            request.within_types, request.within_where, resource, self.extract
        )

    # --- pages --------------------------------------------------------------------------------------------------

    def cursor(
        self,
        request: SearchRequest,
        principal: str,
        *,
        after: Position | None = None,
        before: Position | None = None,
    ) -> str:
        """Text for `?_cursor=`: the page behind or ahead of a position."""
        payload = [
            request.resource_type,
            request.compartment,
            request.used,
            request.compiled_at,
            request.seen_to,
            after,
            before,
        ]
        return self.cursors.seal(payload, principal)

    def resume(self, text: str, principal: str, *, base: str | None = None) -> SearchRequest:
        """The search of a cursor, its query paged. It is compiled from its parameters again, as of its first page.
        Raises: BadRequest."""
        try:
            resource_type, compartment, used, now, seen_to, after, before = self.cursors.open(text, principal)
        except (TypeError, ValueError):
            raise BadRequest("_cursor: this is no page of a search", code="value") from None
        pairs = [(name, value) for name, value in used]
        request = self._compile(resource_type, pairs, base, compartment and tuple(compartment), False, now)
        page = request.query.page(
            after=None if after is None else tuple(after), before=None if before is None else tuple(before)
        )
        return replace(request, query=page, seen_to=seen_to)


def _system_of(terminology: Terminology) -> Callable[[str], str | None]:
    """The only code system of a value set."""
    known: dict[str, str | None] = {}

    def system_of(value_set: str) -> str | None:
        if value_set not in known:
            codes = terminology.codes_of(value_set)
            systems = {code.system for code in codes or ()}
            known[value_set] = systems.pop() if len(systems) == 1 else None
        return known[value_set]

    return system_of
