"""JSON bytes to plain dicts and back, keeping the text of numbers.   https://hl7.org/fhir/R4/json.html

`1.00` is read as a `jiter.LosslessFloat`, which is written back as `1.00`; whole numbers are ints. Refused are
duplicate keys, broken UTF-8, NUL characters, NaN and Infinity, and everything that is deeper than the limit.
A `LosslessFloat` does not compare by value (`bytes(x)` does) and cannot be pickled or deep-copied (`copy_json` can).
"""

from __future__ import annotations

import gc
import re
from collections.abc import Sequence
from typing import Any

import jiter
import orjson

from fhir_profiles.issue import Issue

MAX_DEPTH = 200
"""The parser's own limit; a smaller one can be asked for."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_MANY = 64 * 1024
"""Bytes of JSON that make objects by the thousand. None of them can be garbage while they are made, but the collector
would look at all of them again and again, and take as long as the parser."""

_TOO_DEEP = "recursion limit exceeded"
_POSITION = re.compile(r"(?s)(.*) at line (\d+) column (\d+)\Z")
_DUPLICATE = re.compile(r'(?s)Detected duplicate key "(.*)"\Z')
_ELEMENT_NAME = re.compile(r"_?[a-z][A-Za-z0-9]{0,39}\Z|resourceType\Z")

_ADVICE = {
    "expected value": "a JSON value was expected here",
    "invalid number": "a number is written wrongly (no leading zeros, a digit on both sides of the point)",
    "trailing comma": "a comma is followed by no value",
    "trailing characters": "there is something after the end of the resource",
    "key must be a string": "a name in double quotes was expected",
    "number out of range": "a number has too many digits",
    "invalid unicode code point": "it is not valid UTF-8",
    "control character (\\u0000-\\u001F) found while parsing a string": "a control character must be escaped",
}


class ReadError(Exception):
    """The bytes are no resource; `issues` says why, without quoting values."""

    def __init__(self, issues: Sequence[Issue]) -> None:
        super().__init__("; ".join(issue.diagnostics for issue in issues))
        self.issues = tuple(issues)


def read_error(diagnostics: str, code: str = "structure") -> ReadError:
    """A ReadError with one issue."""
    return ReadError([Issue("error", code, diagnostics)])


def _too_deep(max_depth: int) -> ReadError:
    return read_error(f"it is nested more than {max_depth} levels deep", "invalid")


def read_json(data: bytes, *, max_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """The JSON object in UTF-8 bytes: dict, list, str, int, bool, None and LosslessFloat. Raises: ReadError."""
    collecting = len(data) > _MANY and gc.isenabled()
    if collecting:
        gc.disable()
    try:
        value = jiter.from_json(
            data.removeprefix(BYTE_ORDER_MARK),
            allow_inf_nan=False,
            cache_mode="keys",
            catch_duplicate_keys=True,
            float_mode="lossless-float",
        )
    except ValueError as error:
        if _TOO_DEEP in str(error):
            raise _too_deep(max_depth) from None
        raise read_error(_explain(str(error))) from None
    finally:
        if collecting:
            gc.enable()
    if not isinstance(value, dict):
        raise read_error("the body must be one JSON object: a resource with its resourceType")
    # A text with few brackets cannot be deep; counting them costs a tenth of walking.
    brackets = data.count(b"{") + data.count(b"[")
    if max_depth < MAX_DEPTH and brackets > max_depth and deeper_than(value, max_depth):
        raise _too_deep(max_depth)
    if b"\\u0000" in data and _holds_nul(value):
        raise read_error("a NUL character (\\u0000) is not allowed in FHIR", "invalid")
    return value


def _explain(message: str) -> str:
    found = _POSITION.match(message)
    text, where = (found[1], f"line {found[2]} column {found[3]}") if found else (message, "")
    if duplicate := _DUPLICATE.match(text):
        # A name that is no element name may be anything, a person's included.
        quoted = f' "{duplicate[1]}"' if _ELEMENT_NAME.match(duplicate[1]) else ""
        advice = f"the name{quoted} appears twice in one object"
    elif text.startswith("EOF"):
        advice = "the text ends before the resource does"
    else:
        advice = _ADVICE.get(text, text)
    return f"Not well-formed JSON: {advice} ({where})" if where else f"Not well-formed JSON: {advice}"


def deeper_than(value: Any, limit: int) -> bool:
    """Whether objects and arrays are nested more than `limit` levels."""
    level = [value]
    for _ in range(limit):
        level = [
            each
            for container in level
            for each in (container.values() if isinstance(container, dict) else container)
            if isinstance(each, (dict, list))
        ]
        if not level:
            return False
    return True


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any("\0" in key or _holds_nul(each) for key, each in value.items())
    return isinstance(value, list) and any(map(_holds_nul, value))


def write_json(value: Any) -> bytes:
    """Compact UTF-8 JSON of plain values; numbers as they were written. The order of members is kept."""
    try:
        return orjson.dumps(value, default=_number_text)
    except TypeError:
        return orjson.dumps(_with_long_integers(value), default=_number_text)


def write_pretty_json(value: Any) -> bytes:
    """As `write_json`, indented by two, for people."""
    try:
        return orjson.dumps(value, default=_number_text, option=orjson.OPT_INDENT_2)
    except TypeError:
        return orjson.dumps(_with_long_integers(value), default=_number_text, option=orjson.OPT_INDENT_2)


def _number_text(value: Any) -> orjson.Fragment:
    if isinstance(value, jiter.LosslessFloat):
        return orjson.Fragment(bytes(value))
    raise TypeError(f"a {type(value).__name__} has no JSON form")


def _with_long_integers(value: Any) -> Any:
    """orjson refuses integers beyond 64 bits, which a decimal may hold."""
    if isinstance(value, dict):
        return {key: _with_long_integers(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_long_integers(each) for each in value]
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 63:
        return orjson.Fragment(str(value).encode())
    return value


def copy_json(value: Any) -> Any:
    """A deep copy; scalars, LosslessFloat among them, are shared because nothing can change them."""
    if isinstance(value, dict):
        return {key: copy_json(each) for key, each in value.items()}
    if isinstance(value, list):
        return [copy_json(each) for each in value]
    return value


def same_json(left: Any, right: Any) -> bool:
    """Whether both are the same JSON, number text included (`1.0` is not `1.00`), whatever the order of members."""
    if isinstance(left, jiter.LosslessFloat):
        return isinstance(right, jiter.LosslessFloat) and bytes(left) == bytes(right)
    if isinstance(left, dict):
        return (
            isinstance(right, dict) and left.keys() == right.keys() and all(same_json(left[k], right[k]) for k in left)
        )
    if isinstance(left, list):
        return isinstance(right, list) and len(left) == len(right) and all(map(same_json, left, right))
    return type(left) is type(right) and bool(left == right)
