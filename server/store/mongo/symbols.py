"""Exact keys for what repeats: codes, units, types, sets of parameters.

A symbol is a 64-bit number that means one name only: a name whose number is taken takes the next free one, so what is
found by a symbol needs no comparison, may be counted and may be excluded (`:not`). Symbols never change, so a process
may remember them; what it does not remember is looked up before it counts as unknown. Symbols are odd, hashed keys
(documents.Hashes) even: they stand in the same fields and must never meet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

from server.store.mongo.driver import Collection, Document, UpdateOne, failures, insert_if_absent
from server.store.mongo.hashing import Hash

_LARGEST = 100_000
"""Symbols that a process remembers before it starts anew, and as many from before."""
_LARGEST_TEXT = 16_000_000
"""Letters of their names, likewise: free texts stand for codes, too."""
_LARGEST_KEPT = 10_000
"""Sets of tokens whose keys a process remembers before it starts anew."""
_AT_ONCE = 2
"""Questions for symbols that are on their way."""
_LONGEST_MS = 20_000
"""A look through all texts of a parameter, as `:text` takes, ends when searches do that are not told otherwise."""
_PROBES = 3
"""Numbers tried by the store's hash before the strong one."""


class Name(NamedTuple):
    space: str
    """Type.code, or a pseudo parameter behind it."""
    system: str
    code: str


TYPES, REFERENCES = "#type", "#reference"
"""Spaces: resource types seen; `Type.code` of reference parameters seen."""


class Symbols:
    def __init__(self, collection: Collection, hash: Hash, secret: bytes) -> None:
        self._collection = collection
        self._hash = hash
        self._secret = secret
        self._keys: dict[Name, int] = {}
        self._older: dict[Name, int] = {}
        """What was remembered before: whoever loaded a name of it just now still finds it."""
        self._letters = 0
        """Of the names in `_keys`."""
        self._links: set[tuple[Name, Name]] = set()
        self._kept: dict[tuple[Hashable, ...], tuple[int, ...]] = {}
        self._at_once = asyncio.Semaphore(_AT_ONCE)

    def key(self, name: Name) -> int | None:
        """If this process knows it already."""
        found = self._keys.get(name)
        return self._older.get(name) if found is None else found

    def kept(self, type: str, code: str, tokens: Sequence[Hashable]) -> tuple[int, ...] | None:
        """Keys of tokens of a search parameter, if this process remembers them."""
        return self._kept.get((type, code, *tokens))

    def keep(self, type: str, code: str, tokens: Sequence[Hashable], keys: Iterable[int]) -> None:
        if len(self._kept) >= _LARGEST_KEPT:
            self._kept.clear()
        self._kept[type, code, *tokens] = tuple(keys)

    def linked(self, text: Name, code: Name) -> bool:
        """Whether this process knows that the text was shown with the code."""
        return (text, code) in self._links

    def _candidate(self, name: Name, attempt: int) -> int:
        text = "\0".join(name).encode("utf-8", "surrogatepass")
        if attempt < _PROBES:
            return self._hash(b"%d\0%b" % (attempt, text)) | 1
        strong = blake2b(b"%d\0%b" % (attempt, text), digest_size=8, key=self._secret).digest()
        return int.from_bytes(strong, "big", signed=True) | 1

    async def load(self, names: Iterable[Name]) -> set[Name]:
        """Remembers those that the store has; gives those that it has not."""
        return await self._settle(names, make=False)

    async def make(self, names: Iterable[Name]) -> None:
        """Remembers all, making those that the store has not. Not part of any transaction: a symbol that nobody
        uses does no harm."""
        await self._settle(names, make=True)

    async def _settle(self, names: Iterable[Name], *, make: bool) -> set[Name]:
        waiting = {name: 0 for name in names if self.key(name) is None}
        absent: set[Name] = set()
        if not waiting:
            return absent
        if len(self._keys) > _LARGEST or self._letters > _LARGEST_TEXT:
            self._begin_anew()
        with failures():
            while waiting:
                numbers = {name: self._candidate(name, attempt) for name, attempt in waiting.items()}
                found = {doc["_id"]: doc async for doc in self._collection.find({"_id": {"$in": [*numbers.values()]}})}
                fresh: dict[int, Document] = {}
                for name, number in numbers.items():
                    there = found.get(number)
                    if there is not None and Name(there["k"], there["s"], there["v"]) == name:
                        self._keys[name] = number
                        self._letters += len(name.code)
                        del waiting[name]
                    elif there is not None:
                        waiting[name] += 1
                    elif make:
                        fresh.setdefault(number, {"_id": number, "k": name.space, "s": name.system, "v": name.code})
                    else:
                        absent.add(name)
                        del waiting[name]
                if fresh:
                    await insert_if_absent(self._collection, list(fresh.values()))
        return absent

    def _begin_anew(self) -> None:
        self._older, self._keys, self._letters = self._keys, {}, 0
        self._links.clear()
        self._kept.clear()

    async def link(self, links: Iterable[tuple[Name, Name]]) -> None:
        """Remembers that a text (first) was shown with a code (second); both must have been made."""
        fresh: dict[Name, list[Name]] = {}
        for text, code in links:
            if (text, code) not in self._links:
                fresh.setdefault(text, []).append(code)
        if not fresh:
            return
        with failures():
            await self._collection.bulk_write(
                [
                    UpdateOne(
                        {"_id": self.key(text)},
                        {"$addToSet": {"of": {"$each": [self.key(code) for code in codes]}}},
                    )
                    for text, codes in fresh.items()
                ],
                ordered=False,
            )
        if len(self._links) > _LARGEST:
            self._links.clear()
        self._links.update((text, code) for text, codes in fresh.items() for code in codes)

    async def types(self) -> list[str]:
        """Of all resources that a snapshot taken before shows, and of some that they refer to."""
        return sorted(each["v"] for each in await self.find([TYPES], {}))

    async def find(self, spaces: Sequence[str], where: Document) -> list[Document]:
        """Symbols of these spaces for which more holds: {_id, k, s, v, of}."""
        async with self._at_once:
            with failures():
                found = self._collection.find({"k": {"$in": list(spaces)}, **where})
                return await found.max_time_ms(_LONGEST_MS).to_list(None)
