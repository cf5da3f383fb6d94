"""Matches of token parameters -> Terms: codes are symbols, identifiers have rows of their own."""

from __future__ import annotations

from collections.abc import Sequence

from server.search.query import Match, OfTypeOperand, Operand, TextOperand, TokenOperand
from server.store.embedded.combining import Combining
from server.store.embedded.driver import texts
from server.store.embedded.estimates import LIMIT
from server.store.embedded.rows import OF_TYPE, TEXT
from server.store.embedded.terms import NOTHING, Term
from server.store.principal import PRINCIPAL


class Tokens:
    """Terms of token parameters for the resources of one type."""

    def __init__(self, of: Combining) -> None:
        self._of = of
        self._bind = of.place.bind

    def match(self, match: Match, k: int | None) -> Term:
        code = match.parameter.code
        if any(isinstance(operand, TextOperand) for operand in match.operands):
            return self._token_text(match, k)
        if any(isinstance(operand, OfTypeOperand) for operand in match.operands):
            return self._of_type(match)
        if match.parameter.identifying:
            return self.identifiers(match.operands, k)
        symbols: list[int] = []
        for operand in match.operands:
            assert isinstance(operand, TokenOperand)
            symbols += self._symbols(operand, k or 0)
        term = self._of.tokens(f"token {code}", list(dict.fromkeys(symbols)))
        principal = PRINCIPAL.get(self._of.type)
        if term is not NOTHING and principal is not None and principal.code == code:
            term.symbols = tuple(dict.fromkeys(symbols))
        return term

    def _symbols(self, operand: TokenOperand, k: int) -> list[int]:
        connection = self._of.place.connection
        if operand.code is None:
            rows = connection.execute("SELECT s FROM sym WHERE k = ? AND sy = ?", (k, operand.system or ""))
        elif operand.any_system:
            rows = connection.execute("SELECT s FROM sym WHERE k = ? AND v = ?", (k, operand.code))
        else:
            symbol = self._of.place.symbols.symbol(connection, k, operand.system or "", operand.code)
            return [] if symbol is None else [symbol]
        return [s for (s,) in rows]

    def identifiers(self, operands: Sequence[Operand], k: int | None) -> Term:
        """Rows of `ident`, by value and the symbol of the system."""
        if k is None:
            return NOTHING
        of_system: dict[int, list[str]] = {}
        of_any: list[str] = []
        whole: list[int] = []
        for operand in operands:
            assert isinstance(operand, TokenOperand)
            system = self._system(operand.system)
            if system is None:
                continue
            if operand.code is None:
                whole.append(system)
            elif operand.any_system:
                of_any.append(operand.code)
            else:
                of_system.setdefault(system, []).append(operand.code)
        bound = f"x.k = {self._bind(k)}"
        ordered = []
        loose = [f"ident x WHERE {bound} AND x.sy = {self._bind(system)}" for system in whole]
        for system, codes in of_system.items():
            if len(codes) == 1:
                where = f"x.v = {self._bind(codes[0])} AND x.sy = {self._bind(system)}"
                ordered.append(f"ident x WHERE {bound} AND {where}")
            else:
                where = f"x.v IN carray({self._bind(texts(codes))}) AND x.sy = {self._bind(system)}"
                loose.append(f"ident x WHERE {bound} AND {where}")
        if of_any:
            loose.append(f"ident x WHERE {bound} AND x.v IN carray({self._bind(texts(of_any))})")
        term = self._of.rows("identifier", ordered, loose, lambda: LIMIT if whole else 2 * len(operands))
        term.few = not whole and term is not NOTHING
        return term

    def _system(self, system: str | None) -> int | None:
        """Symbol of a system; 0 stands for none; None: never seen."""
        return 0 if system is None else self._of.place.symbols.symbol(self._of.place.connection, 0, "", system)

    def _of_type(self, match: Match) -> Term:
        k = self._of.k(match.parameter.code + OF_TYPE)
        if k is None:
            return NOTHING
        branches = []
        for operand in match.operands:
            assert isinstance(operand, OfTypeOperand)
            symbol = self._of.place.symbols.symbol(self._of.place.connection, k, operand.system or "", operand.code)
            if symbol is not None:
                value, of = self._bind(operand.value), self._bind(symbol)
                branches.append(f"ident x WHERE x.k = {self._bind(k)} AND x.v = {value} AND x.sy = {of}")
        return self._of.rows("identifier of type", branches, [], lambda: 2)

    def _token_text(self, match: Match, k: int | None) -> Term:
        """Codes that were ever shown with the text may be found without it, so these are rechecked."""
        connection = self._of.place.connection
        plain_k = self._of.k(match.parameter.code + TEXT)
        coded: set[int] = set()
        plain: set[int] = set()
        for operand in match.operands:
            assert isinstance(operand, TextOperand)
            found = connection.execute("SELECT s FROM symtext WHERE k = ? AND instr(v, ?)", (k, operand.folded))
            coded.update(s for (s,) in found)
            found = connection.execute("SELECT s FROM sym WHERE k = ? AND instr(v, ?)", (plain_k, operand.folded))
            plain.update(s for (s,) in found)
        name = f"text {match.parameter.code}"
        if match.parameter.identifying or not coded:
            return self._of.tokens(name, sorted(plain))
        return self._of.any(
            [
                self._of.rechecked(self._of.tokens(name, sorted(coded)), match),
                self._of.tokens(name, sorted(plain)),
            ]
        )
