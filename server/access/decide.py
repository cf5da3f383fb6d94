"""The one access decision: may this principal use this route?

Every request and every entry of a batch or transaction comes through here before its handler runs. SMART on FHIR will
decide at this very place: a route's `scope` is the letter of SMART v2 that it needs, and the request names the type.
https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html#scopes-for-requesting-fhir-resources
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from server.access.principal import Principal
from server.errors import Forbidden, Unauthorized
from server.messages import FhirRequest

PUBLIC = ""
"""Scope of routes that anyone may use: /metadata."""

# What a scope letter lets its bearer do. Read-only tokens have what changes nothing.
SCOPES: Mapping[str, bool] = {
    "c": False,  # create
    "r": True,  # read, vread, instance history
    "u": False,  # update, patch
    "d": False,  # delete
    "s": True,  # search, type and system history, operations that change nothing
    "b": True,  # batch and transaction: the bundle itself does nothing, each entry is decided on
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


def decide(principal: Principal, route: Scoped, request: FhirRequest) -> None:
    """Raises: Unauthorized (no valid token), Forbidden (the token does not reach that far)."""
    scope = route.scope
    if scope == PUBLIC:
        return
    if principal is ANONYMOUS:
        raise Unauthorized("A bearer token is needed: 'Authorization: Bearer ...'.", headers=CHALLENGE)
    if principal.read_only and not SCOPES[scope]:
        raise Forbidden(f"The token {principal.name!r} is read-only; {request.method} is not allowed with it.")
