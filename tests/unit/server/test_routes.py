"""The routes table: dispatch, and that every row is documented and labelled."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fhir_profiles.definitions import Definitions
from server.access.decide import SCOPES
from server.dispatch import Routes
from server.errors import BadRequest, MethodNotAllowed, NotFound
from server.routes import ROUTES

ROUTES_PAGE = Path(__file__).parents[3] / "docs" / "rest.md"


@pytest.fixture(scope="module")
def routes() -> Routes:
    return Routes(Definitions().resource_types, ROUTES)


@pytest.mark.parametrize(
    ("method", "path", "row"),
    [
        ("GET", "", ""),
        ("POST", "", ""),
        ("GET", "metadata", "metadata"),
        ("GET", "_history", "_history"),
        ("POST", "_search", "_search"),
        ("GET", "Patient", "[type]"),
        ("GET", "Patient/1", "[type]/[id]"),
        ("HEAD", "Patient/1", "[type]/[id]"),
        ("GET", "Patient/_history", "[type]/_history"),
        ("GET", "Patient/1/_history", "[type]/[id]/_history"),
        ("GET", "Patient/1/_history/2", "[type]/[id]/_history/[vid]"),
        ("GET", "Patient/1/_history/2/$meta", "[type]/[id]/_history/[vid]/$meta"),
        ("POST", "Patient/_search", "[type]/_search"),
        ("GET", "Patient/1/Observation", "[type]/[id]/[other]"),
        ("POST", "Patient/1/Observation/_search", "[type]/[id]/[other]/_search"),
        ("GET", "Patient/1/*", "[type]/[id]/*"),
        ("GET", "Patient/1/$everything", "Patient/[id]/$everything"),
        ("POST", "Patient/$validate", "[type]/$validate"),
        ("GET", "Patient/metadata", "[type]/[id]"),
    ],
)
def test_a_path_finds_its_row(routes: Routes, method: str, path: str, row: str) -> None:
    assert routes.find(method, tuple(path.split("/")) if path else ()).path == row


@pytest.mark.parametrize(
    "path",
    [
        "Nothing",
        "Nothing/1",
        "patient/1",
        "Patient/1/Nothing",
        "Patient/1/_history/2/x",
        "Patient/1/Observation/2",
        "Patient/1/$nothing",
        "Observation/1/$everything",
        "$nothing",
        "$async-status",
        "_nothing",
        "Patient/_nothing",
        "metadata/x",
        "Patient/1/_history/2/$everything",
    ],
)
def test_a_path_without_a_row_is_not_found(routes: Routes, path: str) -> None:
    with pytest.raises(NotFound):
        routes.find("GET", path.split("/"))


def test_what_is_meant_is_suggested(routes: Routes) -> None:
    with pytest.raises(NotFound, match="did you mean Observation"):
        routes.find("GET", ("Observations",))
    with pytest.raises(NotFound, match=r"did you mean \$everything"):
        routes.find("GET", ("Patient", "1", "$evrything"))


def test_an_operation_of_another_level_is_not_suggested_for_itself(routes: Routes) -> None:
    with pytest.raises(NotFound, match=r"not known at this level$"):
        routes.find("POST", ("Patient", "$lastn"))


def test_another_method_is_not_allowed_and_the_allowed_ones_are_told(routes: Routes) -> None:
    with pytest.raises(MethodNotAllowed) as refusal:
        routes.find("DELETE", ("metadata",))
    assert refusal.value.headers == {"Allow": "GET, HEAD"}


@pytest.mark.parametrize("name", ["a_b", "a b", "", "x" * 65, "ก", "a/b"])
def test_what_is_no_id_is_a_bad_request(routes: Routes, name: str) -> None:
    with pytest.raises(BadRequest):
        routes.find("GET", ("Patient", name))


def test_no_two_rows_answer_the_same() -> None:
    assert len({(row.method, row.path) for row in ROUTES}) == len(ROUTES)


def test_every_scope_is_one_that_the_access_decision_knows() -> None:
    assert {row.scope for row in ROUTES} <= set(SCOPES)


def test_what_writes_needs_the_scope_of_writing() -> None:
    for row in ROUTES:
        if row.interaction in ("create", "update", "patch", "delete"):
            assert row.scope == "w", row.path


def test_labels_are_few_and_name_nothing_of_a_request() -> None:
    labels = {row.label for row in ROUTES}
    assert all(re.fullmatch(r"[a-z$\-]+", label) for label in labels)
    assert len(labels) < 50


def test_every_row_is_in_the_docs() -> None:
    text = ROUTES_PAGE.read_text("utf-8")
    for row in ROUTES:
        assert f"| {row.method} | `{row.path or '/'}` | {row.doc} |" in text, f"{row.method} {row.path} is missing"
