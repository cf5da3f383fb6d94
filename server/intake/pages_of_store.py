"""Every hit of a query, read page by page: for commands that go through many resources."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

from server.search.query import Query
from server.store.contract import Hits, Store

PAGE = 200


async def pages(store: Store, query: Query) -> AsyncIterator[Hits]:
    """Pages of hits in the query's order. What is written meanwhile may or may not be among them."""
    query = replace(query, limit=PAGE)
    while True:
        found = await store.search(query)
        if found.hits:
            yield found
        if not found.more or not found.hits:
            return
        query = query.page(after=found.hits[-1].position)
