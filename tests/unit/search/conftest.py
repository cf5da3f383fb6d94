"""One Search for all tests of this folder: official definitions and terminology, a fixed clock, Asia/Bangkok."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl

import pytest

from fhir_profiles.definitions import Definitions
from server.search.engine import Search
from server.search.query import Criterion
from server.search.request import SearchRequest
from terminology.service import TerminologyService

BASE = "http://localhost:8080/fhir"
NOW = 1_767_225_600_000
"""2026-01-01T00:00:00Z"""


@pytest.fixture(scope="session")
def definitions() -> Definitions:
    return Definitions()


@pytest.fixture(scope="session")
def terminology() -> TerminologyService:
    return TerminologyService()


@pytest.fixture(scope="session")
def search(definitions: Definitions, terminology: TerminologyService) -> Search:
    return Search(definitions, terminology, zone="Asia/Bangkok", base_urls=[BASE], now=lambda: NOW)


Asking = Callable[..., SearchRequest]


@pytest.fixture(scope="session")
def ask(search: Search) -> Asking:
    """`ask("Patient", "name=eve&_count=5")` -> SearchRequest."""

    def ask(resource_type: str | None, query: str, **more: object) -> SearchRequest:
        return search.compile(resource_type, parse_qsl(query, keep_blank_values=True), **more)

    return ask


@pytest.fixture(scope="session")
def criterion(ask: Asking) -> Callable[[str, str], Criterion]:
    """The only criterion of a query."""

    def criterion(resource_type: str, query: str) -> Criterion:
        (found,) = ask(resource_type, query).query.where
        return found

    return criterion


@pytest.fixture(scope="session")
def matching(search: Search, ask: Asking) -> Callable[[dict[str, object], str], bool]:
    """Whether a resource by itself matches a query: `matching(patient, "name=eve")`."""

    def matching(resource: dict[str, object], query: str) -> bool:
        kind = str(resource["resourceType"])
        return search.matches(ask(kind, query).query, str(resource.get("id", "x")), dict(resource))

    return matching
