"""The terminology operations: $expand, $validate-code, $lookup, $subsumes, $translate.

https://hl7.org/fhir/R4/terminology-service.html
What they answer is in `terminology.operations`; here the inputs are brought, and failures become answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from fhir_profiles.json_reading import read_json, write_json
from server.context import Context
from server.errors import BadRequest, FhirError, Gone, NotFound, TooCostly, Unprocessable
from server.interactions.storing import read_body
from server.messages import FhirRequest, FhirResponse
from server.store.contract import instant
from terminology import operations
from terminology.errors import TerminologyError

Json = dict[str, Any]

ANSWERS: dict[str, type[FhirError]] = {
    "invalid": BadRequest,
    "not-found": NotFound,
    "processing": Unprocessable,
    "too-costly": TooCostly,
    "not-supported": Unprocessable,
}
"""Kind of a TerminologyError -> how it is answered; its issues say the kind as well. What is not supported is a fault
of no one, but 5xx would say that the server failed: it is 422 with the code `not-supported`."""

# Parameter that the instance stands for when an operation is asked of one.
_INSTANCE = {"ValueSet": "valueSet", "CodeSystem": "codeSystem", "ConceptMap": "conceptMap"}
_SHAPE = frozenset({"_format", "_pretty"})


async def expand(ctx: Context, request: FhirRequest) -> FhirResponse:
    """The codes of a value set.   https://hl7.org/fhir/R4/valueset-operation-expand.html"""
    parameters = await given(ctx, request)
    return await answered(
        lambda: operations.expand(
            ctx.terminology, parameters, now=instant(ctx.clock()), identifier=f"urn:uuid:{ctx.ids()}"
        )
    )


async def validate_code(ctx: Context, request: FhirRequest) -> FhirResponse:
    """Whether a code is in a value set or code system.

    https://hl7.org/fhir/R4/valueset-operation-validate-code.html
    """
    parameters = await given(ctx, request)
    in_value_set = request.path[0] == "ValueSet"
    check = operations.validate_code_in_value_set if in_value_set else operations.validate_code_in_system
    return await answered(lambda: check(ctx.terminology, parameters))


async def lookup(ctx: Context, request: FhirRequest) -> FhirResponse:
    """What is known of a code.   https://hl7.org/fhir/R4/codesystem-operation-lookup.html"""
    parameters = await given(ctx, request)
    return await answered(lambda: operations.lookup(ctx.terminology, parameters))


async def subsumes(ctx: Context, request: FhirRequest) -> FhirResponse:
    """How two codes relate.   https://hl7.org/fhir/R4/codesystem-operation-subsumes.html"""
    parameters = await given(ctx, request)
    return await answered(lambda: operations.subsumes(ctx.terminology, parameters))


async def translate(ctx: Context, request: FhirRequest) -> FhirResponse:
    """What a code is in another system.   https://hl7.org/fhir/R4/conceptmap-operation-translate.html"""
    parameters = await given(ctx, request)
    return await answered(lambda: operations.translate(ctx.terminology, parameters))


async def given(ctx: Context, request: FhirRequest) -> Json:
    """Inputs as Parameters, from the query and the body; the instance, if one is asked, among them."""
    pairs = [(name, value) for name, value in request.query if name not in _SHAPE]
    parameters: Json = operations.from_query(pairs)
    if request.method == "POST" and (request.resource is not None or request.body.strip()):
        body = read_body(ctx, request)
        if body["resourceType"] != "Parameters":
            raise BadRequest("The inputs of an operation are a Parameters resource", code="structure")
        rows = body.get("parameter", [])
        if not isinstance(rows, list):
            raise BadRequest("parameter must be a list", code="structure", expression="Parameters.parameter")
        parameters = {**body, "parameter": [*parameters["parameter"], *rows]}
    if len(request.path) == 3:
        return await _with_instance(ctx, request, parameters)
    return parameters


async def _with_instance(ctx: Context, request: FhirRequest, parameters: Json) -> Json:
    kind, name = request.path[0], request.path[1]
    version = await ctx.store.read(kind, name)
    if version is None:
        raise NotFound(f"{kind}/{name} is not known")
    if version.body is None:
        raise Gone(f"{kind}/{name} was deleted")
    resource = read_json(version.body)
    if request.path[2] in ("$lookup", "$subsumes"):
        # These name a code system by its url only.
        row = {"name": "system", "valueUri": resource.get("url", "")}
        return {**parameters, "parameter": [*parameters.get("parameter", ()), row]}
    return operations.with_resource(parameters, _INSTANCE[kind], resource)


async def answered(work: Callable[[], Json]) -> FhirResponse:
    """200 with what the operation gives; made in a thread, for it may read and list ten thousand codes.

    Raises: the FhirError of its failure.
    """
    try:
        return FhirResponse(200, body=await asyncio.to_thread(lambda: write_json(work())))
    except TerminologyError as error:
        raise failure(error) from None


def failure(error: TerminologyError) -> FhirError:
    return ANSWERS[error.kind](str(error), issues=error.issues)
