"""FHIRPath text to its syntax tree: the whole N1 grammar, by precedence climbing.

http://hl7.org/fhirpath/N1/#grammar http://hl7.org/fhirpath/N1/#operator-precedence
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache

from fhir_profiles.fhirpath.errors import FhirPathError
from fhir_profiles.fhirpath.lexer import Token, tokens
from fhir_profiles.fhirpath.syntax import (
    Ast,
    Binary,
    Call,
    Constant,
    Empty,
    Indexer,
    Literal,
    Member,
    Polarity,
    SystemType,
    TypeOperation,
    Variable,
)

MAX_DEPTH = 120
"""Of the tree. The longest official search parameter is 60 deep; every level costs a few Python frames."""

MAX_INTEGER = 2**31 - 1

BINDING = {
    "*": 10,
    "/": 10,
    "div": 10,
    "mod": 10,
    "+": 9,
    "-": 9,
    "&": 9,
    "is": 8,
    "as": 8,
    "|": 7,
    "<=": 6,
    "<": 6,
    ">": 6,
    ">=": 6,
    "=": 5,
    "~": 5,
    "!=": 5,
    "!~": 5,
    "in": 4,
    "contains": 4,
    "and": 3,
    "or": 2,
    "xor": 2,
    "implies": 1,
}
POLARITY_BINDING = 11

CALENDAR_UNITS = {
    form: unit
    for unit in ("year", "month", "week", "day", "hour", "minute", "second", "millisecond")
    for form in (unit, unit + "s")
}

_LITERALS: dict[str, SystemType] = {"string": "String", "date": "Date", "datetime": "DateTime", "time": "Time"}
_NAMES_THAT_ARE_OPERATORS = {"as", "is", "contains", "in"}


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokens(text)
        self.at = 0
        self.depth = 0

    def fail(self, expected: str) -> FhirPathError:
        token = self.tokens[self.at]
        found = repr(token.text) if token.kind != "end" else "the end"
        return FhirPathError("syntax", f"expected {expected}, found {found} at {token.position} in {self.text[:200]!r}")

    def peek(self) -> Token:
        return self.tokens[self.at]

    def take(self) -> Token:
        token = self.tokens[self.at]
        self.at += 1
        return token

    def is_symbol(self, text: str) -> bool:
        token = self.tokens[self.at]
        return token.kind == "symbol" and token.text == text

    def accept(self, symbol: str) -> bool:
        found = self.is_symbol(symbol)
        self.at += found
        return found

    def expect(self, symbol: str) -> None:
        if not self.accept(symbol):
            raise self.fail(repr(symbol))

    def operator(self) -> str | None:
        token = self.tokens[self.at]
        return token.text if token.kind in ("symbol", "name") and token.text in BINDING else None

    def expression(self, minimum: int = 1) -> Ast:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise FhirPathError("syntax", f"the expression is nested deeper than {MAX_DEPTH}")
        left = self.operand()
        while (operator := self.operator()) is not None and BINDING[operator] >= minimum:
            self.take()
            if operator in ("is", "as"):
                left = TypeOperation(operator, left, self.type_name())
            else:
                left = Binary(operator, left, self.expression(BINDING[operator] + 1))
        self.depth -= 1
        return left

    def operand(self) -> Ast:
        if self.is_symbol("-") or self.is_symbol("+"):
            sign = self.take().text
            return Polarity(sign, self.expression(POLARITY_BINDING))
        return self.invocations(self.term())

    def invocations(self, left: Ast) -> Ast:
        while True:
            if self.accept("."):
                left = self.invocation(left)
            elif self.accept("["):
                left = Indexer(left, self.expression())
                self.expect("]")
            else:
                return left

    def invocation(self, of: Ast | None) -> Ast:
        # The grammar allows `a.$this` too; only the bare variable has a meaning.
        name = self.name("a name")
        if not self.accept("("):
            return Member(of, name)
        arguments: list[Ast] = []
        if not self.accept(")"):
            arguments.append(self.expression())
            while self.accept(","):
                arguments.append(self.expression())
            self.expect(")")
        return Call(of, name, tuple(arguments))

    def term(self) -> Ast:
        token = self.peek()
        if token.kind in ("name", "quoted"):
            return self.named(token)
        if token.kind in _LITERALS:
            return Literal(_LITERALS[token.kind], self.take().text)
        if token.kind == "number":
            return self.number(self.take().text)
        if token.kind == "variable":
            return Variable(self.take().text)
        if self.accept("("):
            inner = self.expression()
            self.expect(")")
            return inner
        if self.accept("{"):
            self.expect("}")
            return Empty()
        if self.accept("%"):
            quoted = self.peek().kind == "string"
            return Constant(self.take().text if quoted else self.name("the name of a constant"))
        raise self.fail("an expression")

    def named(self, token: Token) -> Ast:
        if token.kind == "name":
            if token.text in ("true", "false"):
                self.take()
                return Literal("Boolean", token.text == "true")
            if token.text in BINDING and token.text not in _NAMES_THAT_ARE_OPERATORS:
                raise self.fail("an expression")
        return self.invocation(None)

    def number(self, text: str) -> Ast:
        following = self.peek()
        unit: str | None = None
        if following.kind == "string":
            unit = following.text
        elif following.kind == "name":
            unit = CALENDAR_UNITS.get(following.text)
        if unit is not None:
            self.take()
            # 'month' in quotes is no UCUM code, so it can only mean the calendar word.
            return Literal("Quantity", Decimal(text), CALENDAR_UNITS.get(unit, unit))
        if "." in text:
            return Literal("Decimal", Decimal(text))
        if len(text) > 19 or int(text) > MAX_INTEGER + 1:
            raise FhirPathError("syntax", "an Integer has at most 31 bits")
        return Literal("Integer", int(text))

    def name(self, expected: str) -> str:
        if self.peek().kind not in ("name", "quoted"):
            raise self.fail(expected)
        return self.take().text

    def type_name(self) -> str:
        name = self.name("the name of a type")
        if name in ("FHIR", "System") and self.accept("."):
            return f"{name}.{self.name('the name of a type')}"
        return name


def depth(tree: Ast) -> int:
    """Levels of the tree, counted without recursion."""
    deepest, waiting = 0, [(tree, 1)]
    while waiting:
        node, level = waiting.pop()
        deepest = max(deepest, level)
        children = CHILDREN.get(type(node))
        if children is not None:
            waiting.extend((child, level + 1) for child in children(node))
    return deepest


CHILDREN: dict[type, Callable[..., tuple[Ast, ...]]] = {
    Member: lambda node: () if node.of is None else (node.of,),
    Call: lambda node: node.arguments if node.of is None else (node.of, *node.arguments),
    Indexer: lambda node: (node.of, node.index),
    Polarity: lambda node: (node.operand,),
    TypeOperation: lambda node: (node.operand,),
    Binary: lambda node: (node.left, node.right),
}
"""Sub-expressions by kind of node, in the order of the text."""


@lru_cache(maxsize=4096)
def parse(text: str) -> Ast:
    """The syntax tree of an expression.   Raises: FhirPathError (syntax)."""
    parser = _Parser(text)
    tree = parser.expression()
    if parser.peek().kind != "end":
        raise parser.fail("an operator or the end")
    if depth(tree) > MAX_DEPTH:
        raise FhirPathError("syntax", f"the expression is nested deeper than {MAX_DEPTH}")
    return tree
