"""Small integers for names: resource types, parameters, codes, reference targets.

They are allocated inside the write transaction and never change, so a process may cache them for as long as the
store's epoch lasts. A cache may be stale (another process has just made a symbol): a miss is looked up in the
reader's own snapshot, and only a miss there means "never seen".
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Protocol

from server.store.embedded.driver import Connection
from server.store.embedded.ids import id_key

_LARGEST = 200_000
"""Entries of one cache before it starts anew: codes and patients may be many."""

ELSEWHERE = 0
"""Instead of a type: targets known by their url."""

SymbolKey = tuple[int, str, str]
"""(parameter, system or "", code)"""
SHAPE = ""
"""Code of the pseudo parameter whose symbols are the sets of parameters that have a value: "3,17*,20"."""
SEVERAL = "*"
"""Behind a composite in a shape: its values say more than those of its components."""
Shape = tuple[int, tuple[int, ...]]
"""(type, parameters as `shape_text` takes them)"""


def shape_text(shape: Sequence[int]) -> str:
    """Numbers of a resource's parameters; negative: a composite that says more than its components do."""
    return ",".join(f"{-k}{SEVERAL}" if k < 0 else str(k) for k in sorted(shape, key=abs))


class Symbols:
    """What a process knows of the store's symbols; shared by its threads (single dict operations are atomic)."""

    def __init__(self) -> None:
        self.types: dict[str, int] = {}
        self.names: dict[int, str] = {}
        self.params: dict[int, dict[str, int]] = {}
        """By type and code."""
        self.syms: dict[SymbolKey, int] = {}
        self.rids: dict[tuple[int, str], int] = {}
        self.texts: set[tuple[int, str, int]] = set()
        self.shapes: dict[Shape, int] = {}
        self.epoch = 0
        """Counts how often all numbers were forgotten."""

    def clear(self) -> None:
        self.epoch += 1
        for cache in (self.types, self.names, self.params, self.syms, self.rids, self.texts, self.shapes):
            cache.clear()

    def bound(self) -> None:
        for cache in (self.syms, self.rids, self.texts, self.shapes):
            if len(cache) > _LARGEST:
                cache.clear()

    def type(self, connection: Connection, name: str) -> int | None:
        t = self.types.get(name)
        if t is None:
            t = connection.execute("SELECT t FROM type WHERE name = ?", (name,)).get
            if t is not None:
                self.types[name] = t
        return t

    def name(self, connection: Connection, t: int) -> str:
        name = self.names.get(t)
        if name is None:
            name = str(connection.execute("SELECT name FROM type WHERE t = ?", (t,)).get)
            self.names[t] = name
        return name

    def param(self, connection: Connection, t: int, code: str) -> int | None:
        known = self.params.setdefault(t, {})
        k = known.get(code)
        if k is None:
            k = connection.execute("SELECT k FROM param WHERE t = ? AND code = ?", (t, code)).get
            if k is not None:
                known[code] = k
        return k

    def symbol(self, connection: Connection, k: int, system: str, code: str) -> int | None:
        s = self.syms.get((k, system, code))
        if s is None:
            s = connection.execute("SELECT s FROM sym WHERE k = ? AND v = ? AND sy = ?", (k, code, system)).get
            if s is not None:
                self.syms[k, system, code] = s
        return s

    def rid(self, connection: Connection, t: int, id: str) -> int | None:
        """The number of a resource that is or was here, tombstones included."""
        rid = self.rids.get((t, id))
        if rid is None:
            rid = connection.execute("SELECT rid FROM res WHERE t = ? AND id = ?", (t, id_key(id))).get
            if rid is not None:
                self.rids[t, id] = rid
        return rid


class Numbering(Protocol):
    """What gives numbers to names while the rows of a resource are made."""

    @property
    def syms(self) -> Mapping[SymbolKey, int]:
        """Many of those that there are: quicker than `symbol`."""

    @property
    def texts(self) -> Container[tuple[int, str, int]]:
        """Many of those that need not be told to `text` again."""

    def params(self, t: int) -> Mapping[str, int]:
        """Many of those that there are: quicker than `param`."""

    def param(self, t: int, code: str) -> int: ...

    def shape(self, t: int, shape: tuple[int, ...]) -> int:
        """The symbol that stands for the set of a resource's parameters; see `shape_text`."""

    def symbol(self, k: int, system: str, code: str) -> int: ...

    def text(self, k: int, text: str, symbol: int) -> None:
        """Remembers that a code was shown with this text."""

    def absent(self, t: int, id: str) -> int:
        """Negative number of a target that is not here; t ELSEWHERE: `id` is the url of what is not ours."""


class Allocation:
    """Symbols within one write transaction: makes what is missing, and shows it to the process after the commit."""

    def __init__(self, connection: Connection, symbols: Symbols) -> None:
        self._connection = connection
        self._symbols = symbols
        self._fresh = Symbols()
        self._absent: dict[tuple[int, str], int] = {}
        self.syms = symbols.syms
        self.texts = symbols.texts

    def publish(self) -> None:
        """After COMMIT, never before: a symbol of a transaction that failed does not exist."""
        mine, shared = self._fresh, self._symbols
        shared.types.update(mine.types)
        shared.names.update(mine.names)
        for t, params in mine.params.items():
            shared.params.setdefault(t, {}).update(params)
        shared.syms.update(mine.syms)
        shared.rids.update(mine.rids)
        shared.texts.update(mine.texts)
        shared.shapes.update(mine.shapes)
        shared.bound()

    def type(self, name: str) -> int:
        t = self._symbols.types.get(name) or self._fresh.type(self._connection, name)
        if t is None:
            t = self._insert("INSERT INTO type(name) VALUES(?) RETURNING t", (name,))
            self._fresh.types[name] = t
        return t

    def name(self, t: int) -> str:
        return self._symbols.names.get(t) or self._fresh.name(self._connection, t)

    def params(self, t: int) -> Mapping[str, int]:
        return self._symbols.params.get(t) or {}

    def param(self, t: int, code: str) -> int:
        k = self.params(t).get(code) or self._fresh.param(self._connection, t, code)
        if k is None:
            k = self._insert("INSERT INTO param(t, code) VALUES(?, ?) RETURNING k", (t, code))
            self._fresh.params[t][code] = k
        return k

    def shape(self, t: int, shape: tuple[int, ...]) -> int:
        s = self._symbols.shapes.get((t, shape))
        if s is None:
            s = self._fresh.shapes[t, shape] = self.symbol(self.param(t, SHAPE), "", shape_text(shape))
        return s

    def symbol(self, k: int, system: str, code: str) -> int:
        s = self._symbols.syms.get((k, system, code)) or self._fresh.symbol(self._connection, k, system, code)
        if s is None:
            s = self._insert("INSERT INTO sym(k, v, sy) VALUES(?, ?, ?) RETURNING s", (k, code, system))
            self._fresh.syms[k, system, code] = s
        return s

    def text(self, k: int, text: str, symbol: int) -> None:
        known = (k, text, symbol)
        if known not in self._symbols.texts and known not in self._fresh.texts:
            self._connection.execute("INSERT INTO symtext VALUES(?, ?, ?) ON CONFLICT DO NOTHING", known)
            self._fresh.texts.add(known)

    def target(self, type: str, id: str) -> int:
        """Number of the referenced resource: its rid, or a negative number for one that is not here (yet)."""
        t = self.type(type)
        rid = self._symbols.rids.get((t, id)) or self._fresh.rid(self._connection, t, id)
        return rid if rid is not None else self.absent(t, id)

    def made(self, t: int, id: str, rid: int) -> None:
        self._fresh.rids[t, id] = rid

    def absent(self, t: int, id: str) -> int:
        x = self._absent.get((t, id))
        if x is None:
            key = id if t == ELSEWHERE else id_key(id)
            x = self._connection.execute("SELECT x FROM ext WHERE id = ? AND t = ?", (key, t)).get
            if x is None:
                x = self._insert("INSERT INTO ext(t, id) VALUES(?, ?) RETURNING x", (t, key))
            self._absent[t, id] = x
        return -x

    def waits(self, t: int, id: str, x: int) -> None:
        """Something refers to this by the number -x."""
        self._absent[t, id] = x

    def awaited(self, t: int, id: str) -> int | None:
        """The negative number under which something refers to a resource whose row was looked up before."""
        x = self._absent.get((t, id))
        return None if x is None else -x

    def arrived(self, number: int) -> int:
        """The rid of what was absent, if it has come; else the negative number itself."""
        return int(self._connection.execute("SELECT coalesce(rid, -x) FROM ext WHERE x = ?", (-number,)).get)

    def _insert(self, sql: str, bindings: tuple[object, ...]) -> int:
        return int(self._connection.execute(sql, bindings).get)
