"""String functions, those of FHIRPath's later releases included.   http://hl7.org/fhirpath/N1/#string-manipulation
http://hl7.org/fhirpath/#additional-string-functions"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Callable

from fhir_profiles.fhirpath import regex
from fhir_profiles.fhirpath.arithmetic import limited
from fhir_profiles.fhirpath.code import EMPTY, Code, Frame, Types
from fhir_profiles.fhirpath.compiler import Compiler
from fhir_profiles.fhirpath.errors import FhirPathError
from fhir_profiles.fhirpath.functions.registry import Function, Table, integer, scalar, text, truth, value_of
from fhir_profiles.fhirpath.syntax import Ast
from fhir_profiles.fhirpath.types import Node, Nodes


def _substring(value: str, start: int, length: int | None = None) -> Node | None:
    if not 0 <= start < len(value):
        return None
    return text(value[start:] if length is None else value[start : start + max(length, 0)])


def _replace(value: str, pattern: str, substitution: str) -> Node:
    if len(value) * max(len(substitution), 1) > 10_000_000:
        raise FhirPathError("execution", "replace() would make a text that is too long")
    return text(limited(value.replace(pattern, substitution)))


_ENCODERS: dict[str, Callable[[bytes], str]] = {
    "hex": lambda data: data.hex(),
    "base64": lambda data: base64.b64encode(data).decode("ascii"),
    "urlbase64": lambda data: base64.urlsafe_b64encode(data).decode("ascii"),
}
_DECODERS: dict[str, Callable[[str], bytes]] = {
    "hex": bytes.fromhex,
    "base64": lambda value: base64.b64decode(value, validate=True),
    "urlbase64": lambda value: base64.b64decode(value, altchars=b"-_", validate=True),
}
_JSON_ESCAPE = re.compile(r"(?:\\u[0-9A-Fa-f]{4})+|\\.", re.DOTALL)
_ESCAPERS: dict[str, tuple[Callable[[str], str], Callable[[str], str]]] = {
    "html": (lambda value: html.escape(value, quote=True), html.unescape),
    "json": (
        lambda value: json.dumps(value, ensure_ascii=False)[1:-1],
        lambda value: _JSON_ESCAPE.sub(lambda found: str(json.loads(f'"{found[0]}"')), value),
    ),
}


def _encode(value: str, form: str) -> Node | None:
    encoder = _ENCODERS.get(form)
    return None if encoder is None else text(encoder(value.encode()))


def _decode(value: str, form: str) -> Node | None:
    decoder = _DECODERS.get(form)
    if decoder is None:
        return None
    try:
        return text(decoder(value).decode())
    except (binascii.Error, ValueError):
        return None


def _escape(value: str, target: str) -> Node | None:
    return text(_ESCAPERS[target][0](value)) if target in _ESCAPERS else None


def _unescape(value: str, target: str) -> Node | None:
    if target not in _ESCAPERS:
        return None
    try:
        return text(_ESCAPERS[target][1](value))
    except ValueError:
        return None


def _split(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    return _many(compiler, source, arguments, scope, lambda value, by: value.split(by) if by else list(value), "split")


def _to_chars(compiler: Compiler, source: Code, arguments: tuple[Ast, ...], scope: Types) -> Code:
    return _many(compiler, source, arguments, scope, lambda value, _: list(value), "toChars")


def _many(
    compiler: Compiler,
    source: Code,
    arguments: tuple[Ast, ...],
    scope: Types,
    parts: Callable[[str, str], list[str]],
    name: str,
) -> Code:
    run = source.run
    argument = compiler.compile(arguments[0], scope).run if arguments else None

    def call(node: Node, frame: Frame) -> Nodes:
        value = value_of(run(node, frame), "String", name)
        given = value_of(argument(node, frame), "String", name) if argument is not None else ""
        if value is None or given is None:
            return EMPTY
        return [text(part) for part in parts(value, given)]

    return Code(call, frozenset(("System.String",)))


STRINGS: Table = {
    **scalar("indexOf", lambda value, part: integer(value.find(part)), "String", ("String",), result="Integer"),
    **scalar("lastIndexOf", lambda value, part: integer(value.rfind(part)), "String", ("String",), result="Integer"),
    **scalar("substring", _substring, "String", ("Integer", "Integer"), optional=1),
    **scalar("startsWith", lambda value, part: truth(value.startswith(part)), "String", ("String",), result="Boolean"),
    **scalar("endsWith", lambda value, part: truth(value.endswith(part)), "String", ("String",), result="Boolean"),
    **scalar("contains", lambda value, part: truth(part in value), "String", ("String",), result="Boolean"),
    **scalar("upper", lambda value: text(value.upper())),
    **scalar("lower", lambda value: text(value.lower())),
    **scalar("replace", _replace, "String", ("String", "String")),
    **scalar("matches", lambda value, like: truth(regex.search(like, value)), "String", ("String",), result="Boolean"),
    **scalar(
        "matchesFull", lambda value, like: truth(regex.fullmatch(like, value)), "String", ("String",), result="Boolean"
    ),
    **scalar(
        "replaceMatches",
        lambda value, like, by: text(limited(regex.replace(like, by, value))),
        "String",
        ("String", "String"),
    ),
    **scalar("length", lambda value: integer(len(value)), result="Integer"),
    "toChars": Function(0, 0, _to_chars),
    **scalar("trim", lambda value: text(value.strip(" \t\r\n"))),
    "split": Function(1, 1, _split),
    **scalar("encode", _encode, "String", ("String",)),
    **scalar("decode", _decode, "String", ("String",)),
    **scalar("escape", _escape, "String", ("String",)),
    **scalar("unescape", _unescape, "String", ("String",)),
}
