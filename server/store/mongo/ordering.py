"""The order of hits as MongoDB can give it, and where a page begins.

A position is the sort keys of a hit and its creation number. Resources without a value come last in either direction;
equal ones in creation order. So an order is read in two phases: those with a value, then those without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from server.search.query import Position, SortKey
from server.store.asked import Page
from server.store.mongo.driver import Document
from server.store.ordering import ID, LAST_UPDATED
from server.store.principal import PRINCIPAL


@dataclass(frozen=True, slots=True)
class Order:
    """One field that the server sorts by, before the creation number; None: by that alone."""

    field: str | None = None
    descending: bool = False
    absent: bool = False
    """There may be resources without the field."""

    def position(self, document: Document) -> Position:
        if self.field is None:
            return (document["n"],)
        if self.field == "_id":
            return (document["_id"].partition("/")[2], document["n"])
        return (document.get(self.field), document["n"])


def server_order(types: Sequence[str], sort: Sequence[SortKey]) -> Order | None:
    """None if the values of the resources are needed."""
    if not sort:
        return Order()
    if len(sort) > 1 or sort[0].chain:
        return None
    code, descending = sort[0].parameter.code, sort[0].descending
    if code == LAST_UPDATED:
        return Order("l", descending)
    if len(types) > 1:
        return None
    if code == ID:
        return Order("_id", descending)
    principal = PRINCIPAL.get(types[0])
    if principal is None or principal.date != code:
        return None
    return Order("d" if descending else "a", descending, absent=True)


@dataclass(frozen=True, slots=True)
class Phase:
    """Part of an order: a further condition, and the sort."""

    where: Document
    sort: list[tuple[str, int]]


CREATION = Phase({}, [("n", 1)])
"""All there is, in the order of creation."""


def phases(order: Order, page: Page, type: str) -> list[Phase]:
    """In the direction of the paging, from the position on."""
    back = page.backward
    by_number = -1 if back else 1
    beyond = "$lt" if back else "$gt"
    position = page.after or page.before
    if order.field is None:
        where: Document = {"n": {beyond: position[-1]}} if position else {}
        return [Phase(where, [("n", by_number)])]
    way = -1 if order.descending != back else 1
    sort = [(order.field, way), ("n", by_number)]
    present = Phase(_present(order, position, way, beyond, type), sort)
    if not order.absent:
        return [present]
    absent: Document = {order.field: None}
    if position and position[0] is None:
        absent["n"] = {beyond: position[-1]}
    without = Phase(absent, [("n", by_number)])
    if back:
        return [without, present] if not position or position[0] is None else [present]
    return [without] if position and position[0] is None else [present, without]


def _present(order: Order, position: Position | None, way: int, beyond: str, type: str) -> Document:
    field = order.field
    assert field is not None, "an order by a field"
    exists: Document = {field: {"$gte": -(1 << 63)}} if order.absent else {}
    if not position or position[0] is None:
        return exists
    value = f"{type}/{position[0]}" if field == "_id" else position[0]
    further, inclusive = ("$gt", "$gte") if way > 0 else ("$lt", "$lte")
    if field == "_id":
        return {field: {further: value}}
    return {
        field: {inclusive: value},
        "$or": [{field: {further: value}}, {field: value, "n": {beyond: position[-1]}}],
    }
