"""FHIRPath Patch: a Parameters resource of add, insert, delete, replace and move operations.

https://hl7.org/fhir/R4/fhirpatch.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from fhir_profiles.definitions import Definitions
from fhir_profiles.fhirpath import FhirPathError, parse
from fhir_profiles.fhirpath.syntax import Ast, Member
from fhir_profiles.fhirpath.types import Step, TypeSystem, type_system
from fhir_profiles.json_reading import copy_json
from fhir_profiles.patch.errors import PatchError
from fhir_profiles.patch.location import Locator, NotAPlace, Place
from fhir_profiles.patch.result import checked


class _Failed(Exception):
    """Why one operation failed."""


class _Malformed(_Failed):
    """The operation itself is wrong."""


class Given(NamedTuple):
    """The value of an operation."""

    value: Any
    """JSON of a value[x]; None where there are parts (or extensions only)."""
    type: str
    """FHIR type of the value[x]; `` of parts."""
    sibling: Any
    """The `_value[x]` object of a primitive."""
    parts: tuple[dict[str, Any], ...]
    """Children of an element whose type has no name: `Patient.contact`."""


@dataclass(frozen=True, slots=True)
class Operation:
    type: str
    path: str
    name: str | None
    value: Given | None
    index: int | None
    source: int | None
    destination: int | None


def fhirpath_patch(resource: dict[str, Any], parameters: dict[str, Any], definitions: Definitions) -> dict[str, Any]:
    """The resource with all operations applied, or none of them; the input stays as it is.   Raises: PatchError."""
    types = type_system(definitions)
    result: dict[str, Any] = copy_json(resource)
    for number, parameter in enumerate(_operations(parameters)):
        path: str | None = None
        try:
            operation = read_operation(parameter, types)
            path = operation.path
            _apply(result, operation, types)
        except _Failed as error:
            kind = "malformed" if isinstance(error, _Malformed) else "unprocessable"
            raise PatchError(kind, str(error), operation=number, expression=path) from None  # type: ignore[arg-type]
        except NotAPlace:
            text = "the path computes a value instead of selecting elements"
            raise PatchError("malformed", text, operation=number, expression=path) from None
        except FhirPathError as error:
            raise PatchError("malformed", str(error), operation=number, expression=path) from None
    return checked(resource, result)


# --- reading the Parameters -----------------------------------------------------------------------------------------


def _operations(parameters: dict[str, Any]) -> list[Any]:
    if parameters.get("resourceType") != "Parameters":
        raise PatchError("malformed", "a FHIRPath Patch is a Parameters resource", expression="resourceType")
    found = parameters.get("parameter", [])
    if not isinstance(found, list):
        raise PatchError("malformed", "Parameters.parameter is an array", expression="Parameters.parameter")
    return found


def read_operation(parameter: Any, types: TypeSystem) -> Operation:
    """The operation of one parameter."""
    if not isinstance(parameter, dict) or parameter.get("name") != "operation":
        raise _Malformed("a parameter of a patch is named operation")
    parts: dict[str, dict[str, Any]] = {}
    listed = parameter.get("part")
    for part in listed if isinstance(listed, list) else ():
        name = part.get("name") if isinstance(part, dict) else None
        if not isinstance(name, str) or name in parts:
            raise _Malformed("a part has a name, and each name occurs once")
        parts[name] = part
    kind, path, name = (_text(parts, each) for each in ("type", "path", "name"))
    if kind not in _OPERATIONS:
        raise _Malformed("type is one of add, insert, delete, replace, move")
    if path is None:
        raise _Malformed("path is missing")
    value = given(parts["value"], types) if "value" in parts else None
    index, source, destination = (_integer(parts, each) for each in ("index", "source", "destination"))
    return Operation(kind or "", path, name, value, index, source, destination)


def _plain_value(part: dict[str, Any] | None) -> Any:
    return None if part is None else next((value for key, value in part.items() if key.startswith("value")), None)


def _text(parts: dict[str, dict[str, Any]], name: str) -> str | None:
    value = _plain_value(parts.get(name))
    if value is not None and not isinstance(value, str):
        raise _Malformed(f"{name} is a text")
    return value


def _integer(parts: dict[str, dict[str, Any]], name: str) -> int | None:
    value = _plain_value(parts.get(name))
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise _Malformed(f"{name} is an integer, counted from 0")
    return value


def given(part: dict[str, Any], types: TypeSystem) -> Given:
    """The value of a `value` part: a value[x], a resource, or parts that name the children."""
    choices = types.steps("Parameters.parameter")["value"].choices
    for key, fhir_type in choices.items():
        value, sibling = part.get(key), part.get("_" + key)
        if value is not None or sibling is not None:
            return Given(value, fhir_type, sibling, ())
    if isinstance(part.get("resource"), dict):
        resource = part["resource"]
        return Given(resource, str(resource.get("resourceType", "")), None, ())
    parts = part.get("part")
    if isinstance(parts, list) and parts and all(isinstance(each, dict) for each in parts):
        return Given(None, "", None, tuple(parts))
    raise _Malformed("value holds nothing: a value[x] or parts are expected")


# --- making the JSON ------------------------------------------------------------------------------------------------


def _key_of(step: Step, value: Given) -> str:
    """Name of the JSON member that takes the value: of a choice, the one of the value's type."""
    if step.key is not None:
        return step.key
    for key, fhir_type in step.choices.items():
        if fhir_type == value.type:
            return key
    raise _Failed(f"{step.name} cannot be a {value.type or 'value of parts'}")


def _built(step: Step, value: Given, types: TypeSystem, depth: int = 0) -> tuple[Any, Any]:
    """Value and sibling as JSON, of the type that the element has."""
    fhir_type = step.choices[_key_of(step, value)]
    if not value.parts:
        if types.is_primitive(fhir_type) and isinstance(value.value, dict):
            raise _Failed(f"{step.name} is a {fhir_type}, not a {value.type}")
        if not types.is_primitive(fhir_type) and not isinstance(value.value, dict):
            raise _Failed(f"{step.name} is a {fhir_type}, not a {value.type}")
        return copy_json(value.value), copy_json(value.sibling)
    if depth > 20 or types.is_primitive(fhir_type):
        raise _Failed(f"{step.name} is not made of parts")
    result: dict[str, Any] = {}
    for part in value.parts:
        name = part.get("name")
        child = types.steps(fhir_type).get(name) if isinstance(name, str) else None
        if child is None:
            raise _Failed(f"{fhir_type} has no element of the name that a part has")
        inner = given(part, types)
        made, sibling = _built(child, inner, types, depth + 1)
        _append(result, child, _key_of(child, inner), made, sibling)
    return result, None


def _append(holder: dict[str, Any], step: Step, key: str, value: Any, sibling: Any) -> None:
    """Puts a child into its parent, at the end where there may be many."""
    if step.many:
        _insert(holder, key, len(_padded(holder, key)), value, sibling)
        return
    if any(each in holder or "_" + each in holder for each in step.choices):
        raise _Failed(f"{step.name} is there already, and there can be one only")
    _set(holder, key, value, sibling)


def _set(holder: dict[str, Any], key: str, value: Any, sibling: Any) -> None:
    for name, each in ((key, value), ("_" + key, sibling)):
        if each is None:
            holder.pop(name, None)
        else:
            holder[name] = each


def _padded(holder: dict[str, Any], key: str) -> list[Any]:
    """The longer of an array and its sibling array."""
    values, siblings = holder.get(key) or [], holder.get("_" + key) or []
    if not isinstance(values, list) or not isinstance(siblings, list):
        raise _Failed(f"{key} is not an array in the resource")
    return values if len(values) >= len(siblings) else siblings


def _pairs(holder: dict[str, Any], key: str) -> list[tuple[Any, Any]]:
    length = len(_padded(holder, key))
    values, siblings = holder.get(key) or [], holder.get("_" + key) or []
    return [
        (values[at] if at < len(values) else None, siblings[at] if at < len(siblings) else None) for at in range(length)
    ]


def _put_pairs(holder: dict[str, Any], key: str, pairs: list[tuple[Any, Any]]) -> None:
    """Writes an array and its sibling array back; arrays without any value disappear."""
    for name, values in ((key, [value for value, _ in pairs]), ("_" + key, [sibling for _, sibling in pairs])):
        if any(each is not None for each in values):
            holder[name] = values
        else:
            holder.pop(name, None)


def _insert(holder: dict[str, Any], key: str, index: int, value: Any, sibling: Any) -> None:
    pairs = _pairs(holder, key)
    if index > len(pairs):
        raise _Failed(f"the list has {len(pairs)} items, so nothing can be inserted at {index}")
    pairs.insert(index, (value, sibling))
    _put_pairs(holder, key, pairs)


def _put(place: Place, value: Any, sibling: Any) -> None:
    """Value and sibling of an element anew; the item of an array stays where it is."""
    assert place.holder is not None
    if place.index is None:
        _set(place.holder, place.key, value, sibling)
        return
    pairs = _pairs(place.holder, place.key)
    pairs[place.index] = (value, sibling)
    _put_pairs(place.holder, place.key, pairs)


def _take_out(place: Place) -> None:
    """Deletes the element, and a parent that has nothing else."""
    holder = place.holder
    assert holder is not None
    if place.index is None:
        _set(holder, place.key, None, None)
    else:
        pairs = _pairs(holder, place.key)
        del pairs[place.index]
        _put_pairs(holder, place.key, pairs)
    parent = place.parent
    if holder or parent is None or parent.holder is None:
        return
    value = parent.node[0]
    if value is holder or value is None:
        _take_out(parent)
    else:
        _put(parent, value, None)  # what lost its last member was the sibling of a primitive


# --- the operations -------------------------------------------------------------------------------------------------


def _apply(resource: dict[str, Any], operation: Operation, types: TypeSystem) -> None:
    _OPERATIONS[operation.type](Locator(resource, types), operation)


def _one(places: list[Place], what: str) -> Place:
    if len(places) != 1:
        raise _Failed(f"the path finds {len(places) or 'no'} elements, but {what} needs exactly one")
    return places[0]


def _value(operation: Operation) -> Given:
    if operation.value is None:
        raise _Malformed("value is missing")
    return operation.value


def _add(locator: Locator, operation: Operation) -> None:
    if operation.name is None:
        raise _Malformed("name is missing")
    value = _value(operation)
    place = _one(locator.find(operation.path), "add")
    holder = place.object
    step = locator.step(place, operation.name.removesuffix("[x]"))
    if holder is None and step is not None and operation.name in ("id", "extension"):
        holder = _sibling_object(place)
    if holder is None or step is None:
        raise _Failed("the element has no child of that name")
    made, sibling = _built(step, value, locator.types)
    _append(holder, step, _key_of(step, value), made, sibling)


def _sibling_object(place: Place) -> dict[str, Any]:
    """The object that holds id and extensions of a primitive, made if it is not there."""
    if isinstance(place.node[2], dict):
        return place.node[2]
    fresh: dict[str, Any] = {}
    _put(place, place.node[0], fresh)
    return fresh


def _list(locator: Locator, path: str) -> tuple[dict[str, Any], Step, str]:
    """Holder, step and JSON name of the list that a path names, whether or not it has items."""
    tree: Ast = parse(path)
    if not isinstance(tree, Member):
        raise _Malformed("the path names a list: Patient.identifier")
    parents = locator.of(tree.of) if tree.of is not None else [locator.root]
    parent = _one(parents, "the parent of the list")
    step = locator.step(parent, tree.name)
    if step is None or not step.many or step.key is None or parent.object is None:
        raise _Failed("the path does not name a list")
    return parent.object, step, step.key


def _insert_item(locator: Locator, operation: Operation) -> None:
    if operation.index is None:
        raise _Malformed("index is missing")
    holder, step, key = _list(locator, operation.path)
    made, sibling = _built(step, _value(operation), locator.types)
    _insert(holder, key, operation.index, made, sibling)


def _delete(locator: Locator, operation: Operation) -> None:
    """Nothing there is no error; several are."""
    places = locator.find(operation.path)
    if not places:
        return
    place = _one(places, "delete")
    if place.holder is None:
        raise _Failed("the resource itself cannot be deleted by a patch")
    _take_out(place)


def _replace(locator: Locator, operation: Operation) -> None:
    value = _value(operation)
    place = _one(locator.find(operation.path), "replace")
    if place.holder is None or place.parent is None:
        raise _Failed("the resource itself cannot be replaced by a patch")
    step = next(
        each
        for each in locator.types.steps(place.parent.node[1]).values()
        if place.key in each.choices  # the key came from this very step
    )
    made, sibling = _built(step, value, locator.types)
    if place.index is None:
        _set(place.holder, place.key, None, None)
        _set(place.holder, _key_of(step, value), made, sibling)
    else:
        _put(place, made, sibling)


def _move(locator: Locator, operation: Operation) -> None:
    source, destination = operation.source, operation.destination
    if source is None or destination is None:
        raise _Malformed("source or destination is missing")
    holder, _, key = _list(locator, operation.path)
    pairs = _pairs(holder, key)
    if max(source, destination) >= len(pairs):
        raise _Failed(f"the list has {len(pairs)} items: source and destination count from 0")
    pairs.insert(destination, pairs.pop(source))
    _put_pairs(holder, key, pairs)


_OPERATIONS: dict[str, Callable[[Locator, Operation], None]] = {
    "add": _add,
    "insert": _insert_item,
    "delete": _delete,
    "replace": _replace,
    "move": _move,
}
