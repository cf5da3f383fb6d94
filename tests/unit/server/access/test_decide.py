"""Who may use which row of the routes table."""

from __future__ import annotations

import pytest

from server.access.decide import ANONYMOUS, OPEN, SCOPES, decide
from server.access.principal import Principal
from server.dispatch import Route
from server.errors import Forbidden, Unauthorized
from server.messages import FhirRequest
from server.routes import ROUTES

CHANGING = {"meta-add", "meta-delete", "closure", "merge"}
"""Operations that store something; the official definitions say affectsState of none of these."""


def asked(route: Route | None, principal: Principal) -> type[Exception] | None:
    request = FhirRequest(route.method if route else "GET", (), [], {}, "http://localhost/fhir", principal)
    try:
        decide(principal, route, request)
    except (Unauthorized, Forbidden) as error:
        return type(error)
    return None


def test_every_row_names_a_scope_that_is_known() -> None:
    assert {route.scope for route in ROUTES} <= set(SCOPES)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_without_a_token_only_the_capabilities_are_told(route: Route) -> None:
    assert asked(route, ANONYMOUS) is (None if route.path == "metadata" else Unauthorized)


def test_without_a_token_not_even_unknown_paths_are_told() -> None:
    assert asked(None, ANONYMOUS) is Unauthorized
    assert asked(None, OPEN) is None


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_a_read_only_token_changes_nothing(route: Route) -> None:
    # A job is its owner's: who sent a request may also forget it.
    own = route.path.startswith("$async-status")
    changes = route.method in ("PUT", "PATCH", "DELETE") or route.interaction == "create" or route.operation in CHANGING
    expected = Forbidden if changes and not own else None
    assert asked(route, Principal("reader", read_only=True)) is expected
    assert asked(route, Principal("writer")) is None


def test_the_challenge_names_the_scheme() -> None:
    with pytest.raises(Unauthorized) as refused:
        decide(ANONYMOUS, None, FhirRequest("GET", (), [], {}, "", ANONYMOUS))
    assert refused.value.headers["WWW-Authenticate"].startswith("Bearer ")
