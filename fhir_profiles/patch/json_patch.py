"""JSON Patch.   https://www.rfc-editor.org/rfc/rfc6902 https://www.rfc-editor.org/rfc/rfc6901

Two things are FHIR's: resourceType and id stay as they are, and an array or object that a patch took the last member
of disappears with it (https://hl7.org/fhir/R4/json.html allows no empty ones).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from fhir_profiles.fhirpath.values import deep_equal
from fhir_profiles.json_reading import MAX_DEPTH, copy_json, deeper_than
from fhir_profiles.patch.errors import PatchError
from fhir_profiles.patch.result import checked, without_emptied

MAX_COPIED = 200_000
"""Values that all `copy` operations of a patch may make: copying a copy doubles, forty of them would fill memory."""

_POINTER = re.compile(r"(?:/(?:[^/~]|~[01])*)*\Z")
_INDEX = re.compile(r"(?:0|[1-9][0-9]{0,8})\Z")
_MISSING: Any = object()
AFTER_LAST = "-"
"""The place behind the last item of an array."""


class _Failed(Exception):
    """Why one operation failed."""


class _Malformed(_Failed):
    """The operation itself is wrong."""


def json_patch(resource: dict[str, Any], operations: Sequence[Any]) -> dict[str, Any]:
    """The resource with all operations applied, or none of them; the input stays as it is.   Raises: PatchError."""
    document = _Document(copy_json(resource))
    for number, operation in enumerate(operations):
        try:
            document.apply(operation)
        except _Failed as error:
            kind = "malformed" if isinstance(error, _Malformed) else "unprocessable"
            raise PatchError(kind, str(error), operation=number) from None  # type: ignore[arg-type]
    return checked(resource, without_emptied(document.root, document.emptied))


def tokens_of(pointer: Any) -> list[str]:
    """Reference tokens of a JSON Pointer, unescaped."""
    if not isinstance(pointer, str) or not _POINTER.match(pointer):
        raise _Malformed("a path is a JSON Pointer: '' or '/name/0'")
    return [each.replace("~1", "/").replace("~0", "~") for each in pointer.split("/")[1:]]


def _pointer(tokens: Sequence[str]) -> str:
    return "".join("/" + each.replace("~", "~0").replace("/", "~1") for each in tokens)[:200] or "''"


class _Document:
    def __init__(self, root: Any) -> None:
        self.root = root
        self.emptied: set[int] = set()
        """ids of containers whose last member was taken; they live as long as the document."""
        self.keep_alive: list[Any] = []
        self.copied = 0

    def apply(self, operation: Any) -> None:
        if not isinstance(operation, dict):
            raise _Malformed("an operation is an object")
        name = operation.get("op")
        run = _OPERATIONS.get(name) if isinstance(name, str) else None
        if run is None:
            raise _Malformed("op is one of add, remove, replace, move, copy, test")
        run(self, operation)

    def find(self, tokens: Sequence[str]) -> Any:
        """The value at a pointer."""
        value = self.root
        for at, token in enumerate(tokens):
            value = _member(value, token)
            if value is _MISSING:
                raise _Failed(f"there is nothing at {_pointer(tokens[: at + 1])}")
        return value

    def add(self, tokens: Sequence[str], value: Any) -> None:
        check_depth(tokens, value)
        if not tokens:
            self.root = value
            return
        holder = self.find(tokens[:-1])
        token = tokens[-1]
        if isinstance(holder, dict):
            holder[token] = value
        elif isinstance(holder, list):
            index = len(holder) if token == AFTER_LAST else _index(token)
            if index > len(holder):
                raise _Failed(f"the array at {_pointer(tokens[:-1])} has no place {index}")
            holder.insert(index, value)
        else:
            raise _Failed(f"there is no object or array at {_pointer(tokens[:-1])}")

    def remove(self, tokens: Sequence[str]) -> Any:
        if not tokens:
            raise _Failed("the whole resource cannot be removed")
        value = self.find(tokens)
        holder = self.find(tokens[:-1])
        del holder[_index(tokens[-1]) if isinstance(holder, list) else tokens[-1]]
        if not holder:
            self.emptied.add(id(holder))
            self.keep_alive.append(holder)
        return value

    def copy(self, value: Any) -> Any:
        self.copied += _size(value)
        if self.copied > MAX_COPIED:
            raise _Failed(f"the patch copies more than {MAX_COPIED} values")
        return copy_json(value)


def check_depth(tokens: Sequence[str], value: Any) -> None:
    if isinstance(value, (dict, list)) and deeper_than(value, max(MAX_DEPTH - len(tokens), 0)):
        raise _Failed(f"the result would be nested more than {MAX_DEPTH} levels deep")


def _member(holder: Any, token: str) -> Any:
    if isinstance(holder, dict):
        return holder.get(token, _MISSING)
    if isinstance(holder, list):
        if token == AFTER_LAST:
            return _MISSING
        index = _index(token)
        return holder[index] if index < len(holder) else _MISSING
    return _MISSING


def _index(token: str) -> int:
    if not _INDEX.match(token):
        raise _Failed(f"{token[:40]!r} is no index of an array")
    return int(token)


def _size(value: Any) -> int:
    count, waiting = 0, [value]
    while waiting:
        each = waiting.pop()
        count += 1
        if isinstance(each, dict):
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
    return count


def _value(operation: dict[str, Any]) -> Any:
    if "value" not in operation:
        raise _Malformed("value is missing")
    return copy_json(operation["value"])


def _path(operation: dict[str, Any], name: str = "path") -> list[str]:
    if name not in operation:
        raise _Malformed(f"{name} is missing")
    return tokens_of(operation[name])


def _add(document: _Document, operation: dict[str, Any]) -> None:
    document.add(_path(operation), _value(operation))


def _remove(document: _Document, operation: dict[str, Any]) -> None:
    document.remove(_path(operation))


def _replace(document: _Document, operation: dict[str, Any]) -> None:
    tokens, value = _path(operation), _value(operation)
    document.find(tokens)
    check_depth(tokens, value)
    if not tokens:
        document.root = value
        return
    holder = document.find(tokens[:-1])
    holder[_index(tokens[-1]) if isinstance(holder, list) else tokens[-1]] = value


def _move(document: _Document, operation: dict[str, Any]) -> None:
    source, target = _path(operation, "from"), _path(operation)
    if len(source) < len(target) and target[: len(source)] == source:
        raise _Failed("a value cannot be moved into itself")
    document.find(source)
    if source != target:
        document.add(target, document.remove(source))


def _copy(document: _Document, operation: dict[str, Any]) -> None:
    source, target = _path(operation, "from"), _path(operation)
    document.add(target, document.copy(document.find(source)))


def _test(document: _Document, operation: dict[str, Any]) -> None:
    tokens, value = _path(operation), _value(operation)
    if not deep_equal(document.find(tokens), value):
        raise _Failed(f"the test of {_pointer(tokens)} failed: the value is another one")


_OPERATIONS: dict[str, Callable[[_Document, dict[str, Any]], None]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy,
    "test": _test,
}
