"""Inputs and outputs of operations, read by their OperationDefinition.   https://hl7.org/fhir/R4/operations.html#executing"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fhir_profiles.definitions import Operation, OperationParameter
from fhir_profiles.json_reading import read_json
from server.context import Context
from server.errors import BadRequest, UnsupportedMedia
from server.interactions.storing import read_body
from server.messages import FhirRequest, FhirResponse

_ANSWER_SHAPE = frozenset({"_format", "_pretty"})
_BOOLEANS = {"true": True, "false": False}
_WHOLE_NUMBERS = {"integer": -(2**31), "unsignedInt": 0, "positiveInt": 1}
"""Type -> its lowest value."""
_RESOURCES = frozenset({"Resource", "Any"})


@dataclass(frozen=True, slots=True)
class Inputs:
    """Values by parameter name, in order: plain JSON values, resources, or Inputs of the parts."""

    values: Mapping[str, tuple[Any, ...]]
    rest: tuple[tuple[str, str], ...] = ()
    """Query parameters that are none of the operation's, where it takes search parameters too."""

    def one(self, name: str) -> Any:
        """The value, or None."""
        found = self.values.get(name)
        return found[0] if found else None

    def many(self, name: str) -> tuple[Any, ...]:
        return self.values.get(name, ())


def inputs(
    ctx: Context, request: FhirRequest, operation_id: str, *, search: bool = False, bare: str | None = None
) -> Inputs:
    """Inputs from the query of a GET, or from the query and the Parameters of a POST.

    search: other query parameters are left for a search. bare: parameter that a body which is no Parameters stands for.
    Raises: BadRequest naming the parameter.
    """
    operation = ctx.definitions.operations[operation_id]
    known = {each.name: each for each in operation.parameters if each.use == "in"}
    found: dict[str, list[Any]] = {}
    rest: list[tuple[str, str]] = []
    for name, text in request.query:
        if name in known:
            found.setdefault(name, []).append(_from_text(known[name], text))
        elif search:
            rest.append((name, text))
        elif name not in _ANSWER_SHAPE:
            raise _unknown(operation, name, known)
    if request.method == "POST" and (request.resource is not None or request.body.strip()):
        _take_body(ctx, request, operation, known, found, bare)
    for name, parameter in known.items():
        _check_count(parameter, len(found.get(name, ())))
    return Inputs({name: tuple(values) for name, values in found.items()}, tuple(rest))


def _take_body(
    ctx: Context,
    request: FhirRequest,
    operation: Operation,
    known: Mapping[str, OperationParameter],
    found: dict[str, list[Any]],
    bare: str | None,
) -> None:
    if bare is not None and not _is_parameters(ctx, request):
        found.setdefault(bare, []).append(request.resource)
        return
    body = read_body(ctx, request)
    if body["resourceType"] != "Parameters":
        raise BadRequest("The inputs of an operation are a Parameters resource", code="structure")
    for number, row in enumerate(_rows(body, "Parameters.parameter")):
        where = f"Parameters.parameter[{number}]"
        name = row.get("name")
        if not isinstance(name, str):
            raise BadRequest("A parameter needs a name", code="required", expression=where + ".name")
        if name not in known:
            raise _unknown(operation, name, known, where)
        found.setdefault(name, []).append(_from_row(known[name], row, where))


def _is_parameters(ctx: Context, request: FhirRequest) -> bool:
    """Reads the body, whatever its resourceType, into `request.resource`. Raises: UnsupportedMedia, ReadError."""
    if request.resource is None:
        if "json" not in request.media_type:
            raise UnsupportedMedia("The body must be application/fhir+json")
        request.resource = read_json(request.body, max_depth=ctx.settings.max_depth)
    return request.resource.get("resourceType") == "Parameters"


def _rows(value: Mapping[str, Any], where: str) -> list[dict[str, Any]]:
    rows = value.get(where.rpartition(".")[2], [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadRequest("A list of parameters was expected", code="structure", expression=where)
    return rows


def _from_row(parameter: OperationParameter, row: Mapping[str, Any], where: str) -> Any:
    if parameter.parts:
        known = {each.name: each for each in parameter.parts}
        found: dict[str, list[Any]] = {}
        for number, part in enumerate(_rows(row, where + ".part")):
            name = part.get("name")
            if name not in known:
                raise BadRequest(
                    f"{parameter.name} has no part {str(name)[:40]!r}", code="not-supported", expression=where
                )
            found.setdefault(name, []).append(_from_row(known[name], part, f"{where}.part[{number}]"))
        for name, each in known.items():
            _check_count(each, len(found.get(name, ())))
        return Inputs({name: tuple(values) for name, values in found.items()})
    if isinstance(row.get("resource"), dict):
        if not (parameter.type or "string")[:1].isupper():
            raise BadRequest(f"{parameter.name} must be a {parameter.type}", code="value", expression=where)
        return row["resource"]
    value = next((value for name, value in row.items() if name.startswith("value")), None)
    if value is None:
        raise BadRequest(f"{parameter.name} has no value", code="required", expression=where)
    if isinstance(value, str):
        return _from_text(parameter, value)
    if not _fits(parameter.type or "string", value):
        raise BadRequest(f"{parameter.name} must be a {parameter.type}", code="value", expression=where)
    return value


def _fits(kind: str, value: Any) -> bool:
    """Whether a value that is no text may be of the type; resources have a place of their own."""
    if kind == "boolean":
        return isinstance(value, bool)
    if kind in _WHOLE_NUMBERS:
        return isinstance(value, int) and not isinstance(value, bool) and _WHOLE_NUMBERS[kind] <= value < 2**31
    return kind[:1].isupper() and kind not in _RESOURCES and isinstance(value, dict)


def _from_text(parameter: OperationParameter, text: str) -> Any:
    kind = parameter.type or "string"
    if kind == "boolean":
        if text not in _BOOLEANS:
            raise BadRequest(f"{parameter.name} must be true or false", code="value", expression=parameter.name)
        return _BOOLEANS[text]
    if kind in _WHOLE_NUMBERS:
        lowest = _WHOLE_NUMBERS[kind]
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdecimal() and len(digits) <= 10 and lowest <= int(text) < 2**31):
            expected = f"{parameter.name} must be a whole number from {lowest} to {2**31 - 1}"
            raise BadRequest(expected, code="value", expression=parameter.name)
        return int(text)
    if kind[:1].isupper() and parameter.search_type is None:
        raise BadRequest(
            f"{parameter.name} is a {kind}, which a text cannot be", code="value", expression=parameter.name
        )
    return text


def _check_count(parameter: OperationParameter, count: int) -> None:
    if count < parameter.min:
        raise BadRequest(f"Parameter {parameter.name} is missing", code="required", expression=parameter.name)
    if parameter.max is not None and count > parameter.max:
        raise BadRequest(f"Parameter {parameter.name} is given {count} times", expression=parameter.name)


def _unknown(operation: Operation, name: str, known: Collection[str], where: str | None = None) -> BadRequest:
    near = difflib.get_close_matches(name[:64], known, 1, 0.5)
    hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(sorted(known)) or 'none'}"
    return BadRequest(
        f"${operation.code} has no parameter {name[:40]!r}; {hint}", code="not-supported", expression=where or name[:40]
    )


def returned(name: str, value_name: str, value: Any) -> FhirResponse:
    """200 with Parameters of one output: `returned("return", "valueMeta", {...})`."""
    return FhirResponse(200, resource=parameters([{"name": name, value_name: value}]))


def parameters(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {"resourceType": "Parameters", "parameter": [dict(row) for row in rows]}
