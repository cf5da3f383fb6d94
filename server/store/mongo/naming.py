"""Whether the database that a URL names is the one that was meant: MongoDB makes any that is named.

https://www.mongodb.com/docs/manual/reference/command/listDatabases/
"""

from __future__ import annotations

from contextlib import suppress
from difflib import get_close_matches

from server.store.contract import StoreRefused
from server.store.mongo.driver import Client, NotAllowed, failures

ALIKE = 0.8
"""Of difflib: `onecrad` is like `onecard`, `onecard` is not like `hospital`."""


async def refuse_unmade(client: Client, name: str) -> None:
    """Raises: StoreRefused, if there is no store in the database."""
    if not await _is_store(client, name):
        raise StoreRefused(f"there is no store in the database {name}: name it with --store, ONECARD_STORE or --config")


async def refuse_unlikely(client: Client, name: str) -> None:
    """Raises: StoreRefused, if there is no store in the database, but in one whose name is much like it."""
    if await _is_store(client, name):
        return
    names: list[str] = []
    with suppress(NotAllowed), failures():
        names = await client.list_database_names()
    for other in get_close_matches(name, names, n=3, cutoff=ALIKE):
        if await _is_store(client, other):
            raise StoreRefused(
                f"the database {name} holds no store, but {other} does: is the name mistyped? If a new store is meant, "
                f"run `onecard store init` once, with the same --store / ชื่อฐานข้อมูลอาจพิมพ์ผิด: {name} ยังไม่มีข้อมูล แต่ "
                f"{other} มี"
            )


async def _is_store(client: Client, name: str) -> bool:
    """False also for a database that may not be read."""
    with suppress(NotAllowed), failures():
        return await client[name]["state"].find_one({"_id": "onecard"}, {"_id": 1}) is not None
    return False
