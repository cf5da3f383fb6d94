"""OpenAPI 3 document of the FHIR API, made from the routes table and the definitions, for tools that generate requests.

`python -m conformance.openapi [TYPE ...]` prints it; the same input gives the same bytes. A FHIR client reads
`[base]/metadata`, which says more. https://spec.openapis.org/oas/v3.1.0 https://hl7.org/fhir/R4/http.html
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from typing import Any

from conformance.json_schema import JsonSchemas, Schema
from fhir_profiles.definitions import Definitions
from fhir_profiles.terminology_protocol import Terminology
from server.dispatch import Route
from server.routes import ROUTES
from server.wire.media import FHIR_JSON, FORM
from terminology.service import TerminologyService

TYPES = ("Patient", "Observation", "ValueSet")
"""Types that the document writes out: every other one is answered by the same rows of the table."""

ID: Schema = {"type": "string", "pattern": "^[a-c][1-3]$"}
"""Few ids, so that generated requests meet each other's resources."""
VERSION: Schema = {"type": "string", "pattern": "^[1-9]$"}
_PLACES = {"[id]": ("id", ID), "[vid]": ("vid", VERSION)}

_OUTCOME = {
    "type": "object",
    "required": ["resourceType", "issue"],
    "properties": {
        "resourceType": {"const": "OperationOutcome"},
        "issue": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["severity", "code"],
                "properties": {"severity": {"enum": ["fatal", "error", "warning", "information"]}},
            },
        },
    },
}

_DATE_VALUE = {"type": "string", "pattern": "^(eq|ne|gt|lt|ge|le|sa|eb|ap)?(19|20)[0-9]{2}(-(0[1-9]|1[0-2]))?$"}
SEARCH_VALUES: dict[str, Schema] = {
    "string": {"type": "string", "pattern": "^[a-zก-ฮ]{1,5}$"},
    "token": {"type": "string", "pattern": r"^([a-z]{1,4}|https://example\.org/[a-z]{1,3})?(\|[a-z0-9]{0,5})?$"},
    "date": _DATE_VALUE,
    "number": {"type": "string", "pattern": r"^(eq|ne|gt|lt|ge|le|ap)?-?[0-9]{1,4}(\.[0-9]{1,3})?$"},
    "quantity": {"type": "string", "pattern": r"^(gt|lt|ge|le|ap)?[0-9]{1,4}(\|http://unitsofmeasure\.org\|(kg|mg))?$"},
    "reference": {"type": "string", "pattern": "^((Patient|Encounter|Practitioner)/)?[a-c][1-3]$"},
    "uri": {"type": "string", "pattern": "^https://example\\.org/[a-z]{1,4}$"},
    "special": {"type": "string", "pattern": "^[a-z]{1,6}$"},
    "composite": {"type": "string", "pattern": r"^[a-z]{1,4}\$[0-9]{1,4}$"},
}
"""Search parameter type -> the values worth generating."""

_RESULT_PARAMETERS: dict[str, Schema] = {
    "_count": {"type": "integer", "minimum": 0, "maximum": 50},
    "_sort": {"enum": ["_id", "-_id", "_lastUpdated", "-_lastUpdated"]},
    "_summary": {"enum": ["true", "false", "text", "data", "count"]},
    "_total": {"enum": ["none", "estimate", "accurate"]},
    "_elements": {"type": "string", "pattern": "^(id|meta|name|code|status)$"},
    "_format": {"enum": ["json", "application/fhir+json"]},
    "_pretty": {"enum": ["true", "false"]},
}
_HISTORY_PARAMETERS: dict[str, Schema] = {
    "_count": _RESULT_PARAMETERS["_count"],
    "_since": {"type": "string", "pattern": "^20[0-9]{2}-0[1-9]-[01][1-9]T0[0-9]:00:00Z$"},
    "_at": _DATE_VALUE,
}
_ETAG = {"type": "string", "pattern": '^W/"[1-9]"$'}
_HEADERS: dict[str, dict[str, Schema]] = {
    "create": {
        "If-None-Exist": {"type": "string", "pattern": "^(_id|_tag|identifier)=[a-z0-9]{1,4}$"},
        "Prefer": {"enum": ["return=minimal", "return=representation", "return=OperationOutcome"]},
    },
    "update": {"If-Match": _ETAG, "If-None-Match": {"enum": ["*"]}},
    "patch": {"If-Match": _ETAG},
    "read": {"If-None-Match": _ETAG, "If-Modified-Since": {"enum": ["Tue, 24 Nov 2026 01:00:00 GMT"]}},
    "search-type": {"Prefer": {"enum": ["handling=strict", "handling=lenient"]}},
}
"""Interaction -> request headers that change its answer."""

_POINTER = {"type": "string", "pattern": "^/(id|active|status|name|code|meta|note)(/(0|-|text))?$"}
_PATCHES: dict[str, Schema] = {
    "application/json-patch+json": {
        "type": "array",
        "minItems": 1,
        "maxItems": 3,
        "items": {
            "type": "object",
            "properties": {
                "op": {"enum": ["add", "remove", "replace", "test", "copy", "move"]},
                "path": _POINTER,
                "from": _POINTER,
                "value": {"type": ["string", "boolean", "integer", "null"]},
            },
            "required": ["op", "path"],
            "additionalProperties": False,
        },
    },
    "application/merge-patch+json": {
        "type": "object",
        "properties": {"active": {"type": ["boolean", "null"]}, "language": {"enum": ["th", "en", None]}},
        "additionalProperties": False,
    },
}


class Documents:
    """Makes the parts of the document for these resource types."""

    def __init__(self, definitions: Definitions, terminology: Terminology, types: Sequence[str]) -> None:
        self.definitions = definitions
        self.schemas = JsonSchemas(definitions, terminology)
        self.types = tuple(types)

    def document(self, routes: Sequence[Route]) -> dict[str, Any]:
        paths: dict[str, dict[str, Any]] = {}
        for route in routes:
            for path, resource_type in self._written_out(route):
                paths.setdefault(path, {})[route.method.lower()] = self._operation(route, path, resource_type)
        return {
            "openapi": "3.1.0",
            "info": {"title": "OneCard FHIR R4 API", "version": "4.0.1"},
            "paths": dict(sorted(paths.items())),
        }

    def _written_out(self, route: Route) -> Iterator[tuple[str, str | None]]:
        """The paths of a row, one for each type where it names none, and the type."""
        path = "/" + route.path.replace("[id]", "{id}").replace("[vid]", "{vid}").replace("[other]", "Observation")
        first = route.path.partition("/")[0]
        if first != "[type]":
            yield path, first if first in self.definitions.resource_types else None
            return
        for name in self.types:
            if ("[other]" not in route.path and "*" not in route.path) or name in self.definitions.compartment_types:
                yield path.replace("[type]", name), name

    def _operation(self, route: Route, path: str, resource_type: str | None) -> dict[str, Any]:
        made: dict[str, Any] = {
            "operationId": f"{route.method.lower()}{path}",
            "summary": route.doc,
            "parameters": [
                {"name": name, "in": "path", "required": True, "schema": schema}
                for place, (name, schema) in _PLACES.items()
                if place in route.path
            ],
            "responses": {
                "2XX": {"description": "As the interaction says"},
                "304": {"description": "What the client has is current"},
                "4XX": {"description": "Refused", "content": {FHIR_JSON: {"schema": _OUTCOME}}},
            },
        }
        made["parameters"] += [
            {"name": name, "in": "query", "schema": schema}
            for name, schema in self._query(route, resource_type).items()
        ]
        made["parameters"] += [
            {"name": name, "in": "header", "schema": schema}
            for name, schema in _HEADERS.get(route.interaction, {}).items()
        ]
        if content := self._content(route, resource_type):
            made["requestBody"] = {
                "required": True,
                "content": {media_type: {"schema": schema} for media_type, schema in content.items()},
            }
        return made

    def _query(self, route: Route, resource_type: str | None) -> dict[str, Schema]:
        if route.method == "GET" and route.interaction.startswith("search"):
            return self._search(route, resource_type) | _RESULT_PARAMETERS
        if route.interaction.startswith("history"):
            return _HISTORY_PARAMETERS
        if route.path == "[type]" and route.method in ("PUT", "PATCH", "DELETE"):
            return {"_id": ID, "_tag": SEARCH_VALUES["token"]}
        if route.interaction == "read":
            return {name: _RESULT_PARAMETERS[name] for name in ("_summary", "_elements", "_pretty")}
        return {}

    def _search(self, route: Route, resource_type: str | None) -> dict[str, Schema]:
        """Two parameters of each type, in the order of their codes."""
        searched = "Observation" if "[other]" in route.path else resource_type or "Resource"
        found: dict[str, Schema] = {}
        by_type: dict[str, int] = {}
        for code, row in sorted(self.definitions.search_parameters(searched).items()):
            by_type[row.type] = by_type.get(row.type, 0) + 1
            if by_type[row.type] <= 2 and row.type in SEARCH_VALUES:
                found[code] = SEARCH_VALUES[row.type]
        return found

    def _content(self, route: Route, resource_type: str | None) -> dict[str, Schema]:
        """Media type -> schema of the body."""
        if route.method not in ("POST", "PUT", "PATCH"):
            return {}
        if route.path.endswith("_search"):
            names = {
                "_id": ID,
                "_count": {"type": "integer", "minimum": 0, "maximum": 50},
                "_tag": SEARCH_VALUES["token"],
            }
            return {FORM: {"type": "object", "properties": names, "additionalProperties": False}}
        if route.method == "PATCH":
            return _PATCHES
        if route.interaction == "transaction":
            return {FHIR_JSON: self._bundle()}
        if route.interaction == "operation" and route.operation != "validate":
            return {FHIR_JSON: self._parameters(route.operation or "")}
        id = ID if route.method == "PUT" and "[id]" in route.path else None
        return {FHIR_JSON: self.schemas.resource(resource_type or "Patient", id=id)}

    def _bundle(self) -> Schema:
        urls = f"^({'|'.join(self.types)})/[a-c][1-3]$"
        request = {
            "type": "object",
            "properties": {
                "method": {"enum": ["GET", "PUT", "POST", "DELETE", "PATCH"]},
                "url": {"type": "string", "pattern": urls},
            },
            "required": ["method", "url"],
            "additionalProperties": False,
        }
        entry = {
            "type": "object",
            "properties": {"request": request, "resource": self.schemas.resource(self.types[0], depth=1, id=ID)},
            "required": ["request"],
            "additionalProperties": False,
        }
        return {
            "type": "object",
            "properties": {
                "resourceType": {"const": "Bundle"},
                "type": {"enum": ["batch", "transaction"]},
                "entry": {"type": "array", "items": entry, "maxItems": 3},
            },
            "required": ["resourceType", "type"],
            "additionalProperties": False,
        }

    def _parameters(self, code: str) -> Schema:
        rows = [row for each in self.definitions.operations.values() if each.code == code for row in each.parameters]
        names = sorted({row.name for row in rows} | {"x"})
        row = {
            "type": "object",
            "properties": {
                "name": {"enum": names},
                "valueString": {"type": "string", "pattern": "^[a-z]{1,8}$"},
                "valueUri": {"enum": ["http://hl7.org/fhir/ValueSet/administrative-gender", "https://example.org/x"]},
                "valueCode": {"enum": ["male", "x"]},
            },
            "required": ["name"],
            "minProperties": 2,
            "maxProperties": 2,
            "additionalProperties": False,
        }
        return {
            "type": "object",
            "properties": {
                "resourceType": {"const": "Parameters"},
                "parameter": {"type": "array", "items": row, "minItems": 1, "maxItems": 4},
            },
            "required": ["resourceType", "parameter"],
            "additionalProperties": False,
        }


def openapi(
    definitions: Definitions, terminology: Terminology, types: Sequence[str] = TYPES, routes: Sequence[Route] = ROUTES
) -> dict[str, Any]:
    """The document for these resource types; paths are below the FHIR base."""
    return Documents(definitions, terminology, types).document(routes)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m conformance.openapi", description=__doc__)
    parser.add_argument("types", nargs="*", default=list(TYPES), help="resource types to write out")
    print(json.dumps(openapi(Definitions(), TerminologyService(), parser.parse_args().types), indent=1))


if __name__ == "__main__":
    main()
