"""The one access decision: may this principal use this route?

Every request and every entry of a batch or transaction comes through here before its handler runs. SMART on FHIR will
decide at this very place: a route's `scope` says what it needs, the request names the type.
https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html#scopes-for-requesting-fhir-resources
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from server.access.principal import Principal
from server.errors import Forbidden, Unauthorized
from server.messages import FhirRequest

PUBLIC = frozenset({"capabilities"})
"""Interactions that need no token."""

# Scope of a route -> whether a read-only token reaches it. A row that is missing here is a bug and fails closed.
SCOPES: Mapping[str, bool] = {
    "r": True,  # read, vread, history, operations that change nothing
    "s": True,  # search
    "w": False,  # create, update, patch, delete, operations that change something
    "": True,  # does nothing by itself: each entry of a bundle is decided on, a job belongs to who sent it
}

ANONYMOUS = Principal("anonymous", read_only=True)
"""Who sends a request without a valid token."""

OPEN = Principal("open")
"""Everyone, in open mode."""

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="onecard"'}


class Scoped(Protocol):
    """The part of a row of the routes table that the decision reads."""

    @property
    def scope(self) -> str: ...

    @property
    def interaction(self) -> str: ...


def decide(principal: Principal, route: Scoped | None, request: FhirRequest) -> None:
    """route None: no row fits; who sends no token is not told even that.

    Raises: Unauthorized (no valid token), Forbidden (the token does not reach that far).
    """
    if principal is ANONYMOUS:
        if route is None or route.interaction not in PUBLIC:
            raise Unauthorized("A bearer token is needed: 'Authorization: Bearer ...'.", headers=CHALLENGE)
    elif principal.read_only and route is not None and not SCOPES[route.scope]:
        raise Forbidden(f"The token {principal.name!r} is read-only; {request.method} is not allowed with it.")
