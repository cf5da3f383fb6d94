"""What this server can do, derived from the routes, the definitions and the search parameters.

https://hl7.org/fhir/R4/http.html#capabilities https://hl7.org/fhir/R4/capabilitystatement.html
"""

from __future__ import annotations

import asyncio
import importlib.metadata
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from fhir_profiles.json_reading import write_json
from server.context import Context
from server.errors import BadRequest
from server.messages import FhirRequest, FhirResponse
from server.search.registry import Registered
from server.store.contract import instant
from server.warming import every_parameter
from server.wire.media import FHIR_JSON

if TYPE_CHECKING:
    from server.dispatch import Route

MODES = ("full", "normative", "terminology")
PATCH_FORMATS = ["application/json-patch+json", "application/merge-patch+json", FHIR_JSON]

# https://hl7.org/fhir/R4/versions.html#std-process: resources whose content is normative in R4.
NORMATIVE = frozenset(
    {
        "Binary",
        "Bundle",
        "CapabilityStatement",
        "CodeSystem",
        "Observation",
        "OperationDefinition",
        "OperationOutcome",
        "Parameters",
        "Patient",
        "StructureDefinition",
        "ValueSet",
    }
)

_TYPE_LEVEL = (
    "read",
    "vread",
    "update",
    "patch",
    "delete",
    "history-instance",
    "history-type",
    "create",
    "search-type",
)
_SYSTEM_LEVEL = ("transaction", "batch", "search-system", "history-system")
CORE = "http://hl7.org/fhir/StructureDefinition/"


async def capabilities(ctx: Context, request: FhirRequest) -> FhirResponse:
    """200 with a CapabilityStatement, or TerminologyCapabilities for `mode=terminology`. Raises: BadRequest."""
    mode = next((value for name, value in request.query if name == "mode"), "full")
    if mode not in MODES:
        raise BadRequest(f"mode must be one of {', '.join(MODES)}", code="value", expression="mode")
    # Made once for each address of the server and each set of search parameters and profiles: some hundred kilobytes.
    key = (request.base, mode, ctx.search.parameters.generation, ctx.definitions.generation)
    body = ctx.statements.get(key) or await _made(ctx, key)
    return FhirResponse(200, body=body)


async def _made(ctx: Context, key: tuple[str, str, int, int]) -> bytes:
    """The statement, made in steps between which others have their turn, by the first of those who wait for it."""
    base, mode, *_ = key
    turn = ctx.turns.get("metadata")
    if turn is None:
        turn = ctx.turns["metadata"] = asyncio.Lock()
    async with turn:
        if key not in ctx.statements:
            made = _terminology(ctx, base) if mode == "terminology" else await _statement(ctx, base, mode)
            if len(ctx.statements) > 20:
                ctx.statements.clear()
            ctx.statements[key] = await asyncio.to_thread(write_json, made)
        return ctx.statements[key]


def version() -> str:
    return importlib.metadata.version("onecard")


def _head(ctx: Context, base: str, resource_type: str) -> dict[str, Any]:
    return {
        "resourceType": resource_type,
        "id": "onecard",
        "url": f"{base}/metadata",
        "version": version(),
        "name": "OneCard",
        "title": "OneCard FHIR R4 server",
        "status": "active",
        "date": instant(ctx.clock()),
        "kind": "instance",
        "software": {"name": "OneCard", "version": version()},
        "implementation": {"description": "OneCard FHIR R4 server", "url": base},
    }


async def _statement(ctx: Context, base: str, mode: str) -> dict[str, Any]:
    await every_parameter(ctx)
    types = sorted(
        ctx.definitions.resource_types & NORMATIVE if mode == "normative" else ctx.definitions.resource_types
    )
    rows = ctx.routes.rows
    sources = _referring(ctx, types)
    resources: list[dict[str, Any]] = []
    for each in types:
        resources.append(_resource(ctx, each, rows, sources.get(each, ())))
        await asyncio.sleep(0)
    return {
        **_head(ctx, base, "CapabilityStatement"),
        "description": f"Dates without a time zone are read in {ctx.settings.timezone}.",
        "fhirVersion": "4.0.1",
        "format": ["json", FHIR_JSON],
        "patchFormat": PATCH_FORMATS,
        "rest": [
            {
                "mode": "server",
                "security": _security(ctx),
                "resource": resources,
                "interaction": [{"code": code} for code in _SYSTEM_LEVEL if _has(rows, code)],
                "searchParam": [_parameter(each) for each in _common(ctx)],
                "operation": _operations(ctx, rows, ""),
                "compartment": [
                    f"http://hl7.org/fhir/CompartmentDefinition/{each.lower()}"
                    for each in sorted(ctx.definitions.compartment_types)
                ],
            }
        ],
    }


def _security(ctx: Context) -> dict[str, Any]:
    security: dict[str, Any] = {"cors": bool(ctx.settings.cors_origin)}
    if ctx.settings.open:
        security["description"] = "No authorization: development on this machine only."
    else:
        security["description"] = "A bearer token in the Authorization header."
    return security


def _has(rows: Iterable[Route], code: str) -> bool:
    """One row answers both kinds of Bundle."""
    return any(row.interaction == ("transaction" if code == "batch" else code) for row in rows)


def _resource(ctx: Context, name: str, rows: Iterable[Route], sources: Iterable[str]) -> dict[str, Any]:
    settings = ctx.settings
    parameters = ctx.search.parameters.of(name)
    # A code under which a parameter is registered besides its own is an alias.
    own = [code for code, each in parameters.items() if each.parameter.code == code]
    references = [code for code in own if parameters[code].parameter.type == "reference"]
    enforced = ["enforced"] if settings.referential_integrity else []
    found: dict[str, Any] = {
        "type": name,
        "profile": CORE + name,
        "supportedProfile": list(ctx.definitions.profiles_of(name)),
        "interaction": [{"code": code} for code in _TYPE_LEVEL if _has(rows, code)],
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": True,
        "conditionalRead": "full-support",
        "conditionalUpdate": True,
        "conditionalDelete": "multiple" if settings.conditional_delete_multiple else "single",
        "referencePolicy": ["literal", "logical", "local", *enforced],
        "searchInclude": ["*", *(f"{name}:{code}" for code in sorted(references))],
        "searchRevInclude": sorted(sources),
        "searchParam": [_parameter(parameters[code]) for code in sorted(own)],
        "operation": _operations(ctx, rows, name),
    }
    return {key: value for key, value in found.items() if value != []}


def _referring(ctx: Context, types: Iterable[str]) -> Mapping[str, list[str]]:
    """Type -> `Source:parameter` of every reference parameter that may point to it."""
    found: dict[str, list[str]] = {each: [] for each in types}
    for source in found:
        for code, each in ctx.search.parameters.of(source).items():
            if each.parameter.type == "reference":
                for target in each.parameter.targets:
                    if target in found:
                        found[target].append(f"{source}:{code}")
    return found


def _parameter(registered: Registered) -> dict[str, Any]:
    return {
        "name": registered.parameter.code,
        "definition": registered.definition.url,
        "type": registered.parameter.type,
    }


def _common(ctx: Context) -> list[Registered]:
    parameters = ctx.search.parameters.of("Resource")
    return [parameters[code] for code in sorted(parameters)]


def _operations(ctx: Context, rows: Iterable[Route], owner: str) -> list[dict[str, str]]:
    """Operations at a type and its instances, or at the system for the owner ""."""
    found: dict[str, str] = {}
    for row in rows:
        if row.operation is None:
            continue
        first = row.path.partition("/")[0]
        if owner == "" if first[:1] == "$" else first in ("[type]", owner) and owner != "":
            url = _definition(ctx, row.operation, owner)
            if url is not None:
                found[row.operation] = url
    return [{"name": name, "definition": url} for name, url in sorted(found.items())]


def _definition(ctx: Context, code: str, owner: str) -> str | None:
    """Canonical url of the OperationDefinition, the one of this very type before a general one."""
    matching = [each for each in ctx.definitions.operations.values() if each.code == code]
    own = [each for each in matching if owner in each.resources]
    general = [each for each in matching if "Resource" in each.resources or not each.resources or each.system]
    chosen = [*own, *general]
    return chosen[0].url if chosen else None


# ---------------------------------------------------------------- terminology


def _terminology(ctx: Context, base: str) -> dict[str, Any]:
    """https://hl7.org/fhir/R4/terminologycapabilities.html"""
    return {
        **_head(ctx, base, "TerminologyCapabilities"),
        "codeSystem": [{"uri": url} for url in sorted(ctx.terminology.library.urls("CodeSystem"))],
        "expansion": {"hierarchical": False, "paging": True, "incomplete": False},
        "codeSearch": "all",
        "validateCode": {"translations": False},
    }
