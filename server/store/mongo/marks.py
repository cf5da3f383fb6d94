"""What is about to be deleted, told to those who are about to refer to it.

Snapshots alone would let a transaction that refers to a resource and one that deletes it each see the state before the
other. The resource would have to be written by all who refer to it, and two processes that create Observations of one
Patient would wait for each other. So only the rare side pays, and who refers writes only where a mark is found:

1. Who deletes writes a mark of its own into the resource, then waits for the transactions of other processes that are
   registered (order.py): those saw no mark, and are seen by the deletion from now on. So are those of its own process,
   which end before it begins.
2. Transactions that begin later see the mark, and take it away when they refer to the resource.
3. The deletion holds only if its snapshot shows its own mark. It writes the resource, so whoever takes the mark away
   beside it makes one of the two begin anew.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from server.store.contract import DELETED
from server.store.mongo.driver import Collection, Session, failures
from server.store.mongo.order import Order

NO_MARK = -1
"""That no resource has."""


class Marks:
    """Of one process."""

    def __init__(self, resource: Collection, order: Order) -> None:
        self._resource = resource
        self._order = order

    async def set(self, keys: Iterable[str]) -> int:
        """Marks live resources (Type/id); durable, and known to all who begin to commit from now on. Gives the mark.
        Not within a transaction. Raises: Again, StoreUnavailable."""
        mark = secrets.randbits(62) + 1
        where = {"_id": {"$in": sorted(keys)}, "m": {"$lt": DELETED}}
        with failures(uncommitted=True):
            await self._resource.update_many(where, {"$set": {"x": mark}})
        await self._order.let_pass()
        return mark

    async def take_away(self, keys: Iterable[str], session: Session) -> None:
        await self._resource.update_many({"_id": {"$in": sorted(keys)}}, {"$unset": {"x": 1}}, session=session)
