"""Reading and writing of Parameters resources.   https://hl7.org/fhir/R4/parameters.html

Values are read by what they are to be, not by the type they came in: `valueCode`, `valueString` and `valueUri` are all
text, and `true` as text is a boolean, because a query string has no types.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, NamedTuple, ParamSpec

from terminology.concept import Json
from terminology.errors import TerminologyError
from terminology.system import value_of

P = ParamSpec("P")


class Coded(NamedTuple):
    """A code with its system, as the parameters give it in one of three forms."""

    system: str | None
    code: str
    display: str | None = None
    version: str | None = None


class Parameters:
    """The parameters of one call. Raises: TerminologyError (invalid) for a name that the operation does not have."""

    def __init__(self, resource: Json, allowed: frozenset[str]) -> None:
        if resource.get("resourceType") != "Parameters":
            raise TerminologyError("invalid", "the body of an operation is a Parameters resource")
        rows = resource.get("parameter", [])
        self._rows: dict[str, list[Json]] = {}
        for row in rows if isinstance(rows, list) else []:
            name = str(row.get("name", "")) if isinstance(row, dict) else ""
            if name not in allowed:
                near = difflib.get_close_matches(name, allowed, 1)
                raise TerminologyError(
                    "invalid", f"no parameter {name[:40]!r} here" + (f"; is {near[0]} meant?" if near else "")
                )
            self._rows.setdefault(name, []).append(row)

    def __contains__(self, name: str) -> bool:
        return name in self._rows

    def _one(self, name: str) -> Json | None:
        rows = self._rows.get(name, ())
        if len(rows) > 1:
            raise TerminologyError("invalid", f"the parameter {name} occurs more than once")
        return rows[0] if rows else None

    def text(self, name: str) -> str | None:
        row = self._one(name)
        return None if row is None else as_text(name, row)

    def texts(self, name: str) -> list[str]:
        return [as_text(name, row) for row in self._rows.get(name, ())]

    def flag(self, name: str) -> bool | None:
        row = self._one(name)
        if row is None:
            return None
        value = value_of(row)[1]
        if value in (True, "true"):
            return True
        if value in (False, "false"):
            return False
        raise TerminologyError("invalid", f"the parameter {name} is true or false")

    def number(self, name: str) -> int | None:
        """A whole number, not negative."""
        text = self.text(name)
        if text is None:
            return None
        if not (text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) < 2**31):
            raise TerminologyError("invalid", f"the parameter {name} is a whole number from 0 to {2**31 - 1}")
        return int(text)

    def resource(self, name: str, resource_type: str) -> Json | None:
        row = self._one(name)
        found = None if row is None else row.get("resource")
        if row is not None and (not isinstance(found, dict) or found.get("resourceType") != resource_type):
            raise TerminologyError("invalid", f"the parameter {name} is a {resource_type} resource")
        return found

    def coding(self, name: str) -> Coded | None:
        row = self._one(name)
        return None if row is None else read_coding(name, value_of(row)[1])

    def codings(self, name: str) -> list[Coded]:
        return [read_coding(name, value_of(row)[1]) for row in self._rows.get(name, ())]

    def coded(self, *, concept: bool = True, version: str = "version") -> list[Coded]:
        """The code to work on: from `code` with `system`, from `coding` or from `codeableConcept`; exactly one form."""
        forms = [name for name in ("code", "coding", "codeableConcept") if name in self]
        if len(forms) != 1:
            raise TerminologyError("invalid", "give the code as one of code, coding" + concept * ", codeableConcept")
        if forms[0] == "code":
            code = self.text("code") or ""
            return [Coded(self.text("system"), code, self.text("display"), self.text(version))]
        if forms[0] == "coding":
            return [c for c in (self.coding("coding"),) if c is not None]
        value = value_of(self._one("codeableConcept") or {})[1]
        codings = value.get("coding") if isinstance(value, dict) else None
        if not isinstance(codings, list) or not codings:
            raise TerminologyError("invalid", "codeableConcept has no coding")
        return [read_coding("codeableConcept", c) for c in codings]

    def parts(self, name: str) -> list[dict[str, Json]]:
        """Parameters with parts: by the name of each part, its row."""
        rows = [row.get("part", []) for row in self._rows.get(name, ())]
        if not all(isinstance(row, list) for row in rows):
            raise TerminologyError("invalid", f"the parts of the parameter {name} are a list")
        return [{str(part.get("name")): part for part in row if isinstance(part, dict)} for row in rows]


def as_text(name: str, row: Json) -> str:
    value = value_of(row)[1]
    if value is None or isinstance(value, dict | list):
        raise TerminologyError("invalid", f"the parameter {name} has no simple value")
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def read_coding(name: str, value: object) -> Coded:
    if not isinstance(value, dict) or not isinstance(value.get("code"), str):
        raise TerminologyError("invalid", f"the parameter {name} is a Coding with a code")
    found = {key: value.get(key) for key in ("system", "display", "version")}
    if any(item is not None and not isinstance(item, str) for item in found.values()):
        raise TerminologyError("invalid", f"the parameter {name} is a Coding with texts as system, display and version")
    return Coded(found["system"], value["code"], found["display"], found["version"])


def checks_resources(operation: Callable[P, Json]) -> Callable[P, Json]:
    """The operation, with a resource that came with the call, and that nobody has validated, answered as `invalid`
    where its elements are not of the types that FHIR gives them."""

    @wraps(operation)
    def checked(*args: P.args, **more: P.kwargs) -> Json:
        try:
            return operation(*args, **more)
        except (AttributeError, KeyError, TypeError, ValueError):
            parameters: Any = args[1]
            if any("resource" in row for row in parameters["parameter"]):
                raise TerminologyError("invalid", "a resource among the parameters is not well-formed") from None
            raise

    return checked


def from_query(pairs: Iterable[tuple[str, str]]) -> Json:
    """The Parameters resource of a query string."""
    return {"resourceType": "Parameters", "parameter": [{"name": n, "valueString": v} for n, v in pairs]}


def with_resource(parameters: Json, name: str, resource: Json) -> Json:
    """The parameters with a resource put in: what an operation on an instance works on."""
    return {**parameters, "parameter": [*parameters.get("parameter", ()), {"name": name, "resource": resource}]}


def answer(*rows: Json | None) -> Json:
    """A Parameters resource of the rows that are there."""
    return {"resourceType": "Parameters", "parameter": [row for row in rows if row is not None]}


def row(name: str, type_name: str, value: object) -> Json | None:
    """One parameter `{name, value<type_name>}`; None without a value."""
    return None if value is None else {"name": name, f"value{type_name}": value}
